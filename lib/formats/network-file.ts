import { checkInteger, checkNumber, checkOptions, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { type LayerSpec, readLayer } from '../layers/layer.js';
import { type Loss, readLoss } from '../losses.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { buildModel, type Model, type ModelSpec } from '../program/model.js';
import { type Regularizer, resolveRegularizer } from '../regularizers.js';
import { JsonError, parseJson } from './json.js';
import { describeOptimizer, makeOptimizer, type SavedOptimizer } from './optimizer-state.js';
import { fromPlain, toPlain } from './plain.js';
import { corrupt, decodeSafetensors, encodeSafetensors, type NewTensor, type StoredTensor } from './safetensors.js';

const FORMAT = 'blasnet';
const VERSION = '1';
/** Where the header lies; what is wrong in it is reported there. */
const HEADER = 8;
/** Dimensions of a sample that a file may have. */
const MAX_RANK = 64;

/** Numbers that training counts up, and that resuming it needs. */
export interface Counters {
  /** Epochs begun and ended: the number of the next shuffle. */
  readonly epochs: number;
  /** Steps of the random masks. */
  readonly noiseSteps: number;
}

/** A network's memory, as the engine holds it. */
export interface NetworkMemory {
  readonly model: Model;
  readonly parameters: Float32Array;
  readonly state: Float32Array;
  noiseSteps: number;
  /** Gives the optimizer its moments, if it has none yet. */
  attach(optimizer: Optimizer): unknown;
}

const momentName = (moment: string, parameter: string) => `optimizer.${moment}.${parameter}`;

/** A network as the bytes of a safetensors file, with the optimizer's state where that is given; all as of now. */
export function encodeNetwork(network: NetworkMemory, epochs: number, optimizer: Optimizer | undefined): Uint8Array {
  const { model } = network;
  const tensors: NewTensor[] = [];
  const list = (block: Float32Array, entries: Model['parameters'] | Model['state'], fullName = (name: string) => name) => {
    for (const [name, { spec, tensor }] of entries) {
      const value = block.subarray(tensor.offset, tensor.offset + tensor.fixed);
      tensors.push({ name: fullName(name), shape: spec.shape, value });
    }
  };
  list(network.parameters, model.parameters);
  list(network.state, model.state);
  if (optimizer !== undefined) {
    network.attach(optimizer);
    for (const [moment, block] of optimizer.moments) list(block, model.parameters, (name) => momentName(moment, name));
  }
  const { input, specs: layers, loss, regularizer, seed } = model;
  const architecture = { input, layers, loss: { kind: loss.kind, options: loss.options }, regularizer, seed };
  const counters: Counters = { epochs, noiseSteps: network.noiseSteps };
  return encodeSafetensors(tensors, {
    format: FORMAT,
    version: VERSION,
    network: JSON.stringify(toPlain(architecture)),
    training: JSON.stringify(counters),
    ...(optimizer !== undefined && { optimizer: JSON.stringify(describeOptimizer(optimizer)) }),
  });
}

/** A network read from a file, every rule checked. */
export interface SavedNetwork {
  readonly spec: ModelSpec;
  readonly counters: Counters;
  readonly optimizer: SavedOptimizer | undefined;
  readonly file: string;
  readonly model: Model;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/**
 * Reads a network's bytes. Throws `FILE_CORRUPT` with file, byte and rule; `INVALID_ARGUMENT` when the loss is not the library's and `loss` is
 * not it. Allocates nothing by what the file says of itself: a tensor's shape is believed only when its bytes are there.
 */
export function decodeNetwork(bytes: Uint8Array, file: string, loss: Loss | undefined): SavedNetwork {
  const { tensors, metadata } = decodeSafetensors(bytes, file);
  if (metadata.get('format') !== FORMAT)
    throw corrupt(file, HEADER, `it is no network of ${FORMAT}'s: the metadata tell no such format`);
  const version = metadata.get('version');
  if (version !== VERSION) throw corrupt(file, HEADER, `its version is ${version}; this version of ${FORMAT} reads ${VERSION}`);
  const section = <T>(name: string, read: (value: Readonly<Record<string, unknown>>) => T): T => {
    try {
      const value = parseJson(metadata.get(name) ?? 'null');
      if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('section', 'an object', value);
      return read(value as Record<string, unknown>);
    } catch (cause) {
      if (cause instanceof MissingLoss) throw new BlasnetError('INVALID_ARGUMENT', `${file}: ${cause.message}`);
      if (!(cause instanceof BlasnetError) && !(cause instanceof JsonError)) throw cause;
      throw corrupt(file, HEADER, `metadata: ${name}: ${cause.message}`, cause);
    }
  };
  const { spec, model } = section('network', (value) => {
    const spec = readSpec(value, loss);
    return { spec, model: buildModel(spec) };
  });
  const counters = section('training', (value) => {
    const { epochs, noiseSteps } = checkOptions<Partial<Counters>>('section', value, ['epochs', 'noiseSteps']);
    return { epochs: checkInteger('epochs', epochs, { min: 0 }), noiseSteps: checkInteger('noiseSteps', noiseSteps, { min: 0 }) };
  });
  const optimizer = metadata.has('optimizer') ? section('optimizer', readOptimizer) : undefined;
  checkTensors(file, model, optimizer, tensors);
  return { spec, counters, optimizer, file, model, tensors };
}

class MissingLoss extends Error {}

function readSpec(value: Readonly<Record<string, unknown>>, given: Loss | undefined): ModelSpec {
  const known = ['input', 'layers', 'loss', 'regularizer', 'seed'];
  const { input, layers, loss, regularizer, seed } = checkOptions<Record<string, unknown>>('section', value, known);
  if (!Array.isArray(input) || input.length > MAX_RANK) throw invalid('input', `a list of at most ${MAX_RANK} sizes`, input);
  if (!Array.isArray(layers)) throw invalid('layers', 'a list of layers', layers);
  return {
    input,
    layers: layers.map((layer, i): LayerSpec => {
      if (typeof layer !== 'object' || layer === null) throw invalid(`layers[${i}]`, 'an object', layer);
      return readLayer(`layers[${i}]`, fromPlain(layer) as Record<string, unknown>);
    }),
    loss: lossFrom(loss, given),
    regularizer: resolveRegularizer('regularizer', regularizer as Regularizer | undefined),
    seed: checkInteger('seed', seed, { min: 0, below: 2 ** 32 }),
  };
}

function lossFrom(value: unknown, given: Loss | undefined): Loss {
  const { kind, options } = checkOptions('loss', value as Record<string, unknown>, ['kind', 'options']);
  if (typeof kind !== 'string') throw invalid('loss: kind', 'a string', kind);
  if (given !== undefined && given.kind === kind) return given;
  const loss = given === undefined ? readLoss(kind, options as object | undefined) : undefined;
  if (loss === undefined) {
    const got = given === undefined ? "which is not the library's" : `not of kind ${JSON.stringify(given.kind)}`;
    throw new MissingLoss(`its loss is of kind ${JSON.stringify(kind)}, ${got}: give that loss as \`loss\``);
  }
  if (options !== undefined && loss.options === undefined) throw invalid('loss: options', 'none', options);
  return loss;
}

function readOptimizer(value: Readonly<Record<string, unknown>>): SavedOptimizer {
  const known = ['kind', 'options', 'steps', 'rateFactor', 'moments'];
  const { kind, options, steps, rateFactor, moments } = checkOptions<Record<string, unknown>>('section', value, known);
  if (typeof kind !== 'string') throw invalid('kind', 'a string', kind);
  if (!Array.isArray(moments) || !moments.every((name) => typeof name === 'string') || new Set(moments).size < moments.length) {
    throw invalid('moments', 'a list of different names', moments);
  }
  return {
    kind,
    options,
    steps: checkInteger('steps', steps, { min: 0 }),
    rateFactor: checkNumber('rateFactor', rateFactor, { min: 0 }),
    moments,
  };
}

/** Throws unless the tensors are exactly those of the network and the optimizer, in float32 and of the right shapes. */
function checkTensors(
  file: string,
  model: Model,
  optimizer: SavedOptimizer | undefined,
  tensors: ReadonlyMap<string, StoredTensor>,
): void {
  let expected = 0;
  const check = (name: string, shape: readonly number[]) => {
    expected++;
    const tensor = tensors.get(name);
    if (tensor === undefined) throw corrupt(file, HEADER, `there is no tensor ${JSON.stringify(name)}`);
    if (tensor.dtype !== 'F32' || tensor.shape.join() !== shape.join()) {
      const [wanted, found] = [`F32 [${shape.join(', ')}]`, `${tensor.dtype} [${tensor.shape.join(', ')}]`];
      throw corrupt(file, tensor.offset, `tensor ${JSON.stringify(name)}: expected ${wanted}, got ${found}`);
    }
  };
  for (const [name, { spec }] of model.parameters) check(name, spec.shape);
  for (const [name, { spec }] of model.state) check(name, spec.shape);
  for (const moment of optimizer?.moments ?? []) {
    for (const [name, { spec }] of model.parameters) check(momentName(moment, name), spec.shape);
  }
  if (expected !== tensors.size) {
    throw corrupt(file, HEADER, `it has ${tensors.size} tensors, the network and its optimizer ${expected}`);
  }
}

function copyTo(block: Float32Array, offset: number, tensor: StoredTensor): void {
  new Uint8Array(block.buffer, block.byteOffset + 4 * offset, tensor.bytes.length).set(tensor.bytes);
}

/** Puts the saved numbers into a network made by the saved spec. */
export function fillNetwork({ model, tensors, counters }: SavedNetwork, network: NetworkMemory): void {
  const fill = (block: Float32Array, entries: Model['parameters'] | Model['state']) => {
    for (const [name, { tensor }] of entries) copyTo(block, tensor.offset, tensors.get(name) as StoredTensor);
  };
  fill(network.parameters, model.parameters);
  fill(network.state, model.state);
  network.noiseSteps = counters.noiseSteps;
}

/**
 * Gives the saved state to `given`, or to a new optimizer with the saved hyper-parameters, which then belongs to the network. Throws
 * `INVALID_ARGUMENT` when the file has no optimizer or `given` is not like it, and as {@link makeOptimizer}.
 */
export function restoreOptimizer(saved: SavedNetwork, network: NetworkMemory, given: Optimizer | undefined): Optimizer {
  const { optimizer: state, file, model, tensors } = saved;
  const refuse = (what: string) => new BlasnetError('INVALID_ARGUMENT', `${file}: ${what}`);
  if (state === undefined) throw refuse('it has no optimizer: it was saved without one');
  if (given !== undefined && given.kind !== state.kind) {
    throw refuse(`it has the state of an optimizer of kind ${JSON.stringify(state.kind)}, not ${JSON.stringify(given.kind)}`);
  }
  const optimizer = given ?? makeOptimizer(file, state);
  if (optimizer.momentNames.join() !== state.moments.join()) {
    const what = `its optimizer has the moments ${state.moments.join(', ')}, expected ${optimizer.momentNames.join(', ')}`;
    throw given === undefined ? corrupt(file, HEADER, what) : refuse(what);
  }
  try {
    network.attach(optimizer);
  } catch (cause) {
    if (given !== undefined || !(cause instanceof BlasnetError) || cause.code !== 'INVALID_ARGUMENT') throw cause;
    throw corrupt(file, HEADER, `metadata: optimizer: ${cause.message}`, cause);
  }
  const moments = state.moments.map((moment): [string, Float32Array] => {
    const block = new Float32Array(model.parameterLength).fill(optimizer.initialMoment(moment));
    for (const [name, { tensor }] of model.parameters) {
      copyTo(block, tensor.offset, tensors.get(momentName(moment, name)) as StoredTensor);
    }
    return [moment, block];
  });
  const { steps, rateFactor } = state;
  optimizer.restore({ steps, rateFactor, moments: Object.fromEntries(moments) });
  return optimizer;
}
