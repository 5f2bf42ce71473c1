import type { Equipment, Job, Learned, Reply, SpeedReply } from './contenders.js';
import { reasonOf, stopping } from './program.js';
import { median } from './statistics.js';
import { EPOCH_SAMPLES, QUICK_SAMPLES, type Workload } from './workloads.js';

/** A contender or a peer, ready to run a workload. */
export interface Entrant {
  readonly id: string;
  readonly title: string;
  /** The chosen setting of a peer. */
  readonly setting?: string;
  /** Loss and accuracy are not measured. */
  readonly learnsNothing?: boolean;
  /** Its failure is reported and does not end the run. */
  readonly mayFail?: boolean;
  ask<J extends Job>(job: J): Promise<Reply<J>>;
}

/** An entrant's results on one workload. */
export interface Result {
  readonly id: string;
  readonly title: string;
  /** A peer's setting; empty if there is only one. */
  readonly setting: string;
  readonly equipment: Equipment;
  /** Samples per second, per round. */
  readonly rates: readonly number[];
  /** Samples timed in each round; less than a pass if a pass takes too long. */
  readonly samplesPerRound: readonly number[];
  /** Cores kept busy in each round; fewer than its threads if other programs used them. */
  readonly busyCores: readonly number[];
  /** Results after one pass over `samples` samples from new weights. */
  readonly learned?: Learned & { readonly samples: number };
}

export interface Failure {
  readonly id: string;
  readonly title: string;
  readonly reason: string;
}

/** Peak memory of processes in MB, per round. */
export interface Memory {
  /** A process that has only loaded the data. */
  readonly idle: readonly number[];
  /** A process that trains on it, natively and on all threads. */
  readonly training: readonly number[];
}

export interface WorkloadResult {
  readonly workload: string;
  readonly results: readonly Result[];
  readonly failures: readonly Failure[];
  /** Only for workloads with a memory bar. */
  readonly memory?: Memory;
}

export interface Settings {
  readonly rounds: number;
  /** Seconds of timing, for each entrant in each round. */
  readonly seconds: number;
  readonly quick: boolean;
}

/** Samples of the pass after which loss and accuracy are measured. */
export function learnSamples({ quick }: Pick<Settings, 'quick'>): number {
  return quick ? QUICK_SAMPLES : EPOCH_SAMPLES;
}

/** A pass for loss and accuracy is shortened to about this many seconds. */
const LONGEST_PASS = 120;

async function learn(
  entrant: Entrant,
  workload: Workload,
  most: number,
  rate: number,
): Promise<Pick<Result, 'learned'>> {
  if (workload.task === 'predict' || entrant.learnsNothing) return {};
  const affordable = Math.max(1, Math.floor((rate * LONGEST_PASS) / workload.batchSize)) * workload.batchSize;
  const samples = Math.min(most, affordable);
  return { learned: { ...(await entrant.ask({ kind: 'learn', samples })), samples } };
}

/** Runs the entrants in turn, round by round, and then each once for loss and accuracy. */
export async function measureRounds(
  workload: Workload,
  entrants: readonly Entrant[],
  settings: Settings,
  afterRound?: () => Promise<void>,
): Promise<Pick<WorkloadResult, 'results' | 'failures'>> {
  const say = (text: string) => console.error(`${workload.id}: ${text}`);
  const replies = new Map<Entrant, SpeedReply[]>(entrants.map((entrant) => [entrant, []]));
  const failures: Failure[] = [];
  const attempt = async (entrant: Entrant, action: () => Promise<unknown>) => {
    try {
      await action();
    } catch (error) {
      if (!entrant.mayFail || stopping.signal.aborted) throw error;
      const { id, title } = entrant;
      failures.push({ id, title, reason: reasonOf(error) });
      say(`${title} failed: ${reasonOf(error)}`);
      replies.delete(entrant);
    }
  };

  for (let round = 0; round < settings.rounds; round++) {
    say(`round ${round + 1} of ${settings.rounds}`);
    for (const [entrant, rounds] of replies) {
      await attempt(entrant, async () => rounds.push(await entrant.ask({ kind: 'speed', seconds: settings.seconds })));
    }
    await afterRound?.();
  }
  say('loss and accuracy');
  const results: Result[] = [];
  for (const [entrant, rounds] of replies) {
    const { id, title, setting = '' } = entrant;
    const rates = rounds.map(({ measurement }) => measurement.samplesPerSecond);
    const samplesPerRound = rounds.map(({ measurement }) => measurement.samples);
    const busyCores = rounds.map(({ measurement }) => measurement.cpuSeconds / measurement.seconds);
    await attempt(entrant, async () => {
      const learned = await learn(entrant, workload, learnSamples(settings), median(rates));
      const { equipment } = rounds[0];
      results.push({ id, title, setting, equipment, rates, samplesPerRound, busyCores, ...learned });
    });
  }
  return { results, failures };
}
