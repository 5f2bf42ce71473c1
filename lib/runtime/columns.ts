/** Columns of inputs, targets and weights: what datasets and synchronous calls have in common. */
import { types } from 'node:util';
import type { Feed } from '../backend/backend.js';
import { checkStorage, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { Loss } from '../losses/loss.js';
import { plainView, readLabels } from '../numbers.js';
import { elements } from '../program/instructions.js';
import { feedName, type Goal } from '../program/losses.js';
import type { Model, ModelInput, ModelOutput } from '../program/model.js';
import { cut, listed, quote } from '../text.js';
import type { SampleSource, Shape, TypedArray } from '../types.js';
import type { Source } from './engine.js';

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
export function fits(given: Shape, wanted: Shape): boolean {
  const flat = given.length === 1 || wanted.length === 1;
  return sameShape(given, wanted) || (flat && elements(given) === elements(wanted));
}

export function emptyError(name: string): BlasnetError {
  return new BlasnetError('EMPTY_DATA', `${name}: expected at least one row, got none`);
}

/** Throws unless nested numbers of this shape are rows of the shape `wanted`, or a single row. */
export function checkRows(name: string, shape: Shape, wanted: Shape): void {
  if (sameShape(shape, wanted) || fits(shape.slice(1), wanted)) return;
  const [expected, given] = [wanted.join(', '), shape.join(', ')];
  throw new BlasnetError(
    'SHAPE_MISMATCH',
    `${name}: expected rows of shape [${expected}], got numbers of shape [${given}]`,
  );
}

/** The name of a column in messages: that of an only input or output without a name is `label` alone. */
export const labelOf = (label: string, name: string | undefined) => (name === undefined ? label : `${label}.${name}`);

export type Target = ModelOutput & { readonly loss: Loss };

/** The columns of an output with a loss: its goal and its feeds. */
export interface TargetPart {
  readonly goal: Goal;
  readonly feeds: Readonly<Record<string, Feed>>;
}

export function asTargets(
  label: string,
  { name, shape, loss }: Target,
  values: Float32Array,
  rows: number,
): TargetPart {
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
export function asLabels(
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

/** Writes features as indices. Throws `INVALID_ARGUMENT`, naming row and column, for those that the input lacks. */
export function writeIndices(
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

/** An entry of a user's record: its own one, as a name such as `constructor` is also found in its prototype. */
export function ownEntry<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** The entry of a record of columns; throws, naming the column, if there is none or more than the network has. */
export function columnOf<T>(label: string, columns: Readonly<Record<string, T>>, name: string): T {
  const column = ownEntry(columns, name);
  if (column === undefined) {
    const text = `expected a column ${quote(name)}, got ${listed(Object.keys(columns)) || 'none'}`;
    throw new BlasnetError('INVALID_ARGUMENT', `${label}: ${text}`);
  }
  return column;
}

export function checkKnown(
  label: string,
  columns: object,
  named: readonly { readonly name?: string | undefined }[],
): void {
  const names = named.map(({ name }) => name);
  const extra = Object.keys(columns).find((key) => !names.includes(key));
  if (extra === undefined) return;
  const known = names.filter((name) => name !== undefined);
  const text = `there is no place for the column ${quote(extra)}: the network's names here are ${listed(known) || 'none'}`;
  throw new BlasnetError('INVALID_ARGUMENT', `${label}: ${text}`);
}

export function severalInputs(name: string, inputs: Model['inputs']): BlasnetError {
  const names = listed(inputs.map((input) => input.name));
  return new BlasnetError(
    'INVALID_ARGUMENT',
    `${name}: the network has the inputs ${names}; give each by its name, such as { ${inputs[0].name}: … }`,
  );
}

/** A column of weights, checked. NaN and infinities are reported during the run. */
function checkWeights(label: string, value: unknown, rows: number): Float32Array {
  if (!types.isFloat32Array(value)) throw invalid(label, 'a Float32Array', value);
  checkStorage(label, value);
  const weights = plainView(value, Float32Array);
  if (weights.length !== rows) {
    throw new BlasnetError('SHAPE_MISMATCH', `${label}: expected one for each of ${rows} rows, got ${weights.length}`);
  }
  const row = weights.findIndex((weight) => weight < 0);
  if (row >= 0) throw invalid(`${label}: row ${row}`, 'a weight of at least 0', weights[row]);
  return weights;
}

/** Adds the rows' weights, for all outputs or by output, to their parts. */
export function weighted(
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
    checkKnown(label, byName, outputs);
  }
  return parts.map((part, i) => {
    const { name: output } = outputs[i];
    const values = byName === undefined ? given : ownEntry<unknown>(byName as Record<string, unknown>, output ?? '');
    if (values === undefined) return part;
    const column = checkWeights(byName === undefined ? label : labelOf(label, output), values, rows);
    return addWeights(part, output, column);
  });
}

function addWeights({ goal, feeds }: TargetPart, output: string | undefined, values: Float32Array): TargetPart {
  return { goal: { ...goal, weighted: true }, feeds: { ...feeds, [feedName('weights', output)]: { values } } };
}

export function withParts(rows: number, feeds: Readonly<Record<string, Feed>>, parts: readonly TargetPart[]): Source {
  return {
    rows,
    feeds: Object.assign({ ...feeds }, ...parts.map((part) => part.feeds)),
    goals: parts.map(({ goal }) => goal),
  };
}
