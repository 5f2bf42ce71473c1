import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { type IdxDatasetOptions, parseIdx, readIdx, readIdxDataset } from '../../lib/data/index.js';
import { expectError, expectRejection } from './expect-error.js';

const directory = mkdtempSync(join(tmpdir(), 'blasnet-idx-'));
afterAll(() => rmSync(directory, { recursive: true }));

function idx(type: number, sizes: number[], content: Uint8Array | number[]): Uint8Array {
  const header = Buffer.alloc(4 + 4 * sizes.length);
  header[2] = type;
  header[3] = sizes.length;
  sizes.forEach((size, i) => header.writeUInt32BE(size, 4 + 4 * i));
  return new Uint8Array([...header, ...content]);
}

let files = 0;
function write(bytes: Uint8Array): string {
  const path = join(directory, `${++files}.idx`);
  writeFileSync(path, bytes);
  return path;
}

const good = idx(0x08, [2, 3], [1, 2, 3, 4, 5, 6]);

/** What is wrong, the bytes, and what the message must tell: the offset and the rule. */
const corrupt: [string, Uint8Array, RegExp][] = [
  ['nothing', new Uint8Array(0), /byte 0: expected a magic number of 4 bytes/],
  ['three bytes', good.slice(0, 3), /byte 3: expected a magic number/],
  ['a bad magic number', new Uint8Array([0, 1, ...good.slice(2)]), /byte 0: expected two zero bytes, got 0 and 1/],
  ['an unknown type', idx(0x0a, [1], [1]), /byte 2: unknown element type 0x0a/],
  ['rank 0', idx(0x08, [], []), /byte 3: expected 1 to 8 dimensions, got 0/],
  ['rank 9', idx(0x08, Array(9).fill(1), [1]), /byte 3: expected 1 to 8 dimensions, got 9/],
  ['a cut header', good.slice(0, 10), /byte 10: expected 2 sizes of 4 bytes/],
  ['cut data', good.slice(0, -1), /byte 17: the file ends here, but the shape \[2, 3\] needs 18 bytes/],
  ['data of a narrower type', idx(0x0c, [2, 3], [1, 2, 3, 4, 5, 6]), /needs 36 bytes/],
  [
    'sizes of 4 GiB',
    idx(0x08, [2 ** 32 - 1], [1]),
    /byte 9: the file ends here, but the shape \[4294967295\] needs 4294967303 bytes/,
  ],
  [
    'sizes beyond exact integers',
    idx(0x0e, Array(8).fill(2 ** 32 - 1), [1]),
    /byte 8: the shape .* is beyond any file's size/,
  ],
  ['sizes whose product is 2^64', idx(0x08, [2 ** 31, 2 ** 31, 4], []), /byte 8: .* beyond any file's size/],
  [
    'trailing bytes',
    new Uint8Array([...good, 0]),
    /byte 18: expected the end, as the shape \[2, 3\] specifies, but 1 bytes follow/,
  ],
  ['trailing bytes after an empty array', idx(0x08, [0, 5], [1]), /byte 12: expected the end/],
];

/** The same for gzipped files, whose inflated size can't be known beforehand. */
const corruptGzip: [string, Uint8Array, RegExp][] = [
  ['no gzip data', new Uint8Array([0x1f, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), /broken gzip data/],
  ['cut gzip data', gzipSync(good).subarray(0, -9), /broken gzip data: unexpected end of file/],
  ['a changed checksum', changed(gzipSync(good), -8), /broken gzip data: incorrect data check/],
  ['zeros after the gzip data', new Uint8Array([...gzipSync(good), 0, 0, 0]), /byte \d+: 3 bytes follow the gzip data/],
  [
    'other bytes after the gzip data',
    new Uint8Array([...gzipSync(good), 1, 2, 3]),
    /broken gzip data: incorrect header check/,
  ],
  ['a bad magic number', gzipSync(changed(good, 0)), /inflated\): byte 0: expected two zero bytes/],
  ['a cut header', gzipSync(good.slice(0, 9)), /inflated\): byte 9: expected 2 sizes/],
  [
    'cut data',
    gzipSync(good.slice(0, -1)),
    /byte 17 of the inflated content: it ends here, but its header specifies 18 bytes/,
  ],
  ['trailing bytes', gzipSync(new Uint8Array([...good, 0])), /byte 18 of the inflated content: expected the end/],
  [
    'a second member',
    new Uint8Array([...gzipSync(good), ...gzipSync(good)]),
    /byte 18 of the inflated content: expected the end/,
  ],
  [
    'a bomb',
    gzipSync(new Uint8Array([...good, ...new Uint8Array(2 ** 22)])),
    /byte 18 of the inflated content: expected the end/,
  ],
  [
    'sizes that so few bytes cannot hold',
    gzipSync(idx(0x08, [2 ** 31], [1])),
    /so few bytes cannot hold the shape \[2147483648\]/,
  ],
];

