/** What the layers with convolutions share: options, parameters, and the kernels for given sizes. */
import { checkBoolean } from '../checks.js';
import { type Initializer, type InitializerName, resolveInitializer, zeros } from '../initializers.js';
import type { Geometry } from '../kernels/signature.js';
import { type Builder, elements, rows, type Shape, type Tensor } from '../program/instructions.js';
import { type Regularizer, resolveRegularizer } from '../regularizers.js';
import type { Layer, ParameterSpec } from './layer.js';
import { checkWindow, type Dilation, type Padding2d, type Size2d, type Window2d } from './window.js';

/** The part of a spec that all of them have. */
export interface ConvolutionSpec extends Window2d {
  readonly bias: boolean;
  readonly biasInitializer: Initializer;
  readonly regularizer: Regularizer | undefined;
}

export const commonOptions = ['window', 'stride', 'padding', 'bias', 'biasInitializer', 'regularizer'] as const;

/** Checks the options that all of them have. */
export function checkConvolution(
  type: string,
  options: {
    window?: Size2d;
    stride?: Size2d;
    padding?: Padding2d;
    bias?: boolean;
    biasInitializer?: Initializer | InitializerName | number;
    regularizer?: Regularizer;
  },
): ConvolutionSpec {
  const { window = 3, stride, padding, bias = true, biasInitializer = zeros(), regularizer } = options;
  return {
    ...checkWindow(type, { window, stride, padding }),
    bias: checkBoolean(`${type}: bias`, bias),
    biasInitializer: resolveInitializer(`${type}: biasInitializer`, biasInitializer),
    regularizer: resolveRegularizer(`${type}: regularizer`, regularizer),
  };
}

/** Emits the calls of a convolution of given sizes and of its gradients. */
export interface Convolution {
  forward(builder: Builder, y: Tensor, x: Tensor, w: Tensor, b: Tensor | null): void;
  backwardInput(builder: Builder, dx: Tensor, dy: Tensor, w: Tensor): void;
  /** Without `db` the gradient of a bias is not computed. */
  backwardWeight(builder: Builder, dw: Tensor, db: Tensor | null, x: Tensor, dy: Tensor): void;
}

/** A convolution in which every filter sees all channels, with windows without gaps. */
export function plainConvolution(geometry: Geometry, filters: number): Convolution {
  const sizes = { rows: rows(), ...geometry, filters };
  const patch = geometry.windowHeight * geometry.windowWidth * geometry.channels;
  return {
    forward(builder, y, x, w, b) {
      builder.emit('conv2dForward', { y, x, w, b, ...sizes, activation: 0, slope: 0 });
    },
    backwardInput(builder, dx, dy, w) {
      builder.emit('conv2dBackwardInput', { dx, dy, w, ...sizes });
    },
    backwardWeight(builder, dw, db, x, dy) {
      builder.emit('conv2dBackwardWeight', { dwParts: dw, dbParts: db, x, dy, ...sizes, patch, parts: 1 });
    },
  };
}

/** A convolution of `groups` groups of channels, with `filters` filters in all, or with gaps in its windows. */
export function groupedConvolution(
  geometry: Geometry,
  filters: number,
  groups: number,
  [dilationHeight, dilationWidth]: Dilation,
): Convolution {
  const sizes = {
    rows: rows(),
    ...geometry,
    groups,
    channels: geometry.channels / groups,
    dilationHeight,
    dilationWidth,
    filters: filters / groups,
  };
  return {
    forward(builder, y, x, w, b) {
      builder.emit('groupedConv2dForward', { y, x, w, b, ...sizes, activation: 0, slope: 0 });
    },
    backwardInput(builder, dx, dy, w) {
      builder.emit('groupedConv2dBackwardInput', { dx, dy, w, ...sizes });
    },
    backwardWeight(builder, dw, db, x, dy) {
      builder.emit('groupedConv2dBackwardParts', { dwParts: dw, dbParts: db, x, dy, ...sizes, parts: 1 });
    },
  };
}

/** Emits the gradient of a bias that was added to every pixel of y. */
export function biasGradient(builder: Builder, db: Tensor, dy: Tensor, [height, width, channels]: Shape): void {
  builder.emit('denseBackwardBias', { db, dy, rows: rows(height * width), out: channels });
}

/** The parameter `name`, a weight. */
export function weightOf(
  name: string,
  shape: Shape,
  fans: ParameterSpec['fans'],
  initializer: Initializer,
  regularizer: Regularizer | undefined,
): ParameterSpec {
  return { name, shape, initializer, fans, weight: true, regularizer };
}

/** The parameter `bias`, if the layer has one. */
export function biasOf(filters: number, fans: ParameterSpec['fans'], layer: ConvolutionSpec): ParameterSpec[] {
  if (!layer.bias) return [];
  return [{ name: 'bias', shape: [filters], initializer: layer.biasInitializer, fans, weight: false }];
}

/** A layer of one convolution: its parameters are `weight` and, if it has one, `bias`. */
export function convolutionLayer(
  input: Shape,
  output: Shape,
  weight: ParameterSpec,
  bias: readonly ParameterSpec[],
  convolution: Convolution,
): Layer {
  return {
    output,
    parameters: [weight, ...bias],
    state: [],
    forward(builder, x) {
      const w = builder.parameter('weight');
      const y = builder.perRow('y', elements(output));
      convolution.forward(builder, y, x, w, bias.length > 0 ? builder.parameter('bias') : null);
      return {
        y,
        backward(dy, needInputGradient) {
          let dx: typeof x | undefined;
          if (needInputGradient) {
            dx = builder.perRow('dx', elements(input));
            convolution.backwardInput(builder, dx, dy, w);
          }
          const db = bias.length > 0 ? builder.gradient('bias') : null;
          convolution.backwardWeight(builder, builder.gradient('weight'), db, x, dy);
          return dx;
        },
      };
    },
  };
}
