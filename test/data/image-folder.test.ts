import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { type ImageFolderOptions, imageFolder } from '../../lib/data/index.js';
import type { BlasnetError } from '../../lib/errors.js';
import { dense, flatten, Network, softmaxCrossEntropy } from '../../lib/index.js';
import { loadPackage } from '../../lib/packages.js';
import { expectRejection } from './expect-error.js';

const root = mkdtempSync(join(tmpdir(), 'blasnet-images-'));
afterAll(() => rmSync(root, { recursive: true }));

let folders = 0;

/** A folder with the given files: bytes, or images of one colour, `[height, width, red, green, blue]`. */
async function folder(files: Record<string, Uint8Array | number[]>): Promise<string> {
  const directory = join(root, String(folders++));
  mkdirSync(directory);
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(
      path,
      content instanceof Uint8Array ? content : await plain(content as [number, number, number, number, number]),
    );
  }
  return directory;
}

function plain([height, width, r, g, b]: [number, number, number, number, number]): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: { r, g, b } } })
    .png()
    .toBuffer();
}

/** An image of one row from its bytes. */
function row(channels: 1 | 3 | 4, ...bytes: number[]): Promise<Buffer> {
  return sharp(Uint8Array.from(bytes), { raw: { width: bytes.length / channels, height: 1, channels } })
    .png()
    .toBuffer();
}

