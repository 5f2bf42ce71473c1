import { describe, expect, it } from 'vitest';
import { checkBars, peerBars } from '../bench/bars.js';
import { parseOptions } from '../bench/options.js';
import { entrantId, findPeer, peers } from '../bench/peers/peers.js';
import { type PlacedSetting, peerEnvironment } from '../bench/peers/requests.js';
import { rank, settingsOf } from '../bench/peers/settings.js';
import { lastLine, reasonOf } from '../bench/program.js';
import { peerColumns, renderWorkload } from '../bench/report.js';
import type { Failure, Result } from '../bench/rounds.js';
import { findWorkload, workloads } from '../bench/workloads.js';

describe('options', () => {
  const parse = (...args: string[]) => parseOptions('bench:peers', args);

  it('has defaults, and refuses what makes no sense', () => {
    expect(parse()).toMatchObject({ rounds: 5, seconds: 3, pythons: ['python3'], peers: peers.map(({ id }) => id) });
    expect(parse('--quick', '--peers', 'pytorch,jax-js')).toMatchObject({ rounds: 1, peers: ['pytorch', 'jax-js'] });
    expect(parse('--help')).toBeUndefined();
    expect(parse('--check')).toMatchObject({ check: true });
    expect(parse('--workloads', 'all')?.workloads).toEqual(workloads.map(({ id }) => id));
    expect(() => parse('--peers', 'none')).toThrow('got none');
    expect(() => parse('--workloads', 'M9')).toThrow('got M9');
    expect(() => parse('--rounds', '1.5')).toThrow('integer');
  });
});

