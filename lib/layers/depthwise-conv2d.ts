import { checkArity, checkInteger, SIZES } from '../checks.js';
import { type Initializer, resolveInitializer } from '../initializers.js';
import type { Conv2dOptions } from './conv2d.js';
import {
  biasOf,
  type ConvolutionSpec,
  checkConvolution,
  commonOptions,
  convolutionLayer,
  groupedConvolution,
  weightOf,
} from './convolution.js';
import { type LayerSpec, layerOptions, registerLayer, spec } from './layer.js';
import { checkDilation, type Dilation, geometry, outputShape } from './window.js';

/** Options of {@link depthwiseConv2d}. */
export interface DepthwiseConv2dOptions extends Omit<Conv2dOptions, 'groups'> {
  /** Filters of each channel; default 1. */
  multiplier?: number;
}

interface DepthwiseConv2dSpec extends LayerSpec, ConvolutionSpec {
  readonly type: 'depthwiseConv2d';
  readonly dilation: Dilation;
  readonly multiplier: number;
  readonly weightInitializer: Initializer;
}

/**
 * Convolution of each channel with filters of its own: [height, width, channels] → [outHeight, outWidth, channels ·
 * multiplier], sizes as in `conv2d`. Output channel c · multiplier + m is channel c under its filter m. Parameters:
 * `weight` [windowHeight, windowWidth, channels, multiplier], `bias` [channels · multiplier]. Throws `SHAPE_MISMATCH`
 * if samples are not images or the window is larger than the padded image.
 */
export function depthwiseConv2d(options?: DepthwiseConv2dOptions): LayerSpec {
  checkArity('depthwiseConv2d', arguments, 1);
  const type = 'depthwiseConv2d';
  const given = layerOptions(type, options, [...commonOptions, 'dilation', 'multiplier', 'weightInitializer']);
  const { dilation = 1, multiplier = 1, weightInitializer = 'heNormal' } = given;
  const common = checkConvolution(type, given);
  return spec<DepthwiseConv2dSpec>({
    type,
    name: given.name,
    ...common,
    dilation: checkDilation(type, dilation, common),
    multiplier: checkInteger(`${type}: multiplier`, multiplier, SIZES),
    weightInitializer: resolveInitializer(`${type}: weightInitializer`, weightInitializer),
  });
}

registerLayer<DepthwiseConv2dSpec>('depthwiseConv2d', depthwiseConv2d, (layer, input) => {
  const { multiplier, dilation } = layer;
  const sizes = geometry('depthwiseConv2d', input, layer, dilation);
  const { windowHeight, windowWidth, channels } = sizes;
  const filters = channels * multiplier;
  const area = windowHeight * windowWidth;
  const fans = { fanIn: area, fanOut: area * multiplier };
  const shape = [windowHeight, windowWidth, channels, multiplier];
  return convolutionLayer(
    input,
    outputShape('depthwiseConv2d', sizes, filters),
    weightOf('weight', shape, fans, layer.weightInitializer, layer.regularizer),
    biasOf(filters, fans, layer),
    groupedConvolution(sizes, filters, channels, dilation),
  );
});
