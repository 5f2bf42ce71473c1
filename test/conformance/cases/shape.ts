import { codes } from '../../../lib/kernels/codes.js';
import { Data, rounded } from '../data.js';
import {
  copyStrided,
  type ReduceArguments,
  type ReduceGradientArguments,
  reduce,
  reduceBackward,
  type StridedArguments,
} from '../reference/shape.js';
import { type CaseTable, defineCases, type GradientCase, type Sample } from '../types.js';

const NAN = Number.NaN;
const INF = Number.POSITIVE_INFINITY;

/** Rows, axis, inner: around the widths of vectors, of blocks of columns and of rows. */
const boxes: readonly (readonly [number, number, number])[] = [
  [3, 4, 5],
  [1, 1, 1],
  [2, 7, 1],
  [5, 1, 7],
  [3, 16, 1],
  [2, 33, 1],
  [2, 131, 1],
  [4, 3, 3],
  [2, 9, 16],
  [2, 17, 33],
  [1, 5, 131],
  [3, 61, 4],
  [17, 2, 2],
  [0, 3, 2],
  [3, 3, 0],
  [2, 0, 3],
];

const operations = codes.reduction.map((_, operation) => operation);

function box(seed: number, [rows, axis, inner]: readonly [number, number, number], operation: number): ReduceArguments {
  return { x: new Data(seed).normal(rows * axis * inner, 2), rows, axis, inner, operation };
}

const ordinary = operations.flatMap((operation) => boxes.map((sizes, i) => box(2000 + i, sizes, operation)));

/** A row of each: infinities, a NaN, ties, numbers too large for an exponential. */
const strange = [
  [1, 2, NAN, 3],
  [-INF, -INF, -INF, -INF],
  [1, INF, 2, 3],
  [1, -INF, 2, 3],
  [2, 5, 5, 1],
  [500, 500, 499, -500],
  [-500, -501, -500, -500],
];

/** The rows along the axis of a batch, and along that of the columns of one sample. */
const strangeCases: ReduceArguments[] = operations.flatMap((operation) => [
  { x: strange.flat(), rows: strange.length, axis: 4, inner: 1, operation },
  {
    x: [0, 1, 2, 3].flatMap((k) => strange.map((row) => row[k])),
    rows: 1,
    axis: 4,
    inner: strange.length,
    operation,
  },
  // Beyond the width of the vectors.
  {
    x: strange.flatMap((row) => Array.from({ length: 40 }, (_, k) => row[k % 4])),
    rows: 7,
    axis: 40,
    inner: 1,
    operation,
  },
]);

const reduceSamples: Sample<ReduceArguments>[] = [
  ...ordinary.map((a) => ({ arguments: a })),
  ...strangeCases.map((a) => ({ note: 'strange', arguments: a })),
];

function withGradient(a: ReduceArguments, dy: Float64Array): ReduceGradientArguments {
  return { ...a, dy, ...reduce({ ...a, x: rounded(a.x) }) };
}

/** A maximum is only found if it is what the reduction gave, to the last bit. */
const stored = (a: ReduceGradientArguments) => ({ ...a, y: rounded(a.y) });

const reduceBackwardSamples: Sample<ReduceGradientArguments>[] = reduceSamples.map(({ note, arguments: a }, i) => ({
  ...(note !== undefined && { note }),
  arguments: stored(withGradient(a, new Data(2100 + i).normal(a.rows * a.inner))),
}));

const reduceGradients = operations.flatMap((operation) =>
  [boxes[0], boxes[4], boxes[8]].map((sizes, i): GradientCase<ReduceGradientArguments> => {
    const a = box(2200 + i, sizes, operation);
    const x = rounded(a.x);
    const dy = rounded(new Data(2210 + i).normal(a.rows * a.inner));
    return {
      note: `${codes.reduction[operation]}, ${sizes.join('×')}`,
      variables: { x },
      value: (v) => reduce({ ...a, x: v.x }).y.reduce((sum, y, j) => sum + y * dy[j], 0),
      arguments: withGradient({ ...a, x }, dy),
      gradients: { dx: 'x' },
    };
  }),
);