describe('imageFolder: pixels', () => {
  it('keeps the bytes of colour and grey images, row by row', async () => {
    const bytes = Uint8Array.from({ length: 2 * 3 * 3 }, (_, i) => i * 14);
    const image = await sharp(bytes, { raw: { width: 3, height: 2, channels: 3 } })
      .png()
      .toBuffer();
    const data = await imageFolder(await folder({ 'a.png': image, 'b.png': image }), { label: 'none' });
    expect(data.shape).toEqual([2, 3, 3]);
    expect(data.features).toEqual(Uint8Array.of(...bytes, ...bytes));
    expect(data.features.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(data.scale).toBe(1 / 255);
    expect(data.labels).toBeUndefined();
    expect(data.name).toBe(String(folders - 1));

    const grey = await imageFolder(await folder({ 'a.png': await row(1, 0, 100, 255) }), {
      label: 'none',
      channels: 1,
    });
    expect([grey.shape, [...grey.features]]).toEqual([
      [1, 3, 1],
      [0, 100, 255],
    ]);
  });

  it('turns grey to colour and colour to grey', async () => {
    const directory = await folder({ 'a.png': await row(1, 0, 100, 255) });
    expect([...(await imageFolder(directory, { label: 'none' })).features]).toEqual([
      0, 0, 0, 100, 100, 100, 255, 255, 255,
    ]);
    // White, red, green, blue, yellow, black, and others. Golden: Pillow, convert('L').
    const colours = [255, 255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 0, 0, 0, 0, 200, 100, 50, 1, 2, 3];
    const grey = await imageFolder(await folder({ 'a.png': await row(3, ...colours) }), { label: 'none', channels: 1 });
    expect([...grey.features]).toEqual([255, 76, 150, 29, 226, 0, 124, 2]);
  });

  it.each(['png', 'jpeg', 'tiff'] as const)(
    'greys of a %s are the same with one channel as with three',
    async (format) => {
      const greys = Array.from({ length: 256 }, (_, i) => i);
      const image = await sharp(await row(1, ...greys))
        .toColourspace('b-w')
        .toFormat(format, { quality: 100 })
        .toBuffer();
      const directory = await folder({ [`a.${format}`]: image });
      const [one, three] = await Promise.all(
        ([1, 3] as const).map(async (channels) => (await imageFolder(directory, { label: 'none', channels })).features),
      );
      expect([...three]).toEqual([...one].flatMap((grey) => [grey, grey, grey]));
      if (format === 'png' || format === 'tiff') expect([...one]).toEqual(greys);
    },
  );

  it('shows white through transparency', async () => {
    const directory = await folder({ 'a.png': await row(4, 10, 20, 30, 0, 10, 20, 30, 255) });
    expect([...(await imageFolder(directory, { label: 'none' })).features]).toEqual([255, 255, 255, 10, 20, 30]);
  });

  it('reduces 16 bits to 8', async () => {
    const deep = await sharp(Uint16Array.of(0, 25700, 65535), { raw: { width: 3, height: 1, channels: 1 } })
      .toColourspace('grey16')
      .png()
      .toBuffer();
    expect((await sharp(deep).metadata()).depth).toBe('ushort');
    const data = await imageFolder(await folder({ 'a.png': deep }), { label: 'none', channels: 1 });
    expect([...data.features]).toEqual([0, 100, 255]);
  });

  it('applies the EXIF orientation', async () => {
    const jpeg = await sharp(await plain([2, 6, 0, 0, 0]))
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    expect((await imageFolder(await folder({ 'a.jpg': jpeg }), { label: 'none' })).shape).toEqual([6, 2, 3]);
  });

  it('resizes to size', async () => {
    const directory = await folder({ 'a.png': [4, 8, 9, 99, 200], 'b.png': [3, 3, 1, 2, 3] });
    const data = await imageFolder(directory, { label: 'none', size: [2, 5] });
    expect(data.shape).toEqual([2, 5, 3]);
    expect([...data.row(0)].map((value) => Math.round(value * 255)).slice(0, 3)).toEqual([9, 99, 200]);
    expect([...data.features.subarray(-3)]).toEqual([1, 2, 3]);
  });
});

describe('imageFolder: files and labels', () => {
  it('sorts by path and leaves other files alone', async () => {
    const directory = await folder({
      'b/10.png': [1, 1, 3, 0, 0],
      'b/9.png': [1, 1, 4, 0, 0],
      'a/z/deep.PNG': [1, 1, 2, 0, 0],
      'a/B.png': [1, 1, 1, 0, 0],
      'a/notes.txt': Uint8Array.of(1),
      'a/.hidden.png': Uint8Array.of(1),
    });
    symlinkSync('9.png', join(directory, 'b/link.png'));
    symlinkSync('..', join(directory, 'b/circle'));
    const data = await imageFolder(directory);
    expect([...data.features].filter((_, i) => i % 3 === 0)).toEqual([1, 2, 3, 4, 4]);
    expect(data.labels).toEqual(Int32Array.of(0, 0, 1, 1, 1));
    expect(data.labelNames).toEqual(['a', 'b']);
  });

  it('follows links to folders, which are classes like others, but not round in a circle', async () => {
    const files = { '1.png': [1, 1, 1, 0, 0], 'deep/2.png': [1, 1, 2, 0, 0] };
    const elsewhere = await folder(files);
    const directory = await folder({ 'cat/1.png': [1, 1, 3, 0, 0], 'dog/1.png': [1, 1, 4, 0, 0] });
    const empty = await folder({});
    symlinkSync(elsewhere, join(directory, 'bird'));
    symlinkSync(elsewhere, join(directory, 'cat/more.png'));
    symlinkSync(empty, join(directory, 'cow'));
    symlinkSync(join(directory, 'cat'), join(elsewhere, 'deep/cat'));
    symlinkSync('.', join(directory, 'all'));
    symlinkSync('../..', join(directory, 'cat/outside'));
    symlinkSync('nowhere', join(directory, 'ant'));
    const data = await imageFolder(directory);
    expect(data.labelNames).toEqual(['bird', 'cat', 'cow', 'dog']);
    expect([...data.features].filter((_, i) => i % 3 === 0)).toEqual([1, 2, 3, 3, 1, 2, 4]);
    expect(data.labels).toEqual(Int32Array.of(0, 0, 0, 1, 1, 1, 3));

    const link = join(root, 'link');
    symlinkSync(directory, link);
    expect((await imageFolder(link)).features).toEqual(data.features);
  });

  it('sorts folders named by numbers as numbers', async () => {
    const directory = await folder({ '10/a.png': [1, 1, 0, 0, 0], '2/a.png': [1, 1, 0, 0, 0] });
    const data = await imageFolder(directory);
    expect(data.labelNames).toEqual(['2', '10']);
    expect(data.labels).toEqual(Int32Array.of(1, 0));
  });

  it('labels by the first character', async () => {
    const directory = await folder({
      '7_a.png': [1, 1, 0, 0, 0],
      '3_b.png': [1, 1, 0, 0, 0],
      'x/7_c.png': [1, 1, 0, 0, 0],
    });
    const data = await imageFolder(directory, { label: 'firstCharacter', channels: 1 });
    expect(data.labelNames).toEqual(['3', '7']);
    expect(data.labels).toEqual(Int32Array.of(0, 1, 1));
    const digits = Array.from({ length: 10 }, (_, i) => String(i));
    const fixed = await imageFolder(directory, { label: 'firstCharacter', labelNames: digits });
    expect([fixed.labels, fixed.classes]).toEqual([Int32Array.of(3, 7, 7), 10]);
  });

  it('labels by a function, with names or indices', async () => {
    const directory = await folder({ 'a-cat.png': [1, 1, 0, 0, 0], 'sub/b-dog.png': [1, 1, 0, 0, 0] });
    const seen: string[] = [];
    const named = await imageFolder(directory, {
      label: (path) => {
        seen.push(path);
        return path.slice(-7, -4);
      },
    });
    expect(seen).toEqual(['a-cat.png', 'sub/b-dog.png']);
    expect(named.labelNames).toEqual(['cat', 'dog']);
    const indexed = await imageFolder(directory, { label: (path) => (path.includes('dog') ? 2 : 0) });
    expect([indexed.labels, indexed.classes, indexed.labelNames]).toEqual([Int32Array.of(0, 2), 3, undefined]);
  });

  it('limits the images, in all and of each class', async () => {
    const files = Object.fromEntries(
      ['a', 'b'].flatMap((name) => [1, 2, 3].map((i) => [`${name}/${i}.png`, [1, 1, i, 0, 0]])),
    );
    const directory = await folder(files);
    expect((await imageFolder(directory, { limit: 4 })).labels).toEqual(Int32Array.of(0, 0, 0, 1));
    expect((await imageFolder(directory, { limitPerClass: 2 })).labels).toEqual(Int32Array.of(0, 0, 1, 1));
    expect((await imageFolder(directory, { label: 'none', limitPerClass: 2 })).length).toBe(2);
  });

  it('reads many images, each in its row', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 60 }, (_, i) => [`${i + 100}.png`, [1 + (i % 2), 2, i, 2 * i, 0]]),
    );
    const data = await imageFolder(await folder(files), { label: 'none', size: [1, 1] });
    for (let i = 0; i < 60; i++) expect([...data.features.subarray(3 * i, 3 * i + 3)]).toEqual([i, 2 * i, 0]);
  });
});

