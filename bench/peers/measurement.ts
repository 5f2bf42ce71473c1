import { contenders, type Reply, type Request } from '../contenders.js';
import { environmentWith, runProgram } from '../processes.js';
import { median } from '../statistics.js';
import { findWorkload, type Workload } from '../workloads.js';
import { reasonOf } from './installation.js';
import type { Group, Peer, Setting } from './peers.js';
import { askPeer } from './processes.js';
import type { EntrantResult, Failure, PeerResults, PeerWorkloadResult } from './results.js';

type Speed = Extract<Reply, { kind: 'speed' }>;
type Settings = PeerResults['settings'];

/** blasnet or a peer, ready to be asked about a workload. */
interface Entrant {
  readonly entrant: string;
  readonly title: string;
  readonly group: Group;
  readonly setting: string;
  ask(task: Request['task']): Promise<Reply>;
}

/** Seconds of a trial of a setting, at most. */
const TRIAL = 1;
/** An epoch for loss and accuracy is cut to what takes about so many seconds. */
const LONGEST_EPOCH = 120;

async function speed({ ask }: Pick<Entrant, 'ask'>, seconds: number): Promise<Speed> {
  const reply = await ask({ kind: 'speed', seconds });
  if (reply.kind !== 'speed') throw new Error('the answer tells no speed');
  return reply;
}

function blasnetEntrants(workload: string): Entrant[] {
  return (['native-1', 'native'] as const).map((id) => {
    const contender = contenders.find((candidate) => candidate.id === id)!;
    const environment = environmentWith({ BLASNET_THREADS: contender.threads?.toString() });
    return {
      entrant: 'blasnet',
      title: contender.title,
      group: id === 'native-1' ? 'one' : 'all',
      setting: '',
      ask: (task) => runProgram<Reply>('contender', { contender: id, workload, task } satisfies Request, environment),
    };
  });
}

/** The fastest of a peer's settings; those that fail drop out, unless all do. */
async function bestSetting(candidates: readonly Entrant[], seconds: number): Promise<Entrant> {
  const errors: unknown[] = [];
  let best: { entrant: Entrant; rate: number } | undefined;
  for (const entrant of candidates) {
    try {
      const rate = (await speed(entrant, seconds)).measurement.samplesPerSecond;
      if (best === undefined || rate > best.rate) best = { entrant, rate };
    } catch (error) {
      errors.push(error);
    }
  }
  if (best === undefined) throw errors[0];
  return best.entrant;
}

function candidatesOf(peer: Peer, group: Group, workload: Workload, cores: number, python: string): Entrant[] {
  const threads = group === 'one' ? 1 : cores;
  const entrant = (setting: Setting): Entrant => ({
    entrant: peer.id,
    title: `${peer.title}, ${group === 'one' ? 'one thread' : 'all threads'}`,
    group,
    setting: setting.name,
    ask: (task) => askPeer(peer, setting, python, { workload, task, threads }),
  });
  return peer.settings(workload, threads).map(entrant);
}

async function learned(entrant: Entrant, workload: Workload, rate: number, settings: Settings): Promise<Partial<EntrantResult>> {
  if (workload.task === 'predict') return {};
  const affordable = Math.max(1, Math.floor((rate * LONGEST_EPOCH) / workload.batchSize)) * workload.batchSize;
  const samples = Math.min(settings.learnSamples, affordable);
  const reply = await entrant.ask({ kind: 'learn', samples });
  return reply.kind === 'learn' ? { learned: { ...reply.learned, samples } } : {};
}

/** One workload: the peers' settings are tried, then blasnet and the peers run in turn. */
export async function measureWorkload(
  id: string,
  peers: readonly Peer[],
  settings: Settings,
  { cores, python }: { readonly cores: number; readonly python: string },
): Promise<PeerWorkloadResult> {
  const workload = findWorkload(id);
  const failures: Failure[] = [];
  let entrants = blasnetEntrants(id);
  const say = (text: string) => console.error(`${id}: ${text}`);
  const fail = ({ title, group, entrant }: Entrant, error: unknown) => {
    if (entrant === 'blasnet') throw error;
    failures.push({ title, group, reason: reasonOf(error) });
    say(`${title} failed: ${reasonOf(error)}`);
  };

  for (const peer of peers.filter(({ workloads }) => workloads.includes(id))) {
    for (const group of peer.groups) {
      const all = candidatesOf(peer, group, workload, cores, python);
      const candidates = settings.quick ? all.slice(0, 1) : all;
      if (candidates.length > 1) say(`${candidates[0].title}: ${candidates.length} settings`);
      try {
        const single = candidates.length === 1;
        entrants.push(single ? candidates[0] : await bestSetting(candidates, Math.min(TRIAL, settings.seconds)));
      } catch (error) {
        fail(candidates[0], error);
      }
    }
  }

  const replies = new Map<Entrant, Speed[]>(entrants.map((entrant) => [entrant, []]));
  for (let round = 0; round < settings.rounds; round++) {
    say(`round ${round + 1} of ${settings.rounds}`);
    for (const entrant of [...entrants]) {
      try {
        replies.get(entrant)?.push(await speed(entrant, settings.seconds));
      } catch (error) {
        entrants = entrants.filter((other) => other !== entrant);
        fail(entrant, error);
      }
    }
  }

  const results: EntrantResult[] = [];
  for (const entrant of entrants) {
    const rounds = replies.get(entrant) ?? [];
    const rates = rounds.map(({ measurement }) => measurement.samplesPerSecond);
    const busyCores = rounds.map(({ measurement }) => measurement.cpuSeconds / measurement.seconds);
    const { ask: _, ...description } = entrant;
    try {
      const lessons = await learned(entrant, workload, median(rates), settings);
      results.push({ ...description, equipment: rounds[0].equipment, rates, busyCores, ...lessons });
    } catch (error) {
      fail(entrant, error);
    }
  }
  return { workload: id, entrants: results, failures };
}
