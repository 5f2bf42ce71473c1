import { checkArity, checkBoolean, checkInteger, SIZES } from '../checks.js';
import { type Initializer, type InitializerName, resolveInitializer, zeros } from '../initializers.js';
import { rows } from '../program/instructions.js';
import { type Regularizer, resolveRegularizer } from '../regularizers.js';
import { flatFeatures, type LayerSpec, layerOptions, registerLayer, spec } from './layer.js';

/** Options of {@link dense}. */
export interface DenseOptions {
  /** Add a bias; default true. Pass false before batch norm, which cancels it. */
  bias?: boolean;
  /** Initial weights; default 'heNormal'. */
  weightInitializer?: Initializer | InitializerName | number;
  /** Initial bias; default zeros. */
  biasInitializer?: Initializer | InitializerName | number;
  /** Penalty on the weights, instead of the network's. */
  regularizer?: Regularizer;
  name?: string;
}

interface DenseSpec extends LayerSpec {
  readonly type: 'dense';
  readonly units: number;
  readonly bias: boolean;
  readonly weightInitializer: Initializer;
  readonly biasInitializer: Initializer;
  readonly regularizer: Regularizer | undefined;
}

/**
 * Fully connected layer, y = x · weight + bias: [features] → [units].
 * Parameters: `weight` [features, units], `bias` [units].
 */
export function dense(units: number, options?: DenseOptions): LayerSpec {
  checkArity('dense', arguments, 2);
  const known = ['bias', 'weightInitializer', 'biasInitializer', 'regularizer'] as const;
  const {
    bias = true,
    weightInitializer = 'heNormal',
    biasInitializer = zeros(),
    regularizer,
    name,
  } = layerOptions('dense', options, known);
  return spec<DenseSpec>({
    type: 'dense',
    name,
    units: checkInteger('dense: units', units, SIZES),
    bias: checkBoolean('dense: bias', bias),
    weightInitializer: resolveInitializer('dense: weightInitializer', weightInitializer),
    biasInitializer: resolveInitializer('dense: biasInitializer', biasInitializer),
    regularizer: resolveRegularizer('dense: regularizer', regularizer),
  });
}

const read = ({ units, ...options }: DenseOptions & { units: number }) => dense(units, options);

registerLayer<DenseSpec>('dense', read, (layer, input) => {
  const features = flatFeatures('dense', input);
  const { units } = layer;
  const fans = { fanIn: features, fanOut: units };
  const weight = {
    name: 'weight',
    shape: [features, units],
    initializer: layer.weightInitializer,
    fans,
    weight: true,
    regularizer: layer.regularizer,
  };
  const bias = { name: 'bias', shape: [units], initializer: layer.biasInitializer, fans, weight: false };
  return {
    output: [units],
    parameters: layer.bias ? [weight, bias] : [weight],
    state: [],
    forward(builder, x) {
      const sizes = { rows: rows(), in: features, out: units };
      const w = builder.parameter('weight');
      const b = layer.bias ? builder.parameter('bias') : null;
      const y = builder.perRow('y', units);
      builder.emit('denseForward', { y, x, w, b, ...sizes, activation: 0, slope: 0 });
      return {
        y,
        backward(dy, needInputGradient) {
          let dx: typeof x | undefined;
          if (needInputGradient) {
            dx = builder.perRow('dx', features);
            builder.emit('denseBackwardInput', { dx, dy, w, ...sizes });
          }
          builder.emit('denseBackwardWeight', { dw: builder.gradient('weight'), x, dy, ...sizes });
          if (layer.bias)
            builder.emit('denseBackwardBias', { db: builder.gradient('bias'), dy, rows: sizes.rows, out: units });
          return dx;
        },
      };
    },
  };
});
