import { input, isIndex, isInput, MAX_LAYERS, type Node, operationOf, type Shared, shared } from '../../graph/node.js';
import { cut, quote } from '../../text.js';
import type { Shape } from '../../types.js';
import { Fields, inLayer, malformed, unsupported } from './fields.js';
import { EMBEDDING, merges, type NameOf, type Part, singles } from './import-layers.js';

/** The topology of a model.json as nodes. Nothing is allocated for parameters here. */

/** What all calls of layers and models take, and what models give, counted as often as a model is used. */
const MAX_LINKS = 100_000;
/** Models within models. */
const MAX_DEPTH = 8;

/** A parameter or a piece of state, and where its values are. */
export interface Wanted {
  /** Name in the network, such as `dense_1.weight`. */
  readonly name: string;
  readonly shape: Shape;
  /** Name of the layer in tfjs, and the names that the tensor may have there. */
  readonly layer: string;
  readonly weights: readonly string[];
}

export interface ImportedGraph {
  readonly inputs: readonly Node[];
  /** The outputs with the names of their layers. */
  readonly outputs: readonly { readonly name: string; readonly node: Node }[];
  readonly wanted: readonly Wanted[];
}

/** What all layers of a model share while it is read. */
class Reading {
  readonly wanted: Wanted[] = [];
  /** The inputs that embeddings were called on, though they are not inputs of indices. */
  readonly embedded = new Set<Node>();
  readonly #names = new Set<string>();
  #defined = 0;
  #nodes = 0;
  #links = 0;

  /** A name that layers can have here, and that no other layer has. */
  take(name: string): string {
    const allowed = cut(name, 200).replace(/[^\w-]/g, '_');
    const stem = /^[A-Za-z_]/.test(allowed) ? allowed : `_${allowed}`;
    let free = stem;
    for (let count = 2; this.#names.has(free); count++) free = `${stem}_${count}`;
    this.#names.add(free);
    return free;
  }

  /** Counts layers before they are called. */
  define(): void {
    this.#defined++;
    this.#check(this.#defined);
  }

  count(nodes: number): void {
    this.#nodes += nodes;
    this.#check(this.#nodes);
  }

  link(references: number): void {
    this.#links += references;
    if (this.#links > MAX_LINKS) throw malformed(`the calls of its layers take more than ${MAX_LINKS} values`);
  }

  #check(count: number): void {
    if (count > MAX_LAYERS) throw malformed(`the model has more than ${MAX_LAYERS} layers`);
  }
}

/**
 * The model's inputs of indices are known when all layers have been called. Until then an input that an embedding takes
 * is noted, and another one stands in for it.
 */
function indicesOf({ embedded }: Reading, node: Node): Node {
  if (isIndex(node)) return node;
  if (!isInput(node)) throw unsupported('an embedding of other than an input of the model');
  embedded.add(node);
  return input(node.shape, { type: 'index' });
}

/** A layer, or a model within the model, that can be called on nodes. */
interface Callable {
  call(inputs: readonly Node[]): readonly Node[];
}

interface LayerFields {
  readonly type: string;
  readonly name: string;
  readonly label: string;
  readonly config: unknown;
}

function layerFields(value: unknown): LayerFields {
  const fields = new Fields('a layer', value);
  const type = fields.text('className');
  const config = fields.get('config');
  const isObject = typeof config === 'object' && !Array.isArray(config);
  const name = fields.get('name') ?? (isObject ? new Fields('config', config).get('name') : undefined) ?? type;
  if (typeof name !== 'string') throw malformed('the name of a layer must be a string');
  return { type, name, label: `layer ${cut(name, 80)} (${cut(type, 40)})`, config };
}

const isModel = (type: string) => ['Sequential', 'Model', 'Functional'].includes(type);

/** A layer of one or several inputs. */
class Layer implements Callable {
  readonly #reading: Reading;
  readonly #fields: LayerFields;
  readonly #isShared: boolean;
  /** The shape of its first input, and the parts for it. */
  #first: { readonly shape: Shape; readonly parts: readonly Part[] } | undefined;
  #shared: Shared | undefined;

  constructor(reading: Reading, fields: LayerFields, isShared: boolean) {
    this.#reading = reading;
    this.#fields = fields;
    this.#isShared = isShared;
  }

