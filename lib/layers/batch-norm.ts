import { checkChoice, checkNumber } from '../checks.js';
import { type Initializer, type InitializerName, ones, resolveInitializer, zeros } from '../initializers.js';
import { elements, rows } from '../program/instructions.js';
import { type LayerSpec, layerOptions, registerLayer, registerReader, spec } from './layer.js';

export interface BatchNormOptions {
  /** Added to the variance inside the root; default 1e-5. */
  epsilon?: number;
  /** Share of the old running statistics that a step keeps; default 0.9. */
  momentum?: number;
  gammaInitializer?: Initializer | InitializerName | number;
  betaInitializer?: Initializer | InitializerName | number;
  /** Start of the running mean; default 0. */
  initialMean?: number;
  /** Start of the running variance; default 1. */
  initialVariance?: number;
  /** Statistics used in evaluation: the running ones (default) or the evaluated batch's own. */
  evaluation?: 'running' | 'batch';
  name?: string;
}

interface BatchNormSpec extends LayerSpec, Required<Omit<BatchNormOptions, 'name' | 'gammaInitializer' | 'betaInitializer'>> {
  readonly type: 'batchNorm';
  readonly gammaInitializer: Initializer;
  readonly betaInitializer: Initializer;
}

/**
 * Batch normalisation over the last dimension, before or after an activation (Ioffe and Szegedy 2015).
 * Parameters: `gamma`, `beta`; state: `runningMean`, `runningVariance` (biased); all [features].
 */
export function batchNorm(options?: BatchNormOptions): LayerSpec {
  const known = ['epsilon', 'momentum', 'gammaInitializer', 'betaInitializer', 'initialMean', 'initialVariance', 'evaluation'];
  const given = layerOptions('batchNorm', options, known);
  return spec<BatchNormSpec>({
    type: 'batchNorm',
    name: given.name,
    epsilon: checkNumber('batchNorm: epsilon', given.epsilon ?? 1e-5, { above: 0 }),
    momentum: checkNumber('batchNorm: momentum', given.momentum ?? 0.9, { min: 0, max: 1 }),
    gammaInitializer: resolveInitializer('batchNorm: gammaInitializer', given.gammaInitializer ?? ones()),
    betaInitializer: resolveInitializer('batchNorm: betaInitializer', given.betaInitializer ?? zeros()),
    initialMean: checkNumber('batchNorm: initialMean', given.initialMean ?? 0),
    initialVariance: checkNumber('batchNorm: initialVariance', given.initialVariance ?? 1, { min: 0 }),
    evaluation: checkChoice('batchNorm: evaluation', given.evaluation ?? 'running', ['running', 'batch']),
  });
}

registerLayer<BatchNormSpec>('batchNorm', (layer, input) => {
  const features = input[input.length - 1];
  const perSample = elements(input);
  // Channels last: batch norm over channels is batch norm over features, with one row a pixel.
  const sizes = { rows: rows(perSample / features), features };
  const fans = { fanIn: features, fanOut: features };
  const { epsilon } = layer;
  return {
    output: input,
    parameters: [
      { name: 'gamma', shape: [features], initializer: layer.gammaInitializer, fans, weight: false },
      { name: 'beta', shape: [features], initializer: layer.betaInitializer, fans, weight: false },
    ],
    state: [
      { name: 'runningMean', shape: [features], initial: layer.initialMean },
      { name: 'runningVariance', shape: [features], initial: layer.initialVariance },
    ],
    forward(builder, x, mode) {
      const y = builder.perRow('y', perSample);
      const gamma = builder.parameter('gamma');
      const beta = builder.parameter('beta');
      const runningMean = builder.state('runningMean');
      const runningVariance = builder.state('runningVariance');
      if (mode === 'inference' && layer.evaluation === 'running') {
        builder.emit('batchNormInference', { y, x, gamma, beta, runningMean, runningVariance, ...sizes, epsilon });
      }
      const mean = builder.fixed('mean', features);
      const inverseStd = builder.fixed('inverseStd', features);
      if (mode === 'training' || layer.evaluation === 'batch') {
        const momentum = mode === 'training' ? layer.momentum : 1;
        builder.emit('batchNormForward', {
          y,
          mean,
          inverseStd,
          runningMean,
          runningVariance,
          x,
          gamma,
          beta,
          ...sizes,
          epsilon,
          momentum,
        });
      }
      return {
        y,
        backward(dy) {
          const dgamma = builder.gradient('gamma');
          const dbeta = builder.gradient('beta');
          builder.emit('batchNormBackward', { dx: dy, dgamma, dbeta, dy, x, mean, inverseStd, gamma, ...sizes });
          return dy;
        },
      };
    },
  };
});

registerReader('batchNorm', batchNorm);
