import { checkArity, checkNumber, invalid, isPlain } from '../checks.js';
import * as elementwise from '../layers/elementwise.js';
import type { LayerSpec } from '../layers/layer.js';
import * as layers from '../layers/merge.js';
import * as reduce from '../layers/reduce.js';
import * as shapes from '../layers/shape.js';
import { merge, Node } from './node.js';

/** Options of all nodes. */
export interface NodeName {
  /** Prefix of the node's name; default: its type with a number. */
  name?: string;
}

/** What arithmetic takes: a node, or one number for all elements. */
export type Operand = Node | number;

/** Splits arguments into operands and options, which come last. */
function split<O extends object>(given: readonly unknown[]): { operands: readonly unknown[]; options: O | undefined } {
  const last = given.at(-1);
  const options = isPlain(last) && !Array.isArray(last) ? (last as O) : undefined;
  return { operands: options === undefined ? given : given.slice(0, -1), options };
}

function named(node: Node, layer: (options: NodeName) => LayerSpec, options: NodeName | undefined): Node {
  return node.pipe(layer(options ?? {}));
}

/** The node of several nodes, of which `type` takes at least `least`. */
function combine(type: string, spec: (options?: NodeName) => LayerSpec, given: readonly unknown[], least = 2): Node {
  const { operands, options } = split<NodeName>(given);
  if (operands.length < least) throw invalid(type, `at least ${least} nodes`, operands);
  return merge(spec(options), operands);
}

/** a + b + …: of nodes whose shapes broadcast as in NumPy, or of a node and a number. Throws `SHAPE_MISMATCH`. */
export function add(...nodes: readonly [Operand, Operand, ...(Operand | NodeName)[]]): Node {
  const { operands, options } = split<NodeName>(nodes);
  const [a, b] = order(operands);
  if (operands.length === 2 && typeof b === 'number') return named(a, (o) => elementwise.scale(1, b, o), options);
  return combine('add', layers.addSpec, nodes);
}

/** a − b: of nodes whose shapes broadcast as in NumPy, or of a node and a number. Throws `SHAPE_MISMATCH`. */
export function subtract(a: Operand, b: Operand, options?: NodeName): Node {
  checkArity('subtract', arguments, 3);
  if (typeof b === 'number') return named(checked('subtract', a), (o) => elementwise.scale(1, -b, o), options);
  if (typeof a === 'number') return named(checked('subtract', b), (o) => elementwise.scale(-1, a, o), options);
  return merge(layers.subtractSpec(options), [a, b]);
}

/** a · b · …: of nodes whose shapes broadcast as in NumPy, or of a node and a number. Throws `SHAPE_MISMATCH`. */
export function multiply(...nodes: readonly [Operand, Operand, ...(Operand | NodeName)[]]): Node {
  const { operands, options } = split<NodeName>(nodes);
  const [a, b] = order(operands);
  if (operands.length === 2 && typeof b === 'number') return named(a, (o) => elementwise.scale(b, 0, o), options);
  return combine('multiply', layers.multiplySpec, nodes);
}

/** a / b: of nodes whose shapes broadcast as in NumPy, or of a node and a number. Throws `SHAPE_MISMATCH`. */
export function divide(a: Operand, b: Operand, options?: NodeName): Node {
  checkArity('divide', arguments, 3);
  if (typeof b === 'number') {
    checkNumber('divide: the divisor', b === 0 ? Number.NaN : b);
    return named(checked('divide', a), (o) => elementwise.scale(1 / b, 0, o), options);
  }
  if (typeof a === 'number') {
    return named(checked('divide', b).pipe(elementwise.power(-1)), (o) => elementwise.scale(a, 0, o), options);
  }
  return merge(layers.divideSpec(options), [a, b]);
}

/** The largest of the nodes' elements; equal ones share no gradient, the first has it. Broadcasts as `add` does. */
export function maximum(...nodes: readonly [Node, Node, ...(Node | NodeName)[]]): Node {
  return combine('maximum', layers.maximumSpec, nodes);
}

/** The smallest of the nodes' elements; equal ones share no gradient, the first has it. Broadcasts as `add` does. */
export function minimum(...nodes: readonly [Node, Node, ...(Node | NodeName)[]]): Node {
  return combine('minimum', layers.minimumSpec, nodes);
}

