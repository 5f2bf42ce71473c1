import { checkBoolean, checkOptions, checkPath, invalid } from '../checks.js';
import { readShared } from '../data/files.js';
import { BlasnetError } from '../errors.js';
import type { LayerSpec } from '../layers/layer.js';
import { elements, type Shape } from '../program/instructions.js';
import type { Model, StateEntry } from '../program/model.js';
import { cut, listed, shapeText } from '../text.js';
import type { NetworkMemory } from './network-file.js';
import { replaceFile } from './replace-file.js';
import { decodeSafetensors, encodeSafetensors, type NewTensor, type StoredTensor } from './safetensors.js';
import { floatData, isFloating } from './tensor-data.js';
import { distance, type FileModule, ModuleTree } from './torch-modules.js';

/**
 * The state of a PyTorch module as safetensors. Its modules with parameters are matched with the network's layers with
 * parameters by name, or by order and shape; all others are ignored. PyTorch stores images channels first, so
 * a layer after `Flatten` sees the features in a different order: its weights are permuted.
 */

/** One tensor of a module and where its elements go. */
interface Slot {
  /** Its name without the module prefix. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly block: 'parameters' | 'state';
  /** Position in the block of each element, in PyTorch's order. */
  readonly places: Int32Array;
}

interface Module {
  readonly layer: string;
  readonly type: string;
  /** The name that the user gave to the layer. */
  readonly given: string | undefined;
  /** Its number, where the layer has several modules. */
  readonly part: number | undefined;
  /** Its name when writing: the layer's position in the network. */
  readonly name: string;
  readonly slots: readonly Slot[];
}

/** For each feature of a flattened image in PyTorch's order (channels, rows, columns), its index in our order. */
function flattened([height, width, channels]: readonly number[]): Int32Array {
  return Int32Array.from({ length: height * width * channels }, (_, i) => {
    const [channel, pixel] = [Math.floor(i / (height * width)), i % (height * width)];
    return pixel * channels + channel;
  });
}

/** By layer type: PyTorch's and our names of the tensors with one value per feature. */
const vectors = new Map<string, Readonly<Record<string, string>>>(
  Object.entries({
    batchNorm: { weight: 'gamma', bias: 'beta', running_mean: 'runningMean', running_var: 'runningVariance' },
    layerNorm: { weight: 'gamma', bias: 'beta' },
    groupNorm: { weight: 'gamma', bias: 'beta' },
    instanceNorm: { weight: 'gamma', bias: 'beta' },
    prelu: { weight: 'slope' },
  }),
);

/** By layer type: our names of the weights of each of its modules, which are convolutions. */
const convolutions = new Map<string, readonly string[]>([
  ['conv2d', ['weight']],
  ['depthwiseConv2d', ['weight']],
  ['convTranspose2d', ['weight']],
  ['separableConv2d', ['depthwise', 'pointwise']],
]);

/** The error for features of a layer that PyTorch has in no order of ours. */
function unknownOrderError(layer: string, shape: Shape): BlasnetError {
  const text = `the order in which PyTorch has its ${elements(shape)} features is not known`;
  return new BlasnetError('INVALID_ARGUMENT', `layer ${cut(layer, 80)}: ${text}`);
}

/**
 * PyTorch's names and memory layouts for the tensors of a layer, for each of its modules. A separable convolution is a
 * Sequential of two.
 */
