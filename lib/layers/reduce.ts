import { checkArity, checkBoolean, checkInteger, INTEGERS } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { codeOf, type Reduction } from '../kernels/codes.js';
import { type Builder, elements, rows, type Shape, type Tensor } from '../program/instructions.js';
import { type LayerSpec, layerOptions, registerLayer, spec } from './layer.js';

/** Options of the layers that reduce dimensions, such as {@link sum} and {@link mean}. */
export interface ReduceOptions {
  /** Dimension of a sample to reduce, or several; negative ones count from the last. Default: all. */
  axis?: number | readonly number[];
  /** Keep reduced dimensions as dimensions of 1; default false. */
  keepDimension?: boolean;
  name?: string;
}

interface ReduceSpec extends LayerSpec {
  readonly axis: number | readonly number[] | undefined;
  readonly keepDimension: boolean;
}

/** The position of a dimension, which may count from the end. Throws `SHAPE_MISMATCH` if the sample has none such. */
export function axisOf(type: string, axis: number, shape: Shape): number {
  const rank = shape.length;
  const position = axis < 0 ? axis + rank : axis;
  if (position >= 0 && position < rank) return position;
  const text = `expected a dimension of samples of the shape [${shape.join(', ')}], got ${axis}`;
  throw new BlasnetError('SHAPE_MISMATCH', `${type}: axis: ${text}`);
}

/** One call of the kernel: neighbouring dimensions become one. */
interface Stage {
  readonly outer: number;
  readonly axis: number;
  readonly inner: number;
}

/** The calls that reduce some dimensions, given in ascending order: the last ones first. */
function stagesOf(shape: Shape, axes: readonly number[]): Stage[] {
  const left = [...shape];
  const stages: Stage[] = [];
  for (let i = axes.length - 1; i >= 0; i--) {
    const last = axes[i];
    while (i > 0 && axes[i - 1] === axes[i] - 1) i--;
    const first = axes[i];
    const [outer, inner] = [elements(left.slice(0, first)), elements(left.slice(last + 1))];
    stages.push({ outer, axis: elements(left.slice(first, last + 1)), inner });
    left.fill(1, first, last + 1);
  }
  return stages;
}

/**
 * Writes the reduction of some dimensions of x, in ascending order; at least one. Returns the result, and the function
 * that writes the gradient of x from that of the result.
 */
export function emitReduce(
  builder: Builder,
  x: Tensor,
  shape: Shape,
  axes: readonly number[],
  reduction: Reduction,
): { y: Tensor; backward(dy: Tensor): Tensor } {
  const operation = codeOf('reduction', reduction);
  let y = x;
  const done = stagesOf(shape, axes).map(({ outer, axis, inner }) => {
    const sizes = { rows: rows(outer), axis, inner, operation };
    const from = y;
    y = builder.perRow(reduction, outer * inner);
    builder.emit('reduce', { y, x: from, ...sizes });
    return { sizes, x: from, y, perRow: outer * axis * inner };
  });
  const backward = (dy: Tensor) =>
    done.reduceRight((gradient, { sizes, perRow, ...values }) => {
      const dx = builder.perRow('dx', perRow);
      builder.emit('reduceBackward', { dx, dy: gradient, ...values, ...sizes });
      return dx;
    }, dy);
  return { y, backward };
}

function reduction(type: Reduction) {
  const make = {
    [type](options?: ReduceOptions): LayerSpec {
      checkArity(type, arguments, 1);
      const { axis, keepDimension = false, name } = layerOptions(type, options, ['axis', 'keepDimension']);
      const check = (label: string, value: unknown) => checkInteger(label, value, INTEGERS);
      const checked = Array.isArray(axis)
        ? axis.map((value, i) => check(`${type}: axis[${i}]`, value))
        : axis === undefined
          ? axis
          : check(`${type}: axis`, axis);
      return spec<ReduceSpec>({
        type,
        name,
        axis: checked,
        keepDimension: checkBoolean(`${type}: keepDimension`, keepDimension),
      });
    },
  }[type];
  registerLayer<ReduceSpec>(type, make, ({ axis, keepDimension }, input) => {
    const given = typeof axis === 'number' ? [axis] : (axis ?? input.map((_, i) => i));
    const axes = [...new Set(given.map((each) => axisOf(type, each, input)))].sort((a, b) => a - b);
    const kept = keepDimension
      ? input.map((size, i) => (axes.includes(i) ? 1 : size))
      : input.filter((_, i) => !axes.includes(i));
    return {
      output: kept.length === 0 ? [1] : kept,
      parameters: [],
      state: [],
      forward(builder, x) {
        const { y, backward } = emitReduce(builder, x, input, axes, type);
        return { y, backward: (dy, needInputGradient) => (needInputGradient ? backward(dy) : undefined) };
      },
    };
  });
  return make;
}

/** Sum over dimensions of a sample. Over all of them, the result has the shape [1]. Throws `SHAPE_MISMATCH`. */
export const sum = reduction('sum');
/** Mean over dimensions of a sample. Shapes and errors as in `sum`. */
export const mean = reduction('mean');
/** Largest element over dimensions of a sample; the first of equal ones gets the gradient. Shapes as in `sum`. */
export const max = reduction('max');
/** log Σ eˣ over dimensions of a sample, computed without overflow. Shapes as in `sum`. */
export const logSumExp = reduction('logSumExp');
