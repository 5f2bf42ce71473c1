import { codes } from '../../../lib/kernels/codes.js';
import type { Arguments, KernelCases, Vector } from '../types.js';

/** x rounded to eight significant bits, ties to even, by arithmetic alone. */
export function toBfloat16(x: number): number {
  if (x === 0 || !Number.isFinite(x)) return x;
  const unit = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(x))), -126) - 7);
  const [down, rest] = [Math.floor(x / unit), x / unit - Math.floor(x / unit)];
  const up = rest > 0.5 || (rest === 0.5 && down % 2 !== 0);
  const rounded = (up ? down + 1 : down) * unit;
  return Math.abs(rounded) > (2 - 2 ** -8) * 2 ** 127 ? Math.sign(rounded) * Number.POSITIVE_INFINITY : rounded;
}

/**
 * Each sample of a product with every precision: the reference gets the operands as they are rounded, but for the
 * outputs `exact`, which are no products.
 */
export function inAllPrecisions(
  { samples, reference, gradients }: KernelCases,
  operands: readonly string[],
  exact: readonly string[] = [],
): KernelCases {
  const round = (a: Arguments): Arguments => {
    if (codes.precision[a.precision as number] === 'float32') return a;
    return {
      ...a,
      ...Object.fromEntries(operands.map((name) => [name, Float64Array.from(a[name] as Vector, toBfloat16)])),
    };
  };
  const at = (precision: number) =>
    samples.map(({ expected, ...sample }) => ({
      ...sample,
      ...(precision === 0 && expected !== undefined && { expected }),
      arguments: { ...sample.arguments, precision },
    }));
  return {
    samples: codes.precision.flatMap((_, precision) => at(precision)),
    reference: (a) => {
      const results = reference(a);
      return { ...reference(round(a)), ...Object.fromEntries(exact.map((name) => [name, results[name]])) };
    },
    ...(gradients && {
      gradients: gradients.map((each) => ({ ...each, arguments: { ...each.arguments, precision: 0 } })),
    }),
  };
}