function slotsOf(model: Model, index: number, order: Order, outputOrder: Order): Slot[][] {
  const { spec, name: layer } = model.nodes[index];
  const { type } = spec;
  const { inputs: given } = model.nodes[index].node;
  // Such as features of an image, of which some are omitted or with which others are added up.
  if (order !== undefined && order.length !== elements(given[0].shape)) throw unknownOrderError(layer, given[0].shape);
  const feature = (i: number) => (order === undefined ? i : order[i]);
  const find = (own: string) => {
    const name = `${layer}.${own}`;
    const parameter = model.parameters.get(name);
    if (parameter !== undefined) return { block: 'parameters' as const, entry: parameter };
    return { block: 'state' as const, entry: model.state.get(name) as StateEntry };
  };
  const slot = (name: string, own: string, shape: readonly number[], place: (i: number) => number): Slot => {
    const { block, entry } = find(own);
    const { offset } = entry.tensor;
    return { name, shape, block, places: Int32Array.from({ length: elements(shape) }, (_, i) => offset + place(i)) };
  };
  const vector = (name: string, own: string, place = feature) => slot(name, own, find(own).entry.spec.shape, place);
  if (type === 'embedding') return [[vector('weight', 'weight', (i) => i)]];
  const named = vectors.get(type);
  if (named !== undefined) return [Object.entries(named).map(([name, own]) => vector(name, own))];
  const weights = type === 'dense' ? ['weight'] : convolutions.get(type);
  if (weights === undefined) {
    throw new BlasnetError(
      'INVALID_ARGUMENT',
      `layer ${cut(layer, 80)}: a layer of type ${cut(type, 80)} has no counterpart in PyTorch here`,
    );
  }
  const result = (i: number) => (outputOrder === undefined ? i : outputOrder[i]);
  const bias = model.parameters.has(`${layer}.bias`) ? [vector('bias', 'bias', result)] : [];
  if (type === 'dense') {
    const [inputs, outputs] = find('weight').entry.spec.shape;
    const weight = slot(
      'weight',
      'weight',
      [outputs, inputs],
      (i) => feature(i % inputs) * outputs + result(Math.floor(i / inputs)),
    );
    return [[weight, ...bias]];
  }
  return weights.map((own, module) => {
    const { shape } = find(own).entry.spec;
    const [height, width] = shape;
    // Depthwise, the filters of all channels are one dimension in PyTorch, and every filter sees one channel. The last
    // two dimensions of a transposed convolution are its filters and channels: they are exchanged alike.
    const isDepthwise = type === 'depthwiseConv2d' || own === 'depthwise';
    const [channels, filters] = isDepthwise ? [1, shape[2] * shape[3]] : shape.slice(2);
    const area = height * width;
    const weight = slot('weight', own, [filters, channels, height, width], (i) => {
      const [filter, channel] = [Math.floor(i / (channels * area)), Math.floor(i / area) % channels];
      return ((i % area) * channels + channel) * filters + filter;
    });
    return module === weights.length - 1 ? [weight, ...bias] : [weight];
  });
}

/** For each feature of a node in PyTorch's order, its index in ours; undefined if the orders are the same. */
type Order = Int32Array | undefined;

/** Of features that PyTorch has in no order of ours: no layer has parameters for so many. */
const unknownOrder = new Int32Array(0);

const sameOrder = (a: Order, b: Order) => a === b || (a !== undefined && b !== undefined && a.join() === b.join());

/** The order of features that are joined. */
function joined(parts: readonly { readonly order: Order; readonly count: number }[]): Order {
  if (parts.every(({ order }) => order === undefined)) return undefined;
  if (parts.some(({ order, count }) => order !== undefined && order.length !== count)) return unknownOrder;
  const whole: number[] = [];
  for (const { order, count } of parts) {
    const first = whole.length;
    for (let i = 0; i < count; i++) whole.push(first + (order === undefined ? i : order[i]));
  }
  return Int32Array.from(whole);
}

/** A value in the network: its shape, the order of its features, and whether PyTorch has its channels first. */
interface Place {
  readonly shape: Shape;
  readonly order: Order;
  readonly channelsFirst: boolean;
  /** Whether no layer with parameters has made it. */
  readonly isGiven: boolean;
}

/**
 * Whether PyTorch has the channels of what a node gives first: those of images, and of images without their rows or
 * columns.
 */
function hasChannelsFirst(
  { type, axis }: LayerSpec & { readonly axis?: number | Shape },
  output: Shape,
  taken: Place[],
) {
  if (type === 'embedding' || output.length < 2) return false;
  if (type === 'reshape' || convolutions.has(type)) return output.length === 3;
  const images = taken.filter(({ shape }) => shape.length === 3);
  if (output.length === 2 && images.length > 0)
    return (
      images.some(({ channelsFirst }) => channelsFirst) &&
      [axis].flat().every((each) => each !== undefined && [0, 1, -2, -3].includes(each))
    );
  const same = taken.filter(({ shape }) => shape.length === output.length);
  return same.length === 0 ? output.length === 3 : same.some(({ channelsFirst }) => channelsFirst);
}

/** Whether a node makes images of several channels of a row. */
function makesImages(type: string, output: Shape, input: Shape): boolean {
  const [height, width, channels] = output;
  return type === 'reshape' && input.length === 1 && output.length === 3 && channels > 1 && height * width > 1;
}

/**
 * By their index, the dense layers of whose features images are made, and the order of PyTorch's, which has the
 * channels of these images first.
 */
