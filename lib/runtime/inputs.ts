import { types } from 'node:util';
import type { Feed } from '../backend/backend.js';
import {
  checkInteger,
  checkNumber,
  checkShape,
  checkSparseRows,
  checkStorage,
  describe,
  invalid,
  isPlain,
} from '../checks.js';
import { BlasnetError, type NonFiniteDetails } from '../errors.js';
import type { Loss } from '../losses/loss.js';
import { type Block, isIntegerArray, isNumeric, readFloats, readLabels, readNumbers, thisRealm } from '../numbers.js';
import { elements } from '../program/instructions.js';
import { feedName, type Goal } from '../program/losses.js';
import { goalsOf, type Model, type ModelInput, type ModelOutput } from '../program/model.js';
import { sharedFloats, sharedIntegers } from '../shared-memory.js';
import { cut, listed, quote } from '../text.js';
import type { FeatureColumn, NestedNumbers, SampleSource, Shape, TargetColumn, TypedArray } from '../types.js';
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

export function isSampleSource(value: unknown): value is SampleSource {
  const source = value as Partial<SampleSource> | null;
  return (
    typeof source === 'object' &&
    source !== null &&
    ArrayBuffer.isView(source.features) &&
    typeof source.length === 'number'
  );
}

function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}

/** Whether samples of one shape can be used for another: flat ones for images, and vice versa. */
function fits(given: Shape, wanted: Shape): boolean {
  const flat = given.length === 1 || wanted.length === 1;
  return sameShape(given, wanted) || (flat && elements(given) === elements(wanted));
}

function emptyError(name: string): BlasnetError {
  return new BlasnetError('EMPTY_DATA', `${name}: expected at least one row, got none`);
}

/** Throws unless nested numbers of this shape are rows of the shape `wanted`, or a single row. */
function checkRows(name: string, shape: Shape, wanted: Shape): void {
  if (sameShape(shape, wanted) || fits(shape.slice(1), wanted)) return;
  const [expected, given] = [wanted.join(', '), shape.join(', ')];
  throw new BlasnetError(
    'SHAPE_MISMATCH',
    `${name}: expected rows of shape [${expected}], got numbers of shape [${given}]`,
  );
}

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

/** The name of a column in messages: that of an only input or output without a name is `label` alone. */
const labelOf = (label: string, name: string | undefined) => (name === undefined ? label : `${label}.${name}`);

type Target = ModelOutput & { readonly loss: Loss };

/** The columns of an output with a loss: its goal and its feeds. */
interface TargetPart {
  readonly goal: Goal;
  readonly feeds: Readonly<Record<string, Feed>>;
}

function asTargets(label: string, { name, shape, loss }: Target, values: Float32Array, rows: number): TargetPart {
  const outputs = elements(shape);
  if (values.length !== rows * outputs) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `${label}: expected ${rows} rows × ${outputs} outputs = ${rows * outputs} numbers, got ${values.length}`,
    );
  }
  loss.checkTargets?.(label, values, outputs);
  return { goal: { target: 'targets', weighted: false }, feeds: { [feedName('targets', name)]: { values } } };
}

/** Class indices in the form that the loss needs: unchanged, or as 0/1 values of a single output. */
function asLabels(
  label: string,
  output: Target,
  value: unknown,
  rows: number,
  toShared: (labels: Int32Array) => Float32Array,
): TargetPart {
  const { name, shape, loss } = output;
  const outputs = elements(shape);
  const direct = loss.targets.includes('labels');
  if (!direct && (loss.writeHits === undefined || outputs !== 1)) {
    throw new BlasnetError(
      'INVALID_ARGUMENT',
      `${label}: the loss ${cut(loss.kind, 80)} with ${outputs} output${outputs === 1 ? '' : 's'} needs targets (${outputs} numbers a row), got class labels`,
    );
  }
  const labels = readLabels(label, value, direct ? outputs : 2);
  if (labels.length !== rows) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `${label}: expected one label for each of ${rows} rows, got ${labels.length}`,
    );
  }
  if (direct)
    return { goal: { target: 'labels', weighted: false }, feeds: { [feedName('labels', name)]: { values: labels } } };
  const values = toShared(labels);
  values.set(labels);
  return { goal: { target: 'targets', weighted: false }, feeds: { [feedName('targets', name)]: { values } } };
}

/** Targets derived from a dataset's labels, kept as long as the labels' array exists. */
const derived = new WeakMap<Int32Array, Float32Array>();
/** Indices of a dataset's features, kept as long as the features' array exists. */
const indices = new WeakMap<Uint8Array | Float32Array, Int32Array>();

