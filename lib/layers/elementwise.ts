import { checkArity, checkNumber, invalid } from '../checks.js';
import { codeOf, type UnaryOperation } from '../kernels/codes.js';
import { elements, rows } from '../program/instructions.js';
import { type LayerReader, type LayerSpec, layerOptions, registerLayer, spec } from './layer.js';

export interface ElementwiseOptions {
  name?: string;
}

/** Operations whose gradient is computed from their output. */
const fromOutput: readonly UnaryOperation[] = ['exp', 'sqrt'];

/** Registers the layer of an operation; `settings` are the kernel's alpha and beta. */
function register<S extends LayerSpec>(
  type: UnaryOperation,
  read: LayerReader,
  settings: (layer: S) => { alpha: number; beta: number },
): void {
  registerLayer<S>(type, read, (layer, input) => {
    const features = elements(input);
    const common = { n: rows(features), operation: codeOf('unary', type), ...settings(layer) };
    return {
      output: input,
      parameters: [],
      state: [],
      forward(builder, x) {
        const y = builder.perRow('y', features);
        builder.emit('unary', { y, x, ...common });
        return {
          y,
          backward(dy, needInputGradient) {
            if (!needInputGradient) return undefined;
            const dx = builder.reuse(dy);
            // The gradient of a scale is one, too, and needs no x.
            if (type === 'scale') builder.emit('unary', { y: dx, x: dy, ...common, beta: 0 });
            else builder.emit('unaryBackward', { dx, dy, at: fromOutput.includes(type) ? y : x, ...common });
            return dx;
          },
        };
      },
    };
  });
}

/** The layer of an operation without settings. */
function plain(type: UnaryOperation) {
  const make = {
    [type](options?: ElementwiseOptions): LayerSpec {
      checkArity(type, arguments, 1);
      return spec<LayerSpec>({ type, name: layerOptions(type, options, []).name });
    },
  }[type];
  register(type, make, () => ({ alpha: 0, beta: 0 }));
  return make;
}

/** eˣ of each element. */
export const exp = plain('exp');
/** Natural logarithm of each element; −∞ at 0, NaN below. */
export const log = plain('log');
/** Square root of each element; NaN below 0. Its gradient at 0 is infinite. */
export const sqrt = plain('sqrt');
/** x² of each element. */
export const square = plain('square');
/** |x| of each element; gradient 0 at 0. */
export const abs = plain('abs');

interface PowerSpec extends LayerSpec {
  readonly exponent: number;
}

/** x^exponent of each element, as `Math.pow` gives it: NaN for negative x unless the exponent is an integer. */
export function power(exponent: number, options?: ElementwiseOptions): LayerSpec {
  checkArity('power', arguments, 2);
  const { name } = layerOptions('power', options, []);
  return spec<PowerSpec>({ type: 'power', name, exponent: checkNumber('power: exponent', exponent) });
}

register<PowerSpec>(
  'power',
  ({ exponent, ...options }: PowerSpec) => power(exponent, options),
  ({ exponent }) => ({ alpha: exponent, beta: 0 }),
);

interface ClipSpec extends LayerSpec {
  readonly min: number;
  readonly max: number;
}

/** Each element limited to [min, max]; gradient 1 there, limits included, and 0 outside. */
export function clip(min: number, max: number, options?: ElementwiseOptions): LayerSpec {
  checkArity('clip', arguments, 3);
  const { name } = layerOptions('clip', options, []);
  checkNumber('clip: min', min);
  if (checkNumber('clip: max', max) < min) throw invalid('clip: max', `a number of at least ${min}`, max);
  return spec<ClipSpec>({ type: 'clip', name, min, max });
}

register<ClipSpec>(
  'clip',
  ({ min, max, ...options }: ClipSpec) => clip(min, max, options),
  ({ min, max }) => ({ alpha: min, beta: max }),
);

interface ScaleSpec extends LayerSpec {
  readonly factor: number;
  readonly offset: number;
}

/** factor · x + offset of each element; offset 0 by default. */
export function scale(factor: number, offset = 0, options?: ElementwiseOptions): LayerSpec {
  checkArity('scale', arguments, 3);
  const { name } = layerOptions('scale', options, []);
  checkNumber('scale: factor', factor);
  return spec<ScaleSpec>({ type: 'scale', name, factor, offset: checkNumber('scale: offset', offset) });
}

register<ScaleSpec>(
  'scale',
  ({ factor, offset, ...options }: ScaleSpec) => scale(factor, offset, options),
  ({ factor, offset }) => ({ alpha: factor, beta: offset }),
);
