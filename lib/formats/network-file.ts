import {
  checkChoice,
  checkInteger,
  checkNumber,
  checkOptions,
  checkSeed,
  invalid,
  isObject,
  isPlain,
  MAX_RANK,
} from '../checks.js';
import { BlasnetError } from '../errors.js';
import { input, isInput, MAX_LAYERS, makeNode, type Node, Shared, sortNodes } from '../graph/node.js';
import { placeNodes } from '../graph/place.js';
import { codes, type Precision } from '../kernels/codes.js';
import { checkName, type LayerSpec, readLayer } from '../layers/layer.js';
import { CUSTOM, graphLoss } from '../losses/custom.js';
import { type Loss, lossKinds, readLoss } from '../losses/loss.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { buildModel, type Model, type ModelSpec, type OutputSpec } from '../program/model.js';
import { type Regularizer, resolveRegularizer } from '../regularizers.js';
import { cut, listed, quote, shapeText } from '../text.js';
import type { Shape } from '../types.js';
import { checkLimits, JsonError, MAX_DEPTH, parseJson } from './json.js';
import { describeOptimizer, makeOptimizer, type SavedOptimizer } from './optimizer-state.js';
import { fromPlain, toPlain } from './plain.js';
import {
  corrupt,
  decodeSafetensors,
  encodeSafetensors,
  MAX_HEADER,
  type NewTensor,
  type StoredTensor,
} from './safetensors.js';

const FORMAT = 'blasnet';
const VERSION = '2';
/** Versions that can be read: 1 has chains only. */
const READABLE: readonly unknown[] = ['1', VERSION];
/** Maximum number of optimizer groups in a file. */
const MAX_GROUPS = 1000;
/**
 * Limits for a section of the metadata, in reading and in saving: for the most layers ten objects and lists each, of
 * which the simple ones have five and separable convolutions 13.
 */
const LIMITS = { objects: 10 * MAX_LAYERS, members: 20 * MAX_LAYERS };
/** Bytes that an encoder may take of a file's header. The rest is left for the network. */
const MAX_ENCODER = MAX_HEADER - 2 ** 20;
/** Limits for the user's own metadata. */
const USER_LIMITS = { objects: 100_000, members: 200_000 };
/** Position of the header, where errors in it are reported. */
const HEADER = 8;

/** Training counters needed to resume. */
export interface Counters {
  /** Completed epochs: the number of the next shuffle. */
  readonly epochs: number;
  /** Step count of the random masks. */
  readonly noiseSteps: number;
}

/** Data of the user's own: any JSON value. */
export type Metadata = string | number | boolean | null | readonly Metadata[] | { readonly [key: string]: Metadata };

/** What a network keeps besides its parameters and state. */
export interface Kept {
  /** Completed epochs: the number of the next shuffle. */
  epochs: number;
  metadata: Metadata | undefined;
  /** Plain data of the encoder of tables. */
  encoder: Metadata | undefined;
}

function freezeDeep<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(freezeDeep);
  return value;
}

/** Whether JSON has a list or plain object whole; what is in it may still be anything. */
function isJsonObject(value: unknown): value is object {
  if (!Array.isArray(value)) return isPlain(value) && Object.getOwnPropertySymbols(value).length === 0;
  // A subclass's prototype is not plain.
  return isPlain(Object.getPrototypeOf(value)) && Object.keys(value).length <= value.length;
}

/** Throws `INVALID_ARGUMENT`, naming the place, unless JSON gives a value back the same. */
function checkJson(name: string, root: unknown): void {
  const path: (string | number)[] = [];
  const open: object[] = [];
  const refuse = (value: unknown, why = '') => {
    const keys = path.map((key) =>
      typeof key === 'number' ? `[${key}]` : /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? `.${key}` : `[${quote(key)}]`,
    );
    const place = path.length === 0 ? '' : ` at ${name.slice(name.lastIndexOf(' ') + 1)}${cut(keys.join(''), 200)}`;
    return invalid(name, `a value that JSON can hold${place}${why}`, value);
  };
  const check = (value: unknown): void => {
    if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) return;
    if (!isJsonObject(value)) throw refuse(value);
    if (open.includes(value)) throw refuse(value, ' (it contains itself)');
    if (open.length === MAX_DEPTH) throw refuse(value, ` (nested deeper than ${MAX_DEPTH})`);
    open.push(value);
    // Positions of a list include its holes, which are undefined. A member that is undefined is omitted.
    const isList = Array.isArray(value);
    for (const key of isList ? value.keys() : Object.keys(value)) {
      const member = (value as Record<string | number, unknown>)[key];
      if (member === undefined && !isList) continue;
      path.push(key);
      check(member);
      path.pop();
    }
    open.pop();
  };
  check(root);
}

