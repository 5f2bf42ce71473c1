import { fusedActivations } from '../../../lib/kernels/table.js';
import type { Results, Vector } from '../types.js';
import { activation } from './activations.js';
import type { ConvolutionGeometry } from './conv2d.js';

/** `channels` and `filters` are those of one group. */
export type GroupedGeometry = ConvolutionGeometry & { groups: number; dilationHeight: number; dilationWidth: number };

/** Calls `visit` with the indices in y, x and w of every product that the convolution sums. */
function eachProduct(g: GroupedGeometry, visit: (y: number, x: number, w: number) => void): void {
  for (let i = 0; i < g.rows; i++) {
    for (let oy = 0; oy < g.outHeight; oy++) {
      for (let ox = 0; ox < g.outWidth; ox++) {
        for (let ky = 0; ky < g.windowHeight; ky++) {
          for (let kx = 0; kx < g.windowWidth; kx++) {
            const iy = oy * g.strideHeight + ky * g.dilationHeight - g.padTop;
            const ix = ox * g.strideWidth + kx * g.dilationWidth - g.padLeft;
            if (iy < 0 || iy >= g.height || ix < 0 || ix >= g.width) continue;
            for (let group = 0; group < g.groups; group++) {
              for (let c = 0; c < g.channels; c++) {
                for (let f = 0; f < g.filters; f++) {
                  const y = (((i * g.outHeight + oy) * g.outWidth + ox) * g.groups + group) * g.filters + f;
                  const x = (((i * g.height + iy) * g.width + ix) * g.groups + group) * g.channels + c;
                  const w = (((ky * g.windowWidth + kx) * g.channels + c) * g.groups + group) * g.filters + f;
                  visit(y, x, w);
                }
              }
            }
          }
        }
      }
    }
  }
}

export type GroupedArguments = GroupedGeometry & {
  x: Vector;
  w: Vector;
  b: Vector | null;
  activation: number;
  slope: number;
};

export function groupedConv2dForward(a: GroupedArguments) {
  const outputs = a.groups * a.filters;
  const y = new Float64Array(a.rows * a.outHeight * a.outWidth * outputs).map((_, i) => a.b?.[i % outputs] ?? 0);
  eachProduct(a, (i, j, k) => {
    y[i] += a.x[j] * a.w[k];
  });
  const f = activation[fusedActivations[a.activation]];
  return { y: y.map((z) => f(z, a.slope)) };
}

export type GroupedInputGradientArguments = GroupedGeometry & { dy: Vector; w: Vector };

export function groupedConv2dBackwardInput(a: GroupedInputGradientArguments): Results {
  const dx = new Float64Array(a.rows * a.height * a.width * a.groups * a.channels);
  eachProduct(a, (i, j, k) => {
    dx[j] += a.dy[i] * a.w[k];
  });
  return { dx };
}

export type GroupedPartsArguments = GroupedGeometry & { x: Vector; dy: Vector; parts: number; dbParts?: null };

/** Image i counts for the part whose share it is in: that of the images from ⌈rows · p / parts⌉. */
export function groupedConv2dBackwardParts(a: GroupedPartsArguments): Results {
  const outputs = a.groups * a.filters;
  const length = a.windowHeight * a.windowWidth * a.channels * outputs;
  const [dwParts, dbParts] = [new Float64Array(a.parts * length), new Float64Array(a.parts * outputs)];
  const image = a.outHeight * a.outWidth * outputs;
  const first = Array.from({ length: a.parts + 1 }, (_, part) => Math.ceil((a.rows * part) / a.parts));
  const partOf = (y: number) => first.findLastIndex((row) => row <= Math.floor(y / image));
  if (a.parts > 0) {
    eachProduct(a, (i, j, k) => {
      dwParts[partOf(i) * length + k] += a.dy[i] * a.x[j];
    });
    for (let i = 0; i < a.dy.length; i++) dbParts[partOf(i) * outputs + (i % outputs)] += a.dy[i];
  }
  return { dwParts, dbParts };
}
