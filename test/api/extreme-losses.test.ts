/** Losses where numbers round to 0, 1 or infinity. */
import { expect, it } from 'vitest';
import {
  binaryCrossEntropy,
  cosineSimilarity,
  focalLoss,
  type Loss,
  Network,
  scale,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import { classData, classifier, expectRejection, onBackends } from './support.js';

onBackends('losses of sure predictions', (backend) => {
  const of = (loss: Loss) => new Network({ input: [2], layers: [scale(1)], loss, seed: 1, backend });
  const sure = Float32Array.of(40, 0, -30, 60);

  it('focalLoss with gamma 0 is cross-entropy', () => {
    const [focal, plain] = [of(focalLoss({ gamma: 0 })), of(softmaxCrossEntropy())];
    const [a, b] = [focal, plain].map((network) => network.gradients(sure, Int32Array.of(0, 0)));
    expect(a.loss).toBeCloseTo(b.loss as number, 5);
    expect([...a.inputGradient].every((dx, i) => Math.abs(dx - b.inputGradient[i]) < 1e-6)).toBe(true);
  });

  it('focalLoss with gamma 0 of sigmoids is binary cross-entropy', () => {
    const [focal, plain] = [of(focalLoss({ gamma: 0, activation: 'sigmoid' })), of(binaryCrossEntropy())];
    const [a, b] = [focal, plain].map((network) => network.gradients(sure, Float32Array.of(1, 0, 1, 1)));
    expect(a.loss).toBeCloseTo(b.loss as number, 5);
    expect([...a.inputGradient].every((dx, i) => Math.abs(dx - b.inputGradient[i]) < 1e-6)).toBe(true);
  });

  it('cosineSimilarity is from 0 to 2, or not finite and refused', () => {
    const loss = (x: number[], y: number[]) => {
      try {
        return of(cosineSimilarity()).gradients(Float32Array.from(x), Float32Array.from(y)).loss as number;
      } catch (error) {
        expect(error).toMatchObject({ code: 'NON_FINITE' });
        return undefined;
      }
    };
    expect(loss([1, 1], [1, 0])).toBeCloseTo(1 - Math.SQRT1_2, 6);
    expect(loss([1e-4, 1e-4], [1e-3, 0])).toBeCloseTo(1 - Math.SQRT1_2, 5);
    // A length below 1e-6 counts as 1e-6.
    expect(loss([5e-7, 0], [1, 0])).toBeCloseTo(0.5, 5);
    for (const size of [1e18, 1e19, 1e20, 1e25]) {
      for (const value of [loss([size, size], [1, 0]), loss([1, 1], [size, 0]), loss([size, 1], [size, 1])]) {
        if (value === undefined) continue;
        expect(value).toBeGreaterThanOrEqual(-1e-6);
        expect(value).toBeLessThanOrEqual(2);
      }
    }
  });

  it('classWeights are refused where a row has several labels', async () => {
    const network = classifier(backend, { loss: binaryCrossEntropy() });
    const data = { ...classData(8), labels: undefined, targets: new Float32Array(24).fill(1) };
    const message = /^fit: classWeights: a row of the loss binaryCrossEntropy has any number of labels/;
    for (const classWeights of [[1, 1, 1], 'balanced'])
      await expectRejection(() => network.fit(data as never, { classWeights } as never), 'INVALID_ARGUMENT', message);
  });
});
