import { describe, expect, it } from 'vitest';
import {
  AdaDelta,
  AdaGrad,
  Adam,
  Adamax,
  AdamW,
  batchNorm,
  binaryCrossEntropy,
  conv2d,
  dense,
  exponential,
  heNormal,
  huber,
  Lion,
  l2,
  Muon,
  Nadam,
  Network,
  type Optimizer,
  RmsProp,
  relu,
  Sgd,
  uniform,
} from '../../lib/index.js';
import { native, typescript } from '../../lib/kernels/index.js';
import { classData, classifier, expectError, expectSameBits, onBackends, weights } from './support.js';

const optimizers: [string, new (options?: never) => Optimizer][] = [
  ['Sgd', Sgd],
  ['AdaGrad', AdaGrad],
  ['RmsProp', RmsProp],
  ['Adam', Adam],
  ['AdamW', AdamW],
  ['AdaDelta', AdaDelta],
  ['Adamax', Adamax],
  ['Nadam', Nadam],
  ['Lion', Lion],
  ['Muon', Muon],
];
const settable = ['learningRate', 'steps', 'rateFactor', 'metadata', 'encoder'];

/** Every property that can be read of an object, its class's getters included. */
function properties(object: object): string[] {
  const names = new Set<string>();
  for (let of: object | null = object; of !== null && of !== Object.prototype; of = Object.getPrototypeOf(of)) {
    for (const [key, { get }] of Object.entries(Object.getOwnPropertyDescriptors(of))) {
      if (key !== 'constructor' && (of === object || get !== undefined)) names.add(key);
    }
  }
  return [...names];
}

function expectReadOnly(object: object, except: readonly string[] = []): void {
  const open = object as Record<string, unknown>;
  for (const key of [...properties(object), 'notThere'].filter((name) => !except.includes(name))) {
    expect(() => {
      open[key] = 0.5;
    }, key).toThrow(TypeError);
  }
}

describe('an assignment that would do nothing throws', () => {
  it.each(optimizers)('%s', (_, make) => {
    const optimizer = new make();
    expect(properties(optimizer)).toEqual(
      expect.arrayContaining(['kind', 'learningRate', 'weightDecay', 'clipNorm', 'momentNames']),
    );
    expectReadOnly(optimizer, settable);
    expectReadOnly(optimizer.options);
    expectReadOnly(optimizer.settings[0]);
    expect(() => (optimizer.momentNames as string[]).push('more')).toThrow(TypeError);
  });

  it('a derived optimizer has fields of its own, and the fields of its base are read-only', () => {
    class Mine extends Adam {
      calls = 0;
    }
    const mine = new Mine();
    mine.calls++;
    expect(mine.calls).toBe(1);
    expectReadOnly(mine, [...settable, 'calls', 'notThere']);
  });

  it('network, layers, losses, regularizers, initializers, kernels', () => {
    const network = classifier('typescript');
    for (const object of [
      network,
      network.parameters[0],
      binaryCrossEntropy({ fromLogits: false }),
      huber(),
      huber().options ?? {},
      dense(3, { regularizer: l2(1) }),
      l2(1),
      heNormal(),
      uniform(),
      conv2d(3, { window: 2 }),
      batchNorm(),
      relu(),
      typescript,
      native,
      typescript.kernels,
    ]) {
      expectReadOnly(object, settable);
    }
    const window = (
      conv2d(3, {
        padding: [
          [0, 1],
          [1, 0],
        ],
      }) as unknown as { padding: number[][] }
    ).padding;
    expect(() => {
      window[0][0] = 5;
    }).toThrow(TypeError);
  });
});

onBackends('the learning rate of an optimizer', (backend) => {
  const data = classData(24);

  it.each(optimizers)('%s: is settable between runs', async (_, make) => {
    const train = async (optimizer: Optimizer, change: (optimizer: Optimizer) => Optimizer) => {
      const network = classifier(backend);
      await network.fit(data, { optimizer, epochs: 2, batchSize: 5 });
      const other = change(optimizer);
      const { epochs } = await network.fit(data, { optimizer: other, epochs: 2, batchSize: 5 });
      expect(epochs.map(({ learningRate }) => learningRate)).toEqual([0.01, 0.01]);
      network.trainBatch(data, undefined, other);
      return weights(network);
    };
    const set = await train(new make({ learningRate: 0.1 } as never), (optimizer) => {
      optimizer.learningRate = 0.01;
      expect(optimizer.learningRate).toBe(0.01);
      expect(optimizer.options.learningRate).toBe(0.01);
      return optimizer;
    });
    // The oracle: an optimizer made with that rate that has the first one's moments.
    const restored = await train(new make({ learningRate: 0.1 } as never), (optimizer) => {
      const other = new make({ learningRate: 0.01 } as never);
      other.restore(optimizer.save());
      return other;
    });
    expectSameBits(set, restored);
  });

  it('may be a schedule, holds for groups without one of their own, and goes into a file', () => {
    const network = classifier(backend);
    const optimizer = new Sgd({
      learningRate: 1,
      groups: [
        { match: /bias/, learningRate: 0.5 },
        { match: '0', weightDecay: 0.1 },
      ],
    });
    optimizer.rateFactor = 0.5;
    optimizer.learningRate = exponential({ initial: 0.25, factor: 0.5 });
    const rates = (of: Optimizer) => of.settings.map(({ schedule }) => schedule({ step: 0, epoch: 2 }));
    expect(rates(optimizer)).toEqual([0.0625, 0.5, 0.0625]);
    expect(optimizer.rateFactor).toBe(0.5);
    network.trainBatch(data, undefined, optimizer);
    optimizer.learningRate = 0.125;
    const next = new Adam({ learningRate: 1 });
    next.learningRate = 0.03125;
    const again = classifier(backend);
    again.trainBatch(data, undefined, next);
    const copy = new Adam({ learningRate: 0.25 });
    const loaded = Network.fromBytes(again.toBytes({ optimizer: next }), { backend, optimizer: copy });
    expect(copy.learningRate).toBe(0.25);
    copy.learningRate = next.learningRate;
    loaded.trainBatch(data, undefined, copy);
    again.trainBatch(data, undefined, next);
    expectSameBits(weights(loaded), weights(again));
    expect(new Sgd(optimizer.options).learningRate).toBe(0.125);
  });

  it('refuses what is no rate, and stays', () => {
    const optimizer = new Adam({ learningRate: 0.5 });
    for (const rate of [-1, Number.NaN, '0.1', undefined, null]) {
      expectError(
        () => {
          optimizer.learningRate = rate as never;
        },
        'INVALID_ARGUMENT',
        /^Adam: learningRate: expected/,
      );
    }
    expect(optimizer.learningRate).toBe(0.5);
    expect(optimizer.schedule({ step: 0, epoch: 0 })).toBe(0.5);
  });
});
