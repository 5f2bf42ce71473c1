import { expect, it } from 'vitest';
import {
  flatten,
  globalMaxPool2d,
  groupNorm,
  hardSigmoid,
  hardSwish,
  instanceNorm,
  type LayerSpec,
  layerNorm,
  logSoftmax,
  meanSquaredError,
  mish,
  Network,
  relu6,
  softsign,
} from '../../lib/index.js';
import { onBackends } from '../api/support.js';
import { channelsLast, expectNear, floats, read } from './support.js';

/** The layers of sequentials.py, with the shape of a sample. */
const layers: Readonly<Record<string, readonly [LayerSpec, readonly number[]]>> = {
  relu6: [relu6(), [9]],
  hardSigmoid: [hardSigmoid(), [9]],
  hardSwish: [hardSwish(), [9]],
  mish: [mish(), [9]],
  softsign: [softsign(), [9]],
  logSoftmax: [logSoftmax(), [9]],
  'logSoftmax of positions': [logSoftmax(), [4, 5]],
  layerNorm: [layerNorm(), [9]],
  'layerNorm of positions': [layerNorm({ epsilon: 1e-3 }), [4, 7]],
  'layerNorm without gamma and beta': [layerNorm({ affine: false }), [4, 7]],
  groupNorm: [groupNorm(3), [4, 5, 6]],
  'groupNorm of one group': [groupNorm(1, { epsilon: 1e-3 }), [3, 2, 6]],
  'groupNorm of flat samples': [groupNorm(2), [6]],
  'groupNorm without gamma and beta': [groupNorm(2, { affine: false }), [3, 2, 6]],
  instanceNorm: [instanceNorm(), [4, 3, 5]],
  'instanceNorm without gamma and beta': [instanceNorm({ affine: false }), [4, 3, 5]],
  globalMaxPool2d: [globalMaxPool2d(), [4, 3, 5]],
};

/** PyTorch's names. */
const names: Readonly<Record<string, string>> = { gamma: 'weight', beta: 'bias' };

onBackends('layers as in PyTorch', (backend) => {
  const data = read('layers.safetensors');

  it.each(Object.entries(layers))('%s: the same outputs and gradients', (name, [layer, input]) => {
    const network = new Network({
      input,
      layers: [layer, flatten()],
      loss: meanSquaredError(),
      seed: 1,
      backend,
    });
    const found = (what: string) => floats(data, `${name}: ${what}`);
    /** Images have their channels last here; positions have the same order in both. */
    const ours = (x: Float32Array) =>
      input.length === 3 && x.length === found('x').length ? channelsLast(x, input) : x;
    const own = (parameter: string) => names[parameter.slice(parameter.indexOf('.') + 1)];
    for (const { name: parameter, value } of network.parameters) value.set(found(own(parameter)));
    const [x, target] = [ours(found('x')), ours(found('target'))];
    expectNear(network.forward(x), ours(found('y')), 2e-6);
    const { inputGradient } = network.gradients(x, target);
    expectNear(inputGradient, ours(found('dx')), 1e-6);
    expect(inputGradient.some((value) => Math.abs(value) > 1e-3)).toBe(true);
    for (const { name: parameter, gradient } of network.parameters) {
      expectNear(gradient, found(`d${own(parameter)}`), 1e-6);
    }
  });
});