/**
 * A frozen copy of a JSON value: null, a boolean, string or finite number, a list, or a plain object. Throws
 * `INVALID_ARGUMENT` for anything that a file could not give back the same; only −0 becomes 0. `plainOf`
 * gives what is copied of the value; members that are undefined are omitted.
 */
export function checkMetadata(name: string, value: unknown, plainOf = (given: unknown) => given): Metadata | undefined {
  if (value === undefined) return undefined;
  try {
    const plain = plainOf(value);
    checkJson(name, plain);
    return freezeDeep(parseJson(JSON.stringify(plain), USER_LIMITS)) as Metadata;
  } catch (cause) {
    if (cause instanceof BlasnetError) throw cause;
    throw invalid(name, `a value that JSON can hold (${(cause as Error).message})`, value);
  }
}

/**
 * Such a copy of the data of an encoder. Throws also if it is too large for a file, which would fail at `save` only.
 */
export function checkEncoder(value: unknown): Metadata | undefined {
  const encoder = checkMetadata('encoder', value, (given) => {
    const { toJSON } = Object(given) as { toJSON?: unknown };
    return typeof toJSON === 'function' ? toJSON.call(given) : given;
  });
  if (encoder === undefined) return undefined;
  // The header holds it as a string: its quotes are escaped.
  const bytes = Buffer.byteLength(JSON.stringify(JSON.stringify(encoder)));
  if (bytes > MAX_ENCODER) {
    const text = `${bytes} bytes in a file, at most ${MAX_ENCODER}; lower \`most\` or raise \`minimum\` of its columns`;
    throw new BlasnetError('INVALID_ARGUMENT', `encoder: ${text}`);
  }
  return encoder;
}

/** A network's memory, as held by the engine. */
export interface NetworkMemory {
  readonly model: Model;
  readonly parameters: Float32Array;
  readonly state: Float32Array;
  noiseSteps: number;
  /** Gives the optimizer its moments if it has none yet. */
  attach(optimizer: Optimizer): unknown;
  /** Throws while a run uses the memory. */
  checkIdle(): void;
  /** Throws also during a training, whose callbacks can read the memory but not change it. */
  checkFree(): void;
}

const momentName = (moment: string, parameter: string) => `optimizer.${moment}.${parameter}`;

