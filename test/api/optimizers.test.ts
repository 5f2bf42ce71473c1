import { expect, it } from 'vitest';
import type { BackendName } from '../../lib/backend/backend.js';
import {
  Adam,
  type AdamOptions,
  AdamW,
  dense,
  l2,
  meanSquaredError,
  Network,
  type OptimizerOptions,
  type ParameterGroup,
  relu,
  Sgd,
} from '../../lib/index.js';
import { flat, forms, setGradients, twoLayers, values } from './optimizer-support.js';
import {
  classData,
  classifier,
  describeNative,
  distance,
  expectError,
  expectRejection,
  expectSameBits,
  onBackends,
  valueData,
  weights,
} from './support.js';

const any = (value: unknown) => value as never;

onBackends('AMSGrad', (backend) => {
  /** Reddi, Kale and Kumar 2018 in double, with Adam's corrections and the places for epsilon. */
  function oracle(options: AdamOptions, gradients: readonly number[][], start: readonly number[]): number[] {
    const {
      learningRate = 0.001,
      beta1 = 0.9,
      beta2 = 0.999,
      epsilon = 1e-8,
      weightDecay = 0,
      biasCorrection = true,
    } = options;
    const rate = Math.fround(learningRate as number);
    return start.map((first, i) => {
      let [p, m, v, vMax] = [first, 0, 0, 0];
      gradients.forEach((g, step) => {
        const gradient = g[i] + weightDecay * p;
        m = beta1 * m + (1 - beta1) * gradient;
        v = beta2 * v + (1 - beta2) * gradient ** 2;
        vMax = Math.max(vMax, v);
        const [first, second] = biasCorrection ? [1 - beta1 ** (step + 1), 1 - beta2 ** (step + 1)] : [1, 1];
        if (options.epsilonPlacement === 'rawRoot')
          p -= (rate * (Math.sqrt(second) / first) * m) / (Math.sqrt(vMax) + epsilon);
        else if (options.epsilonPlacement === 'inside') p -= (rate * m) / first / Math.sqrt(vMax / second + epsilon);
        else p -= (rate * m) / first / (Math.sqrt(vMax / second) + epsilon);
      });
      return p;
    });
  }

  it.each<[string, AdamOptions]>([
    ['by default', {}],
    ['with a coupled weight decay', { weightDecay: 0.1, learningRate: 0.01 }],
    ['with epsilon on the raw root', { epsilonPlacement: 'rawRoot', epsilon: 1e-3 }],
    ['with epsilon inside, uncorrected', { epsilonPlacement: 'inside', epsilon: 1e-3, biasCorrection: false }],
    ['with short memories', { beta1: 0.5, beta2: 0.6, learningRate: 0.05 }],
  ])('follows its rule %s', (_, options) => {
    const of = twoLayers(backend);
    const optimizer = new Adam({ ...options, amsGrad: true });
    const start = flat(values(of));
    // A large gradient first: what the largest second moment remembers and the latest forgets.
    const gradients = Array.from({ length: 12 }, (_, step) => {
      setGradients(of, step + 1, step === 0 ? 5 : 0.3);
      const given = flat(of.parameters.map(({ gradient }) => gradient));
      of.applyGradients(optimizer);
      return given;
    });
    expect(distance([Float32Array.from(flat(values(of)))], [any(oracle(options, gradients, start))])).toBeLessThan(
      3e-6,
    );
    const [v, vMax] = ['v', 'vMax'].map((name) => optimizer.moments.get(name) as Float32Array);
    expect(vMax.every((largest, i) => largest >= v[i])).toBe(true);
    const differs = options.beta2 === 0.6;
    if (differs) expect(vMax.some((largest, i) => largest > 2 * v[i])).toBe(true);
  });

  it('is an option of Adam alone', () => {
    expect([...new Adam({ amsGrad: true }).momentNames]).toEqual(['m', 'v', 'vMax']);
    expectError(() => new AdamW(any({ amsGrad: true })), 'UNKNOWN_OPTION', /^AdamW: unknown option "amsGrad"/);
    expectError(() => new Adam(any({ amsGrad: 1 })), 'INVALID_ARGUMENT', /^Adam: amsGrad: expected true or false/);
  });
});

