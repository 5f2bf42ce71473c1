import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cpuQuota } from '../../lib/backend/native/cpu-quota.js';
import { type BackendInfo, backendInfo } from '../../lib/index.js';
import { describeNative, nativeMissing } from '../api/support.js';
import { addonFile, nodeProgram, projectFile, reportOf, runFixture } from './child.js';

interface Report {
  readonly losses?: number[];
  readonly used?: string;
  readonly info: BackendInfo;
  readonly error?: { code: string; message: string };
  readonly warnings: { name: string; code?: string; message: string }[];
}

const report = (env: Record<string, string>, backend = 'auto') =>
  reportOf<Report>(runFixture('info', { args: [backend], env }));

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
    expect(error).toMatchObject({
      code: 'BACKEND_UNAVAILABLE',
      message: expect.stringContaining('BLASNET_BINARY=none'),
    });
    expect(warnings).toEqual([]);
  });

  it.skipIf(nativeMissing() !== undefined)('a path is one from the current directory', () => {
    const { used, info } = report({ BLASNET_BINARY: relative(process.cwd(), addonFile) });
    expect(used).toBe('native');
    expect(resolve(info.addon as string)).toBe(addonFile);
  });

  it('a file that is not there or is no addon: it is named, with what to do', () => {
    for (const path of ['/nowhere/blasnet.node', import.meta.filename]) {
      const { error } = report({ BLASNET_BINARY: path }, 'native');
      expect(error?.code).toBe('BACKEND_UNAVAILABLE');
      expect(error?.message).toContain(path);
      expect(error?.message).toContain('npm run build:addon');
      expect(report({ BLASNET_BINARY: path })).toMatchObject({
        used: 'typescript',
        warnings: [{ name: 'BlasnetWarning' }],
      });
    }
  });
});

