import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Dataset, fashionMnist, type MnistDatasets, type MnistOptions, mnist } from '../../lib/data/index.js';
import { expectRejection } from './expect-error.js';

const root = mkdtempSync(join(tmpdir(), 'blasnet-mnist-'));
afterAll(() => rmSync(root, { recursive: true }));

function images(count: number, height = 28, width = 28): Buffer {
  const bytes = Buffer.alloc(16 + count * height * width, 9);
  [0x803, count, height, width].forEach((word, i) => bytes.writeUInt32BE(word, 4 * i));
  return bytes;
}

function labels(list: number[]): Buffer {
  const bytes = Buffer.from([0, 0, 8, 1, 0, 0, 0, 0, ...list]);
  bytes.writeUInt32BE(list.length, 4);
  return bytes;
}

describe('mnist with a directory', () => {
  let directory = '';
  let tests = 0;
  const put = (name: string, bytes: Buffer) => writeFileSync(join(directory, name), bytes);
  beforeEach(() => {
    directory = join(root, `${++tests}`);
    mkdirSync(directory);
    put('train-images-idx3-ubyte', images(3));
    put('train-labels-idx1-ubyte', labels([7, 0, 9]));
    put('t10k-images-idx3-ubyte', images(2));
    put('t10k-labels-idx1-ubyte', labels([1, 2]));
  });

  it('FILE_NOT_FOUND tells the names looked for', async () => {
    rmSync(join(directory, 't10k-labels-idx1-ubyte'));
    await expectRejection(
      () => mnist(directory),
      'FILE_NOT_FOUND',
      /expected a file t10k-labels-idx1-ubyte or .*\.gz or t10k-labels\.idx1-ubyte or/,
    );
    await expectRejection(() => mnist(join(directory, 'none')), 'FILE_NOT_FOUND', /none: expected a file/);
    await expectRejection(() => fashionMnist(join(directory, 'none')), 'FILE_NOT_FOUND', /none: expected a file/);
  });

  it('FILE_CORRUPT names the file', async () => {
    put('train-images-idx3-ubyte', images(3).subarray(0, 100));
    await expectRejection(
      () => mnist(directory),
      'FILE_CORRUPT',
      /train-images-idx3-ubyte: byte 100: the file ends here/,
    );
  });

  it('SHAPE_MISMATCH for other images, or labels that differ in number', async () => {
    put('t10k-images-idx3-ubyte', images(2, 14, 56));
    await expectRejection(
      () => mnist(directory),
      'SHAPE_MISMATCH',
      /t10k-images.* expected uint8 images of shape \[rows, 28, 28\], got uint8 of shape \[2, 14, 56\]/,
    );
    put('t10k-images-idx3-ubyte', images(2, 28, 14));
    await expectRejection(() => mnist(directory), 'SHAPE_MISMATCH', /got uint8 of shape \[2, 28, 14\]/);
    put('t10k-images-idx3-ubyte', images(4));
    await expectRejection(() => mnist(directory), 'SHAPE_MISMATCH', /t10k-labels.*: expected shape \[4\]/);
  });

  it('LABEL_OUT_OF_RANGE names file and row', async () => {
    put('t10k-labels-idx1-ubyte', labels([1, 10]));
    await expectRejection(
      () => mnist(directory),
      'LABEL_OUT_OF_RANGE',
      /t10k-labels-idx1-ubyte: labels: row 1: expected 0 to 9, got 10/,
    );
  });

  it('INVALID_ARGUMENT and UNKNOWN_OPTION', async () => {
    await expectRejection(() => mnist(7 as unknown as string), 'INVALID_ARGUMENT', /directory: expected a path/);
    await expectRejection(
      () => mnist({} as unknown as string, {}),
      'INVALID_ARGUMENT',
      /directory: expected a path in front of options/,
    );
    await expectRejection(
      () => mnist(directory, { shape: [28, 28] } as unknown as MnistOptions),
      'INVALID_ARGUMENT',
      /shape: expected \[784\] or \[28, 28, 1\], got \[28, 28\]/,
    );
    await expectRejection(() => mnist(directory, { scale: NaN }), 'INVALID_ARGUMENT', /scale/);
    await expectRejection(() => fashionMnist({ offset: NaN }), 'INVALID_ARGUMENT', /offset/);
    await expectRejection(
      () => mnist({ shuffle: true } as object),
      'UNKNOWN_OPTION',
      /mnist: unknown option "shuffle"; known options are shape, scale, offset/,
    );
  });

  it('reads any number of images, in both spellings, raw and gzipped', async () => {
    rmSync(join(directory, 'train-images-idx3-ubyte'));
    put('train-images.idx3-ubyte.gz', gzipSync(images(3)));
    rmSync(join(directory, 't10k-labels-idx1-ubyte'));
    put('t10k-labels.idx1-ubyte', labels([1, 2]));
    const { train, test } = await mnist(directory, { shape: [28, 28, 1], scale: 2, offset: -1 });
    expect(train).toMatchObject({
      length: 3,
      shape: [28, 28, 1],
      classes: 10,
      scale: 2,
      offset: -1,
      name: 'MNIST train',
    });
    expect(test).toMatchObject({ length: 2, classes: 10, name: 'MNIST test' });
    expect([...(train.labels as Int32Array)]).toEqual([7, 0, 9]);
    expect(train.row(2)[783]).toBe(17);
  });
});