/** The current network as the bytes of a safetensors file, with the optimizer's state if given. */
export function encodeNetwork(
  network: NetworkMemory,
  { epochs, metadata, encoder }: Kept,
  optimizer: Optimizer | undefined,
): Uint8Array {
  const { model } = network;
  const tensors: NewTensor[] = [];
  const list = (
    block: Float32Array,
    entries: Model['parameters'] | Model['state'],
    fullName = (name: string) => name,
  ) => {
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
  checkCount('layers', model.nodes, MAX_LAYERS);
  if (optimizer !== undefined) checkCount('optimizer: groups', optimizer.options.groups, MAX_GROUPS);
  const counters: Counters = { epochs, noiseSteps: network.noiseSteps };
  return encodeSafetensors(tensors, {
    format: FORMAT,
    version: VERSION,
    network: section('network', toPlain(describeModel(model))),
    training: section('training', counters),
    ...(metadata !== undefined && { user: section('metadata', metadata, USER_LIMITS) }),
    ...(encoder !== undefined && { encoder: section('encoder', encoder, USER_LIMITS) }),
    ...(optimizer !== undefined && { optimizer: section('optimizer', describeOptimizer(optimizer)) }),
  });
}

/** A section of the metadata as JSON. Throws `INVALID_ARGUMENT` if it exceeds the limits for reading. */
function section(name: string, value: unknown, limits = LIMITS): string {
  const text = JSON.stringify(value);
  try {
    checkLimits(text, limits);
  } catch (cause) {
    throw new BlasnetError('INVALID_ARGUMENT', `${name}: ${(cause as Error).message}, which a file cannot hold`, {
      cause,
    });
  }
  return text;
}

function checkCount(name: string, list: readonly unknown[] | undefined, most: number): void {
  if (list !== undefined && list.length > most)
    throw invalid(name, `a list of at most ${most}, which a file can hold`, list);
}

/** A network read from a file and fully checked. */
export interface SavedNetwork {
  readonly spec: ModelSpec;
  readonly counters: Counters;
  readonly optimizer: SavedOptimizer | undefined;
  readonly file: string;
  readonly model: Model;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Metadata | undefined;
  readonly encoder: Metadata | undefined;
}

/**
 * Reads a network from bytes. Throws `FILE_CORRUPT` with file, byte and rule; `INVALID_ARGUMENT` if a loss is not one
 * of the library's and none given is of its kind. Never allocates by unchecked sizes: a tensor's shape is trusted only
 * if its bytes are present.
 */
export function decodeNetwork(bytes: Uint8Array, file: string, loss: Loss | readonly Loss[] | undefined): SavedNetwork {
  const given = loss === undefined ? [] : [loss].flat();
  const { tensors, metadata } = decodeSafetensors(bytes, file);
  if (metadata.get('format') !== FORMAT)
    throw corrupt(file, HEADER, `it is not a ${FORMAT} network file: its metadata do not specify that format`);
  const version = metadata.get('version');
  if (!READABLE.includes(version))
    throw corrupt(
      file,
      HEADER,
      `its version is ${cut(String(version), 40)}; this version of ${FORMAT} reads ${READABLE.join(' and ')}`,
    );
  const section = <T>(name: string, read: (value: Readonly<Record<string, unknown>>) => T): T => {
    try {
      const value = parseJson(metadata.get(name) ?? 'null', LIMITS);
      if (!isObject(value)) throw invalid('section', 'an object', value);
      return read(value);
    } catch (cause) {
      if (cause instanceof MissingLoss) throw new BlasnetError('INVALID_ARGUMENT', `${file}: ${cause.message}`);
      if (!(cause instanceof BlasnetError) && !(cause instanceof JsonError)) throw cause;
      throw corrupt(file, HEADER, `metadata: ${name}: ${cause.message}`, cause);
    }
  };
  const { spec, model } = section('network', (value) => {
    const spec = readSpec(value, given);
    return { spec, model: buildModel(spec) };
  });
  const counters = section('training', (value) => {
    const { epochs, noiseSteps } = checkOptions<Partial<Counters>>('section', value, ['epochs', 'noiseSteps']);
    return {
      epochs: checkInteger('epochs', epochs, { min: 0 }),
      noiseSteps: checkInteger('noiseSteps', noiseSteps, { min: 0 }),
    };
  });
  const optimizer = metadata.has('optimizer') ? section('optimizer', readOptimizer) : undefined;
  checkTensors(file, model, optimizer, tensors);
  const plain = (name: string): Metadata | undefined => {
    const text = metadata.get(name);
    try {
      return text === undefined ? undefined : (freezeDeep(parseJson(text, USER_LIMITS)) as Metadata);
    } catch (cause) {
      throw corrupt(file, HEADER, `metadata: ${name}: ${(cause as Error).message}`, cause);
    }
  };
  return { spec, counters, optimizer, file, model, tensors, metadata: plain('user'), encoder: plain('encoder') };
}

class MissingLoss extends Error {}

/** A loss as plain data; a user-defined one as its graph for predictions of this shape. */
function describeLoss({ kind, options, graph }: Loss, shape: Shape) {
  if (kind !== CUSTOM || graph === undefined) return { kind, options };
  const { prediction, target, value } = graph(shape);
  const inputs = [prediction, target];
  const { nodes, places } = placeNodes(sortNodes([value]).others, inputs, false);
  return { kind, graph: describeGraph(inputs, nodes), value: places.get(value) };
}

/** A network's architecture as plain data: the layers of a chain, or the nodes of a graph. */
export function describeModel({ inputs, nodes, outputs, chain, regularizer, precision, seed }: Model) {
  const rest = { regularizer, ...(precision !== 'float32' && { precision }), seed };
  if (chain) {
    const [{ loss }] = outputs;
    const layers = nodes.map(({ spec }) => spec);
    return { input: inputs[0].shape, layers, loss: describeLoss(loss as Loss, outputs[0].shape), ...rest };
  }
  return {
    graph: describeGraph(inputs, nodes),
    outputs: outputs.map(({ name, place, loss, weight, shape }) => {
      return { name, place, loss: loss && describeLoss(loss, shape), weight };
    }),
    ...rest,
  };
}

/** Inputs, then nodes with the places that they take. A shared layer's further uses name the node of the first. */
function describeGraph(
  inputs: readonly {
    readonly name?: string | undefined;
    readonly shape: Shape;
    readonly vocabulary?: number | undefined;
  }[],
  nodes: Model['nodes'],
) {
  return {
    inputs: inputs.map(({ name, shape, vocabulary }) => {
      return { name, shape, ...(vocabulary !== undefined && { type: 'index' }) };
    }),
    nodes: nodes.map(({ name, from, owner, spec }, i) => {
      return owner === i ? { name, from, layer: spec } : { name, from, shared: owner };
    }),
  };
}

function checkList(name: string, value: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (!Array.isArray(value)) throw invalid(name, 'a list of objects', value);
  checkCount(name, value, MAX_LAYERS);
  return value.map((entry, i) => {
    if (!isObject(entry)) throw invalid(`${name}[${i}]`, 'an object', entry);
    return entry;
  });
}

function checkSizes(name: string, value: unknown): readonly number[] {
  if (!Array.isArray(value) || value.length > MAX_RANK)
    throw invalid(name, `a list of at most ${MAX_RANK} sizes`, value);
  return value;
}

/** Rebuilds the nodes of a graph: those at each place, and their names. */
function readGraph(value: unknown): { places: Node[]; names: Map<Node, string> } {
  if (!isObject(value)) throw invalid('graph', 'an object', value);
  const { inputs, nodes } = checkOptions<Record<string, unknown>>('graph', value, ['inputs', 'nodes']);
  const places = checkList('graph: inputs', inputs).map((entry, i) => {
    const known = ['name', 'shape', 'type'];
    const { name, shape, type } = checkOptions<Record<string, unknown>>(`inputs[${i}]`, entry, known);
    const sizes = checkSizes(`inputs[${i}]: shape`, shape);
    return input(sizes, {
      ...(name !== undefined && { name: checkName(`inputs[${i}]: name`, name) }),
      ...(type !== undefined && { type: type as 'index' }),
    });
  });
  const first = places.length;
  const names = new Map<Node, string>();
  const layers: (LayerSpec | undefined)[] = [];
  const groups = new Map<number, Shared>();
  const list = checkList('graph: nodes', nodes);
  // A layer that several nodes use becomes a group of shared layers, for its first use too.
  const owners = list.map(({ shared }) => shared);
  for (const [i, entry] of list.entries()) {
    const label = `nodes[${i}]`;
    const given = checkOptions<Record<string, unknown>>(label, entry, ['name', 'from', 'layer', 'shared']);
    const { from, layer, shared: owner, name } = given;
    if (typeof name !== 'string' || name.length > 200) throw invalid(`${label}: name`, 'a name', name);
    if (!Array.isArray(from) || from.length === 0 || from.length > MAX_LAYERS)
      throw invalid(`${label}: from`, 'a list of places', from);
    const sources = from.map((place) => places[checkInteger(`${label}: from`, place, { min: 0, below: first + i })]);
    let spec: LayerSpec | undefined;
    let own = i;
    if (owner !== undefined) {
      own = checkInteger(`${label}: shared`, owner, { min: 0, below: i });
      spec = layers[own];
      if (spec === undefined || layer !== undefined) throw invalid(`${label}: shared`, 'a node with a layer', owner);
    } else {
      if (!isObject(layer)) throw invalid(`${label}: layer`, 'an object', layer);
      spec = readLayer(label, fromPlain(layer) as Record<string, unknown>);
    }
    layers.push(owner === undefined ? spec : undefined);
    if (!groups.has(own) && owners.includes(own)) groups.set(own, new Shared([spec]));
    const group = groups.get(own);
    const node = makeNode(spec, sources, { label, name, ...(group && { use: { layers: group, index: 0 } }) });
    names.set(node, name);
    places.push(node);
  }
  return { places, names };
}

function readSpec(value: Readonly<Record<string, unknown>>, given: readonly Loss[]): ModelSpec {
  const known = [
    'regularizer',
    'precision',
    'seed',
    ...('graph' in value ? ['graph', 'outputs'] : ['input', 'layers', 'loss']),
  ];
  const { graph, outputs, input, layers, loss, ...rest } = checkOptions<Record<string, unknown>>(
    'section',
    value,
    known,
  );
  const common = {
    regularizer: resolveRegularizer('regularizer', rest.regularizer as Regularizer | undefined),
    // Files from before there was a choice have none.
    precision: checkChoice(
      'precision',
      (rest.precision === undefined ? 'float32' : rest.precision) as Precision,
      codes.precision,
    ),
    seed: checkSeed('seed', rest.seed),
  };
  if (graph === undefined) {
    return {
      input: checkSizes('input', input),
      layers: checkList('layers', layers).map((layer, i) =>
        readLayer(`layers[${i}]`, fromPlain(layer) as Record<string, unknown>),
      ),
      loss: lossFrom('its loss', loss, given),
      ...common,
    };
  }
  const { places, names } = readGraph(graph);
  const entries = checkList('outputs', outputs);
  const isOnly = entries.filter((output) => output.loss !== undefined).length === 1;
  const list = entries.map((entry, i): OutputSpec => {
    const label = `outputs[${i}]`;
    const output = checkOptions<Record<string, unknown>>(label, entry, ['name', 'place', 'loss', 'weight']);
    const name = output.name === undefined ? undefined : checkName(`${label}: name`, output.name);
    const text = isOnly || name === undefined ? 'its loss' : `the loss of its output ${quote(name)}`;
    return {
      name,
      node: places[checkInteger(`${label}: place`, output.place, { min: 0, below: places.length })],
      loss: output.loss === undefined ? undefined : lossFrom(text, output.loss, given, isOnly),
      weight: checkNumber(`${label}: weight`, output.weight, { min: 0 }),
    };
  });
  if (list.length === 0) throw invalid('outputs', 'at least one', outputs);
  const kinds = new Set(list.flatMap(({ loss }) => loss?.kind ?? []));
  const unused = given.find(({ kind }) => !kinds.has(kind));
  if (unused !== undefined && !isOnly) {
    const text = `its losses are of the kinds ${listed([...kinds].map(quote))}, none of kind ${quote(unused.kind)}`;
    throw new MissingLoss(`${text}: \`loss\` has no place`);
  }
  return { outputs: list, names, ...common };
}

/**
 * The loss of an output: of those given the one of its kind, otherwise the file's. A loss of the library is replaced
 * only if it is the network's only one: of several, each has its own options. One of another kind than the only one is
 * refused.
 */
function lossFrom(text: string, value: unknown, given: readonly Loss[], isOnly = true): Loss {
  const known = ['kind', 'options', 'graph', 'value'];
  const { kind, options, graph, value: at } = checkOptions('loss', value as Record<string, unknown>, known);
  if (typeof kind !== 'string') throw invalid('loss: kind', 'a string', kind);
  const own = isOnly || !lossKinds().has(kind) ? given.find((loss) => loss.kind === kind) : undefined;
  if (own !== undefined) return own;
  const hasGraph = kind === CUSTOM && graph !== undefined;
  const isOther = given.length > 0 && isOnly;
  if (hasGraph && !isOther) {
    const { places } = readGraph(graph);
    const [prediction, target] = places;
    if (places.length < 3 || !isInput(prediction) || !isInput(target) || isInput(places[2]))
      throw invalid('loss: graph', 'the inputs prediction and target, and nodes', graph);
    const place = checkInteger('loss: value', at, { min: 0, below: places.length });
    return graphLoss({ kind }, { prediction, target, value: places[place] });
  }
  const loss = isOther ? undefined : readLoss(kind, options as object | undefined);
  if (loss === undefined) {
    const kinds = given.map((each) => quote(each.kind));
    const got = kinds.length === 0 ? "which is not the library's" : `not of kind ${listed(kinds)}`;
    throw new MissingLoss(
      `${text} is of kind ${quote(kind)}, ${got}: give that loss as \`loss\`${hasGraph ? ', or none' : ''}`,
    );
  }
  if (options !== undefined && loss.options === undefined) throw invalid('loss: options', 'none', options);
  return loss;
}

function readOptimizer(value: Readonly<Record<string, unknown>>): SavedOptimizer {
  const known = ['kind', 'options', 'steps', 'rateFactor', 'moments'];
  const { kind, options, steps, rateFactor, moments } = checkOptions<Record<string, unknown>>('section', value, known);
  if (typeof kind !== 'string') throw invalid('kind', 'a string', kind);
  if (
    !Array.isArray(moments) ||
    !moments.every((name) => typeof name === 'string') ||
    new Set(moments).size < moments.length
  ) {
    throw invalid('moments', 'a list of unique names', moments);
  }
  const groups = (options as { groups?: unknown } | null | undefined)?.groups;
  if (Array.isArray(groups)) checkCount('options: groups', groups, MAX_GROUPS);
  return {
    kind,
    options,
    steps: checkInteger('steps', steps, { min: 0 }),
    rateFactor: checkNumber('rateFactor', rateFactor, { min: 0 }),
    moments,
  };
}

/** Throws unless the tensors are exactly those of the network and optimizer, in float32 and with the right shapes. */
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
    if (tensor === undefined) throw corrupt(file, HEADER, `there is no tensor ${quote(name)}`);
    if (tensor.dtype !== 'F32' || tensor.shape.join() !== shape.join()) {
      const [wanted, found] = [`F32 ${shapeText(shape)}`, `${tensor.dtype} ${shapeText(tensor.shape)}`];
      throw corrupt(file, tensor.offset, `tensor ${quote(name)}: expected ${wanted}, got ${found}`);
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

/** Copies the saved numbers into a network made from the saved spec. */
export function fillNetwork({ model, tensors, counters }: SavedNetwork, network: NetworkMemory): void {
  const fill = (block: Float32Array, entries: Model['parameters'] | Model['state']) => {
    for (const [name, { tensor }] of entries) copyTo(block, tensor.offset, tensors.get(name) as StoredTensor);
  };
  fill(network.parameters, model.parameters);
  fill(network.state, model.state);
  network.noiseSteps = counters.noiseSteps;
}

/**
 * Restores the saved state into `given`, or into a new optimizer with the saved hyper-parameters, which is then
 * attached to the network. Throws `INVALID_ARGUMENT` if the file has no optimizer or `given` does not match it, and the
 * errors of {@link makeOptimizer}.
 */
export function restoreOptimizer(saved: SavedNetwork, network: NetworkMemory, given: Optimizer | undefined): Optimizer {
  const { optimizer: state, file, model, tensors } = saved;
  const refuse = (what: string) => new BlasnetError('INVALID_ARGUMENT', `${file}: ${what}`);
  if (state === undefined) throw refuse('it has no optimizer: it was saved without one');
  if (given !== undefined && given.kind !== state.kind) {
    throw refuse(`it has the state of an optimizer of kind ${quote(state.kind)}, not ${quote(given.kind)}`);
  }
  const optimizer = given ?? makeOptimizer(file, state);
  if (optimizer.blockNames.join() !== state.moments.join()) {
    const what = `its optimizer has the moments ${listed(state.moments)}, expected ${listed(optimizer.blockNames)}`;
    throw given === undefined ? corrupt(file, HEADER, what) : refuse(what);
  }
  try {
    network.attach(optimizer);
  } catch (cause) {
    if (given !== undefined || !(cause instanceof BlasnetError) || cause.code !== 'INVALID_ARGUMENT') throw cause;
    throw corrupt(file, HEADER, `metadata: optimizer: ${cause.message}`, cause);
  }
  optimizer.restore({ steps: state.steps, rateFactor: state.rateFactor });
  for (const [moment, block] of optimizer.moments) {
    for (const [name, { tensor }] of model.parameters) {
      copyTo(block, tensor.offset, tensors.get(momentName(moment, name)) as StoredTensor);
    }
  }
  return optimizer;
}
