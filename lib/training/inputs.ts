import { types } from 'node:util';
import { checkInteger, checkNumber, checkShape, checkStorage, describe, invalid } from '../checks.js';
import { BlasnetError, type NonFiniteDetails } from '../errors.js';
import { elements } from '../program/instructions.js';
import type { Model } from '../program/model.js';
import { sharedBuffer } from '../shared-memory.js';
import type { IntegerArray, SampleSource } from '../types.js';
import type { Source } from './engine.js';

/** Features of a synchronous call: rows × features numbers, or a dataset. */
export type Features = Float32Array | readonly number[] | readonly (readonly number[])[] | SampleSource;
/** Targets of a synchronous call: class indices, or rows of values. */
export type Targets = IntegerArray | Float32Array | readonly number[] | readonly (readonly number[])[];

export function isSampleSource(value: unknown): value is SampleSource {
  const source = value as Partial<SampleSource> | null;
  return (
    typeof source === 'object' && source !== null && ArrayBuffer.isView(source.features) && typeof source.length === 'number'
  );
}

/** Numbers from a flat array or an array of rows of `perRow` numbers each; a Float32Array is borrowed as it is. */
function toFloats(name: string, value: unknown, perRow: number): Float32Array {
  if (types.isFloat32Array(value)) {
    checkStorage(name, value);
    return value;
  }
  if (!Array.isArray(value)) throw invalid(name, 'a Float32Array or arrays of numbers', value);
  value.forEach((row: unknown, i) => {
    if (Array.isArray(row) && row.length !== perRow) {
      throw new BlasnetError('SHAPE_MISMATCH', `${name}[${i}]: expected ${perRow} numbers (one row), got ${row.length}`);
    }
  });
  const flat: unknown[] = value.flat();
  const wrong = flat.findIndex((item) => typeof item !== 'number');
  if (wrong >= 0) throw invalid(`${name}[${wrong}]`, 'a number', flat[wrong]);
  return Float32Array.from(flat as number[]);
}

function rowsOf(name: string, length: number, perRow: number): number {
  if (length === 0) throw new BlasnetError('EMPTY_DATA', `${name}: expected at least one row, got none`);
  if (length % perRow !== 0) {
    throw new BlasnetError('SHAPE_MISMATCH', `${name}: expected a multiple of ${perRow} numbers (one row), got ${length}`);
  }
  return length / perRow;
}

function checkLabels(name: string, labels: Int32Array, classes: number): void {
  for (let row = 0; row < labels.length; row++) {
    if (labels[row] < 0 || labels[row] >= classes) {
      throw new BlasnetError(
        'LABEL_OUT_OF_RANGE',
        `${name}: row ${row}: expected a label from 0 to ${classes - 1}, got ${labels[row]}`,
      );
    }
  }
}

type TargetPart = Pick<Source, 'target' | 'labels' | 'targets'>;

function asTargets(name: string, targets: Float32Array, rows: number, outputs: number): TargetPart {
  if (targets.length !== rows * outputs) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `${name}: expected ${rows} rows × ${outputs} outputs = ${rows * outputs} numbers, got ${targets.length}`,
    );
  }
  return { target: 'targets', targets };
}

/** Class indices as the loss wants them: as they are, or as 0/1 values of a single output. */
function asLabels(
  name: string,
  model: Model,
  labels: Int32Array,
  rows: number,
  toShared: (length: number) => Float32Array,
): TargetPart {
  if (labels.length !== rows) {
    throw new BlasnetError('SHAPE_MISMATCH', `${name}: expected one label for each of ${rows} rows, got ${labels.length}`);
  }
  const outputs = elements(model.output);
  if (model.loss.targets.includes('labels')) {
    checkLabels(name, labels, outputs);
    return { target: 'labels', labels };
  }
  if (model.loss.writeHits === undefined || outputs !== 1) {
    throw new BlasnetError(
      'INVALID_ARGUMENT',
      `${name}: the loss ${model.loss.kind} with ${outputs} output${outputs === 1 ? '' : 's'} needs targets (${outputs} numbers a row), got class labels`,
    );
  }
  checkLabels(name, labels, 2);
  const targets = toShared(rows);
  targets.set(labels);
  return { target: 'targets', targets };
}

