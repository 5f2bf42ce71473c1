/** Every example runs in its short form on the built files, and its own checks hold. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const names = readdirSync(`${root}/examples`).filter((name) => existsSync(`${root}/examples/${name}/main.ts`));

/** Status of a script and all that it printed. */
function node(...args: string[]): Promise<{ status: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const append = (chunk: Buffer) => {
      output += chunk;
    };
    child.stdout.on('data', append);
    child.stderr.on('data', append);
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, output }));
  });
}

// Some take a minute on the TypeScript backend.
it.each(names)(
  '%s',
  async (name) => {
    expect(existsSync(`${root}/examples/${name}/README.md`), 'it has a README.md').toBe(true);
    const { status, output } = await node(`build/tools/examples/${name}/main.js`, '--quick');
    expect(status, output).toBe(0);
    expect(output).toMatch(/holds: |test accuracy: /);
    const report = /^report: (.+report\.html)$/.exec(output.trimEnd().split('\n').at(-1) ?? '')?.[1] ?? '';
    const page = readFileSync(`${root}/${report}`, 'utf8');
    expect(page).toMatch(/^<!DOCTYPE html>/);
    // Nothing is loaded from elsewhere, and pictures are in the page.
    expect(page).not.toMatch(/\b(?:src|href)="(?!data:)/);
  },
  240_000,
);

it.each(names)(
  '%s: its README.md says how to run it, shows pictures that exist and states the bounds it checks',
  (name) => {
    const folder = `${root}/examples/${name}`;
    const readme = readFileSync(`${folder}/README.md`, 'utf8');
    expect(readme).toMatch(`# ${name}\n`);
    if (name !== 'mnist') expect(readme).toContain(`npm run example ${name}\n`);
    for (const [, file] of readme.matchAll(/!\[[^\]]*\]\(([^)]*)\)/g))
      expect(existsSync(`${folder}/${file}`), file).toBe(true);
    const program = readFileSync(`${folder}/main.ts`, 'utf8');
    for (const [, bound] of program.matchAll(/^const (?:bound|least|most) = quick \? [\d.]+ : ([\d.]+);$/gm))
      expect(readme, 'the bound of the full run').toContain(bound);
  },
);

it('without a name, the examples are listed', async () => {
  const { status, output } = await node('scripts/example.mjs');
  expect(status).toBe(0);
  for (const name of names) expect(output).toContain(`  ${name} `);
});

it('an unknown name is refused', async () => {
  const { status, output } = await node('scripts/example.mjs', 'nothing');
  expect(status).toBe(1);
  expect(output).toContain('no example is called nothing');
});

it('mnist-record gives all runs as JSON', async () => {
  const program = 'build/tools/examples/mnist-record/main.js';
  const { status, output } = await node(program, '--goals', '97', '--seeds', '2', '--json');
  expect(status, output).toBe(0);
  const [{ goal, runs }] = JSON.parse(output).results;
  expect(goal).toBe('97');
  expect(runs.map(({ seed }: { seed: number }) => seed)).toEqual([1, 2]);
  // Two seeds are two trainings, which may classify as many images; and every image of the test set counts.
  expect(runs[0].loss).not.toBe(runs[1].loss);
  for (const { accuracy, loss, seconds } of runs) {
    expect(loss).toBeGreaterThan(0);
    expect(accuracy).toBeGreaterThan(0.96);
    expect(accuracy * 10_000).toBeCloseTo(Math.round(accuracy * 10_000), 6);
    expect(seconds).toBeGreaterThan(0);
  }
}, 240_000);

it.each([
  ['--goals', '97,96', '--goals: expected some of 97,98,99,99.4, got 97,96'],
  ['--seeds', 'x', '--seeds: expected a number of runs, got x'],
])('mnist-record refuses %s %s', async (option, value, message) => {
  const { status, output } = await node('build/tools/examples/mnist-record/main.js', option, value);
  expect(status).toBe(1);
  expect(output).toContain(message);
});
