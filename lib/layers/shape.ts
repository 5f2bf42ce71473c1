import { checkArity, checkInteger, checkNumber, INTEGERS, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { codeOf } from '../kernels/codes.js';
import { type Builder, elements, rows, type Shape, type Tensor } from '../program/instructions.js';
import { type Layer, type LayerSpec, layerOptions, registerLayer, spec } from './layer.js';
import { all, checkCopy, emitCopy, reversed, type StridedCopy, stridesOf } from './strided.js';
import { imageShape, type Size2d } from './window.js';

export interface ShapeOptions {
  name?: string;
}

function checkList(name: string, value: unknown, text: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length === 0) throw invalid(name, text, value);
  return value;
}

function checkIntegers(name: string, value: unknown, min: number): number[] {
  const list = checkList(name, value, 'a non-empty list of integers');
  return Array.from(list, (each, i) => checkInteger(`${name}[${i}]`, each, { ...INTEGERS, min }));
}

function mismatch(type: string, text: string, input: Shape): BlasnetError {
  return new BlasnetError(
    'SHAPE_MISMATCH',
    `${type}: expected ${text}, got samples of the shape [${input.join(', ')}]`,
  );
}

/** A layer that copies elements. With `fill`, the elements of y that are not copied to have that value. */
function copying(output: Shape, copy: StridedCopy, fill?: number): Layer {
  const back = reversed(copy);
  // Elements of x that are not copied get no gradient.
  const rest = elements(copy.dims) < back.to.perRow ? 0 : undefined;
  return {
    output,
    parameters: [],
    state: [],
    forward(builder, x) {
      const y = builder.perRow('y', elements(output));
      emitCopy(builder, y, x, copy, fill);
      return {
        y,
        backward(dy, needInputGradient) {
          if (!needInputGradient) return undefined;
          const dx = builder.perRow('dx', back.to.perRow);
          emitCopy(builder, dx, dy, back, rest);
          return dx;
        },
      };
    },
  };
}

interface ReshapeSpec extends LayerSpec {
  readonly shape: readonly number[];
}

/**
 * The same elements in samples of another shape, row-major, without copying. One dimension may be −1: what is left for
 * it. Throws `SHAPE_MISMATCH` if the numbers of elements differ.
 */
export function reshape(shape: readonly number[], options?: ShapeOptions): LayerSpec {
  checkArity('reshape', arguments, 2);
  const { name } = layerOptions('reshape', options, []);
  const sizes = checkIntegers('reshape: shape', shape, -1);
  if (sizes.includes(0) || sizes.filter((size) => size < 0).length > 1)
    throw invalid('reshape: shape', 'positive integers, at most one of them −1', shape);
  return spec<ReshapeSpec>({ type: 'reshape', name, shape: sizes });
}

const readReshape = ({ shape, ...options }: ReshapeSpec) => reshape(shape, options);
registerLayer<ReshapeSpec>('reshape', readReshape, ({ shape }, input) => {
  const known = elements(shape.filter((size) => size > 0));
  const output = shape.map((size) => (size < 0 ? elements(input) / known : size));
  if (elements(output) !== elements(input) || !output.every(Number.isInteger))
    throw mismatch('reshape', `as many elements as [${shape.join(', ')}] has`, input);
  return { output, parameters: [], state: [], forward: (_builder, x) => ({ y: x, backward: (dy) => dy }) };
});

interface PermuteSpec extends LayerSpec {
  readonly axes: readonly number[];
}

/**
 * The dimensions of a sample in another order: dimension i of the result is dimension `axes[i]` of the input.
 * `permute([2, 0, 1])` makes [channels, height, width] of images. Throws `SHAPE_MISMATCH` if samples have another
 * number of dimensions.
 */
export function permute(axes: readonly number[], options?: ShapeOptions): LayerSpec {
  checkArity('permute', arguments, 2);
  const { name } = layerOptions('permute', options, []);
  const order = checkIntegers('permute: axes', axes, 0);
  if ([...order].sort((a, b) => a - b).some((axis, i) => axis !== i))
    throw invalid('permute: axes', 'each dimension from 0 once', axes);
  return spec<PermuteSpec>({ type: 'permute', name, axes: order });
}

const readPermute = ({ axes, ...options }: PermuteSpec) => permute(axes, options);
registerLayer<PermuteSpec>('permute', readPermute, ({ axes }, input) => {
  if (axes.length !== input.length) throw mismatch('permute', `samples of ${axes.length} dimensions`, input);
  const output = axes.map((axis) => input[axis]);
  const strides = stridesOf(input);
  const from = { ...all(input), strides: axes.map((axis) => strides[axis]) };
  return copying(output, checkCopy('permute', { dims: output, to: all(output), from }));
});

interface SliceSpec extends LayerSpec {
  readonly begin: readonly number[];
  readonly end: readonly number[] | undefined;
}

/** Options of {@link slice}. */
export interface SliceOptions {
  /** First index in each dimension; negative ones count from the end. */
  begin: readonly number[];
  /** Index after the last, in each dimension; negative ones count from the end. Default: all from `begin`. */
  end?: readonly number[];
  name?: string;
}

/**
 * The part of each sample from `begin` up to `end`, without it, in each dimension. Throws `SHAPE_MISMATCH` if that is
 * not a part of the sample, or empty.
 */
