import { Data, lengths } from '../data.js';
import {
  type ClipNormArguments,
  type ClipValueArguments,
  clipNorm,
  clipValue,
  type SquareSumArguments,
  squareSum,
} from '../reference/clipping.js';
import { type CaseTable, defineCases } from '../types.js';

const NAN = Number.NaN;
const sizes = [...lengths, 1009, 20011];
const limits = [1, 0.1, 0.5, 3];

export const clippingCases = {
  clipValue: defineCases<ClipValueArguments>({
    samples: [
      ...sizes.map((n, i) => ({ arguments: { g: new Data(1500 + i).normal(n), n, limit: limits[i % limits.length] } })),
      {
        note: 'NaN, infinities and the limit itself',
        arguments: { g: [NAN, Infinity, -Infinity, 2, -2, 0, -0, 2.5], n: 8, limit: 2 },
        expected: { g: [NAN, 2, -2, 2, -2, 0, -0, 2] },
      },
    ],
    reference: clipValue,
  }),

  squareSum: defineCases<SquareSumArguments>({
    samples: [
      ...sizes.map((n, i) => ({ arguments: { carry: i % 3 === 0 ? null : [i], g: new Data(1530 + i).normal(n), n } })),
      { note: 'NaN', arguments: { carry: [1], g: [1, NAN, 3], n: 3 }, expected: { total: [NAN] } },
      { note: 'squares beyond float32', arguments: { carry: null, g: [1e30, 1e-30, 3e38], n: 3 } },
    ],
    reference: squareSum,
  }),

  clipNorm: defineCases<ClipNormArguments>({
    samples: [
      ...sizes.map((n, i) => {
        const g = new Data(1560 + i).normal(n);
        const squares = [squareSum({ carry: null, g, n }).total[0]];
        return { arguments: { g, squares, n, limit: limits[i % limits.length] } };
      }),
      { note: 'at the limit', arguments: { g: [3, -4], squares: [25], n: 2, limit: 5 }, expected: { g: [3, -4] } },
      {
        note: 'above it',
        arguments: { g: [3, -4, NAN], squares: [25], n: 3, limit: 1 },
        expected: { g: [0.6, -0.8, NAN] },
      },
      {
        note: 'infinite norm',
        arguments: { g: [3, Infinity], squares: [Infinity], n: 2, limit: 1 },
        expected: { g: [3, Infinity] },
      },
      { note: 'norm NaN', arguments: { g: [3, NAN], squares: [NAN], n: 2, limit: 1 }, expected: { g: [3, NAN] } },
      { note: 'norm 0', arguments: { g: [0, -0], squares: [0], n: 2, limit: 1 }, expected: { g: [0, -0] } },
      {
        note: 'a norm beyond float32, and with it a denormal factor',
        arguments: { g: [3e38, 3e38], squares: [1.8e77], n: 2, limit: 1 },
        slack: 4,
      },
    ],
    reference: clipNorm,
  }),
} satisfies CaseTable;
