import { checkArity, checkInteger, invalid, SIZES } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { type Initializer, resolveInitializer } from '../initializers.js';
import { elements, rows } from '../program/instructions.js';
import type { Conv2dOptions } from './conv2d.js';
import {
  biasGradient,
  biasOf,
  type ConvolutionSpec,
  checkConvolution,
  commonOptions,
  plainConvolution,
  weightOf,
} from './convolution.js';
import { type LayerSpec, layerOptions, registerLayer, spec } from './layer.js';
import { checkPair, geometry, imageShape, outputShape, type Padding2d, type Size2d } from './window.js';

/** Options of {@link convTranspose2d}. */
export interface ConvTranspose2dOptions extends Omit<Conv2dOptions, 'stride' | 'padding' | 'dilation' | 'groups'> {
  /** Step between the windows of neighbouring input pixels in the output; default 1. */
  stride?: Size2d;
  /**
   * Rows and columns that are cut off the output; default 'valid' (none). 'same': as many as leave height · stride rows
   * and width · stride columns.
   */
  padding?: Padding2d;
  /**
   * More rows and columns at the end of the output, which distinguish the sizes that a strided convolution rounds down
   * to one; default 0, below the stride, not with padding 'same'.
   */
  outputPadding?: Size2d;
}

interface ConvTranspose2dSpec extends LayerSpec, ConvolutionSpec {
  readonly type: 'convTranspose2d';
  readonly filters: number;
  readonly outputPadding: readonly [number, number];
  readonly weightInitializer: Initializer;
}

/**
 * Transposed convolution, the input gradient of a `conv2d` from [outHeight, outWidth, filters] as a layer: [height,
 * width, channels] → [outHeight, outWidth, filters]. Every input pixel adds a window to the output. outHeight = (height
 * − 1) · stride + window − padding + outputPadding with the padding of both sides, or height · stride with padding
 * 'same'; outWidth likewise. Parameters: `weight` [windowHeight, windowWidth, filters, channels], `bias` [filters].
 * Throws `SHAPE_MISMATCH` if samples are not images or the padding leaves no output.
 */
export function convTranspose2d(filters: number, options?: ConvTranspose2dOptions): LayerSpec {
  checkArity('convTranspose2d', arguments, 2);
  const type = 'convTranspose2d';
  const given = layerOptions(type, options, [...commonOptions, 'outputPadding', 'weightInitializer']);
  const { outputPadding = 0, weightInitializer = 'heNormal' } = given;
  const common = checkConvolution(type, given);
  const added = checkPair(`${type}: outputPadding`, outputPadding, 0);
  if (common.padding === 'same' && added.some((pixels) => pixels > 0)) {
    throw invalid(`${type}: outputPadding`, "0 with padding 'same'", outputPadding);
  }
  if (added.some((pixels, axis) => pixels >= common.stride[axis])) {
    throw invalid(`${type}: outputPadding`, 'less than the stride', outputPadding);
  }
  return spec<ConvTranspose2dSpec>({
    type,
    name: given.name,
    filters: checkInteger(`${type}: filters`, filters, SIZES),
    ...common,
    outputPadding: added,
    weightInitializer: resolveInitializer(`${type}: weightInitializer`, weightInitializer),
  });
}

/** The output's size in one dimension. */
function outputSize(
  size: number,
  axis: 0 | 1,
  { window, stride, padding, outputPadding }: ConvTranspose2dSpec,
): number {
  if (padding === 'same') return size * stride[axis];
  const [before, after] = padding[axis];
  return (size - 1) * stride[axis] + window[axis] - before - after + outputPadding[axis];
}

const read = ({ filters, ...options }: ConvTranspose2dOptions & { filters: number }) =>
  convTranspose2d(filters, options);

registerLayer<ConvTranspose2dSpec>('convTranspose2d', read, (layer, input) => {
  const { filters, window, stride } = layer;
  const [height, width, channels] = imageShape('convTranspose2d', input);
  const [outHeight, outWidth] = [outputSize(height, 0, layer), outputSize(width, 1, layer)];
  if (outHeight < 1 || outWidth < 1) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `convTranspose2d: padding: nothing is left of the output: ${outHeight} × ${outWidth} pixels`,
    );
  }
  // The convolution whose input gradient this is: its images are the output here.
  const image = outputShape('convTranspose2d', { outHeight, outWidth }, filters);
  const convolution = plainConvolution(geometry('convTranspose2d', image, layer), channels);
  // An output pixel sums the products of as many input pixels as there are windows over it.
  const covering = Math.max(1, window[0] / stride[0]) * Math.max(1, window[1] / stride[1]);
  const fans = { fanIn: covering * channels, fanOut: window[0] * window[1] * filters };
  const shape = [window[0], window[1], filters, channels];
  const bias = biasOf(filters, fans, layer);
  return {
    output: image,
    parameters: [weightOf('weight', shape, fans, layer.weightInitializer, layer.regularizer), ...bias],
    state: [],
    forward(builder, x) {
      const w = builder.parameter('weight');
      const y = builder.perRow('y', elements(image));
      const sums = bias.length > 0 ? builder.perRow('z', elements(image)) : y;
      convolution.backwardInput(builder, sums, x, w);
      if (bias.length > 0) {
        builder.emit('denseForwardSum', {
          ...{ y, products: sums, b: builder.parameter('bias') },
          ...{ rows: rows(outHeight * outWidth), out: filters, parts: 1, activation: 0, slope: 0 },
        });
      }
      return {
        y,
        backward(dy, needInputGradient) {
          let dx: typeof x | undefined;
          if (needInputGradient) {
            dx = builder.perRow('dx', elements(input));
            convolution.forward(builder, dx, dy, w, null);
          }
          convolution.backwardWeight(builder, builder.gradient('weight'), null, dy, x);
          if (bias.length > 0) biasGradient(builder, builder.gradient('bias'), dy, image);
          return dx;
        },
      };
    },
  };
});
