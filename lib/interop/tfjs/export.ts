import { checkArity, invalid } from '../../checks.js';
import { BlasnetError } from '../../errors.js';
import type { PlacedNode } from '../../graph/place.js';
import type { Loss } from '../../losses/loss.js';
import { type AnyNetwork, memoryOf, Network } from '../../network.js';
import { elements } from '../../program/instructions.js';
import type { Model } from '../../program/model.js';
import { quote } from '../../text.js';
import type { Shape } from '../../types.js';
import { activationLayer, flattening, negated, reshaping, type TfLayer, writers } from './export-layers.js';
import { inLayer, unwritable } from './fields.js';
import type { ModelArtifacts } from './import.js';

/** A network as a Functional model of tfjs. */

/** A call of a layer on what other calls give. */
interface Call {
  readonly layer: string;
  readonly from: readonly Call[];
  /** Its number among the calls of the layer; see {@link numberCalls}. */
  index: number | undefined;
}

interface WrittenLayer {
  readonly name: string;
  readonly type: string;
  readonly config: object;
  readonly calls: Call[];
}

interface NewWeight {
  readonly name: string;
  readonly shape: Shape;
  readonly value: Float32Array;
}

/** The name, or the name with a number, that is not in `taken`, where it is then. */
function takeName(taken: Set<string>, name: string): string {
  let free = name;
  for (let count = 2; taken.has(free); count++) free = `${name}_${count}`;
  taken.add(free);
  return free;
}

/** Collects layers and weights. */
class Writing {
  readonly layers: WrittenLayer[] = [];
  readonly weights: NewWeight[] = [];
  readonly #byName = new Map<string, WrittenLayer>();
  readonly #values: ReadonlyMap<string, { readonly shape: Shape; readonly value: Float32Array }>;
  readonly #taken: Set<string>;

  /** `names` are those of the network's own nodes. */
  constructor(network: AnyNetwork, names: readonly string[]) {
    this.#values = new Map([...network.parameters, ...network.state].map((view) => [view.name, view]));
    this.#taken = new Set(names);
  }

