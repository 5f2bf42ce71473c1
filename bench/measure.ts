/** Processes the given number of samples. */
export type Work = (samples: number) => void | Promise<void>;

/** Work whose speed is measured. */
export interface Task {
  /** Samples of a pass over all data: work consists of whole passes, or parts of one if a pass takes too long. */
  readonly passSamples: number;
  readonly batchSize: number;
  /** Minimum number of timed batches; default 1. */
  readonly leastBatches?: number;
  /** Starts from the initial state. */
  begin(): Work | Promise<Work>;
}

export interface Measurement {
  readonly samplesPerSecond: number;
  readonly samples: number;
  readonly seconds: number;
  /** CPU time used, over all threads. */
  readonly cpuSeconds: number;
}

const WARM_UP_SHARE = 0.3;

/** Samples to process for about `seconds`: whole passes, or as many whole batches as fit if a pass takes longer. */
export function plannedSamples(
  rate: number,
  seconds: number,
  { passSamples, batchSize, leastBatches = 1 }: Task,
): number {
  const affordable = rate * seconds;
  if (affordable >= passSamples) return Math.round(affordable / passSamples) * passSamples;
  return Math.max(leastBatches, Math.floor(affordable / batchSize)) * batchSize;
}

async function time(work: Work, samples: number): Promise<Measurement> {
  const cpuBegin = process.cpuUsage();
  const begin = performance.now();
  await work(samples);
  const seconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(cpuBegin);
  return { samplesPerSecond: samples / seconds, samples, seconds, cpuSeconds: (user + system) / 1e6 };
}

/**
 * The speed of a task over about `seconds`. The warm-up doubles its work until that takes a good part of this time.
 * Both it and the timed work, which starts from the initial state again, begin after two untimed batches, in which a
 * contender allocates its memory. Timing waits for `ready`.
 */
export async function measure(task: Task, seconds: number, ready?: () => Promise<unknown>): Promise<Measurement> {
  const begin = async () => {
    const work = await task.begin();
    await work(2 * task.batchSize);
    return work;
  };
  const warmUp = await begin();
  let samples = 2 * task.batchSize;
  let last = await time(warmUp, samples);
  while (last.seconds < WARM_UP_SHARE * seconds) {
    samples =
      2 * samples < task.passSamples ? 2 * samples : task.passSamples * Math.ceil((2 * samples) / task.passSamples);
    last = await time(warmUp, samples);
  }
  const work = await begin();
  await ready?.();
  return time(work, plannedSamples(last.samplesPerSecond, seconds, task));
}

/** Combines measurements of concurrent processes into one, with their rates added. */
export function together(measurements: readonly Measurement[]): Measurement {
  const sum = (what: 'samplesPerSecond' | 'samples' | 'cpuSeconds') =>
    measurements.reduce((total, measurement) => total + measurement[what], 0);
  return {
    samplesPerSecond: sum('samplesPerSecond'),
    samples: sum('samples'),
    seconds: Math.max(...measurements.map(({ seconds }) => seconds)),
    cpuSeconds: sum('cpuSeconds'),
  };
}
