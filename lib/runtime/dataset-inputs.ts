/** Datasets, checked against a network. */
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
  MAX_SIZE,
} from '../checks.js';
import { BlasnetError } from '../errors.js';
import { plainView } from '../numbers.js';
import { elements } from '../program/instructions.js';
import { feedName } from '../program/losses.js';
import { goalsOf, type Model } from '../program/model.js';
import { sharedFloats, sharedIntegers } from '../shared-memory.js';
import { listed } from '../text.js';
import type { FeatureColumn, SampleSource, TargetColumn } from '../types.js';
import {
  asLabels,
  asTargets,
  checkKnown,
  columnOf,
  emptyError,
  fits,
  isSampleSource,
  labelOf,
  severalInputs,
  type Target,
  type TargetPart,
  weighted,
  withParts,
  writeIndices,
} from './columns.js';
import type { Source } from './engine.js';

/** Targets derived from a dataset's labels, kept as long as the labels' array exists. */
const derived = new WeakMap<Int32Array, Float32Array>();

/** Labels from a dataset's targets, kept as long as the targets' array exists. */
const integers = new WeakMap<Float32Array, Int32Array>();

/** Indices of a dataset's features, kept as long as the features' array exists. */
const indices = new WeakMap<Uint8Array | Float32Array, Int32Array>();

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

/** A column's fields, each read once: what is checked is what is used, even if they are getters. */
function readColumn({ shape, features, scale, offset, rowOffsets, indices }: FeatureColumn): FeatureColumn {
  return { shape, features, scale, offset, rowOffsets, indices };
}

/** Likewise a source's. */
function readSource(data: SampleSource): SampleSource {
  const { length, labels, targets, inputs, goals, sampleWeights } = data;
  const labelNames = namesOf(data);
  return Object.assign(readColumn(data), { length, labels, targets, inputs, goals, sampleWeights, labelNames });
}

/** The feeds of a dataset's inputs. */
function inputFeeds(name: string, { inputs }: Model, data: SampleSource): Record<string, Feed> {
  const several = data.inputs !== undefined;
  if (data.inputs !== undefined && inputs.every((input) => input.name === undefined)) {
    const names = `${listed(Object.keys(data.inputs))}; inputs() of an encoder makes inputs with its names`;
    const text = `the network's only input has no name, and the data are for inputs named ${names}`;
    throw new BlasnetError('INVALID_ARGUMENT', `${name}: features: ${text}`);
  }
  if (data.inputs !== undefined) checkKnown(`${name}: features`, data.inputs, inputs);
  const feeds = inputs.flatMap((input): [string, Feed][] => {
    const label = several ? labelOf(`${name}: features`, input.name) : name;
    if (!several && inputs.length > 1) throw severalInputs(name, inputs);
    const column =
      data.inputs === undefined ? data : readColumn(columnOf(`${name}: features`, data.inputs, input.name ?? ''));
    checkFeatures(label, data.length, column);
    if (!fits(column.shape, input.shape)) {
      const [wanted, given] = [input.shape.join(', '), column.shape.join(', ')];
      const text = `expected samples of shape [${wanted}], got [${given}]`;
      throw new BlasnetError('SHAPE_MISMATCH', `${several ? label : 'data'}: ${text}`);
    }
    const { features, scale, offset, rowOffsets, indices: places } = column;
    const values = types.isUint8Array(features) ? plainView(features, Uint8Array) : plainView(features, Float32Array);
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
      const offsets = plainView(rowOffsets, Int32Array);
      lists.rowStarts = { values: offsets.subarray(0, data.length) };
      lists.rowEnds = { values: offsets.subarray(1) };
      lists.indices = { values: plainView(places, Int32Array) };
    }
    return Object.entries(lists).map(([role, feed]) => [feedName(role, input.name), feed]);
  });
  return Object.fromEntries(feeds);
}

/** Labels that were given as a list of integers, which a dataset holds as targets, as it does not know the loss. */
function listedLabels({ shape, loss }: Target, targets: Float32Array, rows: number): Int32Array | undefined {
  if (!loss.targets.includes('labels') || elements(shape) === 1 || targets.length !== rows) return undefined;
  // Others would wrap around as labels.
  if (!targets.every((value) => (value | 0) === value)) return undefined;
  const labels = integers.get(targets) ?? sharedIntegers(rows);
  integers.set(targets, labels);
  labels.set(targets);
  return labels;
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
  const { labels: given, targets } = column;
  checkTargetColumn(label, { labels: given, targets });
  const { length: rows } = data;
  const labels = given ?? (several && targets ? listedLabels(output, targets, rows) : undefined);
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
  return asTargets(several ? label : `${name}: targets`, output, plainView(targets, Float32Array), rows);
}

/** Checks a dataset against the network. With `withTargets` it must have labels or targets. */
export function fromDataset(name: string, model: Model, given: unknown, withTargets: boolean): Source {
  if (!isSampleSource(given)) throw invalid(name, 'a Dataset', given);
  const data = readSource(given);
  const { length: rows } = data;
  checkInteger(`${name}: length`, rows, { min: 0, max: MAX_SIZE });
  checkTargetColumn(name, data);
  const feeds = inputFeeds(name, model, data);
  if (rows === 0) throw emptyError(name);
  if (!withTargets) return { rows, feeds, goals: [] };
  const outputs = goalsOf(model);
  if (data.goals !== undefined) checkKnown(`${name}: targets`, data.goals, outputs);
  const parts = outputs.map((output) => targetPart(name, output, data, outputs.length === 1));
  return withParts(rows, feeds, weighted(name, outputs, parts, data.sampleWeights, rows));
}
