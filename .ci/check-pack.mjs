// Checks what is published: the list of files, the licences' texts, that nothing runs at an installation, and that the
// documents lead to files in the package.
//   node .ci/check-pack.mjs                      what `npm pack` would take
//   node .ci/check-pack.mjs <tarball> <folder>   a tarball and its unpacked contents: the binaries for Linux, and the
//                                                size as well
//   node .ci/check-pack.mjs <tarball> <folder> --release   the same, with the binaries for all systems, of any size
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { macs } from '../scripts/prebuild/mac.mjs';
import { targets } from '../scripts/prebuild/targets.mjs';
import { windows } from '../scripts/prebuild/windows.mjs';

const [tarball, folder = '.', release] = process.argv.slice(2);
const isRelease = release === '--release';
const largest = isRelease ? Number.POSITIVE_INFINITY : 4.8e6;

function listed() {
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { encoding: 'utf8' });
  return JSON.parse(output)[0].files.map((file) => file.path);
}
function unpacked() {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return entries.map(({ parentPath, name }) => relative(folder, join(parentPath, name)));
}
const files = tarball ? unpacked() : listed();
const prebuilds = (isRelease ? [...targets, ...macs, windows] : targets).map(({ file }) => file);
const needed = [
  ...['LICENSE', 'THIRD_PARTY_NOTICES', 'README.md', 'dist/cli/main.js', 'dist/index.js', 'dist/index.d.ts'],
  ...['dist/cjs/index.cjs', 'dist/types/index.d.ts', 'dist/types/package.json', 'dist/data/index.js'],
  ...['dist/kernels/index.js', 'native/binding.gyp', 'native/sources.gypi', 'native/exports.map', 'native/napi/napi.h'],
  ...['scripts/build-addon.mjs', 'scripts/openblas.mjs', 'scripts/support.mjs', ...(tarball ? prebuilds : [])],
];
// A binding.gyp in the root would make npm compile at every `npm ci` of a dependent.
const unwanted =
  /\.(js|cjs|ts)\.map$|^(binding\.gyp|native\/(build|test)\/|node_modules\/|test\/|build\/|bench\/(?!results\/)|examples\/|\.)/;

const problems = [];
const expect = (holds, problem) => {
  if (!holds) problems.push(problem);
};
const text = (file) => (files.includes(file) ? readFileSync(join(folder, file), 'utf8') : '');
for (const path of needed) expect(files.includes(path), `missing: ${path}`);
for (const path of files) {
  expect(!unwanted.test(path) && (!path.startsWith('prebuilds/') || prebuilds.includes(path)), `unwanted: ${path}`);
}
if (tarball) {
  const { size } = statSync(tarball);
  const whole = files.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
  console.log(`packed: ${size} bytes, unpacked: ${whole} bytes`);
  expect(size <= largest, `expected a tarball of at most ${largest} bytes, got ${size}`);
}

const { license, scripts, dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
expect(dependencies === undefined, `expected no dependencies, got ${Object.keys(dependencies ?? {})}`);
const licensed = license === 'MIT' && text('LICENSE').startsWith('MIT License');
expect(licensed, `expected the licence MIT with its text, got ${license}`);
const hasNotice = /The OpenBLAS Project.*Redistributions in binary form/s.test(text('THIRD_PARTY_NOTICES'));
expect(hasNotice, 'expected the notice of OpenBLAS in THIRD_PARTY_NOTICES');
for (const name of ['preinstall', 'install', 'postinstall']) {
  expect(scripts[name] === undefined, `expected no script ${name}`);
}

// `npm run pictures` draws the pictures of the examples; they are neither in the repository nor in the package.
for (const file of files.filter((name) => name.endsWith('.md'))) {
  for (const [, target] of text(file).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
    const path = normalize(join(dirname(file), target));
    if (/^[a-z]+:/.test(target) || path.startsWith('docs/pictures/')) continue;
    const leads = files.some((found) => found === path || found.startsWith(`${path.replace(/\/$/, '')}/`));
    expect(leads, `${file}: the link to ${target} leads to nothing in the package`);
  }
}

for (const problem of problems) console.error(problem);
console.log(`${files.length} files`);
if (problems.length > 0) process.exitCode = 1;
