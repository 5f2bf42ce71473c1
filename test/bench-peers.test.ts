import { describe, expect, it } from 'vitest';
import { describeMachine } from '../bench/machine.js';
import { checkPeerBars, peerBars } from '../bench/peers/bars.js';
import { reasonOf } from '../bench/peers/installation.js';
import { rank, settingsOf } from '../bench/peers/measurement.js';
import { parsePeerOptions } from '../bench/peers/options.js';
import { crossEntropy } from '../bench/peers/outputs.js';
import { findPeer, peers } from '../bench/peers/peers.js';
import { type PlacedSetting, peerEnvironment } from '../bench/peers/processes.js';
import { blasnetRatio, renderPeerReport } from '../bench/peers/report.js';
import type { EntrantResult, PeerResults } from '../bench/peers/results.js';
import { lastLine } from '../bench/processes.js';
import { findWorkload, workloads } from '../bench/workloads.js';

describe('options', () => {
  it('has defaults, and refuses what makes no sense', () => {
    expect(parsePeerOptions([])).toMatchObject({ rounds: 5, seconds: 3, pythons: ['python3'], peers: peers.map(({ id }) => id) });
    expect(parsePeerOptions(['--quick', '--peers', 'pytorch,jax-js'])).toMatchObject({ rounds: 1, peers: ['pytorch', 'jax-js'] });
    expect(parsePeerOptions(['--help'])).toBeUndefined();
    expect(parsePeerOptions(['--check'])).toMatchObject({ check: true });
    expect(parsePeerOptions(['--workloads', 'all'])?.workloads).toEqual(workloads.map(({ id }) => id));
    expect(() => parsePeerOptions(['--peers', 'none'])).toThrow('no peer none');
    expect(() => parsePeerOptions(['--workloads', 'M9'])).toThrow('no workload M9');
    expect(() => parsePeerOptions(['--rounds', '1.5'])).toThrow('integer');
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
    expect(reasonOf({ stderr: 'npm error code E404\nError: no file /srv/some/where\n' })).toBe('Error: no file (a path)');
    expect(reasonOf(new Error('plain'))).toBe('plain');
  });
});

describe('outputs', () => {
  const labels = Int32Array.of(0, 1);

  it('takes the cross-entropy of logits and of probabilities', () => {
    const probabilities = [0.75, 0.25, 0.5, 0.5];
    const expected = -Math.log(0.75) - Math.log(0.5);
    const logits = probabilities.map((value) => Math.log(value) + 3);
    for (const [values, kind] of [
      [probabilities, 'probabilities'],
      [logits, 'logits'],
    ] as const) {
      const { loss, hits } = crossEntropy(values, labels, 2, kind);
      expect(loss).toBeCloseTo(expected, 6);
      // Of equal outputs the first counts.
      expect(hits).toBe(1);
    }
  });

  it('counts no hits for what is not a number, and no loss of scores', () => {
    expect(crossEntropy([Number.NaN, 0, 0, 1], labels, 2, 'scores')).toEqual({ loss: Number.NaN, hits: 1 });
  });
});

function entrant(id: string, rates: number[], changes: Partial<EntrantResult> = {}): EntrantResult {
  const equipment = { threads: 1 };
  return { entrant: id, title: id, group: 'one', equipment, setting: '', rates, busyCores: [1], ...changes };
}

