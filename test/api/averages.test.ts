import { expect, it } from 'vitest';
import { Adam, batchNorm, dense, earlyStopping, Network, type Optimizer, relu, Sgd } from '../../lib/index.js';
import { flat, twoLayers, values } from './optimizer-support.js';
import {
  classData,
  classifier,
  distance,
  expectError,
  expectRejection,
  expectSameBits,
  onBackends,
} from './support.js';

const any = (value: unknown) => value as never;
const data = classData(96);

onBackends('the average of weights', (backend) => {
  const batch = (i: number) => data.slice(16 * (i % 6), 16 * (i % 6) + 16);

  it.each([
    ['a plain one', { decay: 0.75, warmUp: false }, (t: number) => (t === 1 ? 0 : 0.75)],
    ['one that warms up', { decay: 0.75 }, (t: number) => Math.min(0.75, (t - 1) / (t + 8))],
    ['the last weights', { decay: 0 }, () => 0],
  ])('is that of a plain loop: %s', (_, averageWeights, decayOf) => {
    const of = classifier(backend);
    const optimizer = new Adam({
      averageWeights,
      learningRate: 0.05,
      groups: [{ match: '0.bias', frozen: true }],
    });
    let average: number[] = [];
    for (let t = 1; t <= 40; t++) {
      of.trainBatch(batch(t), any(undefined), optimizer);
      const decay = decayOf(t);
      average = flat(values(of)).map((p, i) => (t === 1 ? p : decay * average[i] + (1 - decay) * p));
    }
    const trained = values(of);
    const restore = of.useAverage(optimizer);
    expect(distance([Float32Array.from(flat(values(of)))], [Float32Array.from(average)])).toBeLessThan(2e-6);
    expectSameBits([of.parameter('0.bias').value], [trained[1]]);
    const predicted = of.predict(data);
    const copy = Network.fromBytes(of.toBytes(), { backend });
    expect(copy.predict(data)).toEqual(predicted);
    restore();
    expectSameBits(values(of), trained);
    if (averageWeights.decay > 0) expect(of.predict(data)).not.toEqual(predicted);
  });

  it('leaves the training as it is, in fit, trainBatch and applyGradients', async () => {
    const train = async (optimizer: Optimizer) => {
      const of = classifier(backend, { layers: [dense(8), batchNorm(), relu(), dense(3)] });
      await of.fit(data, { epochs: 3, batchSize: 10, optimizer });
      of.trainBatch(batch(0), any(undefined), optimizer);
      of.gradients(batch(1));
      of.applyGradients(optimizer);
      return values(of);
    };
    expectSameBits(await train(new Adam({ averageWeights: {} })), await train(new Adam()));
  });

  it('validateAverage validates with the average, and training goes on with the weights', async () => {
    const train = async (validateAverage: boolean) => {
      const of = classifier(backend);
      const optimizer = new Sgd({ learningRate: 0.5, averageWeights: { decay: 0.9 } });
      const seen: Float32Array[] = [];
      const history = await of.fit(data, {
        optimizer,
        epochs: 3,
        batchSize: 16,
        validation: data,
        validateAverage,
        metrics: {
          first: () => {
            seen.push(of.predict(data));
            return 1;
          },
        },
      });
      return { of, optimizer, history, seen };
    };
    const [plain, averaged] = [await train(false), await train(true)];
    expectSameBits(values(averaged.of), values(plain.of));
    const loss = ({ history }: typeof plain) => history.epochs[2].validation?.loss;
    expect(loss(plain)).toBe((await plain.of.evaluate(data)).loss);
    averaged.of.useAverage(averaged.optimizer);
    expect(loss(averaged)).toBe((await averaged.of.evaluate(data)).loss);
    expect(loss(averaged)).not.toBe(loss(plain));
    expect(averaged.seen[2]).toEqual(averaged.of.predict(data));
  });

  it('goes on from a file, and is restored with the best weights', async () => {
    const make = () => new Adam({ learningRate: 0.05, averageWeights: { decay: 0.8 } });
    const [of, optimizer] = [classifier(backend), make()];
    await of.fit(data, { optimizer, epochs: 2, shuffle: false });
    const loaded = make();
    const other = Network.fromBytes(of.toBytes({ optimizer }), { backend, optimizer: loaded });
    for (const [network, by] of [
      [of, optimizer],
      [other, loaded],
    ] as const) {
      await network.fit(data, { optimizer: by, epochs: 2, shuffle: false });
      network.useAverage(by);
    }
    expectSameBits(values(other), values(of));

    const again = classifier(backend);
    const rising = new Sgd({ learningRate: 0.1, averageWeights: { decay: 0.5 } });
    let first: Float32Array | undefined;
    await again.fit(data, {
      optimizer: rising,
      epochs: 4,
      metrics: { epoch: () => again.predict(data)[0] * 0 + rising.steps },
      validation: data,
      callbacks: [
        earlyStopping({ monitor: 'epoch', mode: 'min', patience: 10 }),
        {
          onEpochEnd() {
            first ??= rising.moments.get('weightAverage')?.slice();
          },
        },
      ],
    });
    expect(rising.moments.get('weightAverage')).toEqual(first);
  });

  it('starts with the weights that the network has, also for steps from the middle of a run', () => {
    const of = twoLayers(backend);
    const before = values(of);
    const optimizer = new Sgd({ learningRate: 1, averageWeights: { decay: 0.5, warmUp: false } });
    optimizer.steps = 10;
    for (const { gradient } of of.parameters) gradient.fill(1);
    of.applyGradients(optimizer);
    of.useAverage(optimizer);
    const expected = before.map((block) => block.map((p) => p - 0.5));
    expect(distance(values(of), expected)).toBeLessThan(1e-6);
  });

  it('is refused where there is none', async () => {
    const of = classifier(backend);
    const [none, fresh] = [new Adam(), new Adam({ averageWeights: {} })];
    expectError(() => of.useAverage(any({})), 'INVALID_ARGUMENT', /^optimizer: expected an optimizer/);
    expectError(() => of.useAverage(none), 'INVALID_ARGUMENT', /^useAverage: the optimizer keeps no average/);
    expectError(() => of.useAverage(fresh), 'INVALID_ARGUMENT', /no average of weights before its first step/);
    of.trainBatch(batch(0), any(undefined), fresh);
    expectError(() => classifier(backend).useAverage(fresh), 'INVALID_ARGUMENT', /another network/);
    const validateAverage = true;
    const validated = (options: object) => of.fit(data, { validateAverage, ...options });
    await expectRejection(
      () => validated({ validation: data }),
      'INVALID_ARGUMENT',
      /needs an optimizer with averageWeights/,
    );
    await expectRejection(() => validated({ optimizer: fresh }), 'INVALID_ARGUMENT', /needs validation data/);
    const running = of.fit(data, { optimizer: fresh });
    expectError(() => of.useAverage(fresh), 'NETWORK_BUSY', /a run is in progress/);
    await running;
    const restore = of.useAverage(fresh);
    const other = of.fit(data, { optimizer: fresh });
    expectError(restore, 'NETWORK_BUSY', /a run is in progress/);
    await other;
    for (const [averageWeights, code] of [
      [{ decay: 1 }, 'INVALID_ARGUMENT'],
      [{ warmUp: 1 }, 'INVALID_ARGUMENT'],
      [true, 'INVALID_ARGUMENT'],
      [{ rate: 0.5 }, 'UNKNOWN_OPTION'],
    ] as const)
      expectError(() => new Sgd({ averageWeights: any(averageWeights) }), code, /^Sgd: averageWeights/);
  });
});
