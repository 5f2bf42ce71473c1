import { expect, it } from 'vitest';
import { Dataset } from '../../lib/data/index.js';
import {
  batchNorm,
  binaryCrossEntropy,
  dense,
  dropout,
  flatten,
  meanSquaredError,
  Network,
  type SampleSource,
  Sgd,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import {
  classData,
  classifier,
  distance,
  expectError,
  expectRejection,
  onBackends,
  randomFloats,
  regressor,
  valueData,
  weights,
} from './support.js';

const any = (value: unknown) => value as never;

function detached(length: number): Float32Array {
  const array = new Float32Array(length);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

function resizable<T>(constructor: new (buffer: ArrayBuffer) => T, bytes: number): T {
  type Resizable = new (length: number, options: { maxByteLength: number }) => ArrayBuffer;
  return new constructor(new (ArrayBuffer as unknown as Resizable)(bytes, { maxByteLength: 2 * bytes }));
}

onBackends('features of a synchronous call', (backend) => {
  const network = classifier(backend);
  const calls: [string, (x: never) => unknown][] = [
    ['predict', (x) => network.predict(x)],
    ['forward', (x) => network.forward(x)],
    ['gradients', (x) => network.gradients(x, [0])],
    ['trainBatch', (x) => network.trainBatch(x, [0], new Sgd())],
  ];

  it.each(calls)('%s refuses what are no features', (_, call) => {
    for (const x of [
      undefined,
      null,
      5,
      'x',
      {},
      new BigInt64Array(6),
      new ArrayBuffer(24),
      new DataView(new ArrayBuffer(24)),
    ]) {
      expectError(
        () => call(any(x)),
        'INVALID_ARGUMENT',
        /^x: expected a typed array of numbers or \(nested\) arrays of numbers, got/,
      );
    }
    expectError(() => call(any([1, 2, 3, '4', 5, 6])), 'INVALID_ARGUMENT', /^x\[3\]: expected a number, got "4"/);
    expectError(
      () => call(any([[1, 2, 3, 4, 5, null]])),
      'INVALID_ARGUMENT',
      /^x\[0\]\[5\]: expected a number, got null/,
    );
  });

  it.each(calls)('%s refuses the wrong number of features', (_, call) => {
    expectError(
      () => call(any(new Float32Array(7))),
      'SHAPE_MISMATCH',
      /^x: expected a multiple of 6 numbers \(one row\), got 7/,
    );
    expectError(() => call(any([1, 2, 3])), 'SHAPE_MISMATCH', /^x: expected a multiple of 6/);
    expectError(() => call(any(new Float32Array(0))), 'EMPTY_DATA', /^x: expected at least one row/);
    expectError(() => call(any([])), 'EMPTY_DATA', /^x/);
    expectError(() => call(any(classData(3, 5))), 'SHAPE_MISMATCH', /samples of shape \[6\], got \[5\]/);
    expectError(() => call(any(classData(0))), 'EMPTY_DATA', /^x: expected at least one row/);
  });

  it.each(calls)('%s refuses rows of unequal length, even where their sum fits', (_, call) => {
    expectError(
      () =>
        call(
          any([
            [1, 2, 3, 4, 5, 6, 7],
            [1, 2, 3, 4, 5],
          ]),
        ),
      'SHAPE_MISMATCH',
      /^x\[1\]: expected 7 entries, as its siblings have, got 5/,
    );
    expectError(
      () =>
        call(
          any([
            [1, 2, 3],
            [4, 5, 6],
          ]),
        ),
      'SHAPE_MISMATCH',
      /^x: expected rows of shape \[6\], got numbers of shape \[2, 3\]/,
    );
  });

  it.each(calls)('%s refuses detached and resizable storage', (_, call) => {
    expectError(() => call(any(detached(6))), 'DETACHED_BUFFER', /^x: .*detached/);
    expectError(() => call(any(resizable(Float32Array, 24))), 'RESIZABLE_BUFFER', /^x: .*resizable/);
  });
});

onBackends('targets of a synchronous call', (backend) => {
  const network = classifier(backend);
  const values = regressor(backend, [dense(2)], meanSquaredError());
  const x = randomFloats(12);

  it('refuses what are no targets', () => {
    for (const y of [undefined, null, 5, 'y', {}, new BigInt64Array(2), new DataView(new ArrayBuffer(8))]) {
      expectError(
        () => network.gradients(x, any(y)),
        'INVALID_ARGUMENT',
        /^y: expected integer labels, or a typed array/,
      );
    }
    expectError(() => network.gradients(x, [0, 1.5]), 'INVALID_ARGUMENT', /^y\[1\]: expected an integer, got 1\.5/);
    expectError(() => network.gradients(x, [0, 2 ** 32]), 'LABEL_OUT_OF_RANGE', /^y: row 1: expected 0 to 2/);
    expectError(() => network.gradients(x, any([0, '1'])), 'INVALID_ARGUMENT', /^y\[1\]: expected an integer, got "1"/);
  });

  it('refuses the wrong number of them', () => {
    expectError(
      () => network.gradients(x, Int32Array.of(0)),
      'SHAPE_MISMATCH',
      /^y: expected one label for each of 2 rows, got 1/,
    );
    expectError(
      () => network.gradients(x, [0, 1, 2]),
      'SHAPE_MISMATCH',
      /^y: expected 2 rows × 3 outputs = 6 numbers, got 3/,
    );
    expectError(() => network.gradients(x, new Float32Array(5)), 'SHAPE_MISMATCH', /= 6 numbers, got 5/);
    expectError(
      () => values.gradients(randomFloats(8), [[1, 2, 3], [4]]),
      'SHAPE_MISMATCH',
      /^y\[1\]: expected 3 entries, as its siblings have, got 1/,
    );
  });

  it('refuses labels that are no class, naming the row', () => {
    expectError(() => network.gradients(x, [0, 3]), 'LABEL_OUT_OF_RANGE', /^y: row 1: expected 0 to 2, got 3/);
    expectError(() => network.gradients(x, Int8Array.of(-1, 0)), 'LABEL_OUT_OF_RANGE', /^y: row 0: .*got -1/);
    expectError(
      () => network.trainBatch(x, Uint32Array.of(0, 4294967295), new Sgd()),
      'LABEL_OUT_OF_RANGE',
      /^y: row 1/,
    );
    const binary = regressor(backend, [dense(1)], binaryCrossEntropy());
    expectError(
      () => binary.gradients(randomFloats(8), Uint8Array.of(1, 2)),
      'LABEL_OUT_OF_RANGE',
      /^y: row 1: expected 0 to 1/,
    );
  });

  it('refuses labels where the loss compares values', () => {
    expectError(
      () => values.gradients(randomFloats(8), Int32Array.of(0, 1)),
      'INVALID_ARGUMENT',
      /loss meanSquaredError with 2 outputs needs targets/,
    );
  });

  it('refuses detached and resizable storage', () => {
    expectError(() => network.gradients(x, detached(6)), 'DETACHED_BUFFER', /^y/);
    expectError(() => network.gradients(x, resizable(Int32Array, 8)), 'RESIZABLE_BUFFER', /^y/);
  });

  it('takes class indices in every integer type and one-hot rows alike', () => {
    const labels = [2, 0];
    const expected = network.gradients(x, labels).loss;
    for (const type of [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array]) {
      expect(network.gradients(x, type.from(labels)).loss).toBe(expected);
    }
    expect(
      network.gradients(x, [
        [0, 0, 1],
        [1, 0, 0],
      ]).loss,
    ).toBeCloseTo(expected, 6);
    expect(network.gradients(x, Float32Array.of(0, 0, 1, 1, 0, 0)).loss).toBeCloseTo(expected, 6);
    expect(network.gradients(new Dataset({ features: x, shape: [6], labels }), any(undefined)).loss).toBe(expected);
  });
});

onBackends('what a call gives back', (backend) => {
  it('predict: probabilities of all rows, in `out` when given', () => {
    const network = classifier(backend);
    const data = classData(5);
    const out = new Float32Array(15);
    expect(network.predict(data, out)).toBe(out);
    for (let row = 0; row < 5; row++)
      expect(out.subarray(3 * row, 3 * row + 3).reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    expect([...network.predict([...data.features])]).toEqual([...out]);
    expect([...network.predict([0, 1, 2, 3, 4].map((row) => [...data.row(row)]))]).toEqual([...out]);
    const logits = network.forward(data);
    const sum = Math.exp(logits[0]) + Math.exp(logits[1]) + Math.exp(logits[2]);
    expect(out[1]).toBeCloseTo(Math.exp(logits[1]) / sum, 5);
    expect([...regressor(backend, [dense(2)], meanSquaredError()).predict(randomFloats(4))].length).toBe(2);
  });

  it('predict refuses an `out` that does not fit', () => {
    const network = classifier(backend);
    const x = randomFloats(12);
    expectError(
      () => network.predict(x, any(new Float64Array(6))),
      'INVALID_ARGUMENT',
      /^out: expected a Float32Array/,
    );
    expectError(() => network.predict(x, any([0, 0, 0, 0, 0, 0])), 'INVALID_ARGUMENT', /^out/);
    expectError(() => network.predict(x, new Float32Array(5)), 'SHAPE_MISMATCH', /^out: expected 6 elements, got 5/);
    expectError(() => network.predict(x, detached(6)), 'DETACHED_BUFFER', /^out/);
    expectError(() => network.predict(x, resizable(Float32Array, 24)), 'RESIZABLE_BUFFER', /^out/);
  });

  it('predict writes `out` in shared memory and at an odd offset', () => {
    const network = classifier(backend);
    const x = randomFloats(12);
    const expected = network.predict(x);
    const shared = new Float32Array(new SharedArrayBuffer(40), 4, 6);
    expect([...network.predict(x, shared)]).toEqual([...expected]);
    const inside = new Float32Array(20).fill(7);
    network.predict(new Float32Array([9, ...x]).subarray(1), inside.subarray(5, 11));
    expect([...inside]).toEqual([...new Array(5).fill(7), ...expected, ...new Array(9).fill(7)]);
  });

  it('fit and evaluate refuse features and labels as two arguments, and say what to write', async () => {
    const network = classifier('typescript');
    const [xs, ys] = [[[1, 2]], [0]];
    for (const name of ['fit', 'evaluate'] as const)
      for (const labels of [ys, new Float32Array(1)])
        for (const more of [[], [{ epochs: 5 }]]) {
          const call = network[name].bind(network) as (...given: unknown[]) => Promise<unknown>;
          await expectRejection(
            () => call(xs, labels, ...more),
            'INVALID_ARGUMENT',
            new RegExp(`^${name}: expected a dataset and options, .*${name}\\(new Dataset\\({ features, labels }\\)`),
          );
        }
  });

  it('forward refuses unknown options', () => {
    const network = classifier(backend);
    expectError(
      () => network.forward(randomFloats(6), any({ train: true })),
      'UNKNOWN_OPTION',
      /^forward: unknown option "train"/,
    );
    expectError(() => network.forward(randomFloats(6), { training: any(1) }), 'INVALID_ARGUMENT', /^forward: training/);
  });

  it('forward in training: batch norm goes by the batch and keeps a running mean of its statistics', () => {
    const layers = (evaluation: 'running' | 'batch') => [batchNorm({ momentum: 0.7, epsilon: 1e-3, evaluation })];
    const network = new Network({ input: [1], layers: layers('running'), loss: meanSquaredError(), seed: 1, backend });
    const [mean, variance] = network.state.map(({ value }) => value);
    const y = network.forward([1, 3, 8], { training: true }); // mean 4, variance 26/3
    [-3, -1, 4].forEach((distance, i) => expect(y[i]).toBeCloseTo(distance / Math.sqrt(26 / 3 + 1e-3), 5));
    expect(mean[0]).toBeCloseTo(0.3 * 4, 5);
    expect(variance[0]).toBeCloseTo(0.7 + (0.3 * 26) / 3, 5);
    const before = [mean[0], variance[0]];
    expect(network.forward([5])[0]).toBeCloseTo((5 - mean[0]) / Math.sqrt(variance[0] + 1e-3), 5);
    expect([mean[0], variance[0]]).toEqual(before);
    const own = new Network({ input: [1], layers: layers('batch'), loss: meanSquaredError(), seed: 1, backend });
    expect([...own.forward([1, 3, 8])]).toEqual([...y].map((value) => expect.closeTo(value, 5)));
    expect(
      own.state.map(({ value }) => value[0]),
      'inference leaves them alone',
    ).toEqual([0, 1]);
  });

  it('forward in training: dropout drops other units each time, scaled so that the mean stays', () => {
    const network = new Network({ input: [2000], layers: [dropout(0.25)], loss: meanSquaredError(), seed: 1, backend });
    const x = new Float32Array(2000).fill(3);
    const [first, second] = [network.forward(x, { training: true }), network.forward(x, { training: true })];
    expect(new Set(first)).toEqual(new Set([0, 4]));
    expect(first).not.toEqual(second);
    expect(first.filter((value) => value === 0).length / 2000).toBeCloseTo(0.25, 1);
    expect([...network.forward(x)]).toEqual([...x]);
  });

  it('evaluate refuses what it can not use', async () => {
    const network = classifier(backend);
    const data = classData(5);
    await expectRejection(
      () => network.evaluate(any([[1]])),
      'INVALID_ARGUMENT',
      /^evaluate: data: expected a Dataset/,
    );
    await expectRejection(
      () => network.evaluate(data, any({ batch: 1 })),
      'UNKNOWN_OPTION',
      /^evaluate: unknown option "batch"/,
    );
    await expectRejection(() => network.evaluate(data, { batchSize: 0 }), 'INVALID_ARGUMENT', /^evaluate: batchSize/);
    await expectRejection(() => network.evaluate(classData(0)), 'EMPTY_DATA', /^evaluate: data/);
    await expectRejection(
      () => network.evaluate(classData(5, 6, 4)),
      'LABEL_OUT_OF_RANGE',
      /^evaluate: data: labels: row \d+: .*got 3/,
    );
    const unlabelled = new Dataset({ features: data.features, shape: [6] });
    await expectRejection(
      () => network.evaluate(unlabelled),
      'INVALID_ARGUMENT',
      /with labels or targets, got one without/,
    );
    await expectRejection(() => network.fit(unlabelled), 'INVALID_ARGUMENT', /with labels or targets, got one without/);
  });

  it('trainBatch and applyGradients refuse what is no optimizer', () => {
    const network = classifier(backend);
    for (const optimizer of [undefined, null, 'sgd', Sgd, { learningRate: 1 }]) {
      expectError(
        () => network.trainBatch(randomFloats(6), [0], any(optimizer)),
        'INVALID_ARGUMENT',
        /^optimizer: expected an optimizer/,
      );
      expectError(
        () => network.applyGradients(any(optimizer)),
        'INVALID_ARGUMENT',
        /^optimizer: expected an optimizer/,
      );
    }
  });

  it('gradients: the views are filled, the input gradient is returned, nothing else changes', () => {
    const network = classifier(backend);
    const before = weights(network);
    const { inputGradient } = network.gradients(randomFloats(12), [0, 1]);
    expect(inputGradient.length).toBe(12);
    expect(network.parameters.some(({ gradient }) => gradient.some((value) => value !== 0))).toBe(true);
    expect(distance(weights(network), before)).toBe(0);
  });

  it('images go through flatten, and flat rows for images too', () => {
    const layers = [flatten(), dense(3)];
    const network = new Network({ input: [2, 3, 1], layers, loss: softmaxCrossEntropy(), seed: 7, backend });
    const x = randomFloats(6);
    const nested = new Dataset({ features: x, shape: [2, 3, 1] });
    expect([...network.predict(nested)]).toEqual([...network.predict(x)]);
    expect([...network.predict(new Dataset({ features: x, shape: [6] }))]).toEqual([...network.predict(x)]);
    expectError(
      () => network.predict(new Dataset({ features: x, shape: [3, 2, 1] })),
      'SHAPE_MISMATCH',
      /shape \[2, 3, 1\], got \[3, 2, 1\]/,
    );
  });
});

onBackends('sample sources that are no Dataset', (backend) => {
  const data = classData(9);
  const plain = (changes: Record<string, unknown> = {}): SampleSource =>
    any({
      length: 9,
      shape: [6],
      features: new Float32Array(data.features),
      labels: new Int32Array(data.labels as Int32Array),
      scale: 1,
      offset: 0,
      ...changes,
    });

  it('over ordinary memory are trained on as datasets are', async () => {
    const [a, b] = [classifier(backend), classifier(backend)];
    const options = { epochs: 2, batchSize: 4 };
    await a.fit(data, { ...options, validation: data });
    await b.fit(plain(), { ...options, validation: plain() });
    expect(distance(weights(b), weights(a))).toBe(0);
    expect(await b.evaluate(plain())).toEqual(await a.evaluate(data));
    expect([...b.predict(plain())]).toEqual([...a.predict(data)]);
    const bytes = plain({ features: new Uint8Array(54).fill(3), scale: 0.1 });
    await b.fit(bytes);
    await b.fit([bytes, plain()]);
  });

  it.each<
    [
      string,
      Record<string, unknown>,
      'INVALID_ARGUMENT' | 'SHAPE_MISMATCH' | 'DETACHED_BUFFER' | 'LABEL_OUT_OF_RANGE',
      RegExp,
    ]
  >([
    [
      'too few features',
      { features: new Float32Array(53) },
      'SHAPE_MISMATCH',
      /features: expected 9 rows of 6 numbers, got 53/,
    ],
    [
      'doubles',
      { features: new Float64Array(54) },
      'INVALID_ARGUMENT',
      /features: expected a Uint8Array or a Float32Array/,
    ],
    ['detached features', { features: detached(54) }, 'DETACHED_BUFFER', /features/],
    ['no shape', { shape: undefined }, 'INVALID_ARGUMENT', /shape/],
    ['no scale', { scale: undefined }, 'INVALID_ARGUMENT', /scale/],
    ['an offset of NaN', { offset: Number.NaN }, 'INVALID_ARGUMENT', /offset/],
    ['half a row', { length: 8.5 }, 'INVALID_ARGUMENT', /length/],
    ['byte labels', { labels: new Uint8Array(9) }, 'INVALID_ARGUMENT', /labels: expected an Int32Array/],
    [
      'too few labels',
      { labels: new Int32Array(8) },
      'SHAPE_MISMATCH',
      /labels: expected one label for each of 9 rows, got 8/,
    ],
    ['labels of no class', { labels: new Int32Array(9).fill(5) }, 'LABEL_OUT_OF_RANGE', /labels: row 0/],
    [
      'plain targets',
      { labels: undefined, targets: [1, 2, 3] },
      'INVALID_ARGUMENT',
      /targets: expected a Float32Array/,
    ],
    [
      'too few targets',
      { labels: undefined, targets: new Float32Array(26) },
      'SHAPE_MISMATCH',
      /targets: expected 9 rows × 3 outputs/,
    ],
  ])('are refused: %s', async (_, changes, code, message) => {
    const network = classifier(backend);
    await expectRejection(() => network.fit(plain(changes)), code, message);
    await expectRejection(() => network.fit(data, { validation: plain(changes) }), code, message);
    await expectRejection(() => network.evaluate(plain(changes)), code, message);
  });

  it('may have arrays of subclasses, whose constructors are not called', async () => {
    class Own extends Float32Array {
      static made = 0;
      constructor(...args: [number]) {
        super(...args);
        if (Own.made++ > 1) throw new TypeError('called');
      }
    }
    const expected = await classifier(backend).fit(plain({ sampleWeights: new Float32Array(9).fill(1) }));
    const own = () => {
      Own.made = 0;
      const [features, sampleWeights] = [new Own(54), new Own(9).fill(1)];
      features.set(data.features);
      return plain({ features, sampleWeights });
    };
    expect((await classifier(backend).fit(own())).loss).toEqual(expected.loss);
    expect((await classifier(backend).fit([own()])).epochs).toHaveLength(1);
    const network = classifier(backend);
    expect([...network.predict(own())]).toEqual([...network.predict(data)]);
    expect([...(await network.predictAsync(own()))]).toEqual([...network.predict(data)]);
    Own.made = 0;
    const out = new Own(27);
    expect(network.predict(data, { out, batchSize: 2 })).toBe(out);
    expect([...out]).toEqual([...network.predict(data)]);

    const warnings: unknown[] = [];
    const listen = (warning: Error) => void warnings.push(warning);
    process.on('warning', listen);
    const bytes = { features: Buffer.alloc(54, 3), scale: 0.1 };
    expect((await network.fit([plain(bytes)])).epochs).toHaveLength(1);
    await network.evaluate(plain(bytes));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', listen);
    expect(warnings).toEqual([]);
  });

  it('are read once: a getter can not give other columns after the check', async () => {
    const changing: [string, unknown][] = [
      ['features', new Float64Array(54)],
      ['features', new Float32Array(6)],
      ['scale', 'none'],
      ['shape', [1000]],
      ['length', 1000],
      ['labels', new Int32Array(9).fill(1e9)],
      ['labels', new Int32Array(1)],
    ];
    const expected = await classifier(backend).fit(plain());
    for (const [field, other] of changing) {
      // The first two reads tell that it is a sample source.
      for (let reads = 3; reads < 8; reads++) {
        const source = plain();
        const value = (source as unknown as Record<string, unknown>)[field];
        let left = reads;
        Object.defineProperty(source, field, { get: () => (left-- > 0 ? value : other) });
        const { loss } = await classifier(backend).fit(source);
        expect(loss, `${field} ${reads}`).toEqual(expected.loss);
      }
    }
  });

  it('targets are refused where the loss wants labels only, labels where it wants values', async () => {
    await expectRejection(
      () => regressor(backend, [dense(2)], meanSquaredError(), 6).fit(data),
      'INVALID_ARGUMENT',
      /needs targets \(2 numbers a row\)/,
    );
    expect((await regressor(backend, [dense(2)], meanSquaredError()).fit(valueData(4))).epochs.length).toBe(1);
  });
});
