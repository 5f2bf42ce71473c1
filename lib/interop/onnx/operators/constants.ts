/** Tensors that do not depend on the inputs: sizes, margins and weights that a file computes. */
import { MAX_RANK, MAX_SIZE } from '../../../checks.js';
import { stridesOf } from '../../../layers/strided.js';
import { elements, type Shape } from '../../../program/instructions.js';
import { shapeText } from '../../../text.js';
import { BATCH, type NodeReading } from '../graph-reader.js';
import { BOOL, FLOAT, FLOATING, INT32, INT64, isTensor, type OnnxTensor } from '../model.js';
import { constantReaders } from './reader.js';

function checkRank(reading: NodeReading, rank: number): void {
  if (rank > MAX_RANK) throw reading.unsupported(`a tensor of more than ${MAX_RANK} dimensions`);
}

/** A tensor input that may not be omitted. */
function tensor(reading: NodeReading, i: number): OnnxTensor {
  const found = reading.constant(i);
  if (found === undefined) throw reading.corrupt(`input ${i} is missing`);
  checkRank(reading, found.shape.length);
  return found;
}

/** The dimension that `given` counts, maybe from the end. */
function dimension(reading: NodeReading, given: number, rank: number): number {
  const axis = given < 0 ? given + rank : given;
  if (!(axis >= 0 && axis < rank)) throw reading.corrupt(`there is no dimension ${given}`);
  return axis;
}

/** The integers from 0 to below a size. */
function indicesOf(reading: NodeReading, size: number): number[] {
  // A tensor without elements may have a size of any magnitude.
  reading.graph.countNumbers(size);
  return Array.from({ length: size }, (_, i) => i);
}

/** `at` of the indices of each place of a shape, one after the other. */
function* eachOf(shape: Shape, at: (indices: readonly number[]) => number): Generator<number> {
  const indices = shape.map(() => 0);
  for (let i = elements(shape); i > 0; i--) {
    yield at(indices);
    for (let axis = shape.length - 1; axis >= 0 && ++indices[axis] === shape[axis]; axis--) indices[axis] = 0;
  }
}

/** A tensor of this shape whose element with the indices i is `at(i)`. */
function tabulate(
  reading: NodeReading,
  shape: Shape,
  isFloat: boolean,
  at: (indices: readonly number[]) => number,
): OnnxTensor {
  if (shape.includes(BATCH)) throw reading.unsupported('a tensor with an element for each sample');
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0))
    throw reading.corrupt(`the shape ${shapeText(shape)}`);
  checkRank(reading, shape.length);
  reading.graph.countNumbers(elements(shape));
  const values = eachOf(shape, at);
  return { shape, values: isFloat ? Float32Array.from(values) : [...values] };
}

/** A number that may be computed with, unless it is the size of the batch. */
function known(reading: NodeReading, x: number): number {
  if (x === BATCH) throw reading.unsupported('it computes with the size of the batch');
  return x;
}

const isFloat = ({ values }: OnnxTensor): boolean => values instanceof Float32Array;

/** The elements of a tensor: in dimension i those of the indices `picked[i]`. */
function pick(reading: NodeReading, from: OnnxTensor, picked: readonly (readonly number[])[]): OnnxTensor {
  const strides = stridesOf(from.shape);
  const shape = picked.map(({ length }) => length);
  return tabulate(reading, shape, isFloat(from), (indices) => {
    return from.values[indices.reduce((sum, index, axis) => sum + picked[axis][index] * strides[axis], 0)];
  });
}

/** The shape to which several tensors broadcast. */
function broadcastShape(reading: NodeReading, shapes: readonly Shape[]): number[] {
  const rank = Math.max(...shapes.map(({ length }) => length));
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    const size = sizes.find((each) => each !== 1) ?? 1;
    if (sizes.some((each) => each !== 1 && each !== size))
      throw reading.corrupt(`the shapes ${shapes.map(shapeText).join(' and ')} do not fit`);
    return size;
  });
}

/** The element of a tensor at indices of a shape to which it broadcasts. */
function elementOf({ shape, values }: OnnxTensor, rank: number): (indices: readonly number[]) => number {
  // A dimension of 1 is repeated.
  const strides = stridesOf(shape).map((stride, axis) => (shape[axis] === 1 ? 0 : stride));
  const more = rank - shape.length;
  return (indices) => values[strides.reduce((sum, stride, axis) => sum + indices[axis + more] * stride, 0)];
}

/** The elements of a tensor that broadcasts to a shape. */
export function broadcastTo(tensor: OnnxTensor, shape: Shape): Iterable<number> {
  return eachOf(shape, elementOf(tensor, shape.length));
}

/** `combine` of the elements of tensors that broadcast. */
function broadcast(
  reading: NodeReading,
  tensors: readonly OnnxTensor[],
  hasFloats: boolean,
  combine: (...values: number[]) => number,
): OnnxTensor {
  const shape = broadcastShape(
    reading,
    tensors.map((each) => each.shape),
  );
  const elementsAt = tensors.map((each) => elementOf(each, shape.length));
  return tabulate(reading, shape, hasFloats, (indices) => combine(...elementsAt.map((at) => at(indices))));
}

