import { fusedActivations } from '../../../lib/kernels/table.js';
import { Data, rounded } from '../data.js';
import {
  describeGeometry,
  geometries,
  inputLength,
  largeGeometries,
  outputLength,
  patchLength,
  smallGeometries,
} from '../images.js';
import {
  type ConvolutionArguments,
  type ConvolutionGeometry,
  conv2dBackwardInput,
  conv2dBackwardWeight,
  conv2dForward,
  conv2dReverseWeights,
  type InputGradientArguments,
  type ReverseArguments,
  type WeightGradientArguments,
} from '../reference/conv2d.js';
import { type CaseTable, defineCases, type GradientCase, type Sample } from '../types.js';
import { inAllPrecisions } from './precisions.js';

const outputs = (g: ConvolutionGeometry) => outputLength(g, g.filters);

function convolution(seed: number, geometry: ConvolutionGeometry, settings: Partial<ConvolutionArguments> = {}) {
  const data = new Data(seed);
  const patch = patchLength(geometry);
  return {
    x: data.normal(inputLength(geometry)),
    w: data.normal(patch * geometry.filters, 1 / Math.sqrt(Math.max(1, patch))),
    b: data.normal(geometry.filters, 0.5),
    ...geometry,
    activation: 0,
    slope: 0,
    ...settings,
  };
}

function forwardSamples(): Sample<ConvolutionArguments>[] {
  const slopes = [0.01, 1, 0.3];
  const [ordinary] = geometries;
  const swept = geometries.map((geometry, i) => ({
    arguments: convolution(i, geometry, {
      activation: i % 8,
      slope: slopes[i % 3],
      ...(i % 4 === 3 ? { b: null } : {}),
    }),
  }));
  const fused = fusedActivations.map((name, activation) => ({
    note: name,
    arguments: convolution(100 + activation, geometries[11], { activation, slope: slopes[activation % 3] }),
  }));
  const oneNaN = new Data(200).normal(inputLength(ordinary));
  oneNaN[ordinary.width * ordinary.channels * 5 + 7] = Number.NaN;
  const propagating = fusedActivations.map((name, activation) => ({
    note: `${name}, NaN in one pixel`,
    arguments: convolution(201, ordinary, { x: oneNaN, activation, slope: 0.5 }),
  }));
  return [
    ...swept,
    ...fused,
    ...propagating,
    ...largeGeometries.map((geometry, i) => ({
      note: 'more than one block',
      arguments: convolution(300 + i, geometry, { activation: i % 2 }),
    })),
    { note: 'no bias', arguments: convolution(310, geometries[13], { b: null, activation: 1 }) },
  ];
}

/** Gradients of r · conv(x, w), r a random vector. */
function gradients<A>(
  backward: (dy: Float64Array, x: Float64Array, w: Float64Array, geometry: ConvolutionGeometry) => A,
  outputsByVariable: Record<string, string>,
): GradientCase<A>[] {
  return smallGeometries.map((geometry, i) => {
    const a = convolution(400 + i, geometry);
    const [x, w] = [rounded(a.x), rounded(a.w)];
    const dy = rounded(new Data(410 + i).normal(outputs(geometry)));
    return {
      note: describeGeometry(geometry),
      variables: { x, w },
      value: (v) => conv2dForward({ ...a, x: v.x, w: v.w }).y.reduce((sum, y, j) => sum + y * dy[j], 0),
      arguments: backward(dy, x, w, geometry),
      gradients: outputsByVariable,
    };
  });
}

const all = [...geometries, ...largeGeometries];

export const convolutionCases = {
  conv2dForward: inAllPrecisions(
    defineCases<ConvolutionArguments>({ samples: forwardSamples(), reference: conv2dForward }),
    ['x', 'w'],
  ),

  conv2dBackwardInput: inAllPrecisions(
    defineCases<InputGradientArguments>({
      samples: all.map((geometry, i) => {
        const { w } = convolution(500 + i, geometry);
        return { arguments: { dy: new Data(540 + i).normal(outputs(geometry)), w, ...geometry } };
      }),
      reference: conv2dBackwardInput,
      gradients: gradients((dy, _x, w, geometry) => ({ dy, w, ...geometry }), { dx: 'x' }),
    }),
    ['dy', 'w'],
  ),

  conv2dReverseWeights: defineCases<ReverseArguments>({
    samples: all.map(({ windowHeight, windowWidth, channels, filters }, i) => {
      const w = new Data(560 + i).normal(windowHeight * windowWidth * channels * filters);
      return { arguments: { w, windowHeight, windowWidth, channels, filters } };
    }),
    reference: conv2dReverseWeights,
  }),

  conv2dBackwardWeight: inAllPrecisions(
    defineCases<WeightGradientArguments>({
      samples: all.flatMap((geometry, i) =>
        [1, 2, 3, 0].map((parts) => {
          const { x } = convolution(700 + i, geometry);
          const dy = new Data(740 + i).normal(outputs(geometry));
          const pixels = outputLength(geometry, 1);
          const without = parts === 2 ? { dbParts: null } : {};
          return {
            arguments: { x, dy, ...geometry, patch: patchLength(geometry), parts, ...without },
            ...(pixels > 400 ? { note: `sums of ${pixels} products`, slack: 4 } : {}),
          };
        }),
      ),
      reference: conv2dBackwardWeight,
      gradients: gradients((dy, x, _w, geometry) => ({ x, dy, ...geometry, patch: patchLength(geometry), parts: 1 }), {
        dwParts: 'w',
      }),
    }),
    ['x', 'dy'],
    ['dbParts'],
  ),
} satisfies CaseTable;