describeNative('BLASNET_THREADS', () => {
  it.each([1, 2, 7])('%d', (threads) => {
    expect(report({ BLASNET_THREADS: String(threads) })).toMatchObject({
      used: 'native',
      info: { threads },
      warnings: [],
    });
  });

  it('not set or empty: what the machine and the container offer', () => {
    const offered = Math.min(availableParallelism(), Math.ceil(cpuQuota()?.cpus ?? 256));
    expect(report({}).info.threads).toBe(offered);
    expect(report({ BLASNET_THREADS: '' }).info.threads).toBe(offered);
    expect(report({}).info.threadsReason).toMatch(/as many as this process may run|CPU quota/);
    expect(report({ BLASNET_THREADS: '1' }).info.threadsReason).toMatch(/BLASNET_THREADS/);
  });

  it('more threads than OpenBLAS may have been built for, in one run and in many workers: the results of fewer', () => {
    // A core whose products all need a buffer, where this machine has it.
    const env = { BLASNET_THREADS: '16', ...(process.arch === 'x64' && { BLASNET_CORETYPE: 'Haswell' }) };
    const digests = (workers: number, changes: Record<string, string> = {}) => {
      const result = runFixture('many-threads', {
        args: [String(workers), '2'],
        env: { ...env, ...changes },
        timeout: 100,
      });
      expect(result.stderr).toBe('');
      return reportOf<string[]>(result);
    };
    const alone = digests(0);
    expect(alone.length).toBe(1);
    expect(digests(16)).toEqual(alone);
    expect(digests(0, { BLASNET_THREADS: '250' }).length).toBe(1);
  }, 120_000);

  it.each(['0', '-1', '1.5', 'two', 'auto', '257', 'NaN'])('%s: refused by name', (threads) => {
    const { error } = report({ BLASNET_THREADS: threads }, 'native');
    expect(error?.code).toBe('BACKEND_UNAVAILABLE');
    expect(error?.message).toMatch(/^BLASNET_THREADS: expected an integer/);
    expect(report({ BLASNET_THREADS: threads })).toMatchObject({
      used: 'typescript',
      warnings: [{ name: 'BlasnetWarning' }],
    });
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

describeNative('switches', () => {
  const switches = [
    ['BLASNET_SKIP_ZEROS', ['0', '1'], '0 or 1'],
    // 'parts' needs AMX: below.
    [
      'BLASNET_PRODUCTS',
      ['whole', 'pieces', 'strips', 'tiles', 'winograd'],
      'whole or pieces or strips or tiles or parts or winograd',
    ],
  ] as const;

  it.each(switches)('%s: %s or nothing', (name, values, expected) => {
    for (const value of [...values, ''])
      expect(report({ [name]: value })).toMatchObject({ used: 'native', warnings: [] });
    const { error } = report({ [name]: 'yes' }, 'native');
    const message = `${name}: expected ${expected}, got "yes"`;
    expect(error).toEqual({ code: 'BACKEND_UNAVAILABLE', message });
    const fallback = report({ [name]: 'yes' });
    expect(fallback.used).toBe('typescript');
    expect(fallback.warnings).toEqual([
      { name: 'BlasnetWarning', code: 'BLASNET_TYPESCRIPT_FALLBACK', message: expect.stringContaining(name) },
    ]);
  });

  it('BLASNET_BFLOAT16: a way that this machine has, or nothing', () => {
    const ways = ['float32', 'avx512-bf16', 'amx'];
    const results = ways.map((way) => report({ BLASNET_BFLOAT16: way }, 'native'));
    expect(results[0].info.bfloat16).toBe('float32');
    for (const [i, { info, error }] of results.entries()) {
      if (error === undefined) expect(info.bfloat16).toBe(ways[i]);
      else
        expect(error).toEqual({
          code: 'BACKEND_UNAVAILABLE',
          message: expect.stringContaining(`asked for ${ways[i]}, but`),
        });
    }
    expect(ways).toContain(report({ BLASNET_BFLOAT16: '' }, 'native').info.bfloat16);
    expect(report({ BLASNET_BFLOAT16: 'plain' }, 'native').error).toEqual({
      code: 'BACKEND_UNAVAILABLE',
      message: 'BLASNET_BFLOAT16: expected amx or avx512-bf16 or float32, got "plain"',
    });
  });

  it('BLASNET_FLOAT32 and BLASNET_PRODUCTS=parts: AMX if this machine has it', () => {
    expect(report({ BLASNET_FLOAT32: 'fma' }, 'native').info.float32).toBe('fma');
    const { float32 } = report({ BLASNET_FLOAT32: '' }, 'native').info;
    for (const [name, value] of [
      ['BLASNET_FLOAT32', 'amx'],
      ['BLASNET_PRODUCTS', 'parts'],
    ]) {
      const { info, error } = report({ [name]: value }, 'native');
      if (float32 === 'amx') expect(info.float32).toBe('amx');
      else
        expect(error).toEqual({
          code: 'BACKEND_UNAVAILABLE',
          message: expect.stringContaining(`${name}: asked for ${value}, but this process uses fma`),
        });
    }
    expect(report({ BLASNET_FLOAT32: 'fma', BLASNET_PRODUCTS: 'parts' }, 'native').error).toMatchObject({
      code: 'BACKEND_UNAVAILABLE',
    });
    expect(report({ BLASNET_FLOAT32: 'tiles' }, 'native').error).toEqual({
      code: 'BACKEND_UNAVAILABLE',
      message: 'BLASNET_FLOAT32: expected amx or fma, got "tiles"',
    });
  });

  it('BLASNET_CORETYPE: a core that OpenBLAS does not have gives a warning with the one that it uses', () => {
    const { used, warnings, info } = report({ BLASNET_CORETYPE: 'nonsense' });
    expect(used).toBe('native');
    expect(warnings).toEqual([
      {
        name: 'BlasnetWarning',
        code: 'BLASNET_CORETYPE',
        message: `BLASNET_CORETYPE: asked for "nonsense", OpenBLAS uses its kernels for ${info.blas.core}`,
      },
    ]);
    expect(report({ BLASNET_CORETYPE: info.blas.core.toUpperCase() }).warnings).toEqual([]);
  });
});

describe("Node's permission model", () => {
  const major = Number(spawnSync(nodeProgram, ['-p', 'parseInt(process.versions.node)'], { encoding: 'utf8' }).stdout);
  const flag = major < 23 ? '--experimental-permission' : '--permission';
  const [dist, fixtures] = ['dist', 'test/lifecycle/fixtures'].map(projectFile);
  const library = [
    `--allow-fs-read=${dist}`,
    `--allow-fs-read=${fixtures}`,
    `--allow-fs-read=${projectFile('package.json')}`,
  ];
  const run = (flags: string[], backend = 'auto') =>
    reportOf<Report>(runFixture('info', { args: [backend], flags: ['--no-warnings', flag, ...flags] }));

  it.each<[string, string[]]>([
    ['no addons, its own files alone', library],
    ['no addons', ['--allow-fs-read=*']],
    ['addons, but not to read them', ['--allow-addons', ...library]],
  ])('%s: the TypeScript backend with one warning, an error for who asks for native', (_, flags) => {
    const { used, warnings } = run(flags);
    expect(used).toBe('typescript');
    expect(warnings).toEqual([
      {
        name: 'BlasnetWarning',
        code: 'BLASNET_TYPESCRIPT_FALLBACK',
        message: expect.stringMatching(/--allow-addons and --allow-fs-read=.*TypeScript backend/),
      },
    ]);
    expect(run(flags, 'native').error?.code).toBe('BACKEND_UNAVAILABLE');
  });

  it.skipIf(nativeMissing() !== undefined)('addons, and to read them: the native backend', () => {
    const { used, warnings } = run(['--allow-addons', ...library, `--allow-fs-read=${addonFile}`]);
    expect(warnings.filter(({ name }) => name === 'BlasnetWarning')).toEqual([]);
    expect(used).toBe('native');
  });

  it('a network is saved, also where the file exists: with its permissions', () => {
    const folder = mkdtempSync(join(tmpdir(), 'blasnet-'));
    try {
      const path = join(folder, 'net.safetensors');
      const flags = ['--no-warnings', flag, '--allow-fs-read=*', '--allow-fs-write=*'];
      const env = { BLASNET_BINARY: 'none' };
      writeFileSync(path, '');
      chmodSync(path, 0o600);
      expect(reportOf(runFixture('save-twice', { args: [path], flags, env }))).toEqual({ parameterCount: 6 });
      expect(readdirSync(folder)).toEqual(['net.safetensors']);
      if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(0o600);
    } finally {
      rmSync(folder, { recursive: true });
    }
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
    const { before, loaded, trained, kernel, inStep } = reportOf<Record<string, unknown>>(
      runFixture('denormals', { env: { BLASNET_THREADS: '2' } }),
    );
    expect(before).toMatchObject({ halves: true, third: 1.5e-323 });
    expect(loaded).toEqual(before);
    expect(trained).toEqual(before);
    expect(kernel).toEqual([Math.fround(1e-40)]);
    expect(inStep).toBe(0);
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
