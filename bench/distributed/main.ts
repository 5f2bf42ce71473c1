/** `npm run bench:distributed`: what sums over ranks cost, and a model of it, checked on two ranks, for many. */
import { availableParallelism } from 'node:os';
import { native } from 'blasnet/kernels';
import { requireBars } from '../bars.js';
import { type Options, runBenchmark } from '../options.js';
import { reasonOf } from '../program.js';
import { measureAndReport } from '../report.js';
import { median } from '../statistics.js';
import type { Workload } from '../workloads.js';
import { findMpis, type Mpi, runAlone, runOnTwo, type StepsReply, type Way } from './launch.js';
import { fitLink, type Link, sumSeconds } from './model.js';
import { betweenHosts } from './namespaces.js';
import { measured } from './networks.js';
import { distributedBars, renderResults } from './render.js';
import type { LinkResult, NetworkResult, Results } from './results.js';

/** From a number to the gradients of M1, ResNet, M2 and M2L. */
const SIZES = [8, 4096, 65_536, 358_440, 1_088_680, 2_678_824, 23_298_088];
/** Rows of a step for which a rank's computing is measured, as shares of the network's batch. */
const SHARES = [1 / 8, 1, 2];

interface Stage {
  readonly name: string;
  run(): Promise<void>;
}

const cores = availableParallelism();
const gigabit = (rate: number) => (rate * 1e9) / 8;

/** Every stage adds to `results`. */
function stagesOf({ rounds, seconds, quick }: Options, results: Results): Stage[] {
  const mpis = findMpis();
  const openMpi = mpis.find(({ name }) => name === 'Open MPI');
  const networks = quick ? measured.filter(({ id }) => id === 'M1' || id === 'M2L') : measured;
  const some = (...ids: readonly string[]) => networks.filter(({ id }) => ids.includes(id));

  const sums = async (way: Way, wire?: Link): Promise<LinkResult> => {
    const { algorithm } = way.mpi;
    const times = await runOnTwo(way, { kind: 'sums', sizes: SIZES, seconds: seconds / 4 });
    const found = times.map((time, i) => ({ bytes: SIZES[i], seconds: time }));
    const result = { title: way.title, algorithm, wire, sums: found, link: fitLink(algorithm, 2, found) };
    results.links.push(result);
    return result;
  };

  const steps = async (way: Way, workload: Workload, { link, algorithm }: LinkResult) => {
    const before = results.steps.find((result) => result.workload === workload);
    const [half, ranks, threads]: number[][] = [[], [], []];
    let reply: StepsReply | undefined;
    const halved = { ...workload, batchSize: workload.batchSize / 2 };
    for (let round = 0; round < rounds; round++) {
      if (!before) half.push((await runAlone({ kind: 'steps', workload: halved, seconds }, 1)).seconds);
      reply = await runOnTwo(way, { kind: 'steps', workload, seconds });
      ranks.push(reply.seconds);
      if (!before) threads.push((await runAlone({ kind: 'steps', workload, seconds }, 2)).seconds);
    }
    const { parameters, sumShare } = reply as StepsReply;
    const sum = sumSeconds(algorithm, 2, 4 * parameters, link);
    const alone = before ?? { half, threads };
    results.steps.push({ workload, way: way.title, half: alone.half, ranks, threads: alone.threads, sumShare, sum });
  };

  /** A stage that leaves the others their results if it fails. */
  const attempt = (name: string, measure: () => Promise<void>): Stage => ({
    name,
    run: async () => {
      try {
        await measure();
      } catch (error) {
        results.missing.push(`${name}: ${reasonOf(error)}`);
      }
    },
  });

  const onWay = (way: Way, workloads: readonly Workload[]): Stage =>
    attempt(way.title, async () => {
      const link = await sums(way);
      for (const workload of workloads) await steps(way, workload, link);
    });

  const onHosts = (mpi: Mpi, rate: number | undefined, workloads: readonly Workload[]): Stage => {
    const title = `${mpi.name}, TCP between network namespaces${rate === undefined ? '' : `, ${rate} Gbit/s`}`;
    const wire = rate === undefined ? undefined : { latency: 100e-6, bandwidth: gigabit(rate) };
    return attempt(title, () =>
      betweenHosts(mpi, wire, async (way, made) => {
        const delay = made === undefined || made.latency === 0 ? '' : `, ${made.latency * 1e6} µs`;
        if (made?.latency === 0) results.missing.push(`${title}: with a delay: the kernel has no netem`);
        const named = { ...way, title: title + delay };
        const link = await sums(named, made);
        for (const workload of workloads) await steps(named, workload, link);
      }),
    );
  };

  const compute = (workload: Workload): Stage => ({
    name: `${workload.id} on one rank`,
    run: async () => {
      const found: Omit<NetworkResult, 'workload'>[] = [];
      for (const share of quick ? SHARES.slice(0, 2) : SHARES) {
        const batchSize = share * workload.batchSize;
        const job = { kind: 'steps', workload: { ...workload, batchSize }, seconds } as const;
        const times: number[] = [];
        let parameters = 0;
        for (let round = 0; round < (share === 1 ? rounds : 1); round++) {
          const reply = await runAlone(job, undefined);
          times.push(reply.seconds);
          parameters = reply.parameters;
        }
        found.push({ parameters, compute: [{ rows: batchSize, seconds: median(times) }] });
      }
      const [{ parameters }] = found;
      results.networks.push({ workload, parameters, compute: found.flatMap((item) => item.compute) });
    },
  });

  for (const name of ['Open MPI', 'MPICH'] as const) {
    if (!mpis.some((mpi) => mpi.name === name)) results.missing.push(`${name}: its mpirun was not found`);
  }
  return [
    ...mpis.map((mpi) => {
      const way = { title: `${mpi.name}, shared memory`, mpi, options: [] };
      return onWay(way, mpi === openMpi ? some('M1', 'M2L', 'M4') : []);
    }),
    ...(openMpi === undefined
      ? []
      : [
          onWay(
            {
              title: 'Open MPI, TCP on the loopback interface',
              mpi: openMpi,
              options: ['--mca', 'btl', 'tcp,self', '--mca', 'btl_tcp_if_include', 'lo'],
            },
            [],
          ),
          onHosts(openMpi, undefined, quick ? [] : some('M1', 'M2L')),
          ...(quick ? [1] : [10, 1]).map((rate) => onHosts(openMpi, rate, rate === 1 && !quick ? some('M2L') : [])),
        ]),
    ...networks.map(compute),
  ];
}

