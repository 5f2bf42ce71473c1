import { checkArity, checkNumber } from '../checks.js';
import { codeOf } from '../kernels/codes.js';
import { type Builder, elements, rows } from '../program/instructions.js';
import { Stream } from '../random.js';
import { type LayerSpec, layerOptions, registerLayer, spec } from './layer.js';
import { imageShape } from './window.js';

interface DropoutSpec extends LayerSpec {
  readonly rate: number;
}

function dropping(type: string, rate: number, options: { name?: string } | undefined): LayerSpec {
  const { name } = layerOptions(type, options, []);
  return spec<DropoutSpec>({ type, name, rate: checkNumber(`${type}: rate`, rate, { min: 0, below: 1 }) });
}

/**
 * Inverted dropout (Srivastava et al. 2014). In training, each element is zeroed with probability `rate` (0 ≤ rate < 1)
 * and the others are scaled by 1/(1 − rate), with a new mask each step. In evaluation, the identity.
 */
export function dropout(rate: number, options?: { name?: string }): LayerSpec {
  checkArity('dropout', arguments, 2);
  return dropping('dropout', rate, options);
}

/**
 * Dropout of whole channels of images (Tompson et al. 2015): each channel of each sample is zeroed with probability
 * `rate` (0 ≤ rate < 1) and the others are scaled by 1/(1 − rate), with a new choice each step. In evaluation, the
 * identity. Throws `SHAPE_MISMATCH` if samples are not images.
 */
export function spatialDropout2d(rate: number, options?: { name?: string }): LayerSpec {
  checkArity('spatialDropout2d', arguments, 2);
  return dropping('spatialDropout2d', rate, options);
}

/** Rebuilds a layer from its fields in a file. */
const saved =
  (make: typeof dropout) =>
  ({ rate, ...options }: { rate: number; name?: string }) =>
    make(rate, options);

/** The arguments of the kernels that draw a mask. */
const drawn = (builder: Builder, rate: number) =>
  ({
    threshold: Math.floor(rate * 2 ** 32),
    scale: 1 / (1 - rate),
    seed: builder.seed,
    stream: Stream.dropout + builder.layerIndex,
    step: { symbol: 'step' },
  }) as const;

registerLayer<DropoutSpec>('dropout', saved(dropout), ({ rate }, input) => ({
  output: input,
  parameters: [],
  state: [],
  forward(builder, x, mode) {
    if (mode === 'inference' || rate === 0) return { y: x, backward: (dy) => dy };
    const n = rows(elements(input));
    const y = builder.perRow('y', elements(input));
    const mask = builder.perRow('mask', elements(input));
    builder.emit('dropoutForward', { y, mask, x, n, ...drawn(builder, rate) });
    return {
      y,
      backward(dy, needInputGradient) {
        if (!needInputGradient) return undefined;
        const dx = builder.reuse(dy);
        builder.emit('binary', { y: dx, a: dy, b: mask, n, operation: codeOf('binary', 'multiply') });
        return dx;
      },
    };
  },
}));

registerLayer<DropoutSpec>('spatialDropout2d', saved(spatialDropout2d), ({ rate }, input) => {
  const [height, width, channels] = imageShape('spatialDropout2d', input);
  const sizes = { rows: rows(), pixels: height * width, channels };
  return {
    output: input,
    parameters: [],
    state: [],
    forward(builder, x, mode) {
      if (mode === 'inference' || rate === 0) return { y: x, backward: (dy) => dy };
      const y = builder.perRow('y', elements(input));
      const mask = builder.perRow('mask', channels);
      builder.emit('dropoutMask', { mask, n: rows(channels), ...drawn(builder, rate) });
      builder.emit('multiplyChannels', { y, x, factors: mask, ...sizes });
      return {
        y,
        backward(dy, needInputGradient) {
          if (!needInputGradient) return undefined;
          const dx = builder.reuse(dy);
          builder.emit('multiplyChannels', { y: dx, x: dy, factors: mask, ...sizes });
          return dx;
        },
      };
    },
  };
});
