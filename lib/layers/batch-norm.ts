import { checkArity, checkBoolean, checkChoice, checkNumber } from '../checks.js';
import { type Initializer, type InitializerName, ones, resolveInitializer, zeros } from '../initializers.js';
import { elements, rows } from '../program/instructions.js';
import { type LayerSpec, layerOptions, registerLayer, spec } from './layer.js';

/** Options of {@link batchNorm}. */
export interface BatchNormOptions {
  /** Added to the variance under the root; default 1e-5. */
  epsilon?: number;
  /** Fraction of the old running statistics kept per step; default 0.9. */
  momentum?: number;
  gammaInitializer?: Initializer | InitializerName | number;
  betaInitializer?: Initializer | InitializerName | number;
  /** Initial running mean; default 0. */
  initialMean?: number;
  /** Initial running variance; default 1. */
  initialVariance?: number;
  /** Statistics used in evaluation: the running ones (default) or those of the evaluated batch. */
  evaluation?: 'running' | 'batch';
  /** Statistics used in training: those of the batch (default), or the running ones, which are then not updated. */
  training?: 'batch' | 'running';
  /**
   * How to handle a training batch with a single value per feature (one flat row, or one image of one pixel). 'error'
   * (default): throw `INVALID_ARGUMENT`. 'allow': the value becomes `beta`, and its variance 0 enters the running
   * variance.
   */
  singleValue?: 'error' | 'allow';
  /**
   * With `fit(data, { group })`: normalise with the statistics of all ranks' rows, in one process those of the same
   * batch, at the cost of a message for each layer in either pass. Default false: each rank uses its own rows.
   */
  sync?: boolean;
  name?: string;
}

interface BatchNormSpec
  extends LayerSpec,
    Required<Omit<BatchNormOptions, 'name' | 'gammaInitializer' | 'betaInitializer' | 'sync'>> {
  readonly type: 'batchNorm';
  readonly sync?: true;
  readonly gammaInitializer: Initializer;
  readonly betaInitializer: Initializer;
}

/**
 * Batch normalisation over the last dimension, before or after an activation (Ioffe and Szegedy 2015).
 * Parameters: `gamma`, `beta`; state: `runningMean`, `runningVariance` (biased); all [features].
 */
export function batchNorm(options?: BatchNormOptions): LayerSpec {
  checkArity('batchNorm', arguments, 1);
  const known = [
    'epsilon',
    'momentum',
    'gammaInitializer',
    'betaInitializer',
    'initialMean',
    'initialVariance',
    'evaluation',
    'training',
    'singleValue',
    'sync',
  ] as const;
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
    training: checkChoice('batchNorm: training', given.training ?? 'batch', ['batch', 'running']),
    singleValue: checkChoice('batchNorm: singleValue', given.singleValue ?? 'error', ['error', 'allow']),
    ...(checkBoolean('batchNorm: sync', given.sync ?? false) && { sync: true }),
  });
}

registerLayer<BatchNormSpec>('batchNorm', batchNorm, (layer, input) => {
  const features = input[input.length - 1];
  const perSample = elements(input);
  // Channels last: batch norm over channels is batch norm over features with one row per pixel.
  const pixels = perSample / features;
  const sizes = { rows: rows(pixels), features };
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
    ...(layer.training === 'batch' && {
      batchStatistics: { valuesPerRow: pixels, singleValue: layer.singleValue, sync: layer.sync },
    }),
    forward(builder, x, mode) {
      const y = builder.perRow('y', perSample);
      const gamma = builder.parameter('gamma');
      const beta = builder.parameter('beta');
      const runningMean = builder.state('runningMean');
      const runningVariance = builder.state('runningVariance');
      const running = { runningMean, runningVariance };
      const ofTraining = builder.frozen === 'evaluation' ? 'running' : layer.training;
      if ((mode === 'training' ? ofTraining : layer.evaluation) === 'running') {
        builder.emit('batchNormInference', { y, x, gamma, beta, ...running, ...sizes, epsilon });
        return {
          y,
          backward(dy) {
            const [dgamma, dbeta] = [builder.gradient('gamma'), builder.gradient('beta')];
            const dx = builder.reuse(dy);
            builder.emit('batchNormInferenceBackward', {
              dx,
              dgamma,
              dbeta,
              dy,
              x,
              gamma,
              ...running,
              ...sizes,
              epsilon,
            });
            return dx;
          },
        };
      }
      const fixed = (name: string) => builder.fixed(name, features);
      const [mean, variance, inverseStd, shift] = ['mean', 'variance', 'inverseStd', 'shift'].map(fixed);
      const moments = { means: fixed('means'), rests: fixed('rests'), squares: fixed('squares') };
      const shares = { rows: rows(), pixels, features, parts: 1 };
      // With momentum 1 the running statistics don't change.
      const momentum = mode === 'training' && builder.frozen === false ? layer.momentum : 1;
      builder.emit('batchNormParts', { ...moments, x, ...shares });
      const outputs = { mean, variance, inverseStd, shift, ...running };
      builder.emit('batchNormStatistics', { ...outputs, ...moments, gamma, beta, ...shares, epsilon, momentum });
      const statistics = { runningMean: mean, runningVariance: variance };
      builder.emit('batchNormInference', { y, x, gamma, beta: shift, ...statistics, ...sizes, epsilon });
      return {
        y,
        backward(dy) {
          const sums = { dgammaParts: builder.gradient('gamma'), dbetaParts: builder.gradient('beta') };
          const dx = builder.reuse(dy);
          builder.emit('batchNormBackwardParts', { ...sums, dy, x, mean, inverseStd, ...shares });
          builder.emit('batchNormBackwardInput', { dx, dy, x, mean, inverseStd, gamma, ...sums, ...sizes, parts: 1 });
          return dx;
        },
      };
    },
  };
});
