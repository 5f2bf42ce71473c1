// Shared by the tests of the binaries: one line for each check, and running check.mjs with a binary.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../support.mjs';
import { logged } from './tools.mjs';

const counts = { passed: 0, failed: 0 };

/** Runs and counts a check; `action` returns a short description of the result, or throws. */
export function check(target, what, action) {
  const start = performance.now();
  const seconds = () => `(${((performance.now() - start) / 1000).toFixed(1)} s)`;
  try {
    const found = action();
    counts.passed++;
    console.log(`ok     ${target.name}: ${what}${found ? `: ${found}` : ''} ${seconds()}`);
  } catch (error) {
    counts.failed++;
    console.log(`FAILED ${target.name}: ${what} ${seconds()}\n${error.message.replace(/^/gm, '    ')}`);
  }
}

/** Prints the counts; returns whether all checks so far passed. */
export function finishChecks() {
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  return counts.failed === 0;
}

export function expectEqual(found, expected) {
  if (found !== expected) throw new Error(`expected ${expected}\ngot ${found}`);
}

export function expectEntryPoints(exported) {
  expectEqual([...exported].sort().join(' '), 'napi_register_module_v1 node_api_module_get_api_version_v1');
}

/** The last line of the C++ tests' output. */
export function expectPassed(output) {
  const last = output.trimEnd().split('\n').at(-1);
  if (!/^[1-9]\d* passed, 0 failed$/.test(last)) throw new Error(last);
  return last;
}

/** This process's environment without variables that affect blasnet, BLAS or Node.js, plus `variables`. */
export function cleanEnvironment(variables) {
  const foreign = /^(BLASNET|OPENBLAS|GOTO|OMP|NODE_OPTIONS)/;
  const inherited = Object.entries(process.env).filter(([name]) => !foreign.test(name));
  return { ...Object.fromEntries(inherited), ...variables };
}

export const script = join(root, 'scripts/prebuild/check.mjs');
let losses;

/** The losses of the TypeScript backend on this CPU, which the binaries must match. */
export function expectedLosses() {
  losses ??= logged('losses', process.execPath, [script]).trim();
  return losses;
}

/**
 * OpenBLAS's kernel tables, and the CPU feature that each needs. Prescott is named after the oldest CPU that it
 * supports.
 */
export const x64Cores = {
  Katmai: 'pni',
  Nehalem: 'sse4_2',
  Sandybridge: 'avx',
  Haswell: 'avx2',
  SkylakeX: 'avx512vl',
  Cooperlake: 'avx512_bf16',
};

/** blasnet's kernel sets, likewise. */
export const x64Sets = { baseline: 'pni', avx2: 'avx2', avx512: 'avx512vl' };

/** Whether this CPU has a feature. */
export function hasFeature(name) {
  const [flags = ''] = readFileSync('/proc/cpuinfo', 'utf8').match(/^flags.*$/m) ?? [];
  return flags.split(/\s+/).includes(name);
}

export const words = ({ set, core }) => `kernels ${set}, BLAS ${core}`;
