import { checkInteger, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { SampleSource, Shape } from '../types.js';
import { encodePng } from './png.js';
import { checkNumbers, type PictureOptions, readOptions } from './style.js';
import { draw, type Spec } from './vega.js';

export interface ImageGridOptions extends Omit<PictureOptions, 'height'> {
  /** Rows of the dataset. Default: the first 40. */
  indices?: ArrayLike<number>;
  /** Write the classes below the images. Default: where the dataset has labels. */
  labels?: boolean;
  /** Predicted class of each row of the dataset, or of each of `indices`. */
  predictions?: ArrayLike<number>;
  /** Images beside each other. Default: 10, fewer where there are fewer images. */
  columns?: number;
  /** Default: the dataset's, else the numbers of the classes. */
  labelNames?: readonly string[];
}

const GAP = 8;
const FONT_SIZE = 12;
const RIGHT = '#00694a';
const WRONG = '#b34700';

/**
 * Images of a dataset in a grid, with their classes and, where given, what a network took them for: a wrong prediction is
 * written in bold, as `✗ 9 (4)`, prediction first. Grey or colour: shape [height, width], [height, width, 1 or 3], or flat rows of a
 * square's number of pixels. Bytes are shown as they are; other numbers from the smallest (black) to the largest (white) of
 * the images shown. Returns SVG with the images as PNG inside.
 * Throws `PACKAGE_MISSING`, `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `SHAPE_MISMATCH` and `EMPTY_DATA`.
 */
export async function imageGrid(dataset: SampleSource, options?: ImageGridOptions): Promise<string> {
  const given = readOptions('imageGrid', options, ['indices', 'labels', 'predictions', 'columns', 'labelNames']);
  if (typeof dataset !== 'object' || dataset === null || !ArrayBuffer.isView(dataset.features))
    throw invalid('dataset', 'a Dataset', dataset);
  const indices =
    given.indices === undefined
      ? Array.from({ length: Math.min(40, dataset.length) }, (_, i) => i)
      : checkNumbers('indices', given.indices).map((index, i) =>
          checkInteger(`indices[${i}]`, index, { min: 0, below: dataset.length }),
        );
  if (indices.length === 0) throw new BlasnetError('EMPTY_DATA', 'indices: expected at least one image, got none');
  const { height, width, channels } = imageShape(dataset.shape);
  const columns = checkInteger('columns', given.columns ?? Math.min(10, indices.length), { min: 1, max: 50 });
  const captions = captionsOf(dataset, indices, given);
  const images = bytesOf(dataset, indices);

  const side = Math.max(8, Math.floor((given.width - 26 - (columns - 1) * GAP) / columns));
  const tall = Math.round((side * height) / width);
  const letters = Math.max(0, ...captions.map(({ text }) => text.length));
  const fontSize = Math.max(7, Math.min(FONT_SIZE, side / (0.6 * Math.max(1, letters))));
  const step = tall + GAP + (letters > 0 ? Math.ceil(fontSize) + 6 : 0);
  const enlarged = Math.max(1, Math.round((2 * side) / width)); // sharp on dense screens and where pixels are smoothed
  const cells = indices.map((_, i) => ({
    x: (i % columns) * (side + GAP),
    y: Math.floor(i / columns) * step,
    ...captions[i],
    url: `data:image/png;base64,${enlarge(images[i], height, width, channels, enlarged).toString('base64')}`,
  }));
  const at = { x: { field: 'x' }, y: { field: 'y' } };
  const text: Spec = {
    type: 'text',
    from: { data: 'cells' },
    encode: {
      enter: {
        x: { field: 'x', offset: side / 2 },
        y: { field: 'y', offset: tall + 4 },
        text: { field: 'text' },
        align: { value: 'center' },
        baseline: { value: 'top' },
        fontSize: { value: fontSize },
        fontWeight: { field: 'weight' },
        fill: { field: 'ink' },
      },
    },
  };
  const rows = Math.ceil(indices.length / columns);
  return draw('imageGrid', {
    width: Math.min(columns, indices.length) * (side + GAP) - GAP,
    height: rows * step - GAP,
    ...(given.title && { title: given.title }),
    data: [{ name: 'cells', values: cells }],
    marks: [
      {
        type: 'image',
        from: { data: 'cells' },
        encode: {
          enter: {
            ...at,
            width: { value: side },
            height: { value: tall },
            url: { field: 'url' },
            smooth: { value: false },
            aspect: { value: false },
          },
        },
      },
      {
        type: 'rect',
        from: { data: 'cells' },
        encode: {
          enter: {
            ...at,
            width: { value: side },
            height: { value: tall },
            stroke: { value: '#bbb' },
            strokeWidth: { value: 0.5 },
          },
        },
      },
      ...(letters > 0 ? [text] : []),
    ],
  });
}

function imageShape(shape: Shape): { height: number; width: number; channels: 1 | 3 } {
  const [height, width, channels = 1] = shape;
  if ((shape.length === 2 || shape.length === 3) && (channels === 1 || channels === 3)) return { height, width, channels };
  const side = Math.sqrt(shape[0]);
  if (shape.length === 1 && Number.isInteger(side)) return { height: side, width: side, channels: 1 };
  throw new BlasnetError(
    'SHAPE_MISMATCH',
    `dataset: expected images of shape [height, width], [height, width, 1 or 3] or [a square number], got [${shape.join(', ')}]`,
  );
}

function captionsOf(
  dataset: SampleSource,
  indices: readonly number[],
  given: Pick<ImageGridOptions, 'labels' | 'predictions' | 'labelNames'>,
) {
  const names = given.labelNames ?? (dataset as { labelNames?: readonly string[] }).labelNames;
  const nameOf = (label: number) => names?.[label] ?? String(label);
  if (given.labels === true && !dataset.labels) throw invalid('labels', 'a dataset that has them', 'one without');
  const labels = given.labels === false ? undefined : dataset.labels;
  const predictions = given.predictions === undefined ? undefined : checkNumbers('predictions', given.predictions);
  if (predictions && predictions.length !== dataset.length && predictions.length !== indices.length) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `predictions: expected ${dataset.length} (one a row of the dataset) or ${indices.length} (one an image), got ${predictions.length}`,
    );
  }
  return indices.map((row, i) => {
    const label = labels?.[row];
    const predicted = predictions?.[predictions.length === indices.length ? i : row];
    if (predicted === undefined) return { text: label === undefined ? '' : nameOf(label), ink: '#222', weight: 'normal' };
    if (label === undefined) return { text: nameOf(predicted), ink: '#222', weight: 'normal' };
    if (predicted === label) return { text: nameOf(label), ink: RIGHT, weight: 'normal' };
    return { text: `✗ ${nameOf(predicted)} (${nameOf(label)})`, ink: WRONG, weight: 'bold' };
  });
}

