/** Two hosts on one machine: network namespaces that a virtual cable joins. Needs Linux, root and iproute2. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../program.js';
import type { Mpi, Way } from './launch.js';
import type { Link } from './model.js';

/** One of the two hosts. */
export interface NetworkHost {
  readonly namespace: string;
  /** Its end of the cable. */
  readonly device: string;
  readonly address: string;
}

const hosts = ['a', 'b'].map(
  (letter, i): NetworkHost => ({
    namespace: `blasnet-${process.pid}-${letter}`,
    device: `bn${letter}${process.pid}`,
    address: `10.77.9.${i + 1}`,
  }),
);
const NETWORK = '10.77.9.0/24';

/** What the command `ip` prints. */
export function ip(...words: readonly string[]): string {
  return execFileSync('ip', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 20_000 });
}

/** The rules that make a cable slow: delay as well as rate where the kernel has netem, otherwise the rate alone. */
function slowDown(namespace: string, device: string, { latency, bandwidth }: Link): Link {
  const rate = ['rate', `${Math.round(8 * bandwidth)}bit`];
  const rule = (...words: readonly string[]) =>
    ip('netns', 'exec', namespace, 'tc', 'qdisc', 'add', 'dev', device, 'root', ...words);
  try {
    rule('netem', 'delay', `${Math.round(latency * 1e6)}us`, ...rate, 'limit', '100000');
    return { latency, bandwidth };
  } catch {
    rule('tbf', ...rate, 'burst', '70kb', 'latency', '100ms');
    return { latency: 0, bandwidth };
  }
}

/**
 * Runs work with a way of two ranks, one in each namespace, and the wire that the rules of traffic control make of the
 * cable; without `wire`, it has no rules. Throws if the machine does not allow it.
 */
export async function betweenHosts<T>(
  mpi: Mpi,
  wire: Link | undefined,
  work: (way: Omit<Way, 'title'>, wire: Link | undefined, hosts: readonly NetworkHost[]) => Promise<T>,
): Promise<T> {
  const [first, second] = hosts;
  try {
    for (const { namespace } of hosts) ip('netns', 'add', namespace);
    const ends = hosts.map(({ namespace, device }) => ['name', device, 'netns', namespace]);
    ip('link', 'add', ...ends[0], 'type', 'veth', 'peer', ...ends[1]);
    for (const { namespace, device, address } of hosts) {
      ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', device);
      for (const name of ['lo', device]) ip('-n', namespace, 'link', 'set', name, 'up');
    }
    const made = wire && hosts.map(({ namespace, device }) => slowDown(namespace, device, wire))[0];
    const set = (name: string, value: string) => ['--mca', name, value];
    const options = [
      ...['--host', hosts.map(({ address }) => `${address}:1`).join(',')],
      ...set('plm_rsh_agent', join(root, 'bench/distributed/agent.sh')),
      ...set('btl', 'tcp,self'),
      ...set('btl_tcp_if_include', NETWORK),
      ...set('oob_tcp_if_include', NETWORK),
    ];
    // With a name of its own, as ranks on hosts of one name share work that others don't.
    const prefix = ['unshare', '--uts', 'sh', '-c', 'hostname "$0" && exec ip netns exec "$0" "$@"', first.namespace];
    return await work({ mpi, options, prefix, environment: { BENCH_NAMESPACE: second.namespace } }, made, hosts);
  } finally {
    for (const { namespace } of hosts) {
      try {
        ip('netns', 'del', namespace);
      } catch {
        // It was not made.
      }
    }
  }
}
