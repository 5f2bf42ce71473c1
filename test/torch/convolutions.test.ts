import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { encodeSafetensors } from '../../lib/formats/safetensors.js';
import {
  conv2d,
  convTranspose2d,
  depthwiseConv2d,
  type LayerSpec,
  meanSquaredError,
  Network,
  Sgd,
  separableConv2d,
} from '../../lib/index.js';
import { elements } from '../../lib/program/instructions.js';
import { onBackends } from '../api/support.js';
import { channelsLast, expectNear, floats, read } from './support.js';

/** The layers of sequentials.py: a sample's shape here, and the layer. */
const layers: Readonly<Record<string, readonly [number[], () => LayerSpec]>> = {
  grouped: [[7, 6, 6], () => conv2d(4, { groups: 2, padding: 1 })],
  dilated: [[9, 8, 3], () => conv2d(4, { window: [3, 2], dilation: [2, 3], stride: [1, 2], padding: [2, 1] })],
  'grouped and dilated': [[8, 8, 4], () => conv2d(8, { groups: 4, dilation: 2, padding: 2, bias: false })],
  depthwise: [[7, 7, 17], () => depthwiseConv2d({ padding: 1 })],
  'depthwise, wide': [[8, 5, 32], () => depthwiseConv2d({ window: [5, 3], padding: [2, 1] })],
  'depthwise, strided': [[8, 9, 5], () => depthwiseConv2d({ multiplier: 3, stride: 2, padding: 1 })],
  'depthwise, dilated': [[8, 9, 16], () => depthwiseConv2d({ dilation: [3, 2], padding: [3, 1] })],
  'depthwise, window larger than the image': [[2, 3, 4], () => depthwiseConv2d({ window: 5, padding: 2 })],
  'depthwise, stride larger than the window': [[9, 9, 4], () => depthwiseConv2d({ window: 2, stride: 4 })],
  separable: [[7, 6, 5], () => separableConv2d(4, { multiplier: 2, padding: 1 })],
  transposed: [[4, 5, 3], () => convTranspose2d(4)],
  'transposed, strided': [
    [4, 5, 3],
    () => convTranspose2d(4, { window: [3, 4], stride: [2, 3], padding: 1, outputPadding: [1, 2] }),
  ],
  'transposed, stride larger than the window': [
    [3, 3, 2],
    () => convTranspose2d(3, { window: 2, stride: 3, bias: false }),
  ],
  'transposed, many channels': [[5, 6, 20], () => convTranspose2d(18, { padding: 1 })],
};

const folder = mkdtempSync(join(tmpdir(), 'blasnet-convolutions-'));
afterAll(() => rmSync(folder, { recursive: true }));

onBackends('convolutions as PyTorch computes them', (backend) => {
  const data = read('convolutions.safetensors');

  /** A network of the layer, with the tensors that have the prefix as its state. */
  async function networkWith(name: string, prefix: string): Promise<Network> {
    const [input, layer] = layers[name];
    const network = new Network({ input, layers: [layer()], loss: meanSquaredError(), seed: 1, backend });
    const beginning = `${name}: ${prefix}.`;
    const state = [...data]
      .filter(([key]) => key.startsWith(beginning))
      .map(([key, { shape }]) => ({ name: key.slice(beginning.length), shape, value: floats(data, key) }));
    const path = join(folder, 'state.safetensors');
    writeFileSync(path, encodeSafetensors(state, { format: 'pt' }));
    await network.loadTorchState(path);
    return network;
  }

  it.each(Object.keys(layers))('%s: outputs, gradients and five steps', async (name) => {
    const network = await networkWith(name, 'start');
    const images = (key: string, shape: readonly number[]) => channelsLast(floats(data, `${name}: ${key}`), shape);
    const [x, target] = [images('x', network.input), images('target', network.output)];
    expect(x.length).toBe(2 * elements(network.input));
    expectNear(network.forward(x), images('output', network.output), 2e-6);
    const { inputGradient } = network.gradients(x, target);
    expectNear(inputGradient, images('dx', network.input), 2e-6);
    const gradients = await networkWith(name, 'gradient');
    for (const { name, gradient } of network.parameters) expectNear(gradient, gradients.parameter(name).value, 2e-6);
    const optimizer = new Sgd({ learningRate: 0.5, momentum: 0.5 });
    const losses = Array.from({ length: 5 }, () => network.trainBatch(x, target, optimizer).loss);
    expectNear(losses, floats(data, `${name}: losses`), 1e-5);
    const after = await networkWith(name, 'after');
    for (const { name, value } of network.parameters) expectNear(value, after.parameter(name).value, 1e-5);
  });
});
