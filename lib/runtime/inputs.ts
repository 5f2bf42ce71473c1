/** Features, targets and weights of synchronous calls, checked against a network. */
import type { Feed } from '../backend/backend.js';
import { invalid, isPlain } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { type Block, isIntegerArray, isNumeric, readFloats, readNumbers } from '../numbers.js';
import { elements } from '../program/instructions.js';
import { feedName } from '../program/losses.js';
import { goalsOf, type Model, type ModelInput } from '../program/model.js';
import { listed } from '../text.js';
import type { NestedNumbers, SampleSource, Shape, TypedArray } from '../types.js';
import {
  asLabels,
  asTargets,
  checkKnown,
  checkRows,
  columnOf,
  emptyError,
  isSampleSource,
  labelOf,
  severalInputs,
  type Target,
  type TargetPart,
  weighted,
  withParts,
  writeIndices,
} from './columns.js';
import { fromDataset } from './dataset-inputs.js';
import type { Source } from './engine.js';

/** Numbers of one input or output: flat or nested rows; one number for one row with one feature. */
type Numbers = TypedArray | NestedNumbers | number;
/**
 * Features of a synchronous call: rows × features numbers, flat or nested; one number for one row with one feature; a
 * dataset; or, for networks with several inputs, an object of these by the inputs' names.
 */
export type Features = Numbers | SampleSource | Readonly<Record<string, Numbers>>;
/** Targets of a synchronous call: class indices, or rows of values; by the outputs' names if there are several. */
export type Targets = Numbers | Readonly<Record<string, Numbers>>;

/** Reads features, flat or nested, as rows. */
function readRows<T extends TypedArray>(
  name: string,
  value: unknown,
  wanted: Shape,
  read: (name: string, value: unknown) => Block<T>,
): { data: T; rows: number } {
  const { data, shape } = read(name, value);
  const perRow = elements(wanted);
  if (data.length === 0) throw emptyError(name);
  if (shape.length > 1) checkRows(name, shape, wanted);
  else if (data.length % perRow !== 0) {
    const text = `expected a multiple of ${perRow} numbers (one row), got ${data.length}`;
    throw new BlasnetError('SHAPE_MISMATCH', `${name}: ${text}`);
  }
  return { data, rows: data.length / perRow };
}

/** The numbers of an input in a synchronous call: float32, or indices. */
function readInput(
  label: string,
  value: unknown,
  input: ModelInput,
): { values: Float32Array | Int32Array; rows: number } {
  if (input.vocabulary === undefined) {
    const { data: values, rows } = readRows(label, value, input.shape, readFloats);
    return { values, rows };
  }
  // Not read as float32: 0.99999999 would round to an index.
  const { data, rows } = readRows(label, value, input.shape, readNumbers);
  return { values: writeIndices(label, input, data, new Int32Array(data.length)), rows };
}

/** Columns by name, in a plain object. */
function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return isPlain(value) && !Array.isArray(value) && !ArrayBuffer.isView(value) && !isSampleSource(value);
}

/** Checks the features of a synchronous call. */
export function fromFeatures(name: string, model: Model, x: unknown): Source {
  if (isSampleSource(x)) return fromDataset(name, model, x, false);
  const { inputs } = model;
  const record = isRecord(x) && inputs.some(({ name }) => name !== undefined) ? x : undefined;
  if (record === undefined && inputs.length > 1) throw severalInputs(name, inputs);
  if (record !== undefined) checkKnown(name, record, inputs);
  let count: number | undefined;
  const feeds: Record<string, Feed> = {};
  for (const input of inputs) {
    const label = record === undefined ? name : labelOf(name, input.name);
    const given = record === undefined ? x : columnOf(name, record, input.name ?? '');
    const row = typeof given === 'number' && elements(input.shape) === 1 ? [given] : given;
    const { values, rows } = readInput(label, row, input);
    if (count !== undefined && rows !== count) {
      const text = `expected ${count} rows, as the inputs before it have, got ${rows}`;
      throw new BlasnetError('SHAPE_MISMATCH', `${label}: ${text}`);
    }
    count = rows;
    feeds[feedName('features', input.name)] = { values };
  }
  return { rows: count as number, feeds, goals: [] };
}

/** Whether `y` holds class indices rather than rows of values: integers, if the loss accepts them. */
function areLabels({ shape, loss }: Target, y: unknown, rows: number): boolean {
  const outputs = elements(shape);
  const direct = loss.targets.includes('labels');
  if (isIntegerArray(y)) return direct || y.length === rows;
  const flat = Array.isArray(y) && y.length === rows && !y.some((entry) => typeof entry === 'object');
  return direct && flat && (outputs > 1 || y.every((value) => Number.isInteger(value)));
}

function sameMemory(a: ArrayBufferView, b: unknown): boolean {
  if (!ArrayBuffer.isView(b)) return false;
  return a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.byteLength === b.byteLength;
}

/** The targets of a synchronous call for one output. */
function fromTargets(label: string, output: Target, y: unknown, rows: number): TargetPart {
  const goals = typeof y === 'number' && rows === 1 ? [y] : y;
  if (areLabels(output, goals, rows)) {
    return asLabels(label, output, goals, rows, ({ length }) => new Float32Array(length));
  }
  if (!isNumeric(goals) && !Array.isArray(goals)) {
    throw invalid(label, 'integer labels, or a typed array or arrays of targets', y);
  }
  const { data: targets, shape } = readFloats(label, goals);
  if (shape.length > 1) checkRows(label, shape, output.shape);
  return asTargets(label, output, targets, rows);
}

/** Checks features, targets and weights of a synchronous call. */
export function fromBatch(model: Model, x: unknown, y: unknown, weights?: unknown): Source {
  if (isSampleSource(x) && y === undefined && weights === undefined) return fromDataset('x', model, x, true);
  const { rows, feeds } = fromFeatures('x', model, x);
  const own = isSampleSource(x) ? (x.labels ?? x.targets) : undefined;
  if (own !== undefined && !sameMemory(own, y)) {
    throw new BlasnetError('INVALID_ARGUMENT', 'y: expected none, as the dataset x brings its own labels or targets');
  }
  const outputs = goalsOf(model);
  const record = isRecord(y) && outputs.some(({ name }) => name !== undefined) ? y : undefined;
  if (record !== undefined) checkKnown('y', record, outputs);
  if (record === undefined && outputs.length > 1) {
    const text = `the network has the outputs ${listed(outputs.map((output) => output.name))}; give each by its name`;
    throw new BlasnetError('INVALID_ARGUMENT', `y: ${text}`);
  }
  const parts = outputs.map((output) =>
    record === undefined
      ? fromTargets('y', output, y, rows)
      : fromTargets(labelOf('y', output.name), output, columnOf('y', record, output.name ?? ''), rows),
  );
  return withParts(rows, feeds, weighted('batch', outputs, parts, readWeights(weights), rows));
}

/** Weights of a batch as Float32Arrays, for all outputs or by output. */
function readWeights(weights: unknown): unknown {
  if (weights === undefined) return undefined;
  if (!isRecord(weights)) return readFloats('sampleWeights', weights).data;
  return Object.fromEntries(
    Object.entries(weights).map(([name, values]) => [name, readFloats(`sampleWeights.${name}`, values).data]),
  );
}
