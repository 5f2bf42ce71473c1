/** Operators that change the shape, and the integers that shapes are computed of. */
import { MAX_RANK } from '../../../checks.js';
import * as merges from '../../../graph/functions.js';
import { elements, type Shape } from '../../../program/instructions.js';
import { shapeText } from '../../../text.js';
import { asPlain, BATCH, type FileValue, fileShapeOf, inShape, type NodeReading, plain } from '../graph-reader.js';
import { isTensor, type OnnxTensor } from '../model.js';
import { readers, together } from './reader.js';

readers.set('Concat', (reading) => {
  if (reading.node.inputs.every((_, i) => reading.isConstant(i))) return joined(reading);
  const values = reading.allValues();
  const { nodes, axes } = together(reading, values);
  const axis = axes[reading.axis(reading.int('axis', 1), axes.length)];
  if (nodes.length === 1) return values[0];
  const [first, second, ...others] = nodes;
  return { node: merges.concat(first, second, ...others, { axis }), axes };
});

/** Integers one after the other: the shape of a reshape. */
function joined(reading: NodeReading): OnnxTensor {
  const values = reading.node.inputs.flatMap((_, i) => [...reading.sizes(i)]);
  // Lists that are joined with themselves would double each time.
  if (values.length > MAX_RANK) throw reading.unsupported(`a list of ${values.length} integers`);
  return { shape: [values.length], values };
}

readers.set('Flatten', (reading) => {
  const value = reading.value();
  const axis = reading.int('axis', 1);
  if ((axis < 0 ? axis + value.axes.length + 1 : axis) !== 1) reading.only('axis', 1);
  const node = asPlain(value);
  return plain(inShape(node, [elements(node.shape)]));
});

/** A value in another shape of its samples in the file. */
function inFileShape(value: FileValue, shape: Shape): FileValue {
  if (shape.length === 0) return { node: inShape(asPlain(value), [1]), axes: [] };
  return plain(inShape(asPlain(value), shape));
}

readers.set('Reshape', (reading) => {
  const value = reading.value();
  const given = reading.integers(1) ?? reading.ints('shape');
  if (given === undefined || given.length === 0) throw reading.corrupt('it has no shape');
  const from = fileShapeOf(value);
  const [first, ...rest] = given;
  const sizes = rest.map((size, i) => (size === 0 ? from[i] : size));
  const total = elements(from);
  const known = elements(sizes.filter((size) => size !== -1));
  const shape = sizes.map((size) => (size === -1 ? total / known : size));
  const keepsBatch = first === 0 || first === BATCH || first === -1 || first === reading.graph.batch;
  if (!keepsBatch || elements(shape) !== total || !shape.every((size) => Number.isSafeInteger(size) && size > 0))
    throw reading.unsupported(`samples of ${shapeText(from)} in the shape ${shapeText(given)}, the batch first`);
  return inFileShape(value, shape);
});

/** Dimensions from an attribute (older sets) or an input. */
function axesOf(reading: NodeReading, i: number): readonly number[] | undefined {
  return reading.has(i) ? reading.integers(i) : reading.ints('axes');
}

readers.set('Squeeze', (reading) => {
  if (reading.isConstant(0)) return flat(reading);
  const value = reading.value();
  const from = fileShapeOf(value);
  const given = axesOf(reading, 1)?.map((axis) => reading.axis(axis, from.length));
  const gone = given ?? from.flatMap((size, i) => (size === 1 ? [i] : []));
  if (gone.some((axis) => from[axis] !== 1)) throw reading.corrupt('it removes a dimension that is not 1');
  return inFileShape(
    value,
    from.filter((_, i) => !gone.includes(i)),
  );
});

readers.set('Unsqueeze', (reading) => {
  if (reading.isConstant(0)) return flat(reading);
  const value = reading.value();
  const shape = fileShapeOf(value);
  const given = axesOf(reading, 1) ?? [];
  const rank = shape.length + given.length;
  for (const axis of given.map((each) => reading.axis(each, rank)).sort((a, b) => a - b)) shape.splice(axis, 0, 1);
  return inFileShape(value, shape);
});

/** A list of integers, of whatever shape: only a shape is computed with. */
function flat(reading: NodeReading): OnnxTensor {
  const values = reading.sizes(0);
  return { shape: [values.length], values };
}

