import { describe, expect, it } from 'vitest';
import { batchNorm, conv2d, dense, flatten, Network, relu, softmaxCrossEntropy } from '../../lib/index.js';

const network = new Network({
  input: [28, 28, 1],
  layers: [conv2d(8, { window: 3 }), batchNorm(), relu(), flatten(), dense(10, { name: 'head' })],
  loss: softmaxCrossEntropy(),
  seed: 1,
  backend: 'typescript',
});

describe('network.layers', () => {
  it('are the specs with their options, frozen, good for another network', () => {
    expect(network.layers.map(({ type }) => type)).toEqual(['conv2d', 'batchNorm', 'relu', 'flatten', 'dense']);
    expect(network.layers[4]).toMatchObject({ type: 'dense', units: 10, bias: true, name: 'head' });
    expect(Object.isFrozen(network.layers) && network.layers.every((layer) => Object.isFrozen(layer))).toBe(true);
    expect(Object.isFrozen((network.layers[0] as unknown as { window: number[] }).window)).toBe(true);
    const again = new Network({
      input: network.input,
      layers: network.layers,
      loss: softmaxCrossEntropy(),
      seed: 1,
      backend: 'typescript',
    });
    expect(again.parameters.map(({ value }) => value)).toEqual(network.parameters.map(({ value }) => value));
    expect(Network.fromBytes(network.toBytes()).layers.map(({ type }) => type)).toEqual(
      network.layers.map(({ type }) => type),
    );
  });
});

describe('network.summary', () => {
  it('is a table of layers, shapes and parameters', () => {
    expect(network.summary().split('\n')).toEqual([
      'layer  type       output       parameters  state',
      '------------------------------------------------',
      '       input      [28, 28, 1]',
      '0      conv2d     [26, 26, 8]          80      0',
      '1      batchNorm  [26, 26, 8]          16     16',
      '2      relu       [26, 26, 8]           0      0',
      '3      flatten    [5408]                0      0',
      'head   dense      [10]             54,090      0',
      '------------------------------------------------',
      '54,186 parameters (0.217 MB)',
      '16 numbers of state, not trained (64 bytes)',
    ]);
  });

  it('counts what the network counts', () => {
    const plain = new Network({
      input: [4],
      layers: [dense(3)],
      loss: softmaxCrossEntropy(),
      seed: 1,
      backend: 'typescript',
    });
    expect(plain.summary()).toBe(
      [
        'layer  type   output  parameters',
        '--------------------------------',
        '       input  [4]',
        '0      dense  [3]             15',
        '--------------------------------',
        '15 parameters (60 bytes)',
      ].join('\n'),
    );
    expect(plain.parameterCount).toBe(15);
  });
});
