#!/usr/bin/env node
import { once } from 'node:events';
import { type Command, type Output, UsageError } from './command.js';
import { build } from './commands/build.js';
import { completion } from './commands/completion.js';
import { evaluate } from './commands/evaluate.js';
import { exportCommand } from './commands/export.js';
import { help } from './commands/help.js';
import { importCommand } from './commands/import.js';
import { info } from './commands/info.js';
import { predict } from './commands/predict.js';
import { show } from './commands/show.js';
import { train } from './commands/train.js';
import { find } from './find.js';
import { commandHelp, overview } from './help.js';
import { didYouMean } from './nearest.js';
import { asksForHelp, parse } from './parse.js';
import { errorName, heading, visible } from './terminal.js';
import { version } from './version.js';

const commands: readonly Command[] = [
  train,
  predict,
  evaluate,
  show,
  exportCommand,
  importCommand,
  info,
  build,
  completion,
  help,
];

/** What `blasnet --help` and the like give; undefined if the first word is not an option. */
function atOnce([first, second]: readonly string[]): Output | undefined {
  if (first === undefined) throw new UsageError('expected a command');
  if (!first.startsWith('-')) return undefined;
  const known = new Map([
    ['--help', () => overview(commands, heading)],
    ['-h', () => overview(commands, heading)],
    ['--version', () => version],
  ]);
  const text = known.get(first);
  if (text === undefined) throw new UsageError(`unknown option '${first}'${didYouMean(first, [...known.keys()])}`);
  if (second !== undefined) throw new UsageError(`unexpected after ${first}: '${second}'`);
  return { exact: true, text: text() };
}

async function runCommand([name, ...words]: readonly string[]): Promise<Output> {
  const command = find(commands, name);
  if (asksForHelp(words)) return { exact: true, text: commandHelp(command, heading) };
  const { operands, values } = parse(command, words);
  const note = (text: string) => console.error(visible(text));
  const output = await command.run(operands, values, { commands, note });
  if (!values.json) return output;
  const { list, json } = output;
  return { ...output, exact: true, text: list === undefined ? JSON.stringify(json, undefined, 2) : jsonList(list) };
}

/** A list as JSON, like `JSON.stringify` of all elements at once. */
function* jsonList(parts: Iterable<readonly unknown[]>): Generator<string> {
  let begun = false;
  for (const part of parts) {
    if (part.length === 0) continue;
    const elements = JSON.stringify(part, undefined, 2).slice('['.length, -'\n]'.length);
    yield `${begun ? ',' : '['}${elements}`;
    begun = true;
  }
  yield begun ? '\n]\n' : '[]\n';
}

/** Writes pieces to standard output, each after what is before it has been taken. */
async function print(pieces: Iterable<string>): Promise<void> {
  for (const piece of pieces) {
    if (!process.stdout.write(piece)) await once(process.stdout, 'drain');
  }
}

/** Prints an error as one line, or where it was thrown with `--verbose`. Returns the exit code. */
function fail(error: unknown, words: readonly string[]): number {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  if (error instanceof UsageError) {
    const command = commands.find(({ name }) => name === words[0]);
    const where = command === undefined ? 'blasnet --help' : `blasnet ${command.name} --help`;
    console.error(`${errorName()} ${visible(message)}\nUsage: see \`${where}\``);
    return 2;
  }
  const text = words.includes('--verbose') ? (stack ?? message) : message.replace(/\s*\n\s*/g, ' ');
  console.error(`${errorName()} ${visible(text)}`);
  return 1;
}

const words = process.argv.slice(2);

// A reader such as `head` may end before all is written.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? undefined : fail(new Error(`standard output: ${error.message}`), words));
});

try {
  const { text, exact, status, failure } = atOnce(words) ?? (await runCommand(words));
  if (typeof text === 'string') console.log(exact ? text : visible(text));
  else if (text !== undefined) await print(text);
  process.exitCode = status ?? (failure === undefined ? 0 : fail(failure, words));
} catch (error) {
  process.exitCode = fail(error, words);
}
