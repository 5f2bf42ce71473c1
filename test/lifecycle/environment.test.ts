import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type BackendInfo, backendInfo } from '../../lib/index.js';
import { describeNative } from '../api/support.js';
import { addonFile, reportOf, runFixture } from './child.js';

interface Report {
  readonly losses?: number[];
  readonly used?: string;
  readonly info: BackendInfo;
  readonly error?: { code: string; message: string };
  readonly warnings: { name: string; code?: string; message: string }[];
}

const report = (env: Record<string, string>, backend = 'auto') => reportOf<Report>(runFixture('info', { args: [backend], env }));

describe('BLASNET_BINARY', () => {
  it('none: TypeScript, with one warning that says why', () => {
    const { used, info, warnings, losses } = report({ BLASNET_BINARY: 'none' });
    expect(used).toBe('typescript');
    expect(info).toMatchObject({ backend: 'typescript', threads: 1 });
    expect(info.reason).toMatch(/BLASNET_BINARY=none/);
    expect(warnings).toEqual([
      {
        name: 'BlasnetWarning',
        code: 'BLASNET_TYPESCRIPT_FALLBACK',
        message: expect.stringMatching(/BLASNET_BINARY=none.*TypeScript backend/),
      },
    ]);
    expect(losses?.[0]).toBeGreaterThan(0);
  });

  it('none: no warning for who asks for TypeScript, an error for who asks for native', () => {
    expect(report({ BLASNET_BINARY: 'none' }, 'typescript')).toMatchObject({ used: 'typescript', warnings: [] });
    const { error, warnings } = report({ BLASNET_BINARY: 'none' }, 'native');
    expect(error).toMatchObject({ code: 'BACKEND_UNAVAILABLE', message: expect.stringContaining('BLASNET_BINARY=none') });
    expect(warnings).toEqual([]);
  });

  it('a file that is not there or is no addon: it is named, with what to do', () => {
    for (const path of ['/nowhere/blasnet.node', import.meta.filename]) {
      const { error } = report({ BLASNET_BINARY: path }, 'native');
      expect(error?.code).toBe('BACKEND_UNAVAILABLE');
      expect(error?.message).toContain(path);
      expect(error?.message).toContain('npm run build:addon');
      expect(report({ BLASNET_BINARY: path })).toMatchObject({ used: 'typescript', warnings: [{ name: 'BlasnetWarning' }] });
    }
  });
});

describeNative('BLASNET_THREADS', () => {
  it.each([1, 2, 7])('%d', (threads) => {
    expect(report({ BLASNET_THREADS: String(threads) })).toMatchObject({ used: 'native', info: { threads }, warnings: [] });
  });

  it('not set or empty: what the machine offers', () => {
    expect(report({}).info.threads).toBe(availableParallelism());
    expect(report({ BLASNET_THREADS: '' }).info.threads).toBe(availableParallelism());
  });

  it.each(['0', '-1', '1.5', 'two', '257', 'NaN'])('%s: refused by name', (threads) => {
    const { error } = report({ BLASNET_THREADS: threads }, 'native');
    expect(error?.message).toMatch(/^BLASNET_THREADS: expected an integer/);
    expect(report({ BLASNET_THREADS: threads })).toMatchObject({ used: 'typescript', warnings: [{ name: 'BlasnetWarning' }] });
  });
});

describeNative('BLASNET_SIMD', () => {
  const { available } = backendInfo('native').simd;

  it.each(available)('%s', (set) => {
    const { info, losses } = report({ BLASNET_SIMD: set }, 'native');
    expect(info.simd.set).toBe(set);
    expect(info.simd.available).toEqual(available);
    if (set !== report({}).info.simd.set) expect(info.simd.reason).toMatch(/BLASNET_SIMD/);
    expect(losses?.[0]).toBeCloseTo(report({}).losses?.[0] as number, 5);
  });

  it('nonsense: refused by name', () => {
    const { error } = report({ BLASNET_SIMD: 'nonsense' }, 'native');
    expect(error).toMatchObject({
      code: 'BACKEND_UNAVAILABLE',
      message: expect.stringMatching(/BLASNET_SIMD: .*no kernel set 'nonsense'/),
    });
  });
});

describeNative("other programs' settings of OpenBLAS", () => {
  const speed = (env: Record<string, string>) =>
    reportOf<{ blas: BackendInfo['blas']; best: number }>(runFixture('gemm-speed', { env }));
  const pins = {
    OPENBLAS_CORETYPE: 'Haswell',
    OPENBLAS_NUM_THREADS: '7',
    OPENBLAS_L2_SIZE: '512',
    OMP_NUM_THREADS: '5',
    GOTO_NUM_THREADS: '3',
  };

  it('change neither its core nor its threads nor its speed', () => {
    let ratio = Number.NaN;
    for (let attempt = 0; attempt < 3 && !(ratio > 0.7 && ratio < 1.4); attempt++) {
      const [free, pinned] = [speed({}), speed(pins)];
      expect(pinned.blas).toEqual(free.blas);
      expect(pinned.blas.threads).toBe(1);
      ratio = pinned.best / free.best;
    }
    expect(ratio).toBeGreaterThan(0.7);
    expect(ratio).toBeLessThan(1.4);
  });

  it('BLASNET_CORETYPE does change its core', () => {
    const free = speed({}).blas.core;
    const { core } = speed({ BLASNET_CORETYPE: 'Haswell' }).blas;
    if (backendInfo('native').cpuFeatures.includes('avx2')) expect(core).toBe('Haswell');
    if (backendInfo('native').cpuFeatures.includes('avx512f')) expect(core).not.toBe(free);
  });
});

describeNative('the addon in a process', () => {
  it('leaves denormal numbers alone', () => {
    const { before, loaded, trained, kernel } = reportOf<Record<string, unknown>>(
      runFixture('denormals', { env: { BLASNET_THREADS: '2' } }),
    );
    expect(before).toMatchObject({ halves: true, third: 1.5e-323 });
    expect(loaded).toEqual(before);
    expect(trained).toEqual(before);
    expect(kernel).toEqual([Math.fround(1e-40)]);
  });

  it('exports its two entry points and nothing else', ({ skip }) => {
    const { stdout, error } = spawnSync('nm', ['-D', '--defined-only', addonFile], { encoding: 'utf8' });
    if (error !== undefined) skip('nm is not installed');
    const symbols = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ').at(-1));
    expect(symbols.sort()).toEqual(['napi_register_module_v1', 'node_api_module_get_api_version_v1']);
  });

  it('gets along with another copy of itself', () => {
    const folder = mkdtempSync(join(tmpdir(), 'blasnet-'));
    try {
      const copies = ['a.node', 'b.node'].map((name) => join(folder, name));
      for (const copy of copies) copyFileSync(addonFile, copy);
      const result = reportOf<Record<string, unknown>>(runFixture('two-copies', { args: copies }));
      expect(result).toEqual({ distinct: true, same: true, foreign: 'Illegal invocation', table: true });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
