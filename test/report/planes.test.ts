import { describe, expect, it } from 'vitest';
import { blobs, Dataset, SparseDataset, twoMoons } from '../../lib/data/index.js';
import { dense, Network, softmaxCrossEntropy } from '../../lib/index.js';
import { decisionRegions, lossSurface } from '../../lib/report/index.js';
import { expectRejection } from '../data/expect-error.js';
import { count, expectSvg, lineCount, texts } from './support.js';

/** Probability of class 1: x above 0. */
const half = (x: Float32Array) =>
  Float32Array.from({ length: x.length / 2 }, (_, i) => 1 / (1 + Math.exp(-4 * x[2 * i])));

/** The x of all corners of the path of a region, in pixels of the plot. */
function regionXs(svg: string, colour: string): number[] {
  const path = svg.match(new RegExp(`<path[^>]*d="([^"]*)"[^>]*fill="${colour}" fill-opacity`))?.[1] ?? '';
  return [...path.matchAll(/[ML]([\d.eE+-]+),/g)].map((match) => Number(match[1]));
}

describe('decisionRegions', () => {
  const moons = twoMoons({ samples: 60, seed: 1 });

  it('draws a region for each class, a mark for each point, and a legend', async () => {
    const svg = await decisionRegions(half, moons, { title: 'Moons', labelNames: ['upper', 'lower'] });
    expect(await expectSvg(svg)).toEqual({ width: 800, height: 560 });
    expect(count(svg, 'fill-opacity="0.28"')).toBe(2);
    const marks = svg.match(/class="mark-symbol role-mark"[\s\S]*?<\/g>/)?.[0] ?? '';
    expect(count(marks, '<path')).toBe(60);
    expect(texts(svg)).toEqual(expect.arrayContaining(['Moons', 'upper', 'lower', 'class']));
  });

  it('puts the boundary where the classes are equal', async () => {
    const svg = await decisionRegions(half, moons, { xRange: [-1, 1], yRange: [-1, 1], resolution: 50 });
    const [left, right] = [regionXs(svg, '#0072B2'), regionXs(svg, '#D55E00')];
    const plot = Math.max(...right);
    expect(Math.min(...left)).toBeCloseTo(0, 6);
    expect(Math.max(...left)).toBeCloseTo(plot / 2, 0);
    expect(Math.min(...right)).toBeCloseTo(plot / 2, 0);
  });

  it('takes networks and more than two classes', async () => {
    const data = blobs({ samples: 90, classes: 4, seed: 2 });
    const network = new Network({
      input: [2],
      layers: [dense(4)],
      loss: softmaxCrossEntropy(),
      seed: 1,
      backend: 'typescript',
    });
    const svg = await decisionRegions(network, data, { resolution: 30, width: 500, height: 400 });
    expect(await expectSvg(svg)).toEqual({ width: 500, height: 400 });
    expect(count(svg, 'fill-opacity="0.28"')).toBe(4);
    expect(await decisionRegions(network, data, { resolution: 30, width: 500, height: 400 })).toBe(svg);
  });

  it('refuses what it cannot draw', async () => {
    const labelled = (labels: number[]) =>
      new Dataset({ features: new Float32Array(labels.length * 2), shape: [2], labels });
    await expectRejection(
      () => decisionRegions({} as never, moons),
      'INVALID_ARGUMENT',
      /predictor: expected a network or a function/,
    );
    await expectRejection(() => decisionRegions(half, [] as never), 'INVALID_ARGUMENT', /points: expected a Dataset/);
    const sparse = new SparseDataset({ rowOffsets: [0, 2], indices: [0, 1], values: [1, 2], columns: 2, labels: [0] });
    await expectRejection(() => decisionRegions(half, sparse), 'INVALID_ARGUMENT', /points: expected .*dense rows/);
    await expectRejection(() => decisionRegions(half, labelled([0, 2])), 'LABEL_OUT_OF_RANGE', /labels from 0 to 1/);
    await expectRejection(() => decisionRegions(half, labelled([])), 'EMPTY_DATA', /at least one row/);
    await expectRejection(
      () => decisionRegions(() => [1], labelled([0])),
      'SHAPE_MISMATCH',
      /the same number for each of/,
    );
    await expectRejection(
      () => decisionRegions((x) => half(x).fill(NaN), moons),
      'NON_FINITE',
      /predictions: expected a finite number at \(/,
    );
    await expectRejection(
      () => decisionRegions(half, new Dataset({ features: [[1, 2, 3]], labels: [0] })),
      'SHAPE_MISMATCH',
      /two features, got 3/,
    );
    await expectRejection(
      () => decisionRegions(half, new Dataset({ features: [[1, 2]] })),
      'INVALID_ARGUMENT',
      /a dataset with labels/,
    );
    await expectRejection(
      () => decisionRegions(half, moons, { labelNames: ['a'] }),
      'SHAPE_MISMATCH',
      /each of the 2 classes/,
    );
    await expectRejection(
      () => decisionRegions(half, moons, { labelNames: ['a', 'a'] }),
      'INVALID_ARGUMENT',
      /unique names/,
    );
    await expectRejection(() => decisionRegions(half, moons, { resolution: 5 }), 'INVALID_ARGUMENT', /resolution/);
  });
});

describe('lossSurface', () => {
  const bowl = (x: number, y: number) => x * x + 4 * y * y;
  const path = { name: 'descent', x: [-1, -0.5, -0.1], y: [1, 0.2, 0] };

  it('draws contours, paths and their ends', async () => {
    const svg = await lossSurface(bowl, [path, { ...path, name: 'momentum', y: [1, 0, 0.1] }], {
      levels: [0.1, 1, 4],
      title: 'Bowl',
    });
    expect(await expectSvg(svg)).toEqual({ width: 800, height: 560 });
    expect(lineCount(svg)).toBe(2);
    expect(texts(svg)).toEqual(expect.arrayContaining(['Bowl', 'descent', 'momentum', '0.1', '1', '4', 'loss from']));
    const areas = svg.match(/class="mark-path role-mark"[\s\S]*?<\/g>/)?.[0] ?? '';
    expect(count(areas, '<path')).toBe(4); // the lowest value and three levels
    const ends = svg.match(/class="mark-symbol role-mark"[\s\S]*?<\/g>/)?.[0] ?? '';
    expect(count(ends, '<path')).toBe(4);
  });

  it('finds levels and needs no paths where ranges are given', async () => {
    const svg = await lossSurface(bowl, [], { xRange: [-1, 1], yRange: [-1, 1], resolution: 40 });
    await expectSvg(svg);
    const areas = svg.match(/class="mark-path role-mark"[\s\S]*?<\/g>/)?.[0] ?? '';
    expect(count(areas, '<path')).toBe(12);
    await expectSvg(await lossSurface(() => 1, [path]));
  });

  it('tells levels apart where a surface is nearly flat, and points where a range is narrow', async () => {
    const ranges = { xRange: [-1, 1], yRange: [-1, 1], resolution: 40 } as const;
    const legend = async (loss: (x: number, y: number) => number, options = {}) =>
      texts(await lossSurface(loss, [], { ...ranges, ...options }))
        .filter((text) => /^[\d.]{6,}$/.test(text))
        .map(Number);
    const levels = await legend((x, y) => 0.7931 + 1e-5 * bowl(x, y));
    expect(levels.length).toBe(12);
    expect(new Set(levels).size).toBe(12);
    expect((await legend(bowl, { levels: [1, 1.00001, 1.00002] })).slice(-2)).toEqual([1.00001, 1.00002]);
    const points = new Set<number>();
    const narrow = { ...ranges, xRange: [1, 1 + 1e-8] as const };
    await lossSurface((x, y) => points.add(x).size + y, [], narrow);
    expect(points.size).toBe(40);
  });

  it('refuses what it cannot draw', async () => {
    await expectRejection(() => lossSurface(bowl), 'EMPTY_DATA', /paths: x/);
    await expectRejection(() => lossSurface(1 as never, [path]), 'INVALID_ARGUMENT', /surface: expected a function/);
    await expectRejection(
      () => lossSurface(() => Infinity, [path]),
      'NON_FINITE',
      /surface: expected a finite number at/,
    );
    await expectRejection(
      () => lossSurface(() => 'a' as never, [path]),
      'INVALID_ARGUMENT',
      /surface\[0\]: expected a number/,
    );
    await expectRejection(
      () => lossSurface(bowl, [path], { levels: [1, 1] }),
      'INVALID_ARGUMENT',
      /levels: expected ascending numbers/,
    );
  });
});
