import type { ElementType, KernelName, ParameterName, signatures } from './signatures.js';

/** One sample's shape; images are [height, width, channels]. */
export type Shape = readonly number[];

export function elements(shape: Shape): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/**
 * Where a tensor lives. `parameter`, `gradient` and `state` belong to the network, `moment` to the optimizer,
 * `work` to the program (placed by the arena), `metric` is the block of totals that an executor reads after each
 * step, `feed` is storage that each run brings along.
 */
export type Storage = 'parameter' | 'gradient' | 'state' | 'moment' | 'work' | 'metric' | 'feed';

/** What a run brings: the dataset's columns, the order of its rows, and where results go. */
export const feeds = ['features', 'labels', 'targets', 'order', 'output', 'inputGradient'] as const;
export type Feed = (typeof feeds)[number];

/** A buffer of a program: `perRow` elements for each row of the batch, or `fixed` elements. */
export interface Tensor {
  readonly name: string;
  readonly storage: Storage;
  readonly type: ElementType;
  readonly perRow: number;
  readonly fixed: number;
  /** Elements from the start of its storage; set by the arena for `work`. */
  offset: number;
  readonly feed?: Feed;
}

/** A tensor of `fixed` elements at a place that is known. */
export function fixedTensor(name: string, storage: Storage, fixed: number, offset: number, type: ElementType = 'f32'): Tensor {
  return { name, storage, type, perRow: 0, fixed, offset };
}

/** The block of totals: where each total of a step lies in it (float64 elements). */
export const metrics = { meanLoss: 0, hitCount: 1, penalty: 2, squares: 3, length: 8 } as const;

/** A value that is known only when a step runs. */
export type Symbolic =
  /** The number of rows in the batch, times a constant. */
  | { readonly symbol: 'rows'; readonly times: number }
  /** Rows of the dataset that is bound to the run. */
  | { readonly symbol: 'sourceRows' }
  /** Scale and offset of the dataset's features. */
  | { readonly symbol: 'scale' | 'offset' }
  /** Entry `slot` of the step's row of optimizer scalars. */
  | { readonly symbol: 'scalar'; readonly slot: number }
  /** Training steps the network has made, as the counter of its random masks. */
  | { readonly symbol: 'step' };

export type Value = number | Symbolic;
export type Argument = Tensor | Value | null;

export function rows(times = 1): Symbolic {
  return { symbol: 'rows', times };
}

export function isTensor(argument: Argument): argument is Tensor {
  return typeof argument === 'object' && argument !== null && 'storage' in argument;
}

/** The value of a size for batches of `capacity` rows; undefined where only a run tells it. */
export function sizeOf(argument: Argument, capacity: number): number | undefined {
  if (typeof argument === 'number') return argument;
  if (argument !== null && !isTensor(argument) && argument.symbol === 'rows') return argument.times * capacity;
  return undefined;
}

/** One kernel call. */
export interface Instruction {
  kernel: KernelName;
  arguments: Argument[];
  /** All threads meet before this instruction starts. Set by the scheduler. */
  barrier: boolean;
  /**
   * The step ends behind this instruction, changing nothing more, when the batch's mean loss is not finite. It has no axis and
   * a barrier before it: one thread runs it, and looks, while the others wait.
   */
  guard: boolean;
  /** Units in the runs of which shares of a constant axis consist, where it is not the kernel's own. */
  grain?: number;
  /** Nothing since the last barrier has to do with this instruction: a thread may begin here. Set by the scheduler. */
  turn?: boolean;
}

type BufferName<K extends KernelName> = Extract<
  (typeof signatures)[K]['parameters'][number],
  { length: readonly string[] }
>['name'];
/** Arguments of kernel K by name: tensors for buffers, values for the rest. */
export type NamedArguments<K extends KernelName> = {
  readonly [N in ParameterName<K>]: N extends BufferName<K> ? Tensor | null : Value;
};

/** What a layer, loss or optimizer uses to write its part of a program. */
export interface Builder {
  emit<K extends KernelName>(kernel: K, named: NamedArguments<K>): void;
  /** A new work tensor with `perRow` elements a row. */
  perRow(name: string, perRow: number, type?: ElementType): Tensor;
  /** A new work tensor with `fixed` elements. */
  fixed(name: string, fixed: number, type?: ElementType): Tensor;
  parameter(name: string): Tensor;
  gradient(name: string): Tensor;
  state(name: string): Tensor;
  /** Number of the layer that is being written: the stream of its random numbers. */
  readonly layerIndex: number;
  readonly seed: number;
}

/** Whether a forward pass trains (batch statistics, dropout) or infers. */
export type Mode = 'training' | 'inference';

/** A layer's forward pass in a program, with the writer of its backward pass. */
export interface Pass {
  readonly y: Tensor;
  /** Writes the backward pass for output gradient `dy` (which it may overwrite); returns the input's gradient if asked. */
  backward(dy: Tensor, needInputGradient: boolean): Tensor | undefined;
}
