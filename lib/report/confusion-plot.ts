import { checkArity, checkBoolean, invalid } from '../checks.js';
import { ConfusionMatrix } from '../training/metrics.js';
import { readNames } from './decision-regions.js';
import { type PictureOptions, readOptions, shorten } from './style.js';
import { draw, LETTER } from './vega.js';

/** Up to this many classes, cells can be told apart. */
const MOST_DRAWN = 200;
/** With more classes, only the non-empty cells are drawn. */
const MANY = 50;
/** Maximum fraction of the width for the names at the left. */
const LABELS = 0.34;
/** Minimum font size of the names, in pixels. */
const LEAST_LINE = 8;

/** Options of {@link confusionMatrixPlot}. */
export interface ConfusionMatrixPlotOptions extends PictureOptions {
  /** Default: those of the matrix. */
  labelNames?: readonly string[];
  /** Show percentages of the true class instead of counts. Default false. */
  percent?: boolean;
}

/**
 * Plots a confusion matrix from `metrics.confusionMatrix`, with a row per true class and a column per predicted class.
 * The shade is the fraction of the row, so that small classes are as visible as large ones. Returns SVG. Throws
 * `PACKAGE_MISSING`, `INVALID_ARGUMENT`, `UNKNOWN_OPTION` and `SHAPE_MISMATCH`.
 */
export async function confusionMatrixPlot(
  matrix: ConfusionMatrix,
  options?: ConfusionMatrixPlotOptions,
): Promise<string> {
  checkArity('confusionMatrixPlot', arguments, 2);
  if (!(matrix instanceof ConfusionMatrix)) throw invalid('matrix', 'a ConfusionMatrix', matrix);
  const given = readOptions('confusionMatrixPlot', options, ['height', 'labelNames', 'percent'], 700);
  const percent = checkBoolean('percent', given.percent ?? false);
  if (matrix.classes > MOST_DRAWN) {
    throw invalid(
      'matrix',
      `at most ${MOST_DRAWN} classes (String(matrix) shows the most frequent confusions)`,
      matrix.classes,
    );
  }
  const { look } = given;
  const { shown: names, full } = shorten(
    readNames(given.labelNames ?? matrix.labelNames, matrix.classes),
    Math.max(6, Math.floor((LABELS * given.width) / (12 * LETTER))),
  );
  const scores = matrix.perClass();
  const cells = names.flatMap((truth, row) => {
    const { support } = scores[row];
    return names.map((predicted, column) => {
      const count = matrix.at(row, column);
      const share = support === 0 ? 0 : count / support;
      return { truth, predicted, share, text: percent ? (100 * share).toFixed(share === 0 ? 0 : 1) : String(count) };
    });
  });
  const longest = Math.max(...names.map((name) => name.length));
  const slanted = longest * names.length * 8 > given.width - 150;
  const cell = Math.min(given.width - 150, given.height - 100) / names.length;
  const widest = cells.reduce((most, { text }) => Math.max(most, text.length), 1);
  const fontSize = Math.max(7, Math.min(14, cell / (0.62 * widest + 0.6)));
  const written = cell >= fontSize + 1 ? cells : []; // numbers that would overlap are omitted
  const labels = { labelOverlap: cell < LEAST_LINE, labelFontSize: Math.min(12, Math.max(LEAST_LINE, cell - 1)) };
  const at = { x: { scale: 'x', field: 'predicted' }, y: { scale: 'y', field: 'truth' } };
  const spec = {
    ...given.frame(),
    ...(given.title && { title: given.title }),
    data: [
      { name: 'cells', values: names.length > MANY ? cells.filter(({ share }) => share > 0) : cells },
      { name: 'written', values: written },
    ],
    scales: [
      { name: 'x', type: 'band', domain: names, range: 'width' },
      { name: 'y', type: 'band', domain: names, range: 'height' },
      { name: 'shade', type: 'linear', domain: [0, 1], range: look.shades, interpolate: 'lab' },
    ],
    axes: [
      {
        scale: 'x',
        orient: 'bottom',
        title: 'predicted',
        ...labels,
        ...(slanted && { labelAngle: -40, labelAlign: 'right', labelBaseline: 'top' }),
      },
      { scale: 'y', orient: 'left', title: 'truth', ...labels },
    ],
    legends: [{ fill: 'shade', title: ['share of', 'the truth'], format: '.0%', gradientLength: 160, tickCount: 5 }],
    marks: [
      {
        type: 'rect',
        from: { data: 'cells' },
        encode: {
          enter: {
            ...at,
            width: { scale: 'x', band: 1 },
            height: { scale: 'y', band: 1 },
            fill: { scale: 'shade', field: 'share' },
            stroke: { value: look.edge },
            strokeWidth: { value: names.length > MANY ? 0 : 0.5 },
          },
        },
      },
      {
        type: 'text',
        from: { data: 'written' },
        encode: {
          enter: {
            x: { ...at.x, band: 0.5 },
            y: { ...at.y, band: 0.5 },
            text: { field: 'text' },
            align: { value: 'center' },
            baseline: { value: 'middle' },
            fontSize: { value: fontSize },
            fill: { signal: `datum.share > 0.5 ? '${look.onShades[1]}' : '${look.onShades[0]}'` },
            // Most cells of a good matrix are empty, so they are drawn faintly.
            fillOpacity: { signal: 'datum.share === 0 ? 0.45 : 1' },
          },
        },
      },
    ],
  };
  return draw('confusionMatrixPlot', look, spec, full);
}
