// The native side under tools that find what tests can't see. Each job builds what it needs; the status is 0 when nothing was found.
//   node scripts/sanitizers.mjs suite [vitest arguments]   the tests, under AddressSanitizer and UndefinedBehaviorSanitizer
//   node scripts/sanitizers.mjs calls [rounds]             test/lifecycle/fixtures/hostile.mjs, which calls the addon with anything, under these
//   node scripts/sanitizers.mjs leaks [rounds]             test/sanitizers/exercise.mjs under LeakSanitizer
//   node scripts/sanitizers.mjs races [rounds]             the same under ThreadSanitizer
//   node scripts/sanitizers.mjs valgrind [rounds]          the same under valgrind, which sees into OpenBLAS too
//   node scripts/sanitizers.mjs fuzz [targets]             plan and call (native/fuzz), safetensors and idx (test/fuzz), two at a time,
//                                                          for BLASNET_FUZZ_SECONDS each (60)
//   node scripts/sanitizers.mjs planted                    the jobs on builds with bugs (native/test/planted), which each must find
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root, works } from './support.mjs';

const node = process.execPath;
const reports = join(root, 'build/sanitizers');
const exercise = join(root, 'test/sanitizers/exercise.mjs');

/** Builds of the addon: where they lie, and under which sanitizers they run. */
const builds = {
  address: { directory: 'build/cpp-address', sanitizers: 'address,undefined', configuration: 'Debug' },
  thread: { directory: 'build/cpp-thread', sanitizers: 'thread', configuration: 'Debug' },
  plain: { directory: 'build/cmake-js', sanitizers: '', configuration: 'Release' },
};

function fail(message) {
  console.error(message);
  process.exit(2);
}

function execute(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28, ...options });
  return { status: result.status ?? 1, output: `${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}` };
}

/** Builds the addon, its C++ tests and both with planted bugs; the addon's path. */
function build(kind, planted) {
  const { directory, sanitizers, configuration } = builds[kind];
  const prefix = join(dirname(node), '..');
  const headers = existsSync(join(prefix, 'include/node/node_api.h')) ? { npm_config_nodedir: prefix } : {};
  const definitions = [
    `--CDSANITIZE=${sanitizers}`,
    '--CDBLASNET_PLANT=ON',
    ...(sanitizers === '' ? [] : ['--CDBLASNET_TESTS=ON']),
  ];
  const cmakeJs = join(root, 'node_modules/cmake-js/bin/cmake-js');
  // The folder may have been configured before, for the C++ tests alone: `build` by itself would leave it at that.
  for (const step of ['configure', 'build']) {
    const args = [cmakeJs, step, '--out', directory, '--config', configuration, ...definitions];
    const { status, output } = execute(node, args, { env: { ...process.env, ...headers } });
    if (status !== 0) fail(`the build of ${directory} failed:\n${output}`);
  }
  return join(root, directory, configuration, `blasnet${planted ? '_planted' : ''}.node`);
}

/** The sanitizers' libraries must be there before Node's own allocations. */
function preload(...names) {
  return names
    .map((name) => {
      const path = execute('g++', [`-print-file-name=${name}`]).output.trim();
      return path.includes('/') ? path : fail(`g++ knows no ${name}`);
    })
    .join(' ');
}

// Older sanitizers do not start where addresses are randomised over a wide range.
const fixed = execute('setarch', ['-R', 'true']).status === 0 ? ['setarch', '-R'] : [];

/** Runs Node on an addon; { ok, report }: what the tool wrote, followed by the output. A report counts even where the run went on. */
function observe({ addon, args, env, launcher = [] }) {
  rmSync(reports, { recursive: true, force: true });
  mkdirSync(reports, { recursive: true });
  const [command, ...rest] = [...launcher, node, ...args];
  const { status, output } = execute(command, rest, {
    env: { ...process.env, BLASNET_BINARY: addon, ...env },
    timeout: 1800e3,
  });
  const files = readdirSync(reports).map((name) => readFileSync(join(reports, name), 'utf8'));
  return { ok: status === 0 && files.length === 0, report: [...files, output].join('\n') };
}

const log = join(reports, 'report');

/** The environment of Node under AddressSanitizer and UndefinedBehaviorSanitizer. */
const watched = () => ({
  LD_PRELOAD: preload('libasan.so', 'libstdc++.so'),
  // What the runner's killed processes leave behind is no leak; a smaller quarantine leaves room for the tests of memory.
  ASAN_OPTIONS: `detect_leaks=0:quarantine_size_mb=32:log_path=${log}`,
  UBSAN_OPTIONS: `print_stacktrace=1:log_path=${log}`,
});

