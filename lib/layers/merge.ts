import { checkBoolean, checkInteger, INTEGERS } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { type BinaryOperation, codeOf } from '../kernels/codes.js';
import { type Builder, elements, type MergePass, rows, type Shape, type Tensor } from '../program/instructions.js';
import { type LayerSpec, layerOptions, registerMerge, spec } from './layer.js';
import { axisOf, emitReduce } from './reduce.js';
import { all, checkCopy, emitCopy, reversed, type StridedCopy, stridesOf } from './strided.js';

interface MergeOptions {
  name?: string;
}

const list = (shapes: readonly Shape[]) => {
  const texts = shapes.map((shape) => `[${shape.join(', ')}]`);
  return `${texts.slice(0, -1).join(', ')} and ${texts.at(-1)}`;
};

function mismatch(type: string, wanted: string, inputs: readonly Shape[]): BlasnetError {
  return new BlasnetError('SHAPE_MISMATCH', `${type}: expected ${wanted}, got samples of ${list(inputs)}`);
}

/**
 * The shape to which all inputs are repeated, as in NumPy: shapes are aligned at their last dimensions, and dimensions
 * of 1, or that a shape lacks, fit any other.
 */
function broadcast(type: string, inputs: readonly Shape[]): Shape {
  const rank = Math.max(...inputs.map(({ length }) => length));
  const aligned = inputs.map((shape) => align(shape, rank));
  return Array.from({ length: rank }, (_, i) => {
    const sizes = aligned.map((shape) => shape[i]).filter((size) => size !== 1);
    if (sizes.some((size) => size !== sizes[0])) throw mismatch(type, 'shapes that broadcast to one', inputs);
    return sizes[0] ?? 1;
  });
}

const align = (shape: Shape, rank: number): Shape => [...Array<number>(rank - shape.length).fill(1), ...shape];

/** An input that is repeated to a larger shape where it has to be. */
class Repeated {
  readonly #input: Shape;
  readonly #output: Shape;
  /** Undefined if it has all elements already. */
  readonly #copy: StridedCopy | undefined;

