import { expect, it } from 'vitest';
import { Dataset } from '../../lib/data/index.js';
import {
  Adam,
  binaryCrossEntropy,
  dense,
  input,
  type Loss,
  meanSquaredError,
  Network,
  Sgd,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import { expectError, expectRejection, onBackends, randomFloats } from './support.js';

const features = randomFloats(12);

onBackends('targets that a loss does not take', (backend) => {
  const make = (loss: Loss, outputs: number) =>
    new Network({ input: [4], layers: [dense(outputs)], loss, seed: 2, backend });
  const cases: [string, Loss, number[], RegExp][] = [
    [
      'binary: above 1',
      binaryCrossEntropy(),
      [0, 1, 0.5, 1, 1.5, 0],
      /row 2, output 0: expected a target from 0 to 1, got 1\.5/,
    ],
    [
      'binary: below 0',
      binaryCrossEntropy(),
      [0, -1, 0, 1, 1, 0],
      /row 0, output 1: expected a target from 0 to 1, got -1/,
    ],
    [
      'softmax: sum',
      softmaxCrossEntropy(),
      [1, 0, 0.5, 0.25, 0, 1],
      /row 1: expected probabilities whose sum is 1.*got a sum of 0\.75/,
    ],
    ['softmax: many hot', softmaxCrossEntropy(), [1, 0, 1, 1, 0, 1], /row 1: .*got a sum of 2/],
    ['softmax: no hot', softmaxCrossEntropy(), [1, 0, 0, 0, 0, 1], /row 1: .*got a sum of 0/],
    [
      'softmax: negative',
      softmaxCrossEntropy(),
      [1, 0, 2, -1, 0, 1],
      /row 1, output 0: expected a target from 0 to 1, got 2/,
    ],
  ];
  it.each(cases)('%s: are refused in every call, naming the row', async (_, loss, list, message) => {
    const targets = Float32Array.from(list);
    const data = new Dataset({ features, shape: [4], targets, targetShape: [2] });
    const network = make(loss, 2);
    const before = [...network.parameters[0].value];
    const rest = new RegExp(`^(fit: data: )?y: ${message.source}`);
    expectError(() => network.gradients(features, targets), 'INVALID_ARGUMENT', rest);
    expectError(
      () => network.gradients(features, [list.slice(0, 2), list.slice(2, 4), list.slice(4)]),
      'INVALID_ARGUMENT',
      rest,
    );
    expectError(() => network.gradients(data), 'INVALID_ARGUMENT', message);
    expectError(() => network.trainBatch(features, targets, new Sgd()), 'INVALID_ARGUMENT', rest);
    await expectRejection(() => network.fit(data), 'INVALID_ARGUMENT', message);
    await expectRejection(() => network.fit([{ x: features, y: targets }]), 'INVALID_ARGUMENT', rest);
    await expectRejection(() => network.fit([data]), 'INVALID_ARGUMENT', message);
    const good = new Dataset({ features, shape: [4], targets: [1, 0, 0, 1, 0, 1], targetShape: [2] });
    await expectRejection(
      () => network.fit(good, { validation: data }),
      'INVALID_ARGUMENT',
      /^fit: validation: targets: row/,
    );
    await expectRejection(() => network.evaluate(data), 'INVALID_ARGUMENT', message);
    expect([...network.parameters[0].value]).toEqual(before);
  });

  it('are seen when they were changed after a run', async () => {
    const data = new Dataset({ features, shape: [4], targets: [1, 0, 0, 1, 0, 1], targetShape: [2] });
    const network = make(binaryCrossEntropy(), 2);
    await network.fit(data);
    (data.targets as Float32Array)[3] = 7;
    await expectRejection(() => network.fit(data), 'INVALID_ARGUMENT', /row 1, output 1: .*got 7/);
  });

  it('rounding and mixtures are no fault, and other losses take any numbers', () => {
    const third = Math.fround(1 / 3);
    const rows = [third, third, third, 0.7, 0.2, 0.1, 0.9995, 0, 0];
    expect(make(softmaxCrossEntropy({ labelSmoothing: 0.1 }), 3).gradients(features, rows).loss).toBeGreaterThan(0);
    expect(make(meanSquaredError(), 2).gradients(features, [5, -5, 5, -5, 5, -5]).loss).toBeGreaterThan(0);
  });

  it('NaN is reported as that', () => {
    const y = [1, 0, Number.NaN, 1, 0, 1];
    for (const loss of [binaryCrossEntropy(), softmaxCrossEntropy()]) {
      expectError(
        () => make(loss, 2).gradients(features, y),
        'NON_FINITE',
        /^targets: row 1, column 0: expected a finite number, got NaN/,
      );
    }
  });

  it('beside a dataset that has its own they are refused; its own very ones pass', () => {
    const network = make(meanSquaredError(), 2);
    const targets = [1, 2, 3, 4, 5, 6];
    const data = new Dataset({ features, shape: [4], targets, targetShape: [2] });
    const message = /^y: expected none, as the dataset x brings its own/;
    expectError(() => network.gradients(data, [6, 5, 4, 3, 2, 1]), 'INVALID_ARGUMENT', message);
    expectError(() => network.trainBatch(data, new Float32Array(6), new Adam()), 'INVALID_ARGUMENT', message);
    const expected = network.gradients(data);
    expect(network.gradients(data, data.targets)).toEqual(expected);
    expect(network.gradients(new Dataset({ features, shape: [4] }), targets)).toEqual(expected);
  });
});

onBackends('lists of integers as targets by name', (backend) => {
  const x = input([4]);
  const make = (loss: Loss, outputs: number) =>
    new Network({ outputs: { a: x.pipe(dense(outputs)) }, losses: { a: loss }, seed: 2, backend });
  const given = (a: Int32Array | number[] | number[][]) => new Dataset({ features, shape: [4], targets: { a } });
  const trained = async (loss: Loss, outputs: number, data: Parameters<Network['fit']>[0]) => {
    const network = make(loss, outputs);
    await network.fit(data, { optimizer: new Sgd(), ...(data instanceof Dataset && { shuffle: false, batchSize: 2 }) });
    return network.toBytes();
  };

  it('are labels where the loss takes them, as in a batch of a stream', async () => {
    const wanted = await trained(softmaxCrossEntropy(), 3, given(Int32Array.of(0, 2, 1)));
    expect(await trained(softmaxCrossEntropy(), 3, given([0, 2, 1]))).toEqual(wanted);
    const stream = [
      { x: features.slice(0, 8), y: { a: [0, 2] } },
      { x: features.slice(8), y: { a: [1] } },
    ];
    expect(await trained(softmaxCrossEntropy(), 3, stream)).toEqual(wanted);
    const [list, typed] = [[0, 2, 1], Int32Array.of(0, 2, 1)].map((a) => given(a).subset([1, 2, 0]));
    expect(await trained(softmaxCrossEntropy(), 3, list)).toEqual(await trained(softmaxCrossEntropy(), 3, typed));
  });

  it('are targets of a regression, and rows of targets stay such', async () => {
    const wanted = await trained(meanSquaredError(), 1, given([[0], [2], [-1]]));
    expect(await trained(meanSquaredError(), 1, given([0, 2, -1]))).toEqual(wanted);
    const rows = [
      [1, 0, 0],
      [0, 0, 1],
      [0, 1, 0],
    ];
    const labels = await trained(softmaxCrossEntropy(), 3, given([0, 2, 1]));
    expect(await trained(softmaxCrossEntropy(), 3, given(rows))).toEqual(labels);
  });

  it('are checked', async () => {
    const network = make(softmaxCrossEntropy(), 3);
    const evaluate = (a: number[]) => () => network.evaluate(given(a));
    await expectRejection(evaluate([0, 3, 1]), 'LABEL_OUT_OF_RANGE', /targets\.a: row 1: expected 0 to 2, got 3/);
    await expectRejection(evaluate([0, 2 ** 32 + 1, 1]), 'SHAPE_MISMATCH', /targets\.a: expected 3 rows × 3 outputs/);
    await expectRejection(evaluate([0, 0.5, 1]), 'SHAPE_MISMATCH', /targets\.a: expected 3 rows × 3 outputs/);
  });
});
