import { parseArgs } from 'node:util';
import { machineName, positive, positiveInteger, workloadIds } from '../options.js';
import { workloads } from '../workloads.js';
import { findPeer, peers } from './peers.js';

export interface PeerOptions {
  readonly workloads: readonly string[];
  readonly peers: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly quick: boolean;
  readonly check: boolean;
  /** Interpreters of the Python peers. */
  readonly pythons: readonly string[];
  readonly name: string | undefined;
}

const defaultWorkloads = ['M1', 'M1bn', 'M2', 'M3', 'P1', 'P1single'];

export const help = `npm run bench:peers -- [options]
  --workloads M1,M2  what to measure (default ${defaultWorkloads.join(',')}; there are ${workloads.map(({ id }) => id).join(', ')}; or all)
  --peers A,B        against whom (default all: ${peers.map(({ id }) => id).join(', ')})
  --rounds N         rounds of all contenders (default 5)
  --seconds S        timing of a contender in a round (default 3)
  --quick            one round of 0.5 s: shows that the benchmark works
  --check            exit with status 1 when a bar is missed
  --python PATH,...  interpreters of the Python peers (default python3); of several versions of a peer the fastest takes part
  --name NAME        keep the results as bench/results/<date>-NAME-peers.{json,md}, not latest.peers.{json,md}`;

/** Undefined when help is asked for; throws for anything that makes no sense. */
export function parsePeerOptions(args: readonly string[]): PeerOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      workloads: { type: 'string', default: defaultWorkloads.join(',') },
      peers: { type: 'string', default: peers.map(({ id }) => id).join(',') },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      python: { type: 'string', default: 'python3' },
      name: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const { quick, check } = values;
  return {
    workloads: workloadIds(values.workloads),
    peers: values.peers.split(',').map((id) => findPeer(id).id),
    rounds: positiveInteger('rounds', values.rounds ?? (quick ? '1' : '5')),
    seconds: positive('seconds', values.seconds ?? (quick ? '0.5' : '3')),
    quick,
    check,
    pythons: values.python.split(','),
    name: machineName(values.name),
  };
}
