// Prints name@version of everything that comes with the package when it is installed; fails on a licence that a user may have to ask about.
import { readFileSync } from 'node:fs';

const allowed = ['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'Apache-2.0', 'BlueOak-1.0.0'];
const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
for (const [path, { version, license, dev, devOptional, peer }] of Object.entries(packages)) {
  if (path === '' || dev || devOptional || peer) continue;
  console.log(`${path.split('node_modules/').at(-1)}@${version}`);
  if (!allowed.includes(license)) {
    console.error(`${path}: expected a licence among ${allowed.join(', ')}, got ${license}`);
    process.exitCode = 1;
  }
}
