import { checkArity } from '../checks.js';

/**
 * What `code` arguments select, by list: a code is an index into its list. C++ gets the lists through
 * native/kernels/signatures.inc, as enumerations.
 */
export const codes = {
  /**
   * Activations that a kernel can apply to its result. The gradients of all can be computed from the output.
   */
  activation: [
    'identity',
    'relu',
    'leakyRelu',
    'elu',
    'selu',
    'sigmoid',
    'tanh',
    'softplus',
    'relu6',
    'hardSigmoid',
    'softsign',
  ],
  /** What the operands of a product are rounded to before it. */
  precision: ['float32', 'bfloat16'],
  /** Of two numbers. */
  binary: ['add', 'subtract', 'multiply', 'divide', 'maximum', 'minimum'],
  /** Of one number; `power`, `clip` and `scale` have settings. */
  unary: ['exp', 'log', 'sqrt', 'square', 'abs', 'power', 'clip', 'scale'],
  /** Of the numbers along an axis. */
  reduction: ['sum', 'mean', 'max', 'logSumExp'],
} as const;

export type CodeList = keyof typeof codes;
export type Precision = (typeof codes.precision)[number];
export type BinaryOperation = (typeof codes.binary)[number];
export type UnaryOperation = (typeof codes.unary)[number];
export type Reduction = (typeof codes.reduction)[number];

/** The code of an operation. */
export function codeOf<L extends CodeList>(list: L, name: (typeof codes)[L][number]): number {
  checkArity('codeOf', arguments, 2);
  return (codes[list] as readonly string[]).indexOf(name);
}
