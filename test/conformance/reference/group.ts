import type { Results, Vector } from '../types.js';

export type AllReduceArguments = {
  values: Vector | null;
  totals: Vector | null;
  n: number;
  m: number;
  last: number;
};

export function allReduce({ values, totals }: AllReduceArguments): Results {
  return { ...(values && { values }), ...(totals && { totals }) };
}

export type WeightedArguments = { values: Vector; n: number; weight: number };

export function averageRanks({ values, weight }: WeightedArguments): Results {
  return { values: Float64Array.from(values, (value) => value * weight) };
}

export function unchanged({ values }: { values: Vector }): Results {
  return { values };
}
