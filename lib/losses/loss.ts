import { checkArity, invalid } from '../checks.js';
import type { Node } from '../graph/node.js';
import type { Builder, Shape, Tensor } from '../program/instructions.js';

/** Kind of targets: class indices, or a row of values per sample. */
export type TargetKind = 'labels' | 'targets';

/** The tensors that a loss's kernels read and write. */
export interface LossTensors {
  /** One value per row. */
  readonly loss: Tensor;
  /** Gradient of the batch's mean loss, or null if only the value is needed. */
  readonly dprediction: Tensor | null;
  readonly prediction: Tensor;
  /** Labels (i32) or targets (f32), depending on the target kind. */
  readonly target: Tensor;
  readonly outputs: number;
  /** Shape of the prediction for one sample. */
  readonly shape: Shape;
}

/** A loss as a graph: the nodes of its inputs, and of its value for each sample. */
export interface LossGraph {
  readonly prediction: Node;
  readonly target: Node;
  readonly value: Node;
}

/** A loss: the mean over the batch of one value per row. */
export interface Loss {
  readonly kind: string;
  /** The resolved options, if any; saved with the network. */
  readonly options?: Readonly<Record<string, number | boolean | string>>;
  /** The activation layer equivalent to the link. A network that ends with one would apply it twice and is rejected. */
  readonly activation?: 'sigmoid' | 'softmax';
  /**
   * False if the network must end with an `activation` layer, which is then computed as part of the loss. Default true.
   */
  readonly fromLogits?: boolean;
  /** Accepted target kinds, the preferred one first. */
  readonly targets: readonly TargetKind[];
  /** Emits the kernel that computes the loss and, fused with it, its gradient. */
  write(builder: Builder, kind: TargetKind, tensors: LossTensors): void;
  /** Emits the kernel that counts correct predictions; absent if the loss has no accuracy. */
  writeHits?(
    builder: Builder,
    kind: TargetKind,
    hits: Tensor,
    prediction: Tensor,
    target: Tensor,
    outputs: number,
  ): void;
  /** Emits the link from raw outputs to what `predict` returns; absent for the identity. */
  writeLink?(builder: Builder, y: Tensor, x: Tensor, outputs: number): void;
  /** Throws `SHAPE_MISMATCH` for predictions of a shape that the loss doesn't take. */
  checkShape?(shape: Shape): void;
  /** The graph of a user-defined loss for predictions of this shape, which files hold. */
  graph?(shape: Shape): LossGraph;
  /**
   * Throws `INVALID_ARGUMENT`, naming the row, for unsuitable targets. Non-finite numbers are reported during the run.
   */
  checkTargets?(name: string, targets: Float32Array, outputs: number): void;
}

/** Freezes a loss; `fromLogits` is included only if it is not the default. */
export function freeze(loss: Loss): Loss {
  checkArity('makeLoss', arguments, 1);
  const { fromLogits = true, options } = loss;
  const saved = fromLogits ? options : { ...options, fromLogits };
  return Object.freeze({ ...loss, ...(saved && { options: Object.freeze(saved) }) });
}

export function checkLoss(name: string, loss: unknown): Loss {
  if (typeof loss !== 'object' || loss === null || typeof (loss as Partial<Loss>).write !== 'function') {
    throw invalid(name, 'a loss such as softmaxCrossEntropy()', loss);
  }
  return loss as Loss;
}

const losses = new Map<string, (options: never) => Loss>();

/** Registers a loss for loading networks from files. `make` is the loss's public function, which checks its options. */
export function registerLoss(kind: string, make: (options: never) => Loss): void {
  losses.set(kind, make);
}

/** The library's loss of a kind, with checked options; undefined for a user-defined kind. */
export function readLoss(kind: string, options: object | undefined): Loss | undefined {
  return losses.get(kind)?.(options as never);
}

/** The kinds registered so far. */
export function lossKinds(): ReadonlySet<string> {
  return new Set(losses.keys());
}