/** Writes features as indices. Throws `INVALID_ARGUMENT`, naming row and column, for what is none of the input's. */
function writeIndices(
  label: string,
  { shape, vocabulary }: ModelInput,
  values: TypedArray,
  out: Int32Array,
): Int32Array {
  const limit = vocabulary as number;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!Number.isInteger(value) || value < 0 || value >= limit) {
      const perRow = elements(shape);
      const place = `row ${Math.floor(i / perRow)}, column ${i % perRow}`;
      throw invalid(`${label}: ${place}`, `an index from 0 to ${limit - 1}`, value);
    }
    out[i] = value;
  }
  return out;
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

/** Checks a column's fields: a source that is not a `Dataset` may hold anything. */
export function checkFeatures(name: string, length: number, column: FeatureColumn): void {
  const { shape, features, scale, offset } = column;
  checkShape(`${name}: shape`, shape);
  checkNumber(`${name}: scale`, scale);
  checkNumber(`${name}: offset`, offset);
  if (!types.isUint8Array(features) && !types.isFloat32Array(features)) {
    throw invalid(`${name}: features`, 'a Uint8Array or a Float32Array', features);
  }
  checkStorage(`${name}: features`, features);
  if (column.rowOffsets !== undefined) {
    checkSparse(name, length, column);
    return;
  }
  const wanted = length * elements(shape);
  if (features.length !== wanted) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `${name}: features: expected ${length} rows of ${elements(shape)} numbers, got ${features.length}`,
    );
  }
}

function checkSparse(name: string, length: number, column: FeatureColumn): void {
  const { shape, features, scale, offset, rowOffsets, indices } = column;
  for (const [field, list] of Object.entries({ rowOffsets, indices })) {
    if (!types.isInt32Array(list)) throw invalid(`${name}: ${field}`, 'an Int32Array', list);
    checkStorage(`${name}: ${field}`, list);
  }
  if (!types.isFloat32Array(features)) throw invalid(`${name}: features`, 'a Float32Array of the entries', features);
  if (scale !== 1) throw invalid(`${name}: scale`, '1 for sparse rows', scale);
  if (offset !== 0) throw invalid(`${name}: offset`, '0 for sparse rows', offset);
  checkSparseRows(
    `${name}: `,
    length,
    elements(shape),
    rowOffsets as Int32Array,
    indices as Int32Array,
    features.length,
  );
}

function checkTargetColumn(name: string, { labels, targets }: TargetColumn): void {
  if (labels !== undefined && !types.isInt32Array(labels)) throw invalid(`${name}: labels`, 'an Int32Array', labels);
  if (targets !== undefined && !types.isFloat32Array(targets))
    throw invalid(`${name}: targets`, 'a Float32Array', targets);
  if (labels !== undefined) checkStorage(`${name}: labels`, labels);
  if (targets !== undefined) checkStorage(`${name}: targets`, targets);
}

function namesOf(data: SampleSource): readonly string[] | undefined {
  const names = (data as { labelNames?: unknown }).labelNames;
  return Array.isArray(names) ? names : undefined;
}

/**
 * Throws if the labels' classes don't match the network's outputs: an image folder that lacks a class numbers the
 * others differently.
 */
function checkClasses(name: string, data: SampleSource, outputs: number): void {
  const names = namesOf(data);
  if (names === undefined || names.length === outputs) return;
  throw new BlasnetError(
    'SHAPE_MISMATCH',
    `${name}: it names ${names.length} classes (${listed(names)}), the network has ${outputs} outputs; give data to test with the labelNames of those trained on`,
  );
}

/** Throws if two datasets name their classes differently. */
export function checkSameClasses(name: string, data: SampleSource, other: SampleSource): void {
  const [wanted, given] = [namesOf(other), namesOf(data)];
  const at = wanted === undefined || given === undefined ? -1 : wanted.findIndex((label, i) => label !== given[i]);
  if (at < 0) return;
  const text = `class ${at} is ${describe(given?.[at])}, in the data to train on ${describe(wanted?.[at])}; give both the same labelNames`;
  throw new BlasnetError('INVALID_ARGUMENT', `${name}: ${text}`);
}

