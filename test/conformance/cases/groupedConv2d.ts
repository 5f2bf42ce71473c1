import { fusedActivations } from '../../../lib/kernels/table.js';
import { Data, rounded } from '../data.js';
import { describeGeometry } from '../images.js';
import {
  type GroupedArguments,
  type GroupedGeometry,
  type GroupedInputGradientArguments,
  type GroupedPartsArguments,
  groupedConv2dBackwardInput,
  groupedConv2dBackwardParts,
  groupedConv2dForward,
} from '../reference/groupedConv2d.js';
import { type CaseTable, defineCases, type GradientCase, type Sample } from '../types.js';

type Pair = readonly [height: number, width: number];

interface Window {
  window: Pair;
  stride?: Pair;
  dilation?: Pair;
  /** Padding before and after, for rows and columns. */
  padding?: readonly [Pair, Pair];
  filters?: number;
}

const none: Pair = [0, 0];
const one: readonly [Pair, Pair] = [
  [1, 1],
  [1, 1],
];

/** Sizes for images of height × width × groups × channels. */
function over(
  rows: number,
  [height, width, groups, channels]: readonly [number, number, number, number],
  { window, stride = [1, 1], dilation = [1, 1], padding = [none, none], filters = 1 }: Window,
): GroupedGeometry {
  const outputs = (size: number, axis: 0 | 1) =>
    Math.floor((size + padding[axis][0] + padding[axis][1] - (window[axis] - 1) * dilation[axis] - 1) / stride[axis]) +
    1;
  return {
    rows,
    height,
    width,
    groups,
    channels,
    outHeight: outputs(height, 0),
    outWidth: outputs(width, 1),
    windowHeight: window[0],
    windowWidth: window[1],
    strideHeight: stride[0],
    strideWidth: stride[1],
    dilationHeight: dilation[0],
    dilationWidth: dilation[1],
    padTop: padding[0][0],
    padLeft: padding[1][0],
    filters,
  };
}

const depthwise: readonly GroupedGeometry[] = [
  over(1, [1, 1, 1, 1], { window: [1, 1] }),
  over(3, [1, 1, 5, 1], { window: [3, 3], padding: one }),
  over(2, [5, 5, 16, 1], { window: [3, 3], padding: one }),
  over(2, [7, 7, 33, 1], { window: [3, 3], padding: one }),
  over(1, [6, 9, 48, 1], { window: [2, 3], stride: [1, 2], padding: [none, [1, 1]] }),
  over(2, [9, 8, 17, 1], { window: [3, 3], stride: [2, 2], padding: one }),
  over(1, [14, 15, 7, 1], {
    window: [5, 5],
    padding: [
      [2, 2],
      [2, 2],
    ],
  }),
  over(2, [28, 28, 16, 1], { window: [3, 3], padding: one }),
  over(1, [9, 16, 15, 1], {
    window: [3, 3],
    dilation: [2, 3],
    padding: [
      [2, 2],
      [3, 3],
    ],
  }),
  over(1, [8, 30, 20, 1], {
    window: [3, 2],
    stride: [2, 3],
    dilation: [3, 2],
    padding: [
      [3, 3],
      [1, 0],
    ],
  }),
  // Several filters per channel, some of which a chunk of channels ends within.
  over(2, [6, 5, 8, 1], { window: [3, 3], padding: one, filters: 2 }),
  over(2, [6, 7, 7, 1], { window: [3, 2], stride: [2, 1], padding: one, filters: 3 }),
  over(1, [5, 4, 1, 1], { window: [2, 2], filters: 37 }),
  // Windows larger than the image, with padding; strides beyond the window; dilation beyond the image.
  over(1, [2, 2, 18, 1], { window: [4, 4], padding: one }),
  over(2, [7, 8, 16, 1], { window: [2, 2], stride: [5, 4] }),
  over(1, [3, 4, 16, 1], {
    window: [3, 3],
    dilation: [5, 7],
    padding: [
      [5, 5],
      [7, 7],
    ],
  }),
  over(1, [3, 3, 5, 1], {
    window: [2, 2],
    stride: [2, 2],
    padding: [
      [3, 3],
      [2, 3],
    ],
  }),
  // Wider than the rows that are kept at a time, and windows that are too large for them.
  over(1, [4, 300, 3, 1], { window: [3, 3], padding: one }),
  over(1, [2, 700, 2, 1], { window: [1, 3], stride: [1, 2], padding: [none, [1, 1]] }),
  over(1, [30, 31, 3, 1], {
    window: [23, 23],
    padding: [
      [11, 11],
      [11, 11],
    ],
  }),
  over(1, [13, 12, 4, 1], { window: [12, 11] }),
];

