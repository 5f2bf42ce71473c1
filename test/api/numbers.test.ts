import { createContext, runInContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { Dataset, fromOneHot, oneHot, Scaler } from '../../lib/data/index.js';
import { dense, meanSquaredError, metrics, Network, piecewise, Sgd, softmaxCrossEntropy } from '../../lib/index.js';
import { typescript } from '../../lib/kernels/index.js';
import { expectError, expectRejection, onBackends } from './support.js';

const any = (value: unknown) => value as never;
const foreign = (code: string) => runInContext(code, createContext());
const rows = [
  [1, 2, 3],
  [4, 5, 6],
];
const images = [
  [
    [[1], [2]],
    [[3], [4]],
  ],
];
/** Rows of three numbers, in every form. */
const forms: [string, unknown][] = [
  ['a Float32Array', Float32Array.from(rows.flat())],
  ['a Float64Array', Float64Array.from(rows.flat())],
  ['an Int16Array', Int16Array.from(rows.flat())],
  ['a Uint8Array', Uint8Array.from(rows.flat())],
  ['a Buffer', Buffer.from(rows.flat())],
  ['a flat list', rows.flat()],
  ['nested lists', rows],
  ['a list of typed arrays', rows.map((row) => Float32Array.from(row))],
  ['a list of mixed rows', [rows[0], Float64Array.from(rows[1])]],
  ['a Float32Array of another realm', foreign('Float32Array.of(1, 2, 3, 4, 5, 6)')],
  ['a list of another realm', foreign('[[1, 2, 3], Float64Array.of(4, 5, 6)]')],
];
const holed = [1, 2, 3, 4, 5, 6];
delete holed[4];
const holedRow = [4, 5, 6];
delete holedRow[1];
/** What is refused, with the place that the message names. */
const faults: [string, unknown, RegExp][] = [
  ['a hole', holed, /^(fit: data: )?(x|features)\[4\]: expected a number, got undefined/],
  ['a hole in a row', [rows[0], holedRow], /^(fit: data: )?(x|features)\[1\]\[1\]: expected a number, got undefined/],
  ['undefined', [[1, undefined, 3]], /\[0\]\[1\]: expected a number, got undefined/],
  ['a string', [rows[0], [4, '5', 6]], /\[1\]\[1\]: expected a number, got "5"/],
  ['big integers', BigInt64Array.of(1n, 2n, 3n), /expected a typed array of numbers/],
  ['a row of big integers', [rows[0], BigInt64Array.of(1n, 2n, 3n)], /\[1\]: expected 3 entries.*got BigInt64Array/],
  ['a number among rows', [rows[0], 4], /\[1\]: expected 3 entries, as its siblings have, got 4/],
];

onBackends('numbers of every form', (backend) => {
  const make = () => new Network({ input: [3], layers: [dense(2)], loss: meanSquaredError(), seed: 5, backend });
  const expected = make().predict(Float32Array.from(rows.flat()));
  const targets = Float32Array.of(1, 2, 3, 4);
  const gradient = make().gradients(Float32Array.from(rows.flat()), targets);

  it.each(forms)('%s gives the same everywhere', async (_, x) => {
    const network = make();
    expect(network.predict(any(x))).toEqual(expected);
    expect(network.forward(any(x))).toEqual(expected);
    expect(network.gradients(any(x), targets)).toEqual(gradient);
    const bytes = (x as object) instanceof Uint8Array;
    expect(network.predict(new Dataset({ features: any(x), shape: [3] }))).toEqual(expected);
    if (bytes) expect(new Dataset({ features: any(x), shape: [3] }).features).toBeInstanceOf(Uint8Array);
    const one = make();
    const loss = one.trainBatch(any(x), targets, new Sgd());
    expect(loss.loss).toBe(gradient.loss);
    const streamed = make();
    await streamed.fit([{ x: any(x), y: targets }], { optimizer: new Sgd() });
    expect([...streamed.parameters[0].value]).toEqual([...one.parameters[0].value]);
  });

  it.each([
    ['a Float64Array', Float64Array.from(targets)],
    ['integers', Int32Array.from(targets)],
    ['lists of typed arrays', [targets.subarray(0, 2), targets.subarray(2)]],
    ['another realm', foreign('Float32Array.of(1, 2, 3, 4)')],
  ])('targets: %s', (_, y) => {
    expect(make().gradients(rows, any(y))).toEqual(gradient);
  });

  it.each(faults)('%s is refused everywhere, by its place', async (_, x, message) => {
    const network = make();
    const before = [...network.parameters[0].value];
    for (const call of [
      () => network.predict(any(x)),
      () => network.forward(any(x)),
      () => network.gradients(any(x), targets),
      () => network.trainBatch(any(x), targets, new Sgd()),
      () => new Dataset({ features: any(x), shape: [3] }),
    ]) {
      expectError(call, 'INVALID_ARGUMENT', message);
    }
    await expectRejection(() => network.fit([{ x: any(x), y: targets }]), 'INVALID_ARGUMENT', message);
    expect([...network.parameters[0].value]).toEqual(before);
  });

  it('a hole among labels or targets is refused', () => {
    const network = new Network({ input: [3], layers: [dense(2)], loss: softmaxCrossEntropy(), seed: 5, backend });
    const labels = [0, 1];
    delete labels[1];
    expectError(
      () => network.gradients(rows, labels),
      'INVALID_ARGUMENT',
      /^y\[1\]: expected an integer, got undefined/,
    );
    const goals = [1, 2, 3, 4];
    delete goals[2];
    expectError(() => make().gradients(rows, goals), 'INVALID_ARGUMENT', /^y\[2\]: expected a number, got undefined/);
  });

  it('images as nested lists are taken by all calls, and one sample as one row', () => {
    const layers = [dense(2)];
    const flat = new Network({ input: [4], layers, loss: meanSquaredError(), seed: 5, backend });
    const wanted = flat.predict([1, 2, 3, 4]);
    expect(flat.predict(images)).toEqual(wanted);
    expect(flat.predict(new Dataset({ features: images }))).toEqual(wanted);
    expectError(
      () => flat.predict([[[1], [2]]]),
      'SHAPE_MISMATCH',
      /expected rows of shape \[4\], got numbers of shape \[1, 2, 1\]/,
    );
  });

  it('a plain number is one row of a network with one feature', () => {
    const network = new Network({ input: [1], layers: [dense(1)], loss: meanSquaredError(), seed: 5, backend });
    expect(network.predict(2)).toEqual(network.predict([2]));
    expect(network.gradients(2, 3)).toEqual(network.gradients([2], [3]));
    expectError(() => make().predict(2), 'INVALID_ARGUMENT', /^x: expected a typed array/);
  });

  it('NaN in an array of another realm is found as in one of this', async () => {
    const x = foreign('Float32Array.of(1, 2, 3, 4, NaN, 6)');
    const place = /^features: row 1, column 1: expected a finite number, got NaN/;
    expectError(() => make().gradients(x, targets), 'NON_FINITE', place);
    expectError(() => make().trainBatch(x, targets, new Sgd()), 'NON_FINITE', place);
    const source = {
      length: 2,
      shape: [3],
      features: x,
      scale: 1,
      offset: 0,
      targets: foreign('Float32Array.of(1, 2, 3, 4)'),
    };
    await expectRejection(() => make().fit(source, { shuffle: false }), 'NON_FINITE', place);
    await expectRejection(() => make().fit([{ x, y: targets }]), 'NON_FINITE', place);
    const y = foreign('Float32Array.of(1, 2, NaN, 4)');
    expectError(
      () => make().gradients(rows, y),
      'NON_FINITE',
      /^targets: row 1, column 0: expected a finite number, got NaN/,
    );
  });

  it('a predict into an array of another realm fills it', () => {
    const out = foreign('new Float32Array(4)');
    expect(make().predict(rows, out)).toBe(out);
    expect([...out]).toEqual([...expected]);
  });
});

describe('a hole in a list of options', () => {
  const holedPair: unknown[] = [2, 2];
  delete holedPair[1];
  const names = ['a', 'b'];
  delete names[0];
  it.each<[string, () => unknown]>([
    ['shape', () => new Dataset({ features: new Float32Array(4), shape: any(holedPair) })],
    ['input', () => new Network({ input: any(holedPair), layers: [dense(2)], loss: meanSquaredError() })],
    ['labelNames', () => new Dataset({ features: [[1], [2]], labels: [0, 1], labelNames: names })],
    ['labelNames', () => new metrics.ConfusionMatrix([1, 2, 3, 4], names)],
    ['boundaries', () => piecewise({ boundaries: any(holedPair), values: [1, 2, 3] })],
    ['values', () => piecewise({ boundaries: [1], values: any(holedPair) })],
    ['groups', () => new Sgd({ groups: any(new Array(1)) })],
  ])('%s is refused', (name, call) => {
    expectError(call, 'INVALID_ARGUMENT', new RegExp(name));
  });
});

describe('numbers of another realm', () => {
  it('are taken by datasets, scalers and one-hot rows', () => {
    expect([...oneHot(foreign('[1, 0]'), 2)]).toEqual([0, 1, 1, 0]);
    expect([...oneHot(foreign('Uint8Array.of(1, 0)'), 2)]).toEqual([0, 1, 1, 0]);
    expect([...fromOneHot(foreign('Float32Array.of(0, 1, 1, 0)'), 2)]).toEqual([1, 0]);
    const scaler = new Scaler({ center: foreign('[1, 2]'), spread: foreign('Float32Array.of(1, 2)') });
    expect([...scaler.spread]).toEqual([1, 2]);
    const data = new Dataset({ features: [[1], [2], [3]], labels: foreign('Int32Array.of(0, 1, 0)') });
    expect([...(data.subset(foreign('Int32Array.of(2, 0)')).labels ?? [])]).toEqual([0, 0]);
  });

  it('are taken by kernels', () => {
    const y = foreign('new Float32Array(2)');
    typescript.kernels.relu(y, foreign('Float32Array.of(-1, 2)'), 2);
    expect([...y]).toEqual([0, 2]);
  });
});
