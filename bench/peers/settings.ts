import { reasonOf, stopping } from '../program.js';
import type { Entrant, Settings } from '../rounds.js';
import type { Workload } from '../workloads.js';
import type { PresentPeer } from './installation.js';
import { entrantId, entrantTitle, type Group } from './peers.js';
import { askPeer, type PlacedSetting, type TrialReply, tryPeer } from './requests.js';

/** Seconds of the trial of each of many settings, and of each finalist; less if the rounds are shorter. */
const [SHORT_TRIAL, TRIAL] = [0.4, 1];
const FINALISTS = 3;

/** Groups settings with the same program and environment, so that one process can try all of them. */
function byProcess(settings: readonly PlacedSetting[]): PlacedSetting[][] {
  const groups = new Map<string, PlacedSetting[]>();
  for (const setting of settings) {
    const key = JSON.stringify([setting.command, setting.environment]);
    groups.set(key, [...(groups.get(key) ?? []), setting]);
  }
  return [...groups.values()];
}

/** Settings by speed, fastest first; those that fail are omitted, unless all do. */
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

/** Tries a JavaScript peer's few settings, each in a separate process. */
async function tryEach(entrants: readonly Entrant[], seconds: number): Promise<TrialReply> {
  const results: TrialReply[number][] = [];
  for (const entrant of entrants) {
    try {
      results.push((await entrant.ask({ kind: 'speed', seconds })).measurement);
    } catch (error) {
      stopping.signal.throwIfAborted();
      results.push({ error: reasonOf(error) });
    }
  }
  return results;
}

/** A peer's settings, for each installed version. */
export function settingsOf({ peer, installations }: PresentPeer, workload: Workload, threads: number): PlacedSetting[] {
  return installations.flatMap(({ version, command }) =>
    peer.settings(workload, threads).map((setting) => {
      const names = [...(installations.length > 1 ? [version] : []), ...(setting.name === '' ? [] : [setting.name])];
      return { ...setting, name: names.join(', '), command };
    }),
  );
}

/** A peer on `threads` threads, with its fastest setting; a quick run takes the first. */
export async function choose(
  present: PresentPeer,
  group: Group,
  workload: Workload,
  { quick, seconds: most }: Settings,
  cores: number,
): Promise<Entrant> {
  const { peer } = present;
  const threads = group === 'one' ? 1 : cores;
  const title = entrantTitle(peer, group);
  const entrant = (setting: PlacedSetting): Entrant => ({
    id: entrantId(peer, group),
    title,
    setting: setting.name,
    mayFail: true,
    ask: (job) => askPeer(peer, setting, { workload, job, threads }),
  });
  const settings = settingsOf(present, workload, threads);
  if (quick || settings.length === 1) return entrant(settings[0]);
  console.error(`${workload.id}: ${title}: ${settings.length} settings`);
  const trial = (candidates: readonly PlacedSetting[], wished: number) => {
    const seconds = Math.min(wished, most);
    return rank(candidates, (shared) =>
      peer.language === 'python'
        ? tryPeer(peer, shared, { workload, threads }, seconds)
        : tryEach(shared.map(entrant), seconds),
    );
  };
  // A short first trial saves time only if settings share processes.
  const isLong = settings.length > FINALISTS && byProcess(settings).length < settings.length;
  const finalists = isLong ? (await trial(settings, SHORT_TRIAL)).slice(0, FINALISTS) : settings;
  return entrant((await trial(finalists, TRIAL))[0]);
}
