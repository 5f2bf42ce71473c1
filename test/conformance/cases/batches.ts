import { Data, lengths, matricesAndEmpty, repeated } from '../data.js';
import {
  type DrawArguments,
  type DropoutArguments,
  type DropoutMaskArguments,
  drawWithReplacement,
  dropoutForward,
  dropoutMask,
  type GatherArguments,
  gatherBytes,
  gatherBytesParts,
  gatherFloats,
  gaussianNoise,
  type MultiplyChannelsArguments,
  multiplyChannels,
  type NoiseArguments,
  type PermutationArguments,
  permutation,
} from '../reference/batches.js';
import { threefry2x32 } from '../reference/special.js';
import { type CaseTable, defineCases, type Sample, type Vector } from '../types.js';

const NAN = Number.NaN;
const WORD_MAX = 2 ** 32 - 1;

/** Seeds, streams and steps that reach both halves of a word. */
const keys = [
  { seed: 1, stream: 0x20000, step: 0 },
  { seed: WORD_MAX, stream: WORD_MAX, step: WORD_MAX },
  { seed: 0, stream: 0, step: 1 },
  { seed: 0x9e3779b9, stream: 0x20003, step: 77 },
];
const drops = [0.5, 0.2, 0.3, 0.9];
const dropSettings = (p: number) => ({ threshold: Math.floor(p * 2 ** 32), scale: 1 / (1 - p) });

const wordOfElement5 = threefry2x32([keys[0].seed, keys[0].stream], [5, keys[0].step])[0];

function dropoutSamples(): Sample<DropoutArguments>[] {
  const special = repeated([NAN, Infinity, -Infinity, 0, -0, -1, 2 ** -149, 3e38]);
  return [
    ...[...lengths, 64, 1009].map((n, i) => ({
      arguments: { x: new Data(i).normal(n), n, ...keys[i % 4], ...dropSettings(drops[i % 4]) },
    })),
    {
      note: 'nothing dropped',
      arguments: { x: new Data(40).normal(50), n: 50, ...keys[0], threshold: 0, scale: 1 },
      expected: { mask: repeated([1], 50) },
    },
    {
      note: 'nearly all dropped',
      arguments: { x: new Data(41).normal(50), n: 50, ...keys[1], threshold: WORD_MAX, scale: 8 },
      expected: { mask: repeated([0], 50) },
    },
    {
      note: 'threshold equal to the word of element 5, which stays',
      arguments: { x: new Data(42).normal(50), n: 50, ...keys[0], scale: 2, threshold: wordOfElement5 },
    },
    { note: 'special values', arguments: { x: special, n: special.length, ...keys[2], ...dropSettings(0.5) } },
  ];
}

function channelSamples(): Sample<MultiplyChannelsArguments>[] {
  const shapes = [
    [0, 3, 2],
    [1, 1, 1],
    [3, 1, 5],
    [2, 9, 3],
    [5, 4, 17],
    [2, 3, 130],
    [33, 2, 4],
  ] as const;
  const special = [NAN, Infinity, -Infinity, 0, -0, -1, 2 ** -149, 3e38];
  return [
    ...shapes.map(([rows, pixels, channels], i) => {
      const data = new Data(60 + i);
      const x = data.normal(rows * pixels * channels);
      return { arguments: { x, factors: data.normal(rows * channels), rows, pixels, channels } };
    }),
    {
      note: 'special values',
      arguments: { x: special, factors: [0, 2, -1, 0.5], rows: 2, pixels: 2, channels: 2 },
      expected: { y: [NAN, Infinity, -0 * Infinity, 0, 0, -0.5, -(2 ** -149), 1.5e38] },
    },
  ];
}

function noiseSamples(): Sample<NoiseArguments>[] {
  const special = repeated([NAN, Infinity, -Infinity, 3e38]);
  return [
    ...[...lengths, 64, 1009].map((n, i) => ({
      arguments: { x: new Data(i).normal(n), n, ...keys[i % 4], deviation: [1, 0.1, 3][i % 3] },
    })),
    { note: 'the noise alone', arguments: { x: new Float64Array(20011), n: 20011, ...keys[3], deviation: 1 } },
    {
      note: 'deviation 0',
      arguments: { x: new Data(50).normal(40), n: 40, ...keys[0], deviation: 0 },
      expected: { y: new Data(50).normal(40) },
    },
    {
      note: 'special values',
      arguments: { x: special, n: special.length, ...keys[2], deviation: 1 },
      expected: { y: special },
    },
  ];
}

