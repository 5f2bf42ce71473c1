import { Data, lengths } from '../data.js';
import {
  type AllReduceArguments,
  allReduce,
  averageRanks,
  unchanged,
  type WeightedArguments,
} from '../reference/group.js';
import { type CaseTable, defineCases, type Sample } from '../types.js';

/** As kernels, sums over the ranks are sums over a group of one. */
export const groupCases = {
  allReduce: defineCases<AllReduceArguments>({
    samples: [
      ...[...lengths, 37, 1009].map((n, i): Sample<AllReduceArguments> => {
        const data = new Data(i);
        const values = i % 3 === 1 ? null : data.normal(n);
        const totals = i % 3 === 2 ? null : data.normal(5);
        return { arguments: { values, totals, n, m: 5, last: i % 2 } };
      }),
      {
        note: 'NaN and infinity stay',
        arguments: { values: [Number.NaN, Infinity], totals: [Number.NaN], n: 2, m: 1, last: 1 },
        expected: { values: [Number.NaN, Infinity], totals: [Number.NaN] },
      },
    ],
    reference: allReduce,
  }),
  averageRanks: defineCases<WeightedArguments>({
    samples: [...lengths, 37, 1009].map((n, i): Sample<WeightedArguments> => {
      return { arguments: { values: new Data(i).normal(n), n, weight: [0.25, 1, 1 / 3][i % 3] } };
    }),
    reference: averageRanks,
  }),
  startSum: defineCases<Omit<WeightedArguments, 'weight'> & { shares: number }>({
    samples: [...lengths, 37].map((n, i) => ({ arguments: { values: new Data(i).normal(n), n, shares: i % 2 } })),
    reference: unchanged,
  }),
  gatherShares: defineCases<Omit<WeightedArguments, 'weight'>>({
    samples: [...lengths, 37].map((n, i) => ({ arguments: { values: new Data(i).normal(n), n } })),
    reference: unchanged,
  }),
} satisfies CaseTable;
