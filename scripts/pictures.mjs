// `npm run pictures` runs the examples that draw, and puts their pictures where docs/tutorials.md shows them. The
// pictures are not kept in the repository. With --quick the examples take their short form.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './support.mjs';

const examples = ['mnist-1000', 'initialisation-grid', 'optimizers', 'moons', 'mnist-deep', 'regression'];
const target = join(root, 'docs/pictures');

rmSync(target, { recursive: true, force: true });
for (const name of examples) {
  const command = [join(root, 'scripts/example.mjs'), name, ...process.argv.slice(2)];
  const { status } = spawnSync(process.execPath, command, { stdio: 'inherit' });
  if (status !== 0) {
    console.error(`the example ${name} failed`);
    process.exit(1);
  }
  const made = join(root, 'build/examples', name);
  mkdirSync(join(target, name), { recursive: true });
  for (const file of readdirSync(made).filter((entry) => entry.endsWith('.svg') || entry.endsWith('.html'))) {
    cpSync(join(made, file), join(target, name, file));
  }
}
console.log('the pictures are in docs/pictures; docs/tutorials.md shows them');