/** The entry of a record of columns; throws, naming the column, if there is none or more than the network has. */
function columnOf<T>(label: string, columns: Readonly<Record<string, T>>, name: string): T {
  const column = Object.hasOwn(columns, name) ? columns[name] : undefined;
  if (column === undefined) {
    const text = `expected a column ${quote(name)}, got ${listed(Object.keys(columns)) || 'none'}`;
    throw new BlasnetError('INVALID_ARGUMENT', `${label}: ${text}`);
  }
  return column;
}

function checkKnown(label: string, columns: object, names: readonly (string | undefined)[]): void {
  const extra = Object.keys(columns).find((key) => !names.includes(key));
  if (extra === undefined) return;
  const known = names.filter((name) => name !== undefined);
  const text = `there is no place for the column ${quote(extra)}: the network's names here are ${listed(known) || 'none'}`;
  throw new BlasnetError('INVALID_ARGUMENT', `${label}: ${text}`);
}

/** The feeds of a dataset's inputs. */
function inputFeeds(name: string, { inputs }: Model, data: SampleSource): Record<string, Feed> {
  const several = data.inputs !== undefined;
  if (data.inputs !== undefined && inputs.every((input) => input.name === undefined)) {
    const names = `${listed(Object.keys(data.inputs))}; inputs() of an encoder makes inputs with its names`;
    const text = `the network's only input has no name, and the data are for inputs named ${names}`;
    throw new BlasnetError('INVALID_ARGUMENT', `${name}: features: ${text}`);
  }
  if (data.inputs !== undefined)
    checkKnown(
      `${name}: features`,
      data.inputs,
      inputs.map((input) => input.name),
    );
  const feeds = inputs.flatMap((input): [string, Feed][] => {
    const label = several ? labelOf(`${name}: features`, input.name) : name;
    if (!several && inputs.length > 1) throw severalInputs(name, inputs);
    const column = data.inputs === undefined ? data : columnOf(`${name}: features`, data.inputs, input.name ?? '');
    checkFeatures(label, data.length, column);
    if (!fits(column.shape, input.shape)) {
      const [wanted, given] = [input.shape.join(', '), column.shape.join(', ')];
      const text = `expected samples of shape [${wanted}], got [${given}]`;
      throw new BlasnetError('SHAPE_MISMATCH', `${several ? label : 'data'}: ${text}`);
    }
    const { features, scale, offset, rowOffsets, indices: places } = column;
    const values = types.isUint8Array(features) ? thisRealm(features, Uint8Array) : thisRealm(features, Float32Array);
    if (input.vocabulary !== undefined) {
      if (rowOffsets !== undefined) throw invalid(label, 'dense rows, as the input takes indices', 'sparse rows');
      if (scale !== 1) throw invalid(`${label}: scale`, '1, as the input takes indices', scale);
      if (offset !== 0) throw invalid(`${label}: offset`, '0, as the input takes indices', offset);
      const known = indices.get(features) ?? sharedIntegers(values.length);
      indices.set(features, known);
      return [[feedName('features', input.name), { values: writeIndices(`${label}: features`, input, values, known) }]];
    }
    const lists: Record<string, Feed> = { features: { values, scale, offset } };
    if (rowOffsets !== undefined && places !== undefined) {
      const offsets = thisRealm(rowOffsets, Int32Array);
      lists.rowStarts = { values: offsets.subarray(0, data.length) };
      lists.rowEnds = { values: offsets.subarray(1) };
      lists.indices = { values: thisRealm(places, Int32Array) };
    }
    return Object.entries(lists).map(([role, feed]) => [feedName(role, input.name), feed]);
  });
  return Object.fromEntries(feeds);
}

function severalInputs(name: string, inputs: Model['inputs']): BlasnetError {
  const names = listed(inputs.map((input) => input.name));
  return new BlasnetError(
    'INVALID_ARGUMENT',
    `${name}: the network has the inputs ${names}; give each by its name, such as { ${inputs[0].name}: … }`,
  );
}

/** The targets of a dataset for one output. */
function targetPart(name: string, output: Target, data: SampleSource, only: boolean): TargetPart {
  const several = data.goals !== undefined;
  const label = several ? labelOf(`${name}: targets`, output.name) : name;
  if (!several && !only) {
    const text = `expected targets by the outputs' names, such as { ${output.name}: … }`;
    throw new BlasnetError('INVALID_ARGUMENT', `${name}: ${text}`);
  }
  const column = data.goals === undefined ? data : columnOf(`${name}: targets`, data.goals, output.name ?? '');
  checkTargetColumn(label, column);
  const { labels, targets } = column;
  const { length: rows } = data;
  if (labels !== undefined) {
    if (!several && output.loss.targets.includes('labels')) checkClasses(name, data, elements(output.shape));
    return asLabels(several ? label : `${name}: labels`, output, labels, rows, (derivedFrom) => {
      const known = derived.get(derivedFrom) ?? sharedFloats(rows);
      derived.set(derivedFrom, known);
      return known;
    });
  }
  if (targets === undefined) {
    const text = `expected a dataset with labels or targets, got one without`;
    throw new BlasnetError('INVALID_ARGUMENT', `${label}: ${text}`);
  }
  if (!output.loss.targets.includes('targets')) throw invalid(label, 'labels', 'targets');
  return asTargets(several ? label : `${name}: targets`, output, thisRealm(targets, Float32Array), rows);
}

