import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fashionMnist, imageFolder, mnist, readIdx, readIdxDataset } from '../../lib/data/index.js';
import {
  Adam,
  checkpoint,
  Network,
  readNpy,
  readNpz,
  readSafetensors,
  writeNpy,
  writeNpz,
  writeSafetensors,
} from '../../lib/index.js';
import { loadLayersModel } from '../../lib/interop/tfjs/index.js';
import { writeReport } from '../../lib/report/index.js';
import { readCsv, readJsonLines, readParquet } from '../../lib/tables/index.js';
import { classData, classifier } from '../api/support.js';
import { expectRejection } from '../data/expect-error.js';
import { tinyNetwork } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'blasnet-paths-'));
afterAll(() => rmSync(folder, { recursive: true }));
let folders = 0;
function newFolder(): string {
  const path = join(folder, String(folders++));
  mkdirSync(path);
  return path;
}

const network = tinyNetwork();
const data = classData(20);
const report = { title: 'report', sections: [] };

/** Everything that writes a file. */
const writers: Record<string, (path: string | URL) => Promise<unknown>> = {
  save: (path) => network.save(path, { optimizer: new Adam() }),
  saveTorchState: (path) => network.saveTorchState(path),
  checkpoint: async (path) => classifier('typescript').fit(data, { callbacks: checkpoint({ path }) }),
  'training.save': (path) =>
    classifier('typescript').fit(data, { callbacks: { onEpochEnd: (_, training) => training.save(path) } }),
  writeReport: (path) => writeReport(path, report),
  writeNpy: (path) => writeNpy(path, { data: Float32Array.of(1) }),
  writeNpz: (path) => writeNpz(path, { a: { data: Float32Array.of(1) } }),
  writeSafetensors: (path) => writeSafetensors(path, { a: { data: new Float32Array(20) } }),
};

/** Everything that reads a file. */
const readers: Record<string, (path: string | URL) => Promise<unknown>> = {
  load: (path) => Network.load(path),
  loadCheckpoint: (path) => Network.loadCheckpoint(path),
  loadTorchState: (path) => network.loadTorchState(path),
  loadLayersModel: (path) => loadLayersModel(path),
  readNpy: (path) => readNpy(path),
  readNpz: (path) => readNpz(path),
  readSafetensors: (path) => readSafetensors(path),
  readIdx: (path) => readIdx(path),
  readCsv: (path) => readCsv(path),
  readJsonLines: (path) => readJsonLines(path),
  readParquet: (path) => readParquet(path),
  'readIdxDataset: images': (images) => readIdxDataset({ images }),
  'readIdxDataset: labels': (labels) => readIdxDataset({ images: writeImages(newFolder()), labels }),
};

/** Everything that reads a folder. */
const folderReaders: Record<string, (path: string | URL) => Promise<{ length: number }>> = {
  mnist: async (path) => (await mnist(path)).train,
  fashionMnist: async (path) => (await fashionMnist(path)).train,
  imageFolder: (path) => imageFolder(path, { label: 'none' }),
};

const idx = (shape: number[], content: number[]) =>
  Buffer.from([0, 0, 8, shape.length, ...shape.flatMap((size) => [0, 0, size >> 8, size & 255]), ...content]);

function writeImages(target: string): string {
  const path = join(target, 'images');
  writeFileSync(path, idx([1, 2], [1, 2]));
  return path;
}

/** A folder with three images as MNIST has them. */
function mnistFolder(): string {
  const target = newFolder();
  for (const part of ['train', 't10k']) {
    writeFileSync(join(target, `${part}-images-idx3-ubyte`), idx([3, 28, 28], Array(3 * 784).fill(7)));
    writeFileSync(join(target, `${part}-labels-idx1-ubyte`), idx([3], [1, 2, 3]));
  }
  return target;
}

/** What is no regular file: a path of each kind that can be made here. */
const odd: Record<string, { path: string; kind: RegExp; same: () => boolean }> = {};
const server = createServer();
beforeAll(async () => {
  const target = newFolder();
  const directory = join(target, 'directory');
  mkdirSync(directory);
  odd.directory = { path: directory, kind: /a directory/, same: () => lstatSync(directory).isDirectory() };
  if (process.platform === 'win32') return;
  const fifo = join(target, 'fifo');
  execFileSync('mkfifo', [fifo]);
  odd.FIFO = { path: fifo, kind: /a FIFO/, same: () => lstatSync(fifo).isFIFO() };
  const link = join(target, 'link');
  symlinkSync('fifo', link);
  odd.link = { path: link, kind: /a FIFO/, same: () => lstatSync(link).isSymbolicLink() && lstatSync(fifo).isFIFO() };
  const socket = join(target, 'socket');
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  odd.socket = { path: socket, kind: /a socket/, same: () => lstatSync(socket).isSocket() };
  try {
    const device = join(target, 'device');
    execFileSync('mknod', [device, 'c', '1', '3'], { stdio: 'ignore' });
    odd.device = { path: device, kind: /a device/, same: () => lstatSync(device).isCharacterDevice() };
  } catch {
    console.log('devices are not tried: making one takes a right that this process does not have');
  }
});
afterAll(() => server.close());

