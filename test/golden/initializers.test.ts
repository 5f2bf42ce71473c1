/** Initial weights against golden values: the scale of each rule, and the spread of what is drawn. */
import { describe, expect, it } from 'vitest';
import {
  dense,
  heNormal,
  type Initializer,
  lecunNormal,
  Network,
  normal,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import type { RandomStream } from '../../lib/random.js';
import { eachBackend } from './backends.js';
import { Golden } from './golden.js';

/** What an initialiser makes of given standard normals, for a weight [fanIn, fanOut]. */
function scaled(initializer: Initializer, fanIn: number, fanOut: number, normals: readonly number[]): number[] {
  const given = normals[Symbol.iterator]();
  const random = { normal: () => given.next().value } as unknown as RandomStream;
  const sample = initializer.sampler({ fanIn, fanOut }, random);
  return normals.map(() => sample());
}

/** The golden file calls the rule that looks at the inputs only Xavier's. */
const rules = { xavier: lecunNormal, he: heNormal, fixed: () => normal({ std: 0.01 }) };

describe('scales', () => {
  it.each(Object.entries(rules))('%s', (rule, initializer) => {
    const golden = new Golden('001_init_scales');
    const dims = golden.numbers('inputs.dims');
    const scales = dims.slice(1).map((fanOut, i) => scaled(initializer(), dims[i], fanOut, [1])[0]);
    golden.double(rule, scales);
  });

  it('given normals become weights by the scale of He, and by any other', () => {
    const golden = new Golden('003_init');
    const [first, second] = [golden.numbers('inputs.normal1'), golden.numbers('inputs.normal2')];
    golden.near('W1_he', scaled(heNormal(), 3, 4, first));
    golden.near('W2_he', scaled(heNormal(), 4, 1, second));
    golden.near('W1_as_written', scaled(normal({ std: 2 / Math.sqrt(3) }), 3, 4, first));
    golden.near('W2_as_written', scaled(normal({ std: 2 / Math.sqrt(4) }), 4, 1, second));
    const network = new Network({
      input: [3],
      layers: [dense(4), dense(1)],
      loss: softmaxCrossEntropy(),
      backend: 'typescript',
    });
    golden.near('b1', network.parameter('0.bias').value);
    golden.near('b2', network.parameter('1.bias').value);
    golden.complete();
  });
});

eachBackend((backend) => {
  it.each(Object.entries(rules))('%s: mean and spread of drawn weights', (rule, initializer) => {
    const golden = new Golden('001_init_scales');
    const dims = golden.numbers('inputs.dims');
    const network = new Network({
      input: [dims[0]],
      layers: dims.slice(1).map((units) => dense(units, { weightInitializer: initializer() })),
      loss: softmaxCrossEntropy(),
      seed: 1,
      backend: backend.name,
    });
    for (const [layer, std] of golden.numbers(`expected.${rule}`).entries()) {
      const weights = network.parameter(`${layer}.weight`).value;
      const n = weights.length;
      const mean = weights.reduce((sum, value) => sum + value, 0) / n;
      const spread = Math.sqrt(weights.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n);
      // Four standard errors of a mean and of a standard deviation.
      expect(Math.abs(mean)).toBeLessThan((4 * std) / Math.sqrt(n));
      expect(Math.abs(spread / std - 1)).toBeLessThan(4 / Math.sqrt(2 * n));
      expect(
        network.parameter(`${layer}.bias`).value.every((value) => value === golden.number('hyperparameters.bias')),
      ).toBe(true);
    }
  });
});