function meanByte({ features }: Dataset): number {
  let sum = 0;
  for (let i = 0; i < features.length; i++) sum += features[i];
  return sum / features.length;
}

describe('MNIST', () => {
  let data: MnistDatasets;
  beforeAll(async () => {
    data = await mnist();
  });

  it('has the digits that the world knows', () => {
    const { train, test } = data;
    expect(train).toMatchObject({ length: 60000, shape: [784], classes: 10, offset: 0, scale: 1 / 255 });
    expect(test).toMatchObject({ length: 10000, shape: [784], classes: 10 });
    expect([...(train.labels as Int32Array).subarray(0, 8)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3]);
    expect(test.labels?.[0]).toBe(7);
    expect(train.classCounts()).toEqual([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    expect(test.classCounts()).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    expect(meanByte(train)).toBeCloseTo(33.3184, 4);
    expect(Math.max(...train.row(0))).toBe(1);
  });

  it('keeps the pixels as bytes in shared memory', () => {
    expect(data.train.features).toBeInstanceOf(Uint8Array);
    expect(data.train.features.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(data.train.labels?.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  it('takes options without a directory', async () => {
    const { test } = await mnist({ shape: [28, 28, 1], scale: 1 });
    expect(test).toMatchObject({ shape: [28, 28, 1], featureCount: 784, scale: 1 });
    expect((await mnist(undefined, { scale: 3 })).test.scale).toBe(3);
  });
});

describe('Fashion-MNIST', () => {
  const installed = existsSync('/usr/share/datasets/fashion-mnist');
  const reason = installed ? '' : ' (skipped: the Debian package dataset-fashion-mnist is not installed)';

  it.skipIf(!installed)(`is read from its Debian package${reason}`, async () => {
    const { train, test } = await fashionMnist();
    expect(train).toMatchObject({ length: 60000, shape: [784], classes: 10, name: 'Fashion-MNIST train' });
    expect(train.classCounts()).toEqual(Array(10).fill(6000));
    expect(test.classCounts()).toEqual(Array(10).fill(1000));
    expect(train.labels?.[0]).toBe(9);
    expect(train.labelNames?.[9]).toBe('Ankle boot');
    expect(meanByte(train)).toBeCloseTo(72.9404, 3);
    expect(train.features.buffer).toBeInstanceOf(SharedArrayBuffer);
  });
});
