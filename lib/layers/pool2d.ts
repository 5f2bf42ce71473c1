import { checkArity } from '../checks.js';
import { type Builder, elements, rows, type Shape, type Tensor } from '../program/instructions.js';
import { type Layer, type LayerSpec, layerOptions, registerLayer, spec } from './layer.js';
import {
  checkWindow,
  geometry,
  imageShape,
  outputShape,
  type Padding2d,
  type Size2d,
  type Window2d,
} from './window.js';

/** Options of {@link maxPool2d} and {@link avgPool2d}. */
export interface Pool2dOptions {
  /** Step between neighbouring windows; default: the window's size. With smaller strides windows overlap. */
  stride?: Size2d;
  /**
   * Padding pixels around the image, ignored by all windows. Default 'valid' (none): a remainder at the bottom and
   * right is dropped.
   */
  padding?: Padding2d;
  name?: string;
}

interface Pool2dSpec extends LayerSpec, Window2d {}

function pool(type: 'maxPool2d' | 'avgPool2d', window: Size2d, options: Pool2dOptions | undefined): LayerSpec {
  const { stride = window, padding, name } = layerOptions(type, options, ['stride', 'padding']);
  return spec<Pool2dSpec>({ type, name, ...checkWindow(type, { window, stride, padding }) });
}

/**
 * Maximum of each window, per channel: [height, width, channels] → [outHeight, outWidth, channels] with outHeight =
 * ⌊(height + padding − window) / stride⌋ + 1. `window` is one number (default 2) or [height, width]. Throws
 * `SHAPE_MISMATCH` if samples are not images or the window is larger than the padded image.
 */
export function maxPool2d(window: Size2d = 2, options?: Pool2dOptions): LayerSpec {
  checkArity('maxPool2d', arguments, 2);
  return pool('maxPool2d', window, options);
}

/** Mean of each window, per channel, without padding pixels. Shapes and errors as in `maxPool2d`. */
export function avgPool2d(window: Size2d = 2, options?: Pool2dOptions): LayerSpec {
  checkArity('avgPool2d', arguments, 2);
  return pool('avgPool2d', window, options);
}

/** Mean of each channel over the whole image: [height, width, channels] → [channels]. */
export function globalAvgPool2d(options?: { name?: string }): LayerSpec {
  checkArity('globalAvgPool2d', arguments, 1);
  return spec<LayerSpec>({ type: 'globalAvgPool2d', name: layerOptions('globalAvgPool2d', options, []).name });
}

/** Maximum of each channel over the whole image: [height, width, channels] → [channels]. */
export function globalMaxPool2d(options?: { name?: string }): LayerSpec {
  checkArity('globalMaxPool2d', arguments, 1);
  return spec<LayerSpec>({ type: 'globalMaxPool2d', name: layerOptions('globalMaxPool2d', options, []).name });
}

/** Rebuilds a layer from its fields in a file. */
const saved =
  (make: typeof maxPool2d) =>
  ({ window, ...options }: Pool2dOptions & { window: Size2d }) =>
    make(window, options);

type Sizes = ReturnType<typeof geometry> & { readonly rows: ReturnType<typeof rows> };
/** Emits a forward kernel, and returns what emits its backward kernel. */
type Kernels = (builder: Builder, y: Tensor, x: Tensor, sizes: Sizes) => (dx: Tensor, dy: Tensor) => void;

const taking: Kernels = (builder, y, x, sizes) => {
  const winner = builder.perRow('winner', y.perRow, 'i32');
  builder.emit('maxPool2dForward', { y, winner, x, ...sizes });
  return (dx, dy) => builder.emit('maxPool2dBackward', { dx, dy, winner, ...sizes });
};

const averaging: Kernels = (builder, y, x, sizes) => {
  builder.emit('avgPool2dForward', { y, x, ...sizes });
  return (dx, dy) => builder.emit('avgPool2dBackward', { dx, dy, ...sizes });
};

function pooling(
  type: string,
  input: Shape,
  window: Window2d,
  kernels: Kernels,
  output: (pooled: number[]) => number[] = (pooled) => pooled,
): Layer {
  const sizes = { rows: rows(), ...geometry(type, input, window) };
  const pooled = outputShape(type, sizes, sizes.channels);
  return {
    output: output(pooled),
    parameters: [],
    state: [],
    forward(builder, x) {
      const y = builder.perRow('y', elements(pooled));
      const emitBackward = kernels(builder, y, x, sizes);
      return {
        y,
        backward(dy, needInputGradient) {
          if (!needInputGradient) return undefined;
          const dx = builder.perRow('dx', elements(input));
          emitBackward(dx, dy);
          return dx;
        },
      };
    },
  };
}

registerLayer<Pool2dSpec>('maxPool2d', saved(maxPool2d), (layer, input) => pooling('maxPool2d', input, layer, taking));
registerLayer<Pool2dSpec>('avgPool2d', saved(avgPool2d), (layer, input) =>
  pooling('avgPool2d', input, layer, averaging),
);

/** One window, the whole image, and a flat output. */
function registerGlobal(type: string, make: typeof globalAvgPool2d, kernels: Kernels): void {
  registerLayer(type, make, (_, input) => {
    const [height, width] = imageShape(type, input);
    const whole = checkWindow(type, { window: [height, width] });
    return pooling(type, input, whole, kernels, ([, , channels]) => [channels]);
  });
}

registerGlobal('globalAvgPool2d', globalAvgPool2d, averaging);
registerGlobal('globalMaxPool2d', globalMaxPool2d, taking);
