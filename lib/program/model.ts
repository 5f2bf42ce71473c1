import { invalid, MAX_SIZE } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { chain, isIndex, type Node, sortNodes, vocabularyOf } from '../graph/node.js';
import { type PlacedNode, placeNodes } from '../graph/place.js';
import type { Precision } from '../kernels/codes.js';
import { type LayerSpec, named, type ParameterSpec, type StateSpec } from '../layers/layer.js';
import type { Loss } from '../losses/loss.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { RandomStream, Stream } from '../random.js';
import type { Regularizer } from '../regularizers.js';
import { listed, shapeText } from '../text.js';
import { ancestors } from './graph.js';
import { elements, type Frozen, type Shape, type Tensor, tensor } from './instructions.js';

/** Blocks start on 64-byte boundaries: 16 float32 elements. */
export const BLOCK = 16;
/** Elements of a page of memory. */
const PAGE = 1024;
/**
 * The optimizer reads an element of the parameters, of their gradients and of each moment together. These lie so many
 * elements further within a page from one to the next; at the same place they would compete for the same lines of the
 * first-level cache (docs/decisions/0009-denormals-and-pages.md).
 */
export const STAGGER = 13 * BLOCK;

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

export interface ParameterEntry {
  readonly spec: ParameterSpec;
  readonly tensor: Tensor;
  /** At the same offset in the gradient block. */
  readonly gradient: Tensor;
}

export interface StateEntry {
  readonly spec: StateSpec;
  readonly tensor: Tensor;
}

/** An input: a column of the data. */
export interface ModelInput {
  /** Undefined if it is the only one and has no name. */
  readonly name: string | undefined;
  readonly shape: Shape;
  readonly node: Node;
  /** For an input of indices: they are below this number. */
  readonly vocabulary: number | undefined;
}

export interface ModelOutput {
  /** Undefined if it is the only one and has no name. */
  readonly name: string | undefined;
  readonly shape: Shape;
  /** Place of the output. */
  readonly place: number;
  /** Place of what the loss takes: `place`, or the one before an activation that the loss computes itself. */
  readonly logits: number;
  readonly loss: Loss | undefined;
  /** Factor of the loss in the total. */
  readonly weight: number;
}

/**
 * A network with all shapes inferred and all parameters placed. A place is an index among the inputs followed by the
 * nodes.
 */
export interface Model {
  readonly inputs: readonly ModelInput[];
  /** Each follows the nodes that it takes. */
  readonly nodes: readonly PlacedNode[];
  readonly outputs: readonly ModelOutput[];
  /** Whether it was made from a list of layers. */
  readonly chain: boolean;
  readonly regularizer: Regularizer | undefined;
  /** Of the operands of products. */
  readonly precision: Precision;
  readonly seed: number;
  /** By full name, `<node>.<parameter>`, in order. */
  readonly parameters: ReadonlyMap<string, ParameterEntry>;
  readonly state: ReadonlyMap<string, StateEntry>;
  /** Elements of the parameter block, including padding; the gradient block has the same length. */
  readonly parameterLength: number;
  /** Elements from one moment to the next. */
  readonly momentLength: number;
  readonly stateLength: number;
  /** Parameters that no loss depends on, by full name: training leaves them unchanged. */
  readonly untrained: ReadonlySet<string>;
}

/** A list of layers with one loss. */
export interface ChainSpec {
  readonly input: Shape;
  readonly layers: readonly LayerSpec[];
  readonly loss: Loss;
  readonly regularizer: Regularizer | undefined;
  readonly precision?: Precision;
  readonly seed: number;
}

export interface OutputSpec {
  readonly name: string | undefined;
  readonly node: Node;
  /** Undefined for an output that is only predicted. */
  readonly loss: Loss | undefined;
  /** Default 1. */
  readonly weight?: number;
}

/** The graph that the outputs reach. */
export interface GraphSpec {
  readonly outputs: readonly OutputSpec[];
  /** Names of nodes of another network, which keep them. */
  readonly names?: ReadonlyMap<Node, string> | undefined;
  readonly regularizer: Regularizer | undefined;
  readonly precision?: Precision;
  readonly seed: number;
}

export type ModelSpec = ChainSpec | GraphSpec;

/** Layers that don't change their input's values. */
const passing = ['flatten', 'identity'];
/** Layers that change them in training only, at random. */
const random = ['dropout', 'spatialDropout2d', 'gaussianNoise'];

