import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BarResult } from './bars.js';
import { describeMachine, type Machine, readLoad } from './machine.js';
import type { Options } from './options.js';
import { measureInTurn, root } from './program.js';
import { type Failure, learnSamples, type Result, type Settings, type WorkloadResult } from './rounds.js';
import { median, ratios, type Summary, summarize } from './statistics.js';
import { describeWorkload, EPOCH_SAMPLES, findWorkload, flopsPerSample, passSamples } from './workloads.js';

const NONE = '–';

export interface Column<Row> {
  readonly title: string;
  /** Text, left-aligned; numbers are right-aligned. */
  readonly text?: boolean;
  cell(row: Row): string | undefined;
}

/** A Markdown table whose columns are also aligned as plain text. */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const padded = columns.map(({ title, text, cell }) => {
    const cells = [title, ...rows.map((row) => cell(row) ?? NONE)];
    const width = Math.max(3, ...cells.map(({ length }) => length));
    const [head, ...body] = cells.map((words) => (text ? words.padEnd(width) : words.padStart(width)));
    return [head, text ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`, ...body];
  });
  return padded[0].map((_, line) => `| ${padded.map((column) => column[line]).join(' | ')} |`).join('\n');
}

export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Two or three significant digits, without an exponent. */
export function formatRatio(value: number): string {
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value >= 0.1 ? value.toFixed(2) : value.toFixed(4);
}

export function spread(summary: Summary, format: (value: number) => string): string {
  return `${format(summary.median)} (${format(summary.min)}–${format(summary.max)})`;
}

/** The median of the rounds' ratios; undefined if both results are the same or one is missing. */
export function ratioOf(first: Result | undefined, second: Result | undefined): string | undefined {
  if (first === undefined || second === undefined || first === second) return undefined;
  return formatRatio(median(ratios(first.rates, second.rates)));
}

function speedOf({ rates }: Result): string | undefined {
  const summary = summarize(rates);
  return summary && spread(summary, count);
}

/** Columns between the common ones of every report; `find` returns another contender's result on the same workload. */
type OwnColumns = (find: (id: string) => Result | undefined) => {
  readonly settings: readonly Column<Result>[];
  readonly ratios: readonly Column<Result>[];
};

/** Columns of `npm run bench`. */
export const speedColumns: OwnColumns = (find) => ({
  settings: [{ title: 'SIMD set', text: true, cell: ({ equipment }) => equipment.simd }],
  ratios: [
    { title: 'to the floor', cell: (result) => ratioOf(result, find('floor')) },
    { title: 'to TypeScript', cell: (result) => ratioOf(result, find('typescript')) },
  ],
});

/** Columns of `npm run bench:peers`; a peer is compared with blasnet on the same number of threads. */
export const peerColumns: OwnColumns = (find) => ({
  settings: [{ title: 'setting', text: true, cell: ({ setting }) => setting || undefined }],
  ratios: [
    { title: 'µs each', cell: ({ rates }) => formatRatio(1e6 / median(rates)) },
    {
      title: 'blasnet/peer',
      cell: (result) => {
        if (result.id.startsWith('native')) return undefined;
        const onOneThread = result.id === 'floor' || result.id.endsWith('-1');
        return ratioOf(find(onOneThread ? 'native-1' : 'native'), result);
      },
    },
  ],
});

function columnsOf(all: WorkloadResult, ownColumns: OwnColumns): Column<Result>[] {
  const own = ownColumns((id) => all.results.find((result) => result.id === id));
  return [
    { title: 'contender', text: true, cell: ({ title }) => title },
    { title: 'threads', cell: ({ equipment }) => String(equipment.threads) },
    { title: 'cores busy', cell: ({ busyCores }) => median(busyCores).toFixed(2) },
    { title: 'BLAS', text: true, cell: ({ equipment }) => equipment.blas },
    ...own.settings,
    { title: 'samples/s (min–max)', cell: speedOf },
    ...own.ratios,
    { title: 'loss', cell: ({ learned }) => learned?.loss.toFixed(4) },
    { title: 'accuracy', cell: ({ learned }) => learned?.accuracy.toFixed(4) },
  ];
}

/** Contenders whose rounds were too short for a pass over all data. */
function partialPasses({ results }: WorkloadResult, whole: number): string[] {
  const partial = results.flatMap(({ id, title, samplesPerRound }) => {
    const [least, most] = [Math.min(...samplesPerRound), Math.max(...samplesPerRound)];
    if (/^(floor|peak)/.test(id) || most >= whole) return [];
    return [`${title} (${least === most ? count(most) : `${count(least)} to ${count(most)}`} samples a round)`];
  });
  return partial.length === 0 ? [] : [`Timed on part of a pass, in whole batches: ${partial.join(', ')}.`];
}

/** Contenders that were too slow for a whole epoch. */
function partialEpochs({ results }: WorkloadResult, whole: number): string[] {
  const partial = results.flatMap(({ title, learned }) =>
    learned === undefined || learned.samples >= whole ? [] : [`${title} (${count(learned.samples)} samples)`],
  );
  return partial.length === 0 ? [] : [`Loss and accuracy after part of an epoch: ${partial.join(', ')}.`];
}

function renderFailures(failures: readonly Failure[]): string[] {
  return failures.length === 0 ? [] : [failures.map(({ title, reason }) => `- ${title} failed: ${reason}`).join('\n')];
}

function renderMemory({ memory }: WorkloadResult): string[] {
  if (memory === undefined) return [];
  const [idle, training] = [median(memory.idle), median(memory.training)].map((megabytes) => megabytes.toFixed(0));
  return [`Peak of memory: ${training} MB with native training on all threads, ${idle} MB with the data alone.`];
}

export function renderWorkload(
  result: WorkloadResult,
  settings: Pick<Settings, 'quick'>,
  ownColumns: OwnColumns,
): string {
  const workload = findWorkload(result.workload);
  return [
    `## ${workload.id}: ${describeWorkload(workload)}`,
    `${(flopsPerSample(workload) / 1e6).toFixed(2)} MFLOP of matrix products a sample.`,
    renderTable(columnsOf(result, ownColumns), result.results),
    ...partialPasses(result, passSamples(workload)),
    ...partialEpochs(result, learnSamples(settings)),
    ...renderFailures(result.failures),
    ...renderMemory(result),
  ].join('\n\n');
}

/** Describes how loss and accuracy were measured. */
export function describeLearning(settings: Pick<Settings, 'quick'>): string {
  const samples = learnSamples(settings);
  const amount = samples < EPOCH_SAMPLES ? `over ${count(samples)} samples ` : '';
  return `Loss and accuracy are those on the test data after one epoch ${amount}from fresh weights.`;
}

export function describeRounds({ rounds }: Pick<Settings, 'rounds'>): string {
  return rounds === 1 ? 'one round' : `${rounds} rounds`;
}

function renderLimit(limit: BarResult['limit']): string {
  const [sign, value] = 'least' in limit ? ['≥', limit.least] : ['≤', limit.most];
  return `${sign} ${Number(value.toFixed(2))}`;
}

export function renderBars(results: readonly BarResult[]): string[] {
  if (results.length === 0) return [];
  const columns: Column<BarResult>[] = [
    { title: 'bar', text: true, cell: ({ title }) => title },
    { title: 'limit', cell: ({ limit }) => renderLimit(limit) },
    { title: 'found (min–max)', cell: ({ found }) => found && spread(found, formatRatio) },
    { title: '', text: true, cell: ({ verdict }) => verdict },
  ];
  return ['## Bars', renderTable(columns, results)];
}

function renderMachine(machine: Machine): string {
  const { cpu, cores, memoryGiB, system, architecture, node, load, environment } = machine;
  const names = Object.keys(environment);
  const variables = names.map((name) => `${name}=${environment[name]}`).join(', ');
  const lines = [
    `- ${cpu}, ${cores} ${cores === 1 ? 'core' : 'cores'}, ${memoryGiB} GiB, ${system}, ${architecture}, Node.js ${node}`,
    `- load average ${load[0].toFixed(2)} before, ${load[1].toFixed(2)} after`,
    `- environment: ${variables === '' ? 'no variables of BLAS, OpenMP or blasnet' : variables}`,
  ];
  if (names.some((name) => !name.startsWith('BLASNET_'))) {
    lines.push('- blasnet’s own BLAS ignores the variables of other programs; the tables name its core');
  }
  if (load[0] > 0.5 * cores) lines.push('- **other programs were running: do not trust these figures**');
  return lines.join('\n');
}

/** Replaces the section with the same title in a report file, or adds it. */
export function replaceSection(text: string, title: string, section: string): string {
  const others = text.split(/^(?=# )/m).filter((other) => other.trim() !== '' && !other.startsWith(`# ${title} (`));
  return `${[...others, section].map((part) => part.trim()).join('\n\n')}\n`;
}

function keep(name: string, title: string, section: string): string {
  const file = `bench/results/${name}.md`;
  const path = join(root, file);
  mkdirSync(join(root, 'bench/results'), { recursive: true });
  // `a+` creates the file if it does not exist.
  writeFileSync(path, replaceSection(readFileSync(path, { encoding: 'utf8', flag: 'a+' }), title, section));
  return file;
}

export interface Run<Item, Found> {
  /** Title of the report's section, which replaces an older one with the same title. */
  readonly title: string;
  readonly options: Pick<Options, 'quick' | 'name'>;
  readonly items: readonly Item[];
  nameOf(item: Item): string;
  measure(item: Item): Promise<Found>;
  /** The report's parts, from the results so far. */
  render(found: readonly Found[]): string[];
}

/** Measures the items in order; prints a report and saves it, as Markdown that is also readable as plain text. */
export function measureAndReport<Item, Found>(run: Run<Item, Found>): Promise<Found[]> {
  const { title, options, items, nameOf, measure, render } = run;
  const date = new Date().toISOString().slice(0, 10);
  const before = readLoad();
  return measureInTurn(items, measure, (found, remaining) => {
    const report = [
      `# ${title} (${date})`,
      renderMachine(describeMachine([before, readLoad()])),
      ...(options.quick ? ['A quick run: it shows that the benchmark works, and nothing about speed.'] : []),
      ...(remaining.length === 0 ? [] : [`**Not reached: ${remaining.map(nameOf).join(', ')}.**`]),
      ...render(found),
    ].join('\n\n');
    return `${report}\n\nKept in ${keep(options.name, title, report)}`;
  });
}
