// Makes the binaries that the package carries, with all they need: compilers, OpenBLAS, zig.
//   npm run prebuild [-- <target>...]           builds the targets named, all by default
//   npm run prebuild -- --test [<target>...]    tests binaries that were built before
// docs/packaging.md describes both.
import { buildTarget } from './prebuild/build.mjs';
import { targets } from './prebuild/targets.mjs';
import { testTargets } from './prebuild/test.mjs';
import { installCompilers, installZig } from './prebuild/tools.mjs';
import { withLock } from './support.mjs';

function chosenTargets(names) {
  for (const name of names) {
    if (targets.some((target) => target.name === name)) continue;
    const known = targets.map((target) => target.name).join(', ');
    throw new Error(`expected --test or targets out of ${known}, got '${name}'`);
  }
  return targets.filter(({ name }) => names.length === 0 || names.includes(name));
}

function build(wanted) {
  installCompilers(wanted);
  const zig = installZig();
  for (const target of wanted) buildTarget(target, zig);
}

try {
  const args = process.argv.slice(2);
  const wanted = chosenTargets(args.filter((argument) => argument !== '--test'));
  withLock('build/prebuild.lock', () => {
    if (!args.includes('--test')) build(wanted);
    else if (!testTargets(wanted, installZig())) process.exitCode = 1;
  });
} catch (error) {
  console.error(`prebuild: ${error.message}`);
  process.exitCode = 1;
}
