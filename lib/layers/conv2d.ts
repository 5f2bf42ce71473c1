import { checkBoolean, checkInteger } from '../checks.js';
import { type Initializer, type InitializerName, resolveInitializer, zeros } from '../initializers.js';
import { elements, rows } from '../program/instructions.js';
import { type Regularizer, resolveRegularizer } from '../regularizers.js';
import { type LayerSpec, layerOptions, registerLayer, registerReader, spec } from './layer.js';
import { checkWindow, geometry, outputShape, type Padding2d, type Size2d, type Window2d } from './window.js';

export interface Conv2dOptions {
  /** Height and width of the filters; default 3. */
  window?: Size2d;
  /** Rows and columns from one output pixel to the next; default 1. */
  stride?: Size2d;
  /** Zeros around the image; default 'valid', none. */
  padding?: Padding2d;
  /** Add a bias; default true. Leave it out before batch norm, which cancels it. */
  bias?: boolean;
  /** Initial weights; default 'heNormal'. */
  weightInitializer?: Initializer | InitializerName | number;
  /** Initial bias; default zeros. */
  biasInitializer?: Initializer | InitializerName | number;
  /** Penalty on the weights, in place of the network's. */
  regularizer?: Regularizer;
  name?: string;
}

interface Conv2dSpec extends LayerSpec, Window2d {
  readonly type: 'conv2d';
  readonly filters: number;
  readonly bias: boolean;
  readonly weightInitializer: Initializer;
  readonly biasInitializer: Initializer;
  readonly regularizer: Regularizer | undefined;
}

/**
 * Convolution (as everywhere in this field, a cross-correlation): [height, width, channels] → [outHeight, outWidth,
 * filters], where outHeight = ⌊(height + padding − window) / stride⌋ + 1 with the padding of both sides, and likewise
 * outWidth. Parameters: `weight` [windowHeight, windowWidth, channels, filters], `bias` [filters].
 * Throws `SHAPE_MISMATCH` when samples are not images or the window is larger than the padded image.
 */
export function conv2d(filters: number, options?: Conv2dOptions): LayerSpec {
  const known = ['window', 'stride', 'padding', 'bias', 'weightInitializer', 'biasInitializer', 'regularizer'];
  const given = layerOptions('conv2d', options, known);
  const { window = 3, stride, padding, bias = true, weightInitializer = 'heNormal', biasInitializer = zeros() } = given;
  return spec<Conv2dSpec>({
    type: 'conv2d',
    name: given.name,
    filters: checkInteger('conv2d: filters', filters, { min: 1, below: 2 ** 31 }),
    ...checkWindow('conv2d', { window, stride, padding }),
    bias: checkBoolean('conv2d: bias', bias),
    weightInitializer: resolveInitializer('conv2d: weightInitializer', weightInitializer),
    biasInitializer: resolveInitializer('conv2d: biasInitializer', biasInitializer),
    regularizer: resolveRegularizer('conv2d: regularizer', given.regularizer),
  });
}

registerLayer<Conv2dSpec>('conv2d', (layer, input) => {
  const { filters } = layer;
  const sizes = { rows: rows(), ...geometry('conv2d', input, layer), filters };
  const { windowHeight, windowWidth, channels, outHeight, outWidth } = sizes;
  const output = outputShape('conv2d', sizes, filters);
  const area = windowHeight * windowWidth;
  const fans = { fanIn: area * channels, fanOut: area * filters };
  const weight = {
    name: 'weight',
    shape: [windowHeight, windowWidth, channels, filters],
    initializer: layer.weightInitializer,
    fans,
    weight: true,
    regularizer: layer.regularizer,
  };
  const bias = { name: 'bias', shape: [filters], initializer: layer.biasInitializer, fans, weight: false };
  return {
    output,
    parameters: layer.bias ? [weight, bias] : [weight],
    state: [],
    forward(builder, x) {
      const w = builder.parameter('weight');
      const b = layer.bias ? builder.parameter('bias') : null;
      const y = builder.perRow('y', elements(output));
      builder.emit('conv2dForward', { y, x, w, b, ...sizes, activation: 0, slope: 0 });
      return {
        y,
        backward(dy, needInputGradient) {
          let dx: typeof x | undefined;
          if (needInputGradient) {
            dx = builder.perRow('dx', elements(input));
            builder.emit('conv2dBackwardInput', { dx, dy, w, ...sizes });
          }
          builder.emit('conv2dBackwardWeight', { dw: builder.gradient('weight'), x, dy, ...sizes, patch: area * channels });
          if (layer.bias) {
            const pixels = rows(outHeight * outWidth);
            builder.emit('denseBackwardBias', { db: builder.gradient('bias'), dy, rows: pixels, out: filters });
          }
          return dx;
        },
      };
    },
  };
});

registerReader('conv2d', ({ filters, ...options }: Conv2dOptions & { filters: number }) => conv2d(filters, options));
