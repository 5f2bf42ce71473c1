import { describe, expect, it } from 'vitest';
import { describeMachine } from '../bench/machine.js';
import { reasonOf } from '../bench/peers/installation.js';
import { parsePeerOptions } from '../bench/peers/options.js';
import { crossEntropy } from '../bench/peers/outputs.js';
import { findPeer, peers } from '../bench/peers/peers.js';
import { peerEnvironment } from '../bench/peers/processes.js';
import { blasnetRatio, renderPeerReport } from '../bench/peers/report.js';
import type { EntrantResult, PeerResults } from '../bench/peers/results.js';
import { lastLine } from '../bench/processes.js';
import { findWorkload } from '../bench/workloads.js';

describe('options', () => {
  it('has defaults, and refuses what makes no sense', () => {
    expect(parsePeerOptions([])).toMatchObject({ rounds: 5, seconds: 3, python: 'python3', peers: peers.map(({ id }) => id) });
    expect(parsePeerOptions(['--quick', '--peers', 'pytorch,jax-js'])).toMatchObject({ rounds: 1, peers: ['pytorch', 'jax-js'] });
    expect(parsePeerOptions(['--help'])).toBeUndefined();
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
    failures: [{ title: 'jax', group: 'one', reason: 'out of memory' } as const],
  };
  const results: PeerResults = {
    date: '2026-01-02',
    machine: describeMachine([0, 0]),
    settings: { rounds: 3, seconds: 3, learnSamples: 60_000, quick: false },
    peers: [{ peer: 'x', title: 'X', missing: 'not found', remark: 'odd' }],
    workloads: [workload],
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
  });
});
