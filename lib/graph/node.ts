import { checkArity, checkChoice, checkOptions, checkShape, invalid, lock } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { type EmbeddingSpec, MAX_VOCABULARY } from '../layers/embedding.js';
import {
  checkName,
  createOperation,
  type LayerSpec,
  named,
  type Operation,
  resolveLayer,
  spec,
} from '../layers/layer.js';
import type { Shape } from '../types.js';

/** Layers that a file of a network can have; larger networks can't be saved. */
export const MAX_LAYERS = 5000;

/** What `pipe` takes: a layer, layers shared between places, or a function from a node to a node. */
export type Pipeable = LayerSpec | Shared | ((node: Node) => Node);

/** A place where shared layers are used: the layer at `index` of `layers`. */
export interface SharedUse {
  readonly layers: Shared;
  readonly index: number;
}

/** Internal fields of a new node. */
interface NodeFields {
  readonly spec: LayerSpec;
  readonly inputs: readonly Node[];
  readonly shape: Shape;
  readonly name: string | undefined;
  readonly use: SharedUse | undefined;
}

interface InputSpec extends LayerSpec {
  readonly type: 'input';
  readonly shape: Shape;
  /** For an input of indices. */
  readonly values?: 'index';
}

/** Operations of the nodes that are not inputs. */
const operations = new WeakMap<Node, Operation>();

/** How a layer becomes a node: its name, if not the spec's; the shared use; the beginning of error messages. */
interface Application {
  readonly name?: string;
  readonly use?: SharedUse;
  readonly label?: string;
}

let makeInput: (name: string | undefined, shape: Shape, index: boolean) => Node;
/** The node of a resolved layer on nodes. */
export let makeNode: (layer: LayerSpec, inputs: readonly Node[], how: Application) => Node;

/**
 * A value in a graph of layers: a spec and the nodes that it takes. Nodes are frozen and have no memory; a network is
 * made of the nodes that its outputs reach. A node can only take nodes that exist, so a graph has no cycles.
 */
export class Node {
  /** The layer whose output this is, or `input`. */
  readonly spec: LayerSpec;
  /** The nodes that the layer takes; empty for an input. */
  readonly inputs: readonly Node[];
  /** Shape of one sample. */
  readonly shape: Shape;
  /** The layer's name, if it has one. */
  readonly name: string | undefined;
  /** The shared layer used here, if it is one. */
  readonly use: SharedUse | undefined;

  /** Nodes are made by `input`, `pipe` and the functions of nodes. */
  private constructor({ spec, inputs, shape, name, use }: NodeFields) {
    this.spec = spec;
    this.inputs = Object.freeze([...inputs]);
    this.shape = Object.freeze([...shape]);
    this.name = name;
    this.use = use;
    lock(this, false);
  }

  static #input(name: string | undefined, shape: Shape, index: boolean): Node {
    const made = spec<InputSpec>({ type: 'input', name, shape, ...(index && { values: 'index' as const }) });
    return new Node({ spec: made, inputs: [], shape, name, use: undefined });
  }

  static #apply(layer: LayerSpec, inputs: readonly Node[], how: Application): Node {
    named(how.label, () => checkValues(layer, inputs));
    const operation = createOperation(
      layer,
      inputs.map(({ shape }) => shape),
      how.label,
    );
    const { name = layer.name, use } = how;
    const node = new Node({ spec: layer, inputs, shape: operation.output, name, use });
    operations.set(node, operation);
    return node;
  }

  static {
    makeInput = Node.#input;
    makeNode = Node.#apply;
  }

  /**
   * The node after these layers, in turn. Throws `SHAPE_MISMATCH` if a layer does not fit, and `INVALID_ARGUMENT` for
   * anything that is not a layer, shared layers or a function from a node to a node.
   */
  pipe(...layers: readonly Pipeable[]): Node {
    return layers.reduce<Node>((node, layer, i) => {
      if (layer instanceof Shared) return layer.apply(node);
      if (typeof layer === 'function') return checkNode(`pipe: the result of argument ${i}`, layer(node));
      return makeNode(resolveLayer(layer, `pipe: argument ${i}`), [node], {});
    }, this);
  }
}

/** Layers whose parameters are made once, wherever they are used; made by {@link shared}. */
export class Shared {
  readonly layers: readonly LayerSpec[];

  constructor(layers: readonly LayerSpec[]) {
    this.layers = Object.freeze([...layers]);
    Object.freeze(this);
  }

  /** The node after the layers. */
  apply(node: Node): Node {
    return this.layers.reduce((last, layer, index) => makeNode(layer, [last], { use: { layers: this, index } }), node);
  }
}