describe('report', () => {
  const workload = {
    workload: 'M1',
    entrants: [
      entrant('blasnet', [400, 300, 360]),
      entrant('blasnet', [800, 600, 720], { group: 'all' }),
      entrant('pytorch', [200, 100, 180], { setting: 'flat', learned: { loss: 0.25, accuracy: 0.93, samples: 60_000 } }),
      entrant('brain.js', [4, 3, 3.6], { learned: { accuracy: 0.5, samples: 480 } }),
    ],
    failures: [{ entrant: 'jax', title: 'jax', group: 'one', reason: 'out of memory' } as const],
  };
  const results: PeerResults = {
    date: '2026-01-02',
    machine: describeMachine([0, 0]),
    settings: { rounds: 3, seconds: 3, learnSamples: 60_000, quick: false },
    peers: [{ peer: 'x', title: 'X', missing: 'not found', remark: 'odd' }],
    workloads: [workload],
    remaining: ['P1'],
  };

  it('holds a peer against blasnet on the same number of threads', () => {
    expect(blasnetRatio(workload.entrants[2], workload)).toBe(2);
    expect(blasnetRatio(workload.entrants[0], workload)).toBeUndefined();
  });

  it('tells rates, settings, partial epochs, failures and who is missing', () => {
    const report = renderPeerReport(results);
    expect(report).toMatch(/pytorch.*flat.*180 \(100–200\).*2\.00.*0\.2500.*0\.9300/);
    expect(report).toMatch(/brain\.js.*–.*0\.5000/);
    expect(report).toContain('brain.js (480 samples)');
    expect(report).toContain('jax failed: out of memory');
    expect(report).toContain('X: takes no part: not found (odd)');
    expect(report).toContain('Not reached: P1.');
    expect(report).toMatch(/M1: blasnet, all threads \/ pytorch.*≥ 2\.8.*4\.00 \(4\.00–6\.00\).*reached/);
  });
});

describe('bars', () => {
  const machine = { ...describeMachine([0, 0]), cores: 4 };
  const check = (
    workload: string,
    entrants: EntrantResult[],
    cores = 4,
    failures: PeerResults['workloads'][0]['failures'] = [],
  ) => checkPeerBars({ machine: { ...machine, cores }, workloads: [{ workload, entrants, failures }] });
  const all = { group: 'all' } as const;

  it('takes the fastest of a peer’s threads and of the JavaScript peers', () => {
    const results = check('M1', [
      entrant('blasnet', [400, 400]),
      entrant('blasnet', [800, 600], all),
      entrant('pytorch', [250, 250]),
      entrant('pytorch', [100, 100], all),
      entrant('jax', [300, 300]),
      entrant('jax', [400, 400], all),
      entrant('jax-js', [50, 50]),
      entrant('tfjs-node', [20, 20], all),
    ]);
    expect(results.map(({ title, found, verdict }) => [title, found?.median, verdict])).toEqual([
      ['M1: blasnet, all threads / pytorch', 2.8, 'reached'],
      ['M1: blasnet, one thread / jax', 400 / 300, 'reached'],
      ['M1: blasnet, all threads / jax', 1.75, 'reached'],
      ['M1: blasnet, all threads / the fastest JavaScript peer: jax-js', 14, 'reached'],
    ]);
  });

  it('misses no bar of peers that take no part or fail, or for other machines', () => {
    const failures = [{ entrant: 'jax', title: 'JAX', group: 'all', reason: 'no memory' } as const];
    const results = check('M2L', [entrant('blasnet', [1]), entrant('blasnet', [1], all), entrant('jax', [1])], 4, failures);
    expect(results.map(({ verdict }) => verdict)).toEqual([
      'not measured: PyTorch takes no part',
      'missed',
      'not measured: JAX failed',
    ]);
    expect(results.map(({ missed }) => missed)).toEqual([false, true, false]);
    const large = check('M2L', [entrant('blasnet', [1], all), entrant('jax', [1], all)], 16);
    expect(large[2].verdict).toBe('not measured: for 2 to 8 cores');
  });

  it('gives a single image 0.6 of the time of onnxruntime', () => {
    const reached = (rate: number) =>
      check('P1single', [entrant('blasnet', [rate], all), entrant('onnxruntime-node', [60])]).map(({ missed }) => !missed);
    expect([reached(99), reached(101)]).toEqual([[false], [true]]);
  });

  it('names workloads that the peers can do', () => {
    for (const { workload, peers: ids } of peerBars) {
      expect(
        ids.some((id) => findPeer(id).workloads.includes(workload)),
        workload,
      ).toBe(true);
    }
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

  it('leaves out what fails, and says why where all do', async () => {
    const ranked = await rank(settings, async (shared) => {
      if (shared.length === 2) throw new Error('crashed');
      return shared.map(({ name }) => (name === 'c' ? { error: 'RuntimeError: fused' } : { samplesPerSecond: rates[name] }));
    });
    expect(ranked.map(({ name }) => name)).toEqual(['e', 'a']);
    const failure = rank(settings, async (shared) => shared.map(() => ({ error: 'RuntimeError: fused' })));
    await expect(failure).rejects.toThrow('RuntimeError: fused');
  });
});