describe('peers', () => {
  it('names workloads that there are, and settings that differ', () => {
    for (const peer of peers) {
      for (const workload of peer.workloads.map(findWorkload)) {
        for (const threads of [1, 4]) {
          const names = peer.settings(workload, threads).map(({ name }) => name);
          expect(names.length, peer.id).toBeGreaterThan(0);
          expect(new Set(names).size, peer.id).toBe(names.length);
        }
      }
    }
  });

  it('pins versions', () => {
    const versions = peers.flatMap((peer) => (peer.language === 'javascript' ? Object.values(peer.packages) : []));
    for (const version of versions) expect(version).toMatch(/^\d+\.\d+\.\d+(-[a-z]+\.\d+)?$/);
  });

  it('gives PyTorch no more threads than it may have', () => {
    const settings = findPeer('pytorch').settings(findWorkload('M1'), 1);
    for (const { environment } of settings)
      expect(environment).toMatchObject({ OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' });
  });
});

describe('processes', () => {
  it('keeps what is set for BLAS outside from the peers', () => {
    process.env.OPENBLAS_TEST = 'outside';
    try {
      const environment = peerEnvironment({ name: '', environment: { OMP_NUM_THREADS: '2' } });
      expect(environment.OPENBLAS_TEST).toBeUndefined();
      expect(environment.OMP_NUM_THREADS).toBe('2');
    } finally {
      delete process.env.OPENBLAS_TEST;
    }
  });

  it('reads the last line, whatever libraries say before', () => {
    expect(lastLine('hello\n{"a":1}\n')).toEqual({ a: 1 });
  });

  it('gives the reason of a failure without paths', () => {
    const stderr = 'Traceback\n  File "/usr/lib/x.py"\nModuleNotFoundError: No module named torch\n';
    expect(reasonOf({ stderr })).toBe('ModuleNotFoundError: No module named torch');
    expect(reasonOf({ stderr: 'npm error code E404\nError: no file /srv/some/where\n' })).toBe(
      'Error: no file (a path)',
    );
    expect(reasonOf(new Error('plain'))).toBe('plain');
  });
});

function result(id: string, rates: number[]): Result {
  const equipment = { threads: 1 };
  return { id, title: id, setting: '', equipment, rates, samplesPerRound: [], busyCores: [1] };
}

describe('bars', () => {
  const check = (workload: string, results: Result[], cores = 4, failures: Failure[] = []) =>
    checkBars(peerBars, [{ workload, results, failures }], cores);

  it('takes the fastest of a peer’s threads and of the JavaScript peers', () => {
    const results = check('M1', [
      result('native-1', [400, 400]),
      result('native', [800, 600]),
      result('pytorch-1', [250, 250]),
      result('pytorch', [100, 100]),
      result('jax-1', [300, 300]),
      result('jax', [400, 400]),
      result('native-1-bfloat16', [500, 500]),
      result('pytorch-bfloat16-1', [50, 50]),
      result('jax-js-1', [50, 50]),
      result('tfjs-node', [20, 20]),
    ]);
    expect(results.map(({ title, found, verdict }) => [title, found?.median, verdict])).toEqual([
      ['M1: blasnet native, all threads / PyTorch: pytorch-1', 2.8, 'reached'],
      ['M1: blasnet native, one thread / JAX: jax-1', 400 / 300, 'reached'],
      ['M1: blasnet native, all threads / JAX: jax', 1.75, 'reached'],
      ['M1: one thread, bfloat16 / PyTorch, bfloat16 autocast: pytorch-bfloat16-1', 10, 'reached'],
      ['M1: blasnet native, all threads / the fastest JavaScript peer: jax-js-1', 14, 'reached'],
    ]);
  });

  it('misses no bar of peers that take no part or fail, or for other machines', () => {
    const failures = [{ id: 'jax', title: 'JAX', reason: 'no memory' }];
    const results = check('M2L', [result('native-1', [1]), result('native', [1]), result('jax-1', [1])], 4, failures);
    expect(results.map(({ verdict }) => verdict)).toEqual([
      'not measured: PyTorch takes no part',
      'missed',
      'not measured: JAX failed',
      'not measured: PyTorch, bfloat16 autocast takes no part',
    ]);
    expect(results.map(({ missed }) => missed)).toEqual([false, true, false, false]);
    const large = check('M2L', [result('native', [1]), result('jax', [1])], 16);
    expect(large[2].verdict).toBe('not measured: for 8 cores at most');
  });

  it('gives a single image 0.6 of the time of onnxruntime', () => {
    const reached = (rate: number) =>
      check('P1single', [result('native', [rate]), result('onnxruntime-node-1', [60])]).map(({ missed }) => !missed);
    expect([reached(99), reached(101)]).toEqual([[false], [true]]);
  });

  it('names workloads that the peers can do', () => {
    for (const { workload, against } of peerBars) {
      const able = peers.filter((peer) => peer.workloads.includes(workload));
      const ids = able.flatMap((peer) => peer.groups.map((group) => entrantId(peer, group)));
      expect(ids, workload).toEqual(expect.arrayContaining([expect.toSatisfy((id) => against.includes(id))]));
    }
  });
});

describe('report', () => {
  it('holds a peer against blasnet on the same number of threads, and names its setting', () => {
    const blasnet = [result('native-1', [400, 300, 360]), result('native', [800, 600, 720])];
    const results = [
      ...blasnet,
      { ...result('pytorch', [200, 100, 180]), setting: 'flat' },
      result('jax-1', [200, 300, 180]),
    ];
    const report = renderWorkload({ workload: 'M1', results, failures: [] }, { quick: false }, peerColumns);
    expect(report).toMatch(/native-1 .*360 \(300–400\) \|\s+2778 \|\s+– \|/);
    expect(report).toMatch(/pytorch.*flat.*180 \(100–200\).*5556 \|\s+4\.00 \|/);
    expect(report).toMatch(/jax-1 .*200 \(180–300\).*5000 \|\s+2\.00 \|/);
  });
});

describe('the trial of settings', () => {
  const setting = (name: string, threads: string, command = 'python3'): PlacedSetting => ({
    name,
    environment: { OMP_NUM_THREADS: threads },
    command,
  });
  const rates: Record<string, number> = { a: 1, b: 5, c: 4, d: 2, e: 3 };
  const settings = [setting('a', '1'), setting('b', '2'), setting('c', '1'), setting('d', '2'), setting('e', '1')];

  it('runs those that share an environment together, and ranks all', async () => {
    const asked: string[][] = [];
    const ranked = await rank(settings, async (shared) => {
      asked.push(shared.map(({ name }) => name));
      return shared.map(({ name }) => ({ samplesPerSecond: rates[name] }));
    });
    expect(asked).toEqual([
      ['a', 'c', 'e'],
      ['b', 'd'],
    ]);
    expect(ranked.map(({ name }) => name)).toEqual(['b', 'c', 'e', 'd', 'a']);
  });

  it('takes every version of a peer, each with its own program', async () => {
    const jax = findPeer('jax');
    const installed = (version: string) => ({ version, command: `python-${version}` });
    const one = settingsOf({ peer: jax, installations: [installed('0.9')] }, findWorkload('P1'), 1);
    expect(one.map(({ name, command }) => [name, command])).toContainEqual(['oneDNN', 'python-0.9']);
    const two = settingsOf({ peer: jax, installations: [installed('0.9'), installed('0.10')] }, findWorkload('P1'), 1);
    expect(two).toHaveLength(2 * one.length);
    const names = two.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['0.9', '0.9, oneDNN', '0.10', '0.10, oneDNN']));
    const asked: number[] = [];
    await rank([setting('a', '1', 'old'), setting('b', '1', 'new')], async (shared) => {
      asked.push(shared.length);
      return shared.map(() => ({ samplesPerSecond: 1 }));
    });
    expect(asked).toEqual([1, 1]);
  });

  it('omits what fails, and says why where all do', async () => {
    const ranked = await rank(settings, async (shared) => {
      if (shared.length === 2) throw new Error('crashed');
      return shared.map(({ name }) =>
        name === 'c' ? { error: 'RuntimeError: fused' } : { samplesPerSecond: rates[name] },
      );
    });
    expect(ranked.map(({ name }) => name)).toEqual(['e', 'a']);
    const failure = rank(settings, async (shared) => shared.map(() => ({ error: 'RuntimeError: fused' })));
    await expect(failure).rejects.toThrow('RuntimeError: fused');
  });
});