/** The images as bytes. */
function bytesOf({ features, length }: SampleSource, indices: readonly number[]): Uint8Array[] {
  const size = features.length / length;
  const rows = indices.map((row) => features.subarray(row * size, (row + 1) * size));
  if (features instanceof Uint8Array) return rows as Uint8Array[];
  let low = Infinity;
  let high = -Infinity;
  for (const row of rows) {
    for (const value of row) {
      if (!Number.isFinite(value)) throw invalid('dataset: features', 'finite numbers', value);
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  const range = high > low ? high - low : 1;
  return rows.map((row) => Uint8Array.from(row, (value) => Math.round((255 * (value - low)) / range)));
}

/** A PNG in which each pixel is a square of `factor` × `factor`. */
function enlarge(pixels: Uint8Array, height: number, width: number, channels: 1 | 3, factor: number): Buffer {
  const large = new Uint8Array(pixels.length * factor * factor);
  let at = 0;
  for (let y = 0; y < height * factor; y++) {
    const row = Math.floor(y / factor) * width;
    for (let x = 0; x < width * factor; x++) {
      const from = (row + Math.floor(x / factor)) * channels;
      for (let c = 0; c < channels; c++) large[at++] = pixels[from + c];
    }
  }
  return encodePng(large, height * factor, width * factor, channels);
}
