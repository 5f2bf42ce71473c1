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