describe('imageFolder: errors', () => {
  it('names the file that is of another size', async () => {
    const directory = await folder({
      'a.png': [2, 3, 0, 0, 0],
      'b.png': [2, 3, 0, 0, 0],
      'c.png': [3, 2, 0, 0, 0],
      'd.png': [1, 1, 0, 0, 0],
    });
    await expectRejection(
      () => imageFolder(directory, { label: 'none' }),
      'SHAPE_MISMATCH',
      /c\.png: expected 2 × 3 pixels .* as .*a\.png has, got 3 × 2; the option size/,
    );
  });

  it('names the file that is corrupt, the first one by name', async () => {
    const good = await plain([40, 40, 9, 9, 9]);
    const noise = await sharp({
      create: {
        width: 64,
        height: 64,
        channels: 3,
        background: '#000',
        noise: { type: 'gaussian', mean: 128, sigma: 60 },
      },
    })
      .png()
      .toBuffer();
    for (const bad of [Buffer.from('no image'), Buffer.alloc(0), noise.subarray(0, noise.length / 2)]) {
      const directory = await folder({ 'a.png': good, 'b.png': bad, 'c.png': bad });
      await expectRejection(
        () => imageFolder(directory, { label: 'none', size: [4, 4] }),
        'FILE_CORRUPT',
        /b\.png: it cannot be decoded/,
      );
    }
  });

  it('empty and missing folders', async () => {
    await expectRejection(
      async () => imageFolder(await folder({})),
      'EMPTY_DATA',
      /expected at least one image, found none/,
    );
    await expectRejection(
      async () => imageFolder(await folder({ 'a.txt': Uint8Array.of(1) })),
      'EMPTY_DATA',
      /found none/,
    );
    await expectRejection(
      () => imageFolder(join(root, 'nowhere')),
      'FILE_NOT_FOUND',
      /nowhere: it cannot be read as a directory/,
    );
  });

  it('images without a class', async () => {
    const directory = await folder({ 'a.png': [1, 1, 0, 0, 0] });
    await expectRejection(
      () => imageFolder(directory),
      'INVALID_ARGUMENT',
      /a\.png: expected it in a folder named after its class/,
    );
    await expectRejection(
      () => imageFolder(directory, { label: () => -1 }),
      'INVALID_ARGUMENT',
      /label of .*a\.png: expected an integer ≥ 0/,
    );
    await expectRejection(
      () => imageFolder(directory, { label: 'firstCharacter', labelNames: ['b'] }),
      'LABEL_OUT_OF_RANGE',
      /a\.png: its class "a" is not among labelNames \(b\)/,
    );
    const two = await folder({ 'a.png': [1, 1, 0, 0, 0], 'b.png': [1, 1, 0, 0, 0] });
    await expectRejection(
      () => imageFolder(two, { label: (path) => (path === 'a.png' ? 0 : 'b') }),
      'INVALID_ARGUMENT',
      /names for all images/,
    );
  });

  it.each<[ImageFolderOptions, RegExp]>([
    [{ size: [0, 1] }, /size/],
    [
      { size: [27000, 27000], channels: 1 },
      /size: expected sides up to 100000000, .* fewer than 2\^31 .*, got \[27000, 27000\]/,
    ],
    [{ size: [1, 100_000_001], channels: 1 }, /size: expected sides up to 100000000/],
    [{ size: [28] as never }, /size: expected \[height, width\]/],
    [{ channels: 4 as never }, /channels: expected 1 or 3, got 4/],
    [{ label: 'name' as never }, /label: expected one of 'folder', 'firstCharacter', 'none'/],
    [{ limit: 0 }, /limit/],
    [{ limitPerClass: 1.5 }, /limitPerClass/],
    [{ maxPixels: 0 }, /maxPixels/],
    [{ onCorrupt: 'ignore' as never }, /onCorrupt: expected one of 'error', 'skip'/],
    [{ labelNames: 'ab' as never }, /labelNames: expected an array of strings/],
    [{ labelNames: [1] as never }, /labelNames/],
    [{ labelNames: new Array(2) as never }, /labelNames: expected an array of strings/],
  ])('options: %o', async (options, message) => {
    await expectRejection(() => imageFolder(root, options), 'INVALID_ARGUMENT', message);
  });

  it('unknown options', async () => {
    await expectRejection(() => imageFolder(root, { grey: true } as never), 'UNKNOWN_OPTION', /"grey"/);
  });
});

