import { expect, it } from 'vitest';
import { Dataset, SparseDataset } from '../../lib/data/index.js';
import {
  Adam,
  type BackendName,
  concat,
  dense,
  embedding,
  flatten,
  input,
  meanSquaredError,
  mixUp,
  Network,
  randomFlip,
  relu,
  shared,
  softmaxCrossEntropy,
  tanh,
} from '../../lib/index.js';
import { onBackends } from '../api/support.js';
import { expectError } from '../data/expect-error.js';

const VOCABULARY = 40;
const SIZE = 6;
const ROWS = 90;
const TIME = 3;

const indices = Int32Array.from({ length: ROWS * TIME }, (_, i) => (i * i * 7 + i) % VOCABULARY);
const labels = Int32Array.from({ length: ROWS }, (_, row) => (indices[row * TIME] + indices[row * TIME + 1]) % 3);
const data = new Dataset({ features: indices, shape: [TIME], labels });
/** The same as one-hot columns. */
const hot = new Float32Array(ROWS * TIME * VOCABULARY);
indices.forEach((index, i) => {
  hot[i * VOCABULARY + index] = 1;
});

const options = (backend: BackendName) => ({ loss: softmaxCrossEntropy(), seed: 3, backend });
const layers = () => [embedding(VOCABULARY, SIZE), flatten(), dense(8), relu(), dense(3)];

