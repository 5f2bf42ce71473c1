import { checkArity, checkNumber } from '../checks.js';
import { constant } from '../initializers.js';
import { elements, rows } from '../program/instructions.js';
import { type LayerSpec, layerOptions, registerLayer, spec } from './layer.js';

interface PreluSpec extends LayerSpec {
  readonly initial: number;
}

/**
 * Parametric ReLU (He et al. 2015): x for x ≥ 0, slope · x below, with one trained slope per channel (the last
 * dimension), initially `initial` (default 0.25). Parameter: `slope` [channels], not regularised.
 */
export function prelu(options?: { initial?: number; name?: string }): LayerSpec {
  checkArity('prelu', arguments, 1);
  const { initial = 0.25, name } = layerOptions('prelu', options, ['initial']);
  return spec<PreluSpec>({ type: 'prelu', name, initial: checkNumber('prelu: initial', initial) });
}

registerLayer<PreluSpec>('prelu', prelu, ({ initial }, input) => {
  const size = elements(input);
  const channels = input[input.length - 1];
  const sizes = { rows: rows(size / channels), channels };
  const fans = { fanIn: channels, fanOut: channels };
  return {
    output: input,
    parameters: [{ name: 'slope', shape: [channels], initializer: constant(initial), fans, weight: false }],
    state: [],
    forward(builder, x) {
      const y = builder.perRow('y', size);
      const slope = builder.parameter('slope');
      builder.emit('prelu', { y, x, slope, ...sizes });
      return {
        y,
        backward(dy) {
          const dx = builder.reuse(dy);
          builder.emit('preluBackward', { dx, dslope: builder.gradient('slope'), dy, x, slope, ...sizes });
          return dx;
        },
      };
    },
  };
});
