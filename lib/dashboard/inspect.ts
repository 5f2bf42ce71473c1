import { invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { checkFits, denseFeatures } from '../report/dense-features.js';
import { bytesOf, imageShape, imageUrl, thinned } from '../report/pixels.js';
import { countNumbers } from '../training/histogram.js';
import type { SampleSource } from '../types.js';

/** A network whose inside is shown; satisfied by `Network`. */
export interface Inspected {
  readonly inputs: readonly { readonly name: string | undefined; readonly shape: readonly number[] }[];
  readonly outputs: readonly { readonly name: string | undefined; readonly shape: readonly number[] }[];
  readonly parameters: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly value: Float32Array;
    readonly gradient: Float32Array;
  }[];
  predict(x: SampleSource): unknown;
}

/** Labelled images; satisfied by `Dataset`. */
export interface LabelledImages extends SampleSource {
  readonly labelNames?: readonly string[] | undefined;
  take(rows: number): SampleSource;
}

interface Bars {
  readonly min: number;
  readonly max: number;
  readonly counts: readonly number[];
}

export interface Inside {
  readonly parameters: readonly { name: string; shape: readonly number[]; weights: Bars; gradient: Bars }[];
  /** How many parameters have no histogram, because there are too many. */
  readonly more: number;
  readonly misread?: {
    readonly count: number;
    readonly of: number;
    readonly images: readonly { row: number; url: string; predicted: string; actual: string }[];
  };
}

const BINS = 24;
/** Numbers of each parameter that are counted, and parameters that are shown. */
const MOST_NUMBERS = 65536;
const MOST_PARAMETERS = 60;
/** Rows that are predicted: one batch of inference. Misread images that are shown, and their longest side in pixels. */
const ROWS = 500;
const IMAGES = 24;
const SIDE = 64;

/** Checks the options `network` and `samples`; returns a function that looks inside. */
export function inspector(network: Inspected | undefined, samples: LabelledImages | undefined) {
  if (network !== undefined && !Array.isArray(network?.parameters))
    throw invalid('dashboard: network', 'a Network', network);
  if (samples === undefined) return network && (() => describe(network, undefined));
  if (network === undefined) throw invalid('dashboard: samples', 'none without network', samples);
  if (!ArrayBuffer.isView(samples?.labels) || typeof samples.take !== 'function')
    throw invalid('dashboard: samples', 'a Dataset with labels', samples);
  const features = denseFeatures('dashboard: samples', samples);
  imageShape(samples.shape);
  const { inputs, outputs } = network;
  if (inputs.length !== 1 || outputs.length !== 1 || outputs[0].name !== undefined || outputs[0].shape.length !== 1) {
    const text = 'dashboard: samples: expected a network with one input and one output, of one number a class';
    throw new BlasnetError('INVALID_ARGUMENT', text);
  }
  checkFits('dashboard: samples', samples.shape, inputs[0].shape);
  const most = Math.min(ROWS, samples.length);
  const shown = features.subarray(0, (features.length / samples.length) * most);
  const infinite = shown.find((value) => !Number.isFinite(value));
  if (infinite !== undefined) throw invalid('dashboard: samples: features', 'finite numbers', infinite);
  const rows = samples.take(most);
  return () => describe(network, misread(network, rows, samples.labelNames));
}

function describe({ parameters }: Inspected, found: Inside['misread']): Inside {
  const shown = parameters.slice(0, MOST_PARAMETERS);
  return {
    parameters: shown.map(({ name, shape, value, gradient }) => {
      return { name, shape, weights: bars(value), gradient: bars(gradient) };
    }),
    more: parameters.length - shown.length,
    ...(found && { misread: found }),
  };
}

function bars(values: Float32Array): Bars {
  const { min, max, counts } = countNumbers(values, BINS, MOST_NUMBERS);
  return { min, max, counts };
}

/** The rows that are predicted wrong, the surest first. */
function misread(network: Inspected, rows: SampleSource, names: readonly string[] | undefined): Inside['misread'] {
  const outputs = network.predict(rows) as Float32Array;
  const classes = outputs.length / rows.length;
  const labels = rows.labels as Int32Array;
  const wrong: { row: number; predicted: number; sure: number }[] = [];
  for (let row = 0; row < rows.length; row++) {
    const own = outputs.subarray(row * classes, (row + 1) * classes);
    // A single output is the probability of class 1.
    const scores = classes === 1 ? [1 - own[0], own[0]] : own;
    let best = 0;
    for (let i = 1; i < scores.length; i++) if (scores[i] > scores[best]) best = i;
    if (best !== labels[row]) wrong.push({ row, predicted: best, sure: scores[best] });
  }
  wrong.sort((a, b) => b.sure - a.sure);
  const shown = wrong.slice(0, IMAGES);
  const nameOf = (label: number) => names?.[label] ?? String(label);
  const pixels = bytesOf(
    rows,
    shown.map(({ row }) => row),
  );
  const images = shown.map(({ row, predicted }, i) => {
    const image = { bytes: pixels[i], ...imageShape(rows.shape) };
    return { row, url: imageUrl(thinned(image, SIDE)), predicted: nameOf(predicted), actual: nameOf(labels[row]) };
  });
  return { count: wrong.length, of: rows.length, images };
}
