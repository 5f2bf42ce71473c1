import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Dataset } from '../../lib/data/index.js';
import {
  Adam,
  type Augmentation,
  augmentBatch,
  concat,
  conv2d,
  cutout,
  dense,
  flatten,
  globalAvgPool2d,
  input,
  type LayerSpec,
  type Loss,
  meanSquaredError,
  mixUp,
  Network,
  randomCrop,
  randomFlip,
  randomRotation,
  randomShift,
  relu,
  Sgd,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import { reportOf, runFixture } from '../lifecycle/child.js';
import {
  classData,
  classifier,
  describeNative,
  distance,
  expectError,
  expectRejection,
  expectSameBits,
  onBackends,
  randomFloats,
  weights,
} from './support.js';

const everything = (): Augmentation[] => [
  randomShift(1),
  randomFlip(),
  randomCrop({ padding: [2, 1], fill: 0.5 }),
  randomRotation(15),
  cutout(3),
  mixUp({ alpha: 0.4 }),
];

/** Images with three classes. */
function imageData(rows: number, shape = [6, 7, 2], seed = 1): Dataset {
  const size = shape.reduce((product, side) => product * side, 1);
  return new Dataset({
    features: randomFloats(rows * size, seed),
    shape,
    labels: Int32Array.from({ length: rows }, (_, row) => row % 3),
  });
}

const imageLayers = (): LayerSpec[] => [conv2d(4, { padding: 1 }), relu(), flatten(), dense(3)];
const imageNetwork = (backend: 'native' | 'typescript', layers = imageLayers(), input: readonly number[] = [6, 7, 2]) =>
  new Network({ input, layers, loss: softmaxCrossEntropy(), seed: 7, backend });

/** `rows` images of which only the middle pixel is 1: after a move it shows where the middle came from. */
function points(rows: number, side: number): Dataset {
  const features = new Float32Array(rows * side * side);
  for (let row = 0; row < rows; row++) features[row * side * side + (side * side - 1) / 2] = 1;
  return new Dataset({ features, shape: [side, side, 1] });
}

/** The sum of (observed − expected)² / expected over equally likely cells. */
function chiSquare(counts: ArrayLike<number>): number {
  const all = Array.from(counts);
  const expected = all.reduce((sum, count) => sum + count, 0) / all.length;
  return all.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

/** What a chi-square of so many cells exceeds once in a million draws, roughly (Wilson and Hilferty's form). */
function limit(cells: number): number {
  const degrees = cells - 1;
  const spread = 2 / (9 * degrees);
  return degrees * (1 - spread + 4.75 * Math.sqrt(spread)) ** 3;
}

const any = (value: unknown) => value as never;

describe('augmentations', () => {
  it('are plain frozen data with their options resolved', () => {
    expect(everything()).toEqual([
      { type: 'randomShift', pixels: [1, 1], fill: 0 },
      { type: 'randomFlip', direction: 'horizontal', probability: 0.5 },
      { type: 'randomCrop', pixels: [2, 1], fill: 0.5 },
      { type: 'randomRotation', degrees: 15, fill: 0 },
      { type: 'cutout', size: [3, 3], fill: 0 },
      { type: 'mixUp', alpha: 0.4 },
    ]);
    for (const spec of everything()) {
      expect(Object.isFrozen(spec)).toBe(true);
      for (const value of Object.values(spec)) expect(Object.isFrozen(value)).toBe(true);
    }
    expect(randomFlip({ direction: 'vertical', probability: 1 })).toMatchObject({ direction: 'vertical' });
    expect(mixUp()).toEqual({ type: 'mixUp', alpha: 0.2 });
  });

  it.each<[string, () => unknown, RegExp]>([
    ['a shift of half a pixel', () => randomShift(0.5), /^randomShift: pixels: expected an integer ≥ 0/],
    ['a negative shift', () => randomShift([1, -1]), /^randomShift: pixels/],
    ['three shifts', () => randomShift(any([1, 1, 1])), /^randomShift: pixels: .*\[vertical, horizontal\]/],
    ['a shift as text', () => randomShift(any('2')), /^randomShift: pixels/],
    ['a fill that is no number', () => randomShift(2, { fill: Number.NaN }), /^randomShift: fill/],
    ['a crop without padding', () => randomCrop(any({})), /^randomCrop: padding/],
    ['a crop of a number', () => randomCrop(any(4)), /^randomCrop: expected an object of options/],
    ['a flip along the diagonal', () => randomFlip(any({ direction: 'diagonal' })), /^randomFlip: direction/],
    ['a flip more often than always', () => randomFlip({ probability: 1.1 }), /^randomFlip: probability/],
    ['a turn beyond half', () => randomRotation(181), /^randomRotation: degrees/],
    ['a hole of nothing', () => cutout(0), /^cutout: size/],
    ['a mixture of exponent 0', () => mixUp({ alpha: 0 }), /^mixUp: alpha: expected a finite number > 0/],
    ['an infinite exponent', () => mixUp({ alpha: Infinity }), /^mixUp: alpha/],
  ])('refuse %s', (_, make, message) => {
    expectError(make, 'INVALID_ARGUMENT', message);
  });
});

onBackends('fit with augmentations refuses', (backend) => {
  const data = imageData(12);
  const labelsAlone: Loss = { ...softmaxCrossEntropy(), targets: ['labels'] };

  it.each<[string, unknown, 'INVALID_ARGUMENT' | 'UNKNOWN_OPTION' | 'SHAPE_MISMATCH', RegExp]>([
    ['one outside a list', randomFlip(), 'INVALID_ARGUMENT', /^fit: augment: expected a list of augmentations/],
    ['a name', ['randomFlip'], 'INVALID_ARGUMENT', /^fit: augment\[0\]: expected an augmentation such as/],
    ['a factory', [randomFlip], 'INVALID_ARGUMENT', /^fit: augment\[0\]: .*got function randomFlip/],
    ['a hole in the list', new Array(1), 'INVALID_ARGUMENT', /^fit: augment\[0\]/],
    ['an unknown type', [randomFlip(), { type: 'blur' }], 'INVALID_ARGUMENT', /^fit: augment\[1\]/],
    ['a layer', [relu()], 'INVALID_ARGUMENT', /^fit: augment\[0\]/],
    [
      'a copy with a bad value',
      [{ ...randomFlip(), probability: 2 }],
      'INVALID_ARGUMENT',
      /^fit: augment\[0\]: randomFlip: probability/,
    ],
    ['a copy with an unknown option', [{ ...cutout(2), round: true }], 'UNKNOWN_OPTION', /^fit: augment\[0\]: cutout/],
    [
      'a shift as far as the image',
      [randomShift([6, 1])],
      'INVALID_ARGUMENT',
      /^fit: augment\[0\]: randomShift: expected a shift of less than the image, 6 × 7, got 6 × 1/,
    ],
    ['a padding as wide as the image', [randomCrop({ padding: [1, 7] })], 'INVALID_ARGUMENT', /randomCrop/],
    ['a hole larger than the image', [cutout([1, 8])], 'INVALID_ARGUMENT', /cutout: size: expected at most .* 6 × 7/],
  ])('%s', async (_, augment, code, message) => {
    const network = imageNetwork(backend);
    const before = weights(network);
    await expectRejection(() => network.fit(data, { augment: any(augment) }), code, message);
    await expectRejection(() => network.fit([data], { augment: any(augment) }), code, message);
    expectSameBits(weights(network), before);
  });

  it('samples that are no images, but for mixUp', async () => {
    const message = /^fit: augment\[1\]: cutout: expected samples of the shape \[height, width, channels\], got \[6\]/;
    const augment = [mixUp(), cutout(1)];
    await expectRejection(() => classifier(backend).fit(classData(20), { augment }), 'SHAPE_MISMATCH', message);
    await classifier(backend).fit(classData(20), { augment: [mixUp()] });
  });

  it('mixUp with a loss that takes only labels', async () => {
    const network = new Network({ input: [6, 7, 2], layers: imageLayers(), loss: labelsAlone, seed: 1, backend });
    const message = /^fit: augment\[0\]: mixUp: it mixes targets, but the loss \w+ takes only labels/;
    await expectRejection(() => network.fit(data, { augment: [mixUp()] }), 'INVALID_ARGUMENT', message);
    await network.fit(data, { augment: [randomFlip()] });
  });
});

describe('augmentBatch refuses', () => {
  it.each<[string, unknown, unknown, object, 'INVALID_ARGUMENT' | 'SHAPE_MISMATCH' | 'EMPTY_DATA', RegExp]>([
    ['no list', randomFlip(), imageData(2), {}, 'INVALID_ARGUMENT', /^augmentBatch: augmentations: expected a list/],
    ['an array as data', [], new Float32Array(84), {}, 'INVALID_ARGUMENT', /^augmentBatch: data: expected a Dataset/],
    ['nothing', [], undefined, {}, 'INVALID_ARGUMENT', /^augmentBatch: data: expected a Dataset/],
    ['flat samples', [randomFlip()], classData(3), {}, 'SHAPE_MISMATCH', /^augmentBatch: augmentations\[0\]/],
    ['an empty dataset', [], imageData(2).take(0), {}, 'EMPTY_DATA', /^augmentBatch: data/],
    ['a negative seed', [], imageData(2), { seed: -1 }, 'INVALID_ARGUMENT', /^augmentBatch: seed/],
    ['half a step', [], imageData(2), { step: 0.5 }, 'INVALID_ARGUMENT', /^augmentBatch: step/],
    ['a backend', [], imageData(2), { backend: 'gpu' }, 'INVALID_ARGUMENT', /^backend/],
  ])('%s', (_, list, data, options, code, message) => {
    expectError(() => augmentBatch(any(list), any(data), any(options)), code, message);
  });
});

onBackends('the draws', (backend) => {
  const rows = 6000;
  /** How often each pixel is 1, over rows with a single one. */
  const places = (list: Augmentation[], side: number, step = 0) => {
    const y = augmentBatch(list, points(rows, side), { seed: 12, step, backend });
    const counts = new Array(side * side).fill(0);
    y.forEach((value, i) => {
      counts[i % (side * side)] += value;
    });
    return counts;
  };

  it.each([
    ['randomShift', () => randomShift([2, 1])],
    ['randomCrop', () => randomCrop({ padding: [2, 1] })],
  ])('%s: all moves are equally likely, and none is longer', (_, make) => {
    const counts = places([make()], 7);
    const inside = counts.filter((_, i) => Math.abs(Math.floor(i / 7) - 3) <= 2 && Math.abs((i % 7) - 3) <= 1);
    expect(inside.reduce((sum, count) => sum + count, 0)).toBe(rows);
    expect(inside.length).toBe(15);
    expect(chiSquare(inside)).toBeLessThan(limit(15));
    expect(places([make()], 7, 1)).not.toEqual(counts);
  });

  it.each([0.5, 0.1, 0, 1])('randomFlip: mirrors a share of %d, whichever the rows', (probability) => {
    for (const direction of ['horizontal', 'vertical'] as const) {
      const x = new Float32Array(4 * rows);
      for (let row = 0; row < rows; row++) x[4 * row] = 1;
      const data = new Dataset({ features: x, shape: [2, 2, 1] });
      const y = augmentBatch([randomFlip({ direction, probability })], data, { seed: 5, backend });
      const flipped = Uint8Array.from({ length: rows }, (_, row) => y[4 * row + (direction === 'vertical' ? 2 : 1)]);
      const share = flipped.reduce((sum, one) => sum + one, 0) / rows;
      expect(Math.abs(share - probability)).toBeLessThanOrEqual(
        4.9 * Math.sqrt((probability * (1 - probability)) / rows),
      );
      // A row tells nothing about the next one.
      const pairs = flipped.reduce((sum, one, row) => sum + (one === 1 && flipped[row + 1] === 1 ? 1 : 0), 0) / rows;
      expect(Math.abs(pairs - share ** 2)).toBeLessThan(0.03);
      for (let row = 0; row < rows; row++) expect(y[4 * row] + flipped[row]).toBe(1);
    }
  });

  it('randomRotation: the angles are uniform in their range', () => {
    // A point far to the right of the middle rises or falls by the angle: its centre of mass gives it back.
    const [side, middle, arm, degrees] = [41, 20, 16, 30];
    const data = new Dataset({ features: new Float32Array(2000 * side * side), shape: [side, side, 1] });
    for (let row = 0; row < 2000; row++) data.features[(row * side + middle) * side + middle + arm] = 1;
    const y = augmentBatch([randomRotation(degrees)], data, { seed: 3, backend });
    const counts = new Array(10).fill(0);
    for (let row = 0; row < 2000; row++) {
      let [sum, up, right] = [0, 0, 0];
      for (let i = 0; i < side * side; i++) {
        const value = y[row * side * side + i];
        sum += value;
        up += value * (middle - Math.floor(i / side));
        right += value * ((i % side) - middle);
      }
      expect(sum).toBeGreaterThan(0.5);
      const angle = (Math.atan2(up, right) * 180) / Math.PI;
      // Between four pixels the centre of mass is off by a fraction of one: 1.5 degrees.
      expect(Math.abs(angle)).toBeLessThan(degrees + 1.5);
      counts[Math.min(9, Math.max(0, Math.floor((10 * (angle + degrees)) / (2 * degrees))))]++;
    }
    expect(chiSquare(counts)).toBeLessThan(limit(10));
  });

  it('randomRotation: turns the edge of an image to all its sides', () => {
    // Of many angles up to a half turn, those nearest to none, a quarter and a half.
    const x = new Float32Array(rows * 25);
    for (let row = 0; row < rows; row++) x[row * 25 + 2 * 5 + 4] = 1;
    const y = augmentBatch([randomRotation(180)], new Dataset({ features: x, shape: [5, 5, 1] }), { seed: 1, backend });
    const most = (at: number) => Math.max(...Array.from({ length: rows }, (_, row) => y[row * 25 + at]));
    for (const at of [2, 10, 14, 22]) expect(most(at)).toBeGreaterThan(0.99);
  });

  it('cutout: the middle of the square is uniform over the pixels', () => {
    const data = new Dataset({ features: new Float32Array(rows * 25).fill(1), shape: [5, 5, 1] });
    const y = augmentBatch([cutout(1, { fill: -1 })], data, { seed: 9, backend });
    const counts = new Array(25).fill(0);
    y.forEach((value, i) => {
      if (value === -1) counts[i % 25]++;
    });
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(rows);
    expect(chiSquare(counts)).toBeLessThan(limit(25));
    const squares = augmentBatch([cutout([2, 3])], data, { seed: 9, backend });
    for (let row = 0; row < rows; row++) {
      const erased = squares.subarray(row * 25, (row + 1) * 25).filter((value) => value === 0).length;
      expect([2, 3, 4, 6]).toContain(erased);
    }
  });

  it.each([0.2, 0.5, 1, 8])('mixUp: the shares have the distribution Beta(%d, %d)', (alpha) => {
    // One-hot rows tell share and partner.
    const batch = 500;
    let [count, mean, square, low] = [0, 0, 0, 0];
    const partners = new Set<number>();
    for (let step = 0; step < 20; step++) {
      const features = new Float32Array(batch * batch);
      for (let row = 0; row < batch; row++) features[row * batch + row] = 1;
      const data = new Dataset({ features, shape: [batch] });
      const y = augmentBatch([mixUp({ alpha })], data, { seed: 21, step, backend });
      for (let row = 0; row < batch; row++) {
        const own = y.subarray(row * batch, (row + 1) * batch);
        const share = own[row];
        const other = own.findIndex((value, i) => i !== row && value > 0);
        if (other >= 0) partners.add((other - row + batch) % batch);
        expect(own.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
        count++;
        mean += share;
        square += (share - 0.5) ** 2;
        low += share < 0.1 ? 1 : 0;
      }
    }
    // Var λ = 1 / (4 (2 alpha + 1)); the tolerances are five standard errors of 10,000 draws at most.
    const variance = 1 / (4 * (2 * alpha + 1));
    expect(Math.abs(mean / count - 0.5)).toBeLessThan(5 * Math.sqrt(variance / count));
    expect(Math.abs(square / count - variance)).toBeLessThan((5 * 0.125) / Math.sqrt(count));
    // P(λ < 0.1), computed by integrating the density.
    const tail = { 0.2: 0.33669, 0.5: 0.20483, 1: 0.1, 8: 0.0000336 }[alpha] as number;
    expect(Math.abs(low / count - tail)).toBeLessThan(5 * Math.sqrt((tail * (1 - tail)) / count) + 1e-4);
    // One shift of the partners for each step, never 0.
    expect(partners.has(0)).toBe(false);
    expect(partners.size).toBeGreaterThan(15);
  });

  it('depend on seed, step, row and place in the list, and on nothing else', () => {
    const data = imageData(40);
    const list = everything();
    const base = augmentBatch(list, data, { seed: 4, step: 3, backend });
    expectSameBits([augmentBatch(list, data, { seed: 4, step: 3, backend })], [base]);
    expectSameBits([augmentBatch(JSON.parse(JSON.stringify(list)), data, { seed: 4, step: 3, backend })], [base]);
    expect(distance([augmentBatch(list, data, { seed: 5, step: 3, backend })], [base])).toBeGreaterThan(0.1);
    expect(distance([augmentBatch(list, data, { seed: 4, step: 4, backend })], [base])).toBeGreaterThan(0.1);
    const moves = list.slice(0, 5);
    const size = 6 * 7 * 2;
    const some = augmentBatch(moves, data, { seed: 4, step: 3, backend });
    expectSameBits([augmentBatch(moves, data.take(9), { seed: 4, step: 3, backend })], [some.subarray(0, 9 * size)]);
    const twice = augmentBatch([randomFlip(), randomFlip()], data, { seed: 4, backend });
    expect(distance([twice], [augmentBatch([], data, { backend })])).toBeGreaterThan(0.1);
  });

  it('the fill is in the units of the network', () => {
    const bytes = new Dataset({ features: new Uint8Array(64).fill(192), shape: [8, 8, 1], scale: 1 / 64, offset: -2 });
    const list = [cutout(4, { fill: 0.25 })];
    const y = augmentBatch(list, bytes, { backend });
    expect([...new Set(y)].sort()).toEqual([0.25, 1]);
    expect([...new Set(augmentBatch([cutout(4)], bytes, { backend }))].sort()).toEqual([0, 1]);
  });
});

describeNative('both backends', () => {
  it('draw the same', () => {
    for (let step = 0; step < 5; step++) {
      const [a, b] = (['native', 'typescript'] as const).map((backend) =>
        augmentBatch(everything(), imageData(70), { seed: 2 ** 32 - 1, step: 2 ** 32 - 2 + step, backend }),
      );
      expect(distance([a], [b])).toBeLessThan(1e-6);
    }
  });

  it('train alike, on any number of threads', () => {
    const run = (backend: string, threads: number) => {
      const result = runFixture('train-augmented', { args: [backend], env: { BLASNET_THREADS: String(threads) } });
      const report = reportOf<{ weights: number[]; threads: number }>(result);
      expect(report.threads).toBe(backend === 'native' ? threads : 1);
      return [Float32Array.from(report.weights)];
    };
    const reference = run('typescript', 1);
    for (const threads of [1, 2, 3]) expect(distance(run('native', threads), reference)).toBeLessThan(2e-4);
  });
});

const folder = mkdtempSync(join(tmpdir(), 'blasnet-augment-'));
afterAll(() => rmSync(folder, { recursive: true }));

onBackends('fit with augmentations', (backend) => {
  const data = imageData(24);
  const rate = { learningRate: 0.05 };

  it('trains on what augmentBatch shows', async () => {
    const [network, other] = [imageNetwork(backend), imageNetwork(backend)];
    const list = everything().slice(0, 5);
    const optimizer = new Sgd(rate);
    await network.fit(data, { augment: list, epochs: 3, batchSize: 16, shuffle: false, optimizer: new Sgd(rate) });
    for (let step = 0; step < 6; step++) {
      const rows = step % 2 === 0 ? data.slice(0, 16) : data.slice(16);
      const x = augmentBatch(list, rows, { seed: 7, step, backend });
      other.trainBatch(x, rows.labels as Int32Array, optimizer);
    }
    expect(distance(weights(network), weights(other))).toBeLessThan(1e-5);
  });

  it('mixes targets as it mixes samples', async () => {
    const list = [mixUp({ alpha: 1 })];
    const inTurn = { augment: list, batchSize: 24, shuffle: false };
    const oneHot = data.oneHot();
    const targets = augmentBatch(list, new Dataset({ features: oneHot.targets as Float32Array, shape: [3] }), {
      seed: 7,
      backend,
    });
    const x = augmentBatch(list, data, { seed: 7, backend });
    for (const rows of [data, oneHot]) {
      const [network, other] = [imageNetwork(backend), imageNetwork(backend)];
      const history = await network.fit(rows, { ...inTurn, optimizer: new Sgd(rate) });
      const { loss } = other.trainBatch(x, targets, new Sgd(rate));
      expect(history.epochs[0].loss).toBeCloseTo(loss, 5);
      expect(distance(weights(network), weights(other))).toBeLessThan(1e-5);
    }
    // Values of a regression are mixed, too.
    const values = new Dataset({ features: data.features, shape: data.shape, targets: randomFloats(24) });
    const regression = () =>
      new Network({ input: [6, 7, 2], layers: [flatten(), dense(1)], loss: meanSquaredError(), seed: 7, backend });
    const [network, other] = [regression(), regression()];
    await network.fit(values, { ...inTurn, optimizer: new Sgd(rate) });
    const goals = new Dataset({ features: values.targets as Float32Array, shape: [1] });
    other.trainBatch(x, augmentBatch(list, goals, { seed: 7, backend }), new Sgd(rate));
    expect(distance(weights(network), weights(other))).toBeLessThan(1e-5);
  });

  it('mixes all inputs and targets of a graph with the same rows and shares', async () => {
    const mix = mixUp({ alpha: 1 });
    const table = () => {
      const image = input([6, 7, 2], { name: 'image' });
      const meta = input([3], { name: 'meta' });
      const both = concat(image.pipe(flatten()), meta);
      const outputs = { kind: both.pipe(dense(3)), value: both.pipe(dense(1)) };
      return new Network({
        outputs,
        losses: { kind: softmaxCrossEntropy(), value: meanSquaredError() },
        seed: 7,
        backend,
      });
    };
    const rows = 24;
    const columns = { image: data.features, meta: randomFloats(3 * rows, 5), value: randomFloats(rows, 6) };
    const mixed = (features: Float32Array, shape: number[]) =>
      augmentBatch([mix], new Dataset({ features, shape }), { seed: 7, backend });
    const train = new Dataset({
      features: { image: { values: columns.image, shape: data.shape }, meta: columns.meta },
      targets: { kind: data.labels as Int32Array, value: columns.value },
    });
    const [network, other] = [table(), table()];
    const augment = { meta: [mix], image: [mix] };
    await network.fit(train, { augment, batchSize: rows, shuffle: false, optimizer: new Sgd(rate) });
    other.trainBatch(
      { image: mixed(columns.image as Float32Array, [6, 7, 2]), meta: mixed(columns.meta, [3]) },
      { kind: mixed(data.oneHot().targets as Float32Array, [3]), value: mixed(columns.value, [1]) },
      new Sgd(rate),
    );
    expect(distance(weights(network), weights(other))).toBeLessThan(1e-5);
    for (const lists of [{ image: [mix] }, { meta: [mix] }, { image: [mix], meta: [mixUp({ alpha: 0.5 })] }]) {
      const message = /^fit: augment: (image|meta): the rows of all inputs are mixed alike: expected the same mixUp/;
      await expectRejection(() => table().fit(train, { augment: lists }), 'INVALID_ARGUMENT', message);
    }
  });

  it('goes on from a file with the draws of a training that was not interrupted', async () => {
    const options = { augment: everything(), batchSize: 10 };
    const once = imageNetwork(backend);
    await once.fit(data, { ...options, epochs: 4, optimizer: new Adam(rate) });
    const begun = imageNetwork(backend);
    const optimizer = new Adam(rate);
    await begun.fit(data, { ...options, epochs: 2, optimizer });
    const path = join(folder, `${backend}.safetensors`);
    await begun.save(path, { optimizer });
    const { network, optimizer: restored } = await Network.loadCheckpoint(path, { backend });
    await network.fit(data, { ...options, epochs: 2, optimizer: restored as Adam });
    expectSameBits(weights(network), weights(once));
  });

  it('changes neither validation nor what comes after', async () => {
    const network = imageNetwork(backend);
    const { epochs } = await network.fit(data, { augment: everything(), validation: data });
    const { loss } = await network.evaluate(data);
    expect(loss).toBe(epochs[0].validation?.loss);
    const kernels = String(network.program);
    for (const kernel of ['shiftImages', 'flipImages', 'rotateImages', 'cutImages', 'mixRows', 'oneHot'])
      expect(kernels).toContain(kernel);
    await network.fit(data);
    expect(String(network.program)).not.toMatch(/Images|mixRows|oneHot/);
    const plain = imageNetwork(backend);
    await plain.fit(data, { augment: [] });
    expect(String(plain.program)).not.toMatch(/Images|mixRows|oneHot/);
  });

  it('uses the list of each call with the same optimizer', async () => {
    const lists = [[randomFlip()], [randomShift(2)], [randomFlip()], [], [randomShift(1)]];
    const [network, other] = [imageNetwork(backend), imageNetwork(backend)];
    const optimizer = new Sgd(rate);
    for (const augment of lists) {
      await network.fit(data, { augment, optimizer });
      await other.fit(data, { augment, optimizer: new Sgd(rate) });
    }
    expectSameBits(weights(network), weights(other));
  });

  it('takes dense networks on images, streams, bytes, single rows and short batches', async () => {
    const flat = imageNetwork(backend, [dense(3)], [84]);
    const { epochs } = await flat.fit(data, { augment: everything(), batchSize: 23 });
    expect(Number.isFinite(epochs[0].loss)).toBe(true);
    await expectRejection(() => flat.fit([data], { augment: [randomFlip()] }), 'SHAPE_MISMATCH', /got \[84\]/);
    const bytes = new Dataset({
      features: Uint8Array.from({ length: 24 * 84 }, (_, i) => (i * 37) % 256),
      shape: [6, 7, 2],
      labels: data.labels as Int32Array,
      scale: 1 / 255,
    });
    const network = imageNetwork(backend);
    await network.fit(bytes, { augment: everything(), batchSize: 1 });
    const streamed = imageNetwork(backend);
    const options = { augment: everything(), optimizer: new Sgd(rate) };
    await streamed.fit(
      [bytes.slice(0, 10), { x: data.features.slice(0, 7 * 84), y: data.labels?.slice(0, 7) as Int32Array }],
      options,
    );
    await streamed.fit([bytes.slice(0, 10)], options);
    expect(weights(streamed).every((block) => block.every(Number.isFinite))).toBe(true);
  });

  it('reports the place of a NaN in the data', async () => {
    const features = randomFloats(24 * 84);
    features[5 * 84 + 3] = Number.NaN;
    const spoiled = new Dataset({ features, shape: [6, 7, 2], labels: data.labels as Int32Array });
    await expectRejection(
      () => imageNetwork(backend).fit(spoiled, { augment: [randomFlip(), randomShift(2), mixUp()] }),
      'NON_FINITE',
      /^features: row 5, column 3/,
    );
  });

  it('learns', async () => {
    // Lines that are upright or level, anywhere on noise: mirrored and moved ones are of the same class.
    const lines = (rows: number, seed: number) => {
      const features = randomFloats(rows * 64, seed).map((value) => 0.3 * value);
      const labels = Int32Array.from({ length: rows }, (_, row) => row % 2);
      for (let row = 0; row < rows; row++) {
        const at = Math.floor((features[row * 64] + 0.3) * 13.3);
        for (let i = 0; i < 8; i++) features[row * 64 + (labels[row] === 0 ? 8 * i + at : 8 * at + i)] += 1;
      }
      return new Dataset({ features, shape: [8, 8, 1], labels });
    };
    const network = imageNetwork(backend, [conv2d(8), relu(), globalAvgPool2d(), dense(2)], [8, 8, 1]);
    const augment = [
      randomShift(1),
      randomFlip(),
      randomFlip({ direction: 'vertical' }),
      randomRotation(8),
      cutout(2),
      mixUp(),
    ];
    const { epochs } = await network.fit(lines(200, 1), {
      augment,
      epochs: 30,
      batchSize: 20,
      optimizer: new Adam({ learningRate: 0.02 }),
    });
    expect(epochs[29].loss).toBeLessThan(epochs[0].loss);
    expect(epochs[29].accuracy).toBeGreaterThan(0.85);
    expect((await network.evaluate(lines(200, 2))).accuracy).toBeGreaterThan(0.95);
  });
});
