import { checkNumber } from '../checks.js';
import { elements, rows } from '../program/instructions.js';
import { Stream } from '../random.js';
import { type LayerSpec, layerOptions, registerLayer, registerReader, spec } from './layer.js';

interface DropoutSpec extends LayerSpec {
  readonly type: 'dropout';
  readonly rate: number;
}

/**
 * Inverted dropout (Srivastava et al. 2014): in training each element is zeroed with probability `rate` (0 ≤ rate < 1)
 * and the others are scaled by 1/(1 − rate), with a fresh mask each step; in evaluation it is the identity.
 */
export function dropout(rate: number, options?: { name?: string }): LayerSpec {
  const { name } = layerOptions('dropout', options, []);
  return spec<DropoutSpec>({ type: 'dropout', name, rate: checkNumber('dropout: rate', rate, { min: 0, below: 1 }) });
}

registerLayer<DropoutSpec>('dropout', ({ rate }, input) => ({
  output: input,
  parameters: [],
  state: [],
  forward(builder, x, mode) {
    if (mode === 'inference' || rate === 0) return { y: x, backward: (dy) => dy };
    const n = rows(elements(input));
    const y = builder.perRow('y', elements(input));
    const mask = builder.perRow('mask', elements(input));
    builder.emit('dropoutForward', {
      y,
      mask,
      x,
      n,
      threshold: Math.floor(rate * 2 ** 32),
      scale: 1 / (1 - rate),
      seed: builder.seed,
      stream: Stream.dropout + builder.layerIndex,
      step: { symbol: 'step' },
    });
    return {
      y,
      backward(dy, needInputGradient) {
        if (!needInputGradient) return undefined;
        builder.emit('multiply', { y: dy, a: dy, b: mask, n });
        return dy;
      },
    };
  },
}));

registerReader('dropout', ({ rate, ...options }: { rate: number; name?: string }) => dropout(rate, options));
