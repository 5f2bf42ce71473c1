import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

it('runs the example of the README as it stands there', () => {
  const readme = readFileSync(`${root}/README.md`, 'utf8');
  const example = readme.match(/## Example\n\n```ts\n([\s\S]*?)```/)?.[1] ?? '';
  expect(example.trim().split('\n').length).toBeLessThanOrEqual(15);
  // The example is JavaScript as well; from inside the package `blasnet` means its built files.
  const file = `${root}/build/readme-example.mjs`;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, example);
  const output = execFileSync(process.execPath, [file], { encoding: 'utf8' });
  const [accuracy, digit] = output.trim().split('\n').at(-1)?.split(' ') ?? [];
  expect(Number(accuracy)).toBeGreaterThan(0.96);
  expect(digit).toBe('7'); // the first test image
}, 120_000);
