import { checkNumber } from '../checks.js';
import { type Builder, elements, type Mode, type Pass, rows, type Shape, type Tensor } from '../program/instructions.js';
import { flatFeatures, type LayerSpec, layerOptions, registerLayer, registerReader, spec } from './layer.js';

interface ActivationOptions {
  name?: string;
}

/** Activations whose gradient follows from their output, and those that need their input. */
const gradientFromOutput = ['identity', 'relu', 'selu', 'sigmoid', 'tanh', 'softplus'] as const;
const gradientFromInput = ['gelu', 'silu'] as const;
type Plain = (typeof gradientFromOutput)[number] | (typeof gradientFromInput)[number];

interface ActivationSpec extends LayerSpec {
  readonly alpha?: number;
}

/** The function of a type without options of its own; it has the type's name, for the message when it is not called. */
function plain(type: Plain) {
  return {
    [type]: (options?: ActivationOptions): LayerSpec =>
      spec<ActivationSpec>({ type, name: layerOptions(type, options, []).name }),
  }[type];
}

/** y = x. */
export const identity = plain('identity');
/** Rectified linear unit: max(x, 0); gradient 0 at 0. */
export const relu = plain('relu');
/** Scaled exponential linear unit (Klambauer et al. 2017). */
export const selu = plain('selu');
/** Gaussian error linear unit x Φ(x), exact (Hendrycks and Gimpel 2016). */
export const gelu = plain('gelu');
/** x σ(x), also called swish. */
export const silu = plain('silu');
/** 1 / (1 + e⁻ˣ). As the last layer of a classifier leave it to `binaryCrossEntropy`, which works on logits. */
export const sigmoid = plain('sigmoid');
/** Hyperbolic tangent. */
export const tanh = plain('tanh');
/** log(1 + eˣ). */
export const softplus = plain('softplus');

/** x for x ≥ 0, slope · x below; slope ≥ 0, default 0.01. */
export function leakyRelu(options?: ActivationOptions & { slope?: number }): LayerSpec {
  const { slope = 0.01, name } = layerOptions('leakyRelu', options, ['slope']);
  return spec<ActivationSpec>({ type: 'leakyRelu', name, alpha: checkNumber('leakyRelu: slope', slope, { min: 0 }) });
}

/** x for x > 0, alpha (eˣ − 1) below; alpha ≥ 0, default 1. */
export function elu(options?: ActivationOptions & { alpha?: number }): LayerSpec {
  const { alpha = 1, name } = layerOptions('elu', options, ['alpha']);
  return spec<ActivationSpec>({ type: 'elu', name, alpha: checkNumber('elu: alpha', alpha, { min: 0 }) });
}

/** Softmax over the features. As the last layer of a classifier leave it to `softmaxCrossEntropy`, which works on logits. */
export function softmax(options?: ActivationOptions): LayerSpec {
  return spec<ActivationSpec>({ type: 'softmax', name: layerOptions('softmax', options, []).name });
}

type Writer = (builder: Builder, x: Tensor, y: Tensor, n: ReturnType<typeof rows>) => void;
type BackwardWriter = (builder: Builder, dy: Tensor, x: Tensor, y: Tensor, n: ReturnType<typeof rows>) => void;

/** A layer without parameters that maps each element on its own. The gradient is written over dy. */
function elementwise(input: Shape, forward: Writer, backward: BackwardWriter) {
  const features = elements(input);
  const n = rows(features);
  return {
    output: input,
    parameters: [],
    state: [],
    forward(builder: Builder, x: Tensor, _mode: Mode): Pass {
      const y = builder.perRow('y', features);
      forward(builder, x, y, n);
      return {
        y,
        backward(dy, needInputGradient) {
          if (!needInputGradient) return undefined;
          backward(builder, dy, x, y, n);
          return dy;
        },
      };
    },
  };
}

for (const type of gradientFromOutput) {
  registerLayer(type, (_, input) =>
    elementwise(
      input,
      (builder, x, y, n) => builder.emit(type, { y, x, n }),
      (builder, dy, _x, y, n) => builder.emit(`${type}Backward`, { dx: dy, dy, y, n }),
    ),
  );
}
for (const type of gradientFromInput) {
  registerLayer(type, (_, input) =>
    elementwise(
      input,
      (builder, x, y, n) => builder.emit(type, { y, x, n }),
      (builder, dy, x, _y, n) => builder.emit(`${type}Backward`, { dx: dy, dy, x, n }),
    ),
  );
}
registerLayer<ActivationSpec>('leakyRelu', ({ alpha: slope = 0 }, input) =>
  elementwise(
    input,
    (builder, x, y, n) => builder.emit('leakyRelu', { y, x, n, slope }),
    (builder, dy, _x, y, n) => builder.emit('leakyReluBackward', { dx: dy, dy, y, n, slope }),
  ),
);
registerLayer<ActivationSpec>('elu', ({ alpha = 1 }, input) =>
  elementwise(
    input,
    (builder, x, y, n) => builder.emit('elu', { y, x, n, alpha }),
    (builder, dy, _x, y, n) => builder.emit('eluBackward', { dx: dy, dy, y, n, alpha }),
  ),
);
registerLayer('softmax', (_, input) => {
  const cols = flatFeatures('softmax', input);
  return elementwise(
    input,
    (builder, x, y) => builder.emit('softmax', { y, x, rows: rows(), cols }),
    (builder, dy, _x, y) => builder.emit('softmaxBackward', { dx: dy, dy, y, rows: rows(), cols }),
  );
});

for (const type of [...gradientFromOutput, ...gradientFromInput]) registerReader(type, plain(type));
registerReader('leakyRelu', ({ alpha, ...rest }: ActivationSpec) => leakyRelu({ ...rest, slope: alpha as number }));
registerReader('elu', elu);
registerReader('softmax', softmax);