describe('what is no regular file', () => {
  it.each(Object.keys(writers))('is refused by %s, and left as it is', async (name) => {
    for (const { path, kind, same } of Object.values(odd)) {
      await expectRejection(() => writers[name](path), 'FILE_NOT_WRITTEN', kind);
      expect(same()).toBe(true);
    }
  });

  it.each(Object.keys(readers))('is refused by %s, which does not wait', async (name) => {
    for (const { path, kind } of Object.values(odd)) {
      await expectRejection(() => readers[name](path), 'FILE_NOT_FOUND', kind);
    }
  });

  it('is refused by mnist', async () => {
    const target = mnistFolder();
    const images = join(target, 'train-images-idx3-ubyte');
    rmSync(images);
    mkdirSync(images);
    await expectRejection(() => mnist(target), 'FILE_NOT_FOUND', /train-images-idx3-ubyte: .*a directory/);
    if (process.platform === 'win32') return;
    rmSync(images, { recursive: true });
    execFileSync('mkfifo', [images]);
    await expectRejection(() => mnist(target), 'FILE_NOT_FOUND', /train-images-idx3-ubyte: .*a FIFO/);
  });

  it('a FIFO that is loaded does not keep a process from ending', { timeout: 30_000 }, () => {
    if (odd.FIFO === undefined) return;
    const library = new URL('../../dist/index.js', import.meta.url).href;
    const script = `import { Network } from ${JSON.stringify(library)}; Network.load(${JSON.stringify(odd.FIFO.path)}).catch(() => {}); process.exit(3);`;
    let status: unknown;
    try {
      execFileSync(process.execPath, ['--input-type=module', '-e', script], { timeout: 20_000 });
    } catch (error) {
      status = (error as { status: unknown }).status;
    }
    expect(status).toBe(3);
  });
});

describe.skipIf(process.platform === 'win32')(
  'symbolic links (skipped on Windows, where making one takes a right)',
  () => {
    it.each(Object.keys(writers))('are followed by %s, dangling ones too', async (name) => {
      const [target, elsewhere] = [newFolder(), newFolder()];
      mkdirSync(join(elsewhere, 'deep'));
      const [file, link, chain] = [join(elsewhere, 'file'), join(target, 'link'), join(target, 'chain')];
      // Relative to the folder of the link, through a folder that is itself a link.
      symlinkSync(join(elsewhere, 'deep'), join(target, 'folder'));
      symlinkSync('folder/../file', link);
      symlinkSync('link', chain);
      await writers[name](chain);
      expect([readlinkSync(link), readlinkSync(chain)]).toEqual(['folder/../file', 'link']);
      const first = readFileSync(file);
      expect(first.length).toBeGreaterThan(100);
      writeFileSync(file, 'old');
      await writers[name](chain);
      expect(readFileSync(file).length).toBe(first.length);
      expect(readdirSync(elsewhere).sort()).toEqual(['deep', 'file']);
      expect(readdirSync(target).sort()).toEqual(['chain', 'folder', 'link']);
    });

    it('that lead nowhere or in a circle are told', async () => {
      const target = newFolder();
      symlinkSync('circle', join(target, 'circle'));
      symlinkSync('none/file', join(target, 'nowhere'));
      symlinkSync('folder/', join(target, 'folder'));
      for (const name of ['circle', 'nowhere', 'folder']) {
        await expectRejection(
          () => network.save(join(target, name)),
          'FILE_NOT_WRITTEN',
          new RegExp(`${name}: it cannot be written`),
        );
        await expectRejection(() => Network.load(join(target, name)), 'FILE_NOT_FOUND', new RegExp(`${name}: `));
      }
      await expectRejection(() => network.save(join(target, 'new/')), 'FILE_NOT_WRITTEN', /names a directory/);
      expect(readdirSync(target).sort()).toEqual(['circle', 'folder', 'nowhere']);
    });
  },
);

