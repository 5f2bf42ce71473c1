import { checkArity, checkInteger, invalid, SIZES } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { type Initializer, type InitializerName, resolveInitializer } from '../initializers.js';
import type { Regularizer } from '../regularizers.js';
import {
  biasOf,
  type ConvolutionSpec,
  checkConvolution,
  commonOptions,
  convolutionLayer,
  groupedConvolution,
  plainConvolution,
  weightOf,
} from './convolution.js';
import { type LayerSpec, layerOptions, registerLayer, spec } from './layer.js';
import { checkDilation, type Dilation, geometry, outputShape, type Padding2d, type Size2d } from './window.js';

/** Options of {@link conv2d}. */
export interface Conv2dOptions {
  /** Height and width of the filters; default 3. */
  window?: Size2d;
  /** Step between neighbouring output pixels; default 1. */
  stride?: Size2d;
  /** Zeros around the image; default 'valid' (none). */
  padding?: Padding2d;
  /** Step between neighbouring pixels of a window; default 1, no gaps. */
  dilation?: Size2d;
  /**
   * Number of groups of channels; default 1. A group of filters sees only its own group of channels. Must divide the
   * channels and the filters.
   */
  groups?: number;
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

interface Conv2dSpec extends LayerSpec, ConvolutionSpec {
  readonly type: 'conv2d';
  readonly filters: number;
  readonly dilation: Dilation;
  readonly groups: number;
  readonly weightInitializer: Initializer;
}

/**
 * 2-D convolution (strictly a cross-correlation): [height, width, channels] → [outHeight, outWidth, filters], where
 * outHeight = ⌊(height + padding − dilation · (window − 1) − 1) / stride⌋ + 1 with the padding of both sides; outWidth
 * likewise. Parameters: `weight` [windowHeight, windowWidth, channels / groups, filters], `bias` [filters]; the filters
 * of a group are neighbours. Throws `SHAPE_MISMATCH` if samples are not images, the groups don't divide their channels
 * or the window is larger than the padded image.
 */
export function conv2d(filters: number, options?: Conv2dOptions): LayerSpec {
  checkArity('conv2d', arguments, 2);
  const given = layerOptions('conv2d', options, [...commonOptions, 'dilation', 'groups', 'weightInitializer']);
  const { dilation = 1, groups = 1, weightInitializer = 'heNormal' } = given;
  checkInteger('conv2d: filters', filters, SIZES);
  checkInteger('conv2d: groups', groups, SIZES);
  if (filters % groups !== 0) throw invalid('conv2d: groups', `a divisor of the ${filters} filters`, groups);
  const common = checkConvolution('conv2d', given);
  return spec<Conv2dSpec>({
    type: 'conv2d',
    name: given.name,
    filters,
    ...common,
    dilation: checkDilation('conv2d', dilation, common),
    groups,
    weightInitializer: resolveInitializer('conv2d: weightInitializer', weightInitializer),
  });
}

const read = ({ filters, ...options }: Conv2dOptions & { filters: number }) => conv2d(filters, options);

registerLayer<Conv2dSpec>('conv2d', read, (layer, input) => {
  const { filters, groups, dilation } = layer;
  const sizes = geometry('conv2d', input, layer, dilation);
  const { windowHeight, windowWidth, channels } = sizes;
  if (channels % groups !== 0) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `conv2d: groups: expected a divisor of the input's ${channels} channels, got ${groups}`,
    );
  }
  const area = windowHeight * windowWidth;
  const fans = { fanIn: area * (channels / groups), fanOut: area * (filters / groups) };
  const shape = [windowHeight, windowWidth, channels / groups, filters];
  const isPlain = groups === 1 && dilation.every((step, axis) => step === 1 || layer.window[axis] === 1);
  return convolutionLayer(
    input,
    outputShape('conv2d', sizes, filters),
    weightOf('weight', shape, fans, layer.weightInitializer, layer.regularizer),
    biasOf(filters, fans, layer),
    isPlain ? plainConvolution(sizes, filters) : groupedConvolution(sizes, filters, groups, dilation),
  );
});