export function slice(options: SliceOptions): LayerSpec {
  checkArity('slice', arguments, 1);
  const { begin, end, name } = layerOptions('slice', options, ['begin', 'end']);
  const first = checkIntegers('slice: begin', begin, INTEGERS.min);
  const last = end === undefined ? undefined : checkIntegers('slice: end', end, INTEGERS.min);
  if (last !== undefined && last.length !== first.length)
    throw invalid('slice: end', `as many numbers as begin has (${first.length})`, end);
  return spec<SliceSpec>({ type: 'slice', name, begin: first, end: last });
}

registerLayer<SliceSpec>('slice', slice, ({ begin, end }, input) => {
  if (begin.length !== input.length) throw mismatch('slice', `samples of ${begin.length} dimensions`, input);
  const index = (value: number, i: number) => (value < 0 ? value + input[i] : value);
  const first = begin.map(index);
  const last = end === undefined ? input : end.map(index);
  const output = last.map((value, i) => value - first[i]);
  if (output.some((size, i) => size < 1 || first[i] < 0 || last[i] > input[i]))
    throw mismatch('slice', `samples with elements from [${begin}] up to [${end ?? input}]`, input);
  const strides = stridesOf(input);
  const offset = first.reduce((total, value, i) => total + value * strides[i], 0);
  const copy = { dims: output, to: all(output), from: { perRow: elements(input), offset, strides } };
  return copying(output, checkCopy('slice', copy));
});

/** Elements before and after each dimension of a sample. */
export type Margins = readonly (readonly [before: number, after: number])[];

interface PadSpec extends LayerSpec {
  readonly padding: Margins;
  readonly value: number;
}

/**
 * Elements of `value` (default 0) around each sample: `padding` has [before, after] for each of its dimensions. Throws
 * `SHAPE_MISMATCH` if samples have another number of dimensions.
 */
export function pad(padding: Margins, options?: ShapeOptions & { value?: number }): LayerSpec {
  checkArity('pad', arguments, 2);
  const { value = 0, name } = layerOptions('pad', options, ['value']);
  const margins = checkList('pad: padding', padding, 'a list of [before, after]').map((pair, i) => {
    const [before, after, ...more] = checkIntegers(`pad: padding[${i}]`, pair, 0);
    if (after === undefined || more.length > 0) throw invalid(`pad: padding[${i}]`, '[before, after]', pair);
    return [before, after] as const;
  });
  return spec<PadSpec>({ type: 'pad', name, padding: margins, value: checkNumber('pad: value', value) });
}

const readPad = ({ padding, ...options }: PadSpec) => pad(padding, options);
registerLayer<PadSpec>('pad', readPad, ({ padding, value }, input) => {
  if (padding.length !== input.length) throw mismatch('pad', `samples of ${padding.length} dimensions`, input);
  const output = input.map((size, i) => padding[i][0] + size + padding[i][1]);
  const strides = stridesOf(output);
  const offset = padding.reduce((total, [before], i) => total + before * strides[i], 0);
  const copy = { dims: input, to: { perRow: elements(output), offset, strides }, from: all(input) };
  return copying(output, checkCopy('pad', copy), value);
});

interface UpsampleSpec extends LayerSpec {
  readonly factor: readonly [number, number];
}

/**
 * Each pixel repeated `factor` times (default 2), or [vertically, horizontally]: [height, width, channels] → [height ·
 * factor, width · factor, channels]. Throws `SHAPE_MISMATCH` if samples are not images.
 */
export function upsample2d(factor: Size2d = 2, options?: ShapeOptions): LayerSpec {
  checkArity('upsample2d', arguments, 2);
  const { name } = layerOptions('upsample2d', options, []);
  const pair = Array.isArray(factor) ? checkIntegers('upsample2d: factor', factor, 1) : undefined;
  if (pair !== undefined && pair.length !== 2)
    throw invalid('upsample2d: factor', 'an integer or a pair of integers', factor);
  const each = (): number => checkInteger('upsample2d: factor', factor, { ...INTEGERS, min: 1 });
  const [vertical, horizontal] = pair ?? [each(), each()];
  return spec<UpsampleSpec>({ type: 'upsample2d', name, factor: [vertical, horizontal] });
}

const readUpsample = ({ factor, ...options }: UpsampleSpec) => upsample2d(factor, options);
registerLayer<UpsampleSpec>('upsample2d', readUpsample, ({ factor: [down, across] }, input) => {
  const [height, width, channels] = imageShape('upsample2d', input);
  const output = [height * down, width * across, channels];
  const dims = [height, down, width, across, channels];
  const from = { ...all(input), strides: [width * channels, 0, channels, 0, 1] };
  const copy = { dims, to: all(dims), from };
  const operation = codeOf('reduction', 'sum');
  // The gradient of a pixel is the sum of those of its copies.
  const total = (builder: Builder, x: Tensor, outer: number, axis: number, inner: number) => {
    if (axis === 1) return x;
    const y = builder.perRow('dx', outer * inner);
    const sizes = { rows: rows(outer), axis, inner, operation };
    builder.emit('reduce', { y, x, ...sizes });
    return y;
  };
  return {
    output,
    parameters: [],
    state: [],
    forward(builder, x) {
      const y = builder.perRow('y', elements(output));
      emitCopy(builder, y, x, copy);
      return {
        y,
        backward(dy, needInputGradient) {
          if (!needInputGradient) return undefined;
          const once = total(builder, dy, height * down * width, across, channels);
          return total(builder, once, height, down, width * channels);
        },
      };
    },
  };
});
