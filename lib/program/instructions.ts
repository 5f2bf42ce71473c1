import { checkArity } from '../checks.js';
import type { ElementType } from '../kernels/signature.js';
import { type KernelName, type ParameterName, signatureOf, type signatures } from '../kernels/table.js';
import { product } from '../numbers.js';

/** One sample's shape; images are [height, width, channels]. */
export type Shape = readonly number[];

/** The number of elements of a shape. */
export function elements(shape: Shape): number {
  checkArity('elements', arguments, 1);
  return product(shape);
}

/**
 * Where a tensor lives. `parameter`, `gradient` and `state` belong to the network, `moment` to the optimizer and `work`
 * to the program (placed by the arena). `metric` is the block of totals that the executor reads after each step.
 * `accumulated` is as long as `gradient` and has the mean of gradients over several batches. `feed` is storage that
 * each run supplies.
 */
export type Storage = 'parameter' | 'gradient' | 'state' | 'moment' | 'work' | 'metric' | 'accumulated' | 'feed';

/**
 * How a program uses a feed. `batch`: each batch reads its rows in place. `source`: kernels gather rows from the whole
 * dataset. `output`: each batch writes its rows. `order`: the row order, drawn by the executor. `entries`: a list of
 * any length, of which kernels read what belongs to their rows.
 */
export const feedRoles = ['batch', 'source', 'output', 'order', 'entries'] as const;

/** An entry in a program's feed table: dataset columns and result buffers. */
export interface FeedEntry {
  readonly name: string;
  readonly role: (typeof feedRoles)[number];
  readonly type: ElementType;
  /** Elements of each row; 1 for `entries`, which are not of rows. */
  readonly perRow: number;
}

/** A buffer of a program: `perRow` elements per batch row, or `fixed` elements. */
export interface Tensor {
  readonly name: string;
  readonly storage: Storage;
  readonly type: ElementType;
  readonly perRow: number;
  readonly fixed: number;
  /** Offset in elements from the start of its storage; set by the arena for `work`. */
  offset: number;
  readonly feed?: FeedEntry;
}

/** Creates a tensor, by default float32, empty and unplaced. All tensors are created here. */
export function tensor(name: string, storage: Storage, given: Partial<Omit<Tensor, 'name' | 'storage'>>): Tensor {
  return { name, storage, type: 'f32', perRow: 0, fixed: 0, offset: storage === 'feed' ? 0 : -1, ...given };
}

/** A value known only when a step runs. */
export type Symbolic =
  /** Rows of the batch times a constant. */
  | { readonly symbol: 'rows'; readonly times: number }
  /** Rows of the run's dataset. */
  | { readonly symbol: 'sourceRows' }
  /** The feed's values stand for value * scale + offset. */
  | { readonly symbol: 'scale' | 'offset'; readonly feed: FeedEntry }
  /** Elements of a feed of the role `entries`. */
  | { readonly symbol: 'length'; readonly feed: FeedEntry }
  /** Entry `slot` of the step's optimizer scalars. */
  | { readonly symbol: 'scalar'; readonly slot: number }
  /** The network's training step count, the counter of its random masks. */
  | { readonly symbol: 'step' }
  /** This rank's rows of the batch, as a fraction of the rows of all ranks: 1 without a group. */
  | { readonly symbol: 'share' };

/** A number among the arguments of an instruction: known when the program is compiled, or only in a run. */
export type Value = number | Symbolic;
export type Argument = Tensor | Value | null;

/** `times` the batch's number of rows, which is known only in a run. */
export function rows(times = 1): Symbolic {
  checkArity('rows', arguments, 1);
  return { symbol: 'rows', times };
}

export function isTensor(argument: Argument): argument is Tensor {
  return typeof argument === 'object' && argument !== null && 'storage' in argument;
}

/** The value of a size for batches of `capacity` rows; undefined if it is known only at run time. */
export function sizeOf(argument: Argument, capacity: number): number | undefined {
  if (typeof argument === 'number') return argument;
  if (argument !== null && !isTensor(argument) && argument.symbol === 'rows') return argument.times * capacity;
  return undefined;
}

