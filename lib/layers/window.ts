import { checkInteger, checkShape, invalid, MAX_SIZE } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { Geometry } from '../kernels/signature.js';
import type { Shape } from '../program/instructions.js';

/** One size for height and width, or one for each. */
export type Size2d = number | readonly [height: number, width: number];

/**
 * Rows and columns of padding around an image. `valid`: none. `same`: as in TensorFlow, enough for ceil(size / stride)
 * output pixels, with the odd one at the end. Otherwise one number for all sides, [height, width] for both sides of
 * each dimension, or [[top, bottom], [left, right]].
 */
export type Padding2d =
  | 'valid'
  | 'same'
  | Size2d
  | readonly [rows: readonly [top: number, bottom: number], columns: readonly [left: number, right: number]];

/** Padding before and after, for height and width. */
type Margins = readonly [readonly [number, number], readonly [number, number]];

/** A window that slides over images. */
export interface Window2d {
  readonly window: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: 'same' | Margins;
}

export interface Window2dOptions {
  window: Size2d;
  stride?: Size2d | undefined;
  padding?: Padding2d | undefined;
}

export function checkPair(name: string, value: unknown, min: number): [number, number] {
  const range = { min, max: MAX_SIZE };
  if (!Array.isArray(value)) {
    const size = checkInteger(name, value, range);
    return [size, size];
  }
  if (value.length !== 2) throw invalid(name, 'an integer or a pair [height, width]', value);
  return [checkInteger(`${name}[0]`, value[0], range), checkInteger(`${name}[1]`, value[1], range)];
}

function checkPadding(name: string, value: unknown): 'same' | Margins {
  if (value === 'same') return value;
  if (value === 'valid') return checkPadding(name, 0);
  if (typeof value !== 'number' && !Array.isArray(value)) {
    throw invalid(name, "'same', 'valid', an integer, [height, width] or [[top, bottom], [left, right]]", value);
  }
  if (Array.isArray(value) && value.some(Array.isArray)) {
    if (value.length !== 2 || !value.every((side) => Array.isArray(side) && side.length === 2)) {
      throw invalid(name, '[[top, bottom], [left, right]]', value);
    }
    return [checkPair(`${name}[0]`, value[0], 0), checkPair(`${name}[1]`, value[1], 0)];
  }
  const [height, width] = checkPair(name, value, 0);
  return [
    [height, height],
    [width, width],
  ];
}

/** Checks window, stride and padding of the layer `type`. */
export function checkWindow(type: string, { window, stride = 1, padding = 'valid' }: Window2dOptions): Window2d {
  return {
    window: checkPair(`${type}: window`, window, 1),
    stride: checkPair(`${type}: stride`, stride, 1),
    padding: checkPadding(`${type}: padding`, padding),
  };
}

/** The input's height, width and channels. Throws if samples are not images. */
export function imageShape(type: string, input: Shape): readonly [height: number, width: number, channels: number] {
  if (input.length !== 3) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `${type}: input: expected samples of the shape [height, width, channels], got [${input.join(', ')}]`,
    );
  }
  return [input[0], input[1], input[2]];
}

/** From one pixel of a window to the next, in pixels of the image: height, width. */
export type Dilation = readonly [number, number];

/** Checks the dilation of a window: what it spans must be a size, too. */
export function checkDilation(type: string, value: unknown, { window }: Window2d): Dilation {
  const dilation = checkPair(`${type}: dilation`, value, 1);
  if (window.some((size, axis) => span(size, dilation[axis]) > MAX_SIZE)) {
    throw invalid(`${type}: dilation`, 'a window that spans less than 2^31 pixels', value);
  }
  return dilation;
}

/** The pixels from the first of a window to its last one, in one dimension. */
function span(window: number, dilation: number): number {
  return (window - 1) * dilation + 1;
}

/** Number of window positions along one dimension, and the padding before the first. */
function positions(
  type: string,
  dimension: 'height' | 'width',
  size: number,
  { window, stride, padding }: Window2d,
  dilation: Dilation,
) {
  const axis = dimension === 'height' ? 0 : 1;
  const spanned = span(window[axis], dilation[axis]);
  if (padding === 'same') {
    const out = Math.ceil(size / stride[axis]);
    const pads = Math.max(0, (out - 1) * stride[axis] + spanned - size);
    return { out, before: Math.floor(pads / 2) };
  }
  const [before, after] = padding[axis];
  const out = Math.floor((size + before + after - spanned) / stride[axis]) + 1;
  if (out < 1) {
    const dilated = dilation[axis] === 1 ? '' : ` with dilation ${dilation[axis]}`;
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `${type}: a window of ${dimension} ${window[axis]}${dilated} does not fit into an input of ${dimension} ${size} with padding ${before} + ${after}`,
    );
  }
  return { out, before };
}

/** The kernels' size arguments, except for the rows, for a window over images of shape `input`. */
export function geometry(type: string, input: Shape, window: Window2d, dilation: Dilation = [1, 1]): Geometry {
  const [height, width, channels] = imageShape(type, input);
  const rows = positions(type, 'height', height, window, dilation);
  const columns = positions(type, 'width', width, window, dilation);
  return {
    height,
    width,
    channels,
    outHeight: rows.out,
    outWidth: columns.out,
    windowHeight: window.window[0],
    windowWidth: window.window[1],
    strideHeight: window.stride[0],
    strideWidth: window.stride[1],
    padTop: rows.before,
    padLeft: columns.before,
  };
}

/** Output shape of the window with this many channels. */
export function outputShape(
  type: string,
  { outHeight, outWidth }: Pick<Geometry, 'outHeight' | 'outWidth'>,
  channels: number,
): number[] {
  return checkShape(`${type}: output`, [outHeight, outWidth, channels]);
}
