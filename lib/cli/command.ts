/** How a command is declared. Parsing, help and shell completion all read this declaration. */

/** What the words of a command line that name files, or one of a few values, can be completed with. */
export type Completion = 'files' | 'commands' | readonly string[];

/** An option: a flag, or one with a value of type `T`. */
export interface Option<T = unknown> {
  /** What stands for the value in the help; undefined for a flag. */
  readonly value: string | undefined;
  /** What the help says. */
  readonly text: string;
  readonly required?: boolean;
  readonly completion?: Completion | undefined;
  /** The value of a text; undefined if it is none. */
  read(text: string): T | undefined;
  /** An example of several values in one, for an option that takes them. */
  readonly several?: string;
  /** What a value is, for the error. */
  readonly expected?: string;
}

export type Options = Readonly<Record<string, Option>>;

/** The values given; undefined for options that were not. */
export type Values<O extends Options> = {
  readonly [K in keyof O]: O[K] extends Option<infer T> ? T | undefined : never;
};

/** A word of the command line that is not an option. */
export interface Operand {
  readonly name: string;
  readonly text: string;
  readonly optional?: boolean;
  readonly completion?: Completion;
}

/** What a command gives: printed as text, or as JSON with `--json`. */
export interface Output {
  /** Without the last line break; or pieces with it. */
  readonly text?: string | Iterable<string>;
  /** Whether the text is data or has colours, and is printed as it is: else control characters in it are shown. */
  readonly exact?: boolean;
  readonly json?: unknown;
  /** Instead of `json`: the elements of a list, in parts, for one that may be long. */
  readonly list?: Iterable<readonly unknown[]>;
  /** Exit code; default 0, or that of `failure`. */
  readonly status?: number;
  /** What failed after the result was there: printed as an error after it. */
  readonly failure?: unknown;
}

export interface Context {
  readonly commands: readonly Command[];
  /** Writes a line for the user, not part of the result, to standard error. */
  note(text: string): void;
}

export interface Command<O extends Options = Options> {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** More for the command's own help: paragraphs. */
  readonly text?: readonly string[];
  readonly operands: readonly Operand[];
  readonly options: O;
  /** Whether it has `--json`. */
  readonly json?: boolean;
  /** Command lines, and what each does. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  run(operands: readonly string[], values: Values<O>, context: Context): Output | Promise<Output>;
}

/** A mistake in the command line: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Infers the types of the values that `run` gets. */
export function command<O extends Options>(declared: Command<O>): Command {
  return declared as unknown as Command;
}

export function flag(text: string): Option<true> {
  return { value: undefined, text, read: () => true };
}

interface Extra {
  readonly required?: boolean;
  readonly completion?: Completion;
}

export function textOption(value: string, text: string, extra: Extra = {}): Option<string> {
  return { value, text, ...extra, read: (given) => (given === '' ? undefined : given), expected: 'a text' };
}

export function fileOption(value: string, text: string, extra: Extra = {}): Option<string> {
  return { ...textOption(value, text, { completion: 'files', ...extra }), expected: 'a path' };
}

export function choiceOption<const C extends readonly string[]>(
  value: string,
  text: string,
  choices: C,
): Option<C[number]> {
  const read = (given: string) => choices.find((choice) => choice === given);
  return { value, text, completion: choices, read, expected: `one of ${choices.join(', ')}` };
}

/** The next word of a list and the comma after it: within double quotes, which stand twice for one, or up to a comma. */
const WORD = /\s*(?:"((?:[^"]|"")*)"\s*|([^,"][^,]*|))(,|$)/y;

/** Words separated by commas; one with a comma is in double quotes, as in CSV. */
export function listOption(value: string, text: string): Option<readonly string[]> {
  const read = (given: string) => {
    const words: string[] = [];
    WORD.lastIndex = 0;
    for (let comma = ','; comma === ','; ) {
      const match = WORD.exec(given);
      if (match === null) return undefined;
      words.push(match[1] === undefined ? match[2].trim() : match[1].replaceAll('""', '"'));
      comma = match[3];
    }
    return words.includes('') ? undefined : words;
  };
  return { value, text, read, several: 'a,b', expected: 'names separated by commas, those with a comma in quotes' };
}

interface Range {
  readonly min?: number;
  readonly above?: number;
  readonly below?: number;
}

function rangeText({ min, above, below }: Range): string {
  const bounds = [
    ...(min === undefined ? [] : [`at least ${min}`]),
    ...(above === undefined ? [] : [`above ${above}`]),
    ...(below === undefined ? [] : [`below ${below}`]),
  ];
  return bounds.length === 0 ? '' : ` ${bounds.join(' and ')}`;
}

function readNumber(text: string, { min = -Infinity, above = -Infinity, below = Infinity }: Range): number | undefined {
  // Number() would also take an empty text, hexadecimal digits and Infinity.
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return undefined;
  const number = Number(text);
  return number >= min && number > above && number < below ? number : undefined;
}

export function numberOption(value: string, text: string, range: Range): Option<number> {
  return { value, text, read: (given) => readNumber(given, range), expected: `a number${rangeText(range)}` };
}

const readInteger = (text: string, range: Range) => (/^\d+$/.test(text) ? readNumber(text, range) : undefined);

export function integerOption(value: string, text: string, range: Range): Option<number> {
  return { value, text, read: (given) => readInteger(given, range), expected: `an integer${rangeText(range)}` };
}

/** Integers separated by commas; none for an empty text. */
export function integersOption(value: string, text: string, range: Range): Option<readonly number[]> {
  const read = (given: string) => {
    const numbers = given === '' ? [] : given.split(',').map((word) => readInteger(word.trim(), range));
    return numbers.includes(undefined) ? undefined : (numbers as number[]);
  };
  return { value, text, read, several: '64,32', expected: `integers${rangeText(range)}, separated by commas` };
}
