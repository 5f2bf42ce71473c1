// Checks the list of files that `npm pack` would publish.
import { execFileSync } from 'node:child_process';

const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { encoding: 'utf8' });
const files = JSON.parse(output)[0].files.map((file) => file.path);
const needed = [
  'LICENSE',
  'README.md',
  'dist/index.js',
  'dist/index.d.ts',
  'dist/data/index.js',
  'dist/kernels.js',
  'native/binding.gyp',
  'native/sources.gypi',
  'native/exports.map',
  'scripts/build-addon.mjs',
];
// A binding.gyp in the root would make npm compile at every `npm ci` of a dependent.
const unwanted = /^(binding\.gyp|native\/(build|test)\/|node_modules\/|test\/|build\/|bench\/(?!results\/)|examples\/|\.)/;

const problems = [
  ...needed.filter((path) => !files.includes(path)).map((path) => `missing: ${path}`),
  ...files.filter((path) => unwanted.test(path)).map((path) => `unwanted: ${path}`),
];
for (const problem of problems) console.error(problem);
console.log(`${files.length} files`);
if (problems.length > 0) process.exitCode = 1;