it('AdamW has its decay where the option is undefined', () => {
  expect(new AdamW(any({ weightDecay: undefined })).weightDecay).toBe(0.01);
});

onBackends('parameter groups', (backend) => {
  it.each(forms)('%s: each parameter moves as if its group were all there is', (_, make) => {
    const groups: ParameterGroup[] = [
      { match: 'a.bias', frozen: true },
      { match: 'b', learningRate: ({ step }) => 0.1 / (1 + step), weightDecay: 0.3 },
      { match: /weight/, learningRate: 0.05 },
    ];
    // What each parameter's settings come to when they are the optimizer's own.
    const alone: OptimizerOptions[] = [
      { learningRate: 0.05, weightDecay: 0.2 },
      { learningRate: 0 },
      { learningRate: ({ step }) => 0.1 / (1 + step), weightDecay: 0.3 },
      { learningRate: ({ step }) => 0.1 / (1 + step), weightDecay: 0.3 },
    ];
    const grouped = twoLayers(backend);
    const optimizer = make({ learningRate: 7, weightDecay: 0.2, groups });
    const singles = alone.map((options) => ({ of: twoLayers(backend), optimizer: make(options) }));
    const frozen = grouped.parameter('a.bias').value.slice();
    for (let step = 1; step <= 4; step++) {
      for (const { of, optimizer: own } of [{ of: grouped, optimizer }, ...singles]) {
        setGradients(of, step);
        of.applyGradients(own);
      }
    }
    grouped.parameters.forEach(({ name, value }, i) => {
      const expected = name === 'a.bias' ? frozen : singles[i].of.parameters[i].value;
      if (backend === 'typescript' || name === 'a.bias') expectSameBits([value], [expected]);
      else expect(distance([value], [expected]), name).toBeLessThan(1e-6);
    });
    expect(optimizer.steps).toBe(4);
  });

  it('take a function, a pattern with flags and an unnamed layer; the first match counts', () => {
    const asked: string[] = [];
    const match = (name: string) => {
      asked.push(name);
      return name.endsWith('bias');
    };
    const layers = [dense(4), dense(4), dense(3)];
    const of = new Network({ input: [2], layers, loss: meanSquaredError(), seed: 1, backend });
    const optimizer = new Sgd({
      learningRate: 1,
      groups: [
        { match: '1', learningRate: 2 },
        { match, learningRate: 3 },
        { match: /^\d\.w/gy, learningRate: 4 },
      ],
    });
    const before = values(of);
    for (const { gradient } of of.parameters) gradient.fill(1);
    of.applyGradients(optimizer);
    const moved = of.parameters.map(({ value }, i) => Math.round(before[i][0] - value[0]));
    expect(moved).toEqual([4, 3, 2, 2, 4, 3]);
    expect(new Set(asked)).toEqual(new Set(['0.weight', '0.bias', '2.weight', '2.bias']));
  });

  it('1 does not match layer 10 or a part of a name', () => {
    const layers = Array.from({ length: 11 }, () => dense(2));
    const of = new Network({ input: [2], layers, loss: meanSquaredError(), seed: 1, backend });
    const before = values(of);
    for (const { gradient } of of.parameters) gradient.fill(1);
    of.applyGradients(new Sgd({ learningRate: 0, groups: [{ match: '1', learningRate: 1 }] }));
    const moved = of.parameters.filter(({ value }, i) => value[0] !== before[i][0]).map(({ name }) => name);
    expect(moved).toEqual(['1.weight', '1.bias']);
  });

  it('frozen parameters and their moments keep their bits in fit and trainBatch', async () => {
    const of = classifier(backend, { layers: [dense(8, { name: 'first' }), relu(), dense(3)], regularizer: l2(0.1) });
    const optimizer = new Adam({ learningRate: 0.05, groups: [{ match: 'first', frozen: true }] });
    const before = values(of);
    await of.fit(classData(40), { epochs: 3, optimizer });
    of.trainBatch(classData(4), any(undefined), optimizer);
    const after = values(of);
    expectSameBits(after.slice(0, 2), before.slice(0, 2));
    expect(distance(after.slice(2), before.slice(2))).toBeGreaterThan(0.01);
    const length = before[0].length;
    for (const moment of optimizer.moments.values())
      expect(moment.subarray(0, length).every((value) => value === 0)).toBe(true);
  });

  it('the whole block is one call without groups, and stays one when a group matches all', () => {
    const updates = (groups?: ParameterGroup[]) => {
      const of = classifier(backend);
      of.trainBatch(classData(4), any(undefined), new Adam({ ...(groups && { groups }) }));
      return of.program.instructions
        .filter(({ kernel }) => kernel === 'adam')
        .map(({ buffers }) => buffers.split(' ')[0]);
    };
    expect(updates()).toHaveLength(1);
    expect(updates([{ match: /./, learningRate: 0.1 }])).toHaveLength(1);
    expect(updates([{ match: '2', learningRate: 0.1 }])).toHaveLength(2);
    expect(updates([{ match: /weight/, learningRate: 0.1 }])).toHaveLength(4);
    expect(updates([{ match: /weight/, frozen: true }])).toHaveLength(2);
  });

  it.each([
    ['a name that is none', 'c'],
    ['a layer without parameters', '1'],
    ['a part of a name', 'weight'],
  ])('%s throws at the first use, and the network stays as it is', async (_, match) => {
    const of = twoLayers(backend);
    const before = weights(of);
    const optimizer = new Adam({ groups: [{ match: 'a' }, { match }] });
    const message = new RegExp(
      `^Adam: groups\\[1\\]: match: expected the name of a layer with parameters or one of a.weight, .*got "${match}"`,
    );
    expectError(() => of.trainBatch([1, 2, 3], [1, 2], optimizer), 'INVALID_ARGUMENT', message);
    expectError(() => of.applyGradients(optimizer), 'INVALID_ARGUMENT', message);
    await expectRejection(() => of.fit([{ x: [1, 2, 3], y: [[1, 2]] }], { optimizer }), 'INVALID_ARGUMENT', message);
    expectSameBits(weights(of), before);
    expect(of.trainBatch([1, 2, 3], [[1, 2]], new Adam()).loss).toBeGreaterThan(0);
  });

  it.each<[string, RegExp | ((name: string) => boolean), string]>([
    ['a pattern', /encoder/, '/encoder/'],
    ['a function', () => false, 'function'],
  ])('%s that matches no parameter throws at the first use', async (_, match, shown) => {
    const of = twoLayers(backend);
    const optimizer = new Adam({ groups: [{ match: 'a' }, { match, frozen: true }] });
    const message = new RegExp(`^Adam: groups\\[1\\]: match: expected what matches one of a.weight, .*got "?${shown}`);
    expectError(() => of.trainBatch([1, 2, 3], [[1, 2]], optimizer), 'INVALID_ARGUMENT', message);
    await expectRejection(() => of.fit([{ x: [1, 2, 3], y: [[1, 2]] }], { optimizer }), 'INVALID_ARGUMENT', message);
  });

  it.each<[string, unknown, RegExp]>([
    ['no list', { match: 'a' }, /^Sgd: groups: expected a list of groups/],
    ['no object', ['a'], /^Sgd: groups\[0\]: expected an object with match/],
    ['no match', [{ learningRate: 1 }], /^Sgd: groups\[0\]: match: expected a name, a pattern or a function/],
    ['an unknown setting', [{ match: 'a', momentum: 0.5 }], /^Sgd: groups\[0\]: unknown option "momentum"/],
    ['a negative rate', [{ match: 'a' }, { match: 'b', learningRate: -1 }], /^Sgd: groups\[1\]: learningRate/],
    ['a negative decay', [{ match: 'a', weightDecay: -1 }], /^Sgd: groups\[0\]: weightDecay/],
    ['frozen as a number', [{ match: 'a', frozen: 1 }], /^Sgd: groups\[0\]: frozen: expected true or false/],
    [
      'a rate of frozen parameters',
      [{ match: 'a', frozen: true, learningRate: 1 }],
      /learningRate has no meaning for frozen parameters/,
    ],
  ])('refuse %s', (_, groups, message) => {
    const code = message.source.includes('unknown option') ? 'UNKNOWN_OPTION' : 'INVALID_ARGUMENT';
    expectError(() => new Sgd(any({ groups })), code, message);
  });

  it('refuse a function that does not answer true or false', () => {
    const optimizer = new Sgd({ groups: [{ match: any(() => undefined) }] });
    expectError(
      () => twoLayers(backend).applyGradients(optimizer),
      'INVALID_ARGUMENT',
      /^Sgd: groups\[0\]: match\("a\.weight"\): expected true or false/,
    );
  });
});

