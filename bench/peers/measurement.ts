import { contenderEnvironment, findContender, type Reply, type Request } from '../contenders.js';
import { runProgram, stopping } from '../processes.js';
import { median } from '../statistics.js';
import { findWorkload, type Workload } from '../workloads.js';
import { type PresentPeer, reasonOf } from './installation.js';
import type { Group, Peer } from './peers.js';
import { askPeer, type PlacedSetting, type TrialReply, tryPeer } from './processes.js';
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

/** Seconds of the trial of each of many settings, and of that of the finalists; less where the rounds take less. */
const [SHORT_TRIAL, TRIAL] = [0.4, 1];
const FINALISTS = 3;
/** An epoch for loss and accuracy is cut to what takes about so many seconds. */
const LONGEST_EPOCH = 120;

function titleOf({ title }: Peer, group: Group): string {
  return `${title}, ${group === 'one' ? 'one thread' : 'all threads'}`;
}

async function speed({ ask }: Pick<Entrant, 'ask'>, seconds: number): Promise<Speed> {
  const reply = await ask({ kind: 'speed', seconds });
  if (reply.kind !== 'speed') throw new Error('the answer tells no speed');
  return reply;
}

function blasnetEntrants(workload: string): Entrant[] {
  return (['native-1', 'native'] as const).map((id) => {
    const contender = findContender(id);
    const environment = contenderEnvironment(contender);
    return {
      entrant: 'blasnet',
      title: contender.title,
      group: id === 'native-1' ? 'one' : 'all',
      setting: '',
      ask: (task) => runProgram<Reply>('contender', { contender: id, workload, task } satisfies Request, environment),
    };
  });
}

/** Settings that share their program and its environment, so that one process can try them all. */
function byProcess(settings: readonly PlacedSetting[]): PlacedSetting[][] {
  const groups = new Map<string, PlacedSetting[]>();
  for (const setting of settings) {
    const key = JSON.stringify([setting.command, setting.environment]);
    groups.set(key, [...(groups.get(key) ?? []), setting]);
  }
  return [...groups.values()];
}

/** Settings by their speed, the fastest first; those that fail drop out, unless all do. */
export async function rank(
  settings: readonly PlacedSetting[],
  attempt: (shared: readonly PlacedSetting[]) => Promise<TrialReply>,
): Promise<PlacedSetting[]> {
  const errors: unknown[] = [];
  const rated: { setting: PlacedSetting; rate: number }[] = [];
  for (const shared of byProcess(settings)) {
    try {
      for (const [i, result] of (await attempt(shared)).entries()) {
        if ('error' in result) errors.push(new Error(result.error));
        else rated.push({ setting: shared[i], rate: result.samplesPerSecond });
      }
    } catch (error) {
      stopping.signal.throwIfAborted();
      errors.push(error);
    }
  }
  if (rated.length === 0) throw errors[0];
  return rated.sort((a, b) => b.rate - a.rate).map(({ setting }) => setting);
}

/** A JavaScript peer's settings, each in a process of its own, as there are few. */
async function tryEach(entrants: readonly Entrant[], seconds: number): Promise<TrialReply> {
  const results: TrialReply[number][] = [];
  for (const entrant of entrants) {
    try {
      results.push({ samplesPerSecond: (await speed(entrant, seconds)).measurement.samplesPerSecond });
    } catch (error) {
      stopping.signal.throwIfAborted();
      results.push({ error: reasonOf(error) });
    }
  }
  return results;
}

/** A peer's settings, on each version of it. */
export function settingsOf({ peer, installations }: PresentPeer, workload: Workload, threads: number): PlacedSetting[] {
  return installations.flatMap(({ version, command }) =>
    peer.settings(workload, threads).map((setting) => {
      const names = [...(installations.length > 1 ? [version] : []), ...(setting.name === '' ? [] : [setting.name])];
      return { ...setting, name: names.join(', '), command };
    }),
  );
}

/** A peer on so many threads, with the fastest of its settings; a quick run takes the first. */
async function choose(
  present: PresentPeer,
  group: Group,
  workload: Workload,
  { quick, seconds: most }: Settings,
  cores: number,
): Promise<Entrant> {
  const { peer } = present;
  const threads = group === 'one' ? 1 : cores;
  const entrant = (setting: PlacedSetting): Entrant => ({
    entrant: peer.id,
    title: titleOf(peer, group),
    group,
    setting: setting.name,
    ask: (task) => askPeer(peer, setting, { workload, task, threads }),
  });
  const settings = settingsOf(present, workload, threads);
  if (quick || settings.length === 1) return entrant(settings[0]);
  console.error(`${workload.id}: ${titleOf(peer, group)}: ${settings.length} settings`);
  const trial = (candidates: readonly PlacedSetting[], wished: number) => {
    const seconds = Math.min(wished, most);
    return rank(candidates, (shared) =>
      peer.language === 'python' ? tryPeer(peer, shared, { workload, threads, seconds }) : tryEach(shared.map(entrant), seconds),
    );
  };
  // A first trial saves time only where settings share processes.
  const isLong = settings.length > FINALISTS && byProcess(settings).length < settings.length;
  const finalists = isLong ? (await trial(settings, SHORT_TRIAL)).slice(0, FINALISTS) : settings;
  return entrant((await trial(finalists, TRIAL))[0]);
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
  peers: readonly PresentPeer[],
  settings: Settings,
  cores: number,
): Promise<PeerWorkloadResult> {
  const workload = findWorkload(id);
  const failures: Failure[] = [];
  let entrants = blasnetEntrants(id);
  const say = (text: string) => console.error(`${id}: ${text}`);
  const fail = ({ entrant, title, group }: Omit<Failure, 'reason'>, error: unknown) => {
    if (entrant === 'blasnet' || stopping.signal.aborted) throw error;
    failures.push({ entrant, title, group, reason: reasonOf(error) });
    say(`${title} failed: ${reasonOf(error)}`);
  };

  for (const present of peers.filter(({ peer }) => peer.workloads.includes(id))) {
    const { peer } = present;
    for (const group of peer.groups) {
      try {
        entrants.push(await choose(present, group, workload, settings, cores));
      } catch (error) {
        fail({ entrant: peer.id, title: titleOf(peer, group), group }, error);
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
