import { type BinaryOperation, codeOf, codes, type UnaryOperation } from '../../../lib/kernels/codes.js';
import { Data, lengths, repeated, rounded } from '../data.js';
import {
  type BinaryArguments,
  type BinaryGradientArguments,
  binary,
  binaryBackward,
  type UnaryArguments,
  type UnaryGradientArguments,
  unary,
  unaryBackward,
} from '../reference/elementwise.js';
import { type CaseTable, defineCases, type GradientCase, type Sample } from '../types.js';

const NAN = Number.NaN;
const INF = Number.POSITIVE_INFINITY;

/** Away from 0, for the divisions. */
const divisors = (seed: number, n: number) => {
  const data = new Data(seed);
  return data.uniform(n, 0.4, 3).map((v, i) => (i % 3 === 0 ? -v : v));
};

const codesOf = (list: readonly string[]) => list.map((_, code) => code);

/** All pairs of ordinary and special numbers, ties among them. */
const specials = [0, 1, -1, 2, NAN, INF, -INF, 1e-30, -0.5];
const firsts = specials.flatMap((a) => specials.map(() => a));
const seconds = specials.flatMap(() => specials);

function operands(seed: number, n: number, operation: number): BinaryArguments {
  return { a: new Data(seed).normal(n), b: divisors(seed + 1, n), n, operation };
}

const pairs: Sample<BinaryArguments>[] = codesOf(codes.binary).flatMap((operation) => [
  ...lengths.map((n, i) => ({ arguments: operands(1700 + i, n, operation) })),
  {
    note: 'special values',
    arguments: { a: repeated(firsts), b: repeated(seconds), n: firsts.length, operation },
  },
]);

const ties: Sample<BinaryGradientArguments>[] = (['maximum', 'minimum'] as const).map((name) => ({
  note: 'ties go to the first',
  arguments: {
    dy: repeated([1, 2, 3]),
    a: repeated([1, 0, -2]),
    b: repeated([1, 0, -2]),
    n: 67,
    operation: codeOf('binary', name),
  },
  expected: { da: repeated([1, 2, 3]), db: repeated([0, 0, 0]) },
}));

const binaryGradients = codesOf(codes.binary).map((operation): GradientCase<BinaryGradientArguments> => {
  const { a, b } = operands(1750, 37, operation);
  const [at, by, dy] = [rounded(a), rounded(b), rounded(new Data(1751).normal(37))];
  return {
    note: codes.binary[operation],
    variables: { a: at, b: by },
    value: (v) => Array.from(binary({ a: v.a, b: v.b, n: 37, operation }).y).reduce((sum, y, i) => sum + y * dy[i], 0),
    arguments: { dy, a: at, b: by, n: 37, operation },
    gradients: { da: 'a', db: 'b' },
  };
});

const settings: Record<UnaryOperation, readonly (readonly [alpha: number, beta: number])[]> = {
  exp: [[0, 0]],
  log: [[0, 0]],
  sqrt: [[0, 0]],
  square: [[0, 0]],
  abs: [[0, 0]],
  power: [3, 2, 1, 0.5, -1, -2, 1 / 3, 2.7, -0.4, 4, 0].map((p) => [p, 0]),
  clip: [
    [-0.5, 0.75],
    [0, 0],
  ],
  scale: [
    [2.5, -0.75],
    [-1, 0],
    [0, 3],
  ],
};

/** Where the operation is defined by real numbers. */
function domain(name: UnaryOperation, seed: number, n: number, alpha: number): Float64Array {
  const data = new Data(seed);
  if (name === 'log' || name === 'sqrt' || (name === 'power' && !Number.isInteger(alpha)))
    return data.uniform(n, 0.05, 6);
  if (name === 'power') return divisors(seed, n);
  return data.normal(n, 2);
}

interface Setting {
  readonly name: UnaryOperation;
  readonly arguments: { readonly operation: number; readonly alpha: number; readonly beta: number };
}

const all: Setting[] = codes.unary.flatMap((name, operation) =>
  settings[name].map(([alpha, beta]) => ({ name, arguments: { operation, alpha, beta } })),
);

const unarySpecials: Partial<Record<UnaryOperation, readonly (readonly [x: number, y: number])[]>> = {
  exp: [
    [-INF, 0],
    [INF, INF],
    [NAN, NAN],
    [0, 1],
    [1000, INF],
    [-1000, 0],
  ],
  log: [
    [0, -INF],
    [-0, -INF],
    [-1, NAN],
    [INF, INF],
    [-INF, NAN],
    [NAN, NAN],
    [1, 0],
    [2 ** -149, -149 * Math.LN2],
    [2 ** -130, -130 * Math.LN2],
  ],
  sqrt: [
    [0, 0],
    [4, 2],
    [-1, NAN],
    [INF, INF],
    [NAN, NAN],
  ],
  square: [
    [-3, 9],
    [NAN, NAN],
    [-INF, INF],
  ],
  abs: [
    [-3, 3],
    [NAN, NAN],
    [-INF, INF],
    [-0, 0],
  ],
  power: [
    [-2, -8],
    [0, 0],
    [-0, -0],
    [INF, INF],
    [-INF, -INF],
    [NAN, NAN],
    [1e-20, 0],
    [1e20, INF],
    [-1e20, -INF],
    [1e-3, 1e-9],
  ],
  clip: [
    [INF, 0.75],
    [-INF, -0.5],
    [NAN, NAN],
    [0.75, 0.75],
    [-0.5, -0.5],
    [0.25, 0.25],
  ],
  scale: [
    [INF, INF],
    [NAN, NAN],
    [0, -0.75],
  ],
};

