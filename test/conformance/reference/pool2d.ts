import type { Results, Vector } from '../types.js';
import { eachPixel, type Geometry } from './conv2d.js';

export type PoolArguments = Geometry & { x: Vector };

const outputLength = (g: Geometry) => g.rows * g.outHeight * g.outWidth * g.channels;
const inputLength = (g: Geometry) => g.rows * g.height * g.width * g.channels;

export function maxPool2dForward(a: PoolArguments) {
  const y = new Float64Array(outputLength(a));
  const winner = new Float64Array(outputLength(a)).fill(-1);
  const imagePixels = a.height * a.width;
  eachPixel(a, (output, input) => {
    for (let c = 0; c < a.channels; c++) {
      const o = output * a.channels + c;
      const value = a.x[input * a.channels + c];
      const wins = winner[o] === -1 || value > y[o] || (Number.isNaN(value) && !Number.isNaN(y[o]));
      if (!wins) continue;
      y[o] = value;
      winner[o] = (input % imagePixels) * a.channels + c;
    }
  });
  return { y, winner };
}

export type MaxPoolGradientArguments = Geometry & { dy: Vector; winner: Vector };

export function maxPool2dBackward(a: MaxPoolGradientArguments): Results {
  const dx = new Float64Array(inputLength(a));
  const [size, outSize] = [a.height * a.width * a.channels, a.outHeight * a.outWidth * a.channels];
  for (let o = 0; o < a.rows * outSize; o++) {
    const position = a.winner[o];
    if (position >= 0 && position < size) dx[Math.floor(o / outSize) * size + position] += a.dy[o];
  }
  return { dx };
}

/** Pixels of the image that each output pixel's window holds. */
function counts(g: Geometry): Float64Array {
  const result = new Float64Array(g.rows * g.outHeight * g.outWidth);
  eachPixel(g, (output) => {
    result[output]++;
  });
  return result;
}

export function avgPool2dForward(a: PoolArguments) {
  const y = new Float64Array(outputLength(a));
  eachPixel(a, (output, input) => {
    for (let c = 0; c < a.channels; c++) y[output * a.channels + c] += a.x[input * a.channels + c];
  });
  const count = counts(a);
  return { y: y.map((sum, o) => sum / Math.max(1, count[Math.floor(o / a.channels)])) };
}

export type AvgPoolGradientArguments = Geometry & { dy: Vector };

export function avgPool2dBackward(a: AvgPoolGradientArguments): Results {
  const dx = new Float64Array(inputLength(a));
  const count = counts(a);
  eachPixel(a, (output, input) => {
    for (let c = 0; c < a.channels; c++) dx[input * a.channels + c] += a.dy[output * a.channels + c] / count[output];
  });
  return { dx };
}