  call(inputs: readonly Node[]): readonly Node[] {
    const { type, label, config, name } = this.#fields;
    return inLayer(label, () => {
      const fields = new Fields('config', config ?? {});
      if (type !== EMBEDDING && inputs.some(isIndex)) throw unsupported('a layer besides embeddings on their input');
      const nameOf: NameOf = (suffix) => this.#reading.take(suffix === undefined ? name : `${name}_${suffix}`);
      const merge = merges.get(type);
      if (merge !== undefined) {
        this.#reading.count(1);
        return [merge(fields, inputs, nameOf)];
      }
      const single = singles.get(type);
      if (single === undefined) throw unsupported('a layer of this class');
      if (inputs.length !== 1) throw malformed(`it must have one input, got ${inputs.length}`);
      const x = type === EMBEDDING ? indicesOf(this.#reading, inputs[0]) : inputs[0];
      const first = this.#first;
      const isKnown = first?.shape.join() === x.shape.join();
      const parts = isKnown ? first.parts : single(fields, x.shape, nameOf);
      // One that changes nothing takes time all the same.
      this.#reading.count(Math.max(1, parts.length));
      if (first === undefined) {
        this.#first = { shape: x.shape, parts };
        return [this.#make(parts, x)];
      }
      return [isKnown ? this.#again(parts, x) : this.#resized(first.parts, parts, x)];
    });
  }

  #make(parts: readonly Part[], x: Node): Node {
    if (this.#isShared && parts.length > 0) this.#shared = shared(...parts.map(({ spec }) => spec));
    if (this.#shared !== undefined) {
      const last = this.#shared.apply(x);
      let node = last;
      for (const part of [...parts].reverse()) {
        this.#want(node, part);
        [node] = node.inputs;
      }
      return last;
    }
    return parts.reduce((node, part) => {
      const next = node.pipe(part.spec);
      this.#want(next, part);
      return next;
    }, x);
  }

  #again(parts: readonly Part[], x: Node): Node {
    return this.#shared === undefined ? x.pipe(...parts.map(({ spec }) => spec)) : this.#shared.apply(x);
  }

  /** On an input of another shape than the first, on which options of the parts may depend. */
  #resized(first: readonly Part[], parts: readonly Part[], x: Node): Node {
    if (!first.some(({ weights }) => weights !== undefined)) return x.pipe(...parts.map(({ spec }) => spec));
    const [made, wanted] = [first, parts].map((each) =>
      JSON.stringify(each.map(({ spec }) => ({ ...spec, name: '' }))),
    );
    if (made !== wanted) throw unsupported('a layer with weights on inputs of two shapes');
    return this.#again(first, x);
  }

  #want(node: Node, { weights = {} }: Part): void {
    const { parameters, state } = operationOf(node);
    for (const { name, shape } of [...parameters, ...state]) {
      const theirs = weights[name];
      if (theirs === undefined) continue;
      this.#reading.wanted.push({ name: `${node.name}.${name}`, shape, layer: this.#fields.name, weights: theirs });
    }
  }
}

/** The shape of an input's samples. */
function inputShape(config: unknown): Shape {
  const fields = new Fields('config', config);
  const shape = fields.get('batchInputShape', 'batchShape');
  if (!Array.isArray(shape)) throw malformed('batch_input_shape must be a list');
  const sample = shape.slice(1);
  if (sample.length === 0 || sample.includes(null))
    throw unsupported(`an input of the shape ${cut(JSON.stringify(shape), 80)}, whose size is not fixed,`);
  return sample as number[];
}

/** The shape of the samples that the first layer of a Sequential takes. */
function firstShape({ type, config, label }: LayerFields, depth = 0): Shape {
  if (!isModel(type)) return inLayer(label, () => inputShape(config));
  if (depth > MAX_DEPTH) throw malformed(`models are nested deeper than ${MAX_DEPTH}`);
  const list = layerList(config);
  if (list.length === 0) throw malformed('a model has no layers');
  return firstShape(layerFields(list[0]), depth + 1);
}

function layerList(config: unknown): readonly unknown[] {
  return Array.isArray(config) ? config : new Fields('config', config).list('layers');
}

function makeCallable(reading: Reading, fields: LayerFields, isShared: boolean, depth: number): Callable {
  reading.define();
  if (!isModel(fields.type)) return new Layer(reading, fields, isShared);
  if (depth > MAX_DEPTH) throw malformed(`models are nested deeper than ${MAX_DEPTH}`);
  if (fields.type === 'Sequential') return new Sequence(reading, fields.config, isShared, depth);
  return new Graph(reading, fields.config, isShared, depth);
}

/** A Sequential: layers one after the other. */
class Sequence implements Callable {
  readonly #reading: Reading;
  readonly #layers: readonly Callable[];

  constructor(reading: Reading, config: unknown, isShared: boolean, depth: number) {
    this.#reading = reading;
    this.#layers = layerList(config)
      .map(layerFields)
      .filter(({ type }) => type !== 'InputLayer')
      .map((fields) => makeCallable(reading, fields, isShared, depth + 1));
  }

