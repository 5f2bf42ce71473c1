// Runs the native code under tools that find what tests can't see. Each job builds what it needs; the status is 0 if
// nothing was found.
//   node scripts/sanitizers.mjs <job> [arguments]
//     tests address|thread|thread-all   the C++ tests; `thread` with the baseline kernels alone, and without long cases
//                                       of one thread
//     suite [vitest arguments]   the tests, under AddressSanitizer and UndefinedBehaviorSanitizer
//     calls [rounds]             with these, test/lifecycle/fixtures/hostile.mjs calls the addon with random arguments
//     leaks [rounds]             test/sanitizers/exercise.mjs under LeakSanitizer
//     races [rounds]             the same under ThreadSanitizer
//     valgrind [rounds]          the same under valgrind, which also checks OpenBLAS
//     fuzz [targets]             plan and call (native/fuzz), those of test/fuzz/readers.mjs, two at a time, for
//                                BLASNET_FUZZ_SECONDS each (60)
//     planted                    the jobs on builds with bugs (native/test/planted), which each must find
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { headerEnvironment, root, run, works } from './support.mjs';

const node = process.execPath;
// Jobs may run at the same time.
const reports = join(root, 'build/sanitizers', String(process.pid));
process.on('exit', () => rmSync(reports, { recursive: true, force: true }));
const exercise = join(root, 'test/sanitizers/exercise.mjs');

/** Builds under sanitizers. What a race depends on is the same in all instruction sets, so one is enough. */
const builds = {
  address: { directory: 'build/cpp-address', sanitizers: 'address,undefined' },
  thread: { directory: 'build/cpp-thread', sanitizers: 'thread', baselineOnly: true },
  'thread-all': { directory: 'build/cpp-thread-all', sanitizers: 'thread' },
};

function fail(message) {
  console.error(message);
  process.exit(2);
}

// Node-API's, the same for all versions of Node.js; cmake-js depends on them.
const apiHeaders = createRequire(join(root, 'node_modules/cmake-js/package.json'))('node-api-headers').include_dir;

function mustRun(directory, command, args, options) {
  const { ok, output } = run(command, args, options);
  if (!ok) fail(`the build of ${directory} failed:\n${output}`);
}

/**
 * Builds targets under sanitizers; returns their directory. All jobs share the objects, so every call configures the
 * same but for `plainBlas`, which changes only what is linked.
 */
function build(kind, plainBlas, targets) {
  const { directory, sanitizers, baselineOnly = false } = builds[kind];
  const definitions = {
    SANITIZE: sanitizers,
    BLASNET_TESTS: 'ON',
    BLASNET_PLANT: 'ON',
    BLASNET_PLAIN_BLAS: plainBlas ? 'ON' : 'OFF',
    BLASNET_BASELINE_ONLY: baselineOnly ? 'ON' : 'OFF',
    CMAKE_JS_INC: apiHeaders,
  };
  const options = Object.entries(definitions).map(([name, value]) => `-D${name}=${value}`);
  mustRun(directory, 'cmake', ['-S', '.', '-B', directory, '-G', 'Ninja', ...options]);
  mustRun(directory, 'ninja', ['-C', directory, ...targets]);
  return join(root, directory);
}

const addons = ['blasnet', 'blasnet_planted'];

/** Builds the addon, also with planted bugs; returns its path. */
function buildAddon(kind, planted) {
  return join(build(kind, kind !== 'address', addons), `blasnet${planted ? '_planted' : ''}.node`);
}

/** The addon for valgrind: the build of cmake-js, without sanitizers. */
function buildPlain(planted) {
  const directory = 'build/cmake-js';
  const cmakeJs = join(root, 'node_modules/cmake-js/bin/cmake-js');
  // The directory may have been configured without planted bugs, and `build` alone would not change that.
  for (const step of ['configure', 'build']) {
    const args = [cmakeJs, step, '--out', directory, '--config', 'Release', '--CDBLASNET_PLANT=ON'];
    mustRun(directory, node, args, { env: { ...process.env, ...headerEnvironment() } });
  }
  return join(root, directory, 'Release', `blasnet${planted ? '_planted' : ''}.node`);
}