const scalings = [
  { scale: 1, offset: 0 },
  { scale: 1 / 255, offset: 0 },
  { scale: 2 / 255, offset: -1 },
  { scale: 1 / 0.3081, offset: -0.4242 },
];

function gatherArguments(seed: number, rows: number, features: number, source: Float64Array): GatherArguments {
  const sourceRows = features === 0 ? 0 : source.length / features;
  return {
    source,
    order: new Data(seed).integers(rows, sourceRows),
    rows,
    features,
    sourceRows,
    ...scalings[seed % 4],
  };
}

const sourceRowsOf = (rows: number) => Math.max(1, Math.floor(rows * 1.5));

const everyByte: GatherArguments = {
  source: Float64Array.from({ length: 256 }, (_, i) => i),
  order: [3, 2, 1, 0, 3, 3],
  rows: 6,
  features: 64,
  sourceRows: 4,
  scale: 1,
  offset: 0,
};

type OneHotArguments = { labels: Vector; rows: number; classes: number };
type SparseArguments = {
  starts: Vector;
  ends: Vector;
  indices: Vector;
  values: Vector;
  order: Vector;
  rows: number;
  features: number;
  sourceRows: number;
  indexCount: number;
  valueCount: number;
};
type IndexArguments = { source: Vector; order: Vector; rows: number; features: number; sourceRows: number };
type EmbeddingArguments = { indices: Vector; rows: number; vocabulary: number; width: number };

/** Rows with about a third of their columns. */
function sparseArguments(seed: number, rows: number, features: number): SparseArguments {
  const sourceRows = sourceRowsOf(rows);
  const data = new Data(seed);
  const indices: number[] = [];
  const offsets = [0];
  for (let row = 0; row < sourceRows; row++) {
    for (let column = 0; column < features; column++) if ((row * 5 + column * column) % 3 === 0) indices.push(column);
    offsets.push(indices.length);
  }
  return {
    starts: offsets.slice(0, -1),
    ends: offsets.slice(1),
    indices,
    values: data.normal(indices.length),
    order: data.integers(rows, sourceRows),
    rows,
    features,
    sourceRows,
    indexCount: indices.length,
    valueCount: indices.length,
  };
}

/** Rows 0 to 5 of one column each, of which only the first is one of two columns and finite. */
const badRows: SparseArguments = {
  starts: [0, 1, 2, 3, 5, 4],
  ends: [1, 2, 3, 4, 7, 3],
  indices: [1, 2, -1, 0, 0, 1],
  values: [-0, 1, 1, NAN, 1, 1],
  order: [0, 1, 2, 3, 4, 5],
  rows: 6,
  features: 2,
  sourceRows: 6,
  indexCount: 6,
  valueCount: 6,
};

/** [rows, vocabulary, width]. */
const tables = [
  [0, 3, 2],
  [1, 1, 1],
  [7, 3, 5],
  [5, 40, 17],
  [200, 33, 16],
  [64, 300, 8],
] as const;

/** The gradient of Σ y · dy. */
const embeddingGradient = (() => {
  const [rows, vocabulary, width] = [9, 5, 4];
  const data = new Data(70);
  const [indices, dy] = [data.integers(rows, vocabulary), data.normal(rows * width)];
  const at = (i: number) => indices[Math.floor(i / width)] * width + (i % width);
  return {
    note: 'with repeated and missing indices',
    variables: { w: data.normal(vocabulary * width) },
    value: ({ w }: Record<string, Float64Array>) => dy.reduce((sum, value, i) => sum + value * w[at(i)], 0),
    arguments: { dy, indices, rows, vocabulary, width },
    gradients: { dw: 'w' },
  };
})();

type LabelArguments = { source: Vector; order: Vector; rows: number; sourceRows: number };
type SumArguments = { terms: Vector; n: number; parts: number };

