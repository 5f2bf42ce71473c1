import { checkBoolean, invalid } from '../checks.js';
import { ConfusionMatrix } from '../training/metrics.js';
import { readNames } from './decision-regions.js';
import { type PictureOptions, readOptions } from './style.js';
import { draw } from './vega.js';

export interface ConfusionMatrixPlotOptions extends PictureOptions {
  /** Default: the matrix's own. */
  labelNames?: readonly string[];
  /** Write shares of the true class in percent in place of counts. Default false. */
  percent?: boolean;
}

/**
 * A confusion matrix as `metrics.confusionMatrix` makes it: a row for each true class, a column for each predicted one. The shade
 * is the share of the row, so that small classes show as well as large ones. Returns SVG.
 * Throws `PACKAGE_MISSING`, `INVALID_ARGUMENT`, `UNKNOWN_OPTION` and `SHAPE_MISMATCH`.
 */
export async function confusionMatrixPlot(matrix: ConfusionMatrix, options?: ConfusionMatrixPlotOptions): Promise<string> {
  if (!(matrix instanceof ConfusionMatrix)) throw invalid('matrix', 'a ConfusionMatrix', matrix);
  const given = readOptions('confusionMatrixPlot', options, ['height', 'labelNames', 'percent'], 700);
  const percent = checkBoolean('percent', given.percent ?? false);
  const names = readNames(given.labelNames ?? matrix.labelNames, matrix.classes);
  const cells = names.flatMap((truth, row) => {
    const support = names.reduce((sum, _, column) => sum + matrix.at(row, column), 0);
    return names.map((predicted, column) => {
      const count = matrix.at(row, column);
      const share = support === 0 ? 0 : count / support;
      return { truth, predicted, share, text: percent ? (100 * share).toFixed(share === 0 ? 0 : 1) : String(count) };
    });
  });
  const longest = Math.max(...names.map((name) => name.length));
  const slanted = longest * names.length * 8 > given.width - 150;
  const cell = Math.min(given.width - 150, given.height - 100) / names.length;
  const fontSize = Math.max(7, Math.min(14, cell / (0.62 * Math.max(...cells.map(({ text }) => text.length)) + 0.6)));
  const at = { x: { scale: 'x', field: 'predicted' }, y: { scale: 'y', field: 'truth' } };
  return draw('confusionMatrixPlot', {
    ...given.frame,
    ...(given.title && { title: given.title }),
    data: [{ name: 'cells', values: cells }],
    scales: [
      { name: 'x', type: 'band', domain: names, range: 'width' },
      { name: 'y', type: 'band', domain: names, range: 'height' },
      { name: 'shade', type: 'linear', domain: [0, 1], range: ['#ffffff', '#08519c'], interpolate: 'lab' },
    ],
    axes: [
      {
        scale: 'x',
        orient: 'bottom',
        title: 'predicted',
        labelOverlap: false,
        ...(slanted && { labelAngle: -40, labelAlign: 'right', labelBaseline: 'top' }),
      },
      { scale: 'y', orient: 'left', title: 'truth', labelOverlap: false },
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
            stroke: { value: '#d5d5d5' },
            strokeWidth: { value: 0.5 },
          },
        },
      },
      {
        type: 'text',
        from: { data: 'cells' },
        encode: {
          enter: {
            x: { ...at.x, band: 0.5 },
            y: { ...at.y, band: 0.5 },
            text: { field: 'text' },
            align: { value: 'center' },
            baseline: { value: 'middle' },
            fontSize: { value: fontSize },
            fill: { signal: "datum.share > 0.5 ? 'white' : '#222'" },
            // Most cells of a good matrix are empty: they recede.
            fillOpacity: { signal: 'datum.share === 0 ? 0.45 : 1' },
          },
        },
      },
    ],
  });
}
