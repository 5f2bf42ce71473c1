import type { BackendName } from '../../lib/backend/backend.js';
import {
  AdaDelta,
  AdaGrad,
  Adam,
  Adamax,
  AdamW,
  dense,
  halfSquaredError,
  Lion,
  Muon,
  Nadam,
  Network,
  type Optimizer,
  type OptimizerOptions,
  RmsProp,
  relu,
  Sgd,
} from '../../lib/index.js';
import { randomFloats } from './support.js';

/** Parameters: a.weight 3×5, a.bias 5, b.weight 5×2, b.bias 2; lengths that leave padding after each. */
export function twoLayers(backend: BackendName): Network {
  const layers = [dense(5, { name: 'a' }), relu(), dense(2, { name: 'b' })];
  return new Network({ input: [3], layers, loss: halfSquaredError(), seed: 3, backend });
}

export function setGradients(of: Network, seed: number, scale = 1): void {
  of.parameters.forEach(({ gradient }, i) =>
    gradient.set(randomFloats(gradient.length, 10 * seed + i).map((g) => scale * g)),
  );
}

export const values = (of: Network) => of.parameters.map(({ value }) => value.slice());
export const flat = (blocks: readonly ArrayLike<number>[]) => blocks.flatMap((block) => Array.from(block));

/** Every kernel that an optimizer can call, with and without its optional moments. */
export const forms: [string, (options: OptimizerOptions) => Optimizer][] = [
  ['Sgd', (options) => new Sgd(options)],
  ['Sgd with momentum', (options) => new Sgd({ ...options, momentum: 0.9, nesterov: true })],
  ['AdaGrad', (options) => new AdaGrad({ ...options, initialAccumulator: 0.1 })],
  ['RmsProp', (options) => new RmsProp(options)],
  ['RmsProp with momentum', (options) => new RmsProp({ ...options, momentum: 0.8 })],
  ['Adam', (options) => new Adam(options)],
  ['AMSGrad', (options) => new Adam({ ...options, amsGrad: true })],
  ['AdamW', (options) => new AdamW(options)],
  ['AdaDelta', (options) => new AdaDelta(options)],
  ['Adamax', (options) => new Adamax(options)],
  ['Nadam', (options) => new Nadam(options)],
  ['Lion', (options) => new Lion(options)],
  [
    'Muon',
    ({ learningRate, weightDecay, ...options }) => {
      const settings = { ...(learningRate !== undefined && { learningRate }), ...(weightDecay && { weightDecay }) };
      return new Muon({ ...options, ...settings, adamW: settings });
    },
  ],
  ['Adam with an average of weights', (options) => new Adam({ ...options, averageWeights: { decay: 0.9 } })],
];
