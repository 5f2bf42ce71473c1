import { checkNumber, checkOptions } from './checks.js';
import { type Builder, rows, type Tensor } from './program/instructions.js';

/** What the targets are: class indices, or a row of values for each sample. */
export type TargetKind = 'labels' | 'targets';

export interface LossTensors {
  /** One value a row. */
  readonly loss: Tensor;
  /** Gradient of the batch's mean loss, or null when only the value is wanted. */
  readonly dprediction: Tensor | null;
  readonly prediction: Tensor;
  /** Labels (i32) or targets (f32), as the target kind says. */
  readonly target: Tensor;
  readonly outputs: number;
}

/** A loss: the mean over the batch of one value a row. */
export interface Loss {
  readonly kind: string;
  /** The resolved options, where it has any: what a saved network tells of them. */
  readonly options?: Readonly<Record<string, number>>;
  /** Target kinds that it takes, the preferred one first. */
  readonly targets: readonly TargetKind[];
  /** Writes the kernel that computes the loss and, fused with it, its gradient. */
  write(builder: Builder, kind: TargetKind, tensors: LossTensors): void;
  /** Writes the kernel that counts right predictions; absent where accuracy has no meaning. */
  writeHits?(builder: Builder, kind: TargetKind, hits: Tensor, prediction: Tensor, target: Tensor, outputs: number): void;
  /** Writes the link from raw outputs to what `predict` returns; absent for the identity. */
  writeLink?(builder: Builder, y: Tensor, x: Tensor, outputs: number): void;
}

/**
 * Softmax and cross-entropy in one, from logits, by log-sum-exp. Targets: class indices, or rows of probabilities
 * (one-hot included). `labelSmoothing` s (0 ≤ s < 1, default 0) mixes the target with the uniform distribution: (1 − s) t + s / classes.
 * `predict` returns probabilities.
 */
export function softmaxCrossEntropy(options?: { labelSmoothing?: number }): Loss {
  const { labelSmoothing = 0 } = checkOptions('softmaxCrossEntropy', options, ['labelSmoothing']);
  const smoothing = checkNumber('softmaxCrossEntropy: labelSmoothing', labelSmoothing, { min: 0, below: 1 });
  return {
    kind: 'softmaxCrossEntropy',
    options: { labelSmoothing: smoothing },
    targets: ['labels', 'targets'],
    write(builder, kind, { loss, dprediction, prediction, target, outputs }) {
      const common = { loss, dprediction, logits: prediction, rows: rows(), classes: outputs, smoothing };
      if (kind === 'labels') builder.emit('softmaxCrossEntropy', { ...common, labels: target });
      else builder.emit('softmaxCrossEntropyProbabilities', { ...common, target });
    },
    writeHits(builder, kind, hits, x, target, classes) {
      if (kind === 'labels') builder.emit('accuracyLabels', { hits, x, labels: target, rows: rows(), classes });
      else builder.emit('accuracyProbabilities', { hits, x, target, rows: rows(), classes });
    },
    writeLink: (builder, y, x, cols) => builder.emit('softmax', { y, x, rows: rows(), cols }),
  };
}

/**
 * Sigmoid and binary cross-entropy in one, from logits, mean over the outputs. Targets: values in [0, 1], or labels 0/1
 * for a single output. `predict` returns probabilities.
 */
export function binaryCrossEntropy(): Loss {
  return {
    kind: 'binaryCrossEntropy',
    targets: ['targets'],
    write: (builder, _, tensors) => builder.emit('binaryCrossEntropy', { ...tensors, rows: rows() }),
    writeHits: (builder, _, hits, logits, target, outputs) =>
      builder.emit('accuracyBinary', { hits, logits, target, rows: rows(), outputs }),
    writeLink: (builder, y, x, outputs) => builder.emit('sigmoid', { y, x, n: rows(outputs) }),
  };
}

function squared(kind: string, factor: (outputs: number) => number): Loss {
  return {
    kind,
    targets: ['targets'],
    write: (builder, _, tensors) => builder.emit('squaredError', { ...tensors, rows: rows(), factor: factor(tensors.outputs) }),
  };
}

/** Mean over the outputs of (y − t)². */
export const meanSquaredError = (): Loss => squared('meanSquaredError', (outputs) => 1 / outputs);
/** Half the squared error summed over the outputs: ½ Σ (y − t)². */
export const halfSquaredError = (): Loss => squared('halfSquaredError', () => 0.5);

/** Mean over the outputs of |y − t|; gradient 0 at 0. */
export function meanAbsoluteError(): Loss {
  return {
    kind: 'meanAbsoluteError',
    targets: ['targets'],
    write: (builder, _, tensors) => builder.emit('absoluteError', { ...tensors, rows: rows() }),
  };
}

/** Quadratic up to |y − t| = delta (default 1), linear beyond (Huber 1964); mean over the outputs. */
export function huber(options?: { delta?: number }): Loss {
  const { delta = 1 } = checkOptions('huber', options, ['delta']);
  checkNumber('huber: delta', delta, { above: 0 });
  return {
    kind: 'huber',
    options: { delta },
    targets: ['targets'],
    write: (builder, _, tensors) => builder.emit('huber', { ...tensors, rows: rows(), delta }),
  };
}

const losses = new Map<string, (options?: never) => Loss>(
  Object.entries({
    softmaxCrossEntropy,
    binaryCrossEntropy,
    meanSquaredError,
    halfSquaredError,
    meanAbsoluteError,
    huber,
  }),
);

/** The library's loss of a kind, with its options checked; undefined for a kind that is not the library's. */
export function readLoss(kind: string, options: object | undefined): Loss | undefined {
  return losses.get(kind)?.(options as never);
}