onBackends('embedding', (backend) => {
  it('is a dense layer on one-hot columns', async () => {
    const network = new Network({ input: [TIME], layers: layers(), ...options(backend) });
    // The same sums with the table as a product.
    const columns = Array.from({ length: TIME }, (_, i) => input([VOCABULARY], { name: `x${i}` }));
    const table = dense(SIZE, { bias: false, name: 'table' });
    const rows = shared(table);
    const merged = concat(...(columns.map((column) => column.pipe(rows)) as [never, never]));
    const output = merged.pipe(dense(8, { name: 'a' }), relu(), dense(3, { name: 'b' }));
    const oracle = new Network({ output, ...options(backend) });
    const [weight, ...rest] = network.parameters.map(({ value }) => value);
    oracle.parameters.forEach(({ value }, i) => {
      value.set([weight, ...rest][i]);
    });
    const features = Object.fromEntries(
      columns.map((_, t) => {
        const values = new Float32Array(ROWS * VOCABULARY);
        for (let row = 0; row < ROWS; row++)
          values.set(hot.subarray((row * TIME + t) * VOCABULARY, (row * TIME + t + 1) * VOCABULARY), row * VOCABULARY);
        return [`x${t}`, { values, shape: [VOCABULARY] }];
      }),
    );
    const wide = new Dataset({ features, labels });
    const first = network.predict(data);
    expect(Math.max(...oracle.predict(wide).map((value, i) => Math.abs(value - first[i])))).toBeLessThan(1e-6);
    const fit = { epochs: 4, batchSize: 16 };
    const a = await network.fit(data, { ...fit, optimizer: new Adam() });
    const b = await oracle.fit(wide, { ...fit, optimizer: new Adam() });
    a.loss.forEach((loss, i) => expect(loss).toBeCloseTo(b.loss[i], 5));
    expect(a.loss[3]).toBeLessThan(a.loss[0]);
    network.parameters.forEach(({ value }, i) => {
      value.forEach((each, j) => expect(each).toBeCloseTo(oracle.parameters[i].value[j], 4));
    });
  });

  it('has the gradients of finite differences', () => {
    const network = new Network({
      input: [TIME],
      layers: [embedding(VOCABULARY, SIZE), flatten(), dense(8), tanh(), dense(3)],
      ...options(backend),
    });
    const [x, y] = [indices.subarray(0, 12 * TIME), labels.subarray(0, 12)];
    const lossAt = () => network.gradients(x, y).loss;
    network.gradients(x, y);
    const { value, gradient } = network.parameters[0];
    const exact = gradient.slice();
    let largest = 0;
    for (let i = 0; i < value.length; i += 7) {
      const kept = value[i];
      const step = 2 ** -6;
      value[i] = kept + step;
      const above = Number(lossAt());
      value[i] = kept - step;
      const difference = (above - Number(lossAt())) / (2 * step);
      value[i] = kept;
      expect(difference).toBeCloseTo(exact[i], 3);
      largest = Math.max(largest, Math.abs(exact[i]));
    }
    expect(largest).toBeGreaterThan(0.01);
  });

  it('takes several inputs, of indices and of numbers, and travels in files', async () => {
    const city = input([1], { name: 'city', type: 'index' });
    const age = input([2], { name: 'age' });
    const output = concat(city.pipe(embedding(VOCABULARY, 4)), city.pipe(embedding(20, 2)), age).pipe(dense(3));
    const network = new Network({ output, ...options(backend) });
    const features = {
      city: Uint8Array.from({ length: ROWS }, (_, row) => (row * 3) % 20),
      age: Float32Array.from({ length: ROWS * 2 }, (_, i) => Math.sin(i)),
    };
    const data = new Dataset({ features: { city: { values: features.city, shape: [1] }, age: features.age }, labels });
    await network.fit(data, { epochs: 2 });
    const loaded = Network.fromBytes(network.toBytes(), { backend });
    expect(loaded.predict(features)).toEqual(network.predict(data));
    // The smaller of the two vocabularies counts.
    expectError(
      () => network.predict({ city: [20], age: [[0, 0]] }),
      'INVALID_ARGUMENT',
      /city: row 0, column 0: .*0 to 19.*20/,
    );
  });

  it('names the row and column of an index that is none, before anything changes', async () => {
    const network = new Network({ input: [TIME], layers: layers(), ...options(backend) });
    const before = network.parameters.map(({ value }) => value.slice());
    for (const bad of [VOCABULARY, -1, 0.5, Number.NaN]) {
      const values = Float32Array.from(indices);
      values[7 * TIME + 2] = bad;
      const wrong = new Dataset({ features: values, shape: [TIME], labels });
      const where = {
        code: 'INVALID_ARGUMENT',
        message: expect.stringMatching(/row 7, column 2: expected an index from 0 to 39/),
      };
      await expect(network.fit(wrong)).rejects.toMatchObject(where);
      await expect(network.evaluate(wrong)).rejects.toMatchObject(where);
      await expect(async () => network.predict(values)).rejects.toMatchObject(where);
      await expect(network.fit([{ x: values, y: labels }])).rejects.toMatchObject(where);
    }
    expect(network.parameters.map(({ value }) => value)).toEqual(before);
    const refused = { code: 'INVALID_ARGUMENT' };
    const bytes = { features: new Uint8Array(TIME), shape: [TIME], labels: [0] };
    const because = (message: RegExp) => ({ ...refused, message: expect.stringMatching(message) });
    const scaled = network.fit(new Dataset({ ...bytes, scale: 0.5 }));
    await expect(scaled).rejects.toMatchObject(because(/data: scale: expected 1, .*indices, got 0\.5$/));
    const moved = network.fit(new Dataset({ ...bytes, offset: 2 }));
    await expect(moved).rejects.toMatchObject(because(/data: offset: expected 0, .*indices, got 2$/));
    const rowOffsets = [0, 1];
    const sparse = new SparseDataset({ rowOffsets, indices: [0], values: [1], columns: TIME, labels: [0] });
    await expect(network.fit(sparse)).rejects.toMatchObject(because(/data: expected dense rows, .*got .sparse rows/));
    // Not rounded to float32 first.
    for (const near of [0.99999999, -1e-60]) {
      for (const x of [[near, 1, 2], [[near, 1, 2]], Float64Array.of(near, 1, 2)])
        expectError(() => network.predict(x), 'INVALID_ARGUMENT', /row 0, column 0: expected an index/);
    }
    expect(network.predict(Float64Array.of(1, 2, 3))).toEqual(network.predict([[1, 2, 3]]));
  });

  it('refuses to augment indices, and to mix rows that have some', async () => {
    const network = new Network({ input: [TIME], layers: layers(), ...options(backend) });
    const refused = (message: RegExp) => ({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(message) });
    const list = /^fit: augment: expected a list of augmentations, got (null|5)/;
    const given = (augment: unknown) => network.fit(data, { augment: augment as [] });
    await expect(given(null)).rejects.toMatchObject(refused(list));
    await expect(given(5)).rejects.toMatchObject(refused(list));
    const indices = /^fit: augment\[0\]: (mixUp|randomFlip) is not possible with an input of indices/;
    for (const augment of [mixUp(), randomFlip()])
      await expect(given([augment])).rejects.toMatchObject(refused(indices));
    await given([]);
    const words = input([TIME], { name: 'words', type: 'index' }).pipe(...layers());
    const lists = { words: [mixUp({ alpha: 0.2 })] };
    await expect(
      new Network({ output: words, ...options(backend) }).fit(data, { augment: lists }),
    ).rejects.toMatchObject(refused(/^fit: augment: words\[0\]: mixUp is not possible with an input of indices/));
    const city = input([1], { name: 'city', type: 'index' });
    const age = input([2], { name: 'age' });
    const output = concat(city.pipe(embedding(4, 2)), age).pipe(dense(3));
    const both = new Network({ output, ...options(backend) });
    const features = { city: { values: [0, 3], shape: [1] }, age: { values: [1, 2, 3, 4], shape: [2] } };
    const rows = new Dataset({
      features,
      targets: [
        [1, 0, 0],
        [0, 1, 0],
      ],
    });
    const named = (augment: unknown) => both.fit(rows, { augment: augment as [] });
    await expect(named(null)).rejects.toMatchObject(refused(/^fit: augment: expected an object of options, got null/));
    await expect(named({ city: [randomFlip()] })).rejects.toMatchObject(
      refused(/^fit: augment: city\[0\]: randomFlip is not possible with an input of indices/),
    );
    const mixed = /^fit: augment: age: .*mixUp is not possible with an input of indices, which city is/;
    await expect(named({ age: [mixUp()] })).rejects.toMatchObject(refused(mixed));
    await named({ city: [], age: [] });
  });
});

