/**
 * `npm run bench:tables`: `blasnet train` against scikit-learn's MLP on public tables of the package vega-datasets.
 * Each round splits the rows in another way and writes the parts to files, which both get. With `-- --check` it fails
 * if blasnet's mean is more than a point below scikit-learn's, or its training longer.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCsv, Table } from 'blasnet/tables';
import { type Options, runBenchmark } from '../options.js';
import { root, runText } from '../program.js';
import { type Column, renderTable } from '../report.js';
import { median } from '../statistics.js';

/** What a program prints as JSON, and the seconds from its start to its end. */
async function runTimed<T>(program: string, args: readonly string[]): Promise<{ reply: T; seconds: number }> {
  const begin = performance.now();
  const { stdout } = await runText(program, args, {});
  return { reply: JSON.parse(stdout) as T, seconds: (performance.now() - begin) / 1000 };
}

interface Case {
  readonly file: string;
  readonly target: string;
  readonly drop: readonly string[];
  readonly task: 'classification' | 'regression';
}

const cases: readonly Case[] = [
  { file: 'penguins.json', target: 'Species', drop: [], task: 'classification' },
  // The day itself is not a category, and scikit-learn has no encoder of dates.
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
  const run = <T>(...words: string[]) => runTimed<T>(process.execPath, [command, ...words]);
  const trained = await run<{ seconds: number }>('train', join(folder, 'train.csv'), ...options);
  const tested = await run<Scores>('evaluate', model, join(folder, 'test.csv'), '--json');
  return { score: tested.reply, seconds: trained.reply.seconds, process: trained.seconds + tested.seconds };
}

async function scikitLearn({ target, task }: Case, folder: string, seed: number, python: string): Promise<Result> {
  const program = join(root, 'bench/tables/scikit_learn.py');
  const files = ['train.csv', 'test.csv'].map((name) => join(folder, name));
  const { reply, seconds } = await runTimed<Omit<Result, 'process'>>(python, [
    ...[program, ...files, target, task],
    String(seed),
  ]);
  return { ...reply, process: seconds };
}

const mean = (values: readonly number[]) => values.reduce((total, value) => total + value, 0) / values.length;
const scoresOf = (results: readonly Result[], figure: string) => results.map(({ score }) => score[figure]);
const secondsOf = (results: readonly Result[]) => median(results.map(({ seconds }) => seconds));

function render(figure: string, tools: Readonly<Record<string, readonly Result[]>>): string {
  type Row = readonly [title: string, results: readonly Result[]];
  const columns: Column<Row>[] = [
    { title: figure, text: true, cell: ([title]) => title },
    { title: 'mean', cell: ([, results]) => mean(scoresOf(results, figure)).toFixed(3) },
    {
      title: 'least–most',
      cell: ([, results]) => {
        const scores = scoresOf(results, figure);
        return `${Math.min(...scores).toFixed(3)}–${Math.max(...scores).toFixed(3)}`;
      },
    },
    { title: 'training, s', cell: ([, results]) => secondsOf(results).toFixed(2) },
    { title: 'whole process, s', cell: ([, results]) => median(results.map((one) => one.process)).toFixed(2) },
  ];
  return renderTable(columns, Object.entries(tools));
}

/** What blasnet misses against scikit-learn. */
function missed(one: Case, ours: readonly Result[], theirs: readonly Result[], figure: string): string[] {
  const lag = mean(scoresOf(theirs, figure)) - mean(scoresOf(ours, figure));
  return [
    ...(lag > 0.01 ? [`${one.file}: ${figure} is ${lag.toFixed(3)} below scikit-learn's`] : []),
    ...(secondsOf(ours) > secondsOf(theirs) ? [`${one.file}: training takes longer than scikit-learn's`] : []),
  ];
}

async function main({ rounds: splits, pythons: [python], check }: Options): Promise<void> {
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
        theirs.push(await scikitLearn(one, folder, seed, python));
      }
      console.log(`\n${one.file}: ${one.task} of ${one.target}, ${table.length} rows, ${splits} splits\n`);
      const figure = one.task === 'regression' ? 'r2' : 'accuracy';
      console.log(render(figure, { blasnet: ours, 'scikit-learn': theirs }));
      misses.push(...missed(one, ours, theirs, figure));
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  for (const miss of misses) console.error(`missed: ${miss}`);
  if (check && misses.length > 0) process.exitCode = 1;
}

await runBenchmark('bench:tables', main);