  constructor(type: string, input: Shape, output: Shape) {
    this.#input = align(input, output.length);
    this.#output = output;
    if (elements(input) === elements(output)) return;
    const strides = stridesOf(this.#input).map((stride, i) => (this.#input[i] === output[i] ? stride : 0));
    this.#copy = checkCopy(type, { dims: output, to: all(output), from: { ...all(this.#input), strides } });
  }

  forward(builder: Builder, x: Tensor): Tensor {
    if (this.#copy === undefined) return x;
    const y = builder.perRow('repeated', elements(this.#output));
    emitCopy(builder, y, x, this.#copy);
    return y;
  }

  /** The gradient of the input from that of its repetition: the sums over the repeated dimensions. */
  backward(builder: Builder, dy: Tensor): Tensor {
    if (this.#copy === undefined) return dy;
    const axes = this.#input.flatMap((size, i) => (size === this.#output[i] ? [] : [i]));
    return emitReduce(builder, dy, this.#output, axes, 'sum').y;
  }
}

/** Writes an operation on repeated inputs; the gradients are those of the repetitions. */
type Write = (builder: Builder, xs: readonly Tensor[], size: number) => MergePass;

/** Registers a layer of the elements of inputs that are repeated to one shape; returns the function of its specs. */
function arithmetic(type: string, write: Write, count?: number) {
  const make = (options?: MergeOptions): LayerSpec =>
    spec<LayerSpec>({ type, name: layerOptions(type, options, []).name });
  registerMerge(type, make, (_, inputs) => {
    if (count !== undefined && inputs.length !== count)
      throw new BlasnetError('INVALID_ARGUMENT', `${type}: expected ${count} inputs, got ${inputs.length}`);
    const output = broadcast(type, inputs);
    const repeated = inputs.map((input) => new Repeated(type, input, output));
    return {
      output,
      forward(builder, xs) {
        const whole = xs.map((x, i) => repeated[i].forward(builder, x));
        const { y, backward } = write(builder, whole, elements(output));
        return {
          y,
          backward: (dy, wanted) =>
            backward(dy, wanted).map((gradient, i) => gradient && repeated[i].backward(builder, gradient)),
        };
      },
    };
  });
  return make;
}

/** y = x0 + x1 + …; the gradient of each input is dy itself. */
const addAll: Write = (builder, [first, ...others], size) => {
  const y = builder.perRow('y', size);
  const common = { n: rows(size), operation: codeOf('binary', 'add') };
  others.forEach((b, i) => {
    builder.emit('binary', { y, a: i === 0 ? first : y, b, ...common });
  });
  return { y, backward: (dy, wanted) => wanted.map((want) => (want ? dy : undefined)) };
};

/** y = f · x. */
function scaled(builder: Builder, y: Tensor, x: Tensor, size: number, alpha: number): void {
  builder.emit('unary', { y, x, n: rows(size), operation: codeOf('unary', 'scale'), alpha, beta: 0 });
}

const averageAll: Write = (builder, xs, size) => {
  const { y, backward } = addAll(builder, xs, size);
  scaled(builder, y, y, size, 1 / xs.length);
  return {
    y,
    backward(dy, wanted) {
      const dx = builder.reuse(dy);
      scaled(builder, dx, dy, size, 1 / xs.length);
      return backward(dx, wanted);
    },
  };
};

const subtractTwo: Write = (builder, [a, b], size) => {
  const y = builder.perRow('y', size);
  builder.emit('binary', { y, a, b, n: rows(size), operation: codeOf('binary', 'subtract') });
  return {
    y,
    backward(dy, [wantA, wantB]) {
      if (!wantB) return [dy, undefined];
      // If the first input needs dy, too, it stays as it is.
      const db = wantA ? builder.perRow('db', size) : builder.reuse(dy);
      scaled(builder, db, dy, size, -1);
      return [wantA ? dy : undefined, db];
    },
  };
};

/** y = (x0 ∘ x1) ∘ …, whose partial results are kept for the gradient. */
const fold =
  (type: BinaryOperation): Write =>
  (builder, [first, ...others], size) => {
    const common = { n: rows(size), operation: codeOf('binary', type) };
    const partial = [first];
    for (const b of others) {
      const y = builder.perRow('y', size);
      builder.emit('binary', { y, a: partial[partial.length - 1], b, ...common });
      partial.push(y);
    }
    return {
      y: partial[partial.length - 1],
      backward(dy, wanted) {
        const gradients = wanted.map((): Tensor | undefined => undefined);
        let gradient = dy;
        for (let i = others.length; i > 0; i--) {
          const before = wanted.slice(0, i).includes(true);
          if (!before && !wanted[i]) continue;
          const own = builder.reuse(gradient);
          const da = before ? own : null;
          const db = !wanted[i] ? null : before ? builder.perRow('db', size) : own;
          builder.emit('binaryBackward', { da, db, dy: gradient, a: partial[i - 1], b: others[i - 1], ...common });
          if (db !== null) gradients[i] = db;
          if (da === null) return gradients;
          gradient = da;
        }
        gradients[0] = wanted[0] ? gradient : undefined;
        return gradients;
      },
    };
  };

/** Sum of two or more inputs. */
export const addSpec = arithmetic('add', addAll);
/** Mean of two or more inputs. */
export const averageSpec = arithmetic('average', averageAll);
/** First input minus the second. */
export const subtractSpec = arithmetic('subtract', subtractTwo, 2);
/** Product of two or more inputs. */
export const multiplySpec = arithmetic('multiply', fold('multiply'));
/** First input divided by the second. */
export const divideSpec = arithmetic('divide', fold('divide'), 2);
/** Largest of two or more inputs, element by element; the first of equal ones gets the gradient. */
export const maximumSpec = arithmetic('maximum', fold('maximum'));
/** Smallest of two or more inputs, element by element; the first of equal ones gets the gradient. */
export const minimumSpec = arithmetic('minimum', fold('minimum'));

interface ConcatSpec extends LayerSpec {
  readonly axis: number;
}

/** The inputs one after the other along a dimension of the samples, by default the last. */
export function concatSpec(options?: MergeOptions & { axis?: number }): LayerSpec {
  const { axis = -1, name } = layerOptions('concat', options, ['axis']);
  const checked = checkInteger('concat: axis', axis, INTEGERS);
  return spec<ConcatSpec>({ type: 'concat', name, axis: checked });
}

registerMerge<ConcatSpec>('concat', concatSpec, ({ axis }, inputs) => {
  const along = axisOf('concat', axis, inputs[0]);
  const fits = (shape: Shape) =>
    shape.length === inputs[0].length && shape.every((size, i) => i === along || size === inputs[0][i]);
  if (!inputs.every(fits)) throw mismatch('concat', `shapes that differ only in dimension ${along}`, inputs);
  const total = inputs.reduce((sum, shape) => sum + shape[along], 0);
  const output = inputs[0].map((size, i) => (i === along ? total : size));
  const strides = stridesOf(output);
  let begin = 0;
  const copies = inputs.map((shape) => {
    const to = { perRow: elements(output), offset: begin * strides[along], strides };
    begin += shape[along];
    return checkCopy('concat', { dims: shape, to, from: all(shape) });
  });
  return {
    output,
    forward(builder, xs) {
      const y = builder.perRow('y', elements(output));
      xs.forEach((x, i) => {
        emitCopy(builder, y, x, copies[i]);
      });
      return {
        y,
        backward: (dy, wanted) =>
          copies.map((copy, i) => {
            if (!wanted[i]) return undefined;
            const dx = builder.perRow('dx', elements(inputs[i]));
            emitCopy(builder, dx, dy, reversed(copy));
            return dx;
          }),
      };
    },
  };
});

interface MatmulSpec extends LayerSpec {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

export interface MatmulOptions extends MergeOptions {
  /** Whether the first input holds its matrices transposed; default false. */
  transposeA?: boolean;
  /** Whether the second input holds its matrices transposed; default false. */
  transposeB?: boolean;
}

/** The product of the matrices in the last two dimensions of two inputs; other dimensions must be equal. */
export function matmulSpec(options?: MatmulOptions): LayerSpec {
  const {
    transposeA = false,
    transposeB = false,
    name,
  } = layerOptions('matmul', options, ['transposeA', 'transposeB']);
  return spec<MatmulSpec>({
    type: 'matmul',
    name,
    transposeA: checkBoolean('matmul: transposeA', transposeA),
    transposeB: checkBoolean('matmul: transposeB', transposeB),
  });
}

/** One product per row of the batch and per matrix of a sample. */
function product(
  builder: Builder,
  c: Tensor,
  a: Tensor,
  b: Tensor,
  sizes: { count: number; m: number; n: number; k: number },
  transA: boolean,
  transB: boolean,
): void {
  const { count, ...dimensions } = sizes;
  const flags = { transA: Number(transA), transB: Number(transB) };
  builder.emit('matmulBatch', { c, a, b, rows: rows(count), ...dimensions, ...flags });
}

registerMerge<MatmulSpec>('matmul', matmulSpec, ({ transposeA, transposeB }, inputs) => {
  if (inputs.length !== 2)
    throw new BlasnetError('INVALID_ARGUMENT', `matmul: expected two inputs, got ${inputs.length}`);
  const [first, second] = inputs;
  const outer = first.slice(0, -2);
  const alike = first.length >= 2 && second.length === first.length && outer.every((size, i) => size === second[i]);
  if (!alike) throw mismatch('matmul', 'matrices of two or more dimensions, equal but for the last two', inputs);
  const [[m, k], [inner, n]] = inputs.map((shape, i) => {
    const [rowCount, columns] = shape.slice(-2);
    return (i === 0 ? transposeA : transposeB) ? [columns, rowCount] : [rowCount, columns];
  });
  if (k !== inner) throw mismatch('matmul', `as many columns as rows (got ${k} and ${inner})`, inputs);
  const count = elements(outer);
  return {
    output: [...outer, m, n],
    forward(builder, [a, b]) {
      const c = builder.perRow('y', count * m * n);
      product(builder, c, a, b, { count, m, n, k }, transposeA, transposeB);
      return {
        y: c,
        backward(dc, [wantA, wantB]) {
          let [da, db]: (Tensor | undefined)[] = [];
          if (wantA) {
            da = builder.perRow('da', count * m * k);
            if (transposeA) product(builder, da, b, dc, { count, m: k, n: m, k: n }, transposeB, true);
            else product(builder, da, dc, b, { count, m, n: k, k: n }, false, !transposeB);
          }
          if (wantB) {
            db = builder.perRow('db', count * k * n);
            if (transposeB) product(builder, db, dc, a, { count, m: n, n: k, k: m }, true, transposeA);
            else product(builder, db, a, dc, { count, m: k, n, k: m }, !transposeA, false);
          }
          return [da, db];
        },
      };
    },
  };
});

/** The scalar product of two inputs of one shape along the last dimension: [..., n] → [...], at least [1]. */
export function dotSpec(options?: MergeOptions): LayerSpec {
  return spec<LayerSpec>({ type: 'dot', name: layerOptions('dot', options, []).name });
}

registerMerge('dot', dotSpec, (_, inputs) => {
  if (inputs.length !== 2) throw new BlasnetError('INVALID_ARGUMENT', `dot: expected two inputs, got ${inputs.length}`);
  const [first, second] = inputs;
  if (first.length !== second.length || first.some((size, i) => size !== second[i]))
    throw mismatch('dot', 'equal shapes', inputs);
  const k = first[first.length - 1];
  const outer = first.slice(0, -1);
  const count = elements(outer);
  return {
    output: outer.length === 0 ? [1] : outer,
    forward(builder, [a, b]) {
      const y = builder.perRow('y', count);
      product(builder, y, a, b, { count, m: 1, n: 1, k }, false, false);
      const gradient = (name: string, dy: Tensor, other: Tensor) => {
        const dx = builder.perRow(name, count * k);
        product(builder, dx, dy, other, { count, m: 1, n: k, k: 1 }, false, false);
        return dx;
      };
      return {
        y,
        backward: (dy, [wantA, wantB]) => [
          wantA ? gradient('da', dy, b) : undefined,
          wantB ? gradient('db', dy, a) : undefined,
        ],
      };
    },
  };
});
