import { checkPath } from '../checks.js';
import { readShared } from '../data/files.js';
import { BlasnetError } from '../errors.js';
import { elements } from '../program/instructions.js';
import type { Model, StateEntry } from '../program/model.js';
import { cut, quote, shapeText } from '../text.js';
import type { NetworkMemory } from './network-file.js';
import { replaceFile } from './replace-file.js';
import { decodeSafetensors, encodeSafetensors, type NewTensor } from './safetensors.js';

/**
 * The state of a `torch.nn.Sequential` (including nested ones) as safetensors. Its modules with parameters are matched
 * in order with the network's layers with parameters; all others are ignored. PyTorch stores images channels first, so
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

/**
 * PyTorch's names and memory layouts for the tensors of a layer, for each of its modules. A separable convolution is a
 * Sequential of two.
 */
function slotsOf(model: Model, index: number, order: Int32Array | undefined): Slot[][] {
  const { spec, name: layer } = model.nodes[index];
  const { type } = spec;
  const feature = (i: number) => order?.[i] ?? i;
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
  const named = vectors.get(type);
  if (named !== undefined) return [Object.entries(named).map(([name, own]) => vector(name, own))];
  const weights = type === 'dense' ? ['weight'] : convolutions.get(type);
  if (weights === undefined) {
    throw new BlasnetError(
      'INVALID_ARGUMENT',
      `layer ${cut(layer, 80)}: a layer of type ${cut(type, 80)} has no counterpart in PyTorch here`,
    );
  }
  const bias = model.parameters.has(`${layer}.bias`) ? [vector('bias', 'bias', (i) => i)] : [];
  if (type === 'dense') {
    const [inputs, outputs] = find('weight').entry.spec.shape;
    const weight = slot(
      'weight',
      'weight',
      [outputs, inputs],
      (i) => feature(i % inputs) * outputs + Math.floor(i / inputs),
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

/** The network's layers with parameters, in PyTorch's form. */
function modulesOf(model: Model): Module[] {
  const modules: Module[] = [];
  // For each place, the order of the features of an image that was flattened before it.
  const orders: (Int32Array | undefined)[] = model.inputs.map(() => undefined);
  for (const [index, { spec, name, node, from, owner, operation }] of model.nodes.entries()) {
    const { type } = spec;
    const [{ shape: input }] = node.inputs;
    const order = type === 'flatten' && input.length === 3 ? flattened(input) : orders[from[0]];
    const parts = operation.parameters.length > 0 && owner === index ? slotsOf(model, index, order) : [];
    for (const [part, slots] of parts.entries())
      modules.push({ layer: name, type, name: parts.length === 1 ? String(index) : `${index}.${part}`, slots });
    orders.push(type === 'dense' ? undefined : order);
  }
  return modules;
}

function compareIndices(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at < 0 ? a.length - b.length : a[at] - (b[at] ?? -1);
}

/** The names of the modules in a file, in order. */
function moduleNames(tensors: Iterable<string>, file: string): string[] {
  const names = new Map<string, number[]>();
  for (const tensor of tensors) {
    const parts = /^((?:\d{1,15}\.){1,64})\w+$/.exec(tensor);
    if (parts === null) {
      const what = `the tensor ${quote(tensor)} is none of a torch.nn.Sequential, whose names are <index>.<name>`;
      throw new BlasnetError('SHAPE_MISMATCH', `${file}: ${what}`);
    }
    const name = parts[1].slice(0, -1);
    names.set(name, name.split('.').map(Number));
  }
  return [...names.entries()].sort(([, a], [, b]) => compareIndices(a, b)).map(([name]) => name);
}

/**
 * Loads a Sequential's parameters and statistics. Throws `FILE_CORRUPT` if it is not a safetensors file and
 * `SHAPE_MISMATCH` if its modules don't match the network's layers; nothing is changed then.
 */
function decode(bytes: Uint8Array, file: string, network: NetworkMemory): void {
  const { tensors } = decodeSafetensors(bytes, file);
  const mismatch = (what: string) => new BlasnetError('SHAPE_MISMATCH', `${file}: ${what}`);
  const modules = modulesOf(network.model);
  const names = moduleNames(tensors.keys(), file);
  if (names.length !== modules.length) {
    throw mismatch(`it has ${names.length} modules with parameters, the network ${modules.length} such layers`);
  }
  const read: { slot: Slot; values: Float32Array }[] = [];
  const known = new Set<string>();
  modules.forEach(({ layer, type, slots }, i) => {
    for (const slot of slots) {
      const name = `${names[i]}.${slot.name}`;
      const tensor = tensors.get(name);
      if (tensor === undefined)
        throw mismatch(`layer ${cut(layer, 80)} (${type}): there is no tensor ${cut(name, 80)}`);
      // PyTorch's default is one slope for all channels.
      const single = type === 'prelu' && tensor.shape.join() === '1';
      if (tensor.dtype !== 'F32' || (!single && tensor.shape.join() !== slot.shape.join())) {
        const [wanted, found] = [`F32 ${shapeText(slot.shape)}`, `${tensor.dtype} ${shapeText(tensor.shape)}`];
        throw mismatch(`layer ${cut(layer, 80)} (${type}): tensor ${cut(name, 80)}: expected ${wanted}, got ${found}`);
      }
      const values = new Float32Array(tensor.bytes.slice().buffer);
      read.push({ slot, values: single ? new Float32Array(slot.places.length).fill(values[0]) : values });
      known.add(name);
    }
    if (type === 'batchNorm') known.add(`${names[i]}.num_batches_tracked`);
  });
  for (const name of tensors.keys()) {
    if (!known.has(name)) throw mismatch(`the network has no place for the tensor ${cut(name, 80)}`);
  }
  for (const { slot, values } of read) {
    for (let i = 0; i < values.length; i++) network[slot.block][slot.places[i]] = values[i];
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

export async function loadTorchState(path: string | URL, network: NetworkMemory): Promise<void> {
  const file = checkPath('loadTorchState: path', path);
  network.checkFree();
  const bytes = await readShared(file);
  network.checkFree();
  decode(bytes, file, network);
}

export async function saveTorchState(path: string | URL, network: NetworkMemory): Promise<void> {
  const file = checkPath('saveTorchState: path', path);
  network.checkIdle();
  await replaceFile(file, encode(network));
}
