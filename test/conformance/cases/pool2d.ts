import { Data, rounded } from '../data.js';
import {
  describeGeometry,
  geometries,
  inputLength,
  largeGeometries,
  outputLength,
  pooling,
  smallGeometries,
} from '../images.js';
import type { Geometry } from '../reference/conv2d.js';
import {
  type AvgPoolGradientArguments,
  avgPool2dBackward,
  avgPool2dForward,
  type MaxPoolGradientArguments,
  maxPool2dBackward,
  maxPool2dForward,
  type PoolArguments,
} from '../reference/pool2d.js';
import { type CaseTable, defineCases, type GradientCase, type Sample } from '../types.js';

const all = [...geometries, ...largeGeometries].map(pooling);
const [ordinary] = all;
const outputs = (g: Geometry) => outputLength(g, g.channels);

function samples(seed: number): Sample<PoolArguments>[] {
  const spoiled = new Data(seed + 100).normal(inputLength(ordinary));
  for (const i of [0, 40, 41, 100, 215, 300]) spoiled[i] = Number.NaN;
  spoiled[43] = Infinity;
  spoiled[3] = -Infinity;
  return [
    ...all.map((geometry, i) => ({ arguments: { x: new Data(seed + i).normal(inputLength(geometry)), ...geometry } })),
    { note: 'NaN and infinities', arguments: { x: spoiled, ...ordinary } },
  ];
}

/** What only the choice of the largest pixel can get wrong. */
function choices(): Sample<PoolArguments>[] {
  const geometry = pooling(geometries[6]);
  const n = inputLength(geometry);
  return [
    { note: 'ties: the first wins', arguments: { x: new Data(760).integers(n, 3), ...geometry } },
    { note: 'all equal', arguments: { x: new Float64Array(n).fill(-2), ...geometry } },
    {
      note: 'zeros of both signs are equal',
      arguments: { x: new Data(761).integers(n, 2).map((v) => (v ? 0 : -0)), ...geometry },
    },
    { note: 'minus infinity alone', arguments: { x: new Float64Array(n).fill(-Infinity), ...geometry } },
    { note: 'NaN alone: the first wins', arguments: { x: new Float64Array(n).fill(Number.NaN), ...geometry } },
  ];
}

/** Gradients of r · pool(x), r a random vector. */
function gradients<A>(
  forward: (a: PoolArguments) => Float64Array,
  backward: (dy: Float64Array, x: Float64Array, geometry: Geometry) => A,
): GradientCase<A>[] {
  return smallGeometries.map(pooling).map((geometry, i) => {
    const x = rounded(new Data(770 + i).normal(inputLength(geometry)));
    const dy = rounded(new Data(780 + i).normal(outputs(geometry)));
    return {
      note: describeGeometry(geometry),
      variables: { x },
      value: (v) => forward({ ...geometry, x: v.x }).reduce((sum, y, j) => sum + y * dy[j], 0),
      arguments: backward(dy, x, geometry),
      gradients: { dx: 'x' },
    };
  });
}

const winners = (x: Float64Array, geometry: Geometry) => maxPool2dForward({ x, ...geometry }).winner;

function maxGradientSamples(): Sample<MaxPoolGradientArguments>[] {
  const samples = all.map((geometry, i): Sample<MaxPoolGradientArguments> => {
    const data = new Data(800 + i);
    const winner = winners(data.normal(inputLength(geometry)), geometry);
    return { arguments: { dy: data.normal(outputs(geometry)), winner, ...geometry } };
  });
  const size = ordinary.height * ordinary.width * ordinary.channels;
  const bad = [-1, size, 2 ** 31 - 1, -(2 ** 31), 0, size - 1];
  const data = new Data(850);
  const winner = Float64Array.from({ length: outputs(ordinary) }, (_, i) => bad[i % bad.length]);
  return [
    ...samples,
    { note: 'winners outside the image', arguments: { dy: data.normal(winner.length), winner, ...ordinary } },
    {
      note: 'all in one place',
      arguments: { dy: data.normal(winner.length), winner: new Float64Array(winner.length).fill(4), ...ordinary },
    },
  ];
}

export const poolingCases = {
  maxPool2dForward: defineCases<PoolArguments>({
    samples: [...samples(700), ...choices()],
    reference: maxPool2dForward,
  }),

  maxPool2dBackward: defineCases<MaxPoolGradientArguments>({
    samples: maxGradientSamples(),
    reference: maxPool2dBackward,
    gradients: gradients(
      (a) => maxPool2dForward(a).y,
      (dy, x, geometry) => ({ dy, winner: winners(x, geometry), ...geometry }),
    ),
  }),

  avgPool2dForward: defineCases<PoolArguments>({ samples: samples(900), reference: avgPool2dForward }),

  avgPool2dBackward: defineCases<AvgPoolGradientArguments>({
    samples: all.map((geometry, i) => ({
      arguments: { dy: new Data(950 + i).normal(outputs(geometry)), ...geometry },
    })),
    reference: avgPool2dBackward,
    gradients: gradients(
      (a) => avgPool2dForward(a).y,
      (dy, _x, geometry) => ({ dy, ...geometry }),
    ),
  }),
} satisfies CaseTable;
