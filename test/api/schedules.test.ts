import { describe, expect, it } from 'vitest';
import {
  Adam,
  constantRate,
  cosine,
  exponential,
  inverseTime,
  oneCycle,
  piecewise,
  type Schedule,
  Sgd,
  stepDecay,
  warmUp,
} from '../../lib/index.js';
import { classData, classifier, expectError, onBackends } from './support.js';

const any = (value: unknown) => value as never;

/** Rates of a schedule at some steps (epoch 0) or epochs (step 0). */
const at = (schedule: Schedule, unit: 'step' | 'epoch', times: readonly number[]) =>
  times.map((time) => schedule({ step: 0, epoch: 0, [unit]: time }));
const near = (rates: readonly number[], expected: readonly number[]) =>
  rates.forEach((rate, i) =>
    expect(Math.abs(rate - expected[i]), `rate ${i}: ${rate}`).toBeLessThanOrEqual(1e-12 * Math.abs(expected[i])),
  );

describe('schedules', () => {
  it('constantRate', () => {
    expect(at(constantRate(0.3), 'step', [0, 1, 1e9])).toEqual([0.3, 0.3, 0.3]);
  });

  it('inverseTime, every epoch and in steps of several', () => {
    near(at(inverseTime({ initial: 0.5, rate: 0.25 }), 'epoch', [0, 1, 2, 4, 12]), [0.5, 0.4, 1 / 3, 0.25, 0.125]);
    near(
      at(inverseTime({ initial: 0.5, rate: 1, interval: 1000 }), 'epoch', [0, 999, 1000, 1999, 3000]),
      [0.5, 0.5, 0.25, 0.25, 0.125],
    );
  });

  it('exponential and stepDecay', () => {
    near(at(exponential({ initial: 8, factor: 0.25, interval: 2 }), 'epoch', [0, 1, 2, 3]), [8, 4, 2, 1]);
    near(at(stepDecay({ initial: 8, factor: 0.25, interval: 2 }), 'epoch', [0, 1, 2, 3, 4]), [8, 8, 2, 2, 0.5]);
  });

  it('piecewise: a boundary belongs to the rate behind it', () => {
    const options = { boundaries: [2, 5], values: [1, 0.5, 0.1] };
    expect(at(piecewise(options), 'epoch', [0, 1, 2, 4, 5, 100])).toEqual([1, 1, 0.5, 0.5, 0.1, 0.1]);
    expect(at(piecewise(options), 'step', [0, 2, 100])).toEqual([1, 1, 1]);
    expect(at(piecewise({ ...options, by: 'step' }), 'step', [0, 1, 2, 4, 5, 100])).toEqual([1, 1, 0.5, 0.5, 0.1, 0.1]);
    expect(at(piecewise({ boundaries: [], values: [3] }), 'epoch', [0, 9])).toEqual([3, 3]);
  });

  it('cosine: half a turn, then the final rate', () => {
    const half = Math.SQRT1_2;
    near(at(cosine({ initial: 0.4, epochs: 4 }), 'epoch', [0, 1, 2, 3]), [
      0.4,
      0.2 * (1 + half),
      0.2,
      0.2 * (1 - half),
    ]);
    expect(at(cosine({ initial: 0.4, epochs: 4 }), 'epoch', [4, 5, 1000])).toEqual([0, 0, 0]);
    near(
      at(cosine({ initial: 0.4, final: 0.1, steps: 6 }), 'step', [0, 2, 3, 4, 6, 7]),
      [0.4, 0.325, 0.25, 0.175, 0.1, 0.1],
    );
    expect(at(cosine({ initial: 0.4, steps: 6 }), 'epoch', [0, 6])).toEqual([0.4, 0.4]);
  });

  it('warmUp: a line up to what follows', () => {
    near(at(warmUp({ steps: 4, after: 0.8 }), 'step', [0, 1, 2, 3, 4, 100]), [0, 0.2, 0.4, 0.6, 0.8, 0.8]);
    near(at(warmUp({ epochs: 2, from: 0.2, after: 0.8 }), 'epoch', [0, 1, 2, 3]), [0.2, 0.5, 0.8, 0.8]);
    // The schedule after it falls from the first epoch on.
    const after = inverseTime({ initial: 1, rate: 1 });
    near(at(warmUp({ epochs: 4, after }), 'epoch', [0, 1, 3, 4, 5]), [0, 1 / 8, 3 / 16, 1 / 5, 1 / 6]);
    // Steps and epochs go side by side: a warm-up in steps before a decay in epochs.
    expect(warmUp({ steps: 10, after })({ step: 5, epoch: 1 })).toBeCloseTo(0.25, 12);
  });

  it("oneCycle: PyTorch's default, with its two phases in cosines", () => {
    // 10 steps: up from 1/25 of the maximum to step 2, down to 1/250000 of it at step 9.
    const schedule = oneCycle({ max: 1, steps: 10 });
    near(at(schedule, 'step', [0, 1, 2, 9, 10, 50]), [0.04, 0.52, 1, 4e-6, 4e-6, 4e-6]);
    near(at(schedule, 'step', [3]), [4e-6 + ((1 - 4e-6) * (1 + Math.cos(Math.PI / 7))) / 2]);
    // 5 steps with a peak between two of them: step 1.5 is the top, (0, 1, 2, 3, 4) → shares 0, 2/3 | 1/5, 3/5, 1.
    const even = oneCycle({ max: 2, steps: 5, initialFactor: 0.5, finalFactor: 0, warmFraction: 0.5 });
    const down = (share: number) => 1 + Math.cos(Math.PI * share);
    near(at(even, 'step', [0, 1, 2, 3]), [1, 1.75, down(1 / 5), down(3 / 5)]);
    expect(at(even, 'step', [4, 5])).toEqual([0, 0]);
    // Without a rise it begins at the top.
    near(at(oneCycle({ max: 2, steps: 3, finalFactor: 0.5, warmFraction: 0 }), 'step', [0, 1, 2]), [2, 1.5, 1]);
  });

  it.each<[string, () => unknown, RegExp]>([
    ['constantRate', () => constantRate(-1), /^constantRate: expected a finite number ≥ 0/],
    ['piecewise without boundaries', () => piecewise(any({ values: [1] })), /^piecewise: boundaries: expected a list/],
    [
      'piecewise at 0',
      () => piecewise({ boundaries: [0], values: [1, 2] }),
      /^piecewise: boundaries\[0\]: expected an integer > 0/,
    ],
    [
      'piecewise not rising',
      () => piecewise({ boundaries: [3, 3], values: [1, 2, 3] }),
      /^piecewise: boundaries\[1\]: expected an integer > 3/,
    ],
    [
      'piecewise with a value too few',
      () => piecewise({ boundaries: [3], values: [1] }),
      /^piecewise: values: expected a list of 2 rates/,
    ],
    [
      'piecewise with a negative rate',
      () => piecewise({ boundaries: [3], values: [1, -1] }),
      /^piecewise: values\[1\]/,
    ],
    [
      'piecewise by minutes',
      () => piecewise({ boundaries: [3], values: [1, 2], by: any('minute') }),
      /^piecewise: by: expected one of/,
    ],
    ['cosine without a length', () => cosine(any({ initial: 1 })), /^cosine: expected either epochs or steps/],
    [
      'cosine with two lengths',
      () => cosine(any({ initial: 1, epochs: 1, steps: 1 })),
      /^cosine: expected either epochs or steps/,
    ],
    ['cosine of no epochs', () => cosine({ initial: 1, epochs: 0 }), /^cosine: epochs: expected an integer ≥ 1/],
    ['cosine below 0', () => cosine({ initial: 1, final: -1, steps: 2 }), /^cosine: final/],
    ['warmUp of half a step', () => warmUp({ after: 1, steps: 0.5 }), /^warmUp: steps: expected an integer ≥ 1/],
    ['warmUp to nothing', () => warmUp(any({ steps: 5 })), /^warmUp: after: expected a number or a function/],
    ['oneCycle of one step', () => oneCycle({ max: 1, steps: 1 }), /^oneCycle: steps: expected an integer ≥ 2/],
    ['oneCycle above its maximum', () => oneCycle({ max: 1, steps: 9, initialFactor: 25 }), /^oneCycle: initialFactor/],
    ['oneCycle that only rises', () => oneCycle({ max: 1, steps: 9, warmFraction: 1 }), /^oneCycle: warmFraction/],
  ])('%s is refused', (_, make, message) => expectError(make, 'INVALID_ARGUMENT', message));

  it('unknown options are refused', () => {
    expectError(() => cosine(any({ initial: 1, epoch: 5 })), 'UNKNOWN_OPTION', /^cosine: unknown option "epoch"/);
    expectError(
      () => oneCycle(any({ max: 1, steps: 5, momentum: 1 })),
      'UNKNOWN_OPTION',
      /^oneCycle: unknown option "momentum"/,
    );
  });
});

