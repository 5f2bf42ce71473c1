import { checkArity, checkInteger, SIZES } from '../checks.js';
import { type Initializer, type InitializerName, resolveInitializer, uniform } from '../initializers.js';
import { elements, rows } from '../program/instructions.js';
import { type Regularizer, resolveRegularizer } from '../regularizers.js';
import { type LayerSpec, layerOptions, registerLayer, spec } from './layer.js';

/** Options of {@link embedding}. */
export interface EmbeddingOptions {
  /** Initial weights; default uniform from −0.05 to 0.05. */
  weightInitializer?: Initializer | InitializerName | number;
  /** Penalty on the weights, instead of the network's. */
  regularizer?: Regularizer;
  name?: string;
}

export interface EmbeddingSpec extends LayerSpec {
  readonly type: 'embedding';
  readonly vocabulary: number;
  readonly size: number;
  readonly weightInitializer: Initializer;
  readonly regularizer: Regularizer | undefined;
}

/** Indices travel as float32 in datasets, which holds all integers up to this one. */
export const MAX_VOCABULARY = 2 ** 24;

/**
 * A trained vector for each index: [...] indices → [..., size]; an index input of the shape [1] → [size]. y_i is row
 * x_i of `weight`. Only for an index input, `input(shape, { type: 'index' })`, or as the first layer of a list.
 * Parameter: `weight` [vocabulary, size]. Rows of indices that a batch does not have get the gradient 0, and so are
 * still moved by momentum, moments and decay.
 */
export function embedding(vocabulary: number, size: number, options?: EmbeddingOptions): LayerSpec {
  checkArity('embedding', arguments, 3);
  const known = ['weightInitializer', 'regularizer'] as const;
  const {
    weightInitializer = uniform({ min: -0.05, max: 0.05 }),
    regularizer,
    name,
  } = layerOptions('embedding', options, known);
  return spec<EmbeddingSpec>({
    type: 'embedding',
    name,
    vocabulary: checkInteger('embedding: vocabulary', vocabulary, { min: 1, max: MAX_VOCABULARY }),
    size: checkInteger('embedding: size', size, SIZES),
    weightInitializer: resolveInitializer('embedding: weightInitializer', weightInitializer),
    regularizer: resolveRegularizer('embedding: regularizer', regularizer),
  });
}

type Fields = EmbeddingOptions & { vocabulary: number; size: number };
const read = ({ vocabulary, size, ...options }: Fields) => embedding(vocabulary, size, options);

registerLayer<EmbeddingSpec>('embedding', read, ({ vocabulary, size, weightInitializer, regularizer }, input) => {
  const count = elements(input);
  const sizes = { rows: rows(count), vocabulary, width: size };
  const fans = { fanIn: vocabulary, fanOut: size };
  const shape = [vocabulary, size];
  return {
    output: input.length === 1 && count === 1 ? [size] : [...input, size],
    parameters: [{ name: 'weight', shape, initializer: weightInitializer, fans, weight: true, regularizer }],
    state: [],
    forward(builder, indices) {
      const y = builder.perRow('y', count * size);
      builder.emit('embeddingForward', { y, indices, w: builder.parameter('weight'), ...sizes });
      return {
        y,
        backward(dy) {
          builder.emit('embeddingBackward', { dw: builder.gradient('weight'), dy, indices, ...sizes });
          return undefined;
        },
      };
    },
  };
});
