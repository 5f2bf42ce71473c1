import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { Dataset, SparseDataset } from '../../lib/data/index.js';
import { metrics } from '../../lib/index.js';
import { confusionMatrixPlot, imageGrid } from '../../lib/report/index.js';
import { encodePng } from '../../lib/report/png.js';
import { expectRejection } from '../data/expect-error.js';
import { count, expectSvg, texts } from './support.js';

/** The images in a picture, decoded. */
function images(svg: string) {
  const urls = [...svg.matchAll(/data:image\/png;base64,([^"]*)/g)].map((match) => Buffer.from(match[1], 'base64'));
  return Promise.all(urls.map((bytes) => sharp(bytes).raw().toBuffer({ resolveWithObject: true })));
}

describe('encodePng', () => {
  it.each([1, 3] as const)('is read back by libpng: %i channels', async (channels) => {
    const pixels = Uint8Array.from({ length: 5 * 7 * channels }, (_, i) => (i * 37) % 256);
    const png = encodePng(pixels, 5, 7, channels);
    const { width, height, channels: read } = await sharp(png).metadata();
    expect([width, height, read]).toEqual([7, 5, channels]);
    const raw = sharp(png)
      .toColourspace(channels === 1 ? 'b-w' : 'srgb')
      .raw();
    expect(new Uint8Array(await raw.toBuffer())).toEqual(pixels);
  });
});

describe('imageGrid', () => {
  const features = Uint8Array.from({ length: 6 * 4 }, (_, i) => i * 10);
  const data = new Dataset({
    features,
    shape: [2, 2, 1],
    labels: [0, 1, 2, 0, 1, 2],
    labelNames: ['ant', 'bee', 'cat'],
  });

  it('shows each image with its class', async () => {
    const svg = await imageGrid(data, { columns: 3, title: 'Six' });
    const { width } = await expectSvg(svg);
    expect(Math.abs(width - 800)).toBeLessThan(5);
    expect(texts(svg)).toEqual(['ant', 'bee', 'cat', 'ant', 'bee', 'cat', 'Six']);
    const pictures = await images(svg);
    expect(pictures).toHaveLength(6);
    for (const [i, { data: bytes, info }] of pictures.entries()) {
      const corners = [0, info.width - 1, info.width * (info.height - 1), info.width * info.height - 1];
      expect(corners.map((at) => bytes[at * info.channels])).toEqual([...features.subarray(4 * i, 4 * i + 4)]);
    }
  });

  it('tells right from wrong predictions', async () => {
    const svg = await imageGrid(data, { predictions: [0, 2, 2, 0, 1, 2] });
    expect(texts(svg)).toEqual(['ant', '✗ cat (bee)', 'cat', 'ant', 'bee', 'cat']);
    expect(count(svg, 'font-weight="bold"')).toBe(1);
    expect(texts(await imageGrid(data, { indices: [1, 0], predictions: [0, 2, 2, 0, 1, 2] }))).toEqual([
      '✗ cat (bee)',
      'ant',
    ]);
    expect(texts(await imageGrid(data, { indices: [1, 0], predictions: [1, 0], labelNames: ['x', 'y', 'z'] }))).toEqual(
      ['y', 'x'],
    );
    expect(texts(await imageGrid(data, { labels: false }))).toEqual([]);
    expect(texts(await imageGrid(data, { labels: false, predictions: [0, 1, 2, 0, 1, 2], indices: [2] }))).toEqual([
      'cat',
    ]);
  });

  it('takes as many predictions as the dataset has rows for theirs, in whatever order it is shown', async () => {
    const indices = [5, 4, 3, 2, 1, 0];
    const svg = await imageGrid(data, { indices, predictions: data.labels as Int32Array });
    expect(texts(svg)).toEqual(['cat', 'bee', 'ant', 'cat', 'bee', 'ant']);
  });

  it('embeds large images no larger than can be seen', async () => {
    const side = 1500;
    const large = new Uint8Array(3 * side * side).map((_, i) => (i % side) / 8);
    const rows = new Dataset({ features: large, shape: [side, side, 1], labels: [0, 0, 0] });
    const svg = await imageGrid(rows, { indices: Array.from({ length: 40 }, (_, i) => i % 3) });
    for (const { data: bytes, info } of await images(svg)) {
      const step = Math.round(side / info.width);
      expect(step).toBeGreaterThan(5);
      expect(info.width).toBeGreaterThanOrEqual(2 * 70);
      expect([info.width, info.height]).toEqual([Math.ceil(side / step), Math.ceil(side / step)]);
      for (let x = 0; x < info.width; x++) expect(bytes[x * info.channels]).toBe(Math.floor((x * step) / 8));
    }
  });

  it('takes flat squares, colours and floats', async () => {
    const flat = new Dataset({ features: Float32Array.of(-1, 0, 1, 1), shape: [4] });
    const [grey] = await images(await imageGrid(flat, { width: 300 }));
    const shades = new Set([...grey.data].filter((_, i) => i % grey.info.channels === 0));
    expect(shades).toEqual(new Set([0, 128, 255]));
    const colour = new Dataset({ features: Uint8Array.of(255, 0, 0, 0, 0, 255), shape: [1, 2, 3] });
    const [picture] = await images(await imageGrid(colour));
    expect([...picture.data.subarray(0, 3), ...picture.data.subarray(-3)]).toEqual([255, 0, 0, 0, 0, 255]);
  });

  it('is the same each time and escapes names', async () => {
    const options = { labelNames: ['<a>', '&', '"'] };
    const svg = await imageGrid(data, options);
    await expectSvg(svg);
    expect(await imageGrid(data, options)).toBe(svg);
    expect(texts(svg).slice(0, 2)).toEqual(['&lt;a&gt;', '&amp;']);
  });

  it('refuses what it cannot draw', async () => {
    await expectRejection(() => imageGrid([] as never), 'INVALID_ARGUMENT', /dataset: expected a Dataset/);
    await expectRejection(
      () => imageGrid(data, { indices: [6] }),
      'INVALID_ARGUMENT',
      /indices\[0\]: expected an integer ≥ 0 and < 6/,
    );
    const sparse = new SparseDataset({ rowOffsets: [0, 2], indices: [0, 1], values: [1, 2], columns: 4 });
    await expectRejection(
      () => imageGrid(sparse),
      'INVALID_ARGUMENT',
      /dataset: expected .*dense rows, got .sparse rows/,
    );
    const short = { ...data, length: 6, features: new Uint8Array(3) };
    await expectRejection(() => imageGrid(short as never), 'SHAPE_MISMATCH', /dataset: features: expected 6 rows/);
    await expectRejection(() => imageGrid(data, { indices: [] }), 'EMPTY_DATA', /at least one image/);
    for (const labelNames of ['cats', [1, 2, 3, 4], {}] as never[]) {
      const text = /^labelNames: expected an array of strings, got /;
      await expectRejection(() => imageGrid(data, { labelNames }), 'INVALID_ARGUMENT', text);
    }
    const few = /^labelNames: expected a name for each of the 3 classes, got 1$/;
    await expectRejection(() => imageGrid(data, { labelNames: ['a'] }), 'SHAPE_MISMATCH', few);
    await expectRejection(() => imageGrid(data, { predictions: [1] }), 'SHAPE_MISMATCH', /expected 6 .* got 1/);
    await expectRejection(() => imageGrid(new Dataset({ features: [[1, 2, 3]] })), 'SHAPE_MISMATCH', /got \[3\]/);
    await expectRejection(
      () => imageGrid(new Dataset({ features: [[1]] }), { labels: true }),
      'INVALID_ARGUMENT',
      /labels/,
    );
    await expectRejection(() => imageGrid(new Dataset({ features: [[NaN]] })), 'INVALID_ARGUMENT', /finite numbers/);
  });
});

describe('confusionMatrixPlot', () => {
  const matrix = metrics.confusionMatrix([0, 0, 1, 1, 0, 2, 2, 2], [0, 0, 0, 1, 2, 2, 2, 2]);

  it('draws a cell for each pair of classes with its count', async () => {
    const svg = await confusionMatrixPlot(matrix, { title: 'Test set', labelNames: ['ant', 'bee', 'cat'] });
    expect(await expectSvg(svg)).toEqual({ width: 800, height: 700 });
    const cells = svg.match(/class="mark-rect role-mark"[\s\S]*?<\/g>/)?.[0] ?? '';
    expect(count(cells, '<path')).toBe(9);
    const counts = svg.match(/class="mark-text role-mark"[\s\S]*?<\/g>/)?.[0] ?? '';
    expect(texts(counts)).toEqual(['2', '1', '0', '0', '1', '0', '1', '0', '3']);
    expect(texts(svg)).toEqual(expect.arrayContaining(['Test set', 'ant', 'bee', 'cat', 'truth', 'predicted']));
  });

  it('writes percent, and draws classes without rows', async () => {
    const svg = await confusionMatrixPlot(metrics.confusionMatrix([0, 0, 1], [0, 0, 0], { classes: 3 }), {
      percent: true,
    });
    await expectSvg(svg);
    expect(texts(svg)).toEqual(expect.arrayContaining(['66.7', '33.3', '0']));
  });

  it('draws many classes with long names', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `class with a long name ${i}`);
    const svg = await confusionMatrixPlot(new metrics.ConfusionMatrix(new Float64Array(400).fill(7), names));
    await expectSvg(svg);
    for (const name of names) expect(texts(svg).filter((text) => text === name)).toHaveLength(2);
  });

  it('refuses what it cannot draw', async () => {
    await expectRejection(() => confusionMatrixPlot([1] as never), 'INVALID_ARGUMENT', /a ConfusionMatrix/);
    await expectRejection(
      () => confusionMatrixPlot(matrix, { labelNames: ['a'] }),
      'SHAPE_MISMATCH',
      /3 classes, got 1/,
    );
  });
});
