/** The code of docs/watching.md, run as it stands there, in an empty folder. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

it('runs the code of docs/watching.md', () => {
  const page = readFileSync(`${root}/docs/watching.md`, 'utf8');
  const blocks = Array.from(page.matchAll(/^```ts\n([\s\S]*?)^```/gm), ([, code]) => code);
  expect(blocks).toHaveLength(3);
  // The code is JavaScript as well; from inside the package `blasnet` means its built files.
  mkdirSync(`${root}/build`, { recursive: true });
  const file = `${root}/build/watching.mjs`;
  writeFileSync(file, blocks.join('\n'));
  const folder = mkdtempSync(join(tmpdir(), 'blasnet-watching-'));
  try {
    const output = execFileSync(process.execPath, [file], { cwd: folder, encoding: 'utf8' });
    const lines = output.trim().split('\n');
    expect(lines[0]).toMatch(/^dashboard: http:\/\/127\.0\.0\.1:\d+\/[\w-]{22}\/$/);
    expect(lines.filter((line) => line.startsWith('epoch '))).toHaveLength(5);
    expect(output).toMatch(/\nadam \[/);
    expect(lines.at(-1)).toBe('true');
    expect(
      lines.filter((line) => line.startsWith('dashboard:')),
      'the address is printed once',
    ).toHaveLength(1);
    expect(readdirSync(folder).sort()).toEqual(['runs', 'training.jsonl']);
    expect(readdirSync(join(folder, 'runs/first')).sort()).toEqual(['train', 'validation']);
    for (const [, image] of page.matchAll(/\]\((images\/[^)]*)\)/g))
      expect(existsSync(join(root, 'docs', image)), image).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 120_000);
