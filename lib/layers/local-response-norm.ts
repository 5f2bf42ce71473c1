import { checkArity, checkInteger, checkNumber, MAX_SIZE } from '../checks.js';
import { elements, rows } from '../program/instructions.js';
import { type LayerSpec, layerOptions, registerLayer, spec } from './layer.js';

/** Options of {@link localResponseNorm}. */
export interface LocalResponseNormOptions {
  /** Neighbouring channels on each side in the sum: a window of 2 · radius + 1 channels; default 2. */
  radius?: number;
  /** Added to the scaled sum of squares; above 0, default 2. */
  bias?: number;
  /** Factor of the sum of squares; at least 0, default 1e-4. */
  alpha?: number;
  /** Exponent of the divisor; default 0.75. */
  beta?: number;
  name?: string;
}

interface LocalResponseNormSpec extends LayerSpec, Required<Omit<LocalResponseNormOptions, 'name'>> {}

/**
 * Local response normalisation (Krizhevsky et al. 2012, with their defaults): each element is divided by (bias + alpha
 * · Σ squares of its neighbours in the last dimension)^beta. Keeps the shape.
 */
export function localResponseNorm(options?: LocalResponseNormOptions): LayerSpec {
  checkArity('localResponseNorm', arguments, 1);
  const given = layerOptions('localResponseNorm', options, ['radius', 'bias', 'alpha', 'beta']);
  return spec<LocalResponseNormSpec>({
    type: 'localResponseNorm',
    name: given.name,
    radius: checkInteger('localResponseNorm: radius', given.radius ?? 2, { min: 0, max: MAX_SIZE }),
    bias: checkNumber('localResponseNorm: bias', given.bias ?? 2, { above: 0 }),
    alpha: checkNumber('localResponseNorm: alpha', given.alpha ?? 1e-4, { min: 0 }),
    beta: checkNumber('localResponseNorm: beta', given.beta ?? 0.75, { min: 0 }),
  });
}

registerLayer<LocalResponseNormSpec>('localResponseNorm', localResponseNorm, ({ radius, bias, alpha, beta }, input) => {
  const size = elements(input);
  const channels = input[input.length - 1];
  const sizes = { rows: rows(size / channels), channels, radius };
  return {
    output: input,
    parameters: [],
    state: [],
    forward(builder, x) {
      const y = builder.perRow('y', size);
      const scale = builder.perRow('scale', size);
      builder.emit('localResponseNorm', { y, scale, x, ...sizes, bias, alpha, beta });
      return {
        y,
        backward(dy, needInputGradient) {
          if (!needInputGradient) return undefined;
          const dx = builder.perRow('dx', size);
          builder.emit('localResponseNormBackward', { dx, dy, x, y, scale, ...sizes, alpha, beta });
          return dx;
        },
      };
    },
  };
});