/** A column of weights, checked. NaN and infinities are reported during the run. */
function checkWeights(label: string, value: unknown, rows: number): Float32Array {
  if (!types.isFloat32Array(value)) throw invalid(label, 'a Float32Array', value);
  checkStorage(label, value);
  const weights = thisRealm(value, Float32Array);
  if (weights.length !== rows) {
    throw new BlasnetError('SHAPE_MISMATCH', `${label}: expected one for each of ${rows} rows, got ${weights.length}`);
  }
  const row = weights.findIndex((weight) => weight < 0);
  if (row >= 0) throw invalid(`${label}: row ${row}`, 'a weight of at least 0', weights[row]);
  return weights;
}

/** Adds the rows' weights, for all outputs or by output, to their parts. */
function weighted(
  name: string,
  outputs: readonly Target[],
  parts: readonly TargetPart[],
  given: unknown,
  rows: number,
): readonly TargetPart[] {
  if (given === undefined) return parts;
  const label = `${name}: sampleWeights`;
  const byName = ArrayBuffer.isView(given) ? undefined : given;
  if (byName !== undefined) {
    if (typeof byName !== 'object' || byName === null) throw invalid(label, 'a Float32Array', given);
    checkKnown(
      label,
      byName,
      outputs.map((output) => output.name),
    );
  }
  return parts.map((part, i) => {
    const { name: output } = outputs[i];
    const values = byName === undefined ? given : (byName as Record<string, unknown>)[output ?? ''];
    if (values === undefined) return part;
    const column = checkWeights(byName === undefined ? label : labelOf(label, output), values, rows);
    return addWeights(part, output, column);
  });
}

function addWeights({ goal, feeds }: TargetPart, output: string | undefined, values: Float32Array): TargetPart {
  return { goal: { ...goal, weighted: true }, feeds: { ...feeds, [feedName('weights', output)]: { values } } };
}

function withParts(rows: number, feeds: Readonly<Record<string, Feed>>, parts: readonly TargetPart[]): Source {
  return {
    rows,
    feeds: Object.assign({ ...feeds }, ...parts.map((part) => part.feeds)),
    goals: parts.map(({ goal }) => goal),
  };
}

