import type { Dataset } from '../../lib/data/index.js';
import {
  conv2d,
  dense,
  dropout,
  flatten,
  localResponseNorm,
  maxPool2d,
  type Network,
  type Optimizer,
  type ParameterView,
  relu,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import { codeOf } from '../../lib/kernels/codes.js';
import { type LayerSpec, registerLayer } from '../../lib/layers/layer.js';
import { elements, rows } from '../../lib/program/instructions.js';
import { buildModel, type Model } from '../../lib/program/model.js';
import type { Golden } from './golden.js';

interface GivenMaskSpec extends LayerSpec {
  readonly rows: number;
}

/**
 * Dropout whose mask the test writes, into the state `mask`: batch × features factors, so that it fixes the batch size.
 */
export function givenMask(name: string, rows: number): LayerSpec {
  return { type: 'givenMask', name, rows } as GivenMaskSpec;
}

registerLayer<GivenMaskSpec>('givenMask', undefined, (layer, input) => ({
  output: input,
  parameters: [],
  state: [{ name: 'mask', shape: [layer.rows, ...input], initial: 1 }],
  forward(builder, x, mode) {
    if (mode === 'inference') return { y: x, backward: (dy) => dy };
    const n = rows(elements(input));
    const y = builder.perRow('y', elements(input));
    const mask = builder.state('mask');
    const operation = codeOf('binary', 'multiply');
    builder.emit('binary', { y, a: x, b: mask, n, operation });
    return {
      y,
      backward(dy) {
        builder.emit('binary', { y: dy, a: dy, b: mask, n, operation });
        return dy;
      },
    };
  },
}));

/** Writes a mask of kept elements, 0 or 1 each, as inverted dropout's factors. */
export function setMask(network: Network, name: string, keep: ArrayLike<number>, dropProbability: number): void {
  stateOf(network, `${name}.mask`).set(Float32Array.from(keep, (kept) => kept / (1 - dropProbability)));
}

export function stateOf(network: Network, name: string): Float32Array {
  const found = network.state.find((entry) => entry.name === name);
  if (found === undefined) throw new Error(`no state ${name}`);
  return found.value;
}

const layers: Record<string, [layer: string, parameter: string]> = {
  W: ['dense', 'weight'],
  b: ['dense', 'bias'],
  gamma: ['norm', 'gamma'],
  beta: ['norm', 'beta'],
};

/**
 * A parameter by its golden name: `W1` is `dense1.weight`, `beta2` is `norm2.beta`. Undefined where the network has
 * none.
 */
export function findParameter(network: Network, name: string): ParameterView | undefined {
  const [, kind, number] = /^([A-Za-z]+)(\d+)$/.exec(name) ?? [];
  const [layer, parameter] = layers[kind];
  return network.parameters.find((candidate) => candidate.name === `${layer}${number}.${parameter}`);
}

export function parameter(network: Network, name: string): ParameterView {
  const found = findParameter(network, name);
  if (found === undefined) throw new Error(`no parameter ${name}`);
  return found;
}

/** Writes `inputs.params` into a network; only biases of 0 may have no place there. */
export function setParameters(network: Network, golden: Golden): void {
  for (const name of golden.keys('inputs.params')) {
    const values = golden.floats(`inputs.params.${name}`);
    const view = findParameter(network, name);
    if (view !== undefined) view.value.set(values);
    else if (!name.startsWith('b') || values.some((value) => value !== 0)) throw new Error(`the network lacks ${name}`);
  }
}

/** Compares the values or gradients of the parameters that `expected.<group>` names. */
export function checkParameters(
  golden: Golden,
  group: string,
  network: Network,
  what: 'value' | 'gradient' = 'value',
): void {
  for (const name of golden.keys(`expected.${group}`)) golden.near(`${group}.${name}`, parameter(network, name)[what]);
}

/** Row `index` of a weight [in, out]. */
export function rowOf(view: ParameterView, values: Float32Array, index: number): Float32Array {
  const width = view.shape[1];
  return values.slice(index * width, (index + 1) * width);
}

/** One training step on a dataset as a batch; returns the loss before the update. */
export function trainStep(network: Network, batch: Dataset, optimizer: Optimizer): number {
  return network.trainBatch(batch, targetsOf(batch), optimizer).loss;
}

export function targetsOf(batch: Dataset): Int32Array | Float32Array {
  const targets = batch.labels ?? batch.targets;
  if (targets === undefined) throw new Error('a batch without labels or targets');
  return targets;
}

/** Share of rows whose largest output is at their label. */
export function accuracyOf(outputs: Float32Array, labels: Int32Array): number {
  const width = outputs.length / labels.length;
  const hits = labels.filter((label, row) => {
    const values = outputs.subarray(row * width, (row + 1) * width);
    return values.indexOf(Math.max(...values)) === label;
  });
  return hits.length / labels.length;
}

/** Shapes and parameters of a network, without memory for them. */
export function modelOf(input: readonly number[], layers: readonly LayerSpec[]): Model {
  return buildModel({ input, layers, loss: softmaxCrossEntropy(), regularizer: undefined, seed: 1 });
}

/** AlexNet in one column (Krizhevsky et al. 2012), for images of 227 × 227 × 3 and 1000 classes. */
export function alexNet(): LayerSpec[] {
  const pool = () => maxPool2d(3, { stride: 2 });
  return [
    ...[conv2d(96, { window: 11, stride: 4 }), relu(), localResponseNorm(), pool()],
    ...[conv2d(256, { window: 5, padding: 2 }), relu(), localResponseNorm(), pool()],
    ...[conv2d(384, { padding: 1 }), relu(), conv2d(384, { padding: 1 }), relu()],
    ...[conv2d(256, { padding: 1 }), relu(), pool(), flatten()],
    ...[dense(4096), relu(), dropout(0.5), dense(4096), relu(), dropout(0.5), dense(1000)],
  ];
}