const byteCases = defineCases<GatherArguments>({
  samples: [
    ...matricesAndEmpty.map(([rows, features], i) => ({
      arguments: gatherArguments(i, rows, features, new Data(50 + i).integers(sourceRowsOf(rows) * features, 256)),
    })),
    { note: 'every byte', arguments: everyByte },
  ],
  reference: gatherBytes,
});

export const batchCases = {
  sumParts: defineCases<SumArguments>({
    samples: lengths.flatMap((n, i) =>
      [0, 1, 2, 3].map((parts) => ({ arguments: { terms: new Data(20 + i).normal(parts * n), n, parts } })),
    ),
    reference: ({ terms, n, parts }) => {
      const y = new Float64Array(n);
      for (let i = 0; i < n; i++) for (let part = 0; part < parts; part++) y[i] += terms[part * n + i];
      return { y };
    },
  }),

  dropoutForward: defineCases<DropoutArguments>({ samples: dropoutSamples(), reference: dropoutForward }),
  dropoutMask: defineCases<DropoutMaskArguments>({
    samples: dropoutSamples().map(({ note, arguments: { x: _, ...rest } }) => ({
      ...(note !== undefined && { note }),
      arguments: rest,
    })),
    reference: dropoutMask,
  }),
  multiplyChannels: defineCases<MultiplyChannelsArguments>({ samples: channelSamples(), reference: multiplyChannels }),
  gaussianNoise: defineCases<NoiseArguments>({ samples: noiseSamples(), reference: gaussianNoise }),

  gatherBytes: byteCases,

  gatherBytesParts: defineCases<GatherArguments & { parts: number }>({
    samples: [...matricesAndEmpty, [5, 784] as const, [3, 47] as const].flatMap(([rows, features], i) =>
      [1, 2, 3].map((parts) => {
        const source = new Data(80 + i).integers(sourceRowsOf(rows) * features, 256);
        return { arguments: { ...gatherArguments(i, rows, features, source), parts } };
      }),
    ),
    reference: gatherBytesParts,
  }),

  gatherFloats: defineCases<GatherArguments>({
    samples: [
      ...matricesAndEmpty.map(([rows, features], i) => ({
        arguments: gatherArguments(i, rows, features, new Data(100 + i).normal(sourceRowsOf(rows) * features)),
      })),
      {
        note: 'a row with NaN or an infinity is NaN throughout',
        arguments: {
          source: [1, 2, 3, 4, 5, 6, NAN, 8, 9, 10, Infinity, 12, 13, 14, -Infinity],
          order: [4, 0, 2, 1, 3, 0],
          rows: 6,
          features: 3,
          sourceRows: 5,
          scale: 2,
          offset: 1,
        },
        expected: { x: [NAN, NAN, NAN, 3, 5, 7, NAN, NAN, NAN, 9, 11, 13, NAN, NAN, NAN, 3, 5, 7] },
      },
      ...[0, 15, 16, 18].map((column) => {
        const source = new Data(150).normal(3 * 19);
        source[19 + column] = NAN;
        return { note: `NaN in column ${column} of source row 1`, arguments: gatherArguments(151, 7, 19, source) };
      }),
      {
        note: 'large numbers are no infinities',
        arguments: {
          source: [3.4e38, -3.4e38, 1, 2 ** -149, 0, -0],
          order: [1, 0],
          rows: 2,
          features: 3,
          sourceRows: 2,
          scale: 1,
          offset: 0,
        },
        expected: { x: [2 ** -149, 0, 0, 3.4e38, -3.4e38, 1] },
      },
    ],
    reference: gatherFloats,
  }),

  gatherSparse: defineCases<SparseArguments>({
    samples: [
      ...matricesAndEmpty.map(([rows, features], i) => ({ arguments: sparseArguments(i, rows, features) })),
      { note: 'bad rows', arguments: badRows, expected: { x: [0, 0, ...repeated([NAN], 10)] } },
    ],
    reference: ({ starts, ends, indices, values, order, rows, features }) => {
      const x = new Float64Array(rows * features);
      for (let row = 0; row < rows; row++) {
        const [begin, end] = [starts[order[row]], ends[order[row]]];
        let whole = begin <= end && end <= values.length;
        for (let k = begin; k < end; k++) {
          whole &&= indices[k] >= 0 && indices[k] < features && Number.isFinite(values[k]);
          if (whole) x[row * features + indices[k]] = values[k] + 0;
        }
        if (!whole) x.fill(NAN, row * features, (row + 1) * features);
      }
      return { x };
    },
  }),

  gatherIndices: defineCases<IndexArguments>({
    samples: matricesAndEmpty.map(([rows, features], i) => {
      const data = new Data(i);
      const sourceRows = sourceRowsOf(rows);
      return {
        arguments: {
          source: data.integers(sourceRows * features, 2 ** 31 - 1),
          order: data.integers(rows, sourceRows),
          rows,
          features,
          sourceRows,
        },
      };
    }),
    reference: ({ source, order, rows, features }) => ({
      x: Float64Array.from({ length: rows * features }, (_, i) => {
        return source[order[Math.floor(i / features)] * features + (i % features)];
      }),
    }),
  }),

  embeddingForward: defineCases<EmbeddingArguments & { w: Vector }>({
    samples: tables.map(([rows, vocabulary, width], i) => {
      const data = new Data(i);
      return {
        arguments: {
          indices: data.integers(rows, vocabulary),
          w: data.normal(vocabulary * width),
          rows,
          vocabulary,
          width,
        },
      };
    }),
    reference: ({ indices, w, rows, width }) => ({
      y: Float64Array.from({ length: rows * width }, (_, i) => w[indices[Math.floor(i / width)] * width + (i % width)]),
    }),
  }),

  embeddingBackward: defineCases<EmbeddingArguments & { dy: Vector }>({
    samples: tables.map(([rows, vocabulary, width], i) => {
      const data = new Data(i);
      return {
        arguments: { dy: data.normal(rows * width), indices: data.integers(rows, vocabulary), rows, vocabulary, width },
      };
    }),
    reference: ({ dy, indices, vocabulary, width }) => {
      const dw = new Float64Array(vocabulary * width);
      Array.from(dy).forEach((value, i) => {
        dw[indices[Math.floor(i / width)] * width + (i % width)] += value;
      });
      return { dw };
    },
    gradients: [embeddingGradient],
  }),

  gatherLabels: defineCases<LabelArguments>({
    samples: [
      ...lengths.map((rows, i) => {
        const sourceRows = sourceRowsOf(rows);
        const data = new Data(i);
        return {
          arguments: {
            source: data.integers(sourceRows, 1000),
            order: data.integers(rows, sourceRows),
            rows,
            sourceRows,
          },
        };
      }),
      {
        note: 'the ends of int32',
        arguments: { source: [-(2 ** 31), 2 ** 31 - 1, -1], order: [2, 1, 0, 0], rows: 4, sourceRows: 3 },
        expected: { labels: [-1, 2 ** 31 - 1, -(2 ** 31), -(2 ** 31)] },
      },
    ],
    reference: ({ source, order, rows }) => ({
      labels: Float64Array.from({ length: rows }, (_, i) => source[order[i]]),
    }),
  }),

  oneHot: defineCases<OneHotArguments>({
    samples: matricesAndEmpty.map(([rows, classes], i) => ({
      arguments: { labels: new Data(i).integers(rows, classes), rows, classes },
    })),
    reference: ({ labels, rows, classes }) => ({
      y: Float64Array.from({ length: rows * classes }, (_, i) =>
        Number(labels[Math.floor(i / classes)] === i % classes),
      ),
    }),
  }),

  permutation: defineCases<PermutationArguments>({
    samples: [...lengths, 2, 1000].map((n, i) => {
      const { step, ...key } = keys[i % 4];
      return { arguments: { n, ...key, epoch: step } };
    }),
    reference: permutation,
  }),

  drawWithReplacement: defineCases<DrawArguments>({
    samples: [...lengths, 2, 1000].flatMap((n, i) => {
      const { step, ...key } = keys[i % 4];
      return [1, 3, 10, 60000, 2 ** 31 - 1].map((sourceRows) => ({
        arguments: { n, sourceRows, ...key, epoch: step },
      }));
    }),
    reference: drawWithReplacement,
  }),
} satisfies CaseTable;
