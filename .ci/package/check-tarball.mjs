// Checks the packed package: node .ci/package/check-tarball.mjs <tarball> <folder with its contents>
// Its size, the licences' texts, that it runs nothing at its installation, and that its documents lead to files in it.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const [, , tarball, folder] = process.argv;
const largest = 4.8e6;

const problems = [];
const expect = (holds, problem) => {
  if (!holds) problems.push(problem);
};
const text = (file) => readFileSync(join(folder, file), 'utf8');
const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));

const { size } = statSync(tarball);
console.log(
  `packed: ${size} bytes, unpacked: ${files.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0)} bytes`,
);
expect(size <= largest, `expected a tarball of at most ${largest} bytes, got ${size}`);

const { license, scripts, dependencies } = JSON.parse(text('package.json'));
expect(dependencies === undefined, `expected no dependencies, got ${Object.keys(dependencies ?? {})}`);
expect(
  license === 'MIT' && text('LICENSE').startsWith('MIT License'),
  `expected the licence MIT with its text, got ${license}`,
);
const notices = files.includes('THIRD_PARTY_NOTICES') ? text('THIRD_PARTY_NOTICES') : '';
const hasNotice = /The OpenBLAS Project.*Redistributions in binary form/s.test(notices);
expect(hasNotice, 'expected the notice of OpenBLAS in THIRD_PARTY_NOTICES');
for (const name of ['preinstall', 'install', 'postinstall']) {
  expect(scripts[name] === undefined, `expected no script ${name}`);
}

// `npm run pictures` draws the pictures of the examples; they are neither in the repository nor in the package.
for (const file of files.filter((name) => name.endsWith('.md'))) {
  for (const [, target] of text(file).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
    const path = normalize(join(dirname(file), target));
    if (/^[a-z]+:/.test(target) || path.startsWith('docs/pictures/')) continue;
    expect(existsSync(join(folder, path)), `${file}: the link to ${target} leads to nothing in the package`);
  }
}

for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
