import { checkInteger } from '../../checks.js';
import type { Column, StringColumn } from '../column.js';
import { type ColumnEncoder, checkGiven, type Given, type Kind } from './kind.js';

/** How a column of texts is encoded. */
export interface TextOptions {
  /** Numbers that a text becomes. Default 256. */
  size?: number | undefined;
  /** Words, and sequences of up to this many words, are counted. From 1 to 5, default 2. */
  ngrams?: number | undefined;
}

const MAX_SIZE = 2 ** 20;
const MAX_NGRAMS = 5;
/** Words of more characters are cut, as nothing is learnt of them. */
const MAX_WORD = 100;

/**
 * Hash of a text: FNV-1a of its UTF-16 units, low byte first, with the last steps of MurmurHash3, which spread it over
 * all bits. An unsigned 32-bit integer. Files depend on it.
 */
export function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    h = Math.imul(h ^ (unit & 0xff), 0x01000193);
    h = Math.imul(h ^ (unit >>> 8), 0x01000193);
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Words in lower case: runs of letters, marks and digits of any script. */
export function wordsOf(text: string): string[] {
  const words =
    text
      .normalize('NFC')
      .toLowerCase()
      .match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  return words.map((word) => word.slice(0, MAX_WORD));
}

/**
 * Hashed n-grams: each n-gram adds 1 or −1 (by the highest bit of its hash) at the place that the other bits of its
 * hash name, modulo the size. Each row is then scaled to the length 1. Nothing depends on other rows. A missing text
 * and one without words are all zeros.
 */
class HashedText implements ColumnEncoder {
  readonly width: number;
  readonly #name: string;
  readonly #ngrams: number;

  constructor(name: string, size: number, ngrams: number) {
    this.width = size;
    this.#name = name;
    this.#ngrams = ngrams;
  }

  names(): string[] {
    return Array.from({ length: this.width }, (_, i) => `${this.#name} #${i}`);
  }

  encode(column: Column, out: Float32Array, at: number, stride: number): void {
    const { values } = column as StringColumn;
    for (let row = 0; row < values.length; row++) {
      const value = values[row];
      if (value !== null) this.#write(value, out.subarray(row * stride + at, row * stride + at + this.width));
    }
  }

  #write(text: string, out: Float32Array): void {
    const words = wordsOf(text);
    const places = new Set<number>();
    for (let begin = 0; begin < words.length; begin++) {
      let gram = '';
      for (let i = begin; i < Math.min(begin + this.#ngrams, words.length); i++) {
        gram = gram === '' ? words[i] : `${gram} ${words[i]}`;
        const code = hash(gram);
        const place = (code & 0x7fffffff) % out.length;
        out[place] += code & 0x80000000 ? -1 : 1;
        places.add(place);
      }
    }
    let squares = 0;
    for (const place of places) squares += out[place] ** 2;
    // Words of opposite signs may be all that there are.
    if (squares > 0) for (const place of places) out[place] /= Math.sqrt(squares);
  }

  toJSON(): Given {
    return { size: this.width, ngrams: this.#ngrams };
  }
}

function make(label: string, name: string, { size = 256, ngrams = 2 }: Given): ColumnEncoder {
  return new HashedText(
    name,
    checkInteger(`${label}: size`, size, { min: 1, max: MAX_SIZE }),
    checkInteger(`${label}: ngrams`, ngrams, { min: 1, max: MAX_NGRAMS }),
  );
}

export const textKind: Kind = {
  learn(label, name, options) {
    const encoder = make(label, name, checkGiven(label, options, ['size', 'ngrams']));
    // Nothing is learnt: words that the training part lacks have a place, too.
    return { add() {}, finish: () => encoder };
  },
  read(label, name, json) {
    checkGiven(label, json, ['size', 'ngrams']);
    return make(label, name, { size: json.size ?? null, ngrams: json.ngrams ?? null });
  },
};
