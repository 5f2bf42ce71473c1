import { quote } from '../text.js';

/** Maximum nesting depth of JSON in a file. Networks need six levels, plus three per nested schedule. */
export const MAX_DEPTH = 64;
/** Entries of all objects and lists together. */
const MAX_ENTRIES = 500_000;

/** Limits for a text, which bound time and memory of parsing. */
export interface JsonLimits {
  /** Objects and lists. */
  readonly objects: number;
  /** Members of objects. */
  readonly members: number;
}

/** An error at a position (in characters) of the text. */
export class JsonError extends Error {
  readonly position: number;

  constructor(message: string, position: number) {
    super(message);
    this.position = position;
  }
}

/**
 * Parses JSON. Throws {@link JsonError} for invalid JSON, for duplicate keys (of which `JSON.parse` keeps the last) and
 * for the key `__proto__`. Before parsing, it also throws for nesting deeper than 64 and for texts beyond `limits` or
 * 500,000 entries.
 */
export function parseJson(text: string, limits: JsonLimits): unknown {
  const members = checkLimits(text, limits);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new JsonError((error as Error).message, 0);
  }
  if (countKeys(value) !== members) checkKeys(text);
  return value;
}

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Checks a text, valid JSON or not, against the limits of {@link parseJson}. Returns the number of object members if it
 * is valid JSON.
 */
export function checkLimits(text: string, { objects, members }: JsonLimits): number {
  let [depth, opened, commas, colons] = [0, 0, 0, 0];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      for (at++; at < text.length && text.charCodeAt(at) !== QUOTE; at++) if (text.charCodeAt(at) === BACKSLASH) at++;
    } else if (code === OPEN_OBJECT || code === OPEN_LIST) {
      if (++depth > MAX_DEPTH) throw new JsonError(`nested deeper than ${MAX_DEPTH}`, at);
      if (++opened > objects) throw new JsonError(`more than ${objects} objects and lists`, at);
    } else if (code === CLOSE_OBJECT || code === CLOSE_LIST) {
      depth--;
    } else if (code === COMMA) {
      if (++commas > MAX_ENTRIES) throw new JsonError(`more than ${MAX_ENTRIES} entries of objects and lists`, at);
    } else if (code === COLON) {
      if (++colons > members) throw new JsonError(`more than ${members} members of objects`, at);
    }
  }
  return colons;
}

/** Number of keys in all objects of a value; NaN if one is `__proto__`. */
function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const entry of value) if (typeof entry === 'object') count += countKeys(entry);
    return count;
  }
  if (Object.hasOwn(value, '__proto__')) return Number.NaN;
  for (const key of Object.keys(value)) count += 1 + countKeys((value as Record<string, unknown>)[key]);
  return count;
}

/** The position after the string that begins at `begin`. */
function endOfString(text: string, begin: number): number {
  let end = begin + 1;
  while (text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
  return end + 1;
}

/** Finds the first forbidden key in valid JSON that contains one. */
function checkKeys(text: string): void {
  // For each open bracket: the keys of the object so far, or undefined for a list.
  const open: (Set<string> | undefined)[] = [];
  const space = /[ \t\n\r]*/y;
  for (let at = 0; at < text.length; ) {
    const begin = at;
    const character = text[at++];
    if (character === '{' || character === '[') {
      open.push(character === '{' ? new Set() : undefined);
    } else if (character === '}' || character === ']') {
      open.pop();
    } else if (character === '"') {
      at = endOfString(text, begin);
      const keys = open.at(-1);
      if (keys === undefined) continue;
      space.lastIndex = at;
      space.test(text);
      if (text[space.lastIndex] !== ':') continue;
      // Different escapes of the same key are the same key.
      const key = JSON.parse(text.slice(begin, at)) as string;
      if (keys.has(key)) throw new JsonError(`duplicate key ${quote(key)} in an object`, begin);
      if (key === '__proto__') throw new JsonError('the key "__proto__" is not allowed', begin);
      keys.add(key);
    }
  }
}