/**
 * Layers whose parameters are made once and trained by all their uses: give the result to several `pipe` calls. All
 * uses must have inputs of the same shape.
 */
export function shared(...layers: readonly LayerSpec[]): Shared {
  if (layers.length === 0) throw invalid('shared', 'at least one layer', layers);
  return new Shared(layers.map((layer, i) => resolveLayer(layer, `shared: argument ${i}`)));
}

/** Options of {@link input}. */
export interface InputOptions {
  name?: string;
  /** `'index'`: integers from 0, which only `embedding` takes. Default 'float'. */
  type?: 'float' | 'index';
}

/**
 * An input of a network: a column of the data, of samples of `shape` (channels last). Networks with several inputs need
 * a name for each, by which data give them. Throws `INVALID_ARGUMENT` and `UNKNOWN_OPTION`.
 */
export function input(shape: Shape, options?: InputOptions): Node {
  checkArity('input', arguments, 2);
  const { name, type = 'float' } = checkOptions('input', options, ['name', 'type']);
  if (name !== undefined) checkName('input: name', name);
  checkChoice('input: type', type, ['float', 'index']);
  return makeInput(name, checkShape('input: shape', shape), type === 'index');
}

/** Embeddings take indices, and nothing else does. */
function checkValues({ type }: LayerSpec, inputs: readonly Node[]): void {
  const wanted = type === 'embedding';
  if (inputs.every((node) => isIndex(node) === wanted)) return;
  const text = wanted
    ? 'embedding: expected an index input, input(shape, { type: "index" })'
    : `${type}: it can't take an index input: put an embedding between them`;
  throw new BlasnetError('INVALID_ARGUMENT', text);
}

/** Whether a node is an input of indices. */
export function isIndex({ spec }: Node): boolean {
  return spec.type === 'input' && (spec as InputSpec).values === 'index';
}

/** The smallest vocabulary of the embeddings on a node, if it is an input of indices. */
export function vocabularyOf(node: Node, others: readonly Node[]): number | undefined {
  if (!isIndex(node)) return undefined;
  const users = others.filter(({ inputs }) => inputs.includes(node));
  return Math.min(MAX_VOCABULARY, ...users.map(({ spec }) => (spec as EmbeddingSpec).vocabulary));
}

/** The chain of `layers` on an input. Layers without a name are named by their index. */
export function chain(shape: Shape, layers: readonly unknown[]): Node {
  if (!Array.isArray(layers) || layers.length === 0) throw invalid('layers', 'a non-empty list of layers', layers);
  const specs = Array.from(layers, (layer, i) => resolveLayer(layer, `layers[${i}]`));
  return specs.reduce<Node>(
    (node, layer, i) => makeNode(layer, [node], { name: layer.name ?? String(i), label: `layers[${i}]` }),
    makeInput(undefined, checkShape('input', shape), specs[0].type === 'embedding'),
  );
}

/** The operation of a node that is not an input. */
export function operationOf(node: Node): Operation {
  return operations.get(node) as Operation;
}

export function isInput(node: Node): boolean {
  return node.spec.type === 'input';
}

export function checkNode(name: string, node: unknown): Node {
  if (!(node instanceof Node)) throw invalid(name, 'a node, as input() and pipe() make it', node);
  return node;
}

/** A node of several nodes. Throws if one is not a node, or their shapes don't fit. */
export function merge(layer: LayerSpec, nodes: readonly unknown[]): Node {
  checkArity('merge', arguments, 2);
  const checked = Array.from(nodes, (node, i) => checkNode(`${layer.type}: argument ${i}`, node));
  return makeNode(resolveLayer(layer, layer.type), checked, {});
}

/**
 * The nodes that `outputs` reach, each after the nodes it takes: inputs in order of their first use, then the others.
 */
export function sortNodes(outputs: readonly Node[]): { inputs: Node[]; others: Node[] } {
  const seen = new Set<Node>();
  const inputs: Node[] = [];
  const others: Node[] = [];
  for (const output of outputs) {
    // Depth first with a stack of its own: graphs may be deeper than the call stack.
    const stack: { node: Node; next: number }[] = [];
    const visit = (node: Node) => {
      if (seen.has(node)) return;
      seen.add(node);
      stack.push({ node, next: 0 });
    };
    visit(output);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      if (top.next < top.node.inputs.length) visit(top.node.inputs[top.next++]);
      else {
        (isInput(top.node) ? inputs : others).push(top.node);
        stack.pop();
      }
    }
  }
  return { inputs, others };
}

export function mismatch(message: string): BlasnetError {
  return new BlasnetError('SHAPE_MISMATCH', message);
}
