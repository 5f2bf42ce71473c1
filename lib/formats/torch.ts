import { BlasnetError } from '../errors.js';
import { elements } from '../program/instructions.js';
import type { Model, StateEntry } from '../program/model.js';
import type { NetworkMemory } from './network-file.js';
import { decodeSafetensors, encodeSafetensors, type NewTensor } from './safetensors.js';

/**
 * The state of a `torch.nn.Sequential` (nested ones included) as safetensors. Its modules with parameters and the network's layers with
 * parameters are matched in their order; those without don't count. PyTorch lays images out channels first, so that a layer behind `Flatten` sees
 * the features in another order: its weights are put in ours.
 */

/** One tensor of a module and where its elements go. */
interface Slot {
  /** The part of its name behind the module's. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly block: 'parameters' | 'state';
  /** Position in the block of each element, in PyTorch's order. */
  readonly places: Int32Array;
}

interface Module {
  readonly layer: string;
  readonly type: string;
  /** Position in the network, the name of a module when it is written. */
  readonly index: number;
  readonly slots: readonly Slot[];
}

/** For each feature of a flattened image in PyTorch's order (channels, rows, columns) its number in ours. */
function flattened([height, width, channels]: readonly number[]): Int32Array {
  return Int32Array.from({ length: height * width * channels }, (_, i) => {
    const [channel, pixel] = [Math.floor(i / (height * width)), i % (height * width)];
    return pixel * channels + channel;
  });
}

/** What PyTorch calls the tensors of a layer, and how it lays them out. */
function slotsOf(model: Model, index: number, order: Int32Array | undefined): Slot[] {
  const [type, layer] = [model.specs[index].type, model.names[index]];
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
  if (type === 'batchNorm') {
    return [
      vector('weight', 'gamma'),
      vector('bias', 'beta'),
      vector('running_mean', 'runningMean'),
      vector('running_var', 'runningVariance'),
    ];
  }
  if (type === 'prelu') return [vector('weight', 'slope')];
  const shape = model.parameters.get(`${layer}.weight`)?.spec.shape;
  if (shape === undefined || (type !== 'dense' && type !== 'conv2d')) {
    throw new BlasnetError('INVALID_ARGUMENT', `layer ${layer}: a layer of type ${type} has no counterpart in PyTorch here`);
  }
  const bias = model.parameters.has(`${layer}.bias`) ? [vector('bias', 'bias', (i) => i)] : [];
  if (type === 'dense') {
    const [inputs, outputs] = shape;
    const weight = slot('weight', 'weight', [outputs, inputs], (i) => feature(i % inputs) * outputs + Math.floor(i / inputs));
    return [weight, ...bias];
  }
  const [height, width, channels, filters] = shape;
  const area = height * width;
  const weight = slot('weight', 'weight', [filters, channels, height, width], (i) => {
    const [filter, channel] = [Math.floor(i / (channels * area)), Math.floor(i / area) % channels];
    return ((i % area) * channels + channel) * filters + filter;
  });
  return [weight, ...bias];
}

/** The network's layers with parameters, as PyTorch has them. */
function modulesOf(model: Model): Module[] {
  const modules: Module[] = [];
  let order: Int32Array | undefined;
  model.layers.forEach((layer, index) => {
    const { type } = model.specs[index];
    const input = index === 0 ? model.input : model.layers[index - 1].output;
    if (type === 'flatten' && input.length === 3) order = flattened(input);
    if (layer.parameters.length > 0) {
      modules.push({ layer: model.names[index], type, index, slots: slotsOf(model, index, order) });
    }
    if (type === 'dense') order = undefined;
  });
  return modules;
}

function compareIndices(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at < 0 ? a.length - b.length : a[at] - (b[at] ?? -1);
}

/** The names of a file's modules, in their order. */
function moduleNames(tensors: Iterable<string>, file: string): string[] {
  const names = new Map<string, number[]>();
  for (const tensor of tensors) {
    const parts = /^((?:\d+\.)+)\w+$/.exec(tensor);
    if (parts === null) {
      const what = `the tensor ${JSON.stringify(tensor)} is none of a torch.nn.Sequential, whose names are <index>.<name>`;
      throw new BlasnetError('SHAPE_MISMATCH', `${file}: ${what}`);
    }
    const name = parts[1].slice(0, -1);
    names.set(name, name.split('.').map(Number));
  }
  return [...names.entries()].sort(([, a], [, b]) => compareIndices(a, b)).map(([name]) => name);
}

/**
 * Takes a Sequential's parameters and statistics over. Throws `FILE_CORRUPT` for what is no safetensors file and `SHAPE_MISMATCH` when its modules are
 * not the network's layers; nothing is changed then.
 */
export function decodeTorchState(bytes: Uint8Array, file: string, network: NetworkMemory): void {
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
      if (tensor === undefined) throw mismatch(`layer ${layer} (${type}): there is no tensor ${name}`);
      // One slope for all channels is PyTorch's default.
      const single = type === 'prelu' && tensor.shape.join() === '1';
      if (tensor.dtype !== 'F32' || (!single && tensor.shape.join() !== slot.shape.join())) {
        const [wanted, found] = [`F32 [${slot.shape.join(', ')}]`, `${tensor.dtype} [${tensor.shape.join(', ')}]`];
        throw mismatch(`layer ${layer} (${type}): tensor ${name}: expected ${wanted}, got ${found}`);
      }
      const values = new Float32Array(tensor.bytes.slice().buffer);
      read.push({ slot, values: single ? new Float32Array(slot.places.length).fill(values[0]) : values });
      known.add(name);
    }
    if (type === 'batchNorm') known.add(`${names[i]}.num_batches_tracked`);
  });
  for (const name of tensors.keys()) {
    if (!known.has(name)) throw mismatch(`the network has no place for the tensor ${name}`);
  }
  for (const { slot, values } of read) {
    for (let i = 0; i < values.length; i++) network[slot.block][slot.places[i]] = values[i];
  }
}

/** The network's parameters and statistics as the state of a Sequential with a module for each layer, in a safetensors file. */
export function encodeTorchState(network: NetworkMemory): Uint8Array {
  const modules = modulesOf(network.model);
  const counts: NewTensor[] = modules
    .filter(({ type }) => type === 'batchNorm')
    .map(({ index }) => ({ name: `${index}.num_batches_tracked`, shape: [], value: new BigInt64Array(1) }));
  const floats = modules.flatMap(({ index, slots }) =>
    slots.map(({ name, shape, block, places }): NewTensor => {
      return { name: `${index}.${name}`, shape, value: Float32Array.from(places, (place) => network[block][place]) };
    }),
  );
  // Those of eight bytes first: all tensors then lie on their boundaries.
  return encodeSafetensors([...counts, ...floats], { format: 'pt' });
}
