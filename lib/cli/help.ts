import type { Command, Option } from './command.js';
import { optionsOf } from './parse.js';

const WIDTH = 100;

/** Breaks a text into lines that fit beside `indent` blanks, which each line but the first begins with. */
function wrap(text: string, indent: number): string {
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1];
    if (last !== '' && indent + last.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines.join(`\n${' '.repeat(indent)}`);
}

/** Two columns: names, and what they are. */
function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length)) + 4;
  return rows.map(([name, text]) => `${`  ${name}`.padEnd(width)}${wrap(text, width)}`).join('\n');
}

const optionName = (name: string, { value }: Option) => `--${name}${value === undefined ? '' : ` <${value}>`}`;

/** The first line of a command's help. */
function usage(command: Command): string {
  const operands = command.operands.map(({ name, optional }) => (optional ? `[<${name}>]` : `<${name}>`));
  const required = Object.entries(command.options).filter(([, option]) => option.required);
  const words = [...operands, ...required.map(([name, option]) => optionName(name, option)), '[options]'];
  return `Usage: blasnet ${command.name} ${words.join(' ')}`;
}

/** The summary of a command, which the list has without capital and full stop, as a sentence. */
const sentence = (text: string) => `${text[0].toUpperCase()}${text.slice(1)}.`;

/** A style for headings. */
export type Heading = (text: string) => string;

/** The text of `blasnet <command> --help`. */
export function commandHelp(command: Command, heading: Heading): string {
  const options = Object.entries(optionsOf(command)).map(([name, option]): [string, string] => [
    optionName(name, option),
    option.text,
  ]);
  const operands = command.operands.map(({ name, text }): [string, string] => [`<${name}>`, text]);
  const examples = command.examples.map(([line, what]) => `  ${line}\n      ${wrap(what, 6)}`);
  return [
    usage(command),
    ...[sentence(command.summary), ...(command.text ?? [])].map((text) => wrap(text, 0)),
    ...(operands.length === 0 ? [] : [columns(operands)]),
    `${heading('Options')}\n${columns(options)}`,
    `${heading('Examples')}\n${examples.join('\n')}`,
  ].join('\n\n');
}

/** The text of `blasnet --help`. */
export function overview(commands: readonly Command[], heading: Heading): string {
  return [
    'Usage: blasnet <command> [options]',
    `${heading('Commands')}\n${columns(commands.map(({ name, summary }) => [name, summary]))}`,
    `${heading('Options')}\n${columns([
      ['--help', 'this text; after a command, its options and examples'],
      ['--version', "blasnet's version"],
    ])}`,
    'Exit codes: 0 success, 1 failure, 2 a mistake in the command line.',
  ].join('\n\n');
}
