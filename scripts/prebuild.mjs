// Builds the package's prebuilt binaries and everything they need: compilers, OpenBLAS, zig.
//   npm run prebuild [-- <target>...]           builds the named targets, by default those for Linux
//   npm run prebuild -- --test [<target>...]    tests existing binaries
//   npm run prebuild -- --source                fetches and unpacks OpenBLAS's source, for a Mac to build from
// docs/packaging.md and docs/platforms.md describe them.
import { buildTarget } from './prebuild/build.mjs';
import { buildMac, macs } from './prebuild/mac.mjs';
import { unpack } from './prebuild/openblas.mjs';
import { targets } from './prebuild/targets.mjs';
import { testTargets } from './prebuild/test.mjs';
import { installCompilers, installZig } from './prebuild/tools.mjs';
import { buildWindows, windows } from './prebuild/windows.mjs';
import { testWindows } from './prebuild/windows-test.mjs';
import { withLock } from './support.mjs';

function buildLinux(wanted) {
  installCompilers(wanted);
  const zig = installZig();
  for (const target of wanted) buildTarget(target, zig);
}

function testMacs() {
  throw new Error('a binary for macOS is tested on a Mac, by the suite: BLASNET_BINARY=<file> npm test');
}

// Targets by system. `build` and `test` take the selected targets; `test` returns whether all checks passed.
const systems = [
  { targets, build: buildLinux, test: (wanted) => testTargets(wanted, installZig()) },
  { targets: [windows], build: buildWindows, test: testWindows },
  { targets: macs, build: (wanted) => wanted.forEach(buildMac), test: testMacs },
];

function checkNames(names) {
  const known = systems.flatMap((system) => system.targets.map((target) => target.name));
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new Error(`expected --test, --source or targets out of ${known.join(', ')}, got '${unknown}'`);
}

function main(args) {
  if (args.join() === '--source') {
    unpack();
    return;
  }
  const test = args.includes('--test');
  const named = args.filter((argument) => argument !== '--test');
  checkNames(named);
  const names = named.length > 0 ? named : targets.map((target) => target.name);
  for (const system of systems) {
    const wanted = system.targets.filter(({ name }) => names.includes(name));
    if (wanted.length === 0) continue;
    if (!test) system.build(wanted);
    else if (!system.test(wanted)) process.exitCode = 1;
  }
}

try {
  const args = process.argv.slice(2);
  // Tests only read what a build has made, so those of two architectures may run at the same time.
  if (args.includes('--test')) main(args);
  else withLock('build/prebuild.lock', () => main(args));
} catch (error) {
  console.error(`prebuild: ${error.message}`);
  process.exitCode = 1;
}