constantReaders.set('Constant', (reading) => {
  const { attributes } = reading.node;
  const value = attributes.get('value');
  if (isTensor(value)) return value;
  const [float, floats] = [attributes.get('value_float'), attributes.get('value_floats')];
  if (typeof float === 'number') return { shape: [], values: Float32Array.of(float) };
  if (Array.isArray(floats)) return { shape: [floats.length], values: Float32Array.from(floats) };
  const [int, ints] = [attributes.get('value_int'), attributes.get('value_ints')];
  if (typeof int === 'number') return { shape: [], values: [int] };
  if (Array.isArray(ints)) return { shape: [ints.length], values: ints };
  throw reading.corrupt('it has no value');
});

constantReaders.set('ConstantOfShape', (reading) => {
  const given = reading.node.attributes.get('value');
  const { values } = isTensor(given) ? given : { values: Float32Array.of(0) };
  if (values.length !== 1) throw reading.corrupt('its value is not one number');
  return tabulate(reading, reading.integers(0) ?? [], values instanceof Float32Array, () => values[0]);
});

constantReaders.set('Identity', (reading) => tensor(reading, 0));

constantReaders.set('Cast', (reading) => {
  const from = tensor(reading, 0);
  const to = reading.int('to', FLOAT);
  // Rounded to float32 also where float16 is asked for.
  if (FLOATING.includes(to)) return broadcast(reading, [from], true, (x) => known(reading, x));
  if (to === BOOL) return broadcast(reading, [from], false, (x) => (known(reading, x) === 0 ? 0 : 1));
  if (to === INT32 || to === INT64) return broadcast(reading, [from], false, Math.trunc);
  throw reading.unsupported(`a constant as the element type ${to}`);
});

constantReaders.set('Reshape', (reading) => {
  const { shape, values } = tensor(reading, 0);
  const given = reading.list(1, 'shape') ?? [];
  const sizes = given.map((size, i) => (size === 0 ? shape[i] : size));
  const known = elements(sizes.filter((size) => size !== -1));
  const to = sizes.map((size) => (size === -1 ? values.length / known : size));
  checkRank(reading, to.length);
  if (elements(to) !== values.length || !to.every((size) => Number.isSafeInteger(size) && size >= 0))
    throw reading.corrupt(`${shapeText(shape)} in the shape ${shapeText(given)}`);
  return { shape: to, values };
});

constantReaders.set('Squeeze', (reading) => {
  const { shape, values } = tensor(reading, 0);
  const given = reading.list(1, 'axes')?.map((axis) => dimension(reading, axis, shape.length));
  const gone = given ?? shape.flatMap((size, axis) => (size === 1 ? [axis] : []));
  if (gone.some((axis) => shape[axis] !== 1)) throw reading.corrupt('it removes a dimension that is not 1');
  return { shape: shape.filter((_, axis) => !gone.includes(axis)), values };
});

constantReaders.set('Unsqueeze', (reading) => {
  const { shape, values } = tensor(reading, 0);
  const given = reading.list(1, 'axes') ?? [];
  const rank = shape.length + given.length;
  const made = [...shape];
  checkRank(reading, rank);
  const added = given.map((each) => dimension(reading, each, rank)).sort((a, b) => a - b);
  if (new Set(added).size < added.length) throw reading.corrupt('it adds a dimension twice');
  for (const axis of added) made.splice(axis, 0, 1);
  return { shape: made, values };
});

constantReaders.set('Transpose', (reading) => {
  const from = tensor(reading, 0);
  const perm = reading.ints('perm') ?? from.shape.map((_, axis) => axis).reverse();
  const isOrder = perm.length === from.shape.length && perm.every((_, axis) => perm.includes(axis));
  if (!isOrder) throw reading.corrupt('its order is not one of all dimensions');
  const strides = stridesOf(from.shape);
  return tabulate(
    reading,
    perm.map((axis) => from.shape[axis]),
    isFloat(from),
    (indices) => {
      return from.values[indices.reduce((sum, index, i) => sum + index * strides[perm[i]], 0)];
    },
  );
});

constantReaders.set('Slice', (reading) => {
  const from = tensor(reading, 0);
  const rank = from.shape.length;
  const [starts, ends, axes] = [reading.list(1, 'starts'), reading.list(2, 'ends'), reading.list(3, 'axes')];
  const steps = reading.integers(4);
  if (starts === undefined || ends?.length !== starts.length) throw reading.corrupt('it has no range');
  const picked = from.shape.map((size) => indicesOf(reading, size));
  const taken = new Set<number>();
  starts.forEach((start, i) => {
    const axis = dimension(reading, axes?.[i] ?? i, rank);
    const [size, step] = [from.shape[axis], steps?.[i] ?? 1];
    if (step === 0) throw reading.corrupt('a step of 0');
    if (taken.has(axis)) throw reading.corrupt(`dimension ${axis} twice`);
    taken.add(axis);
    // Backwards, a slice begins at the last element at most, and ends before the first.
    const [least, most] = step > 0 ? [0, size] : [-1, size - 1];
    const place = (index: number) => Math.min(most, Math.max(least, index < 0 ? index + size : index));
    const [begin, end] = [place(start), place(ends[i])];
    const count = Math.max(0, Math.ceil((end - begin) / step));
    picked[axis] = Array.from({ length: count }, (_, at) => begin + at * step);
  });
  return pick(reading, from, picked);
});

