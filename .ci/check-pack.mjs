// Checks the list of files that `npm pack` would publish; with --prebuilds, that all prebuilt binaries are among them.
import { execFileSync } from 'node:child_process';
import { targets } from '../scripts/prebuild/targets.mjs';

const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { encoding: 'utf8' });
const files = JSON.parse(output)[0].files.map((file) => file.path);
const needed = [
  'LICENSE',
  'THIRD_PARTY_NOTICES',
  'README.md',
  'dist/cli/main.js',
  'dist/index.js',
  'dist/index.d.ts',
  'dist/cjs/index.cjs',
  'dist/types/index.d.ts',
  'dist/types/package.json',
  'dist/data/index.js',
  'dist/kernels/index.js',
  'native/binding.gyp',
  'native/sources.gypi',
  'native/exports.map',
  'native/napi/napi.h',
  'scripts/build-addon.mjs',
  'scripts/openblas.mjs',
  'scripts/support.mjs',
];
const prebuilds = targets.map(({ file }) => file);
if (process.argv.includes('--prebuilds')) needed.push(...prebuilds);
// A binding.gyp in the root would make npm compile at every `npm ci` of a dependent.
const unwanted =
  /\.(js|cjs|ts)\.map$|^(binding\.gyp|native\/(build|test)\/|node_modules\/|test\/|build\/|bench\/(?!results\/)|examples\/|\.)/;

const problems = [
  ...needed.filter((path) => !files.includes(path)).map((path) => `missing: ${path}`),
  ...files
    .filter((path) => unwanted.test(path) || (path.startsWith('prebuilds/') && !prebuilds.includes(path)))
    .map((path) => `unwanted: ${path}`),
];
for (const problem of problems) console.error(problem);
console.log(`${files.length} files`);
if (problems.length > 0) process.exitCode = 1;