function changed(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at < 0 ? copy.length + at : at] ^= 0x55;
  return copy;
}

describe('IDX: errors', () => {
  it.each([...corrupt, ...corruptGzip.map(([what, ...rest]): (typeof corrupt)[0] => [`gzipped: ${what}`, ...rest])])(
    'FILE_CORRUPT: %s',
    async (_, bytes, message) => {
      expectError(() => parseIdx(bytes, 'some file'), 'FILE_CORRUPT', /^some file/);
      expectError(() => parseIdx(bytes), 'FILE_CORRUPT', message);
      const path = write(bytes);
      await expectRejection(() => readIdx(path), 'FILE_CORRUPT', message);
      await expectRejection(() => readIdx(path), 'FILE_CORRUPT', new RegExp(`^${path}`));
    },
  );

  it('inflates a bomb no further than its header specifies', () => {
    const bomb = gzipSync(new Uint8Array([...good, ...new Uint8Array(2 ** 22)]));
    const limit = expect.objectContaining({ code: 'ERR_BUFFER_TOO_LARGE' });
    expect(() => parseIdx(bomb)).toThrowError(expect.objectContaining({ cause: limit }));
  });

  it('FILE_CORRUPT: another SHA-256', async () => {
    const path = write(good);
    const sha256 = createHash('sha256').update(good).digest('hex');
    expect((await readIdx(path, { sha256 })).shape).toEqual([2, 3]);
    await expectRejection(
      () => readIdx(path, { sha256: sha256.replace(/./, 'x') }),
      'FILE_CORRUPT',
      /expected SHA-256 x.*, got/,
    );
  });

  it('FILE_NOT_FOUND', async () => {
    await expectRejection(() => readIdx(join(directory, 'none')), 'FILE_NOT_FOUND', /none: there is no such file/);
    await expectRejection(() => readIdx(directory), 'FILE_NOT_FOUND', /cannot be read/);
    await expectRejection(() => readIdxDataset({ images: join(directory, 'none') }), 'FILE_NOT_FOUND', /none/);
  });

  it('INVALID_ARGUMENT and UNKNOWN_OPTION', async () => {
    expectError(
      () => parseIdx([0, 0, 8, 1] as unknown as Uint8Array),
      'INVALID_ARGUMENT',
      /bytes: expected a Uint8Array/,
    );
    await expectRejection(
      () => readIdx(3 as unknown as string),
      'INVALID_ARGUMENT',
      /path: expected a path or a file: URL, got 3/,
    );
    await expectRejection(() => readIdx('x', { md5: '' } as object), 'UNKNOWN_OPTION', /"md5"/);
    await expectRejection(
      () => readIdxDataset({ image: 'x' } as unknown as IdxDatasetOptions),
      'UNKNOWN_OPTION',
      /"image"/,
    );
  });

  it('readIdxDataset: files that do not fit each other', async () => {
    const images = write(idx(0x08, [2, 2], [1, 2, 3, 4]));
    const labels = write(idx(0x08, [3], [0, 1, 2]));
    await expectRejection(
      () => readIdxDataset({ images, labels }),
      'SHAPE_MISMATCH',
      /expected shape \[2\], one label for each row of .*, got \[3\]/,
    );
    await expectRejection(() => readIdxDataset({ images, labels: images }), 'SHAPE_MISMATCH', /got \[2, 2\]/);
    await expectRejection(() => readIdxDataset({ images, shape: [3] }), 'SHAPE_MISMATCH', /rows of 3/);
    await expectRejection(
      () => readIdxDataset({ images: write(idx(0x08, [2, 0], [])) }),
      'SHAPE_MISMATCH',
      /got shape \[2, 0\]/,
    );
    const bad = write(idx(0x08, [2], [0, 10]));
    await expectRejection(
      () => readIdxDataset({ images, labels: bad, classes: 10 }),
      'LABEL_OUT_OF_RANGE',
      new RegExp(`^${bad}: labels: row 1: expected 0 to 9, got 10`),
    );
  });
});