/** Targets that were derived from a dataset's labels, kept as long as the dataset lives. */
const derived = new WeakMap<Int32Array, Float32Array>();

function checkFeatureShape(model: Model, shape: readonly number[]): void {
  const [given, wanted] = [shape, model.input];
  const same = given.length === wanted.length && given.every((size, i) => size === wanted[i]);
  const flat = given.length === 1 || wanted.length === 1;
  if (!same && !(flat && elements(given) === elements(wanted))) {
    throw new BlasnetError('SHAPE_MISMATCH', `data: expected samples of shape [${wanted.join(', ')}], got [${given.join(', ')}]`);
  }
}

/** A source that is no `Dataset` may hold anything. */
function checkSource(name: string, { length, shape, features, scale, offset, labels, targets }: SampleSource): void {
  checkInteger(`${name}: length`, length, { min: 0, below: 2 ** 31 });
  checkShape(`${name}: shape`, shape);
  checkNumber(`${name}: scale`, scale);
  checkNumber(`${name}: offset`, offset);
  if (!types.isUint8Array(features) && !types.isFloat32Array(features)) {
    throw invalid(`${name}: features`, 'a Uint8Array or a Float32Array', features);
  }
  if (labels !== undefined && !types.isInt32Array(labels)) throw invalid(`${name}: labels`, 'an Int32Array', labels);
  if (targets !== undefined && !types.isFloat32Array(targets)) throw invalid(`${name}: targets`, 'a Float32Array', targets);
  checkStorage(`${name}: features`, features);
  if (labels !== undefined) checkStorage(`${name}: labels`, labels);
  if (targets !== undefined) checkStorage(`${name}: targets`, targets);
  const wanted = length * elements(shape);
  if (features.length !== wanted) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `${name}: features: expected ${length} rows of ${elements(shape)} numbers, got ${features.length}`,
    );
  }
}

/** Checks a dataset against the network. `withTargets`: its labels or targets are needed. */
export function fromDataset(name: string, model: Model, data: unknown, withTargets: boolean): Source {
  if (!isSampleSource(data)) throw invalid(name, 'a Dataset', data);
  checkSource(name, data);
  checkFeatureShape(model, data.shape);
  if (data.length === 0) throw new BlasnetError('EMPTY_DATA', `${name}: expected at least one row, got none`);
  const { length: rows, features, scale, offset } = data;
  const base = { rows, features, scale, offset };
  if (!withTargets) return { ...base, target: 'none' };
  if (data.labels !== undefined) {
    const labels = data.labels;
    const part = asLabels(`${name}: labels`, model, labels, rows, (length) => {
      const known = derived.get(labels) ?? new Float32Array(sharedBuffer(length * 4));
      derived.set(labels, known);
      return known;
    });
    return { ...base, ...part };
  }
  if (data.targets === undefined)
    throw new BlasnetError('INVALID_ARGUMENT', `${name}: expected a dataset with labels or targets, got one without`);
  if (!model.loss.targets.includes('targets')) throw invalid(name, 'labels', 'targets');
  return { ...base, ...asTargets(`${name}: targets`, data.targets, rows, elements(model.output)) };
}

function shared<T extends Uint8Array | Int32Array | Float32Array>(data: T): T {
  if (types.isSharedArrayBuffer(data.buffer)) return data;
  const copy = new (data.constructor as new (buffer: SharedArrayBuffer) => T)(sharedBuffer(data.byteLength));
  copy.set(data);
  return copy;
}

/** The source for an asynchronous run, which may hold shared memory only: other storage is copied. */
export function overSharedMemory(source: Source): Source {
  const { features, labels, targets } = source;
  return {
    ...source,
    features: shared(features),
    ...(labels && { labels: shared(labels) }),
    ...(targets && { targets: shared(targets) }),
  };
}

/** Checks the features of a synchronous call. */
export function fromFeatures(name: string, model: Model, x: unknown): Source {
  if (isSampleSource(x)) return fromDataset(name, model, x, false);
  const features = toFloats(name, x, elements(model.input));
  return { rows: rowsOf(name, features.length, elements(model.input)), features, scale: 1, offset: 0, target: 'none' };
}