  call(inputs: readonly Node[]): readonly Node[] {
    this.#reading.count(1);
    return this.#layers.reduce((nodes, layer) => layer.call(nodes), inputs);
  }
}

/** What a layer takes: the output `tensor` of the call `call` of a layer. */
interface Reference {
  readonly layer: string;
  readonly call: number;
  readonly tensor: number;
}

function reference(value: unknown): Reference {
  if (!Array.isArray(value)) throw malformed('a reference to a layer must be a list');
  const [layer, call, tensor, named] = value as unknown[];
  const isIndex = (index: unknown) => Number.isSafeInteger(index) && (index as number) >= 0;
  if (typeof layer !== 'string' || !isIndex(call) || !isIndex(tensor))
    throw malformed('a reference to a layer must be its name and two indices');
  checkNamed(named ?? {});
  return { layer, call: call as number, tensor: tensor as number };
}

/** Throws if a call has named arguments that mean something. */
function checkNamed(value: unknown): void {
  const fields = new Fields('the arguments of a call', value);
  fields.expect('mask');
  fields.expect('training', false);
  for (const key of Object.keys(value as object)) if (!['mask', 'training'].includes(key)) fields.expect(key);
}

/** The references in the arguments of a call as Keras 3 writes them. */
function tensorsIn(value: unknown): Reference[] {
  if (Array.isArray(value)) return value.flatMap(tensorsIn);
  const config = new Fields('an argument of a call', value).object('config');
  return [reference(config.list('kerasHistory'))];
}

/** The references of each call of a layer. */
function readCalls(value: unknown): Reference[][] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw malformed('inbound_nodes must be a list');
  return value.map((call) => {
    if (Array.isArray(call)) return call.map(reference);
    const fields = new Fields('an inbound node', call);
    checkNamed(fields.get('kwargs') ?? {});
    return tensorsIn(fields.list('args'));
  });
}

/** The ends of a model: a list of references, or one reference. */
function readEnds(name: string, value: unknown): Reference[] {
  if (!Array.isArray(value)) throw malformed(`${name} must be a list`);
  return typeof value[0] === 'string' ? [reference(value)] : value.map(reference);
}

interface GraphLayer extends LayerFields {
  readonly calls: readonly Reference[][];
}

/** A call that is to be made, and the first of the nodes that it takes, as far as they are known. */
interface PlannedCall {
  readonly layer: GraphLayer;
  readonly from: readonly Reference[];
  readonly index: number;
  readonly nodes: Node[];
}

/** Finds the nodes that a call takes; returns the first that is not there. */
function take({ from, nodes }: PlannedCall, find: (reference: Reference) => Node | undefined): Reference | undefined {
  while (nodes.length < from.length) {
    const node = find(from[nodes.length]);
    if (node === undefined) return from[nodes.length];
    nodes.push(node);
  }
  return undefined;
}

/** A Functional model: layers that name the layers that they take. */
class Graph implements Callable {
  readonly #reading: Reading;
  readonly #layers: ReadonlyMap<string, GraphLayer>;
  readonly #callables = new Map<string, Callable>();
  readonly #inputs: readonly Reference[];
  readonly outputs: readonly Reference[];
  /** What is added to the indices of calls: Keras counts the making of a model within a model as its first call. */
  readonly #offsets = new Map<string, number>();

