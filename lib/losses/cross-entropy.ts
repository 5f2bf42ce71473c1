import { checkArity, checkBoolean, checkChoice, checkNumber, checkOptions, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { add, clip, exp, log, logSumExp, mean, multiply, power, scale, subtract, sum } from '../graph/functions.js';
import type { Node } from '../graph/node.js';
import { softplus } from '../layers/activation.js';
import { rows } from '../program/instructions.js';
import { graphLoss } from './custom.js';
import { freeze, type Loss, registerLoss } from './loss.js';

/** Options of the cross-entropies. */
export interface CrossEntropyOptions {
  /**
   * Whether the network's outputs are logits. Default true: the last layer gives any numbers, and the loss applies the
   * sigmoid or softmax. False: the last layer is `sigmoid()` or `softmax()`. The result is the same, as the loss is
   * then computed from that layer's inputs.
   */
  fromLogits?: boolean;
}

/** Options of {@link softmaxCrossEntropy}. */
export interface SoftmaxCrossEntropyOptions extends CrossEntropyOptions {
  /**
   * Label smoothing s: mixes the target with the uniform distribution, (1 − s) t + s / classes; 0 ≤ s < 1. Default 0.
   */
  labelSmoothing?: number;
}

/** The smallest normal float32. */
const SMALLEST = 2 ** -126;

/** Tolerance for the sum of a probability row. */
const SUM_TOLERANCE = 1e-3;

/** Whether all finite numbers lie in [0, 1]. */
function checkUnit(name: string, targets: Float32Array, outputs: number): void {
  for (let i = 0; i < targets.length; i++) {
    if (targets[i] >= 0 && targets[i] <= 1) continue;
    if (!Number.isFinite(targets[i])) continue;
    throw invalid(`${name}: row ${Math.floor(i / outputs)}, output ${i % outputs}`, 'a target from 0 to 1', targets[i]);
  }
}

function checkDistributions(name: string, targets: Float32Array, outputs: number): void {
  checkUnit(name, targets, outputs);
  for (let begin = 0; begin < targets.length; begin += outputs) {
    let sum = 0;
    for (let i = begin; i < begin + outputs; i++) sum += targets[i];
    if (Math.abs(sum - 1) > SUM_TOLERANCE && Number.isFinite(sum)) {
      const text = `probabilities whose sum is 1, to ${SUM_TOLERANCE}`;
      throw new BlasnetError(
        'INVALID_ARGUMENT',
        `${name}: row ${begin / outputs}: expected ${text}, got a sum of ${sum}`,
      );
    }
  }
}

/** What losses on the logits of a sigmoid share. */
const sigmoidTraits = {
  activation: 'sigmoid',
  checkTargets: checkUnit,
  targets: ['targets'],
  writeHits: (builder, _, hits, logits, target, outputs) =>
    builder.emit('accuracyBinary', { hits, logits, target, rows: rows(), outputs }),
  writeLink: (builder, y, x, outputs) => builder.emit('sigmoid', { y, x, n: rows(outputs) }),
} as const satisfies Partial<Loss>;

/** What losses on the logits of a softmax share. */
const softmaxTraits = {
  activation: 'softmax',
  checkTargets: checkDistributions,
  targets: ['labels', 'targets'],
  writeHits(builder, kind, hits, x, target, classes) {
    if (kind === 'labels') builder.emit('accuracyLabels', { hits, x, labels: target, rows: rows(), classes });
    else builder.emit('accuracyProbabilities', { hits, x, target, rows: rows(), classes });
  },
  writeLink: (builder, y, x, cols) => builder.emit('softmax', { y, x, rows: rows(), cols }),
} as const satisfies Partial<Loss>;

/**
 * Softmax and cross-entropy combined, from logits, by log-sum-exp. Targets: class indices, or rows of probabilities
 * (including one-hot) that sum to 1 within 1e-3. `predict` returns probabilities.
 */
export function softmaxCrossEntropy(options?: SoftmaxCrossEntropyOptions): Loss {
  checkArity('softmaxCrossEntropy', arguments, 1);
  const known = ['labelSmoothing', 'fromLogits'] as const;
  const { labelSmoothing = 0, fromLogits = true } = checkOptions('softmaxCrossEntropy', options, known);
  const smoothing = checkNumber('softmaxCrossEntropy: labelSmoothing', labelSmoothing, { min: 0, below: 1 });
  return freeze({
    kind: 'softmaxCrossEntropy',
    options: { labelSmoothing: smoothing },
    ...softmaxTraits,
    fromLogits: checkBoolean('softmaxCrossEntropy: fromLogits', fromLogits),
    write(builder, kind, { loss, dprediction, prediction, target, outputs }) {
      const common = { loss, dprediction, logits: prediction, rows: rows(), classes: outputs, smoothing };
      if (kind === 'labels') builder.emit('softmaxCrossEntropy', { ...common, labels: target });
      else builder.emit('softmaxCrossEntropyProbabilities', { ...common, target });
    },
  });
}

registerLoss('softmaxCrossEntropy', softmaxCrossEntropy);

/** Options of {@link binaryCrossEntropy}. */
export interface BinaryCrossEntropyOptions extends CrossEntropyOptions {
  /**
   * Weight p of the positive part, p · t · −log y; > 0, default 1. For rare positives about their ratio of negatives to
   * positives. The means still divide by the number of rows and outputs.
   */
  positiveWeight?: number;
  /** Label smoothing s: the target becomes (1 − s) t + s / 2; 0 ≤ s < 1. Default 0. */
  labelSmoothing?: number;
}

/** log σ(x) = −log(1 + e⁻ˣ), without overflow. */
const logSigmoid = (x: Node) => scale(scale(x, -1).pipe(softplus()), -1);
/** x − log Σ eˣ over the classes. */
const logSoftmaxOf = (x: Node) => subtract(x, logSumExp(x, { keepDimension: true }));

/**
 * Sigmoid and binary cross-entropy combined, from logits, mean over the outputs: −p t log y − (1 − t) log(1 − y) with
 * p = `positiveWeight`. Targets: values in [0, 1], or labels 0/1 for a single output. `predict` returns probabilities.
 */
export function binaryCrossEntropy(options?: BinaryCrossEntropyOptions): Loss {
  checkArity('binaryCrossEntropy', arguments, 1);
  const known = ['fromLogits', 'positiveWeight', 'labelSmoothing'] as const;
  const given = checkOptions('binaryCrossEntropy', options, known);
  const { fromLogits = true, positiveWeight = 1, labelSmoothing = 0 } = given;
  checkNumber('binaryCrossEntropy: positiveWeight', positiveWeight, { above: 0 });
  checkNumber('binaryCrossEntropy: labelSmoothing', labelSmoothing, { min: 0, below: 1 });
  const traits = {
    ...sigmoidTraits,
    kind: 'binaryCrossEntropy',
    fromLogits: checkBoolean('binaryCrossEntropy: fromLogits', fromLogits),
  } as const;
  if (positiveWeight === 1 && labelSmoothing === 0) {
    return freeze({
      ...traits,
      write: (builder, _, { loss, dprediction, prediction, target, outputs }) =>
        builder.emit('binaryCrossEntropy', { loss, dprediction, prediction, target, rows: rows(), outputs }),
    });
  }
  return graphLoss({ ...traits, options: { positiveWeight, labelSmoothing } }, (x, target) => {
    const t = scale(target, 1 - labelSmoothing, labelSmoothing / 2);
    const positive = multiply(t, logSigmoid(x));
    const negative = multiply(subtract(1, t), logSigmoid(scale(x, -1)));
    return scale(mean(add(scale(positive, positiveWeight), negative)), -1);
  });
}

registerLoss('binaryCrossEntropy', binaryCrossEntropy);

/** Options of {@link focalLoss}. */
export interface FocalLossOptions extends CrossEntropyOptions {
  /** How strongly rows that are already right count less: the exponent γ; 0 or at least 1, default 2. */
  gamma?: number;
  /** 'softmax' (default): one class a row. 'sigmoid': each output is a yes or no of its own, or a single one. */
  activation?: 'softmax' | 'sigmoid';
  /** With 'sigmoid': weight α of positives, 1 − α of negatives; 0 < α < 1. Default: none. */
  alpha?: number;
}

/**
 * Focal loss (Lin et al. 2017) from logits, −(1 − p)^γ log p with p the probability of what is true: summed over the
 * classes (softmax), or mean over the outputs (sigmoid). `predict` returns probabilities.
 */
export function focalLoss(options?: FocalLossOptions): Loss {
  checkArity('focalLoss', arguments, 1);
  const given = checkOptions('focalLoss', options, ['gamma', 'activation', 'alpha', 'fromLogits']);
  const { gamma = 2, activation = 'softmax', alpha, fromLogits = true } = given;
  checkNumber('focalLoss: gamma', gamma, { min: 0 });
  if (gamma > 0 && gamma < 1) throw invalid('focalLoss: gamma', '0 or at least 1', gamma);
  checkChoice('focalLoss: activation', activation, ['softmax', 'sigmoid']);
  const both = { kind: 'focalLoss', fromLogits: checkBoolean('focalLoss: fromLogits', fromLogits) };
  /** (1 − p)^γ log p. */
  const part = (logP: Node) => (gamma === 0 ? logP : multiply(power(subtract(1, exp(logP)), gamma), logP));
  if (activation === 'softmax') {
    if (alpha !== undefined) throw invalid('focalLoss: alpha', "none without activation 'sigmoid'", alpha);
    return graphLoss({ ...softmaxTraits, ...both, options: { gamma } }, (x, t) =>
      scale(sum(multiply(t, part(logSoftmaxOf(x)))), -1),
    );
  }
  if (alpha !== undefined) checkNumber('focalLoss: alpha', alpha, { above: 0, below: 1 });
  const saved = { gamma, activation, ...(alpha !== undefined && { alpha }) };
  return graphLoss({ ...sigmoidTraits, ...both, options: saved }, (x, t) => {
    const positive = scale(multiply(t, part(logSigmoid(x))), alpha ?? 1);
    const negative = scale(
      multiply(subtract(1, t), part(logSigmoid(scale(x, -1)))),
      alpha === undefined ? 1 : 1 - alpha,
    );
    return scale(mean(add(positive, negative)), -1);
  });
}

registerLoss('focalLoss', focalLoss);

/**
 * Kullback–Leibler divergence Σ t log(t / y) of the targets from y, the softmax of the outputs. Targets: rows of
 * probabilities that sum to 1 within 1e-3, or labels. `predict` returns probabilities.
 */
export function klDivergence(options?: CrossEntropyOptions): Loss {
  checkArity('klDivergence', arguments, 1);
  const { fromLogits = true } = checkOptions('klDivergence', options, ['fromLogits']);
  const traits = { kind: 'klDivergence', fromLogits: checkBoolean('klDivergence: fromLogits', fromLogits) };
  return graphLoss({ ...softmaxTraits, ...traits }, (x, t) => {
    // 0 log 0 is 0.
    const logTarget = log(clip(t, SMALLEST, 1));
    return sum(multiply(t, subtract(logTarget, logSoftmaxOf(x))));
  });
}

registerLoss('klDivergence', klDivergence);
