import { checkInteger, checkOptions, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { lookOf, type Theme } from './look.js';
import type { Spec } from './vega.js';

/** Options of all pictures. */
export interface PictureOptions {
  /** Title above the picture. */
  title?: string;
  /** Width in pixels, 200 to 4000; grids of panels or images only come close to it. Default 800. */
  width?: number;
  /**
   * Height of the whole picture in pixels, 150 to 4000. The default depends on the picture and grows with a long
   * legend.
   */
  height?: number;
  /** 'light': dark on white; 'dark': light on dark. Default 'light'. */
  theme?: Theme;
}

/** A line through points (x, y). Non-finite y leave gaps. */
export interface Curve {
  /** Name in the legend; must be unique within a picture. */
  readonly name: string;
  /** Default: 1, 2, 3, … */
  readonly x?: ArrayLike<number>;
  readonly y: ArrayLike<number>;
}

/**
 * Checks the options common to all pictures and rejects unknown ones; `title` and `frame` are parts of a specification.
 */
export function readOptions<T extends PictureOptions>(
  caller: string,
  options: T | undefined,
  others: readonly (keyof T & string)[],
  defaultHeight = 400,
) {
  const given = checkOptions(caller, options, ['title', 'width', 'theme', ...others]);
  const look = lookOf(given.theme);
  const width = checkInteger('width', given.width ?? 800, { min: 200, max: 4000 });
  const height = checkInteger('height', given.height ?? defaultHeight, { min: 150, max: 4000 });
  const title =
    given.title === undefined ? undefined : { text: lines(checkText('title', given.title), width - 24, 16) };
  /** The size of the picture; a legend's `extra` pixels are added to the default height. */
  const frame = (extra = 0): Spec => ({
    width,
    height: given.height === undefined ? Math.min(4000, height + extra) : height,
    autosize: { type: 'fit', contains: 'padding' },
  });
  return { ...given, width, height, title, frame, look };
}

/** Names for a legend or an axis, and which of them were shortened. */
export interface Names {
  /** The names shown: limited in length and all different. */
  readonly shown: string[];
  /** The full name of each shortened one. */
  readonly full: ReadonlyMap<string, string>;
}

/**
 * Shortens names to at most `most` letters: in the middle, as runs often differ at the end. If that makes two equal, to
 * the part in which they differ; if that does too, to a prefix and a number.
 */
export function shorten(names: readonly string[], most: number): Names {
  const same = commonPrefix(names);
  const ways = [
    (name: string) => middleCut(name, most),
    (name: string) => windowCut(name, most, same),
    (name: string, i: number) => `${middleCut(name, Math.max(3, most - String(i + 1).length - 3))} (${i + 1})`,
  ];
  const cuts = ways.map((way) => names.map((name, i) => (letters(name).length <= most ? name : way(name, i))));
  const distinct = new Set(names).size;
  const shown = cuts.find((list) => new Set(list).size === distinct) ?? cuts[2];
  return { shown, full: new Map(names.flatMap((name, i) => (shown[i] === name ? [] : [[shown[i], name]]))) };
}

const letters = (text: string): string[] => Array.from(text);

/** Length of the common prefix. */
function commonPrefix(names: readonly string[]): number {
  const [first = [], ...rest] = names.map(letters);
  const end = first.findIndex((letter, i) => rest.some((other) => other[i] !== letter));
  return end < 0 ? first.length : end;
}

function middleCut(text: string, most: number): string {
  const all = letters(text);
  if (all.length <= most) return text;
  const tail = Math.floor((most - 1) / 2);
  return `${all.slice(0, most - 1 - tail).join('')}…${tail === 0 ? '' : all.slice(-tail).join('')}`;
}

/** The part that begins shortly before `at`. */
function windowCut(text: string, most: number, at: number): string {
  const all = letters(text);
  const begin = Math.max(0, Math.min(at - 2, all.length - most + 1));
  const space = most - (begin > 0 ? 1 : 0);
  const part = all.slice(begin, begin + space);
  const cut = begin + space < all.length ? `${part.slice(0, -1).join('')}…` : part.join('');
  return begin > 0 ? `…${cut}` : cut;
}

export function checkText(name: string, value: unknown): string {
  if (typeof value !== 'string') throw invalid(name, 'a string', value);
  return value;
}

/** Breaks text between words into at most three lines that fit `width`, using the mean width of bold letters. */
export function lines(text: string, width: number, fontSize: number): string[] {
  const most = Math.max(8, Math.floor(width / (0.61 * fontSize)));
  const broken: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (longer.length > most && line !== '') broken.push(line);
    line = longer.length > most ? word : longer;
  }
  broken.push(line);
  if (broken.length > 3) broken.splice(2, Infinity, `${broken[2]} …`);
  return broken.map((part) => (part.length > most ? `${part.slice(0, most - 1)}…` : part));
}

/** Checks a list of curves: unique names, as many x as y, finite x. */
export function checkCurves(name: string, value: unknown): Required<Curve>[] {
  if (!Array.isArray(value)) throw invalid(name, 'a list of curves { name, x?, y }', value);
  const names = new Set<string>();
  return value.map((curve: Partial<Curve> | null, i) => {
    const at = `${name}[${i}]`;
    if (typeof curve !== 'object' || curve === null) throw invalid(at, 'a curve { name, x?, y }', curve);
    const label = checkText(`${at}.name`, curve.name);
    if (names.has(label)) throw invalid(`${at}.name`, 'a name that no other curve has', label);
    names.add(label);
    const y = checkNumbers(`${at}.y`, curve.y);
    const x =
      curve.x === undefined ? Array.from(y, (_, j) => j + 1) : checkNumbers(`${at}.x`, curve.x, { finite: true });
    if (x.length !== y.length) {
      throw new BlasnetError('SHAPE_MISMATCH', `${at}.x: expected ${y.length} numbers, as many as y, got ${x.length}`);
    }
    return { name: label, x, y };
  });
}

export function checkNumbers(name: string, value: unknown, { finite = false } = {}): number[] {
  if (!Array.isArray(value) && !ArrayBuffer.isView(value)) throw invalid(name, 'an array of numbers', value);
  const numbers = Array.from(value as ArrayLike<number>);
  const wrong = numbers.findIndex((item) => typeof item !== 'number' || (finite && !Number.isFinite(item)));
  if (wrong >= 0) throw invalid(`${name}[${wrong}]`, finite ? 'a finite number' : 'a number', numbers[wrong]);
  return numbers;
}

/** Range of the finite numbers, widened by `margin` times the range. Throws `EMPTY_DATA` if there are none. */
export function extent(name: string, values: Iterable<number>, margin = 0): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) throw new BlasnetError('EMPTY_DATA', `${name}: expected at least one finite number, found none`);
  if (low === high) {
    const space = Math.abs(low) / 10 || 1;
    return [low - space, high + space];
  }
  const space = margin * (high - low);
  return [low - space, high + space];
}

/** Checks for two finite numbers, the second above the first. */
export function checkRange(name: string, value: unknown): [number, number] {
  const [low, high] = checkNumbers(name, value, { finite: true });
  if ((value as ArrayLike<number>).length !== 2 || !(low < high)) throw invalid(name, 'two numbers [low, high]', value);
  return [low, high];
}