it('says that an input is of indices, and gives it no gradient', () => {
  const chain = new Network({ input: [TIME], layers: layers(), ...options('typescript') });
  expect(chain.inputs).toEqual([{ name: undefined, shape: [TIME], type: 'index', vocabulary: VOCABULARY }]);
  expect(chain.nodes[0]).toMatchObject({ type: 'input', vocabulary: VOCABULARY });
  expect(chain.summary()).toMatch(/^ +input, index < 40 +\[3\]/m);
  expect(chain.gradients([[1, 2, 3]], [0]).inputGradient).toEqual(new Float32Array(0));
  const city = input([1], { name: 'city', type: 'index' });
  const age = input([2], { name: 'age' });
  const output = concat(city.pipe(embedding(3000, 2)), city.pipe(embedding(2000, 2)), age).pipe(dense(3));
  const both = new Network({ output, ...options('typescript') });
  expect(both.inputs).toEqual([
    { name: 'city', shape: [1], type: 'index', vocabulary: 2000 },
    { name: 'age', shape: [2] },
  ]);
  expect(both.summary()).toMatch(/^city +input, index < 2,000 +\[1\]/m);
  const { inputGradient } = both.gradients<'city' | 'age'>({ city: [1], age: [[1, 2]] }, [0]);
  expect(Object.keys(inputGradient)).toEqual(['age']);
  expect(inputGradient.age.some((value) => value !== 0)).toBe(true);
});

it('refuses graphs that take indices for numbers', () => {
  const x = input([2], { name: 'x', type: 'index' });
  expectError(() => x.pipe(dense(3)), 'INVALID_ARGUMENT', /dense: it can't take an index input/);
  expectError(() => input([2]).pipe(embedding(3, 2)), 'INVALID_ARGUMENT', /embedding: expected an index input/);
  expectError(() => x.pipe(embedding(3, 2), embedding(3, 2)), 'INVALID_ARGUMENT', /embedding/);
  expectError(() => concat(x, input([2])), 'INVALID_ARGUMENT', /concat/);
  expectError(() => new Network({ output: x, loss: meanSquaredError() }), 'INVALID_ARGUMENT', /indices/);
  expectError(() => input([1], { type: 'int' as 'index' }), 'INVALID_ARGUMENT', /input: type/);
  for (const bad of [0, -1, 2.5, 2 ** 24 + 1]) expectError(() => embedding(bad, 2), 'INVALID_ARGUMENT', /vocabulary/);
  expectError(() => embedding(2, 0), 'INVALID_ARGUMENT', /size/);
});
