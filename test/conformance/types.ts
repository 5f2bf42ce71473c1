import type { KernelName } from '../../lib/kernels/table.js';

/** What the suite needs of a backend; `native` and `typescript` of blasnet/kernels have this shape. */
export interface Backend {
  readonly name: string;
  readonly kernels: Readonly<Record<KernelName, (...args: never[]) => void>>;
}

/** Numbers in order; the suite copies them into a typed array of the parameter's type. */
export type Vector = ArrayLike<number>;
export type Value = Vector | number | boolean | null;

/**
 * Arguments of one call by name. Pure outputs are omitted (the suite allocates them), except that `null` for an
 * optional one asks for a call without it. An `inout` buffer stands here with what it holds before the call.
 */
export type Arguments = Readonly<Record<string, Value>>;

/** What the reference computes, by name of the output. */
export type Results = Readonly<Record<string, Vector>>;

export interface Sample<A = Arguments> {
  /** What is special about this sample; shown in failures. */
  readonly note?: string;
  readonly arguments: A;
  /** Outputs worked out by hand; compared besides those of the reference. */
  readonly expected?: Results;
  /** Factor on the kernel's tolerance; `note` says why it is needed. */
  readonly slack?: number;
}

/** A point at which a kernel's gradient is compared with finite differences of a scalar function. */
export interface GradientCase<A = Arguments> {
  readonly note: string;
  /** Where the function is differentiated. */
  readonly variables: Readonly<Record<string, Float64Array>>;
  /** The scalar function, in double precision, built on a reference forward function. */
  readonly value: (variables: Readonly<Record<string, Float64Array>>) => number;
  /** What the backward kernel gets there. */
  readonly arguments: A;
  /** Output of the backward kernel → the variable that it differentiates by. */
  readonly gradients: Readonly<Record<string, string>>;
}

export interface KernelCases<A = Arguments> {
  readonly samples: readonly Sample<A>[];
  /** Written from docs/numerics.md in plain double-precision loops; it never sees a kernel. */
  readonly reference: (a: A) => Results;
  readonly gradients?: readonly GradientCase<A>[];
}

/** Checks samples, gradients and reference against one argument type, then forgets it. */
export function defineCases<A extends { readonly [K in keyof A]: Value | undefined }>(
  cases: KernelCases<A>,
): KernelCases {
  return cases as unknown as KernelCases;
}

export type CaseTable = Readonly<Partial<Record<KernelName, KernelCases>>>;
