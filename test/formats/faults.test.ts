import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it, vi } from 'vitest';
import { replaceFile } from '../../lib/formats/replace-file.js';
import { expectRejection } from '../data/expect-error.js';

const calls: string[] = [];
let failing: string | undefined;
let shortWrites = false;

// Every step of a save, recorded; the one named fails as a full or broken disk makes it.
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const step = (name: string) => {
    calls.push(name);
    if (name === failing) throw Object.assign(new Error(`EIO: i/o error, ${name}`), { code: 'EIO' });
  };
  const open = async (path: string, flags: string, mode?: number): Promise<Partial<FileHandle>> => {
    const kind = flags === 'wx' ? 'file' : 'directory';
    step(`open ${kind}`);
    const file = await real.open(path, flags, mode);
    const write = async (bytes: Uint8Array, at: number, length: number, position: number) => {
      step('write');
      return file.write(bytes, at, shortWrites ? Math.min(length, 3) : length, position);
    };
    return {
      chmod: async (bits: number) => {
        step('chmod');
        await file.chmod(bits);
      },
      write: write as FileHandle['write'],
      sync: async () => {
        step(`sync ${kind}`);
        await file.sync();
      },
      close: async () => {
        await file.close();
        step(`close ${kind}`);
      },
    };
  };
  const rename = async (from: string, to: string) => {
    step('rename');
    await real.rename(from, to);
  };
  return { ...real, open, rename };
});

const folder = mkdtempSync(join(tmpdir(), 'blasnet-faults-'));
const path = join(folder, 'file');
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  calls.length = 0;
  [failing, shortWrites] = [undefined, false];
});
const bytes = Uint8Array.from({ length: 10 }, (_, i) => i);

it('a save is written, synced and closed before it takes the name, and the folder is synced', async () => {
  writeFileSync(path, 'old');
  await replaceFile(path, bytes);
  expect(calls).toEqual([
    'open file',
    'chmod',
    'write',
    'sync file',
    'close file',
    'rename',
    'open directory',
    'sync directory',
    'close directory',
  ]);
});

it('goes on where a write ended early', async () => {
  shortWrites = true;
  await replaceFile(path, bytes);
  expect(calls.filter((name) => name === 'write').length).toBe(4);
  expect(new Uint8Array(readFileSync(path))).toEqual(bytes);
});

it.each(['open file', 'chmod', 'write', 'sync file', 'close file', 'rename'])(
  'an error in %s leaves the old file alone',
  async (step) => {
    writeFileSync(path, 'old');
    failing = step;
    await expectRejection(
      () => replaceFile(path, bytes),
      'FILE_NOT_WRITTEN',
      new RegExp(`file: it cannot be written \\(EIO.*${step}`),
    );
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['file']);
  },
);

it('an error in sync directory is told, with the new file in place', async () => {
  failing = 'sync directory';
  await expectRejection(() => replaceFile(path, bytes), 'FILE_NOT_WRITTEN', /sync directory/);
  expect(new Uint8Array(readFileSync(path))).toEqual(bytes);
  expect(readdirSync(folder)).toEqual(['file']);
});
