import { checkArity, checkNumber, checkOptions, invalid } from './checks.js';

/** Adds l1 Σ|w| + (l2/2) Σ w² to the loss; applies to weights, not biases. */
export interface Regularizer {
  readonly l1: number;
  readonly l2: number;
}

function create(l1: number, l2: number): Regularizer {
  return Object.freeze({ l1: checkNumber('l1', l1, { min: 0 }), l2: checkNumber('l2', l2, { min: 0 }) });
}

/** λ Σ|w|; its gradient is λ sign(w), 0 at 0. */
export function l1(lambda: number): Regularizer {
  checkArity('l1', arguments, 1);
  return create(lambda, 0);
}

/** (λ/2) Σ w²; its gradient is λ w. */
export function l2(lambda: number): Regularizer {
  checkArity('l2', arguments, 1);
  return create(0, lambda);
}

/** Both an L1 and an L2 penalty. */
export function l1l2(options: { l1: number; l2: number }): Regularizer {
  checkArity('l1l2', arguments, 1);
  const { l1 = 0, l2 = 0 } = checkOptions('l1l2', options, ['l1', 'l2']);
  return create(l1, l2);
}

export function resolveRegularizer(name: string, value: Regularizer | undefined): Regularizer | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null || typeof value.l1 !== 'number' || typeof value.l2 !== 'number') {
    throw invalid(name, 'a regularizer such as l2(1e-4)', value);
  }
  return create(value.l1, value.l2);
}