/** The mean of the nodes, element by element. Broadcasts as `add` does. */
export function average(...nodes: readonly [Node, Node, ...(Node | NodeName)[]]): Node {
  return combine('average', layers.averageSpec, nodes);
}

/**
 * The nodes one after the other along a dimension of the samples: `axis`, by default the last. Their other dimensions
 * must be equal.
 */
export function concat(...nodes: readonly [Node, Node, ...(Node | (NodeName & { axis?: number }))[]]): Node {
  return combine('concat', layers.concatSpec, nodes);
}

/** The product of the matrices in the last two dimensions of two nodes; their other dimensions must be equal. */
export function matmul(a: Node, b: Node, options?: layers.MatmulOptions): Node {
  checkArity('matmul', arguments, 3);
  return merge(layers.matmulSpec(options), [a, b]);
}

/** The scalar product of two nodes of one shape along the last dimension: [..., n] → [...], at least [1]. */
export function dot(a: Node, b: Node, options?: NodeName): Node {
  checkArity('dot', arguments, 3);
  return merge(layers.dotSpec(options), [a, b]);
}

/** Node and number of two operands, in this order if there is a number. */
function order([a, b]: readonly unknown[]): [Node, unknown] {
  return (typeof a === 'number' ? [b, a] : [a, b]) as [Node, unknown];
}

function checked(type: string, node: unknown): Node {
  if (!(node instanceof Node)) throw invalid(type, 'a node and a node or a number', node);
  return node;
}

/** A layer's function that also takes a node first, and then gives the node after the layer. */
interface OnNodes<A extends unknown[]> {
  (node: Node, ...args: A): Node;
  (...args: A): LayerSpec;
}

function onNodes<A extends unknown[]>(make: (...args: A) => LayerSpec): OnNodes<A> {
  const { name } = make;
  const apply = {
    [name](...args: unknown[]) {
      const [first, ...rest] = args;
      return first instanceof Node ? first.pipe(make(...(rest as A))) : make(...(args as A));
    },
  }[name];
  return apply as OnNodes<A>;
}

/** eˣ of each element; of a node, or as a layer. */
export const exp = onNodes(elementwise.exp);
/** Natural logarithm of each element: −∞ at 0, NaN below; of a node, or as a layer. */
export const log = onNodes(elementwise.log);
/** Square root of each element; of a node, or as a layer. */
export const sqrt = onNodes(elementwise.sqrt);
/** x² of each element; of a node, or as a layer. */
export const square = onNodes(elementwise.square);
/** |x| of each element, with the gradient 0 at 0; of a node, or as a layer. */
export const abs = onNodes(elementwise.abs);
/** x to a constant power; `power(node, exponent)`, or as a layer `power(exponent)`. */
export const power = onNodes(elementwise.power);
/** x limited to [min, max], with the gradient 0 outside; `clip(node, min, max)`, or as a layer `clip(min, max)`. */
export const clip = onNodes(elementwise.clip);
/** factor · x + offset; `scale(node, factor, offset?)`, or as a layer `scale(factor, offset?)`. */
export const scale = onNodes(elementwise.scale);
/** Sum over one dimension of a sample or all; `sum(node, { axis }?)`, or as a layer. */
export const sum = onNodes(reduce.sum);
/** Mean over one dimension of a sample or all; `mean(node, { axis }?)`, or as a layer. */
export const mean = onNodes(reduce.mean);
/** Largest element over one dimension of a sample or all; `max(node, { axis }?)`, or as a layer. */
export const max = onNodes(reduce.max);
/** log Σ eˣ over one dimension of a sample or all, without overflow; `logSumExp(node, { axis }?)`, or as a layer. */
export const logSumExp = onNodes(reduce.logSumExp);
/** The sample's elements in another shape; `reshape(node, shape)`, or as a layer `reshape(shape)`. */
export const reshape = onNodes(shapes.reshape);
/** The dimensions of a sample in another order; `permute(node, axes)`, or as a layer `permute(axes)`. */
export const permute = onNodes(shapes.permute);
/** A part of a sample; `slice(node, options)`, or as a layer `slice(options)`. */
export const slice = onNodes(shapes.slice);
/** A constant around a sample; `pad(node, margins)`, or as a layer `pad(margins)`. */
export const pad = onNodes(shapes.pad);
/** Each pixel repeated; `upsample2d(node, factor)`, or as a layer `upsample2d(factor)`. */
export const upsample2d = onNodes(shapes.upsample2d);