/** A PNG of one bit a pixel, all black: 8192 × 8192 of them take 8 kB. */
function blackPng(width: number, height: number): Promise<Buffer> {
  return sharp({ create: { width, height, channels: 3, background: '#000' }, limitInputPixels: false })
    .toColourspace('b-w')
    .png({ palette: true, colours: 2, compressionLevel: 9 })
    .toBuffer();
}

describe('imageFolder: hostile files', () => {
  it('bounds the pixels of an image', async () => {
    const bomb = await blackPng(8192, 8192);
    expect(bomb.length).toBeLessThan(100_000);
    const directory = await folder({ 'a.png': await plain([2, 2, 1, 1, 1]), 'b.png': bomb });
    const before = process.resourceUsage().maxRSS;
    await expectRejection(
      () => imageFolder(directory, { label: 'none', size: [2, 2] }),
      'FILE_CORRUPT',
      /b\.png: it cannot be decoded as an image \(Input image exceeds pixel limit\)/,
    );
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(100_000);
    const data = await imageFolder(await folder({ 'a.png': await plain([3, 4, 1, 1, 1]) }), {
      label: 'none',
      maxPixels: 12,
    });
    expect(data.shape).toEqual([3, 4, 3]);
    await expectRejection(
      async () =>
        imageFolder(await folder({ 'a.png': await plain([3, 4, 1, 1, 1]) }), { label: 'none', maxPixels: 11 }),
      'FILE_CORRUPT',
      /pixel limit/,
    );
  });

  it('bounds the bytes of a file', async () => {
    const directory = await folder({ 'a.png': Buffer.concat([await plain([3, 4, 1, 1, 1]), Buffer.alloc(5e6)]) });
    await expectRejection(
      () => imageFolder(directory, { label: 'none', maxPixels: 12 }),
      'FILE_CORRUPT',
      /a\.png: it has 50000\d\d bytes; at most 4194424 are read/,
    );
    expect((await imageFolder(directory, { label: 'none' })).length).toBe(1);
  });

  const svg = Buffer.from(
    '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"><rect width="4" height="4"/></svg>',
  );
  const image = () => sharp({ create: { width: 4, height: 4, channels: 3, background: '#123456' } });

  it.each([
    ['SVG', 'png', () => svg, /its name specifies png, its first bytes no format that is read/],
    ['SVG', 'jpg', () => svg, /its name specifies jpeg/],
    ['PNG', 'jpg', () => image().png().toBuffer(), /its name specifies jpeg, its first bytes png/],
    ['JPEG', 'PNG', () => image().jpeg().toBuffer(), /its name specifies png, its first bytes jpeg/],
    ['nothing', 'avif', () => Buffer.alloc(0), /its name specifies avif/],
  ])('refuses %s in a file named .%s', async (_, extension, make, message) => {
    const directory = await folder({ [`a.${extension}`]: await make() });
    await expectRejection(() => imageFolder(directory, { label: 'none' }), 'FILE_CORRUPT', message);
  });

  it('reads each format by any of its names', async () => {
    const files = {
      'a.png': image().png(),
      'b.jpg': image().jpeg(),
      'c.JPEG': image().jpeg(),
      'd.webp': image().webp({ lossless: true }),
      'e.gif': image().gif(),
      'f.tif': image().tiff(),
      'g.tiff': image().tiff({ bigtiff: true }),
      'h.avif': image().avif(),
    };
    const made = Object.fromEntries(
      await Promise.all(Object.entries(files).map(async ([name, made]) => [name, await made.toBuffer()])),
    );
    const data = await imageFolder(await folder(made), { label: 'none' });
    expect([data.length, data.shape]).toEqual([8, [4, 4, 3]]);
    for (let row = 0; row < 8; row++) {
      data.features
        .subarray(row * 48, row * 48 + 3)
        .forEach((byte, i) => expect(Math.abs(byte - [0x12, 0x34, 0x56][i])).toBeLessThan(6));
    }
  });
});

