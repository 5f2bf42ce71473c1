import { checkArity, checkNumber } from '../checks.js';
import { elements, rows } from '../program/instructions.js';
import { Stream } from '../random.js';
import { type LayerSpec, layerOptions, registerLayer, spec } from './layer.js';

interface GaussianNoiseSpec extends LayerSpec {
  readonly deviation: number;
}

/**
 * In training, adds to each element a normal number of mean 0 and standard deviation `deviation` (at least 0), new in
 * each step. In evaluation, the identity.
 */
export function gaussianNoise(deviation: number, options?: { name?: string }): LayerSpec {
  checkArity('gaussianNoise', arguments, 2);
  const { name } = layerOptions('gaussianNoise', options, []);
  const checked = checkNumber('gaussianNoise: deviation', deviation, { min: 0 });
  return spec<GaussianNoiseSpec>({ type: 'gaussianNoise', name, deviation: checked });
}

const read = ({ deviation, ...options }: { deviation: number; name?: string }) => gaussianNoise(deviation, options);

registerLayer<GaussianNoiseSpec>('gaussianNoise', read, ({ deviation }, input) => ({
  output: input,
  parameters: [],
  state: [],
  forward(builder, x, mode) {
    if (mode === 'inference' || deviation === 0) return { y: x, backward: (dy) => dy };
    const y = builder.perRow('y', elements(input));
    builder.emit('gaussianNoise', {
      y,
      x,
      n: rows(elements(input)),
      deviation,
      seed: builder.seed,
      stream: Stream.noise + builder.layerIndex,
      step: { symbol: 'step' },
    });
    return { y, backward: (dy) => dy };
  },
}));