function imageRows({ inputs, nodes }: Model): Map<number, Order> {
  const wanted = new Map<number, Order>();
  for (const [index, { spec, from, operation, node }] of Array.from(nodes.entries()).reverse()) {
    const place = inputs.length + index;
    const [shape] = node.inputs.map((input) => input.shape);
    if (makesImages(spec.type, operation.output, shape)) wanted.set(from[0], flattened(operation.output));
    else if (wanted.has(place) && spec.type !== 'dense')
      for (const [i, input] of node.inputs.entries())
        if (input.shape.join() === operation.output.join()) wanted.set(from[i], wanted.get(place));
  }
  return new Map(
    nodes.flatMap(({ spec, owner }, index) => {
      const order = wanted.get(inputs.length + index);
      return spec.type === 'dense' && owner === index && order !== undefined ? [[index, order]] : [];
    }),
  );
}

/** The order of what a node gives, from those of what it takes. Only features in a row have another than ours. */
function orderAfter({ type }: LayerSpec, name: string, output: Shape, taken: Place[]): Order {
  const [{ shape: input, order: before, isGiven }] = taken;
  // Pixels that are given to the network are in the order that the caller chose, as images are.
  if (makesImages(type, output, input) && !isGiven && !sameOrder(before, flattened(output)))
    throw unknownOrderError(name, output);
  if (output.length !== 1) return undefined;
  const inputs = taken.map(({ shape }) => shape);
  const orders = taken.map(({ order }) => order);
  const [{ shape, channelsFirst }] = taken;
  if (channelsFirst && (type === 'flatten' || type === 'reshape')) {
    const [columns, channels] = shape.slice(-2);
    return flattened([elements(shape) / (columns * channels), columns, channels]);
  }
  if (type === 'concat') return joined(orders.map((order, i) => ({ order, count: elements(inputs[i]) })));
  // A sum over all features is one number, in whatever order they are.
  if (output[0] === 1) return undefined;
  // One number for all features goes with any order.
  const [order, ...others] = orders.filter((_, i) => elements(inputs[i]) > 1);
  return others.every((other) => sameOrder(order, other)) ? order : unknownOrder;
}

/** The network's layers with parameters, in PyTorch's form. */
function modulesOf(model: Model): Module[] {
  const modules: Module[] = [];
  const places: Place[] = model.inputs.map(({ shape }) => ({
    shape,
    order: undefined,
    channelsFirst: shape.length === 3,
    isGiven: true,
  }));
  const rows = imageRows(model);
  for (const [index, { spec, name, from, owner, operation }] of model.nodes.entries()) {
    const { type } = spec;
    const { output } = operation;
    const taken = from.map((place) => places[place]);
    const hasParameters = operation.parameters.length > 0;
    const isOwner = hasParameters && owner === index;
    const parts = isOwner ? slotsOf(model, index, taken[0].order, rows.get(index)) : [];
    for (const [i, slots] of parts.entries()) {
      const part = parts.length === 1 ? undefined : i;
      const number = part === undefined ? String(index) : `${index}.${part}`;
      modules.push({ layer: name, type, given: spec.name, part, name: number, slots });
    }
    places.push({
      shape: output,
      order:
        type === 'dense' ? (output.length === 1 ? rows.get(owner) : undefined) : orderAfter(spec, name, output, taken),
      channelsFirst: hasChannelsFirst(spec, output, taken),
      isGiven: !hasParameters && taken.every(({ isGiven }) => isGiven),
    });
  }
  return modules;
}

/** How tensors of a state dict are found. */
export interface TorchOptions {
  /**
   * The module of the file for a layer's name, without the prefix; undefined leaves it to the automatic matching. A
   * separable convolution needs the name of the Sequential of its two modules.
   */
  map?: (layer: string) => string | undefined;
  /** Only tensors below this module are read; the others are skipped. */
  prefix?: string;
  /**
   * Throw if a layer or a module with a weight or bias remains without the other; default true. False: such layers keep
   * their values, and such modules are skipped.
   */
  strict?: boolean;
}

/** What was loaded, and what not. */
export interface TorchLoad {
  /** The modules of each layer, by its name. A separable convolution has two. */
  readonly modules: ReadonlyMap<string, readonly string[]>;
  /** Tensors of the file that were not read: counters and other buffers, and all that has no place in the network. */
  readonly skipped: readonly string[];
  /** Layers that kept their values, with `strict: false`. */
  readonly missing: readonly string[];
}

/** Names of tensors that are a module's parameters; others may be buffers of any meaning. */
const parameterNames = ['weight', 'bias'];

const hasParameters = ({ tensors }: FileModule) => parameterNames.some((name) => tensors.has(name));