/** The node at or before `node` that isn't one of the types `skipped`. */
function lastNode(node: Node, skipped: readonly string[]): Node {
  let last = node;
  while (skipped.includes(last.spec.type)) last = last.inputs[0];
  return last;
}

/** The node whose values the loss takes. */
function beforeLoss({ node, loss }: OutputSpec, prefix: string): Node {
  if (loss?.activation === undefined || loss.fromLogits !== false) return node;
  const last = lastNode(node, passing);
  if (last.spec.type === loss.activation) return last.inputs[0];
  throw new BlasnetError(
    'INVALID_ARGUMENT',
    `${prefix}: ${loss.kind} with fromLogits: false needs ${loss.activation}() as the last layer, got ${last.spec.type}()`,
  );
}

/** How messages name an output: `layers` in a chain. */
function outputLabel(chain: boolean, name: string | undefined): string {
  if (chain) return 'layers';
  return name === undefined ? 'output' : `output ${name}`;
}

/**
 * The error for layers that don't match the loss although the shapes fit: an activation that the loss already includes,
 * or a softmax over one number. Undefined if they match. Networks loaded from older files may have such layers.
 */
export function findMisfit({ nodes, inputs, outputs, chain }: Model): BlasnetError | undefined {
  const misfit = (text: string) => new BlasnetError('INVALID_ARGUMENT', text);
  const single = nodes.findIndex(({ spec, operation: { output } }) => spec.type === 'softmax' && output.at(-1) === 1);
  if (single >= 0) {
    const label = chain ? `layers: [${single}]` : nodes[single].label;
    return misfit(`${label}: softmax() over one number is 1 whatever the number; use sigmoid()`);
  }
  for (const { name, place, loss } of outputs) {
    if (place < inputs.length || loss?.activation === undefined || loss.fromLogits === false) continue;
    const { kind, activation } = loss;
    const last = lastNode(nodes[place - inputs.length].node, [...random, ...passing]).spec.type;
    if (last !== 'sigmoid' && last !== 'softmax') continue;
    const other = last === activation ? `, or keep it and use ${kind}({ fromLogits: false })` : '';
    const what = chain ? 'they end' : 'it ends';
    return misfit(
      `${outputLabel(chain, name)}: ${what} with ${last}(), but ${kind} works on logits and has its own ${activation}: leave ${last}() out (predict gives probabilities)${other}`,
    );
  }
  return undefined;
}

function checkInputs(inputs: readonly Node[], others: readonly Node[]): ModelInput[] {
  const seen = new Set<string>();
  return inputs.map((node) => {
    const { name, shape } = node;
    if (inputs.length > 1 && name === undefined) {
      const text = `${inputs.length} inputs: give each a name, input(${shapeText(shape)}, { name })`;
      throw new BlasnetError('INVALID_ARGUMENT', `network: ${text}`);
    }
    if (name !== undefined && seen.has(name))
      throw invalid(`input ${name}: name`, 'a name that no other input has', name);
    if (name !== undefined) seen.add(name);
    return { name, shape, node, vocabulary: vocabularyOf(node, others) };
  });
}

/** Lays out parameters and state; throws if the graph is not a network. */
export function buildModel(spec: ModelSpec): Model {
  if ('layers' in spec) {
    const { input, layers, loss, ...rest } = spec;
    return build({ ...rest, outputs: [{ name: undefined, node: chain(input, layers), loss }] }, true);
  }
  return build(spec, false);
}