  constructor(reading: Reading, config: unknown, isShared: boolean, depth: number) {
    this.#reading = reading;
    const fields = new Fields('config', config);
    const list = fields.list('layers').map((value): GraphLayer => {
      const layer = layerFields(value);
      const calls = inLayer(layer.label, () => readCalls(new Fields('layer', value).get('inboundNodes')));
      return { ...layer, calls };
    });
    this.#layers = new Map(list.map((layer) => [layer.name, layer]));
    if (this.#layers.size < list.length) throw malformed('two layers have the same name');
    this.#inputs = readEnds('input_layers', fields.get('inputLayers'));
    this.outputs = readEnds('output_layers', fields.get('outputLayers'));
    // By the name of a layer, the last of its calls that is taken.
    const last = new Map<string, number>();
    for (const { layer, call } of [...list.flatMap(({ calls }) => calls.flat()), ...this.outputs])
      last.set(layer, Math.max(call, last.get(layer) ?? 0));
    for (const layer of list) {
      const { name, type, calls } = layer;
      if (type === 'InputLayer') continue;
      const makeShared = isShared || calls.length > 1;
      this.#callables.set(name, makeCallable(reading, layer, makeShared, depth + 1));
      const isBeyond = (last.get(name) ?? -1) >= calls.length;
      this.#offsets.set(name, isModel(type) && isBeyond ? 1 : 0);
    }
  }

  /** The model's input layers: their names and shapes. */
  inputLayers(): { name: string; shape: Shape }[] {
    return this.#inputs.map(({ layer }) => {
      const found = this.#layers.get(layer);
      if (found === undefined) throw malformed(`there is no layer ${quote(layer)}`);
      return { name: layer, shape: inLayer(found.label, () => inputShape(found.config)) };
    });
  }

  call(inputs: readonly Node[]): readonly Node[] {
    this.#reading.count(1);
    if (inputs.length !== this.#inputs.length)
      throw malformed(`a model of ${this.#inputs.length} inputs is called on ${inputs.length}`);
    const results = new Map<string, (readonly Node[] | undefined)[]>();
    this.#inputs.forEach(({ layer }, i) => {
      results.set(layer, [[inputs[i]]]);
    });
    const indexOf = ({ layer, call }: Reference) => call - (this.#offsets.get(layer) ?? 0);
    const find = (reference: Reference) => results.get(reference.layer)?.[indexOf(reference)]?.[reference.tensor];
    const all: PlannedCall[] = [...this.#layers.values()]
      .filter(({ name }) => this.#callables.has(name))
      .flatMap((layer) => layer.calls.map((from, index) => ({ layer, from, index, nodes: [] })));
    this.#reading.link(all.reduce((sum, { from }) => sum + from.length, this.outputs.length));
    // Calls that wait for another one, which may stand after them.
    const waiting = new Map<string, PlannedCall[]>();
    for (const first of all) {
      const ready = [first];
      for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
        const { layer, index, nodes } = next;
        const missing = take(next, find);
        if (missing !== undefined) {
          const key = `${indexOf(missing)} ${missing.layer}`;
          const others = waiting.get(key);
          if (others === undefined) waiting.set(key, [next]);
          else others.push(next);
          continue;
        }
        const made = results.get(layer.name) ?? [];
        made[index] = (this.#callables.get(layer.name) as Callable).call(nodes);
        results.set(layer.name, made);
        const key = `${index} ${layer.name}`;
        ready.push(...(waiting.get(key) ?? []).reverse());
        waiting.delete(key);
      }
    }
    for (const [{ layer, from, nodes }] of waiting.values()) {
      throw malformed(`${layer.label} takes an output of ${quote(from[nodes.length].layer)} that is nowhere made`);
    }
    return this.outputs.map((output) => {
      const node = find(output);
      if (node === undefined) throw malformed(`an output of the model is of ${quote(output.layer)}, which makes none`);
      return node;
    });
  }
}

/** The nodes of a topology, a Sequential or a Functional model. Throws `ModelError`. */
export function importGraph(topology: unknown): ImportedGraph {
  const { graph, embedded } = readGraph(topology, []);
  return embedded.includes(true) ? readGraph(topology, embedded).graph : graph;
}

/** Reads a topology of which these inputs are indices; tells of which inputs there are embeddings besides. */
function readGraph(topology: unknown, indices: readonly boolean[]): { graph: ImportedGraph; embedded: boolean[] } {
  const given = new Fields('modelTopology', topology);
  const fields = given.get('modelConfig') === undefined ? given : given.object('modelConfig');
  const type = fields.text('className');
  if (!isModel(type)) throw unsupported(`a model of the class ${quote(type)}`);
  const config = fields.get('config');
  const reading = new Reading();
  if (type === 'Sequential') {
    const [first] = layerList(config);
    if (first === undefined) throw malformed('the model has no layers');
    const shape = inLayer('input', () => firstShape(layerFields(first)));
    const x = input(shape, indices[0] ? { type: 'index' } : {});
    const [node] = new Sequence(reading, config, false, 0).call([x]);
    return readFrom(reading, [x], [{ name: 'output', node }]);
  }
  const graph = new Graph(reading, config, false, 0);
  const ends = graph.inputLayers();
  const inputs = ends.map(({ name, shape }, i) => {
    const options = {
      ...(ends.length > 1 && { name: reading.take(name) }),
      ...(indices[i] && { type: 'index' as const }),
    };
    return inLayer(`input ${name}`, () => input(shape, options));
  });
  const nodes = graph.call(inputs);
  const names = new Reading();
  const outputs = graph.outputs.map(({ layer }, i) => ({ name: names.take(layer), node: nodes[i] }));
  return readFrom(reading, inputs, outputs);
}

function readFrom({ wanted, embedded }: Reading, inputs: readonly Node[], outputs: ImportedGraph['outputs']) {
  return { graph: { inputs, outputs, wanted }, embedded: inputs.map((node) => embedded.has(node)) };
}