/** The sanitizers' libraries must be loaded before Node's own allocations. */
function preload(...names) {
  return names
    .map((name) => {
      const path = run('g++', [`-print-file-name=${name}`]).output.trim();
      return path.includes('/') ? path : fail(`g++ knows no ${name}`);
    })
    .join(' ');
}

// Older sanitizers don't start if addresses are randomised over a wide range.
const fixed = works('setarch', ['-R', 'true']) ? ['setarch', '-R'] : [];

/**
 * Runs Node with an addon; returns { ok, report }: the tool's report, followed by the output. Any report counts as a
 * failure, even if the run continued.
 */
function observe({ addon, args, env, launcher = [] }) {
  rmSync(reports, { recursive: true, force: true });
  mkdirSync(reports, { recursive: true });
  const [command, ...rest] = [...launcher, node, ...args];
  const environment = { ...process.env, BLASNET_BINARY: addon, ...env };
  const { ok, output } = run(command, rest, { env: environment, timeout: 1800e3 });
  const files = readdirSync(reports).map((name) => readFileSync(join(reports, name), 'utf8'));
  return { ok: ok && files.length === 0, report: [...files, output].join('\n') };
}

const log = join(reports, 'report');

/** Node's environment under AddressSanitizer and UndefinedBehaviorSanitizer. */
const watched = () => ({
  LD_PRELOAD: preload('libasan.so', 'libstdc++.so'),
  // Memory of the runner's killed processes is not a leak. A smaller quarantine lets the memory tests pass.
  ASAN_OPTIONS: `detect_leaks=0:quarantine_size_mb=32:log_path=${log}`,
  UBSAN_OPTIONS: `print_stacktrace=1:log_path=${log}`,
});