/** PyTorch's default for `PReLU` is one slope for all channels. */
const isSingle = ({ type }: Module, { shape }: StoredTensor) => type === 'prelu' && shape.join() === '1';

const layerText = ({ layer, type }: Module) => `layer ${cut(layer, 80)} (${type})`;

/** What makes a module another than a layer needs; undefined if it fits. */
function misfit(wanted: Module, { name, tensors }: FileModule): string | undefined {
  const full = (own: string) => cut(name === '' ? own : `${name}.${own}`, 80);
  for (const { name: own, shape } of wanted.slots) {
    const tensor = tensors.get(own);
    if (tensor === undefined) return `${layerText(wanted)}: there is no tensor ${full(own)}`;
    if (isFloating(tensor) && (isSingle(wanted, tensor) || tensor.shape.join() === shape.join())) continue;
    const [expected, found] = [`F32 ${shapeText(shape)}`, `${tensor.dtype} ${shapeText(tensor.shape)}`];
    return `${layerText(wanted)}: tensor ${full(own)}: expected ${expected}, got ${found}`;
  }
  const extra = parameterNames.find((own) => tensors.has(own) && !wanted.slots.some((slot) => slot.name === own));
  return extra === undefined ? undefined : `${layerText(wanted)} has no place for the tensor ${full(extra)}`;
}

/** The module that `map` names, or that has the name that the user gave to the layer. */
function findNamed(wanted: Module, tree: ModuleTree, map: TorchOptions['map']): FileModule | undefined {
  const mapped = map?.(wanted.layer);
  if (mapped === undefined) {
    if (wanted.given === undefined) return undefined;
    const found = [...tree.modules.values()].filter(({ name }) => name.replaceAll('.', '_') === wanted.given);
    return found.length === 1 && misfit(wanted, found[0]) === undefined ? found[0] : undefined;
  }
  if (typeof mapped !== 'string') throw invalid('loadTorchState: map', 'a function to names or undefined', mapped);
  const name = wanted.part === undefined ? mapped : `${mapped}.${wanted.part}`;
  const module = tree.modules.get(name);
  if (module === undefined)
    throw invalid(`loadTorchState: map: ${wanted.layer}`, `one of ${listed([...tree.modules.keys()])}`, name);
  const problem = misfit(wanted, module);
  if (problem !== undefined) throw new BlasnetError('SHAPE_MISMATCH', problem);
  return module;
}

/**
 * The module for a layer, in the order of layers: one that fits and before which no other is known to come. Of several
 * it is the one nearest to the module before. Throws `SHAPE_MISMATCH` if none fits, or if names don't tell which.
 */
function findNext(wanted: Module, tree: ModuleTree, last: FileModule | undefined): FileModule {
  const next = [...tree.modules.values()].filter((module) => hasParameters(module) && tree.isNext(module));
  const fitting = next.filter((module) => misfit(wanted, module) === undefined);
  const distances = fitting.map((module) => (last === undefined ? 0 : distance(last, module)));
  const nearest = fitting.filter((_, i) => distances[i] === Math.min(...distances));
  if (nearest.length === 1) return nearest[0];
  const [only, ...others] = next;
  const names = (nearest.length > 1 ? nearest : next).map(({ name }) => name);
  const problem =
    nearest.length > 1
      ? `${layerText(wanted)}: each of the modules ${listed(names)} could be the one: give map, or the layer a name`
      : only !== undefined && others.length === 0
        ? (misfit(wanted, only) as string)
        : `${layerText(wanted)}: no module fits, of those that can be next: ${listed(names)}`;
  throw new BlasnetError('SHAPE_MISMATCH', problem);
}

/** Pairs the network's modules with those of the file. */
function matchModules(modules: readonly Module[], tree: ModuleTree, { map, strict = true }: TorchOptions) {
  const pairs = new Map<Module, FileModule>();
  const pair = (wanted: Module, found: FileModule) => {
    if (found.isUsed)
      throw new BlasnetError('SHAPE_MISMATCH', `${layerText(wanted)}: the module ${cut(found.name, 80)} is taken`);
    tree.use(found);
    pairs.set(wanted, found);
  };
  for (const wanted of modules) {
    const found = findNamed(wanted, tree, map);
    if (found !== undefined) pair(wanted, found);
  }
  const left = [...tree.modules.values()].filter(hasParameters).length;
  if (strict && left !== modules.length) {
    const text = `it has ${left} modules with parameters, the network ${modules.length} such layers`;
    throw new BlasnetError('SHAPE_MISMATCH', text);
  }
  // What has no parameters is nobody's predecessor.
  for (const module of tree.modules.values()) if (!hasParameters(module)) tree.use(module);
  let last: FileModule | undefined;
  for (const wanted of modules) {
    let found = pairs.get(wanted);
    if (found === undefined) {
      try {
        found = findNext(wanted, tree, last);
        pair(wanted, found);
      } catch (error) {
        if (strict || !(error instanceof BlasnetError)) throw error;
        continue;
      }
    }
    last = found;
  }
  return pairs;
}