interface Copy {
  readonly dims: readonly number[];
  readonly y: readonly [perRow: number, offset: number, ...strides: number[]];
  readonly x: readonly [perRow: number, offset: number, ...strides: number[]];
  /** The value that y is filled with; none if undefined. */
  readonly fill?: number;
}

function copy(note: string, rows: number, { dims, y, x, fill }: Copy): Sample<StridedArguments> {
  const padded = (values: readonly number[], by: number) => [...Array(5 - values.length).fill(by), ...values];
  const [yPerRow, yOffset, ...yStrides] = y;
  const [xPerRow, xOffset, ...xStrides] = x;
  const named = (name: string, values: readonly number[], by: number) =>
    Object.fromEntries(padded(values, by).map((value, i) => [`${name}${i}`, value]));
  const data = new Data(2300 + dims.length);
  return {
    note,
    arguments: {
      y: data.normal(rows * yPerRow),
      x: data.normal(rows * xPerRow),
      rows,
      yPerRow,
      xPerRow,
      ...named('dim', dims, 1),
      yOffset,
      ...named('yStride', yStrides, 0),
      xOffset,
      ...named('xStride', xStrides, 0),
      clear: fill === undefined ? 0 : 1,
      fill: fill ?? 0,
    } as unknown as StridedArguments,
  };
}

const copies: Sample<StridedArguments>[] = [
  copy('every size 3 or more', 3, {
    dims: [3, 4, 3, 5, 3],
    y: [1640, 3, 540, 135, 45, 9, 3],
    x: [700, 5, 3, 9, 40, 120, 4],
    fill: 0.5,
  }),
  copy('all of it', 4, { dims: [37], y: [37, 0, 1], x: [37, 0, 1] }),
  copy('transposed', 3, { dims: [7, 5], y: [35, 0, 5, 1], x: [35, 0, 1, 7] }),
  copy('channels first', 2, { dims: [3, 4, 5], y: [60, 0, 20, 5, 1], x: [60, 0, 1, 15, 3] }),
  copy('a slice', 2, { dims: [3, 17], y: [51, 0, 17, 1], x: [200, 22, 20, 1] }),
  copy('every third', 3, { dims: [9], y: [9, 0, 1], x: [28, 2, 3] }),
  copy('padded', 2, { dims: [3, 4], y: [48, 9, 8, 1], x: [12, 0, 4, 1], fill: -1.5 }),
  copy('padded with zeros', 3, { dims: [1, 16], y: [40, 9, 0, 1], x: [16, 0, 0, 1], fill: 0 }),
  copy('between what is kept', 3, { dims: [5, 3], y: [40, 2, 8, 1], x: [15, 0, 3, 1] }),
  copy('one number everywhere', 2, { dims: [33], y: [33, 0, 1], x: [1, 0, 0] }),
  copy('repeated rows', 2, { dims: [6, 9], y: [54, 0, 9, 1], x: [9, 0, 0, 1] }),
  copy('repeated columns', 2, { dims: [6, 9], y: [54, 0, 9, 1], x: [6, 0, 1, 0] }),
  copy('each pixel four times', 2, {
    dims: [3, 2, 4, 2, 3],
    y: [144, 0, 48, 24, 6, 3, 1],
    x: [36, 0, 12, 0, 3, 0, 1],
  }),
  copy('nothing', 2, { dims: [0, 3], y: [6, 0, 3, 1], x: [6, 0, 3, 1] }),
  copy('nothing but the fill', 2, { dims: [0, 3], y: [6, 0, 3, 1], x: [6, 0, 3, 1], fill: 2 }),
  copy('no rows', 0, { dims: [3], y: [3, 0, 1], x: [3, 0, 1] }),
  copy('the last address', 1, { dims: [3, 3], y: [9, 0, 3, 1], x: [13, 0, 4, 2] }),
];

export const shapeCases = {
  reduce: defineCases<ReduceArguments>({ samples: reduceSamples, reference: reduce }),
  reduceBackward: defineCases<ReduceGradientArguments>({
    samples: reduceBackwardSamples,
    reference: reduceBackward,
    gradients: reduceGradients,
  }),
  copyStrided: defineCases<StridedArguments>({ samples: copies, reference: copyStrided }),
} satisfies CaseTable;
