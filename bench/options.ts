import { parseArgs } from 'node:util';
import { peers } from './peers/peers.js';
import { runAsProgram } from './program.js';
import { workloads } from './workloads.js';

const peerIds = peers.map(({ id }) => id);
const toolIds = ['blasnet', 'tfjs', 'brain.js', 'scikit-learn'];
const workloadList = workloads.map(({ id }) => id);

/** Each option with the name of its value, none for a switch, and its description. */
const descriptions = {
  workloads: ['M1,M2', `what to measure, of ${workloadList.join(', ')}; or all`],
  peers: ['A,B', `against whom, of ${peerIds.join(', ')} (default all)`],
  python: [
    'PATH,...',
    'interpreters of the Python peers (default python3); of several versions the fastest takes part',
  ],
  tools: ['A,B', `only these of ${toolIds.join(', ')}, whose table is printed and not written to the page`],
  rounds: ['N', 'rounds of all contenders'],
  seconds: ['S', 'how long each measurement takes'],
  quick: ['', 'one short round: shows that the benchmark works'],
  suggest: ['', 'what each way would lose by the size of products: from that, rules are made'],
  check: ['', 'exit with status 1 when a bar is missed'],
  name: ['NAME', 'keep the report in bench/results/NAME.md, not latest.md; NAME is the kind of machine: amd-zen5-2c'],
} as const;

const ROUNDS = 5;

type OptionName = keyof typeof descriptions;

interface Command {
  readonly accepts: readonly OptionName[];
  /** Seconds per measurement. */
  readonly seconds: number;
  readonly quickSeconds?: number;
  /** Default 5. */
  readonly rounds?: number;
  readonly workloads?: readonly string[];
}

const commands = {
  bench: {
    accepts: ['workloads', 'rounds', 'seconds', 'quick', 'check', 'name'],
    seconds: 3,
    quickSeconds: 0.5,
    workloads: ['M1', 'M1bn', 'M2'],
  },
  'bench:peers': {
    accepts: ['workloads', 'peers', 'python', 'rounds', 'seconds', 'quick', 'check', 'name'],
    seconds: 3,
    quickSeconds: 0.5,
    workloads: ['M1', 'M1bn', 'M2', 'M3', 'P1', 'P1single'],
  },
  'bench:scaling': { accepts: ['seconds', 'quick', 'name'], seconds: 1, quickSeconds: 0.1 },
  'bench:distributed': {
    accepts: ['rounds', 'seconds', 'quick', 'check', 'name'],
    seconds: 1,
    quickSeconds: 0.05,
    rounds: 3,
  },
  'bench:kernels': { accepts: ['seconds', 'name'], seconds: 0.2 },
  'bench:products': {
    accepts: ['rounds', 'seconds', 'quick', 'suggest', 'check', 'name'],
    seconds: 0.004,
    quickSeconds: 0.001,
  },
  'bench:tables': { accepts: ['rounds', 'python', 'quick', 'check'], seconds: 1, rounds: 10 },
  'bench:jobs': { accepts: ['python', 'tools'], seconds: 1 },
  'bench:latency': { accepts: ['seconds', 'check'], seconds: 10 },
} satisfies Record<string, Command>;

type CommandName = keyof typeof commands;

export interface Options {
  readonly workloads: readonly string[];
  readonly peers: readonly string[];
  /** Interpreters of the Python peers. */
  readonly pythons: readonly string[];
  /** Those of `bench:jobs`; undefined for all. */
  readonly tools: readonly string[] | undefined;
  readonly rounds: number;
  readonly seconds: number;
  readonly quick: boolean;
  readonly check: boolean;
  readonly suggest: boolean;
  /** The report's file in bench/results, without its extension. */
  readonly name: string;
}

function help(name: CommandName): string {
  const command: Command = commands[name];
  const defaults = { workloads: command.workloads?.join(), seconds: command.seconds, rounds: command.rounds ?? ROUNDS };
  const lines = command.accepts.map((option) => {
    const [value, text] = descriptions[option];
    const usual = option in defaults ? ` (default ${defaults[option as keyof typeof defaults]})` : '';
    return `  ${`--${option} ${value}`.padEnd(18)} ${text}${usual}`;
  });
  return [`npm run ${name} -- [options]`, ...lines].join('\n');
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 1e6)) throw new Error(`--${option}: expected a positive number, got ${text}`);
  return value;
}

function oneOf(option: string, known: readonly string[], list: string): string[] {
  const ids = list === 'all' ? [...known] : list.split(',');
  const unknown = ids.find((id) => !known.includes(id));
  if (unknown !== undefined) throw new Error(`--${option}: expected some of ${known.join(', ')}, got ${unknown}`);
  return ids;
}

/** Undefined if help is requested; throws for invalid options. */
export function parseOptions(name: CommandName, args: readonly string[]): Options | undefined {
  const command: Command = commands[name];
  const accepted = command.accepts.map((option) => {
    return [option, { type: descriptions[option][0] === '' ? 'boolean' : 'string' }] as const;
  });
  const options = { ...Object.fromEntries(accepted), help: { type: 'boolean' } } as const;
  const values: Readonly<Record<string, unknown>> = parseArgs({ args: [...args], options }).values;
  if (values.help) return undefined;
  const given = values as Partial<Record<OptionName, string>>;
  const quick = values.quick === true;
  const rounds = positive('rounds', given.rounds ?? String(quick ? 1 : (command.rounds ?? ROUNDS)));
  if (!Number.isInteger(rounds)) throw new Error(`--rounds: expected an integer, got ${rounds}`);
  const file = given.name ?? 'latest';
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(file)) {
    throw new Error(`--name: expected lower-case words joined by hyphens, got ${file}`);
  }
  const pythons = (given.python ?? 'python3').split(',');
  if (pythons.length > 1 && name !== 'bench:peers') throw new Error(`--python: expected one, got ${given.python}`);
  const seconds = quick ? (command.quickSeconds ?? command.seconds) : command.seconds;
  return {
    workloads: oneOf('workloads', workloadList, given.workloads ?? command.workloads?.join() ?? 'all'),
    peers: oneOf('peers', peerIds, given.peers ?? 'all'),
    pythons,
    tools: given.tools === undefined ? undefined : oneOf('tools', toolIds, given.tools),
    rounds,
    seconds: positive('seconds', given.seconds ?? String(seconds)),
    quick,
    check: values.check === true,
    suggest: values.suggest === true,
    name: file,
  };
}

/** Runs a benchmark's program with its command line options, or prints them. */
export function runBenchmark(name: CommandName, main: (options: Options) => Promise<unknown>): Promise<void> {
  return runAsProgram(name, async () => {
    const options = parseOptions(name, process.argv.slice(2));
    if (options === undefined) console.log(help(name));
    else await main(options);
  });
}