const jobs = {
  tests([kind]) {
    if (!(kind in builds)) fail(`expected one of ${Object.keys(builds).join(', ')}, got ${kind}`);
    const [command, ...args] = [...fixed, join(build(kind, false, ['blasnet_tests']), 'blasnet_tests')];
    if (kind === 'thread') args.push('--threads');
    const env = { ...process.env, UBSAN_OPTIONS: 'print_stacktrace=1' };
    const { ok, output } = run(command, args, { env, timeout: 900e3 });
    return { ok, report: output.trimEnd() };
  },
  suite(args, planted = false) {
    const addon = buildAddon('address', planted);
    const counts = join(root, `build/sanitizers-${planted ? 'planted' : 'suite'}.json`);
    rmSync(counts, { force: true });
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${counts}`];
    // After a thousand epochs, the rounding of an unoptimised build has diverged from the reference. The limits on
    // event loop gaps and memory apply to builds without sanitizers; the job `leaks` finds leaks.
    const excluded = ['test/golden/runs.test.ts', 'test/lifecycle/{event-loop,memory}.test.ts'].flatMap((file) => [
      '--exclude',
      file,
    ]);
    const vitest = ['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...excluded];
    const env = { ...watched(), BLASNET_REQUIRE_NATIVE: '1', BLASNET_TEST_TYPESCRIPT: '0' };
    const { ok, report } = observe({ addon, env, args: [...vitest, ...args] });
    const counted = run(node, ['.ci/count-vitest.mjs', counts, ok ? '0' : '1']).output;
    const [passed, failed] = counted.split(' ').map(Number);
    return { ok: ok && failed === 0, report: `${report}\n${passed} passed, ${failed} failed` };
  },
  calls([rounds = '1000']) {
    const addon = buildAddon('address', false);
    const library = pathToFileURL(join(root, 'dist/index.js')).href;
    const results = ['plans', 'runs', 'kernels'].map((what) => {
      const args = ['test/lifecycle/fixtures/hostile.mjs', library, addon, what, String(Date.now() % 2 ** 31), rounds];
      const { ok, report } = observe({ addon, env: watched(), args });
      return { ok: ok && report.includes('"wrong":[]'), report: `${args.slice(3).join(' ')}: ${report}` };
    });
    return { ok: results.every(({ ok }) => ok), report: results.map(({ report }) => report).join('\n') };
  },
  leaks([rounds = '3'], planted = false) {
    const addon = buildAddon('address', planted);
    const env = {
      LD_PRELOAD: preload('libasan.so', 'libstdc++.so'),
      ASAN_OPTIONS: `detect_leaks=1:log_path=${log}`,
      LSAN_OPTIONS: `print_suppressions=0:suppressions=${join(root, 'test/sanitizers/leaks.supp')}`,
    };
    const once = () => observe({ addon, env, args: [exercise, rounds] });
    const result = once();
    // The tool itself can crash while it stops the threads; then it has looked at nothing.
    return result.report.includes('LeakSanitizer has encountered a fatal error') ? once() : result;
  },
  races([rounds = '3'], planted = false) {
    const addon = buildAddon('thread', planted);
    const env = {
      LD_PRELOAD: preload('libtsan.so'),
      TSAN_OPTIONS: `ignore_noninstrumented_modules=1:log_path=${log}`,
    };
    return observe({ addon, env, launcher: fixed, args: [exercise, rounds] });
  },
  valgrind([rounds = '1'], planted = false) {
    const addon = buildPlain(planted);
    const suppressions = `--suppressions=${join(root, 'test/sanitizers/valgrind.supp')}`;
    const launcher = ['valgrind', '--error-exitcode=9', '--quiet', suppressions];
    return observe({ addon, env: {}, launcher, args: [exercise, rounds] });
  },
};

function buildFuzzers() {
  const compiler = ['clang++', 'clang++-14'].find((name) => works(name)) ?? fail('the fuzz targets need clang++');
  const configure = ['-S', '.', '-B', 'build/fuzz', '-G', 'Ninja', '-DBLASNET_FUZZ=ON', '-DBLASNET_PLANT=ON'];
  const env = { ...process.env, CC: compiler.replace('++', ''), CXX: compiler };
  for (const [command, args] of [
    ['cmake', configure],
    ['ninja', ['-C', 'build/fuzz']],
  ]) {
    const { ok, output } = run(command, args, { env });
    if (!ok) fail(`the build of build/fuzz failed:\n${output}`);
  }
}

const seconds = process.env.BLASNET_FUZZ_SECONDS ?? '60';

function writeSeeds(target) {
  const seeds = join(root, 'build/fuzz/seeds', target);
  rmSync(seeds, { recursive: true, force: true });
  const { ok, output } = run(node, ['native/fuzz/seeds.mjs', target, seeds]);
  return ok ? seeds : fail(`no seeds for ${target}:\n${output}`);
}

/** libFuzzer keeps new inputs in build/fuzz/corpus. */
function nativeFuzzer(target) {
  const corpus = join(root, 'build/fuzz/corpus', target);
  mkdirSync(corpus, { recursive: true });
  const limits = [`-max_total_time=${seconds}`, '-timeout=20', '-rss_limit_mb=2048', '-max_len=16384'];
  const artifacts = '-artifact_prefix=build/fuzz/';
  return [`build/fuzz/fuzz_${target}`, ...limits, artifacts, '-print_final_stats=1', corpus, writeSeeds(target)];
}

const fuzzers = {
  plan: () => nativeFuzzer('plan'),
  call: () => nativeFuzzer('call'),
  ...Object.fromEntries(
    ['safetensors', 'idx', 'npy', 'npz', 'tfjs', 'onnx', 'csv', 'parquet'].map((name) => {
      return [name, () => [node, 'test/fuzz/readers.mjs', name, '--seconds', seconds]];
    }),
  ),
};

function startFuzzer(name) {
  const [command, ...args] = fuzzers[name]();
  return new Promise((resolve) => {
    const process = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [process.stdout, process.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    process.on('error', (error) => resolve({ name, ok: false, output: error.message }));
    process.on('close', (status) => resolve({ name, ok: status === 0, output }));
  });
}

/** The relevant part of a fuzzer's output: for libFuzzer, the number of runs and its findings. */
const summary = (output) =>
  output
    .split('\n')
    .filter((line) => !/^#\d|NEW_FUNC|^INFO|# Uses:|^$/.test(line))
    .slice(-60)
    .join('\n');

async function fuzz(chosen) {
  const names = chosen.length > 0 ? chosen : Object.keys(fuzzers);
  const unknown = names.filter((name) => !(name in fuzzers));
  if (unknown.length > 0) fail(`expected some of ${Object.keys(fuzzers).join(', ')}, got ${unknown.join(', ')}`);
  if (names.includes('plan') || names.includes('call')) buildFuzzers();
  let found = 0;
  for (let i = 0; i < names.length; i += 2) {
    for (const { name, ok, output } of await Promise.all(names.slice(i, i + 2).map(startFuzzer))) {
      if (!ok) found++;
      console.log(`fuzz ${name}: ${ok ? 'nothing found' : 'failed'}\n${summary(output).replace(/^/gm, '    ')}`);
    }
  }
  console.log(`${names.length - found} passed, ${found} failed`);
  return found === 0;
}

/** Runs the C++ tests of runs on several threads. */
function testsOnThreads() {
  const directory = build('thread', true, ['planted_tests']);
  const [command, ...args] = [...fixed, join(directory, 'planted_tests'), 'runGivesTheSameOnAnyNumberOfThreads'];
  const { ok, output } = run(command, args);
  return { ok, report: output };
}

function fuzzCorpus() {
  buildFuzzers();
  const { ok, output } = run('build/fuzz/fuzz_planted', [
    '-runs=0',
    '-artifact_prefix=build/fuzz/',
    writeSeeds('call'),
  ]);
  return { ok, report: output };
}

const products = ['test/conformance/native.test.ts', '-t', 'gemm'];
/** Planted bugs, the jobs that must find them, and the expected reports. */
const plants = [
  { bug: 'overflow', by: 'suite', job: () => jobs.suite(products, true), expected: /heap-buffer-overflow/ },
  { bug: 'undefined', by: 'suite', job: () => jobs.suite(products, true), expected: /signed integer overflow/ },
  { bug: 'array-overflow', by: 'leaks', job: () => jobs.leaks(['1'], true), expected: /heap-buffer-overflow/ },
  { bug: 'leak', by: 'leaks', job: () => jobs.leaks(['1'], true), expected: /detected memory leaks/ },
  { bug: 'race', by: 'C++ tests', job: testsOnThreads, expected: /data race/ },
  {
    bug: 'blas-overrun',
    by: 'valgrind',
    job: () => jobs.valgrind(['1'], true),
    expected: /Invalid (read|write) of size/,
  },
  { bug: 'blas-overrun', by: 'fuzz', job: fuzzCorpus, expected: /heap-buffer-overflow/ },
];

function findPlanted() {
  let missed = 0;
  for (const { bug, by, job, expected } of plants) {
    process.env.BLASNET_PLANT = bug;
    const { ok, report } = job();
    const found = !ok && expected.test(report) && report.includes('cblas_sgemm');
    if (!found) missed++;
    console.log(`planted ${bug}: ${found ? 'found' : 'not found'} by ${by}${found ? '' : `:\n${report}`}`);
  }
  console.log(`${plants.length - missed} passed, ${missed} failed`);
  return missed === 0;
}

const [name, ...args] = process.argv.slice(2);
if (name === 'planted') {
  if (!findPlanted()) process.exitCode = 1;
} else if (name === 'fuzz') {
  if (!(await fuzz(args))) process.exitCode = 1;
} else {
  if (!(name in jobs)) fail(`expected one of ${[...Object.keys(jobs), 'fuzz', 'planted'].join(', ')}, got ${name}`);
  const { ok, report } = jobs[name](args);
  console.log(report);
  if (!ok) process.exitCode = 1;
}
