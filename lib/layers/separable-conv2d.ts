import { checkArity, checkInteger, SIZES } from '../checks.js';
import { type Initializer, type InitializerName, resolveInitializer } from '../initializers.js';
import { elements } from '../program/instructions.js';
import type { Conv2dOptions } from './conv2d.js';
import {
  biasOf,
  type ConvolutionSpec,
  checkConvolution,
  commonOptions,
  groupedConvolution,
  plainConvolution,
  weightOf,
} from './convolution.js';
import { type LayerSpec, layerOptions, registerLayer, spec } from './layer.js';
import { checkDilation, checkWindow, type Dilation, geometry, outputShape } from './window.js';

/** Options of {@link separableConv2d}. */
export interface SeparableConv2dOptions extends Omit<Conv2dOptions, 'groups' | 'weightInitializer'> {
  /** Depthwise filters of each channel; default 1. */
  multiplier?: number;
  /** Initial depthwise weights; default 'lecunNormal', as no activation follows them. */
  depthwiseInitializer?: Initializer | InitializerName | number;
  /** Initial pointwise weights; default 'heNormal'. */
  pointwiseInitializer?: Initializer | InitializerName | number;
}

interface SeparableConv2dSpec extends LayerSpec, ConvolutionSpec {
  readonly type: 'separableConv2d';
  readonly filters: number;
  readonly dilation: Dilation;
  readonly multiplier: number;
  readonly depthwiseInitializer: Initializer;
  readonly pointwiseInitializer: Initializer;
}

/**
 * Depthwise convolution without bias, then a 1×1 convolution: [height, width, channels] → [outHeight, outWidth,
 * filters], sizes as in `conv2d`. Parameters: `depthwise` [windowHeight, windowWidth, channels, multiplier],
 * `pointwise` [1, 1, channels · multiplier, filters], `bias` [filters]. Throws `SHAPE_MISMATCH` if samples are not
 * images or the window is larger than the padded image.
 */
export function separableConv2d(filters: number, options?: SeparableConv2dOptions): LayerSpec {
  checkArity('separableConv2d', arguments, 2);
  const type = 'separableConv2d';
  const own = ['dilation', 'multiplier', 'depthwiseInitializer', 'pointwiseInitializer'] as const;
  const given = layerOptions(type, options, [...commonOptions, ...own]);
  const {
    dilation = 1,
    multiplier = 1,
    depthwiseInitializer = 'lecunNormal',
    pointwiseInitializer = 'heNormal',
  } = given;
  const common = checkConvolution(type, given);
  return spec<SeparableConv2dSpec>({
    type,
    name: given.name,
    filters: checkInteger(`${type}: filters`, filters, SIZES),
    ...common,
    dilation: checkDilation(type, dilation, common),
    multiplier: checkInteger(`${type}: multiplier`, multiplier, SIZES),
    depthwiseInitializer: resolveInitializer(`${type}: depthwiseInitializer`, depthwiseInitializer),
    pointwiseInitializer: resolveInitializer(`${type}: pointwiseInitializer`, pointwiseInitializer),
  });
}

const read = ({ filters, ...options }: SeparableConv2dOptions & { filters: number }) =>
  separableConv2d(filters, options);

registerLayer<SeparableConv2dSpec>('separableConv2d', read, (layer, input) => {
  const { filters, multiplier, dilation, regularizer } = layer;
  const sizes = geometry('separableConv2d', input, layer, dilation);
  const { windowHeight, windowWidth, channels } = sizes;
  const between = outputShape('separableConv2d', sizes, channels * multiplier);
  const output = outputShape('separableConv2d', sizes, filters);
  const area = windowHeight * windowWidth;
  const shapes = {
    depthwise: [windowHeight, windowWidth, channels, multiplier],
    pointwise: [1, 1, channels * multiplier, filters],
  };
  const fans = {
    depthwise: { fanIn: area, fanOut: area * multiplier },
    pointwise: { fanIn: channels * multiplier, fanOut: filters },
  };
  const bias = biasOf(filters, fans.pointwise, layer);
  const onePixel = geometry('separableConv2d', between, checkWindow('separableConv2d', { window: 1 }));
  const depthwise = groupedConvolution(sizes, channels * multiplier, channels, dilation);
  const pointwise = plainConvolution(onePixel, filters);
  return {
    output,
    parameters: [
      weightOf('depthwise', shapes.depthwise, fans.depthwise, layer.depthwiseInitializer, regularizer),
      weightOf('pointwise', shapes.pointwise, fans.pointwise, layer.pointwiseInitializer, regularizer),
      ...bias,
    ],
    state: [],
    forward(builder, x) {
      const [w, v] = [builder.parameter('depthwise'), builder.parameter('pointwise')];
      const z = builder.perRow('z', elements(between));
      const y = builder.perRow('y', elements(output));
      depthwise.forward(builder, z, x, w, null);
      pointwise.forward(builder, y, z, v, bias.length > 0 ? builder.parameter('bias') : null);
      return {
        y,
        backward(dy, needInputGradient) {
          const dz = builder.perRow('dz', elements(between));
          pointwise.backwardInput(builder, dz, dy, v);
          const db = bias.length > 0 ? builder.gradient('bias') : null;
          pointwise.backwardWeight(builder, builder.gradient('pointwise'), db, z, dy);
          let dx: typeof x | undefined;
          if (needInputGradient) {
            dx = builder.perRow('dx', elements(input));
            depthwise.backwardInput(builder, dx, dz, w);
          }
          depthwise.backwardWeight(builder, builder.gradient('depthwise'), null, x, dz);
          return dx;
        },
      };
    },
  };
});
