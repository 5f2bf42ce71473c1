import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

it('compiles and runs the code of docs/extending.md, docs/graphs.md and docs/onnx.md with the packed package alone', () => {
  const folder = mkdtempSync(join(tmpdir(), 'blasnet-pages-'));
  try {
    const contents = join(folder, 'contents');
    mkdirSync(contents);
    const pack = ['pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', folder];
    execFileSync('npm', pack, { cwd: root, stdio: 'pipe', shell: process.platform === 'win32' });
    const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) as string;
    execFileSync('tar', ['-xzf', tarball, '-C', 'contents', '--strip-components=1'], { cwd: folder });
    const script = join(root, '.ci/package/pages.mjs');
    const args = [script, contents, join(root, 'node_modules/typescript/bin/tsc')];
    expect(execFileSync(process.execPath, args, { encoding: 'utf8' })).toContain('compiles and runs');
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 120_000);
