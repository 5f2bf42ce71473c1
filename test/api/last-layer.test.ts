import { afterEach, expect, it, vi } from 'vitest';
import { Dataset } from '../../lib/data/index.js';
import {
  Adam,
  binaryCrossEntropy,
  dense,
  dropout,
  flatten,
  identity,
  type LayerSpec,
  type Loss,
  meanSquaredError,
  Network,
  Sgd,
  sigmoid,
  softmax,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import { withSection } from '../formats/support.js';
import { expectError, onBackends, randomFloats } from './support.js';

afterEach(() => vi.restoreAllMocks());

interface Pair {
  readonly outputs: number;
  readonly activation: () => LayerSpec;
  readonly loss: (options?: { fromLogits?: boolean }) => Loss;
}
const pairs: [string, Pair][] = [
  ['sigmoid', { outputs: 1, activation: sigmoid, loss: binaryCrossEntropy }],
  ['sigmoid of three', { outputs: 3, activation: sigmoid, loss: binaryCrossEntropy }],
  ['softmax', { outputs: 3, activation: softmax, loss: softmaxCrossEntropy }],
];

onBackends('an activation that the loss has in it', (backend) => {
  const network = (layers: LayerSpec[], loss: Loss, input = 4) =>
    new Network({ input: [input], layers, loss, seed: 3, backend });
  const refusals: [string, LayerSpec[], Loss, RegExp][] = [
    [
      'sigmoid',
      [dense(1), sigmoid()],
      binaryCrossEntropy(),
      /sigmoid\(\).*leave sigmoid\(\) out.*binaryCrossEntropy\(\{ fromLogits: false \}\)/,
    ],
    [
      'softmax',
      [dense(3), softmax()],
      softmaxCrossEntropy(),
      /leave softmax\(\) out.*softmaxCrossEntropy\(\{ fromLogits: false \}\)/,
    ],
    ['with flatten', [dense(1), sigmoid(), flatten()], binaryCrossEntropy(), /end with sigmoid/],
    ['with identity', [dense(3), softmax(), identity(), flatten()], softmaxCrossEntropy(), /end with softmax/],
    ['with dropout', [dense(3), softmax(), dropout(0.5)], softmaxCrossEntropy(), /end with softmax/],
    [
      'softmax, then sigmoid',
      [dense(3), softmax()],
      binaryCrossEntropy(),
      /leave softmax\(\) out \(predict gives probabilities\)$/,
    ],
    [
      'sigmoid, then softmax',
      [dense(3), sigmoid()],
      softmaxCrossEntropy(),
      /leave sigmoid\(\) out \(predict gives probabilities\)$/,
    ],
    ['given as true', [dense(1), sigmoid()], binaryCrossEntropy({ fromLogits: true }), /end with sigmoid/],
    [
      'no activation to take over',
      [dense(1)],
      binaryCrossEntropy({ fromLogits: false }),
      /needs sigmoid\(\) as the last layer, got dense\(\)/,
    ],
    [
      'another activation',
      [dense(3), sigmoid()],
      softmaxCrossEntropy({ fromLogits: false }),
      /needs softmax\(\) .*got sigmoid\(\)/,
    ],
    [
      'dropout after it',
      [dense(3), softmax(), dropout(0.5)],
      softmaxCrossEntropy({ fromLogits: false }),
      /got dropout\(\)/,
    ],
    ['a softmax over one number', [dense(1), softmax()], meanSquaredError(), /\[1\]: softmax\(\) over one number/],
  ];
  it.each(refusals)('is refused: %s', (_, layers, loss, message) => {
    expectError(() => network(layers, loss), 'INVALID_ARGUMENT', message);
  });

  it.each(pairs)(
    '%s: with fromLogits false, training is that without the layer',
    async (_, { outputs, activation, loss }) => {
      const targets = randomFloats(40 * outputs, 2).map((value) => Number(value > 0));
      if (outputs === 3 && loss === softmaxCrossEntropy)
        targets.forEach((_, i) => (targets[i] = Number(i % 3 === Math.floor(i / 3) % 3)));
      const data = new Dataset({ features: randomFloats(160), shape: [4], targets, targetShape: [outputs] });
      const make = (layers: LayerSpec[], options?: { fromLogits: boolean }) =>
        network([dense(5), sigmoid(), ...layers], loss(options));
      const plain = make([dense(outputs)]);
      const ended = make([dense(outputs), activation(), flatten(), identity()], { fromLogits: false });
      const fit = { epochs: 3, batchSize: 7 };
      const [a, b] = [
        await plain.fit(data, { ...fit, optimizer: new Adam() }),
        await ended.fit(data, { ...fit, optimizer: new Adam() }),
      ];
      expect(b.loss).toEqual(a.loss);
      expect(b.accuracy).toEqual(a.accuracy);
      expect(ended.parameters.map(({ value }) => [...value])).toEqual(plain.parameters.map(({ value }) => [...value]));
      expect(await ended.evaluate(data)).toEqual(await plain.evaluate(data));
      expect(ended.gradients(data)).toEqual(plain.gradients(data));
      expect(ended.trainBatch(data, undefined, new Sgd())).toEqual(plain.trainBatch(data, undefined, new Sgd()));
      // Probabilities, once, from both; the outputs of all layers are probabilities too.
      const probabilities = ended.predict(data);
      expect(probabilities).toEqual(plain.predict(data));
      expect(ended.forward(data)).toEqual(probabilities);
      expect(ended.forward(data, { training: true })).toEqual(probabilities);
      const logits = plain.forward(data);
      const sums = Array.from({ length: 40 }, (_, row) =>
        logits.subarray(row * outputs, (row + 1) * outputs).reduce((sum, z) => sum + Math.exp(z), 0),
      );
      probabilities.forEach((p, i) => {
        const e = Math.exp(logits[i]);
        expect(p).toBeCloseTo(loss === binaryCrossEntropy ? e / (1 + e) : e / sums[Math.floor(i / outputs)], 5);
      });
    },
  );

  it('sigmoid: loss and gradient of logits of ±10⁴ are right', () => {
    const ended = network([sigmoid()], binaryCrossEntropy({ fromLogits: false }), 1);
    const { loss, inputGradient } = ended.gradients([1e4, -1e4, 1e4, -1e4], Float32Array.of(0, 1, 1, 0));
    expect(loss).toBe(5000);
    expect([...inputGradient]).toEqual([0.25, -0.25, 0, 0]);
    expect([...ended.predict([1e4, -1e4])]).toEqual([1, 0]);
  });

  it('softmax: loss and gradient of logits of ±10⁴ are right', () => {
    const ended = network([softmax()], softmaxCrossEntropy({ fromLogits: false }), 2);
    const { loss, inputGradient } = ended.gradients(
      [
        [1e4, -1e4],
        [1e4, -1e4],
      ],
      [1, 0],
    );
    expect(loss).toBe(10000);
    expect([...inputGradient].map((value) => value + 0)).toEqual([0.5, -0.5, 0, 0]);
    expect([...ended.predict([1e4, -1e4])]).toEqual([1, 0]);
  });

  it.each(pairs)('%s: a file keeps fromLogits', (_, { outputs, activation, loss }) => {
    const saved = network([dense(outputs), activation()], loss({ fromLogits: false }));
    const loaded = Network.fromBytes(saved.toBytes(), { backend });
    const x = randomFloats(8);
    expect(loaded.predict(x)).toEqual(saved.predict(x));
    expect(loaded.forward(x)).toEqual(saved.forward(x));
    expect(loaded.toBytes()).toEqual(saved.toBytes());
  });

  it('a file of an older version that has the activation twice loads, with a warning, and computes as it did', () => {
    const saved = network([dense(1), sigmoid()], meanSquaredError());
    const bytes = withSection(saved.toBytes(), 'network', (section) => ({
      ...section,
      loss: { kind: 'binaryCrossEntropy' },
    }));
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const loaded = Network.fromBytes(bytes, { backend });
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0][0]).toMatch(/^bytes: layers: they end with sigmoid\(\)/);
    const once = saved.predict([1, 2, 3, 4])[0];
    expect(loaded.predict([1, 2, 3, 4])[0]).toBeCloseTo(1 / (1 + Math.exp(-once)), 6);
    const again = Network.fromBytes(loaded.toBytes(), { backend });
    expect(again.predict([1, 2, 3, 4])).toEqual(loaded.predict([1, 2, 3, 4]));
    // A loss of the caller's is no loss of an older version's.
    expectError(
      () => Network.fromBytes(bytes, { backend, loss: binaryCrossEntropy() }),
      'INVALID_ARGUMENT',
      /end with sigmoid/,
    );
  });
});
