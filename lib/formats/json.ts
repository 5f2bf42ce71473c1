/** Deepest nesting that a file's JSON may have; networks need six levels, and three more for each schedule within a schedule. */
const MAX_DEPTH = 64;

/** Something is wrong at a position (in characters) of the text. */
export class JsonError extends Error {
  readonly position: number;

  constructor(message: string, position: number) {
    super(message);
    this.position = position;
  }
}

/**
 * A JSON text's value. Throws {@link JsonError} for what is no JSON, for an object with the same key twice (of which `JSON.parse`
 * keeps the last), for the key `__proto__`, and for nesting deeper than 64.
 */
export function parseJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new JsonError((error as Error).message, 0);
  }
  checkKeys(text);
  return value;
}

/** The position behind the string that begins at `begin`. */
function endOfString(text: string, begin: number): number {
  let end = begin + 1;
  while (text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
  return end + 1;
}

/** Walks over a text that is known to be JSON. */
function checkKeys(text: string): void {
  // For each open bracket the keys so far of an object, or undefined for a list.
  const open: (Set<string> | undefined)[] = [];
  const space = /[ \t\n\r]*/y;
  for (let at = 0; at < text.length; ) {
    const begin = at;
    const character = text[at++];
    if (character === '{' || character === '[') {
      open.push(character === '{' ? new Set() : undefined);
      if (open.length > MAX_DEPTH) throw new JsonError(`nested deeper than ${MAX_DEPTH}`, begin);
    } else if (character === '}' || character === ']') {
      open.pop();
    } else if (character === '"') {
      at = endOfString(text, begin);
      const keys = open.at(-1);
      if (keys === undefined) continue;
      space.lastIndex = at;
      space.test(text);
      if (text[space.lastIndex] !== ':') continue;
      // Two spellings of a key are one key.
      const key = JSON.parse(text.slice(begin, at)) as string;
      if (keys.has(key)) throw new JsonError(`the key ${JSON.stringify(key.slice(0, 80))} stands twice in an object`, begin);
      if (key === '__proto__') throw new JsonError('the key "__proto__" is not allowed', begin);
      keys.add(key);
    }
  }
}
