import { isPlain } from '../checks.js';
import { readWhole } from '../data/files.js';
import { BlasnetError } from '../errors.js';
import { appendFile } from '../formats/append-file.js';
import { JsonError, parseJson } from '../formats/json.js';
import { replaceFile } from '../formats/replace-file.js';
import { cut, pathText } from '../text.js';

/** What a training of a trial gave. */
export type Outcome =
  /** The metric, and the epochs that it was trained for. */
  | { readonly value: number; readonly trained: number; readonly seconds: number }
  | { readonly error: string; readonly seconds: number };

/** What a trial's value depends on besides its parameters and `build`; the first line of a log. */
export interface Header {
  readonly type: 'search';
  readonly version: 1;
  readonly [setting: string]: unknown;
}

/** Bytes of the longest log that is read. */
const MOST = 2 ** 26;
const LIMITS = { objects: 200_000, members: 200_000 };

/** A JSON-lines file with the outcomes of a search. */
export class SearchLog {
  readonly #path: string;
  readonly #outcomes: Map<string, Outcome>;

  private constructor(path: string, outcomes: Map<string, Outcome>) {
    this.#path = path;
    this.#outcomes = outcomes;
  }

  /**
   * Reads the log of the same search, or starts a new one if there is no file or an empty one. Throws `FILE_CORRUPT`
   * for a file that is not a log, `INVALID_ARGUMENT` for that of a search with other settings, `FILE_NOT_FOUND` and
   * `FILE_NOT_WRITTEN`.
   */
  static async open(path: string, header: Header): Promise<SearchLog> {
    const text = await readText(path);
    if (text === '') {
      await replaceFile(path, Buffer.from(`${JSON.stringify(header)}\n`));
      return new SearchLog(path, new Map());
    }
    const [first, ...lines] = text.split('\n');
    checkHeader(path, first, header);
    const outcomes = new Map<string, Outcome>();
    for (const [i, line] of lines.entries()) {
      const entry = readEntry(path, i + 2, line);
      if (entry !== undefined && !outcomes.has(entry.key)) outcomes.set(entry.key, entry.outcome);
    }
    return new SearchLog(path, outcomes);
  }

  /** The outcome of a trial after so many epochs, if it is in the log. */
  outcome(trial: number, epochs: number): Outcome | undefined {
    return this.#outcomes.get(`${trial} ${epochs}`);
  }

  async add(trial: number, epochs: number, params: unknown, outcome: Outcome): Promise<void> {
    const line = JSON.stringify({ type: 'trial', trial, epochs, params, ...outcome });
    await appendFile(this.#path, Buffer.from(`${line}\n`), { lines: true });
  }
}

async function readText(path: string): Promise<string> {
  try {
    return Buffer.from(await readWhole(path, (bytes) => new Uint8Array(bytes), MOST)).toString('utf8');
  } catch (error) {
    if (isAbsent(error)) return '';
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  const { cause } = error as BlasnetError;
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}

function corrupt(path: string, line: number, expected: string): BlasnetError {
  return new BlasnetError('FILE_CORRUPT', `${pathText(path)}: line ${line}: expected ${expected}`);
}

function parse(line: string): unknown {
  try {
    return parseJson(line, LIMITS);
  } catch (error) {
    if (error instanceof JsonError) return undefined;
    throw error;
  }
}

function checkHeader(path: string, line: string, header: Header): void {
  const found = parse(line);
  if (!isPlain(found) || (found as Header).type !== 'search') throw corrupt(path, 1, 'the header of a search');
  const where = firstDifference(found, header, []);
  // The order of the header's own fields does not matter.
  if (where === undefined || where.length === 0) return;
  const [theirs, ours] = [found, header].map((from) => cut(String(JSON.stringify(valueAt(from, where))), 200));
  const what = `it is of another search: its ${cut(where.join('.'), 100)} is ${theirs}, here ${ours}`;
  throw new BlasnetError('INVALID_ARGUMENT', `log: ${pathText(path)}: ${what}`);
}

const valueAt = (from: unknown, keys: readonly string[]): unknown =>
  keys.reduce((value, key) => (isPlain(value) && Object.hasOwn(value, key) ? value[key as never] : undefined), from);

/** Where two values of JSON differ first: keys from the outside in; undefined if they don't. */
function firstDifference(a: unknown, b: unknown, keys: readonly string[]): readonly string[] | undefined {
  if (JSON.stringify(a) === JSON.stringify(b)) return undefined;
  if (!isPlain(a) || !isPlain(b) || Array.isArray(a) || Array.isArray(b)) return keys;
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  for (const name of names) {
    const found = firstDifference(valueAt(a, [name]), valueAt(b, [name]), [...keys, name]);
    if (found !== undefined) return found;
  }
  // The same fields in another order, in which values are drawn.
  return keys;
}

/** Undefined for a line that a crash cut off: that trial is trained again. */
function readEntry(path: string, number: number, line: string): { key: string; outcome: Outcome } | undefined {
  const entry = parse(line);
  if (entry === undefined) return undefined;
  const { type, trial, epochs, value, trained, error, seconds } = (isPlain(entry) ? entry : {}) as Record<
    string,
    unknown
  >;
  const count = (given: unknown, least: number) => Number.isSafeInteger(given) && (given as number) >= least;
  const failed = typeof error === 'string' && value === undefined;
  const measured = error === undefined && Number.isFinite(value) && count(trained, 0);
  const timed = Number.isFinite(seconds) && (seconds as number) >= 0;
  if (type !== 'trial' || !count(trial, 0) || !count(epochs, 1) || !timed || failed === measured)
    throw corrupt(path, number, 'a trial with its epochs, seconds, and either value and trained or error');
  const outcome = { ...(failed ? { error } : { value, trained }), seconds } as Outcome;
  return { key: `${trial} ${epochs}`, outcome };
}
