import { fusedActivations } from '../../../lib/kernels/table.js';
import type { Results, Vector } from '../types.js';
import { activation } from './activations.js';

/** Sizes of a batch of images and of a window that slides over them. */
export type Geometry = {
  rows: number;
  height: number;
  width: number;
  channels: number;
  outHeight: number;
  outWidth: number;
  windowHeight: number;
  windowWidth: number;
  strideHeight: number;
  strideWidth: number;
  padTop: number;
  padLeft: number;
};

export type ConvolutionGeometry = Geometry & { filters: number };

/** Calls `visit` with the input pixel and the window's pixel of every output pixel; pixels are counted row by row. */
export function eachPixel(g: Geometry, visit: (output: number, input: number, window: number) => void): void {
  for (let i = 0; i < g.rows; i++) {
    for (let oy = 0; oy < g.outHeight; oy++) {
      for (let ox = 0; ox < g.outWidth; ox++) {
        for (let ky = 0; ky < g.windowHeight; ky++) {
          for (let kx = 0; kx < g.windowWidth; kx++) {
            const iy = oy * g.strideHeight + ky - g.padTop;
            const ix = ox * g.strideWidth + kx - g.padLeft;
            if (iy < 0 || iy >= g.height || ix < 0 || ix >= g.width) continue;
            visit(
              (i * g.outHeight + oy) * g.outWidth + ox,
              (i * g.height + iy) * g.width + ix,
              ky * g.windowWidth + kx,
            );
          }
        }
      }
    }
  }
}

/** Calls `visit` with the indices in y, x and w of every product that the convolution sums. */
function eachProduct(g: ConvolutionGeometry, visit: (y: number, x: number, w: number) => void): void {
  eachPixel(g, (output, input, window) => {
    for (let c = 0; c < g.channels; c++) {
      for (let f = 0; f < g.filters; f++) {
        visit(output * g.filters + f, input * g.channels + c, (window * g.channels + c) * g.filters + f);
      }
    }
  });
}

export type ConvolutionArguments = ConvolutionGeometry & {
  x: Vector;
  w: Vector;
  b: Vector | null;
  activation: number;
  slope: number;
};

export function conv2dForward(a: ConvolutionArguments) {
  const y = Float64Array.from(
    { length: a.rows * a.outHeight * a.outWidth * a.filters },
    (_, i) => a.b?.[i % a.filters] ?? 0,
  );
  eachProduct(a, (i, j, k) => {
    y[i] += a.x[j] * a.w[k];
  });
  const f = activation[fusedActivations[a.activation]];
  return { y: y.map((z) => f(z, a.slope)) };
}

export type InputGradientArguments = ConvolutionGeometry & { dy: Vector; w: Vector };

export function conv2dBackwardInput(a: InputGradientArguments): Results {
  const dx = new Float64Array(a.rows * a.height * a.width * a.channels);
  eachProduct(a, (i, j, k) => {
    dx[j] += a.dy[i] * a.w[k];
  });
  return { dx };
}

export type ReverseArguments = {
  w: Vector;
  windowHeight: number;
  windowWidth: number;
  channels: number;
  filters: number;
};

export function conv2dReverseWeights({ w, windowHeight, windowWidth, channels, filters }: ReverseArguments) {
  const reversed = new Float64Array(windowHeight * windowWidth * channels * filters);
  for (let ky = 0; ky < windowHeight; ky++) {
    for (let kx = 0; kx < windowWidth; kx++) {
      for (let c = 0; c < channels; c++) {
        for (let f = 0; f < filters; f++) {
          const from = (((windowHeight - 1 - ky) * windowWidth + windowWidth - 1 - kx) * channels + c) * filters + f;
          reversed[((ky * windowWidth + kx) * filters + f) * channels + c] = w[from];
        }
      }
    }
  }
  return { reversed };
}

type OnePart = ConvolutionGeometry & { x: Vector; dy: Vector; patch: number };

function weightGradient(a: OnePart): Float64Array {
  const dw = new Float64Array(a.patch * a.filters);
  eachProduct(a, (i, j, k) => {
    dw[k] += a.dy[i] * a.x[j];
  });
  return dw;
}

export type WeightGradientArguments = OnePart & { parts: number; dbParts?: null };

/** Of part p the images from the first whose number is not below rows · p / parts. */
export function conv2dBackwardWeight(a: WeightGradientArguments): Results {
  const dwParts: number[] = [];
  const dbParts: number[] = [];
  const [image, output] = [a.height * a.width * a.channels, a.outHeight * a.outWidth * a.filters];
  for (let part = 0, from = 0; part < a.parts; part++) {
    let to = from;
    while (to < a.rows && to * a.parts < a.rows * (part + 1)) to++;
    const x = Array.from(a.x).slice(from * image, to * image);
    const dy = Array.from(a.dy).slice(from * output, to * output);
    dwParts.push(...weightGradient({ ...a, x, dy, rows: to - from }));
    const db = new Array<number>(a.filters).fill(0);
    dy.forEach((value, i) => {
      db[i % a.filters] += value;
    });
    dbParts.push(...db);
    from = to;
  }
  return { dwParts, dbParts };
}