/** Special arguments of powers with other exponents: the reference says what they give. */
const powers = repeated([0, -0, 1, -1, 2, -2, INF, -INF, NAN, 2 ** -140, 1e-30, 1e30, 0.999, 1.001, 3e-39]);

const unaryCases: Sample<UnaryArguments>[] = [
  ...all.flatMap(({ name, arguments: given }, s) =>
    lengths.map((n, i) => ({ arguments: { x: domain(name, 1800 + s + i, n, given.alpha), n, ...given } })),
  ),
  ...Object.entries(unarySpecials).map(([name, table]) => ({
    note: 'special values',
    arguments: {
      x: repeated(table.map(([x]) => x)),
      n: Math.max(67, table.length),
      ...(all.find((setting) => setting.name === name) as Setting).arguments,
    },
    expected: { y: repeated(table.map(([, y]) => y)) },
  })),
  ...all
    .filter(({ name }) => name === 'power')
    .map(({ arguments: given }) => ({
      note: 'special values',
      arguments: { x: powers, n: powers.length, ...given },
    })),
  ...[0.37, -1.6, 2.5].map((alpha) => {
    const points = Float64Array.from({ length: 3000 }, (_, i) => 2 ** (-125 + i / 12));
    const note = 'from the smallest to the largest';
    return { note, arguments: { x: points, n: 3000, operation: codeOf('unary', 'power'), alpha, beta: 0 } };
  }),
];

function atOf(name: UnaryOperation, x: Float64Array, given: Setting['arguments']): Float64Array {
  if (name !== 'exp' && name !== 'sqrt') return x;
  return Float64Array.from(unary({ x, n: x.length, ...given }).y);
}

const backwardSpecials: Partial<Record<UnaryOperation, readonly (readonly [dy: number, at: number, dx: number])[]>> = {
  abs: [
    [3, 0, 0],
    [3, -2, -3],
    [3, 2, 3],
    [1, NAN, NAN],
    [NAN, 0, NAN],
  ],
  clip: [
    [3, 0.75, 3],
    [3, -0.5, 3],
    [3, 0.8, 0],
    [3, -2, 0],
    [1, NAN, NAN],
    [NAN, 5, NAN],
  ],
  sqrt: [
    [1, 0, INF],
    [1, NAN, NAN],
  ],
  log: [[1, 0, INF]],
};

const unaryBackwardCases: Sample<UnaryGradientArguments>[] = [
  ...all.flatMap(({ name, arguments: given }, s) =>
    lengths.map((n, i) => ({
      arguments: {
        dy: new Data(1900 + i).normal(n),
        at: atOf(name, domain(name, 1900 + s + i, n, given.alpha), given),
        n,
        ...given,
      },
    })),
  ),
  ...Object.entries(backwardSpecials).map(([name, table]) => ({
    note: 'special values',
    arguments: {
      dy: repeated(table.map(([dy]) => dy)),
      at: repeated(table.map(([, at]) => at)),
      n: 67,
      ...(all.find((setting) => setting.name === name) as Setting).arguments,
    },
    expected: { dx: repeated(table.map(([, , dx]) => dx)) },
  })),
  {
    note: 'exponent 0',
    arguments: {
      dy: repeated([2, 2, 2, NAN, 2]),
      at: repeated([0, -0, INF, 1, NAN]),
      n: 67,
      operation: codeOf('unary', 'power'),
      alpha: 0,
      beta: 0,
    },
    expected: { dx: repeated([0, 0, 0, NAN, NAN]) },
  },
];

const unaryGradients = all.map(({ name, arguments: given }, s): GradientCase<UnaryGradientArguments> => {
  const x = rounded(domain(name, 1950 + s, 37, given.alpha));
  const dy = rounded(new Data(1951).normal(37));
  return {
    note: `${name} ${given.alpha} ${given.beta}`,
    variables: { x },
    value: (v) => Array.from(unary({ x: v.x, n: 37, ...given }).y).reduce((sum, y, i) => sum + y * dy[i], 0),
    arguments: { dy, at: atOf(name, x, given), n: 37, ...given },
    gradients: { dx: 'x' },
  };
});

const products: Sample<BinaryArguments> = {
  note: 'special products',
  arguments: {
    a: repeated([NAN, 1, INF, INF, 0, -0, 2 ** -149, 3e38, -1.5]),
    b: repeated([1, NAN, 0, -2, -3, -3, 0.5, 10, 2]),
    n: 67,
    operation: codeOf('binary', 'multiply'),
  },
  expected: { y: repeated([NAN, NAN, NAN, -INF, -0, 0, 0, INF, -3]) },
};

export const elementwiseCases = {
  binary: defineCases<BinaryArguments>({ samples: [...pairs, products], reference: binary }),
  binaryBackward: defineCases<BinaryGradientArguments>({
    samples: [
      ...pairs.map(({ note, arguments: a }, i) => ({
        ...(note !== undefined && { note }),
        arguments: { ...a, dy: new Data(1760 + i).normal(a.n) },
      })),
      ...ties,
      ...(['multiply', 'divide', 'maximum'] satisfies BinaryOperation[]).flatMap((name, i) => {
        const a = { ...operands(1780 + i, 33, codeOf('binary', name)), dy: new Data(1790).normal(33) };
        return [{ arguments: { ...a, da: null } }, { arguments: { ...a, db: null } }];
      }),
    ],
    reference: binaryBackward,
    gradients: binaryGradients,
  }),
  unary: defineCases<UnaryArguments>({ samples: unaryCases, reference: unary }),
  unaryBackward: defineCases<UnaryGradientArguments>({
    samples: unaryBackwardCases,
    reference: unaryBackward,
    gradients: unaryGradients,
  }),
} satisfies CaseTable;