/** Checks a dataset against the network. With `withTargets` it must have labels or targets. */
export function fromDataset(name: string, model: Model, data: unknown, withTargets: boolean): Source {
  if (!isSampleSource(data)) throw invalid(name, 'a Dataset', data);
  const { length: rows } = data;
  checkInteger(`${name}: length`, rows, { min: 0, below: 2 ** 31 });
  checkTargetColumn(name, data);
  const feeds = inputFeeds(name, model, data);
  if (rows === 0) throw emptyError(name);
  if (!withTargets) return { rows, feeds, goals: [] };
  const outputs = goalsOf(model);
  if (data.goals !== undefined)
    checkKnown(
      `${name}: targets`,
      data.goals,
      outputs.map((output) => output.name),
    );
  const parts = outputs.map((output) => targetPart(name, output, data, outputs.length === 1));
  return withParts(rows, feeds, weighted(name, outputs, parts, data.sampleWeights, rows));
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
  if (record !== undefined)
    checkKnown(
      name,
      record,
      inputs.map((input) => input.name),
    );
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
  if (record !== undefined)
    checkKnown(
      'y',
      record,
      outputs.map((output) => output.name),
    );
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

/** Whether a block contains neither NaN nor infinities. */
export function allFinite(block: Float32Array): boolean {
  // A product with 0 is NaN only for NaN and infinities.
  let sum = 0;
  for (let i = 0; i < block.length; i++) sum += block[i] * 0;
  return sum === 0;
}

/**
 * The first NaN or infinity in the rows `order` (default: all) of a source: the cause of a non-finite loss, if it was
 * in the data.
 */
export function findNonFinite(source: Source, order?: Int32Array): NonFiniteDetails | undefined {
  const rows = order ?? Int32Array.from({ length: source.rows }, (_, i) => i);
  for (const [name, { values: data }] of Object.entries(source.feeds)) {
    const dot = name.indexOf('.');
    const [role, column] = dot < 0 ? [name, ''] : [name.slice(0, dot), name.slice(dot + 1)];
    const where = role === 'features' || role === 'weights' ? role : 'targets';
    if (!types.isFloat32Array(data)) continue;
    const list = (role: string) => source.feeds[feedName(role, column === '' ? undefined : column)]?.values;
    const [starts, ends, places] = where === 'features' ? [list('rowStarts'), list('rowEnds'), list('indices')] : [];
    if (starts !== undefined && ends !== undefined && places !== undefined) {
      for (const row of rows) {
        const at = data.subarray(starts[row], ends[row]).findIndex((value) => !Number.isFinite(value));
        if (at < 0) continue;
        const k = starts[row] + at;
        return { where, ...(column !== '' && { name: column }), row, column: places[k], value: data[k] };
      }
      continue;
    }
    const perRow = data.length / source.rows;
    for (const row of rows) {
      for (let i = 0; i < perRow; i++) {
        const value = data[row * perRow + i];
        if (!Number.isFinite(value)) return { where, ...(column !== '' && { name: column }), row, column: i, value };
      }
    }
  }
  return undefined;
}

/** The error for an update that made parameters non-finite. */
export function spoiltError(at: string): BlasnetError {
  const message = `parameters: an update ${at} made one non-finite although the losses are finite; a smaller learning rate usually helps`;
  return new BlasnetError('NON_FINITE', message, { details: { where: 'parameters' } });
}

/** The error for the first non-finite gradient; ignores the `frozen` parameters. */
export function gradientError(
  parameters: readonly { readonly name: string; readonly gradient: Float32Array }[],
  frozen: (name: string) => boolean,
): BlasnetError {
  for (const { name, gradient } of parameters) {
    const column = gradient.findIndex((value) => !Number.isFinite(value));
    if (column < 0 || frozen(name)) continue;
    const value = gradient[column];
    const message = `gradients: ${name}: element ${column}: expected a finite number, got ${value}; no parameter was changed`;
    return new BlasnetError('NON_FINITE', message, { details: { where: 'gradients', parameter: name, column, value } });
  }
  return new BlasnetError('NON_FINITE', 'gradients: one is not finite; no parameter was changed', {
    details: { where: 'gradients' },
  });
}

/** The error for a batch with a NaN or an infinity. */
function dataError(found: NonFiniteDetails, at: string): BlasnetError {
  const { where, name, row, column, value } = found;
  const message = `${labelOf(where, name)}: row ${row}, column ${column}: expected a finite number, got ${value} (${at})`;
  return new BlasnetError('NON_FINITE', message, { details: found });
}

/** The error for a forward pass that made running statistics non-finite. */
export function statisticsError(found: NonFiniteDetails | undefined, at: string): BlasnetError {
  if (found !== undefined) return dataError(found, at);
  const message = `state: a running statistic would overflow ${at} although the features are finite; scale them to smaller numbers`;
  return new BlasnetError('NON_FINITE', message, { details: { where: 'state' } });
}

/**
 * The error for a rejected training step: its mean loss was not finite, or the running statistics `state` no longer
 * are.
 */
export function stepError(
  state: Float32Array,
  found: NonFiniteDetails | undefined,
  loss: number,
  at: string,
): BlasnetError {
  return allFinite(state) ? nonFiniteError(found, loss, at) : statisticsError(found, at);
}

/** The error on a rank whose own rows are finite, for a batch of which another one's are not. */
export function otherRankError(rank: number, loss: number, at: string): BlasnetError {
  const message = `loss: it became ${describe(loss)} by a number in the rows of rank ${rank}, which names it (${at})`;
  return new BlasnetError('NON_FINITE', message, { details: { where: 'loss', value: loss } });
}

/** The error for a mean loss that was not finite. */
export function nonFiniteError(found: NonFiniteDetails | undefined, loss: number, at: string): BlasnetError {
  if (found !== undefined) return dataError(found, at);
  return new BlasnetError(
    'NON_FINITE',
    `loss: it became ${describe(loss)} ${at} although features and targets are finite; a smaller learning rate usually helps`,
    { details: { where: 'loss', value: loss } },
  );
}