function isInteger(value: unknown): value is IntegerArray {
  const others = [types.isFloat32Array, types.isFloat64Array, types.isBigInt64Array, types.isBigUint64Array];
  return types.isTypedArray(value) && !others.some((is) => is(value));
}

/** Checks features and targets of a synchronous call. */
export function fromBatch(model: Model, x: unknown, y: unknown): Source {
  if (isSampleSource(x) && y === undefined) return fromDataset('x', model, x, true);
  const source = fromFeatures('x', model, x);
  const outputs = elements(model.output);
  const wantsLabels = model.loss.targets.includes('labels');
  const plainLabels =
    Array.isArray(y) && wantsLabels && y.length === source.rows && y.every((value) => typeof value === 'number');
  if (isInteger(y) || (plainLabels && (outputs > 1 || y.every((value) => Number.isInteger(value))))) {
    if (isInteger(y)) checkStorage('y', y);
    const wrong = Array.isArray(y) ? y.findIndex((value) => (value | 0) !== value) : -1;
    if (wrong >= 0) throw invalid(`y[${wrong}]`, 'an integer label', (y as number[])[wrong]);
    const labels = types.isInt32Array(y) ? y : Int32Array.from(y as ArrayLike<number>);
    return { ...source, ...asLabels('y', model, labels, source.rows, (length) => new Float32Array(length)) };
  }
  if (!types.isFloat32Array(y) && !Array.isArray(y))
    throw invalid('y', 'integer labels, or a Float32Array or arrays of targets', y);
  return { ...source, ...asTargets('y', toFloats('y', y, outputs), source.rows, outputs) };
}

/** Whether a block has neither NaN nor infinities. */
export function allFinite(block: Float32Array): boolean {
  // A product with 0 is NaN for NaN and infinities alone.
  let sum = 0;
  for (let i = 0; i < block.length; i++) sum += block[i] * 0;
  return sum === 0;
}

/** The first NaN or infinity among the rows `order` (default: all) of a source: what made a loss non-finite, if it was the data. */
export function findNonFinite(source: Source, order?: Int32Array): NonFiniteDetails | undefined {
  const rows = order ?? Int32Array.from({ length: source.rows }, (_, i) => i);
  const columns = [
    { where: 'features' as const, data: source.features },
    { where: 'targets' as const, data: source.targets },
  ];
  for (const { where, data } of columns) {
    if (!(data instanceof Float32Array)) continue;
    const perRow = data.length / source.rows;
    for (const row of rows) {
      for (let column = 0; column < perRow; column++) {
        const value = data[row * perRow + column];
        if (!Number.isFinite(value)) return { where, row, column, value };
      }
    }
  }
  return undefined;
}

/** The error for an update that left parameters that are not finite. */
export function spoiltError(at: string): BlasnetError {
  const message = `parameters: an update ${at} made one non-finite although the losses are finite; a smaller learning rate usually helps`;
  return new BlasnetError('NON_FINITE', message, { details: { where: 'parameters' } });
}

/** The error for a batch with a NaN or an infinity. */
function dataError(found: NonFiniteDetails, at: string): BlasnetError {
  const { where, row, column, value } = found;
  const message = `${where}: row ${row}, column ${column}: expected a finite number, got ${value} (${at})`;
  return new BlasnetError('NON_FINITE', message, { details: found });
}

/** The error for a forward pass that left running statistics that are not finite. */
export function statisticsError(found: NonFiniteDetails | undefined, at: string): BlasnetError {
  if (found !== undefined) return dataError(found, at);
  const message = `state: a running statistic would overflow ${at} although the features are finite; scale them to smaller numbers`;
  return new BlasnetError('NON_FINITE', message, { details: { where: 'state' } });
}

/** The error for a step whose mean loss was not finite. */
export function nonFiniteError(found: NonFiniteDetails | undefined, loss: number, at: string): BlasnetError {
  if (found !== undefined) return dataError(found, at);
  return new BlasnetError(
    'NON_FINITE',
    `loss: it became ${describe(loss)} ${at} although features and targets are finite; a smaller learning rate usually helps`,
    { details: { where: 'loss', value: loss } },
  );
}
