import { checkArity, checkInteger, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { SampleSource } from '../types.js';
import { denseFeatures } from './dense-features.js';
import type { Look } from './look.js';
import { bytesOf, enlarged, imageShape, imageUrl, thinned } from './pixels.js';
import { checkNumbers, type PictureOptions, readOptions, shorten } from './style.js';
import { draw, type Spec } from './vega.js';

/** Options of {@link imageGrid}. */
export interface ImageGridOptions extends Omit<PictureOptions, 'height'> {
  /** Row numbers of the dataset. Default: the first 40. */
  indices?: ArrayLike<number>;
  /** Show class names below the images. Default: true if the dataset has labels. */
  labels?: boolean;
  /** Predicted class per row of the dataset or, if these are as many as `indices` but not as the rows, per image. */
  predictions?: ArrayLike<number>;
  /** Images per row. Default: 10, fewer if there are fewer images. */
  columns?: number;
  /** A name per class. Default: those of the dataset, otherwise the class numbers. */
  labelNames?: readonly string[];
}

const GAP = 8;
const FONT_SIZE = 12;
/** Captions are shortened rather than set in a smaller font. */
const LEAST_FONT_SIZE = 11;
/** Mean width of a bold letter, as a fraction of the font size. */
const LETTER = 0.6;
/** Default images per row; fewer if their captions are long. */
const COLUMNS = { least: 4, most: 10 };

/**
 * Draws images of a dataset in a grid, with their classes and, if given, predictions. Wrong predictions are bold, as
 * `✗ 9 (4)`, prediction first. Grey or colour: shape [height, width], [height, width, 1 or 3], or flat rows that form a
 * square. Bytes are shown as they are; other numbers are scaled from the smallest (black) to the largest (white) of the
 * images shown. Returns SVG with embedded PNG images. Throws `PACKAGE_MISSING`, `INVALID_ARGUMENT`, `UNKNOWN_OPTION`,
 * `SHAPE_MISMATCH` and `EMPTY_DATA`.
 */
export async function imageGrid(dataset: SampleSource, options?: ImageGridOptions): Promise<string> {
  checkArity('imageGrid', arguments, 2);
  const given = readOptions('imageGrid', options, ['indices', 'labels', 'predictions', 'columns', 'labelNames']);
  denseFeatures('dataset', dataset);
  const indices =
    given.indices === undefined
      ? Array.from({ length: Math.min(40, dataset.length) }, (_, i) => i)
      : checkNumbers('indices', given.indices).map((index, i) =>
          checkInteger(`indices[${i}]`, index, { min: 0, below: dataset.length }),
        );
  if (indices.length === 0) throw new BlasnetError('EMPTY_DATA', 'indices: expected at least one image, got none');
  const shape = imageShape(dataset.shape);
  const { height, width } = shape;
  const { look } = given;
  const captions = captionsOf(dataset, indices, given, look);
  const letters = captions.reduce((most, { parts }) => Math.max(most, lengthOf(parts.join(' '))), 0);
  const fitting = Math.floor((given.width - 26 + GAP) / (letters * LETTER * FONT_SIZE + GAP));
  const usual = Math.min(COLUMNS.most, Math.max(COLUMNS.least, fitting), indices.length);
  const columns = checkInteger('columns', given.columns ?? usual, { min: 1, max: 50 });
  const images = bytesOf(dataset, indices);

  const side = Math.max(8, Math.floor((given.width - 26 - (columns - 1) * GAP) / columns));
  const tall = Math.round((side * height) / width);
  const fontSize = Math.max(LEAST_FONT_SIZE, Math.min(FONT_SIZE, side / (LETTER * Math.max(1, letters))));
  const available = Math.max(2, Math.floor(side / (LETTER * fontSize)));
  // If prediction and truth don't fit on one line, each gets its own.
  const split = letters > available && captions.some(({ parts }) => parts.length > 1);
  const written = captions.map(({ parts, ...rest }) => {
    const wanted = split ? parts : parts.length === 0 ? [] : [parts.join(' ')];
    return { ...rest, ...shorten(wanted, available) };
  });
  const cut = new Map(written.flatMap(({ full }) => [...full]));
  const lineHeight = Math.ceil(fontSize) + 2;
  const step = tall + GAP + (letters > 0 ? (split ? 2 : 1) * lineHeight + 4 : 0);
  // Sharp on dense screens and where pixels are smoothed, and no larger than can be seen.
  const factor = Math.max(1, Math.round((2 * side) / width));
  const most = 3 * Math.max(side, tall);
  const cells = indices.map((_, i) => ({
    x: (i % columns) * (side + GAP),
    y: Math.floor(i / columns) * step,
    url: imageUrl(enlarged(thinned({ bytes: images[i], ...shape }, most), factor)),
  }));
  const lines = written.flatMap(({ shown, ink, weight }, i) =>
    shown.map((text, line) => ({ x: cells[i].x, y: cells[i].y + line * lineHeight, text, ink, weight })),
  );
  const at = { x: { field: 'x' }, y: { field: 'y' } };
  const text: Spec = {
    type: 'text',
    from: { data: 'captions' },
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
  const spec = {
    width: Math.min(columns, indices.length) * (side + GAP) - GAP,
    height: rows * step - GAP,
    ...(given.title && { title: given.title }),
    data: [
      { name: 'cells', values: cells },
      { name: 'captions', values: lines },
    ],
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
            stroke: { value: look.edge },
            strokeWidth: { value: 0.5 },
          },
        },
      },
      ...(letters > 0 ? [text] : []),
    ],
  };
  return draw('imageGrid', look, spec, cut);
}

