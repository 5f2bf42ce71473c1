/**
 * `npm run bench:tables`: `blasnet train` against scikit-learn's MLP on public tables of the package vega-datasets.
 * Each split of the rows is written to files, which both get. `-- --python <path>` names a Python with scikit-learn,
 * `-- --splits <n>` the number of splits. With `-- --check` it fails if blasnet's mean is more than a point below
 * scikit-learn's, or its training longer.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { readCsv, Table } from 'blasnet/tables';
import { lastLine, root } from '../program.js';
import { median } from '../statistics.js';

const execute = promisify(execFile);

/** A program's standard output, and the seconds from its start to its end. */
async function runTimed(program: string, args: readonly string[]): Promise<{ output: string; seconds: number }> {
  const begin = performance.now();
  const { stdout } = await execute(program, args, { maxBuffer: 1 << 26 });
  return { output: stdout, seconds: (performance.now() - begin) / 1000 };
}

interface Case {
  readonly file: string;
  readonly target: string;
  readonly drop: readonly string[];
  readonly task: 'classification' | 'regression';
}

const cases: readonly Case[] = [
  { file: 'penguins.json', target: 'Species', drop: [], task: 'classification' },
  // The day itself is no category, and scikit-learn has no encoder of dates.
  { file: 'seattle-weather.csv', target: 'weather', drop: ['date'], task: 'classification' },
  { file: 'cars.json', target: 'Miles_per_Gallon', drop: ['Name', 'Year'], task: 'regression' },
];

type Scores = Readonly<Record<string, number>>;

interface Result {
  readonly score: Scores;
  /** Of training alone, and of the whole process. */
  readonly seconds: number;
  readonly process: number;
}

/** The table of a case, without the rows that have no target. */
async function readTable({ file, target, drop }: Case): Promise<Table> {
  const path = join(root, 'node_modules/vega-datasets/data', file);
  const table = file.endsWith('.csv') ? await readCsv(path) : Table.from(JSON.parse(await readFile(path, 'utf8')));
  return table.dropMissing([target]).select(table.names.filter((name) => !drop.includes(name)));
}

/** Quoted where needed; dates don't occur. */
function csvOf(table: Table): string {
  const line = (values: readonly unknown[]) => values.map((value) => JSON.stringify(value ?? '')).join(',');
  return [line(table.names), ...table.rows().map((row) => line(table.names.map((name) => row[name])))].join('\n');
}

const command = join(root, 'dist/cli/main.js');

async function blasnet({ target }: Case, folder: string, seed: number): Promise<Result> {
  const model = join(folder, 'model.safetensors');
  const options = ['--target', target, '--test', '0', '--seed', String(seed), '--out', model, '--json'];
  const trained = await runTimed(process.execPath, [command, 'train', join(folder, 'train.csv'), ...options]);
  const tested = await runTimed(process.execPath, [command, 'evaluate', model, join(folder, 'test.csv'), '--json']);
  return {
    score: JSON.parse(tested.output),
    seconds: JSON.parse(trained.output).seconds,
    process: trained.seconds + tested.seconds,
  };
}

async function scikitLearn({ target, task }: Case, folder: string, seed: number, python: string): Promise<Result> {
  const program = join(root, 'bench/tables/scikit_learn.py');
  const files = ['train.csv', 'test.csv'].map((name) => join(folder, name));
  const timed = await runTimed(python, [program, ...files, target, task, String(seed)]);
  return { ...lastLine<{ score: Scores; seconds: number }>(timed.output), process: timed.seconds };
}

const mean = (values: readonly number[]) => values.reduce((total, value) => total + value, 0) / values.length;
const scoresOf = (results: readonly Result[], figure: string) => results.map(({ score }) => score[figure]);
const secondsOf = (results: readonly Result[]) => median(results.map(({ seconds }) => seconds));

function row(title: string, results: readonly Result[], figure: string): string {
  const scores = scoresOf(results, figure);
  const spread = `${Math.min(...scores).toFixed(3)}–${Math.max(...scores).toFixed(3)}`;
  const process = median(results.map((result) => result.process));
  const cells = [mean(scores).toFixed(3), spread, secondsOf(results).toFixed(2), process.toFixed(2)];
  return `| ${[title, ...cells].join(' | ')} |`;
}

/** What blasnet misses against scikit-learn. */
function missed(one: Case, ours: readonly Result[], theirs: readonly Result[], figure: string): string[] {
  const lag = mean(scoresOf(theirs, figure)) - mean(scoresOf(ours, figure));
  return [
    ...(lag > 0.01 ? [`${one.file}: ${figure} is ${lag.toFixed(3)} below scikit-learn's`] : []),
    ...(secondsOf(ours) > secondsOf(theirs) ? [`${one.file}: training takes longer than scikit-learn's`] : []),
  ];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      python: { type: 'string', default: 'python3' },
      splits: { type: 'string', default: '10' },
      check: { type: 'boolean', default: false },
    },
  });
  const splits = Number(values.splits);
  if (!Number.isInteger(splits) || splits < 1) throw new Error(`--splits: expected a number ≥ 1, got ${values.splits}`);
  const misses: string[] = [];
  const folder = await mkdtemp(join(tmpdir(), 'blasnet-tables-'));
  try {
    for (const one of cases) {
      const table = await readTable(one);
      const [ours, theirs]: Result[][] = [[], []];
      for (let seed = 0; seed < splits; seed++) {
        const { train, test } = table.split({ test: 0.25, seed, stratify: one.target });
        await writeFile(join(folder, 'train.csv'), csvOf(train));
        await writeFile(join(folder, 'test.csv'), csvOf(test));
        ours.push(await blasnet(one, folder, seed));
        theirs.push(await scikitLearn(one, folder, seed, values.python));
      }
      console.log(`\n${one.file}: ${one.task} of ${one.target}, ${table.length} rows, ${splits} splits\n`);
      console.log('| | mean | least–most | training, s | whole process, s |\n| --- | ---: | ---: | ---: | ---: |');
      const figure = one.task === 'regression' ? 'r2' : 'accuracy';
      console.log(row(`blasnet, ${figure}`, ours, figure));
      console.log(row(`scikit-learn, ${figure}`, theirs, figure));
      misses.push(...missed(one, ours, theirs, figure));
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  for (const miss of misses) console.error(`missed: ${miss}`);
  if (values.check && misses.length > 0) process.exitCode = 1;
}

await main();