  /** A name that no layer has. */
  free(name: string): string {
    return takeName(this.#taken, name);
  }

  /** Adds a layer; `owner` is the name of the node whose parameters it has. */
  add(name: string, { type, config, weights = [] }: TfLayer, owner: string): WrittenLayer {
    const common = type === 'InputLayer' ? {} : { trainable: true };
    const layer = { name, type, config: { ...common, ...config, name }, calls: [] };
    this.layers.push(layer);
    this.#byName.set(name, layer);
    for (const weight of weights) {
      const own = typeof weight.value === 'string' ? this.#values.get(`${owner}.${weight.value}`) : undefined;
      const shape = weight.shape ?? (own?.shape as Shape);
      const value = own?.value ?? (weight.value as Float32Array);
      this.weights.push({ name: `${name}/${weight.name}`, shape, value });
    }
    return layer;
  }

  /** Calls a layer on what others give. */
  call(name: string, from: readonly Call[]): Call {
    const call: Call = { layer: name, from, index: undefined };
    (this.#byName.get(name) as WrittenLayer).calls.push(call);
    return call;
  }
}

/**
 * Numbers the calls of each layer in the order in which tfjs makes them again: it goes through the layers, time after
 * time, and makes the calls whose inputs are there. A call in the file has its number in the order of the file.
 */
function numberCalls(layers: readonly WrittenLayer[]): void {
  let left = layers.filter(({ calls }) => calls.length > 0);
  const made = new Map<string, number>();
  while (left.length > 0) {
    for (const { name, calls } of left) {
      for (const call of calls) {
        if (call.index !== undefined || call.from.some(({ index }) => index === undefined)) continue;
        call.index = made.get(name) ?? 0;
        made.set(name, call.index + 1);
      }
    }
    left = left.filter(({ calls }) => calls.some(({ index }) => index === undefined));
  }
}

const end = ({ layer, index }: Call) => [layer, index, 0];

function layerJson({ name, type, config, calls }: WrittenLayer) {
  const inOrder = [...calls].sort((a, b) => (a.index as number) - (b.index as number));
  const nodes = inOrder.filter(({ from }) => from.length > 0).map(({ from }) => from.map((call) => [...end(call), {}]));
  return { name, class_name: type, config, inbound_nodes: nodes };
}

/** Layers with parameters that tfjs binds to the shape of their first input. */
const bound = ['embedding', 'prelu'];

/** Whether a further call of a shared layer is one of the layer in tfjs, too, whose settings may depend on the shape. */
function isReusable(first: PlacedNode, { name, node: again }: PlacedNode): boolean {
  const { node, spec, operation } = first;
  const [own, other] = [node, again].map(({ inputs }) => inputs.map(({ shape }) => shape));
  if (own.join(' ') === other.join(' ')) return true;
  if (operation.parameters.length === 0) return false;
  const isOfRank = own.every(({ length }, i) => length === other[i].length);
  if (isOfRank && !bound.includes(spec.type)) return true;
  const text = `node ${name} (${spec.type}): tfjs can't share it by inputs of two shapes`;
  throw new BlasnetError('INVALID_ARGUMENT', text);
}

/** Writes inputs and nodes; returns the calls that give the values of all of them. An input counts as a call. */
function writeNodes(writing: Writing, { inputs, nodes }: Model, names: readonly string[]): Call[] {
  const values = inputs.map(({ shape }, i) => {
    const config = { batch_input_shape: [null, ...shape], dtype: 'float32', sparse: false };
    writing.add(names[i], { type: 'InputLayer', config }, '');
    return writing.call(names[i], []);
  });
  // The names of the layers that a node became, for further calls of a shared one.
  const chains: (readonly string[])[] = [];
  for (const [index, { spec, name: owner, from, operation, node, owner: first }] of nodes.entries()) {
    const name = names[inputs.length + index];
    const sources = from.map((place) => values[place]);
    if (first < index && isReusable(nodes[first], nodes[index])) {
      chains.push(chains[first]);
    } else if (spec.type === 'subtract') {
      const minus = writing.free(`${name}_minus`);
      writing.add(minus, negated(node.inputs[1].shape), owner);
      sources[1] = writing.call(minus, [sources[1]]);
      writing.add(name, { type: 'Add', config: {} }, owner);
      chains.push([name]);
    } else {
      const parts = inLayer(`node ${owner} (${spec.type})`, () => {
        const write = writers.get(spec.type);
        if (write === undefined) throw unwritable('a layer of this type');
        return write(spec as never, { inputs: node.inputs.map(({ shape }) => shape), output: operation.output });
      });
      chains.push(
        parts.map((part, i) => {
          const own = i === parts.length - 1 ? name : writing.free(`${name}_${part.type}`);
          return writing.add(own, part, owner).name;
        }),
      );
    }
    let taken: readonly Call[] = sources;
    for (const layer of chains[index]) taken = [writing.call(layer, taken)];
    values.push(taken[0]);
  }
  return values;
}

/** A name as tfjs has them, which begin with a letter. */
const tfName = (name: string, prefix: string) => (/^[A-Za-z]/.test(name) ? name : `${prefix}_${name}`);

/** A layer's name in tfjs for each input and node. */
function namesOf({ inputs, nodes }: Model): string[] {
  const taken = new Set<string>();
  const own = [
    ...inputs.map(({ name = 'input' }) => tfName(name, 'input')),
    ...nodes.map(({ name, spec }) => tfName(name, spec.type)),
  ];
  return own.map((name) => takeName(taken, name));
}

/** The activation from raw outputs to what `predict` gives. */
function linkOf({ activation, fromLogits, kind, writeLink }: Loss): string | undefined {
  if (writeLink === undefined || fromLogits === false) return undefined;
  if (activation !== undefined) return activation;
  throw new BlasnetError('INVALID_ARGUMENT', `the loss ${quote(kind)} has a link, which has no counterpart in tfjs`);
}

export function exportModel(network: AnyNetwork) {
  const memory = memoryOf(network);
  memory.checkIdle();
  const { model } = memory;
  const names = namesOf(model);
  const writing = new Writing(network, names);
  const values = writeNodes(writing, model, names);
  const outputs = model.outputs.map(({ name: given, shape, place, loss }) => {
    const name = given === undefined ? undefined : tfName(given, 'output');
    const link = loss === undefined ? undefined : linkOf(loss);
    if (link === undefined && (name === undefined || name === names[place])) return values[place];
    // A layer for the link of the loss, or for the name of the output.
    const own = activationLayer(link ?? 'linear');
    // A softmax is over all numbers of a row.
    const parts = link === 'softmax' && shape.length > 1 ? [flattening, own, reshaping(shape)] : [own];
    let value = values[place];
    parts.forEach((part, i) => {
      const layer = writing.free(i === parts.length - 1 ? (name ?? link ?? part.type) : part.type);
      writing.add(layer, part, '');
      value = writing.call(layer, [value]);
    });
    return value;
  });
  const weightSpecs = writing.weights.map(({ name, shape }) => ({ name, shape, dtype: 'float32' }));
  const data = new Float32Array(writing.weights.reduce((sum, { shape }) => sum + elements(shape), 0));
  let at = 0;
  for (const { value } of writing.weights) {
    data.set(value, at);
    at += value.length;
  }
  numberCalls(writing.layers);
  const config = {
    name: 'blasnet',
    layers: writing.layers.map(layerJson),
    input_layers: values.slice(0, model.inputs.length).map(end),
    output_layers: outputs.map(end),
  };
  return {
    format: 'layers-model',
    generatedBy: 'blasnet',
    convertedBy: null,
    modelTopology: { class_name: 'Model', config, keras_version: 'tfjs-layers 4.22.0', backend: 'tensor_flow.js' },
    weightSpecs,
    weightData: data.buffer,
  };
}

/**
 * A network as a tfjs LayersModel in memory, for `tf.loadLayersModel(tf.io.fromMemory(toLayersModel(network)))`. Throws
 * `INVALID_ARGUMENT`, naming the node, for what tfjs has not; `NETWORK_BUSY` during a run.
 */
export function toLayersModel(network: AnyNetwork): Required<Omit<ModelArtifacts, 'weightData'>> & {
  weightData: ArrayBuffer;
} {
  checkArity('toLayersModel', arguments, 1);
  if (!(network instanceof Network)) throw invalid('toLayersModel: network', 'a Network', network);
  return exportModel(network);
}