describe('imageFolder: onCorrupt', () => {
  const bad = Buffer.from('no image');
  async function spoiled(): Promise<string> {
    const directory = await folder({
      'a/1.png': bad,
      'b/1.png': [1, 1, 1, 0, 0],
      'b/2.png': bad,
      'b/3.png': [1, 1, 2, 0, 0],
      'c/1.png': [1, 1, 3, 0, 0],
    });
    symlinkSync('nowhere', join(directory, 'c/2.png'));
    symlinkSync('3.png', join(directory, 'c/3.png'));
    return directory;
  }

  it('names all files, in order', async () => {
    const directory = await spoiled();
    const message =
      /: 4 of 7 images can't be read: a\/1\.png, b\/2\.png, c\/2\.png, c\/3\.png; the first: .*a\/1\.png: it cannot be/;
    for (const options of [{}, { onCorrupt: 'error' } as const]) {
      await expectRejection(() => imageFolder(directory, options), 'FILE_CORRUPT', message);
    }
    const error = await imageFolder(directory).catch((thrown: unknown) => thrown as BlasnetError);
    const { errors } = (error as BlasnetError).cause as AggregateError;
    expect(errors.map(({ code }) => code)).toEqual([
      'FILE_CORRUPT',
      'FILE_CORRUPT',
      'FILE_NOT_FOUND',
      'FILE_NOT_FOUND',
    ]);
  });

  it('cuts a long list of files', async () => {
    const directory = await folder(
      Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`${'x'.repeat(200)}${i + 10}.png`, bad])),
    );
    await expectRejection(
      () => imageFolder(directory, { label: 'none' }),
      'FILE_CORRUPT',
      /50 of 50 .*29\.png and 30 more; the first/,
    );
    const error = await imageFolder(directory, { label: 'none' }).catch((thrown: unknown) => thrown as BlasnetError);
    expect((error as BlasnetError).message.length).toBeLessThanOrEqual(2000);
  });

  it('dangling links and FIFOs are told, not waited for', async () => {
    const directory = await folder({ 'a.png': [1, 1, 1, 0, 0] });
    symlinkSync('nowhere', join(directory, 'b.png'));
    await expectRejection(
      () => imageFolder(directory, { label: 'none' }),
      'FILE_NOT_FOUND',
      /b\.png: there is no such file$/,
    );
    if (process.platform === 'win32') return;
    execFileSync('mkfifo', [join(directory, 'c.png')]);
    symlinkSync('c.png', join(directory, 'd.png'));
    await expectRejection(
      () => imageFolder(directory, { label: 'none' }),
      'FILE_NOT_FOUND',
      /3 of 4 .*: b\.png, c\.png, d\.png;/,
    );
  });

  it('leaves them out, with the classes numbered as if they were there', async () => {
    const directory = await spoiled();
    const data = await imageFolder(directory, { onCorrupt: 'skip' });
    expect([...data.features].filter((_, i) => i % 3 === 0)).toEqual([1, 2, 3]);
    expect(data.labels).toEqual(Int32Array.of(1, 1, 2));
    expect(data.labelNames).toEqual(['a', 'b', 'c']);
    expect(data.features.buffer).toBeInstanceOf(SharedArrayBuffer);
    await expectRejection(
      async () => imageFolder(await folder({ 'a.png': bad }), { label: 'none', onCorrupt: 'skip' }),
      'EMPTY_DATA',
      /none of its 1/,
    );
  });

  it('tells a function of each, by name', async () => {
    const directory = await spoiled();
    const seen: [string, string][] = [];
    const data = await imageFolder(directory, { onCorrupt: (file, { code }) => void seen.push([file, code]) });
    expect(data.length).toBe(3);
    expect(seen).toEqual([
      [join(directory, 'a/1.png'), 'FILE_CORRUPT'],
      [join(directory, 'b/2.png'), 'FILE_CORRUPT'],
      [join(directory, 'c/2.png'), 'FILE_NOT_FOUND'],
      [join(directory, 'c/3.png'), 'FILE_NOT_FOUND'],
    ]);
    const own = new Error('enough');
    for (const onCorrupt of [() => Promise.reject(own), () => expect.fail(own as never)]) {
      await expect(imageFolder(directory, { onCorrupt })).rejects.toBeInstanceOf(Error);
    }
  });

  it('an image of another size is an error all the same', async () => {
    const directory = await folder({ 'a.png': bad, 'b.png': [2, 3, 0, 0, 0], 'c.png': [3, 2, 0, 0, 0] });
    await expectRejection(() => imageFolder(directory, { label: 'none' }), 'FILE_CORRUPT', /a\.png/);
    await expectRejection(
      () => imageFolder(directory, { label: 'none', onCorrupt: 'skip' }),
      'SHAPE_MISMATCH',
      /c\.png: expected 2 × 3 pixels .* as .*b\.png has, got 3 × 2/,
    );
  });
});