function build(spec: GraphSpec, isChain: boolean): Model {
  const { outputs: given, names, regularizer, precision = 'float32', seed } = spec;
  const sorted = sortNodes(given.map(({ node }) => node));
  const inputs = checkInputs(sorted.inputs, sorted.others);
  const { nodes, places } = placeNodes(sorted.others, sorted.inputs, isChain, names);
  const outputs = given.map((output): ModelOutput => {
    const { name, node, loss, weight = 1 } = output;
    const last = places.get(node) as number;
    const label = isChain ? undefined : last < inputs.length ? 'output' : nodes[last - inputs.length].label;
    if (isIndex(node)) throw invalid(label ?? 'output', 'no input of indices', node.spec.type);
    named(label, () => loss?.checkShape?.(node.shape));
    const logits = places.get(beforeLoss(output, outputLabel(isChain, name))) as number;
    return { name, shape: node.shape, place: last, logits, loss, weight };
  });
  const trained = ancestors(
    { inputs, nodes },
    outputs.filter(({ loss }) => loss !== undefined).map(({ logits }) => logits),
  );
  const owners = new Set(nodes.flatMap(({ owner }, i) => (trained[inputs.length + i] ? [owner] : [])));
  const untrained = new Set<string>();
  const parameters = new Map<string, ParameterEntry>();
  const state = new Map<string, StateEntry>();
  let parameterLength = 0;
  let stateLength = 0;
  for (const [index, { name, owner, operation }] of nodes.entries()) {
    if (owner !== index) continue;
    for (const parameter of operation.parameters) {
      const fixed = elements(parameter.shape);
      const full = `${name}.${parameter.name}`;
      if (!owners.has(index)) untrained.add(full);
      const place = { fixed, offset: parameterLength };
      parameters.set(full, {
        spec: parameter,
        tensor: tensor(full, 'parameter', place),
        gradient: tensor(full, 'gradient', place),
      });
      parameterLength += roundUp(fixed, BLOCK);
    }
    for (const entry of operation.state) {
      const fixed = elements(entry.shape);
      const full = `${name}.${entry.name}`;
      state.set(full, { spec: entry, tensor: tensor(full, 'state', { fixed, offset: stateLength }) });
      stateLength += roundUp(fixed, BLOCK);
    }
  }
  if (parameterLength > MAX_SIZE) {
    throw new BlasnetError(
      'INVALID_ARGUMENT',
      `layers: ${parameterLength} parameters; a network can have at most ${MAX_SIZE}`,
    );
  }
  const momentLength = roundUp(parameterLength - STAGGER, PAGE) + STAGGER;
  const blocks = { parameters, state, parameterLength, momentLength, stateLength, untrained };
  return { inputs, nodes, outputs, chain: isChain, regularizer, precision, seed, ...blocks };
}

/** The place of an input or a node by its name; undefined if there is none. */
export function placeOf({ inputs, nodes }: Model, name: string): number | undefined {
  const at = [...inputs, ...nodes].findIndex((other) => other.name === name);
  return at < 0 ? undefined : at;
}

/** Shape of the values of a place. */
export function shapeOf({ inputs, nodes }: Model, place: number): Shape {
  return place < inputs.length ? inputs[place].shape : nodes[place - inputs.length].operation.output;
}

/** Outputs with a loss: the index of each is that of its targets in a program's request. */
export function goalsOf({ outputs }: Model): readonly (ModelOutput & { readonly loss: Loss })[] {
  return outputs.filter((output): output is ModelOutput & { readonly loss: Loss } => output.loss !== undefined);
}

/** Whether `optimizer` freezes all parameters of node `index`. */
export function frozenLayer(model: Model, index: number, optimizer: Optimizer | undefined): Frozen {
  const { name, operation } = model.nodes[model.nodes[index].owner];
  const { parameters } = operation;
  if (optimizer === undefined || parameters.length === 0) return false;
  const each = parameters.map((parameter) => optimizer.settings[optimizer.groupOf(`${name}.${parameter.name}`)].frozen);
  if (each.includes(false)) return false;
  return each.includes('evaluation') ? 'evaluation' : true;
}

/**
 * Draws the initial parameters and state. Each parameter has its own random stream, so changing one does not affect the
 * next.
 */
export function initialize(model: Model, parameters: Float32Array, state: Float32Array): void {
  let index = 0;
  for (const { spec, tensor } of model.parameters.values()) {
    const sample = spec.initializer.sampler(spec.fans, new RandomStream(model.seed, Stream.initializer + index++));
    for (let i = tensor.offset, end = tensor.offset + tensor.fixed; i < end; i++) parameters[i] = sample();
  }
  for (const { spec, tensor } of model.state.values())
    state.fill(spec.initial, tensor.offset, tensor.offset + tensor.fixed);
}

/** The node with a name; throws `INVALID_ARGUMENT` for an unknown one. */
export function nodeNamed({ nodes, inputs }: Model, name: string): Node {
  const all = [...nodes, ...inputs];
  const found = all.find((other) => other.name === name);
  if (found === undefined) throw invalid('node', `one of ${listed(all.map((other) => other.name ?? 'input'))}`, name);
  return found.node;
}
