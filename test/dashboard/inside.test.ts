import sharp from 'sharp';
import { expect, it } from 'vitest';
import { dashboard } from '../../lib/dashboard/index.js';
import { inspector } from '../../lib/dashboard/inspect.js';
import { Dataset, SparseDataset } from '../../lib/data/index.js';
import { dense, flatten, input, meanSquaredError, Network, Sgd, softmaxCrossEntropy } from '../../lib/index.js';
import { expectError } from '../api/support.js';

/** Images of 2 × 2 pixels; the brightest of the first three is what the network takes for the class. */
const features = Uint8Array.of(200, 0, 0, 7, 0, 90, 10, 7, 0, 0, 250, 7, 30, 240, 0, 7);
const samples = new Dataset({
  features,
  shape: [2, 2, 1],
  scale: 1 / 255,
  labels: [0, 0, 2, 2],
  labelNames: ['cat', 'dog', 'bird'],
});

function reader(): Network {
  const network = new Network({
    input: [2, 2, 1],
    layers: [flatten(), dense(3)],
    loss: softmaxCrossEntropy(),
    seed: 1,
    backend: 'typescript',
  });
  const { shape, value } = network.parameter('1.weight');
  for (let i = 0; i < shape[0]; i++) for (let j = 0; j < shape[1]; j++) value[i * shape[1] + j] = i === j ? 5 : 0;
  return network;
}

it('finds the samples that are misread, the surest first, as pictures', async () => {
  const inside = inspector(reader(), samples)?.();
  expect(inside?.misread).toMatchObject({
    count: 2,
    of: 4,
    images: [
      { row: 3, predicted: 'dog', actual: 'bird' },
      { row: 1, predicted: 'dog', actual: 'cat' },
    ],
  });
  for (const { row, url } of inside?.misread?.images ?? []) {
    const [, base64] = /^data:image\/png;base64,(.*)$/.exec(url) as RegExpExecArray;
    const { data, info } = await sharp(Buffer.from(base64, 'base64'))
      .greyscale()
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([2, 2]);
    expect([...data]).toEqual([...features.subarray(4 * row, 4 * row + 4)]);
  }
});

it('takes one output for the probability of class 1', () => {
  const network = new Network({
    input: [1, 1],
    layers: [flatten(), dense(1)],
    loss: meanSquaredError(),
    seed: 1,
    backend: 'typescript',
  });
  network.parameter('1.weight').value[0] = 1;
  const rows = new Dataset({ features: [0.2, 0.9, 0.8], shape: [1, 1], labels: [0, 0, 1] });
  expect(inspector(network, rows)?.().misread).toMatchObject({
    count: 1,
    images: [{ row: 1, predicted: '1', actual: '0' }],
  });
});

it('shows large images small', async () => {
  const shape = [200, 100, 3];
  const image = Float32Array.from({ length: 200 * 100 * 3 }, (_, i) => Math.floor(i / 3) % 100);
  const network = new Network({
    input: shape,
    layers: [flatten(), dense(2)],
    loss: softmaxCrossEntropy(),
    seed: 1,
    backend: 'typescript',
  });
  network.parameter('1.weight').value.fill(0);
  const rows = new Dataset({ features: image, shape, labels: [1] });
  const [{ url }] = inspector(network, rows)?.().misread?.images ?? [];
  const { data, info } = await sharp(Buffer.from(url.split(',')[1], 'base64'))
    .raw()
    .toBuffer({ resolveWithObject: true });
  expect([info.width, info.height, info.channels]).toEqual([25, 50, 3]);
  // Every fourth column of a ramp from 0 to 99.
  expect([...data.subarray(0, 75)]).toEqual(
    [...Array(75).keys()].map((i) => Math.round((255 * 4 * Math.floor(i / 3)) / 99)),
  );
});

it('counts parameters and the gradients of the last step', async () => {
  const network = reader();
  await network.fit(samples, { optimizer: new Sgd({ learningRate: 0 }), batchSize: 4, shuffle: false });
  const { parameters = [], more } = inspector(network, undefined)?.() ?? {};
  expect(more).toBe(0);
  expect(parameters.map(({ name, shape }) => [name, shape])).toEqual([
    ['1.weight', [4, 3]],
    ['1.bias', [3]],
  ]);
  network.gradients(samples);
  for (const [i, { weights, gradient }] of parameters.entries()) {
    for (const [values, shown] of [
      [network.parameters[i].value, weights],
      [network.parameters[i].gradient, gradient],
    ] as const) {
      expect(shown.min).toBeCloseTo(Math.min(...values), 6);
      expect(shown.max).toBeCloseTo(Math.max(...values), 6);
      expect(shown.counts.reduce((sum, count) => sum + count)).toBe(values.length);
    }
  }
  const [{ weights }] = parameters;
  // Nine zeros in the first bin, three fives in the last.
  expect([weights.counts[0], weights.counts.at(-1)]).toEqual([9, 3]);
});

it('refuses samples that are not labelled images of the network', () => {
  const network = reader();
  const take = (dataset: unknown) => () => dashboard({ network, samples: dataset as Dataset });
  expectError(() => dashboard({ samples }), 'INVALID_ARGUMENT', /^dashboard: samples: expected none without network/);
  expectError(take(5), 'INVALID_ARGUMENT', /^dashboard: samples: expected a Dataset with labels/);
  const targets = new Dataset({ features: [1, 2, 3, 4], shape: [2, 2], targets: [1] });
  expectError(take(targets), 'INVALID_ARGUMENT', /expected a Dataset with labels/);
  const vectors = new Dataset({ features: [1, 2, 3], shape: [3], labels: [1] });
  expectError(take(vectors), 'SHAPE_MISMATCH', /expected images of shape/);
  const x = input([2, 2, 1]);
  const two = new Network({
    outputs: { a: x.pipe(flatten(), dense(2)), b: x.pipe(flatten(), dense(2)) },
    losses: { a: softmaxCrossEntropy(), b: softmaxCrossEntropy() },
    backend: 'typescript',
  });
  const sparse = { rowOffsets: [0, 1, 2], indices: [0, 1], values: [1, 2], columns: 4, labels: [0, 1] };
  expectError(take(new SparseDataset(sparse)), 'INVALID_ARGUMENT', /^dashboard: samples: expected .*dense rows/);
  expectError(() => dashboard({ network: two, samples }), 'INVALID_ARGUMENT', /one input and one output/);
  const large = new Dataset({ features: new Uint8Array(9), shape: [3, 3, 1], labels: [1] });
  const shapes = /^dashboard: samples: expected samples of shape \[2, 2, 1\], as the network takes, got \[3, 3, 1\]$/;
  expectError(take(large), 'SHAPE_MISMATCH', shapes);
  const odd = new Dataset({ features: [1, 2, Number.NaN, 4], shape: [2, 2, 1], labels: [1] });
  expectError(take(odd), 'INVALID_ARGUMENT', /^dashboard: samples: features: expected finite numbers, got NaN$/);
});
