// `npm run example <name> [-- options]` runs an example; without a name it lists them.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './support.mjs';

const [name, ...options] = process.argv.slice(2);
const folder = join(root, 'examples');
const names = readdirSync(folder).filter((entry) => existsSync(join(folder, entry, 'main.ts')));

if (names.includes(name)) {
  await import('./setup.mjs');
  const program = join(root, 'build/tools/examples', name, 'main.js');
  process.argv.splice(1, process.argv.length, program, ...options);
  await import(pathToFileURL(program).href);
} else {
  if (name !== undefined) {
    console.error(`no example is called ${name}`);
    process.exitCode = 1;
  }
  console.log('npm run example <name> [-- options], with one of:');
  const width = Math.max(...names.map((entry) => entry.length));
  for (const entry of names) {
    // The first comment line of an example is its title.
    const [, title] = /^\/\/ (.*)$/m.exec(readFileSync(join(folder, entry, 'main.ts'), 'utf8')) ?? [];
    console.log(`  ${entry.padEnd(width)}  ${title}`);
  }
}
