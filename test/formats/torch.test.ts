import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { encodeSafetensors, type NewTensor } from '../../lib/formats/safetensors.js';
import {
  add,
  avgPool2d,
  batchNorm,
  concat,
  conv2d,
  dense,
  dot,
  dropout,
  embedding,
  flatten,
  globalAvgPool2d,
  input,
  type LayerSpec,
  localResponseNorm,
  matmul,
  max,
  mean,
  meanSquaredError,
  multiply,
  Network,
  type Node,
  pad,
  permute,
  prelu,
  relu,
  reshape,
  slice,
  sum,
} from '../../lib/index.js';
import { expectRejection, randomFloats, weights } from '../api/support.js';
import { partsOf } from './support.js';

// The files are made by hand in PyTorch's layout, and a plain computation in that layout is what the network must agree
// with; test/torch has files that PyTorch has made.

const folder = mkdtempSync(join(tmpdir(), 'blasnet-torch-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'model.safetensors');

let seed = 0;
const tensor = (name: string, shape: number[]): NewTensor => {
  const value = randomFloats(
    shape.reduce((product, size) => product * size, 1),
    ++seed,
  );
  return { name, shape, value: /var$/.test(name) ? value.map((v) => 0.5 + Math.abs(v)) : value };
};
const [channels, height, width, filters] = [2, 5, 4, 3];
const [outHeight, outWidth] = [height - 2, width - 1];
const features = filters * outHeight * outWidth;
const batchNormOf = (name: string, size: number) => [
  ...['weight', 'bias', 'running_mean', 'running_var'].map((own) => tensor(`${name}.${own}`, [size])),
  { name: `${name}.num_batches_tracked`, shape: [], value: BigInt64Array.of(17n) },
];

/**
 * Sequential(Conv2d(2, 3, (3, 2)), BatchNorm2d(3), PReLU(), Flatten(), BatchNorm1d, Linear, ReLU, Dropout, Linear), in
 * the order of names.
 */
const state: NewTensor[] = [
  tensor('10.weight', [2, 6]),
  tensor('10.bias', [2]),
  tensor('0.weight', [filters, channels, 3, 2]),
  tensor('0.bias', [filters]),
  ...batchNormOf('1', filters),
  tensor('2.weight', [1]),
  ...batchNormOf('5', features),
  tensor('6.weight', [6, features]),
];
const layers = (): LayerSpec[] => [
  conv2d(filters, { window: [3, 2] }),
  batchNorm(),
  prelu(),
  flatten(),
  dropout(0.5),
  batchNorm(),
  dense(6, { bias: false }),
  relu(),
  dense(2),
];
const networkOf = (specs: LayerSpec[]) =>
  new Network({
    input: [height, width, channels],
    layers: specs,
    loss: meanSquaredError(),
    seed: 1,
    backend: 'typescript',
  });
const write = (tensors: readonly NewTensor[]) => writeFileSync(path, encodeSafetensors(tensors, { format: 'pt' }));
const values = (name: string) => Array.from(state.find((entry) => entry.name === name)?.value as Float32Array);

/** The Sequential in float64, channels first, in evaluation. */
function sequential(x: (channel: number, row: number, column: number) => number): number[] {
  const normalize = (layer: string, value: number, i: number) => {
    const [weight, bias, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map(
      (own) => values(`${layer}.${own}`)[i],
    );
    return ((value - mean) / Math.sqrt(variance + 1e-5)) * weight + bias;
  };
  const kernel = values('0.weight');
  let flat: number[] = [];
  for (let f = 0; f < filters; f++) {
    for (let row = 0; row < outHeight; row++) {
      for (let column = 0; column < outWidth; column++) {
        let sum = values('0.bias')[f];
        for (let c = 0; c < channels; c++) {
          for (let i = 0; i < 3; i++) {
            for (let j = 0; j < 2; j++) sum += kernel[((f * channels + c) * 3 + i) * 2 + j] * x(c, row + i, column + j);
          }
        }
        const normal = normalize('1', sum, f);
        flat.push(normal >= 0 ? normal : values('2.weight')[0] * normal);
      }
    }
  }
  flat = flat.map((value, i) => normalize('5', value, i));
  const linear = (name: string, input: number[], outputs: number) =>
    Array.from({ length: outputs }, (_, o) =>
      input.reduce((sum, v, i) => sum + v * values(name)[o * input.length + i], 0),
    );
  const hidden = linear('6.weight', flat, 6).map((value) => Math.max(0, value));
  return linear('10.weight', hidden, 2).map((value, o) => value + values('10.bias')[o]);
}

it('a network with the weights of a Sequential computes what that computes', async () => {
  write(state);
  const network = networkOf(layers());
  await network.loadTorchState(path);
  const x = randomFloats(height * width * channels, 99);
  const expected = sequential((channel, row, column) => x[(row * width + column) * channels + channel]);
  network.forward(x).forEach((value, i) => expect(value).toBeCloseTo(expected[i], 4));
});

it('what is exported is what was imported, under the numbers of the layers', async () => {
  write(state);
  const network = networkOf(layers());
  await network.loadTorchState(path);
  const written = join(folder, 'written.safetensors');
  await network.saveTorchState(written);
  const { header } = partsOf(new Uint8Array(readFileSync(written)));
  const { __metadata__: metadata, ...tensors } = header;
  expect(metadata).toEqual({ format: 'pt' });
  const expected = ['5.num_batches_tracked', '8.bias', '8.weight', '6.weight', '0.weight', '1.running_var', '2.weight'];
  expect(Object.keys(tensors)).toEqual(expect.arrayContaining(expected));
  expect(tensors['5.num_batches_tracked']).toMatchObject({ dtype: 'I64', shape: [] });
  expect(tensors['0.weight']).toMatchObject({ dtype: 'F32', shape: [filters, channels, 3, 2] });
  expect(tensors['6.weight']).toMatchObject({ shape: [6, features] });
  const again = networkOf(layers());
  await again.loadTorchState(written);
  expect(weights(again)).toEqual(weights(network));
});

it('a nested Sequential is taken in its order', async () => {
  const nested = [tensor('1.0.weight', [2, 3]), tensor('0.2.weight', [3, 4]), tensor('0.10.weight', [3, 3])];
  write(nested);
  const specs = [dense(3, { bias: false }), dense(3, { bias: false }), dense(2, { bias: false })];
  const network = new Network({ input: [4], layers: specs, loss: meanSquaredError(), seed: 1, backend: 'typescript' });
  await network.loadTorchState(path);
  const last = nested[0].value as Float32Array;
  expect([...network.parameter('2.weight').value]).toEqual([last[0], last[3], last[1], last[4], last[2], last[5]]);
  expect(network.parameter('0.weight').value[1]).toBe((nested[1].value as Float32Array)[4]);
});

it.each<[string, (tensors: NewTensor[]) => NewTensor[], RegExp]>([
  [
    'a module missing',
    (all) => all.filter(({ name }) => !name.startsWith('10')),
    /has 5 modules with parameters, the network 6 such layers/,
  ],
  [
    'a tensor missing',
    (all) => all.filter(({ name }) => name !== '10.bias'),
    /layer 8 \(dense\): there is no tensor 10\.bias/,
  ],
  ['a tensor too many', (all) => [...all, tensor('6.bias', [6])], /no place for the tensor 6\.bias/],
  [
    'another shape',
    (all) => [tensor('10.weight', [6, 2]), ...all.slice(1)],
    /10\.weight: expected F32 \[2, 6\], got F32 \[6, 2\]/,
  ],
  [
    'another dtype',
    (all) => [{ name: '10.weight', shape: [2, 6], value: new BigInt64Array(12) }, ...all.slice(1)],
    /got I64/,
  ],
  [
    'names of another model',
    (all) => [tensor('fc.weight', [2, 6]), ...all.slice(1)],
    /has 7 modules with parameters, the network 6 such layers/,
  ],
])('%s is refused, and nothing changed', async (_, change, message) => {
  write(change(state));
  const network = networkOf(layers());
  const before = weights(network);
  await expectRejection(() => network.loadTorchState(path), 'SHAPE_MISMATCH', message);
  expect(weights(network)).toEqual(before);
});

it('files that are none, and arguments', async () => {
  const network = networkOf([...layers(), localResponseNorm()]);
  writeFileSync(path, 'none');
  await expectRejection(() => network.loadTorchState(path), 'FILE_CORRUPT', /byte 0/);
  await expectRejection(() => network.loadTorchState(join(folder, 'none')), 'FILE_NOT_FOUND', /none/);
  await expectRejection(() => network.loadTorchState(''), 'INVALID_ARGUMENT', /^loadTorchState: path/);
  await expectRejection(() => network.saveTorchState(3 as never), 'INVALID_ARGUMENT', /^saveTorchState: path/);
  await expectRejection(() => network.saveTorchState(join(folder, 'none', 'a')), 'FILE_NOT_WRITTEN', /none/);
});

/** Indices of PyTorch's flattened 2 x 2 x 2 image (channels, rows, columns), in our order. */
const imageOrder = [1, 5, 2, 6, 3, 7, 4, 8];
const numbers = (count: number) => Float32Array.from({ length: count }, (_, i) => i + 1);
const one = (name: string, shape: number[]): NewTensor => {
  return { name, shape, value: numbers(shape.reduce((product, size) => product * size, 1)) };
};
const loss = meanSquaredError();
const images = () => [input([2, 2, 2], { name: 'x' }), input([2, 2, 2], { name: 'y' })];
const ending = { bias: false } as const;

it('joined features have the orders of their parts', async () => {
  const [x, y] = images();
  const z = input([3], { name: 'z' });
  const joined = concat(z, x.pipe(flatten()), y.pipe(flatten(), relu()));
  const network = new Network({ output: joined.pipe(dense(1, ending)), loss });
  write([one('fc.weight', [1, 19])]);
  await network.loadTorchState(path);
  const own = (offset: number) => imageOrder.map((i) => i + offset);
  expect([...network.parameters[0].value]).toEqual([1, 2, 3, ...own(3), ...own(11)]);
  const saved = join(folder, 'joined.safetensors');
  await network.saveTorchState(saved);
  const { data } = partsOf(readFileSync(saved));
  expect(new Float32Array(Uint8Array.from(data).buffer)).toEqual(numbers(19));
});

it('an image that reshape makes a row is one that is flattened', async () => {
  const network = new Network({ input: [2, 2, 2], layers: [reshape([8]), dense(1, ending)], loss });
  write([one('fc.weight', [1, 8])]);
  await network.loadTorchState(path);
  expect([...network.parameters[0].value]).toEqual(imageOrder);
});

it('an image that was a row between has its channels, and other layers keep theirs', async () => {
  const network = new Network({
    input: [4, 4, 16],
    layers: [flatten(), reshape([4, 4, 16]), batchNorm({ name: 'bn' }), conv2d(2, { window: 1, name: 'conv' })],
    loss,
  });
  const before = network.parameters.map(({ value }) => value.slice());
  write(['weight', 'bias', 'running_mean', 'running_var'].map((name) => one(`bn.${name}`, [16])));
  const { missing } = await network.loadTorchState(path, { strict: false });
  expect(missing).toEqual(['conv']);
  const values = new Map([...network.parameters, ...network.state].map(({ name, value }) => [name, value]));
  for (const name of ['gamma', 'beta', 'runningMean', 'runningVariance'])
    expect(values.get(`bn.${name}`)).toEqual(numbers(16));
  expect(network.parameters.slice(2).map(({ value }) => value)).toEqual(before.slice(2));
});

it('rows that become images have the order of these, from the dense layer on', async () => {
  const decoder = [dense(8), prelu(), reshape([2, 2, 2]), conv2d(1, { ...ending, window: 1 })];
  const network = new Network({ input: [1], layers: decoder, loss });
  write([one('0.weight', [8, 1]), one('0.bias', [8]), one('1.weight', [8]), one('3.weight', [1, 2, 1, 1])]);
  await network.loadTorchState(path);
  expect(network.parameters.map(({ value }) => [...value])).toEqual([imageOrder, imageOrder, imageOrder, [1, 2]]);
  const saved = join(folder, 'decoder.safetensors');
  await network.saveTorchState(saved);
  const again = new Network({ input: [1], layers: decoder, loss });
  await again.loadTorchState(saved);
  expect(weights(again)).toEqual(weights(network));
  // A row that becomes something of four dimensions keeps its order.
  const volume = new Network({ input: [1], layers: [dense(24), reshape([2, 3, 2, 2])], loss });
  await volume.saveTorchState(saved);
  const before = weights(volume);
  await volume.loadTorchState(saved);
  expect(weights(volume)).toEqual(before);
  // The same row for another dense layer, and for images of two shapes.
  const row = input([1]).pipe(dense(8, ending));
  const both = concat(row.pipe(dense(1, ending)), row.pipe(reshape([2, 2, 2]), conv2d(1, { window: 1 }), flatten()));
  const two = new Network({ output: both, loss });
  write([one('0.weight', [8, 1]), one('1.weight', [1, 8]), one('2.weight', [1, 2, 1, 1]), one('2.bias', [1])]);
  await two.loadTorchState(path);
  expect([...two.parameters[1].value]).toEqual(imageOrder);
  const shapes = [
    row.pipe(reshape([2, 2, 2]), flatten()),
    row.pipe(reshape([2, 1, 4]), conv2d(1, { window: 1 }), flatten()),
  ];
  const other = new Network({ output: concat(shapes[0], shapes[1]), loss });
  await expectRejection(
    () => other.saveTorchState(saved),
    'INVALID_ARGUMENT',
    /order in which PyTorch has its 8 features/,
  );
});

it('features whose order PyTorch has otherwise are refused, and one number has no order', async () => {
  const [x, y] = images();
  const mixed = add(x.pipe(flatten()), y.pipe(flatten(), dense(8)));
  for (const output of [x.pipe(flatten(), slice({ begin: [2], end: [6] })), mixed]) {
    const network = new Network({ output: output.pipe(dense(1, { ...ending, name: 'fc' })), loss });
    write([one('fc.weight', [1, 8])]);
    const message = /layer fc: the order in which PyTorch has its \d features/;
    await expectRejection(() => network.loadTorchState(path, { strict: false }), 'INVALID_ARGUMENT', message);
  }
  const network = new Network({ output: x.pipe(flatten(), sum(), dense(2, ending)), loss });
  write([one('fc.weight', [2, 1])]);
  await network.loadTorchState(path);
  expect([...network.parameters[0].value]).toEqual([1, 2]);
});

const image = () => input([2, 3, 2], { name: 'x' });
const other = (...shape: number[]) => input(shape, { name: 'y' });
const last = dense(1, { ...ending, name: 'fc' });

const same = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
/** The same of an image of 2 x 3 pixels with two channels, by hand. */
const wideOrder = [1, 7, 2, 8, 3, 9, 4, 10, 5, 11, 6, 12];

it.each<[string, () => Node, number[]]>([
  [
    'an image that was padded',
    () =>
      image().pipe(
        slice({ begin: [0, 1, 0] }),
        pad([
          [0, 0],
          [1, 0],
          [0, 0],
        ]),
        flatten(),
      ),
    wideOrder,
  ],
  ['an image that was pooled', () => input([4, 6, 2]).pipe(avgPool2d(2), flatten()), wideOrder],
  // PyTorch: x.mean(2).flatten(1) and x.amax(3).flatten(1).
  ['a mean over the rows of an image', () => mean(input([4, 6, 2]), { axis: 0 }).pipe(flatten()), wideOrder],
  ['a largest value over the columns', () => max(input([6, 4, 2]), { axis: -2 }).pipe(relu(), flatten()), wideOrder],
  [
    'such a row that is kept',
    () => mean(input([4, 6, 2]), { axis: 0, keepDimension: true }).pipe(flatten()),
    wideOrder,
  ],
  ['vectors of a matrix of indices', () => input([2, 3], { type: 'index' }).pipe(embedding(5, 2), flatten()), same],
  [
    'means of such vectors',
    () => mean(input([6, 3], { type: 'index' }).pipe(embedding(5, 2)), { axis: 1 }).pipe(flatten()),
    same,
  ],
  ['an image of another shape', () => image().pipe(reshape([3, 2, 2]), flatten()), wideOrder],
  ['an image with exchanged rows and columns', () => image().pipe(permute([1, 0, 2]), flatten()), wideOrder],
  ['an image of scaled channels', () => multiply(image(), other(2)).pipe(flatten()), wideOrder],
  ['one channel', () => input([3, 4, 1]).pipe(reshape([12])), same],
  ['a mean over channels', () => mean(input([4, 3, 2]), { axis: -1 }).pipe(flatten()), same],
  ['scalar products of pixels', () => dot(input([4, 3, 2], { name: 'x' }), other(4, 3, 2)).pipe(flatten()), same],
  ['a mean over pixels', () => mean(input([2, 3, 12]), { axis: [0, 1] }), same],
  ['the same by a layer', () => input([2, 3, 12]).pipe(globalAvgPool2d(), flatten()), same],
  ['a mean over a matrix of pixels', () => input([2, 3, 12]).pipe(reshape([6, 12]), mean({ axis: 0 })), same],
  ['a matrix', () => input([3, 4]).pipe(flatten()), same],
  ['a number with others around it', () => input([1]).pipe(pad([[4, 7]])), same],
  ['the vector of an index', () => input([1], { type: 'index' }).pipe(embedding(5, 12)), same],
  ['a matrix that was multiplied', () => matmul(input([3, 2], { name: 'x' }), other(2, 4)).pipe(flatten()), same],
  ['vectors of indices', () => input([6], { type: 'index' }).pipe(embedding(5, 2), flatten()), same],
])('knows the order of %s', async (_, make, expected) => {
  const network = new Network({ output: make().pipe(last), loss });
  write([one('fc.weight', [1, 12])]);
  await network.loadTorchState(path, { strict: false });
  expect([...(network.parameters.at(-1)?.value ?? [])]).toEqual(expected);
});
