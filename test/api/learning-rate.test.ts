import { expect, it } from 'vitest';
import { type Callbacks, type EpochLog, reduceOnPlateau, Sgd, type TrainingHandle } from '../../lib/index.js';
import { twoLayers, values } from './optimizer-support.js';
import { expectError, expectRejection, onBackends, valueData } from './support.js';

const any = (value: unknown) => value as never;

onBackends('the learning rate during training', (backend) => {
  it('is scaled by callbacks, on top of schedule and groups, from the next epoch on', async () => {
    const of = twoLayers(backend);
    const schedule = ({ epoch }: { epoch: number }) => 0.1 - 0.01 * epoch;
    const optimizer = new Sgd({ learningRate: schedule, groups: [{ match: 'b', learningRate: 0.5 }] });
    const callbacks: Callbacks = {
      onEpochEnd(log, training) {
        if (log.epoch === 0) training.scaleLearningRate(0.5);
        if (log.epoch === 2) training.scaleLearningRate(0.1);
      },
    };
    const { epochs } = await of.fit(valueData(6, 3), { epochs: 4, optimizer, callbacks });
    expect(epochs.map((log) => log.learningRate)).toEqual(
      [0.1, 0.09 * 0.5, 0.08 * 0.5, 0.07 * (0.5 * 0.1)].map((rate) => expect.closeTo(rate, 12)),
    );
    expect(optimizer.rateFactor).toBeCloseTo(0.05, 12);
    const before = values(of);
    for (const { gradient } of of.parameters) gradient.fill(1);
    of.applyGradients(optimizer);
    const moved = of.parameters.map(({ value }, i) => before[i][0] - value[0]);
    expect(moved).toEqual([0.005, 0.005, 0.025, 0.025].map((rate) => expect.closeTo(rate, 6)));
  });

  it('is scaled in a stream too; a bad factor rejects', async () => {
    const of = twoLayers(backend);
    const optimizer = new Sgd();
    const scale = (factor: number): Callbacks => ({ onEpochEnd: (_, training) => training.scaleLearningRate(factor) });
    const { epochs } = await of.fit([valueData(3, 3)], { epochs: 2, optimizer, callbacks: scale(0.5) });
    expect(epochs.map((log) => log.learningRate)).toEqual([0.01, 0.005]);
    for (const factor of [-1, Number.NaN, '2']) {
      const run = () => of.fit(valueData(3, 3), { optimizer, callbacks: scale(any(factor)) });
      await expectRejection(run, 'INVALID_ARGUMENT', /^scaleLearningRate: factor/);
    }
  });

  it('falls with reduceOnPlateau when the validation loss stands still', async () => {
    const of = twoLayers(backend);
    const data = valueData(6, 3);
    // With all parameters frozen, but for a rate of 0, no value can change.
    const optimizer = new Sgd({ learningRate: 1, groups: [{ match: /./, learningRate: 0 }] });
    const callbacks = reduceOnPlateau({ patience: 1, factor: 0.5, minimumRate: 0.2 });
    const { epochs } = await of.fit(data, { epochs: 10, optimizer, validation: data, callbacks });
    expect(epochs.map((log) => log.learningRate)).toEqual([1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2, 0.2]);
    const missing = () => of.fit(data, { optimizer, callbacks });
    await expectRejection(
      missing,
      'INVALID_ARGUMENT',
      /^reduceOnPlateau: monitor: there is no validationLoss: this fit has no validation data/,
    );
    const accuracy = () => of.fit(data, { optimizer, callbacks: reduceOnPlateau({ monitor: 'accuracy' }) });
    await expectRejection(accuracy, 'INVALID_ARGUMENT', /there is no accuracy: the loss has no accuracy/);
  });
});

it.each<[string, Parameters<typeof reduceOnPlateau>[0], number[], number[]]>([
  // Values of the epochs, and the epochs after which the rate is lowered, by hand from PyTorch's documented rule.
  ['patience 2: the third epoch without improvement', { patience: 2 }, [5, 5, 5, 5, 5, 5, 5], [3, 6]],
  ['patience 0', { patience: 0 }, [5, 4, 4, 3, 3], [2, 4]],
  ['a relative threshold', { patience: 0, threshold: 0.1 }, [10, 9.5, 8.9, 8.1, 8], [1, 3]],
  ['an absolute threshold', { patience: 0, threshold: 1, thresholdMode: 'absolute' }, [10, 9.5, 8.9, 8.1, 7.8], [1, 3]],
  ['a best value that is not forgotten', { patience: 1 }, [5, 9, 8, 7, 6, 4], [2, 4]],
  ['cooldown', { patience: 0, cooldown: 2 }, [5, 5, 5, 5, 5, 5, 5], [1, 4]],
  ['NaN is no improvement', { patience: 1 }, [Number.NaN, Number.NaN, 5, 5, 4], [1]],
  ['an accuracy must rise', { monitor: 'validationAccuracy', patience: 0 }, [0.5, 0.6, 0.6, 0.55, 0.7], [2, 3]],
])('reduceOnPlateau: %s', (_, options, sequence, lowered) => {
  const callbacks = reduceOnPlateau({ monitor: 'validationLoss', ...options });
  const run = () => {
    const epochs: number[] = [];
    callbacks.onTrainBegin?.({ epochs: sequence.length, initialEpoch: 0, samples: 1, settings: {} as never });
    sequence.forEach((value, epoch) => {
      const validation = { loss: value, accuracy: value };
      const training: Partial<TrainingHandle> = { stop() {}, scaleLearningRate: () => epochs.push(epoch) };
      callbacks.onEpochEnd?.(
        { epoch, loss: -epoch, learningRate: 1, validation } as EpochLog,
        training as TrainingHandle,
      );
    });
    return epochs;
  };
  expect(run()).toEqual(lowered);
  expect(run(), 'a second fit begins again').toEqual(lowered);
});

it.each([
  [{ monitor: 'cost' }, /^reduceOnPlateau: monitor/],
  [{ factor: 1 }, /^reduceOnPlateau: factor/],
  [{ patience: -1 }, /^reduceOnPlateau: patience/],
  [{ threshold: -1 }, /^reduceOnPlateau: threshold/],
  [{ thresholdMode: 'rel' }, /^reduceOnPlateau: thresholdMode/],
  [{ cooldown: 0.5 }, /^reduceOnPlateau: cooldown/],
  [{ minimumRate: -1 }, /^reduceOnPlateau: minimumRate/],
])('reduceOnPlateau refuses %o', (options, message) => {
  expectError(() => reduceOnPlateau(any(options)), 'INVALID_ARGUMENT', message);
});
