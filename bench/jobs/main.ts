/**
 * `npm run bench:jobs`: ten jobs, each done by one program for each tool, which it runs and checks. It writes the table
 * of docs/comparison.md. The packages of npm are installed below `build/peers` on first use; the Python needs
 * scikit-learn and pandas.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Options, runBenchmark } from '../options.js';
import { peerFolder, prepare } from '../peers/installation.js';
import { findPeer, type JavaScriptPeer } from '../peers/peers.js';
import { LONGEST, reasonOf, root } from '../program.js';
import { type Column, renderTable } from '../report.js';
import { type Job, jobs } from './jobs.js';
import { runJob, writeData } from './work.js';

interface Tool {
  readonly id: string;
  readonly title: string;
  /** Where its programs are, and their extension. */
  readonly folder: string;
  readonly extension: string;
  /** Why it can't do a job. */
  readonly lacks: Readonly<Record<string, string>>;
  /** Makes it ready; returns its version and the command of a program. */
  readonly open: (python: string) => Promise<{ version: string; command: (job: string) => readonly string[] }>;
}

const sources = (folder: string) => join(root, 'bench/jobs', folder);

/** A peer's programs run where its packages are. */
async function openPackages(id: string, folder: string) {
  const peer = findPeer(id) as JavaScriptPeer;
  const found = await prepare(peer, []);
  if ('missing' in found) throw new Error(found.missing);
  const target = join(peerFolder(peer), 'jobs');
  await mkdir(target, { recursive: true });
  await cp(sources(folder), target, { recursive: true });
  await cp(join(root, 'build/tools/bench/jobs/data.js'), join(target, 'data.js'));
  await writeFile(join(target, 'package.json'), '{ "type": "module" }');
  return { version: found[0].version, command: (job: string) => [process.execPath, join(target, `${job}.mjs`)] };
}

const tools: readonly Tool[] = [
  {
    id: 'blasnet',
    title: 'blasnet',
    folder: 'blasnet',
    extension: 'ts',
    lacks: {},
    open: async () => ({
      version: `blasnet ${JSON.parse(await readFile(join(root, 'package.json'), 'utf8')).version}`,
      command: (job) => [process.execPath, join(root, `build/tools/bench/jobs/blasnet/${job}.js`)],
    }),
  },
  {
    id: 'tfjs',
    title: 'TensorFlow.js',
    folder: 'tfjs',
    extension: 'mjs',
    lacks: { onnx: 'no export' },
    open: () => openPackages('tfjs', 'tfjs'),
  },
  {
    id: 'brain.js',
    title: 'brain.js',
    folder: 'brain',
    extension: 'mjs',
    lacks: {
      convolutions: 'no convolutions',
      graph: 'one input',
      'own-loss': 'no other loss',
      onnx: 'no export',
    },
    open: () => openPackages('brain.js', 'brain'),
  },
  {
    id: 'scikit-learn',
    title: 'scikit-learn',
    folder: 'scikit-learn',
    extension: 'py',
    lacks: {
      convolutions: 'no convolutions',
      graph: 'one input',
      'own-loss': 'no other loss',
      onnx: 'by another package',
    },
    open: async (python) => {
      const code = 'import pandas, sklearn; print(f"scikit-learn {sklearn.__version__}, pandas {pandas.__version__}")';
      const version = execFileSync(python, ['-c', code], { encoding: 'utf8' }).trim();
      // Warnings of trainings that end before they converge.
      return { version, command: (job) => [python, '-W', 'ignore', join(sources('scikit-learn'), `${job}.py`)] };
    },
  },
];

/** Lines with code: not blank, and not only a comment. */
async function countLines({ folder, extension }: Tool, { id }: Job): Promise<number> {
  const text = await readFile(join(sources(folder), `${id}.${extension}`), 'utf8');
  return text.split('\n').filter((line) => !/^\s*(\/\/.*|#.*)?$/.test(line)).length;
}

/** The cell of a tool and a job: the lines and the figure that was measured, or why there is none. */
async function cell(tool: Tool, job: Job, command: readonly string[], folder: string): Promise<string> {
  if (tool.lacks[job.id] !== undefined) return `– (${tool.lacks[job.id]})`;
  const lines = await countLines(tool, job);
  try {
    const outcome = await runJob(job.id, command, folder);
    const unknown = job.id === 'onnx' && outcome.runtime === undefined;
    if (unknown) return `${lines} (ONNX Runtime is not installed)`;
    return `${job.passes(outcome) ? lines : `misses the bar with ${lines}`} (${job.figure(outcome)})`;
  } catch (error) {
    // How Node.js says that the time was up.
    const { killed, code } = error as { killed?: boolean; code?: unknown };
    return killed === true && code === null ? `${lines} (not ended)` : `fails: ${reasonOf(error)}`;
  }
}

const page = join(root, 'docs/comparison.md');
const [begin, end] = ['<!-- The table is written by npm run bench:jobs. -->', '<!-- End of the table. -->'];

async function main({ pythons: [python], tools: wanted }: Options): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'blasnet-jobs-'));
  const columns: { title: string; cells: string[] }[] = [];
  const versions: string[] = [];
  try {
    await writeData(folder);
    for (const tool of tools.filter(({ id }) => wanted?.includes(id) ?? true)) {
      try {
        const { version, command } = await tool.open(python);
        const cells: string[] = [];
        for (const job of jobs) {
          cells.push(await cell(tool, job, command(job.id), folder));
          console.error(`${tool.title}, ${job.id}: ${cells.at(-1)}`);
        }
        columns.push({ title: tool.title, cells });
        versions.push(version);
      } catch (error) {
        versions.push(`${tool.title} was not run: ${reasonOf(error)}`);
      }
    }
  } finally {
    await rm(folder, { recursive: true });
  }
  const table = renderTable<number>(
    [
      { title: 'job', text: true, cell: (row) => jobs[row].title },
      { title: 'bar', text: true, cell: (row) => jobs[row].bar },
      ...columns.map(({ title, cells }): Column<number> => ({ title, text: true, cell: (row) => cells[row] })),
    ],
    [...jobs.keys()],
  );
  const date = new Date().toISOString().slice(0, 10);
  const how = [`Run on ${date} with ${versions.join('; ')}.`, `Each program had at most ${LONGEST / 60_000} minutes.`];
  const text = [begin, '', table, '', ...how, '', end].join('\n');
  console.log(text);
  if (wanted !== undefined || !existsSync(page)) return;
  const [before, rest] = (await readFile(page, 'utf8')).split(begin);
  await writeFile(page, `${before}${text}${rest.split(end)[1]}`);
}

await runBenchmark('bench:jobs', main);