describe('errors of the file system', () => {
  it.each(Object.keys(writers))('are typed in %s, with the reason', async (name) => {
    const target = newFolder();
    writeFileSync(join(target, 'file'), '');
    for (const [path, code] of [
      [join(target, 'none', 'file'), 'ENOENT'],
      [join(target, 'file', 'file'), 'ENOTDIR'],
      [join(target, 'x'.repeat(300)), 'ENAMETOOLONG'],
    ]) {
      await expectRejection(
        () => writers[name](path),
        'FILE_NOT_WRITTEN',
        new RegExp(`it cannot be written \\(${code}`),
      );
      await expect(writers[name](path)).rejects.toMatchObject({ cause: { code } });
    }
  });

  it('a checkpoint that can not be deleted is told, one that is gone is not', async () => {
    const target = newFolder();
    const run = (change: () => void) =>
      classifier('typescript').fit(data, {
        epochs: 3,
        callbacks: [
          checkpoint({ path: join(target, '{epoch}'), keep: 1 }),
          { onEpochEnd: ({ epoch }) => void (epoch || change()) },
        ],
      });
    await run(() => rmSync(join(target, '0')));
    expect(readdirSync(target)).toEqual(['2']);
    const inTheWay = () => {
      rmSync(join(target, '0'));
      mkdirSync(join(target, '0'));
    };
    await expectRejection(() => run(inTheWay), 'FILE_NOT_WRITTEN', /0: it cannot be deleted \(E/);
  });

  it.each([232, 233, 240, 255])('a file name of %d bytes is as good as another', async (length) => {
    const target = newFolder();
    const path = join(target, 'n'.repeat(length));
    for (let i = 0; i < 2; i++) await network.save(path);
    expect(readdirSync(target)).toEqual(['n'.repeat(length)]);
    expect((await Network.load(path, { backend: 'typescript' })).seed).toBe(network.seed);
  });
});

describe('file: URLs', () => {
  it('name the same files as paths', async () => {
    const target = newFolder();
    for (const [name, write] of Object.entries(writers)) {
      const path = join(target, `${name} % é?#`);
      await write(pathToFileURL(path));
      expect(existsSync(path), name).toBe(true);
    }
    const file = pathToFileURL(join(target, 'save % é?#'));
    expect((await Network.load(file, { backend: 'typescript' })).seed).toBe(network.seed);
    expect((await Network.loadCheckpoint(file, { backend: 'typescript' })).optimizer).toBeInstanceOf(Adam);
    await network.loadTorchState(pathToFileURL(join(target, 'saveTorchState % é?#')));
    const images = pathToFileURL(writeImages(target));
    expect((await readIdx(images)).shape).toEqual([1, 2]);
    expect((await readIdxDataset({ images })).shape).toEqual([2]);
  });

  it('name folders', async () => {
    const target = pathToFileURL(mnistFolder());
    for (const read of [mnist, fashionMnist]) {
      const { train } = await read(target, { shape: [28, 28, 1] });
      expect([train.length, train.features[0]]).toEqual([3, 7]);
      expect((await read(new URL(`${target}/`))).train.length).toBe(3);
    }
    await expectRejection(() => imageFolder(target, { label: 'none' }), 'EMPTY_DATA', /found none/);
  });

  it('keep {epoch} of a checkpoint', async () => {
    const target = newFolder();
    const path = pathToFileURL(join(target, '{epoch}.safetensors'));
    await classifier('typescript').fit(data, { epochs: 2, callbacks: checkpoint({ path, keep: 1 }) });
    expect(readdirSync(target)).toEqual(['1.safetensors']);
  });

  it('of another realm are taken: what counts is not the class', async () => {
    const target = newFolder();
    const path = join(target, 'file');
    const foreign = { href: pathToFileURL(path).href, [Symbol.toStringTag]: 'URL' };
    await network.save(foreign as never);
    expect(existsSync(path)).toBe(true);
  });

  const all = { ...writers, ...readers, ...folderReaders };
  const wrong: readonly [unknown, RegExp][] = [
    [new URL('https://example.org/file'), /expected a path or a file: URL, got the URL "https:/],
    [new URL('data:,x'), /got the URL/],
    [new URL('file:///a%00b'), /expected a path or a file: URL/],
    [new URL('file:///a%2Fb'), /got the URL/],
    ['file:///tmp/net.safetensors', /got the text "file:\/\/\/tmp\/net.safetensors"; pass new URL\(…\)/],
    ['file://net.safetensors', /got the text .*pass new URL/],
    ['https://example.org/file', /got the text/],
    [Buffer.from('file'), /expected a path.* got Buffer of length 4/],
    [['file'], /expected a path/],
    [42, /got 42/],
    [null, /got null/],
    [true, /got true/],
    [Symbol('path'), /got Symbol/],
    [() => 'file', /got function/],
    [new Map(), /got object of class Map/],
    [new Date(0), /got object of class Date/],
    ['', /got ""/],
    ['a\0b', /expected a path or/],
  ];
  it.each(Object.keys(all))('other URLs, and what is no path, are refused by %s', async (name) => {
    for (const [value, message] of wrong) {
      await expectRejection(
        () => (all[name] as (path: unknown) => Promise<unknown>)(value),
        'INVALID_ARGUMENT',
        message,
      );
    }
  });
});