describe('IDX: behaviour', () => {
  const be = (write: (bytes: Buffer, value: number, at: number) => void, size: number, values: number[]) => {
    const bytes = Buffer.alloc(size * values.length);
    values.forEach((value, i) => write(bytes, value, i * size));
    return bytes;
  };
  const types: [string, number, Uint8Array, number[]][] = [
    ['uint8', 0x08, new Uint8Array([0, 7, 255]), [0, 7, 255]],
    ['int8', 0x09, new Uint8Array([0, 7, 255]), [0, 7, -1]],
    ['int16', 0x0b, be((b, v, at) => b.writeInt16BE(v, at), 2, [-2, 3, 258]), [-2, 3, 258]],
    ['int32', 0x0c, be((b, v, at) => b.writeInt32BE(v, at), 4, [-2, 3, 66051]), [-2, 3, 66051]],
    ['float32', 0x0d, be((b, v, at) => b.writeFloatBE(v, at), 4, [0.5, -3, 1e30]), [0.5, -3, Math.fround(1e30)]],
    ['float64', 0x0e, be((b, v, at) => b.writeDoubleBE(v, at), 8, [0.1, -3, 1e300]), [0.1, -3, 1e300]],
  ];

  it.each(types)('reads %s, raw and gzipped', async (type, code, content, values) => {
    const raw = idx(code, [3, 1], content);
    for (const bytes of [raw, gzipSync(raw)]) {
      for (const array of [parseIdx(bytes), await readIdx(write(bytes))]) {
        expect(array).toMatchObject({ type, shape: [3, 1] });
        expect([...array.data]).toEqual(values);
      }
    }
  });

  it('views the bytes given, and reads files into shared memory', async () => {
    const bytes = Uint8Array.from(good);
    const { data } = parseIdx(bytes);
    bytes[12] = 99;
    expect(data[0]).toBe(99);
    for (const file of [good, gzipSync(good), idx(0x0c, [1], [0, 0, 0, 1])]) {
      expect((await readIdx(write(file))).data.buffer).toBeInstanceOf(SharedArrayBuffer);
    }
  });

  it('reads a header after a long gzip file name, and content of several chunks', async () => {
    const content = Uint8Array.from({ length: 700_000 }, (_, i) => (i * i) >> 5);
    const packed = gzipSync(idx(0x08, [700, 1000], content));
    const name = Buffer.alloc(5000, 'n');
    name[4999] = 0;
    const named = Buffer.concat([packed.subarray(0, 10), name, packed.subarray(10)]);
    named[3] |= 8; // FNAME
    for (const array of [parseIdx(named), await readIdx(write(named))]) {
      expect(array.shape).toEqual([700, 1000]);
      expect(Buffer.compare(array.data as Uint8Array, content)).toBe(0);
    }
  });

  it('allows empty arrays, however large the other sizes', () => {
    const most = 2 ** 32 - 1;
    for (const shape of [
      [0, most, most],
      [most, most, 0],
    ])
      expect(parseIdx(idx(0x08, shape, [])).shape).toEqual(shape);
  });

  it('readIdxDataset: bytes stay in the memory that the file was read to', async () => {
    const images = write(idx(0x08, [2, 2, 2], [0, 1, 2, 3, 4, 5, 6, 255]));
    const labels = write(gzipSync(idx(0x0c, [2], [0, 0, 0, 3, 0, 0, 0, 1])));
    const data = await readIdxDataset({ images, labels, scale: 1 / 255 });
    expect(data).toMatchObject({ length: 2, shape: [2, 2], classes: 4, scale: 1 / 255, name: images });
    expect(data.features.byteOffset).toBe(16);
    expect(data.features.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect([...(data.labels as Int32Array)]).toEqual([3, 1]);
    expect(data.row(1)[3]).toBe(1);
    expect(await readIdxDataset({ images, shape: [4], name: 'four' })).toMatchObject({
      shape: [4],
      name: 'four',
      labels: undefined,
    });
    expect((await readIdxDataset({ images: labels })).shape).toEqual([1]);
  });
});
