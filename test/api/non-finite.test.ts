import { expect, it } from 'vitest';
import { Dataset } from '../../lib/data/index.js';
import {
  Adam,
  BlasnetError,
  batchNorm,
  constant,
  dense,
  earlyStopping,
  input,
  meanSquaredError,
  Network,
  relu,
  Sgd,
  sqrt,
} from '../../lib/index.js';
import {
  classData,
  classifier,
  expectFinite,
  expectRejection,
  expectSameBits,
  mixedLayers,
  onBackends,
  regressor,
  rejection,
  valueData,
  weights,
} from './support.js';

const any = (value: unknown) => value as never;

/** `classData` with one feature replaced. */
function spoilt(rows: number, row: number, column: number, value: number): Dataset {
  const { features, labels } = classData(rows);
  const copy = Float32Array.from(features);
  copy[row * 6 + column] = value;
  return new Dataset({ features: copy, shape: [6], labels: labels as Int32Array, classes: 3 });
}

async function expectNonFinite(run: () => unknown, message: RegExp, details: unknown): Promise<void> {
  let error: unknown;
  try {
    await run();
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(BlasnetError);
  expect((error as BlasnetError).code).toBe('NON_FINITE');
  expect((error as BlasnetError).message).toMatch(message);
  expect((error as BlasnetError).details).toEqual(details);
}

onBackends('numbers that are not finite', (backend) => {
  // With batch norm a bad batch reaches the running statistics before its loss is known.
  const cases: [string, () => Network][] = [
    ['a plain network', () => classifier(backend)],
    ['batch norm and dropout', () => classifier(backend, { layers: mixedLayers() })],
    ['batch norm first', () => classifier(backend, { layers: [batchNorm(), dense(3)] })],
  ];

  it.each(cases)('NaN in a feature: row and column are named, the weights stay (%s)', async (_, create) => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const network = create();
      const before = weights(network);
      const data = spoilt(20, 13, 4, value);
      const details = { where: 'features', row: 13, column: 4, value };
      const message = new RegExp(
        `^features: row 13, column 4: expected a finite number, got ${value} \\(epoch 0, step 0\\)`,
      );
      await expectNonFinite(() => network.fit(data, { batchSize: 20 }), message, details);
      expectSameBits(weights(network), before);
      const local = { ...details, row: 3 };
      const optimizer = new Sgd();
      await expectNonFinite(
        () => network.trainBatch(data.slice(10), any(undefined), optimizer),
        /^features: row 3, column 4/,
        local,
      );
      await expectNonFinite(
        () => network.gradients(data.slice(10), any(undefined)),
        /^features: row 3, column 4/,
        local,
      );
      expectSameBits(weights(network), before);
      expect(optimizer.steps).toBe(0);
      expect((await network.fit(classData(20))).epochs.length, 'the network is usable').toBe(1);
      expectFinite(network);
    }
  });

  it.each(cases)('NaN in a later batch: the steps before it count (%s)', async (_, create) => {
    const [network, twin] = [create(), create()];
    const [optimizer, other] = [new Adam(), new Adam()];
    const data = spoilt(20, 13, 4, Number.NaN);
    const run = () => network.fit(data, { batchSize: 4, shuffle: false, optimizer });
    await expectNonFinite(run, /^features: row 13, column 4.*\(epoch 0, step 3\)/, {
      where: 'features',
      row: 13,
      column: 4,
      value: Number.NaN,
    });
    await twin.fit(data.take(12), { batchSize: 4, shuffle: false, optimizer: other });
    expect(optimizer.steps).toBe(3);
    expectSameBits(
      network.parameters.map(({ value }) => value),
      twin.parameters.map(({ value }) => value),
    );
    expectSameBits([...optimizer.moments.values()], [...other.moments.values()]);
    expectFinite(network);
  });

  it('a shuffled bad row is named by its place in the data', async () => {
    const details = { where: 'features', row: 41, column: 0, value: Number.NaN };
    await expectNonFinite(
      () => classifier(backend).fit(spoilt(60, 41, 0, Number.NaN), { batchSize: 7 }),
      /^features: row 41, column 0/,
      details,
    );
  });

  it('a bad target is named', async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const { features, targets } = valueData(10);
      const copy = Float32Array.from(targets as Float32Array);
      copy[7 * 2 + 1] = value;
      const data = new Dataset({ features, shape: [4], targets: copy, targetShape: [2] });
      const network = regressor(backend, [dense(2)], meanSquaredError());
      const before = weights(network);
      await expectNonFinite(() => network.fit(data, { batchSize: 10 }), /^targets: row 7, column 1/, {
        where: 'targets',
        row: 7,
        column: 1,
        value,
      });
      expectSameBits(weights(network), before);
    }
  });

  it('trainBatch refuses a step whose loss is finite and a gradient is not, and names the parameter', async () => {
    // The slope of the root is infinite at 0.
    const root = input([2]).pipe(dense(1, { bias: false, weightInitializer: constant(1), name: 'root' }));
    const network = new Network({ output: sqrt(root), loss: meanSquaredError(), seed: 1, backend });
    for (const optimizer of [new Sgd(), new Adam({ clipNorm: 1, averageWeights: { decay: 0.5 } })]) {
      const moments = () => [...optimizer.moments.values()].map((block) => block.slice());
      const [x, y] = [Float32Array.of(4, 5), Float32Array.of(2)];
      expect(network.trainBatch(x, y, optimizer).loss).toBeGreaterThan(0);
      const [good, kept] = [weights(network), moments()];
      await expectNonFinite(
        () => network.trainBatch(new Float32Array(2), y, optimizer),
        /^gradients: root\.weight: element 0: expected a finite number, got NaN; no parameter was changed$/,
        { where: 'gradients', parameter: 'root.weight', column: 0, value: Number.NaN },
      );
      expectSameBits(weights(network), good);
      expectSameBits(moments(), kept);
      expect(optimizer.steps).toBe(1);
      network.trainBatch(x, y, optimizer);
      expectFinite(network);
    }
  });

  it('a bad row in a stream is named, with its batch', async () => {
    const network = classifier(backend, { layers: mixedLayers() });
    const data = spoilt(20, 13, 4, Number.NaN);
    const batches = [0, 5, 10, 15].map((row) => data.slice(row, row + 5));
    const details = { where: 'features', row: 3, column: 4, value: Number.NaN };
    const optimizer = new Adam();
    await expectNonFinite(
      () => network.fit(batches, { optimizer }),
      /^features: row 3, column 4.*\(epoch 0, batch 2\)/,
      details,
    );
    expect(optimizer.steps).toBe(2);
    expectFinite(network);
  });

  it.each([[1], [4], [20]])(
    'a learning rate that diverges: no data is blamed, the weights stay finite (batches of %d)',
    async (batchSize) => {
      for (const learningRate of [1e3, 1e10, 1e30, 1e38]) {
        const network = regressor(backend, [dense(8), dense(2)], meanSquaredError());
        const optimizer = new Sgd({ learningRate });
        const error = await rejection(network.fit(valueData(20), { epochs: 200, batchSize, optimizer }));
        expect((error as BlasnetError).code).toBe('NON_FINITE');
        expect((error as BlasnetError).message).toMatch(/^(loss|parameters): .*a smaller learning rate usually helps/);
        expect(['loss', 'parameters']).toContain((error as BlasnetError).details?.where);
        expectFinite(network);
        expect(optimizer.steps).toBeLessThan(200 * 20);
      }
    },
  );

  it.each([
    ['watched', { onEpochEnd() {} }],
    ['unwatched', []],
  ])('a last update that overflows is an error, too (%s)', async (_, callbacks) => {
    const network = regressor(backend, [dense(8), dense(2)], meanSquaredError());
    const before = weights(network);
    const data = valueData(20);
    for (const block of [data.features, data.targets as Float32Array])
      block.forEach((value, i) => (block[i] = 100 * value));
    const optimizer = new Sgd({ learningRate: 3e38, momentum: 0.9 });
    const run = () => network.fit(data, { batchSize: 20, optimizer, callbacks: any(callbacks) });
    await expectRejection(run, 'NON_FINITE', /^parameters: an update in epoch 0/);
    expectSameBits(weights(network), before);
    expect(optimizer.steps).toBe(0);
    expect([...optimizer.moments.values()].every((block) => block.every((value) => value === 0))).toBe(true);
    await expectRejection(() => network.fit([data], { optimizer }), 'NON_FINITE', /^parameters: an update in epoch 0/);
    expectSameBits(weights(network), before);
  });

  it('a later fit goes back to where the one before it ended', async () => {
    const network = regressor(backend, [dense(8), dense(2)], meanSquaredError());
    const data = valueData(20);
    const optimizer = new Sgd({ learningRate: ({ step }) => (step < 10 ? 0.01 : 3e38), momentum: 0.9 });
    for (const epochs of [1, 4]) await network.fit(data, { epochs, batchSize: 10, optimizer });
    const before = [weights(network), ...optimizer.moments.values()].flat().map((block) => block.slice());
    await expectRejection(
      () => network.fit(data, { batchSize: 20, optimizer }),
      'NON_FINITE',
      /^parameters: an update/,
    );
    expectSameBits([weights(network), ...optimizer.moments.values()].flat(), before);
    expect(optimizer.steps).toBe(10);
  });

  it('a forward pass in training mode keeps NaN and infinities from the running statistics', async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const [network, twin] = [0, 1].map(() => classifier(backend, { layers: mixedLayers() }));
      const before = weights(network);
      const x = spoilt(20, 13, 4, value);
      const details = { where: 'features', row: 13, column: 4, value };
      await expectNonFinite(() => network.forward(x, { training: true }), /^features: row 13, column 4/, details);
      expectSameBits(weights(network), before);
      // The masks, too, are those of a network that has not seen the batch.
      const good = classData(20);
      expectSameBits([network.forward(good, { training: true })], [twin.forward(good, { training: true })]);
    }
    const overflowing = classifier(backend, { layers: [batchNorm(), dense(3)] });
    const before = weights(overflowing);
    const huge = classData(20).features.map((feature) => feature * 1e30) as Float32Array;
    await expectNonFinite(
      () => overflowing.forward(huge, { training: true }),
      /^state: a running statistic would overflow/,
      {
        where: 'state',
      },
    );
    expectSameBits(weights(overflowing), before);
  });

  it('a NaN is found where nothing is updated, too', async () => {
    const groups = [{ match: /./, frozen: true }];
    const nothing: [Network, Sgd][] = [
      [classifier(backend, { layers: mixedLayers() }), new Sgd({ groups })],
      [classifier(backend, { input: [3], layers: [relu()] }), new Sgd()],
    ];
    for (const [network, optimizer] of nothing) {
      const before = weights(network);
      const columns = network.input[0];
      const { features, labels } = classData(20, columns);
      const copy = Float32Array.from(features);
      copy[13 * columns + 1] = Number.NaN;
      const data = new Dataset({ features: copy, shape: [columns], labels: labels as Int32Array, classes: 3 });
      const at = (row: number) => ({ where: 'features', row, column: 1, value: Number.NaN });
      const run = () => network.fit(data, { batchSize: 4, shuffle: false, optimizer });
      await expectNonFinite(run, /^features: row 13, column 1.*\(epoch 0, step 3\)/, at(13));
      await expectNonFinite(() => network.fit([data], { optimizer }), /^features: row 13, column 1/, at(13));
      await expectNonFinite(
        () => network.trainBatch(data, undefined, optimizer),
        /^features: row 13, column 1/,
        at(13),
      );
      expectSameBits(weights(network), before);
    }
  });

  it('weights that are broken before training are blamed on the loss', async () => {
    const network = classifier(backend);
    network.parameters[0].value[0] = Number.NaN;
    await expectRejection(
      () => network.fit(classData(10)),
      'NON_FINITE',
      /^loss: it became NaN in epoch 0, step 0 although/,
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('%d in data that are evaluated is named', async (value) => {
    const data = spoilt(20, 13, 4, value);
    const details = { where: 'features', row: 13, column: 4, value };
    const message = (name: string) =>
      new RegExp(`^features: row 13, column 4: expected a finite number, got ${value} \\(in ${name}\\)`);
    const network = classifier(backend);
    await expectNonFinite(() => network.evaluate(data, { batchSize: 8 }), message('evaluate: data'), details);
    await expectNonFinite(() => network.evaluate([data]), message('evaluate: data'), details);
    for (const callbacks of [[], [earlyStopping()]]) {
      const fit = network.fit(classData(10), { validation: data, callbacks, epochs: 3 });
      await expectNonFinite(() => fit, message('fit: validation'), details);
    }
    network.parameters[0].value[0] = Number.NaN;
    await expectNonFinite(() => network.evaluate(classData(10)), /^loss: it became NaN in evaluate: data/, {
      where: 'loss',
      value: Number.NaN,
    });
  });

  const optimizers = [
    ['Sgd', () => new Sgd({ momentum: 0.9 })],
    ['Adam, clipped', () => new Adam({ clipNorm: 1, clipValue: 0.5 })],
  ] as const;

  it.each(optimizers)('applyGradients refuses a gradient and changes nothing (%s)', async (_, make) => {
    const network = classifier(backend);
    const optimizer = make();
    const data = classData(10);
    network.trainBatch(data, undefined, optimizer);
    network.gradients(data);
    for (const [name, at] of [
      ['0.weight', 5],
      ['2.bias', 2],
    ] as const) {
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const { gradient } = network.parameter(name);
        const kept = gradient[at];
        gradient[at] = value;
        const [before, moments] = [weights(network), optimizer.save()];
        const message = new RegExp(`^gradients: ${name}: element ${at}: expected a finite number, got ${value}`);
        const details = { where: 'gradients', parameter: name, column: at, value };
        await expectNonFinite(() => network.applyGradients(optimizer), message, details);
        expectSameBits(weights(network), before);
        expect(optimizer.save()).toEqual(moments);
        gradient[at] = kept;
      }
    }
    network.parameter('0.weight').gradient[0] = 3e38;
    network.applyGradients(optimizer);
    expect(optimizer.steps).toBe(2);
  });

  it('applyGradients does not look at the gradients of frozen parameters', () => {
    const network = classifier(backend);
    network.gradients(classData(10));
    network.parameter('0.weight').gradient[3] = Number.NaN;
    network.applyGradients(new Sgd({ groups: [{ match: '0.weight', frozen: true }] }));
    expectFinite(network);
  });
});