const lengthOf = (text: string): number => Array.from(text).length;

/** The caption of an image: empty, a name, or a wrong prediction and the truth. */
interface Caption {
  readonly parts: readonly string[];
  readonly ink: string;
  readonly weight: 'normal' | 'bold';
}

function captionsOf(
  dataset: SampleSource,
  indices: readonly number[],
  given: Pick<ImageGridOptions, 'labels' | 'predictions' | 'labelNames'>,
  { ink, right, wrong }: Look,
): Caption[] {
  if (given.labels === true && !dataset.labels) throw invalid('labels', 'a dataset with labels', 'one without');
  const labels = given.labels === false ? undefined : dataset.labels;
  const predictions = given.predictions === undefined ? undefined : checkNumbers('predictions', given.predictions);
  if (predictions && predictions.length !== dataset.length && predictions.length !== indices.length) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `predictions: expected ${dataset.length} (one per row of the dataset) or ${indices.length} (one per image), got ${predictions.length}`,
    );
  }
  const names = checkNames(dataset, given.labelNames, [labels ?? [], predictions ?? []]);
  const nameOf = (label: number) => names?.[label] ?? String(label);
  return indices.map((row, i) => {
    const label = labels?.[row];
    const predicted = predictions?.[predictions.length === dataset.length ? row : i];
    const plain = (text: number | undefined): Caption => ({
      parts: text === undefined ? [] : [nameOf(text)],
      ink,
      weight: 'normal',
    });
    if (predicted === undefined) return plain(label);
    if (label === undefined) return plain(predicted);
    if (predicted === label) return { ...plain(label), ink: right };
    return { parts: [`✗ ${nameOf(predicted)}`, `(${nameOf(label)})`], ink: wrong, weight: 'bold' };
  });
}

/** The names of the classes: of all that the dataset has, and all numbers of the lists. */
function checkNames(
  dataset: SampleSource,
  given: unknown,
  lists: readonly ArrayLike<number>[],
): readonly string[] | undefined {
  const { labelNames, classes: all } = dataset as { labelNames?: unknown; classes?: unknown };
  const names = given ?? labelNames;
  if (names === undefined) return undefined;
  if (!Array.isArray(names) || ![...names].every((name) => typeof name === 'string'))
    throw invalid('labelNames', 'an array of strings', names);
  let classes = typeof all === 'number' ? all : 0;
  for (const list of lists) for (let i = 0; i < list.length; i++) classes = Math.max(classes, list[i] + 1);
  if (names.length >= classes) return names;
  const text = `labelNames: expected a name for each of the ${classes} classes, got ${names.length}`;
  throw new BlasnetError('SHAPE_MISMATCH', text);
}
