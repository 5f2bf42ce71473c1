import { parseArgs } from 'node:util';
import { type Command, flag, type Option, type Options, UsageError, type Values } from './command.js';
import { didYouMean } from './nearest.js';

/** The options that a command has besides its own. */
export function optionsOf({ options, json }: Command): Options {
  return {
    ...options,
    ...(json && { json: flag('print the result as JSON') }),
    verbose: flag('print where an error was thrown, too'),
    help: flag('print this text'),
  };
}

export interface Parsed {
  readonly operands: readonly string[];
  readonly values: Values<Options>;
}

function readOption(name: string, option: Option, text: string | undefined, inline: boolean): unknown {
  if (option.value === undefined) {
    if (inline) throw new UsageError(`--${name} takes no value, got '${text}'`);
    return true;
  }
  // A forgotten value must not take the next option for it; negative numbers are values.
  if (text === undefined || (!inline && /^-./.test(text) && Number.isNaN(Number(text)))) {
    const inlined = text === undefined || text.startsWith('--') ? '' : `, or --${name}=${text} if it begins with -`;
    throw new UsageError(`--${name} needs a value: --${name} <${option.value}>${inlined}`);
  }
  const value = option.read(text);
  if (value === undefined) throw new UsageError(`--${name}: expected ${option.expected}, got '${text}'`);
  return value;
}

/** An option that is given again: neither of its values is the one that is meant. */
function repeated(name: string, { several }: Option): string {
  const hint = several === undefined ? '' : `: several values are separated by commas, as in --${name} ${several}`;
  return `--${name} is given more than once${hint}`;
}

/** Whether help is asked for, in whatever else the words say. */
export function asksForHelp(words: readonly string[]): boolean {
  const end = words.indexOf('--');
  return words.slice(0, end < 0 ? words.length : end).some((word) => word === '--help' || word === '-h');
}

/** Reads the words after a command's name. Throws `UsageError`. */
export function parse(command: Command, words: readonly string[]): Parsed {
  const options = optionsOf(command);
  const known = Object.keys(options);
  const { tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(
      Object.entries(options).map(([name, { value }]) => [name, { type: value === undefined ? 'boolean' : 'string' }]),
    ),
    // The errors of the strict mode have several sentences and don't name similar options.
    strict: false,
    tokens: true,
  });
  const operands: string[] = [];
  const values: Record<string, unknown> = {};
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, rawName, value, inlineValue } = token;
    if (!Object.hasOwn(options, name)) {
      const hint = didYouMean(
        rawName,
        known.map((other) => `--${other}`),
      );
      throw new UsageError(`${command.name}: unknown option '${rawName}'${hint}`);
    }
    if (Object.hasOwn(values, name)) throw new UsageError(`${command.name}: ${repeated(name, options[name])}`);
    values[name] = readOption(name, options[name], value, inlineValue === true);
  }
  const { operands: declared } = command;
  if (operands.length > declared.length)
    throw new UsageError(`${command.name}: unexpected '${operands[declared.length]}'`);
  const missing = declared.slice(operands.length).find(({ optional }) => !optional);
  if (missing !== undefined) throw new UsageError(`${command.name}: expected <${missing.name}>, ${missing.text}`);
  for (const [name, { required, value, text }] of Object.entries(options)) {
    if (required && !(name in values)) throw new UsageError(`${command.name}: expected --${name} <${value}>, ${text}`);
  }
  return { operands, values };
}