const grouped: readonly GroupedGeometry[] = [
  // Every size is 3 or more here.
  over(4, [15, 13, 3, 4], {
    window: [4, 5],
    stride: [3, 4],
    dilation: [3, 3],
    padding: [
      [3, 3],
      [7, 4],
    ],
    filters: 5,
  }),
  over(2, [5, 6, 2, 3], { window: [3, 3], padding: one, filters: 4 }),
  over(2, [1, 1, 4, 2], { window: [1, 1], filters: 3 }),
  over(2, [7, 6, 1, 5], {
    window: [3, 3],
    dilation: [2, 2],
    padding: [
      [2, 2],
      [2, 2],
    ],
    filters: 6,
  }),
  over(1, [8, 9, 1, 1], { window: [3, 2], dilation: [1, 4], filters: 3 }),
  over(1, [12, 11, 2, 40], { window: [3, 3], stride: [2, 1], padding: one, filters: 17 }),
  over(3, [4, 3, 5, 2], { window: [4, 3], filters: 2 }),
  over(1, [2, 3, 2, 2], {
    window: [3, 3],
    dilation: [4, 5],
    padding: [
      [4, 4],
      [5, 5],
    ],
    filters: 2,
  }),
  over(2, [6, 5, 2, 2], { window: [2, 2], stride: [4, 3], dilation: [2, 1], filters: 3 }),
  over(1, [40, 41, 3, 2], { window: [3, 3], filters: 2 }),
];

/** Without rows, output or images; strides and dilations that the layers don't use. */
const empty: readonly GroupedGeometry[] = [
  over(0, [4, 4, 3, 1], { window: [3, 3] }),
  { ...over(2, [4, 4, 3, 2], { window: [3, 3], filters: 2 }), outHeight: 0 },
  { ...over(2, [4, 4, 3, 1], { window: [3, 3] }), height: 0 },
  { ...over(2, [4, 4, 3, 1], { window: [3, 3] }), windowWidth: 0 },
  { ...over(2, [4, 4, 3, 2], { window: [3, 3], filters: 2 }), channels: 0 },
  { ...over(1, [4, 5, 17, 1], { window: [2, 3] }), strideHeight: 0, strideWidth: 0 },
  { ...over(1, [4, 5, 17, 1], { window: [2, 3] }), dilationHeight: 0, dilationWidth: 0 },
];

const all = [...grouped, ...depthwise, ...empty];

const small: readonly GroupedGeometry[] = [
  over(2, [4, 3, 3, 1], { window: [3, 2], padding: one }),
  over(1, [5, 5, 2, 1], {
    window: [3, 3],
    stride: [2, 2],
    dilation: [2, 1],
    padding: [
      [2, 2],
      [1, 1],
    ],
    filters: 2,
  }),
  over(1, [5, 4, 2, 2], { window: [2, 2], dilation: [2, 3], padding: [none, [1, 0]], filters: 2 }),
  over(2, [4, 5, 1, 2], {
    window: [3, 3],
    dilation: [2, 2],
    padding: [
      [2, 2],
      [2, 2],
    ],
    filters: 2,
  }),
];