onBackends('gradient clipping', (backend) => {
  const norm = (blocks: readonly ArrayLike<number>[]) => Math.sqrt(flat(blocks).reduce((sum, g) => sum + g * g, 0));

  /** How far a step with rate 1 moves each parameter. */
  function step(options: OptimizerOptions, scale = 1): { given: Float32Array[]; moved: number[][]; of: Network } {
    const of = twoLayers(backend);
    setGradients(of, 5, scale);
    const before = values(of);
    const given = of.parameters.map(({ gradient }) => gradient.slice());
    of.applyGradients(new Sgd({ learningRate: 1, ...options }));
    return {
      given,
      moved: of.parameters.map(({ value }, i) => [...value].map((after, j) => before[i][j] - after)),
      of,
    };
  }
  const near = (moved: number[][], expected: number[][]) =>
    expect(
      distance(
        moved.map((m) => Float32Array.from(m)),
        any(expected),
      ),
    ).toBeLessThan(2e-6);

  it('clipValue clamps each element', () => {
    const { given, moved, of } = step({ clipValue: 0.25 });
    const expected = given.map((block) => [...block].map((g) => Math.max(-0.25, Math.min(0.25, g))));
    near(moved, expected);
    expect(of.parameters.map(({ gradient }) => [...gradient])).toEqual(expected);
    expect(flat(given).some((g) => Math.abs(g) > 0.25)).toBe(true);
  });

  it('clipNorm scales all gradients to one norm', () => {
    const { given, moved } = step({ clipNorm: 0.5 });
    const share = 0.5 / norm(given);
    expect(share).toBeLessThan(0.5);
    near(
      moved,
      given.map((block) => [...block].map((g) => g * share)),
    );
    expect(norm(moved)).toBeCloseTo(0.5, 5);
  });

  it('clipNorm leaves gradients of a smaller norm as they are', () => {
    const { given, moved, of } = step({ clipNorm: 100 });
    near(
      moved,
      given.map((block) => [...block]),
    );
    expectSameBits(
      of.parameters.map(({ gradient }) => gradient),
      given,
    );
  });

  it('the value is clipped before the norm, and weight decay comes after both', () => {
    const { given, moved, of } = step({ clipValue: 0.25, clipNorm: 0.5, weightDecay: 0.125 });
    const clamped = given.map((block) => [...block].map((g) => Math.max(-0.25, Math.min(0.25, g))));
    const share = 0.5 / norm(clamped);
    expect(share).toBeLessThan(1);
    const before = of.parameters.map(({ value }, i) => [...value].map((after, j) => after + moved[i][j]));
    near(
      moved,
      clamped.map((block, i) => block.map((g, j) => g * share + 0.125 * before[i][j])),
    );
  });

  it('the norm is that of the trained parameters alone', () => {
    const { given, moved, of } = step({
      clipNorm: 0.5,
      clipValue: 0.9,
      groups: [
        { match: 'a.bias', frozen: true },
        { match: 'b.weight', learningRate: 2 },
      ],
    });
    const clamped = given.map((block) => [...block].map((g) => Math.max(-0.9, Math.min(0.9, g))));
    const share = 0.5 / norm([clamped[0], clamped[2], clamped[3]]);
    const factors = [share, 0, 2 * share, share];
    near(
      moved,
      clamped.map((block, i) => block.map((g) => g * factors[i])),
    );
    expectSameBits([of.parameter('a.bias').gradient], [given[1]]);
  });

  it.each(forms)('%s: trainBatch and fit clip what gradients gives', async (_, make) => {
    const data = valueData(9, 3);
    const options = { learningRate: 0.1, clipNorm: 0.1, clipValue: 0.2 };
    const [byHand, batch, fitted] = [twoLayers(backend), twoLayers(backend), twoLayers(backend)];
    byHand.gradients(data, any(undefined));
    for (const { gradient } of byHand.parameters)
      gradient.forEach((g, i) => (gradient[i] = Math.max(-0.2, Math.min(0.2, g))));
    const share = 0.1 / norm(byHand.parameters.map(({ gradient }) => gradient));
    expect(share).toBeLessThan(1);
    for (const { gradient } of byHand.parameters) gradient.forEach((g, i) => (gradient[i] = g * share));
    byHand.applyGradients(make({ learningRate: 0.1 }));
    batch.trainBatch(data, any(undefined), make(options));
    await fitted.fit(data, { batchSize: 9, shuffle: false, optimizer: make(options) });
    expect(distance(values(batch), values(byHand))).toBeLessThan(1e-5);
    expect(distance(values(fitted), values(byHand))).toBeLessThan(1e-5);
  });

  it('a loss that is not finite changes neither parameters nor optimizer', async () => {
    const of = twoLayers(backend);
    const optimizer = new Adam({
      clipNorm: 0.1,
      clipValue: 0.2,
      groups: [
        { match: 'b.weight', weightDecay: 0.1 },
        { match: 'a.bias', frozen: true },
      ],
    });
    of.trainBatch([1, 2, 3], [[1, 2]], optimizer);
    const before = [...weights(of), ...[...optimizer.moments.values()].map((moment) => moment.slice())];
    expectError(
      () => of.trainBatch([1, Number.NaN, 3], [[1, 2]], optimizer),
      'NON_FINITE',
      /^features: row 0, column 1/,
    );
    await expectRejection(
      () => of.fit([{ x: [1, Number.NaN, 3], y: [[1, 2]] }], { optimizer }),
      'NON_FINITE',
      /^features: row 0, column 1/,
    );
    expectSameBits([...weights(of), ...optimizer.moments.values()], before);
    expect(optimizer.steps).toBe(1);
  });

  it.each(['clipValue', 'clipNorm'])('%s must be a finite number above 0', (option) => {
    for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '1']) {
      expectError(
        () => new Adam({ [option]: value }),
        'INVALID_ARGUMENT',
        new RegExp(`^Adam: ${option}: expected a finite number > 0`),
      );
    }
  });
});

describeNative('groups and clipping on several threads', () => {
  it('train as the TypeScript backend does', async () => {
    const data = valueData(300, 64, 8);
    const train = async (backend: BackendName) => {
      const layers = [dense(192, { name: 'a' }), relu(), dense(128, { name: 'b' }), relu(), dense(8, { name: 'c' })];
      const of = new Network({ input: [64], layers, loss: meanSquaredError(), seed: 3, backend });
      const groups: ParameterGroup[] = [
        { match: 'a', weightDecay: 0.1 },
        { match: 'b.weight', frozen: true },
        { match: /bias/, learningRate: 0.02 },
      ];
      const optimizer = new Sgd({ learningRate: 0.05, momentum: 0.9, clipNorm: 0.05, clipValue: 0.001, groups });
      await of.fit(data, { batchSize: 128, stepsPerEpoch: 5, epochs: 3, sampling: 'withReplacement', optimizer });
      return weights(of);
    };
    const [native, typescript] = [await train('native'), await train('typescript')];
    expect(distance(native, typescript)).toBeLessThan(1e-5);
  });
});
