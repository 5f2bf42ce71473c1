import { checkArity, checkNumber } from '../checks.js';
import type { KernelName, ParameterName } from '../kernels/table.js';
import { type Builder, elements, type Pass, rows, type Shape, type Tensor } from '../program/instructions.js';
import { flatFeatures, type Layer, type LayerSpec, layerOptions, mismatch, registerLayer, spec } from './layer.js';

interface ActivationOptions {
  name?: string;
}

interface ActivationSpec extends LayerSpec {
  readonly alpha?: number;
}

type Size = ReturnType<typeof rows>;

/** A layer without parameters that maps each element independently. */
function elementwise(
  input: Shape,
  forward: (builder: Builder, x: Tensor, y: Tensor, n: Size) => void,
  backward: (builder: Builder, dx: Tensor, dy: Tensor, x: Tensor, y: Tensor, n: Size) => void,
): Layer {
  const features = elements(input);
  const n = rows(features);
  return {
    output: input,
    parameters: [],
    state: [],
    forward(builder, x): Pass {
      const y = builder.perRow('y', features);
      forward(builder, x, y, n);
      return {
        y,
        backward(dy, needInputGradient) {
          if (!needInputGradient) return undefined;
          const dx = builder.reuse(dy);
          backward(builder, dx, dy, x, y, n);
          return dx;
        },
      };
    },
  };
}

/** Kernels y = f(x) without settings whose gradient is `<name>Backward`. */
type Plain = {
  [K in KernelName]: `${K}Backward` extends KernelName ? (ParameterName<K> extends 'y' | 'x' | 'n' ? K : never) : never;
}[KernelName];

/**
 * The layer of the kernel `type`, whose gradient needs the output or the input, depending on `<type>Backward`. The
 * function gets the type's name, for the error when it is passed without being called.
 */
function plain(type: Plain) {
  const make = {
    [type](options?: ActivationOptions): LayerSpec {
      checkArity(type, arguments, 1);
      return spec<ActivationSpec>({ type, name: layerOptions(type, options, []).name });
    },
  }[type];
  const layer = (_: ActivationSpec, input: Shape) =>
    elementwise(
      input,
      (builder, x, y, n) => builder.emit(type, { y, x, n }),
      (builder, dx, dy, x, y, n) => builder.emit(`${type}Backward`, { dx, dy, x, y, n }),
    );
  registerLayer(type, make, layer);
  return make;
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
/**
 * 1 / (1 + e⁻ˣ). Omit it as the last layer of a classifier, as `binaryCrossEntropy` includes it, or pass
 * `fromLogits: false` to the loss.
 */
export const sigmoid = plain('sigmoid');
/** Hyperbolic tangent. */
export const tanh = plain('tanh');
/** log(1 + eˣ). */
export const softplus = plain('softplus');
/** min(max(x, 0), 6); gradient 0 at 0 and 6. */
export const relu6 = plain('relu6');
/** min(max(x + 3, 0), 6) / 6, as in PyTorch; gradient 0 at −3 and 3. */
export const hardSigmoid = plain('hardSigmoid');
/** x · hardSigmoid(x) (Howard et al. 2019); gradient 0 at −3, 1 at 3. */
export const hardSwish = plain('hardSwish');
/** x tanh(log(1 + eˣ)) (Misra 2019). */
export const mish = plain('mish');
/** x / (1 + |x|). */
export const softsign = plain('softsign');

/** x for x ≥ 0, slope · x below; slope ≥ 0, default 0.01. */
export function leakyRelu(options?: ActivationOptions & { slope?: number }): LayerSpec {
  checkArity('leakyRelu', arguments, 1);
  const { slope = 0.01, name } = layerOptions('leakyRelu', options, ['slope']);
  return spec<ActivationSpec>({ type: 'leakyRelu', name, alpha: checkNumber('leakyRelu: slope', slope, { min: 0 }) });
}

const readLeakyRelu = ({ alpha, ...rest }: ActivationSpec) => leakyRelu({ ...rest, slope: alpha as number });
registerLayer<ActivationSpec>('leakyRelu', readLeakyRelu, ({ alpha: slope = 0 }, input) =>
  elementwise(
    input,
    (builder, x, y, n) => builder.emit('leakyRelu', { y, x, n, slope }),
    (builder, dx, dy, _x, y, n) => builder.emit('leakyReluBackward', { dx, dy, y, n, slope }),
  ),
);

/** x for x > 0, alpha (eˣ − 1) below; alpha ≥ 0, default 1. */
export function elu(options?: ActivationOptions & { alpha?: number }): LayerSpec {
  checkArity('elu', arguments, 1);
  const { alpha = 1, name } = layerOptions('elu', options, ['alpha']);
  return spec<ActivationSpec>({ type: 'elu', name, alpha: checkNumber('elu: alpha', alpha, { min: 0 }) });
}

registerLayer<ActivationSpec>('elu', elu, ({ alpha = 1 }, input) =>
  elementwise(
    input,
    (builder, x, y, n) => builder.emit('elu', { y, x, n, alpha }),
    (builder, dx, dy, _x, y, n) => builder.emit('eluBackward', { dx, dy, y, n, alpha }),
  ),
);

/**
 * Softmax over the features. Omit it as the last layer of a classifier, as `softmaxCrossEntropy` includes it, or pass
 * `fromLogits: false` to the loss.
 */
export function softmax(options?: ActivationOptions): LayerSpec {
  checkArity('softmax', arguments, 1);
  return spec<ActivationSpec>({ type: 'softmax', name: layerOptions('softmax', options, []).name });
}

registerLayer('softmax', softmax, (_, input) => {
  const cols = flatFeatures('softmax', input);
  return elementwise(
    input,
    (builder, x, y) => builder.emit('softmax', { y, x, rows: rows(), cols }),
    (builder, dx, dy, _x, y) => builder.emit('softmaxBackward', { dx, dy, y, rows: rows(), cols }),
  );
});

/**
 * log(softmax(x)) over the last dimension: x − log Σ eˣ. `softmaxCrossEntropy` includes it; after this layer it gives
 * the same loss. Throws `SHAPE_MISMATCH` if the last dimension is 1, where the result is 0 whatever the number.
 */
export function logSoftmax(options?: ActivationOptions): LayerSpec {
  checkArity('logSoftmax', arguments, 1);
  return spec<ActivationSpec>({ type: 'logSoftmax', name: layerOptions('logSoftmax', options, []).name });
}

registerLayer('logSoftmax', logSoftmax, (_, input) => {
  const cols = input[input.length - 1];
  if (cols === 1) throw mismatch('logSoftmax', 'a last dimension of at least 2', input);
  const sizes = { rows: rows(elements(input) / cols), cols };
  return elementwise(
    input,
    (builder, x, y) => builder.emit('logSoftmax', { y, x, ...sizes }),
    (builder, dx, dy, _x, y) => builder.emit('logSoftmaxBackward', { dx, dy, y, ...sizes }),
  );
});