readers.set('Shape', (reading) => {
  const shape = [BATCH, ...fileShapeOf(reading.value())];
  // Both may count from the end, and go beyond it.
  const values = shape.slice(reading.int('start', 0), reading.int('end', shape.length));
  return { shape: [values.length], values };
});

readers.set('Constant', (reading) => {
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

readers.set('Transpose', (reading) => {
  const { node, axes } = reading.value();
  const perm = reading.ints('perm');
  const isOrder = perm?.length === axes.length + 1 && [...perm].sort((a, b) => a - b).every((axis, i) => axis === i);
  if (perm === undefined || !isOrder) throw reading.unsupported('without an order of all dimensions');
  if (perm[0] !== 0) throw reading.unsupported('it moves the batch');
  return { node, axes: perm.slice(1).map((axis) => axes[axis - 1]) };
});

function reduction(operator: string, layer: typeof merges.sum): void {
  readers.set(operator, (reading) => {
    const { node, axes } = reading.value();
    const given = axesOf(reading, 1);
    if (given === undefined || given.length === 0) throw reading.unsupported('over all dimensions and the batch');
    const gone = given.map((axis) => reading.axis(axis, axes.length));
    const axis = gone.map((each) => axes[each]);
    // Reduced dimensions are kept first, so that the others stay in their places.
    const kept: FileValue = { node: node.pipe(layer({ axis, keepDimension: true })), axes };
    if (reading.int('keepdims', 1) !== 0) return kept;
    return inFileShape(
      kept,
      fileShapeOf(kept).filter((_, i) => !gone.includes(i)),
    );
  });
}

reduction('ReduceSum', merges.sum);
reduction('ReduceMean', merges.mean);
reduction('ReduceMax', merges.max);
reduction('ReduceLogSumExp', merges.logSumExp);

readers.set('Slice', (reading) => {
  const value = reading.isConstant(0) ? undefined : reading.value();
  // A list of integers has no batch.
  const list = value === undefined ? reading.sizes(0) : [];
  const sizes = value === undefined ? [list.length] : fileShapeOf(value);
  const starts = reading.has(1) ? reading.integers(1) : reading.ints('starts');
  const ends = reading.has(2) ? reading.integers(2) : reading.ints('ends');
  const axes = reading.has(3) ? reading.integers(3) : reading.ints('axes');
  if (starts === undefined || ends?.length !== starts.length) throw reading.corrupt('it has no range');
  if (reading.integers(4)?.some((step) => step !== 1)) throw reading.unsupported('steps other than 1');
  const begin = sizes.map(() => 0);
  const end = [...sizes];
  starts.forEach((start, i) => {
    const axis = value === undefined ? 0 : reading.axis(axes?.[i] ?? i, sizes.length);
    const at = (index: number) => Math.min(sizes[axis], Math.max(0, index < 0 ? index + sizes[axis] : index));
    [begin[axis], end[axis]] = [at(start), at(ends[i])];
  });
  if (value === undefined) {
    const values = list.slice(begin[0], end[0]);
    return { shape: [values.length], values };
  }
  if (end.some((last, i) => last <= begin[i])) throw reading.unsupported('nothing is left');
  const { node, axes: places } = value;
  const [from, to] = [[...begin], [...end]];
  places.forEach((place, i) => {
    [from[place], to[place]] = [begin[i], end[i]];
  });
  return { node: node.pipe(merges.slice({ begin: from, end: to })), axes: places };
});

readers.set('Pad', (reading) => {
  const value = reading.value();
  reading.only('mode', 'constant');
  if (reading.has(3)) throw reading.unsupported('axes');
  const { node, axes } = value;
  const pads = reading.has(1) ? reading.integers(1) : reading.ints('pads');
  const rank = axes.length + 1;
  if (pads?.length !== 2 * rank) throw reading.corrupt('it has no margins for each dimension');
  if (pads[0] !== 0 || pads[rank] !== 0) throw reading.unsupported('it pads the batch');
  if (pads.some((pixels) => pixels < 0)) throw reading.unsupported('margins below 0');
  const margins: [number, number][] = [];
  axes.forEach((axis, i) => {
    margins[axis] = [pads[i + 1], pads[rank + i + 1]];
  });
  const fill = reading.has(2) ? reading.number(2) : reading.float('value', 0);
  return { node: node.pipe(merges.pad(margins, { value: fill })), axes };
});