const jobs = {
  suite(args, planted = false) {
    const addon = build('address', planted);
    const counts = join(root, 'build/sanitizers.json');
    rmSync(counts, { force: true });
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${counts}`];
    // A thousand epochs on, the rounding of a build without optimisation has led away from the reference.
    const excluded = ['--exclude', 'test/golden/runs.test.ts'];
    const vitest = ['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...excluded];
    const env = { ...watched(), BLASNET_REQUIRE_NATIVE: '1' };
    const { ok, report } = observe({ addon, env, args: [...vitest, ...args] });
    const counted = execute(node, ['.ci/count-vitest.mjs', counts, ok ? '0' : '1']).output;
    const [passed, failed] = counted.split(' ').map(Number);
    return { ok: ok && failed === 0, report: `${report}\n${passed} passed, ${failed} failed` };
  },
  calls([rounds = '1000']) {
    const addon = build('address', false);
    const library = pathToFileURL(join(root, 'dist/index.js')).href;
    const results = ['plans', 'runs', 'kernels'].map((what) => {
      const args = ['test/lifecycle/fixtures/hostile.mjs', library, addon, what, String(Date.now() % 2 ** 31), rounds];
      const { ok, report } = observe({ addon, env: watched(), args });
      return { ok: ok && report.includes('"wrong":[]'), report: `${args.slice(3).join(' ')}: ${report}` };
    });
    return { ok: results.every(({ ok }) => ok), report: results.map(({ report }) => report).join('\n') };
  },
  leaks([rounds = '3'], planted = false) {
    const addon = build('address', planted);
    const env = {
      LD_PRELOAD: preload('libasan.so', 'libstdc++.so'),
      ASAN_OPTIONS: `detect_leaks=1:log_path=${log}`,
      LSAN_OPTIONS: `print_suppressions=0:suppressions=${join(root, 'test/sanitizers/leaks.supp')}`,
    };
    return observe({ addon, env, args: [exercise, rounds] });
  },
  races([rounds = '3'], planted = false) {
    const addon = build('thread', planted);
    const env = {
      LD_PRELOAD: preload('libtsan.so'),
      TSAN_OPTIONS: `ignore_noninstrumented_modules=1:log_path=${log}`,
    };
    return observe({ addon, env, launcher: fixed, args: [exercise, rounds] });
  },
  valgrind([rounds = '1'], planted = false) {
    const addon = build('plain', planted);
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
    const { status, output } = execute(command, args, { env });
    if (status !== 0) fail(`the build of build/fuzz failed:\n${output}`);
  }
}

const seconds = process.env.BLASNET_FUZZ_SECONDS ?? '60';

function writeSeeds(target) {
  const seeds = join(root, 'build/fuzz/seeds', target);
  rmSync(seeds, { recursive: true, force: true });
  const { status, output } = execute(node, ['native/fuzz/seeds.mjs', target, seeds]);
  return status === 0 ? seeds : fail(`no seeds for ${target}:\n${output}`);
}

/** libFuzzer keeps what it finds new in build/fuzz/corpus. */
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
  safetensors: () => [node, 'test/fuzz/readers.mjs', 'safetensors', '--seconds', seconds],
  idx: () => [node, 'test/fuzz/readers.mjs', 'idx', '--seconds', seconds],
};

function startFuzzer(name) {
  const [command, ...args] = fuzzers[name]();
  return new Promise((resolve) => {
    const process = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [process.stdout, process.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
    process.on('error', (error) => resolve({ name, ok: false, output: error.message }));
    process.on('close', (status) => resolve({ name, ok: status === 0, output }));
  });
}

/** The part of a fuzzer's output that tells something: of libFuzzer's, the runs and what it found. */
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

/** The C++ tests of runs on several threads. */
function testsOnThreads() {
  build('thread', true);
  const [command, ...args] = [...fixed, 'build/cpp-thread/planted_tests', 'runGivesTheSameOnAnyNumberOfThreads'];
  const { status, output } = execute(command, args);
  return { ok: status === 0, report: output };
}

function fuzzCorpus() {
  buildFuzzers();
  const { status, output } = execute('build/fuzz/fuzz_planted', ['-runs=0', '-artifact_prefix=build/fuzz/', writeSeeds('call')]);
  return { ok: status === 0, report: output };
}

const products = ['test/conformance/native.test.ts', '-t', 'gemm'];
/** Bugs, the jobs that must find them, and what these must say. */
const plants = [
  { bug: 'overflow', by: 'suite', job: () => jobs.suite(products, true), expected: /heap-buffer-overflow/ },
  { bug: 'undefined', by: 'suite', job: () => jobs.suite(products, true), expected: /signed integer overflow/ },
  { bug: 'array-overflow', by: 'leaks', job: () => jobs.leaks(['1'], true), expected: /heap-buffer-overflow/ },
  { bug: 'leak', by: 'leaks', job: () => jobs.leaks(['1'], true), expected: /detected memory leaks/ },
  { bug: 'race', by: 'C++ tests', job: testsOnThreads, expected: /data race/ },
  { bug: 'blas-overrun', by: 'valgrind', job: () => jobs.valgrind(['1'], true), expected: /Invalid (read|write) of size/ },
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