/**
 * Loads parameters and statistics. Throws `FILE_CORRUPT` if it is not a safetensors file and `SHAPE_MISMATCH` if its
 * modules don't match the network's layers; nothing is changed then.
 */
function decode(bytes: Uint8Array, file: string, network: NetworkMemory, options: TorchOptions): TorchLoad {
  const { tensors } = decodeSafetensors(bytes, file);
  const { prefix = '' } = options;
  const start = prefix === '' || prefix.endsWith('.') ? prefix : `${prefix}.`;
  const below = [...tensors].filter(([name]) => name.startsWith(start));
  const wanted = modulesOf(network.model);
  const pairs = inFile(file, () => {
    const tree = new ModuleTree(new Map(below.map(([name, tensor]) => [name.slice(start.length), tensor])));
    return matchModules(wanted, tree, options);
  });
  const modules = new Map<string, string[]>();
  const read = new Set<string>();
  const values: { slot: Slot; data: Float32Array }[] = [];
  for (const [module, found] of pairs) {
    const full = (own: string) => start + (found.name === '' ? own : `${found.name}.${own}`);
    modules.set(module.layer, [...(modules.get(module.layer) ?? []), start + found.name]);
    for (const slot of module.slots) {
      const tensor = found.tensors.get(slot.name) as StoredTensor;
      const data = floatData(tensor);
      const isOne = isSingle(module, tensor);
      values.push({ slot, data: isOne ? new Float32Array(slot.places.length).fill(data[0]) : data });
      read.add(full(slot.name));
    }
  }
  for (const { slot, data } of values) {
    for (let i = 0; i < data.length; i++) network[slot.block][slot.places[i]] = data[i];
  }
  const missing = wanted.filter((module) => !pairs.has(module)).map(({ layer }) => layer);
  return { modules, skipped: [...tensors.keys()].filter((name) => !read.has(name)), missing: [...new Set(missing)] };
}

/** Calls `run`; mismatches name the file. */
function inFile<T>(file: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (!(cause instanceof BlasnetError) || cause.code !== 'SHAPE_MISMATCH') throw cause;
    throw new BlasnetError(cause.code, `${file}: ${cause.message}`, { cause });
  }
}

/**
 * The network's parameters and statistics as the state of a Sequential with one module per layer, in a safetensors
 * file.
 */
function encode(network: NetworkMemory): Uint8Array {
  const modules = modulesOf(network.model);
  const counts: NewTensor[] = modules
    .filter(({ type }) => type === 'batchNorm')
    .map(({ name }) => ({ name: `${name}.num_batches_tracked`, shape: [], value: new BigInt64Array(1) }));
  const floats = modules.flatMap((module) =>
    module.slots.map(({ name, shape, block, places }): NewTensor => {
      return {
        name: `${module.name}.${name}`,
        shape,
        value: Float32Array.from(places, (place) => network[block][place]),
      };
    }),
  );
  // Eight-byte tensors come first, so that all tensors are aligned.
  return encodeSafetensors([...counts, ...floats], { format: 'pt' });
}

export async function loadTorchState(
  path: string | URL,
  network: NetworkMemory,
  options: TorchOptions | undefined,
): Promise<TorchLoad> {
  const file = checkPath('loadTorchState: path', path);
  const { map, prefix, strict } = checkOptions('loadTorchState', options, ['map', 'prefix', 'strict']);
  if (map !== undefined && typeof map !== 'function') throw invalid('loadTorchState: map', 'a function', map);
  if (prefix !== undefined && typeof prefix !== 'string') throw invalid('loadTorchState: prefix', 'a string', prefix);
  if (strict !== undefined) checkBoolean('loadTorchState: strict', strict);
  network.checkFree();
  const bytes = await readShared(file);
  network.checkFree();
  return decode(bytes, file, network, { ...options });
}

export async function saveTorchState(path: string | URL, network: NetworkMemory): Promise<void> {
  const file = checkPath('saveTorchState: path', path);
  network.checkIdle();
  await replaceFile(file, encode(network));
}