function renderMethod({ rounds, seconds }: Options): string {
  return `\
\`npm run bench:distributed\` measures what a sum over two ranks costs, explains it by a latency and a bandwidth, and
compares training on two ranks with what follows: a step takes what a rank computes on its rows, plus the sum of the
gradients (4 bytes a parameter). A sum of B bytes over N ranks takes
m × latency + v × B / bandwidth: along a tree, m = v = 2 ⌈log₂ N⌉; by halving, m = 2 ⌈log₂ N⌉ and v = 2 (N − 1) / N;
round a ring, m = 2 (N − 1) and v = 2 (N − 1) / N. Each measurement of steps takes about ${seconds} s in a process of
its own, in ${rounds} round${rounds === 1 ? '' : 's'}; the start of \`fit\` and the ends of epochs do not count.`;
}

async function main(options: Options): Promise<void> {
  if (!native.available) throw new Error(`blasnet's native backend is missing: ${native.reason}`);
  const results: Results = { links: [], networks: [], steps: [], missing: [] };
  const bars = () => distributedBars(results.steps, cores);
  await measureAndReport({
    title: 'Several ranks',
    options,
    items: stagesOf(options, results),
    nameOf: ({ name }) => name,
    measure: async (stage) => {
      console.error(stage.name);
      await stage.run();
    },
    render: () => [renderMethod(options), ...renderResults(results, bars())],
  });
  if (options.check) requireBars(bars());
}

await runBenchmark('bench:distributed', main);
