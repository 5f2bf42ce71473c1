import { describe, expect, it } from 'vitest';
import { Dataset } from '../../lib/data/index.js';
import { dense, input, Network, Sgd, softmaxCrossEntropy } from '../../lib/index.js';
import { expectSameBits, randomFloats, weights } from './support.js';

// What every object inherits.
const inherited = ['constructor', 'toString', 'valueOf'];

/** A network of two outputs, of which the first has this name. */
function twoOutputs(first: string) {
  const stem = input([4]);
  return new Network({
    outputs: { [first]: stem.pipe(dense(2)), other: stem.pipe(dense(2)) },
    losses: { [first]: softmaxCrossEntropy(), other: softmaxCrossEntropy() },
    seed: 1,
    backend: 'typescript',
  });
}

const rows = 12;
const features = randomFloats(4 * rows);
const labels = Int32Array.from({ length: rows }, (_, row) => row % 2);
const column = randomFloats(rows, 2).map(Math.abs);

function dataFor(first: string, sampleWeights?: Record<string, Float32Array>) {
  const targets = { [first]: labels, other: labels };
  return new Dataset({ features, shape: [4], targets, ...(sampleWeights && { sampleWeights }) });
}

async function trained(network: Network<string> | Network, data: Dataset, classWeights: object) {
  await network.fit(data, { optimizer: new Sgd(), batchSize: 4, classWeights: classWeights as never });
  return weights(network);
}

describe.each(inherited)('weights where a name is %s', (name) => {
  it('of rows, by output', async () => {
    const figures = async (first: string, sampleWeights: Record<string, Float32Array>) =>
      Object.values((await twoOutputs(first).evaluate(dataFor(first, sampleWeights))).outputs ?? {});
    expect(await figures(name, { other: column })).toEqual(await figures('first', { other: column }));
    expect(await figures(name, { [name]: column })).toEqual(await figures('first', { first: column }));
  });

  it('of classes, by output', async () => {
    const fitted = (first: string, classWeights: object) => trained(twoOutputs(first), dataFor(first), classWeights);
    expectSameBits(await fitted(name, { other: [1, 3] }), await fitted('first', { other: [1, 3] }));
    expectSameBits(await fitted(name, { [name]: [1, 3] }), await fitted('first', { first: [1, 3] }));
  });

  it('of classes, by label', async () => {
    const fitted = (label: string, classWeights: object) => {
      const labelNames = [label, 'other'];
      const data = new Dataset({ features, shape: [4], labels, labelNames });
      const network = new Network({
        input: [4],
        layers: [dense(2)],
        loss: softmaxCrossEntropy(),
        seed: 1,
        backend: 'typescript',
      });
      return trained(network, data, classWeights);
    };
    expectSameBits(await fitted(name, { other: 3 }), await fitted('first', { other: 3 }));
    expectSameBits(await fitted(name, { [name]: 3 }), await fitted('first', { first: 3 }));
  });
});