describe('imageFolder: classes of train and test data', () => {
  const pixel = [1, 1, 1, 1, 1];

  it('a folder without images, and a limit, do not renumber the others', async () => {
    const directory = await folder({ 'a/notes.txt': Uint8Array.of(1), 'b/1.png': pixel, 'c/1.png': pixel });
    const data = await imageFolder(directory);
    expect([data.labelNames, [...(data.labels as Int32Array)]]).toEqual([
      ['a', 'b', 'c'],
      [1, 2],
    ]);
    expect((await imageFolder(directory, { limit: 1 })).labelNames).toEqual(['a', 'b', 'c']);
  });

  it('are those of the training data where these are given, and otherwise told apart', async () => {
    const train = await imageFolder(await folder({ 'a/1.png': pixel, 'b/1.png': pixel, 'c/1.png': pixel }));
    const directory = await folder({ 'a/1.png': pixel, 'c/1.png': pixel });
    const { labelNames } = train;
    const test = await imageFolder(directory, { labelNames });
    expect([...(test.labels as Int32Array)]).toEqual([0, 2]);
    const renumbered = await imageFolder(directory);
    const layers = [flatten(), dense(3)];
    const network = new Network({ input: [1, 1, 3], layers, loss: softmaxCrossEntropy(), backend: 'typescript' });
    await network.fit(train, { validation: test });
    await network.evaluate(test);
    const message =
      /names 2 classes \(a, c\), the network has 3 outputs; give data to test with the labelNames of those trained on/;
    await expectRejection(() => network.evaluate(renumbered), 'SHAPE_MISMATCH', message);
    await expectRejection(() => network.fit(train, { validation: renumbered }), 'SHAPE_MISMATCH', message);
    const other = await imageFolder(await folder({ 'a/1.png': pixel, 'c/1.png': pixel, 'd/1.png': pixel }));
    await expectRejection(
      () => network.fit(train, { validation: other }),
      'INVALID_ARGUMENT',
      /fit: validation: class 1 is "c", in the data to train on "b"; give both the same labelNames/,
    );
  });
});

describe('loadPackage', () => {
  it('says how to get a package that is not there', async () => {
    await expectRejection(
      () => loadPackage('imageFolder', '@blasnet/none', () => import('@blasnet/none' as string)),
      'PACKAGE_MISSING',
      /imageFolder: the package @blasnet\/none (is not installed|does not load.*); run `npm install @blasnet\/none`/,
    );
    const absent = Object.assign(new Error("Cannot find package 'sharp' imported from x.js"), {
      code: 'ERR_MODULE_NOT_FOUND',
    });
    await expectRejection(
      () => loadPackage('imageFolder', 'sharp', () => Promise.reject(absent)),
      'PACKAGE_MISSING',
      /^imageFolder: the package sharp is not installed; run `npm install sharp`$/,
    );
  });

  it('says why one does not load', async () => {
    const broken = new Error('Could not load the "sharp" module using the linux-x64 runtime\nPossible solutions');
    await expectRejection(
      () => loadPackage('imageFolder', 'sharp', () => Promise.reject(broken)),
      'PACKAGE_MISSING',
      /sharp does not load \(Could not load the "sharp" module using the linux-x64 runtime\); run/,
    );
  });
});
