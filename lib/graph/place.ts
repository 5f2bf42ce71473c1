import { invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { LayerSpec, Operation } from '../layers/layer.js';
import type { GraphNode } from '../program/instructions.js';
import { shapeText } from '../text.js';
import { type Node, operationOf } from './node.js';

/** A layer at one place of the graph. */
export interface PlacedNode extends GraphNode {
  /** Unique: the layer's own name, its index in a chain, or its type with a number. */
  readonly name: string;
  /** For messages: `layers[3]` in a chain, otherwise `node conv2d_1`. */
  readonly label: string;
  readonly spec: LayerSpec;
  readonly operation: Operation;
  /** Index of the node whose parameters and state this one uses: its own, or that of a shared layer's first use. */
  readonly owner: number;
  readonly node: Node;
}

/** Names for nodes without one: `<type>_<number>`, counted by type, skipping names that are taken. */
class Names {
  readonly #taken = new Set<string>();
  readonly #counts = new Map<string, number>();

  take(label: string, name: string): string {
    if (this.#taken.has(name)) throw invalid(`${label}: name`, 'a name that no other layer has', name);
    this.#taken.add(name);
    return name;
  }

  /** The next free name that begins with `stem`. */
  next(stem: string): string {
    for (;;) {
      const count = (this.#counts.get(stem) ?? 0) + 1;
      this.#counts.set(stem, count);
      const name = `${stem}_${count}`;
      if (this.#taken.has(name)) continue;
      this.#taken.add(name);
      return name;
    }
  }
}

/** The error for a shared layer on inputs that need other parameters than its first use. */
function sharedError(name: string, first: PlacedNode, node: Node): BlasnetError {
  const [was, is] = [first.node, node].map(({ inputs }) => inputs.map(({ shape }) => shapeText(shape)).join(', '));
  return new BlasnetError(
    'SHAPE_MISMATCH',
    `node ${name}: a shared layer needs inputs of the same shape everywhere: it is used on ${was} (node ${first.name}) and on ${is}`,
  );
}

/**
 * Places and names for the nodes of a graph. In a chain, messages call a node by its index. Throws `INVALID_ARGUMENT`
 * if two have the same name, and `SHAPE_MISMATCH` if a shared layer is used on inputs of different shapes.
 */
export function placeNodes(
  sorted: readonly Node[],
  inputs: readonly Node[],
  isChain: boolean,
  given?: ReadonlyMap<Node, string>,
) {
  const names = new Names();
  // Names that users gave come first, so that no generated name takes one.
  const own = sorted.map((node, i) => {
    const name = given?.get(node) ?? node.name;
    const repeated = node.use !== undefined && sorted.findIndex((other) => sameUse(other, node)) < i;
    if (name === undefined || repeated) return undefined;
    return names.take(isChain ? `layers[${i}]` : `node ${name}`, name);
  });
  const places = new Map<Node, number>([...inputs, ...sorted].map((node, place) => [node, place]));
  const nodes: PlacedNode[] = [];
  for (const [index, node] of sorted.entries()) {
    const owner = node.use === undefined ? index : sorted.findIndex((other) => sameUse(other, node));
    const name = own[index] ?? names.next(owner < index ? nodes[owner].name : node.spec.type);
    const label = isChain ? `layers[${index}]` : `node ${name}`;
    const operation = operationOf(node);
    const from = node.inputs.map((source) => places.get(source) as number);
    nodes.push({ name, label, spec: node.spec, operation, from, owner, node });
    if (owner < index && !sameParameters(nodes[owner].operation, operation))
      throw sharedError(name, nodes[owner], node);
  }
  return { nodes, places };
}

function sameUse(a: Node, b: Node): boolean {
  return a === b || (a.use !== undefined && a.use.layers === b.use?.layers && a.use.index === b.use.index);
}

function sameParameters(a: Operation, b: Operation): boolean {
  const shapes = ({ parameters, state }: Operation) => [...parameters, ...state].map(({ shape }) => shapeText(shape));
  return shapes(a).join() === shapes(b).join();
}