onBackends('a schedule in training', (backend) => {
  it('sees steps and epochs: the log has the rate of each epoch’s last step', async () => {
    const schedule = warmUp({ steps: 3, after: piecewise({ boundaries: [2], values: [0.1, 0.01] }) });
    const network = classifier(backend);
    const history = await network.fit(classData(20), {
      batchSize: 10,
      epochs: 3,
      optimizer: new Sgd({ learningRate: schedule }),
    });
    // Steps 1, 3 and 5.
    expect(history.epochs.map((log) => log.learningRate)).toEqual([expect.closeTo(0.1 / 3, 12), 0.1, 0.01]);
  });

  it('moves the parameters by its rate', async () => {
    const schedule = cosine({ initial: 0.2, epochs: 4 });
    const [scheduled, byHand] = [classifier(backend), classifier(backend)];
    const data = classData(12);
    await scheduled.fit(data, {
      batchSize: 12,
      epochs: 4,
      shuffle: false,
      optimizer: new Adam({ learningRate: schedule }),
    });
    const optimizer = new Adam({ learningRate: 1 });
    for (let epoch = 0; epoch < 4; epoch++) {
      optimizer.rateFactor = 0.1 * (1 + Math.cos((Math.PI * epoch) / 4));
      byHand.trainBatch(data, any(undefined), optimizer);
    }
    scheduled.parameters.forEach(({ value }, i) =>
      value.forEach((v, j) => expect(v).toBeCloseTo(byHand.parameters[i].value[j], 5)),
    );
  });
});
