import { type Builder, elements, type Pass, rows, type Shape, type Tensor } from '../program/instructions.js';
import { type LayerSpec, layerOptions, registerLayer, registerReader, spec } from './layer.js';
import { checkWindow, geometry, imageShape, outputShape, type Padding2d, type Size2d, type Window2d } from './window.js';

export interface Pool2dOptions {
  /** Rows and columns from one window to the next; default: the window's size. Smaller strides make windows overlap. */
  stride?: Size2d;
  /** Pixels around the image that no window counts; default 'valid', none: a remainder at the bottom and right is dropped. */
  padding?: Padding2d;
  name?: string;
}

interface Pool2dSpec extends LayerSpec, Window2d {}

function pool(type: 'maxPool2d' | 'avgPool2d', window: Size2d, options: Pool2dOptions | undefined): LayerSpec {
  const { stride = window, padding, name } = layerOptions(type, options, ['stride', 'padding']);
  return spec<Pool2dSpec>({ type, name, ...checkWindow(type, { window, stride, padding }) });
}

/**
 * The largest pixel of each window, per channel: [height, width, channels] → [outHeight, outWidth, channels] with
 * outHeight = ⌊(height + padding − window) / stride⌋ + 1. `window` is one number (default 2) or [height, width].
 * Throws `SHAPE_MISMATCH` when samples are not images or the window is larger than the padded image.
 */
export function maxPool2d(window: Size2d = 2, options?: Pool2dOptions): LayerSpec {
  return pool('maxPool2d', window, options);
}

/** The mean of each window's pixels, padding not counted; shapes and errors as of `maxPool2d`. */
export function avgPool2d(window: Size2d = 2, options?: Pool2dOptions): LayerSpec {
  return pool('avgPool2d', window, options);
}

/** The mean of each channel over the whole image: [height, width, channels] → [channels]. */
export function globalAvgPool2d(options?: { name?: string }): LayerSpec {
  return spec<LayerSpec>({ type: 'globalAvgPool2d', name: layerOptions('globalAvgPool2d', options, []).name });
}

registerLayer<Pool2dSpec>('maxPool2d', (layer, input) => {
  const sizes = { rows: rows(), ...geometry('maxPool2d', input, layer) };
  const output = outputShape('maxPool2d', sizes, sizes.channels);
  return {
    output,
    parameters: [],
    state: [],
    forward(builder, x) {
      const y = builder.perRow('y', elements(output));
      const winner = builder.perRow('winner', elements(output), 'i32');
      builder.emit('maxPool2dForward', { y, winner, x, ...sizes });
      return {
        y,
        backward(dy, needInputGradient) {
          if (!needInputGradient) return undefined;
          const dx = builder.perRow('dx', elements(input));
          builder.emit('maxPool2dBackward', { dx, dy, winner, ...sizes });
          return dx;
        },
      };
    },
  };
});

function averaging(type: string, input: Shape, window: Window2d, output: (pooled: number[]) => number[]) {
  const sizes = { rows: rows(), ...geometry(type, input, window) };
  const pooled = outputShape(type, sizes, sizes.channels);
  return {
    output: output(pooled),
    parameters: [],
    state: [],
    forward(builder: Builder, x: Tensor): Pass {
      const y = builder.perRow('y', elements(pooled));
      builder.emit('avgPool2dForward', { y, x, ...sizes });
      return {
        y,
        backward(dy, needInputGradient) {
          if (!needInputGradient) return undefined;
          const dx = builder.perRow('dx', elements(input));
          builder.emit('avgPool2dBackward', { dx, dy, ...sizes });
          return dx;
        },
      };
    },
  };
}

registerLayer<Pool2dSpec>('avgPool2d', (layer, input) => averaging('avgPool2d', input, layer, (pooled) => pooled));

registerLayer('globalAvgPool2d', (_, input) => {
  const [height, width] = imageShape('globalAvgPool2d', input);
  const whole = checkWindow('globalAvgPool2d', { window: [height, width] });
  return averaging('globalAvgPool2d', input, whole, ([, , channels]) => [channels]);
});

type SavedPool = Pool2dOptions & { window: Size2d };
registerReader('maxPool2d', ({ window, ...options }: SavedPool) => maxPool2d(window, options));
registerReader('avgPool2d', ({ window, ...options }: SavedPool) => avgPool2d(window, options));
registerReader('globalAvgPool2d', globalAvgPool2d);