constantReaders.set('Concat', (reading) => {
  const tensors = reading.node.inputs.map((_, i) => tensor(reading, i));
  if (tensors.length === 0) throw reading.corrupt('it has no inputs');
  const [{ shape }] = tensors;
  const axis = dimension(reading, reading.int('axis', 0), shape.length);
  const fits = tensors.every((each) => {
    return each.shape.length === shape.length && each.shape.every((size, i) => i === axis || size === shape[i]);
  });
  if (!fits)
    throw reading.corrupt(`the shapes ${tensors.map((each) => shapeText(each.shape)).join(' and ')} do not fit`);
  // In the dimension that grows, which tensor has an element, and where.
  const places = tensors.flatMap((each) => indicesOf(reading, each.shape[axis]).map((i) => [each, i] as const));
  const strides = new Map(tensors.map((each) => [each, stridesOf(each.shape)]));
  const joined = shape.map((size, i) => (i === axis ? places.length : size));
  return tabulate(reading, joined, tensors.some(isFloat), (indices) => {
    const [from, at] = places[indices[axis]];
    const own = strides.get(from) as number[];
    return from.values[indices.reduce((sum, index, i) => sum + (i === axis ? at : index) * own[i], 0)];
  });
});

constantReaders.set('Gather', (reading) => {
  const from = tensor(reading, 0);
  const indices = tensor(reading, 1);
  const axis = dimension(reading, reading.int('axis', 0), from.shape.length);
  const size = from.shape[axis];
  const taken = Array.from(indices.values, (i) => (i < 0 ? i + size : i));
  if (!taken.every((i) => Number.isInteger(i) && i >= 0 && i < size)) throw reading.corrupt('an index is out of range');
  const all = from.shape.map((each) => indicesOf(reading, each));
  const { values } = pick(reading, from, all.with(axis, taken));
  return { shape: [...from.shape.slice(0, axis), ...indices.shape, ...from.shape.slice(axis + 1)], values };
});

constantReaders.set('Expand', (reading) => {
  const from = tensor(reading, 0);
  const shape = broadcastShape(reading, [from.shape, reading.integers(1) ?? []]);
  return tabulate(reading, shape, isFloat(from), elementOf(from, shape.length));
});

/** A result, unless it is not finite, or of integers that other widths would wrap. */
function checked(reading: NodeReading, result: number, hasFloats: boolean): number {
  const rounded = hasFloats ? Math.fround(result) : Math.trunc(result);
  if (!Number.isFinite(rounded)) throw reading.unsupported(`its result is ${rounded}`);
  if (!hasFloats && Math.abs(rounded) > MAX_SIZE) throw reading.unsupported('an integer of more than 32 bits');
  return rounded;
}

/** Arithmetic of two tensors. `neutral` as the second operand, or either one where they commute, changes nothing. */
function arithmetic(
  operator: string,
  compute: (a: number, b: number) => number,
  neutral: number,
  commutes: boolean,
): void {
  constantReaders.set(operator, (reading) => {
    const operands = [tensor(reading, 0), tensor(reading, 1)];
    const hasFloats = operands.some(isFloat);
    return broadcast(reading, operands, hasFloats, (a, b) => {
      if (b === neutral) return a;
      if (commutes && a === neutral) return b;
      return checked(reading, compute(known(reading, a), known(reading, b)), hasFloats);
    });
  });
}

arithmetic('Add', (a, b) => a + b, 0, true);
arithmetic('Sub', (a, b) => a - b, 0, false);
arithmetic('Mul', (a, b) => a * b, 1, true);
arithmetic('Div', (a, b) => a / b, 1, false);

function unary(operator: string, compute: (x: number) => number): void {
  constantReaders.set(operator, (reading) => {
    const from = tensor(reading, 0);
    return broadcast(reading, [from], isFloat(from), (x) =>
      checked(reading, compute(known(reading, x)), isFloat(from)),
    );
  });
}

unary('Neg', (x) => -x);
unary('Sqrt', Math.sqrt);
unary('Floor', Math.floor);

constantReaders.set('Equal', (reading) => {
  return broadcast(reading, [tensor(reading, 0), tensor(reading, 1)], false, (a, b) => {
    // The size of the batch is known not to be below 0, which stands for an open size, and nothing else.
    if ((a === BATCH) !== (b === BATCH) && Math.max(a, b) >= 0)
      throw reading.unsupported('it compares the size of the batch');
    return a === b ? 1 : 0;
  });
});

constantReaders.set('Where', (reading) => {
  const [condition, a, b] = [tensor(reading, 0), tensor(reading, 1), tensor(reading, 2)];
  return broadcast(reading, [condition, a, b], isFloat(a) || isFloat(b), (chosen, first, second) =>
    chosen === 0 ? second : first,
  );
});
