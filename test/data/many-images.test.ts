import { Dirent, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, it, vi } from 'vitest';
import { imageFolder } from '../../lib/data/index.js';
import { expectRejection } from './expect-error.js';

const root = mkdtempSync(join(tmpdir(), 'blasnet-many-images-'));
afterAll(() => rmSync(root, { recursive: true }));

/** Files that only the listing of the folder `many` has. */
const names = Array.from({ length: 200_000 }, (_, i) => `${i}.png`);

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const entry = (name: string) => Object.assign(Object.create(Dirent.prototype), { name, isFile: () => true });
  const readdir = async (path: string, options: { withFileTypes: true }) =>
    path.endsWith('many') || path.endsWith('many/') ? names.map(entry) : real.readdir(path, options);
  return { ...real, readdir };
});

it('imageFolder lists folders of more files than a call can have arguments', async () => {
  mkdirSync(join(root, 'many'));
  await expectRejection(() => imageFolder(root, { limit: 1 }), 'FILE_NOT_FOUND', /many.0\.png: /);
});
