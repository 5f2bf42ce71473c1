import { checkArity, checkNumber, checkOptions, invalid } from '../checks.js';
import {
  abs,
  add,
  divide,
  dot,
  exp,
  mean,
  multiply,
  reshape,
  scale,
  sqrt,
  square,
  subtract,
  sum,
} from '../graph/functions.js';
import type { Node } from '../graph/node.js';
import { codeOf } from '../kernels/codes.js';
import { relu, softplus } from '../layers/activation.js';
import { elements, rows } from '../program/instructions.js';
import { graphLoss } from './custom.js';
import { freeze, type Loss, registerLoss } from './loss.js';

function squared(kind: string, factor: (outputs: number) => number): Loss {
  return freeze({
    kind,
    targets: ['targets'],
    write: (builder, _, tensors) =>
      builder.emit('squaredError', { ...tensors, rows: rows(), factor: factor(tensors.outputs) }),
  });
}

/** Mean over the outputs of (y − t)². */
export function meanSquaredError(): Loss {
  checkArity('meanSquaredError', arguments, 0);
  return squared('meanSquaredError', (outputs) => 1 / outputs);
}

registerLoss('meanSquaredError', meanSquaredError);

/** Half the squared error summed over the outputs: ½ Σ (y − t)². */
export function halfSquaredError(): Loss {
  checkArity('halfSquaredError', arguments, 0);
  return squared('halfSquaredError', () => 0.5);
}

registerLoss('halfSquaredError', halfSquaredError);

/** Mean over the outputs of |y − t|; gradient 0 at 0. */
export function meanAbsoluteError(): Loss {
  checkArity('meanAbsoluteError', arguments, 0);
  return freeze({
    kind: 'meanAbsoluteError',
    targets: ['targets'],
    write: (builder, _, tensors) => builder.emit('absoluteError', { ...tensors, rows: rows() }),
  });
}

registerLoss('meanAbsoluteError', meanAbsoluteError);

/** Quadratic up to |y − t| = delta (default 1), linear beyond (Huber 1964); mean over the outputs. */
export function huber(options?: { delta?: number }): Loss {
  checkArity('huber', arguments, 1);
  const { delta = 1 } = checkOptions('huber', options, ['delta']);
  checkNumber('huber: delta', delta, { above: 0 });
  return freeze({
    kind: 'huber',
    options: { delta },
    targets: ['targets'],
    write: (builder, _, tensors) => builder.emit('huber', { ...tensors, rows: rows(), delta }),
  });
}

registerLoss('huber', huber);

/** Mean over the outputs of log cosh(y − t): nearly quadratic for small differences, linear for large ones. */
export function logCosh(): Loss {
  checkArity('logCosh', arguments, 0);
  return graphLoss({ kind: 'logCosh' }, (y, t) => {
    // log cosh d = |d| + log(1 + e^(−2|d|)) − log 2, without overflow.
    const distance = abs(subtract(y, t));
    return mean(add(distance, scale(scale(distance, -2).pipe(softplus()), 1, -Math.LN2)));
  });
}

registerLoss('logCosh', logCosh);

/** max(0, 1 − t y). */
const margin = (y: Node, t: Node) => subtract(1, multiply(t, y)).pipe(relu());

function checkSigns(name: string, targets: Float32Array, outputs: number): void {
  const at = targets.findIndex((target) => target !== 1 && target !== -1 && Number.isFinite(target));
  if (at >= 0)
    throw invalid(`${name}: row ${Math.floor(at / outputs)}, output ${at % outputs}`, '−1 or 1', targets[at]);
}

/** Mean over the outputs of max(0, 1 − t y), for targets −1 and 1. */
export function hinge(): Loss {
  checkArity('hinge', arguments, 0);
  return graphLoss({ kind: 'hinge', checkTargets: checkSigns }, (y, t) => mean(margin(y, t)));
}

registerLoss('hinge', hinge);

/** Mean over the outputs of max(0, 1 − t y)², for targets −1 and 1. */
export function squaredHinge(): Loss {
  checkArity('squaredHinge', arguments, 0);
  return graphLoss({ kind: 'squaredHinge', checkTargets: checkSigns }, (y, t) => mean(square(margin(y, t))));
}

registerLoss('squaredHinge', squaredHinge);

function checkCounts(name: string, targets: Float32Array, outputs: number): void {
  const at = targets.findIndex((target) => target < 0);
  if (at >= 0)
    throw invalid(
      `${name}: row ${Math.floor(at / outputs)}, output ${at % outputs}`,
      'a count of at least 0',
      targets[at],
    );
}

/**
 * Negative log-likelihood of counts by Poisson's distribution without its constant, mean over the outputs: eˣ − t x.
 * The network gives log rates x; `predict` returns the rates.
 */
export function poisson(): Loss {
  checkArity('poisson', arguments, 0);
  return graphLoss(
    {
      kind: 'poisson',
      checkTargets: checkCounts,
      writeLink: (builder, y, x, outputs) =>
        builder.emit('unary', { y, x, n: rows(outputs), operation: codeOf('unary', 'exp'), alpha: 0, beta: 0 }),
    },
    (x, t) => mean(subtract(exp(x), multiply(t, x))),
  );
}

registerLoss('poisson', poisson);

/** 1 − cos of the angle between prediction and target; a vector of length below 1e-6 counts as of that length. */
export function cosineSimilarity(): Loss {
  checkArity('cosineSimilarity', arguments, 0);
  return graphLoss({ kind: 'cosineSimilarity' }, (y, t) => {
    const size = elements(y.shape);
    const [a, b] = [y, t].map((node) => reshape(node, [size]));
    // A sum of squares that overflows stays infinite.
    const length = (node: Node) => sqrt(add(subtract(sum(square(node)), 1e-12).pipe(relu()), 1e-12));
    return subtract(1, divide(dot(a, b), multiply(length(a), length(b))));
  });
}

registerLoss('cosineSimilarity', cosineSimilarity);

/**
 * Quantile (pinball) loss, mean over the outputs: q (t − y) where t > y, (1 − q) (y − t) elsewhere. Minimised where y
 * is the quantile q of the targets; 0 < q < 1, default 0.5.
 */
export function quantile(options?: { q?: number }): Loss {
  checkArity('quantile', arguments, 1);
  const { q = 0.5 } = checkOptions('quantile', options, ['q']);
  checkNumber('quantile: q', q, { above: 0, below: 1 });
  return graphLoss({ kind: 'quantile', options: { q } }, (y, t) => {
    const over = subtract(t, y);
    return mean(add(scale(over.pipe(relu()), q), scale(scale(over, -1).pipe(relu()), 1 - q)));
  });
}

registerLoss('quantile', quantile);