/** One kernel call. */
export interface Instruction {
  kernel: KernelName;
  arguments: Argument[];
  /** All threads wait at a barrier before this instruction. Set by the scheduler. */
  barrier: boolean;
  /**
   * Ends the step after this instruction, without further changes, if the batch's mean loss is not finite. Guards are
   * serial: one thread runs and checks them while the others wait.
   */
  guard: boolean;
  /** Omitted in steps in which the scalar {@link Program.condition} is 0. Never a guard. */
  conditional?: boolean;
  /** The axis along which threads split the work, if not the kernel's first. */
  axis?: string;
  /** Shares of a constant axis are multiples of this many units, if not the kernel's default. */
  grain?: number;
  /**
   * One thread runs this instruction, which has no axis, while the others wait at the preceding barrier. Only serial
   * instructions may lie between the barrier and this one. Set by the scheduler.
   */
  serial?: boolean;
  /**
   * The rows of this rank are a share of those of all ranks, as are a thread's: the kernel gets the number of all rows
   * and the range of its own. Only where the axis is the rows of the batch and the first dimension of every buffer that
   * has it, or where there is no axis and no buffer has rows. A buffer that threads read whole has the rows of all.
   */
  overRanks?: boolean;
  /** A rank that has no rows of a batch skips it. */
  ownRows?: boolean;
  /** Works on the whole batch, of which each rank has the data. */
  allRows?: boolean;
  /** Elementwise work on float32 buffers; each rank does its share. */
  ownShare?: boolean;
}

/** The axis along which threads split an instruction; undefined if one thread runs all of it. */
export function axisOf({ kernel, axis }: Instruction): string | undefined {
  return axis ?? signatureOf(kernel).axes[0];
}

type BufferName<K extends KernelName> = Extract<
  (typeof signatures)[K]['parameters'][number],
  { length: readonly string[] }
>['name'];
/**
 * Arguments of kernel K by name: tensors for buffers, values for the others. The precision of products is the
 * network's.
 */
export type NamedArguments<K extends KernelName> = {
  readonly [N in Exclude<ParameterName<K>, 'precision'>]: N extends BufferName<K> ? Tensor | null : Value;
};

/** What a layer, loss or optimizer uses to write its part of a program. */
export interface Builder {
  emit<K extends KernelName>(kernel: K, named: NamedArguments<K>): void;
  /** A new work tensor with `perRow` elements per row. */
  perRow(name: string, perRow: number, type?: ElementType): Tensor;
  /** A new work tensor with `fixed` elements. */
  fixed(name: string, fixed: number, type?: ElementType): Tensor;
  /**
   * Where a backward pass may write an input's gradient of dy's size: dy itself if nothing else needs it, otherwise a
   * new work tensor.
   */
  reuse(dy: Tensor): Tensor;
  /** The named total in the metric block, created on first use. */
  total(name: string): Tensor;
  parameter(name: string): Tensor;
  gradient(name: string): Tensor;
  state(name: string): Tensor;
  /**
   * Writes the forward pass of a graph without parameters on the tensors `xs`; returns its output and the function that
   * writes its backward pass.
   */
  graph(graph: Graph, xs: readonly Tensor[], mode: Mode): MergePass;
  /** Index of the layer being written, which selects its random stream. */
  readonly layerIndex: number;
  /** What the program's optimizer freezes of this layer. */
  readonly frozen: Frozen;
  readonly seed: number;
}

/**
 * What is frozen: nothing (false), parameters and running statistics (true), or those with the running statistics used
 * instead of the batch's ('evaluation').
 */
export type Frozen = boolean | 'evaluation';

/** Whether a forward pass trains (batch statistics, dropout) or infers. */
export type Mode = 'training' | 'inference';

/** A layer's forward pass in a program, with a function that writes its backward pass. */
export interface Pass {
  readonly y: Tensor;
  /**
   * Writes the backward pass for output gradient `dy`; returns the input's gradient if requested, which may be `dy`
   * itself. It writes to `dy` only if `builder.reuse(dy)` returned it.
   */
  backward(dy: Tensor, needInputGradient: boolean): Tensor | undefined;
}

/** A forward pass of an operation on several inputs, with a function that writes its backward pass. */
export interface MergePass {
  readonly y: Tensor;
  /**
   * Writes the backward pass for the output gradient `dy`; returns the gradient of each wanted input, which may be `dy`
   * (also for several inputs). Writes to `dy` only where `builder.reuse(dy)` returns it.
   */
  backward(dy: Tensor, wanted: readonly boolean[]): readonly (Tensor | undefined)[];
}

/** What a graph's node does. */
export interface Step {
  forward(builder: Builder, xs: readonly Tensor[], mode: Mode): MergePass;
}

/** A node of a graph; `from` are the places of its inputs. */
export interface GraphNode {
  readonly name: string;
  readonly operation: Step;
  readonly from: readonly number[];
}

/**
 * Nodes in an order in which each follows its inputs. A place is an index among the graph's inputs followed by its
 * nodes.
 */
export interface Graph {
  readonly inputs: readonly { readonly shape: Shape }[];
  readonly nodes: readonly GraphNode[];
  /** Place of the output. */
  readonly output: number;
}