const inputs = (g: GroupedGeometry) => g.rows * g.height * g.width * g.groups * g.channels;
const pixels = (g: GroupedGeometry) => g.rows * g.outHeight * g.outWidth;
const outputs = (g: GroupedGeometry) => pixels(g) * g.groups * g.filters;
const patch = (g: GroupedGeometry) => g.windowHeight * g.windowWidth * g.channels;
const note = (g: GroupedGeometry) => `${describeGeometry(g)}, ${g.groups} groups`;

function convolution(seed: number, g: GroupedGeometry, settings: Partial<GroupedArguments> = {}): GroupedArguments {
  const data = new Data(seed);
  return {
    x: data.normal(inputs(g)),
    w: data.normal(patch(g) * g.groups * g.filters, 1 / Math.sqrt(Math.max(1, patch(g)))),
    b: data.normal(g.groups * g.filters, 0.5),
    ...g,
    activation: 0,
    slope: 0,
    ...settings,
  };
}

const fused = (geometry: GroupedGeometry, seed: number): Sample<GroupedArguments>[] =>
  fusedActivations.map((name, activation) => ({
    note: name,
    arguments: convolution(seed, geometry, { activation, slope: 0.3 }),
  }));

const samples: Sample<GroupedArguments>[] = [
  ...all.map((geometry, i) => ({
    note: note(geometry),
    arguments: convolution(i, geometry, { slope: 0.2, activation: i % 3, ...(i % 4 === 3 ? { b: null } : {}) }),
  })),
  ...fused(grouped[1], 100),
  ...fused(depthwise[2], 101),
];

/** Gradients of r · conv(x, w), r a random vector. */
function gradients<A>(
  backward: (dy: Float64Array, x: Float64Array, w: Float64Array, geometry: GroupedGeometry) => A,
  outputsByVariable: Record<string, string>,
): GradientCase<A>[] {
  return small.map((geometry, i) => {
    const a = convolution(400 + i, geometry);
    const [x, w] = [rounded(a.x), rounded(a.w)];
    const dy = rounded(new Data(410 + i).normal(outputs(geometry)));
    return {
      note: note(geometry),
      variables: { x, w },
      value: (v) => groupedConv2dForward({ ...a, x: v.x, w: v.w }).y.reduce((sum, y, j) => sum + y * dy[j], 0),
      arguments: backward(dy, x, w, geometry),
      gradients: outputsByVariable,
    };
  });
}

export const groupedConvolutionCases = {
  groupedConv2dForward: defineCases<GroupedArguments>({ samples, reference: groupedConv2dForward }),

  groupedConv2dBackwardInput: defineCases<GroupedInputGradientArguments>({
    samples: all.map((geometry, i) => {
      const { w } = convolution(500 + i, geometry);
      return { note: note(geometry), arguments: { dy: new Data(540 + i).normal(outputs(geometry)), w, ...geometry } };
    }),
    reference: groupedConv2dBackwardInput,
    gradients: gradients((dy, _x, w, geometry) => ({ dy, w, ...geometry }), { dx: 'x' }),
  }),

  groupedConv2dBackwardParts: defineCases<GroupedPartsArguments>({
    samples: all.flatMap((geometry, i) =>
      [3, 1, 2, 0].map((parts) => {
        const { x } = convolution(700 + i, geometry);
        const dy = new Data(740 + i).normal(outputs(geometry));
        const without = parts === 2 ? { dbParts: null } : {};
        return {
          arguments: { x, dy, ...geometry, parts, ...without },
          ...(pixels(geometry) > 400 ? { note: `sums of ${pixels(geometry)} products`, slack: 4 } : {}),
        };
      }),
    ),
    reference: groupedConv2dBackwardParts,
    gradients: gradients((dy, x, _w, geometry) => ({ x, dy, ...geometry, parts: 1 }), { dwParts: 'w' }),
  }),
} satisfies CaseTable;
