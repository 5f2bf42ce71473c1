/** Operators that change the shape, or reduce it. */
import * as merges from '../../../graph/functions.js';
import type { LayerSpec } from '../../../layers/layer.js';
import { elements } from '../../../program/instructions.js';
import { shapeText } from '../../../text.js';
import { asPlain, BATCH, type FileValue, fileShapeOf, inShape, plain } from '../graph-reader.js';
import { inFileShape, readers, sliced, together } from './reader.js';

const sum = (sizes: readonly number[]) => sizes.reduce((all, size) => all + size, 0);

readers.set('Concat', (reading) => {
  const values = reading.allValues();
  const { nodes, axes } = together(reading, values);
  const axis = axes[reading.axis(reading.int('axis', 1), axes.length)];
  if (nodes.length === 1) return values[0];
  const [first, second, ...others] = nodes;
  return { node: merges.concat(first, second, ...others, { axis }), axes };
});

readers.set('Flatten', (reading) => {
  const value = reading.value();
  const axis = reading.int('axis', 1);
  if ((axis < 0 ? axis + value.axes.length + 1 : axis) !== 1) reading.only('axis', 1);
  const node = asPlain(value);
  return plain(inShape(node, [elements(node.shape)]));
});

readers.set('Reshape', (reading) => {
  const value = reading.value();
  const given = reading.list(1, 'shape');
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

readers.set('Squeeze', (reading) => {
  const value = reading.value();
  const from = fileShapeOf(value);
  const given = reading.list(1, 'axes')?.map((axis) => reading.axis(axis, from.length));
  const gone = given ?? from.flatMap((size, i) => (size === 1 ? [i] : []));
  if (gone.some((axis) => from[axis] !== 1)) throw reading.corrupt('it removes a dimension that is not 1');
  return inFileShape(
    value,
    from.filter((_, i) => !gone.includes(i)),
  );
});

readers.set('Unsqueeze', (reading) => {
  const value = reading.value();
  const shape = fileShapeOf(value);
  const given = reading.list(1, 'axes') ?? [];
  const rank = shape.length + given.length;
  for (const axis of given.map((each) => reading.axis(each, rank)).sort((a, b) => a - b)) shape.splice(axis, 0, 1);
  return inFileShape(value, shape);
});

readers.set('Shape', (reading) => {
  const shape = [BATCH, ...fileShapeOf(reading.value())];
  // Both may count from the end, and go beyond it.
  const values = shape.slice(reading.int('start', 0), reading.int('end', shape.length));
  return { shape: [values.length], values };
});

readers.set('Transpose', (reading) => {
  const { node, axes } = reading.value();
  const perm = reading.ints('perm');
  const isOrder = perm?.length === axes.length + 1 && [...perm].sort((a, b) => a - b).every((axis, i) => axis === i);
  if (perm === undefined || !isOrder) throw reading.unsupported('without an order of all dimensions');
  if (perm[0] !== 0) throw reading.unsupported('it moves the batch');
  return { node, axes: perm.slice(1).map((axis) => axes[axis - 1]) };
});

/** A reduction of elements that `before` maps; `after` maps its result. */
function reduction(
  operator: string,
  layer: typeof merges.sum,
  before: readonly LayerSpec[] = [],
  after: readonly LayerSpec[] = [],
): void {
  readers.set(operator, (reading) => {
    const { node, axes } = reading.value();
    const given = reading.list(1, 'axes');
    if (given === undefined || given.length === 0) throw reading.unsupported('over all dimensions and the batch');
    const gone = given.map((axis) => reading.axis(axis, axes.length));
    const axis = gone.map((each) => axes[each]);
    // Reduced dimensions are kept first, so that the others stay in their places.
    const kept: FileValue = { node: node.pipe(...before, layer({ axis, keepDimension: true }), ...after), axes };
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
reduction('ReduceMin', merges.max, [merges.scale(-1)], [merges.scale(-1)]);
reduction('ReduceLogSumExp', merges.logSumExp);
reduction('ReduceL1', merges.sum, [merges.abs()]);
reduction('ReduceL2', merges.sum, [merges.square()], [merges.sqrt()]);
reduction('ReduceSumSquare', merges.sum, [merges.square()]);

readers.set('Slice', (reading) => {
  const value = reading.value();
  const sizes = fileShapeOf(value);
  const [starts, ends, axes] = [reading.list(1, 'starts'), reading.list(2, 'ends'), reading.list(3, 'axes')];
  if (starts === undefined || ends?.length !== starts.length) throw reading.corrupt('it has no range');
  if (reading.integers(4)?.some((step) => step !== 1)) throw reading.unsupported('steps other than 1');
  const begin = sizes.map(() => 0);
  const end = [...sizes];
  starts.forEach((start, i) => {
    const axis = reading.axis(axes?.[i] ?? i, sizes.length);
    const at = (index: number) => Math.min(sizes[axis], Math.max(0, index < 0 ? index + sizes[axis] : index));
    [begin[axis], end[axis]] = [at(start), at(ends[i])];
  });
  if (end.some((last, i) => last <= begin[i])) throw reading.unsupported('nothing is left');
  return sliced(value, begin, end);
});

readers.set('Split', (reading) => {
  const value = reading.value();
  const sizes = fileShapeOf(value);
  const along = reading.axis(reading.int('axis', 0), sizes.length);
  const count = reading.node.outputs.length;
  // Without sizes, all parts are equal, but for a smaller last one.
  const equal = Math.ceil(sizes[along] / count);
  const given =
    reading.list(1, 'split') ?? Array.from({ length: count }, (_, i) => Math.min(equal, sizes[along] - i * equal));
  if (given.length !== count || !given.every((size) => size > 0) || sum(given) !== sizes[along])
    throw reading.corrupt(`parts of ${given.join(' and ')} of a dimension of ${sizes[along]}`);
  return given.map((size, i) => {
    const begin = sum(given.slice(0, i));
    return sliced(
      value,
      sizes.map((_, axis) => (axis === along ? begin : 0)),
      sizes.map((all, axis) => (axis === along ? begin + size : all)),
    );
  });
});

/** What takes an expanded value and repeats it itself, as it has another operand of the whole shape. */
const BROADCASTING = ['Add', 'Sub', 'Mul', 'Div'];

readers.set('Expand', (reading) => {
  const value = reading.value();
  const shape = fileShapeOf(value);
  const given = reading.integers(1) ?? [];
  // With fewer dimensions than the value has, they are its last ones.
  const [batch, ...sizes] = [...new Array<number>(Math.max(0, shape.length + 1 - given.length)).fill(1), ...given];
  const keepsBatch = batch === 1 || batch === BATCH || batch === reading.graph.batch;
  if (!keepsBatch || sizes.length !== shape.length)
    throw reading.unsupported(`samples of ${shapeText(shape)} to ${shapeText(given)}, the batch first`);
  const isSame = sizes.every((size, i) => size === 1 || size === shape[i]);
  if (isSame) return value;
  const [output] = reading.node.outputs;
  const repeats = (reading.graph.takers.get(output) ?? []).every((taker) => {
    if (taker === undefined || !BROADCASTING.includes(taker.operator)) return false;
    const other = reading.graph.values.get(taker.inputs.find((name) => name !== output) ?? '');
    return other !== undefined && fileShapeOf(other).join() === sizes.join();
  });
  if (!repeats) throw reading.unsupported('it is only read where the other operand of arithmetic has this shape');
  return value;
});

readers.set('Pad', (reading) => {
  const value = reading.value();
  reading.only('mode', 'constant');
  if (reading.has(3)) throw reading.unsupported('axes');
  const { node, axes } = value;
  const pads = reading.list(1, 'pads');
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
