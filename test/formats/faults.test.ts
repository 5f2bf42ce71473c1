import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it, vi } from 'vitest';
import { replaceFile } from '../../lib/formats/replace-file.js';
import { dense, meanSquaredError, Network } from '../../lib/index.js';
import { expectRejection } from '../data/expect-error.js';

const calls: string[] = [];
let failing: string | undefined;
let failure = 'EIO';
let short = false;

// Every step of a save or a load, recorded; the one named fails as a full or broken disk makes it.
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const step = (name: string) => {
    calls.push(name);
    if (name === failing) throw Object.assign(new Error(`${failure}: it failed, ${name}`), { code: failure });
  };
  const open = async (path: string, flags: string, mode?: number): Promise<Partial<FileHandle>> => {
    const kind = flags === 'wx' ? 'file' : statSync(path).isDirectory() ? 'directory' : 'input';
    step(`open ${kind}`);
    const file = await real.open(path, flags, mode);
    const write = async (bytes: Uint8Array, at: number, length: number, position: number) => {
      step('write');
      return file.write(bytes, at, short ? Math.min(length, 3) : length, position);
    };
    const read = async (bytes: Uint8Array, at: number, length: number, position: number) => {
      step('read');
      return file.read(bytes, at, short ? Math.min(length, 100) : length, position);
    };
    const stat = async () => {
      step('stat');
      return file.stat();
    };
    return {
      read: read as FileHandle['read'],
      stat: stat as FileHandle['stat'],
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
  const chmod = async (target: string, bits: number) => {
    step('chmod');
    await real.chmod(target, bits);
  };
  const rename = async (from: string, to: string) => {
    step('rename');
    await real.rename(from, to);
  };
  return { ...real, chmod, open, rename };
});

const folder = mkdtempSync(join(tmpdir(), 'blasnet-faults-'));
const path = join(folder, 'file');
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  calls.length = 0;
  [failing, failure, short] = [undefined, 'EIO', false];
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
  short = true;
  await replaceFile(path, bytes);
  expect(calls.filter((name) => name === 'write').length).toBe(4);
  expect(new Uint8Array(readFileSync(path))).toEqual(bytes);
});

const saving = ['open file', 'chmod', 'write', 'sync file', 'close file', 'rename'];

it.each(['EIO', 'ENOSPC', 'EDQUOT'].flatMap((code) => saving.map((step) => [code, step])))(
  '%s in %s leaves the old file alone, and a second try works',
  async (code, step) => {
    writeFileSync(path, 'old');
    [failing, failure] = [step, code];
    await expectRejection(
      () => replaceFile(path, bytes),
      'FILE_NOT_WRITTEN',
      new RegExp(`file: it cannot be written \\(${code}.*${step}`),
    );
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['file']);
    failing = undefined;
    await replaceFile(path, bytes);
    expect(new Uint8Array(readFileSync(path))).toEqual(bytes);
  },
);

it('a load goes on where a read ended early, and tells an error of the disk', async () => {
  const network = new Network({
    input: [3],
    layers: [dense(2)],
    loss: meanSquaredError(),
    seed: 1,
    backend: 'typescript',
  });
  await network.save(path);
  const load = async () => (await Network.load(path, { backend: 'typescript' })).parameters[0].value;
  short = true;
  expect(await load()).toEqual(network.parameters[0].value);
  expect(calls.filter((name) => name === 'read').length).toBeGreaterThan(3);
  for (const step of ['open input', 'stat', 'read']) {
    failing = step;
    await expectRejection(load, 'FILE_NOT_FOUND', new RegExp(`file: it cannot be read \\(EIO.*${step}`));
  }
  failing = 'close input';
  expect(await load()).toEqual(network.parameters[0].value);
});

it('an error in sync directory is told, with the new file in place', async () => {
  failing = 'sync directory';
  await expectRejection(() => replaceFile(path, bytes), 'FILE_NOT_WRITTEN', /sync directory/);
  expect(new Uint8Array(readFileSync(path))).toEqual(bytes);
  expect(readdirSync(folder)).toEqual(['file']);
});
