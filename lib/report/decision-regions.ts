import { checkArity, checkInteger, checkLabelNames, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { listed } from '../text.js';
import type { SampleSource } from '../types.js';
import { denseFeatures } from './dense-features.js';
import { colour, shape } from './look.js';
import { areaMarks, areas, centres, checkField, plane, planeScales } from './plane.js';
import { checkNumbers, checkRange, checkText, extent, type PictureOptions, readOptions, shorten } from './style.js';
import { draw, LETTER } from './vega.js';

/**
 * A network, or a function of rows × 2 numbers that returns rows × classes numbers, or rows × 1 probabilities of class
 * 1.
 */
export type Predictor = { predict(x: Float32Array): ArrayLike<number> } | ((x: Float32Array) => ArrayLike<number>);

/** Options of {@link decisionRegions}. */
export interface DecisionRegionsOptions extends PictureOptions {
  /** [low, high] of the first feature. Default: the range of the points plus a tenth on either side. */
  xRange?: readonly [number, number];
  yRange?: readonly [number, number];
  xTitle?: string;
  yTitle?: string;
  /** Grid cells across at which the network is evaluated, 10 to 500; there are 0.7 times as many down. Default 120. */
  resolution?: number;
  /** Default: those of the dataset, otherwise the class numbers. */
  labelNames?: readonly string[];
}

/**
 * Plots the predicted class over the plane for a network with two inputs, with the points of a dataset:
 * `decisionRegions(network, moons)`. Boundaries lie where the two largest outputs are equal (for one output: where it
 * is 0.5), interpolated between cells. Returns SVG. Throws `PACKAGE_MISSING`, `INVALID_ARGUMENT`, `UNKNOWN_OPTION`,
 * `SHAPE_MISMATCH`, `EMPTY_DATA`, and `NON_FINITE` if the network returns NaN or infinity.
 */
export async function decisionRegions(
  predictor: Predictor,
  points: SampleSource,
  options?: DecisionRegionsOptions,
): Promise<string> {
  checkArity('decisionRegions', arguments, 3);
  const given = readOptions(
    'decisionRegions',
    options,
    ['height', 'xRange', 'yRange', 'xTitle', 'yTitle', 'resolution', 'labelNames'],
    560,
  );
  const resolution = checkInteger('resolution', given.resolution ?? 120, { min: 10, max: 500 });
  const predict = typeof predictor === 'function' ? predictor : predictor?.predict?.bind(predictor);
  if (typeof predict !== 'function') throw invalid('predictor', 'a network or a function', predictor);
  const { x, y, labels } = readPoints(points);
  const area = plane(
    given.xRange ? checkRange('xRange', given.xRange) : extent('points', x, 0.1),
    given.yRange ? checkRange('yRange', given.yRange) : extent('points', y, 0.1),
    resolution,
  );

  const grid = Float32Array.from(centres(area));
  const values = checkNumbers('predictions', predict(grid));
  const cells = grid.length / 2;
  const outputs = values.length / cells;
  if (!Number.isInteger(outputs) || outputs === 0) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `predictions: expected the same number for each of ${cells} points, got ${values.length}`,
    );
  }
  checkField('predictions', values, grid);
  const classes = Math.max(outputs, 2);
  const wrong = labels.find((label) => label >= classes || label < 0);
  if (wrong !== undefined) {
    throw new BlasnetError(
      'LABEL_OUT_OF_RANGE',
      `points: expected labels from 0 to ${classes - 1}, as the network has, got ${wrong}`,
    );
  }
  const { look } = given;
  const columns = Math.ceil(classes / Math.max(1, Math.floor((given.height - 80) / 17)));
  const { shown: names, full } = shorten(
    readNames(given.labelNames ?? (points as { labelNames?: readonly string[] }).labelNames, classes),
    Math.max(4, Math.floor(((LEGEND * given.width) / columns - 20) / (12 * LETTER))),
  );
  const order = names.map((_, k) => k);
  const fields = order.map((k) => ({ key: names[k], values: lead(values, outputs, k) }));
  const key = (name: string, range: unknown[]) => ({ name, type: 'ordinal', domain: names, range });
  const at = { x: { scale: 'x', field: 'x' }, y: { scale: 'y', field: 'y' } };
  const spec = {
    ...given.frame(),
    ...(given.title && { title: given.title }),
    data: [
      areas('regions', area, fields, [0]),
      { name: 'points', values: x.map((value, i) => ({ x: value, y: y[i], label: names[labels[i]] })) },
    ],
    scales: [
      ...planeScales(area),
      key(
        'colour',
        order.map((k) => colour(look, k)),
      ),
      key('shape', order.map(shape)),
    ],
    axes: [
      { scale: 'x', orient: 'bottom', title: checkText('xTitle', given.xTitle ?? 'x') },
      { scale: 'y', orient: 'left', title: checkText('yTitle', given.yTitle ?? 'y') },
    ],
    legends: [
      {
        fill: 'colour',
        shape: 'shape',
        title: 'class',
        columns,
        symbolLimit: 0,
        symbolSize: 90,
        symbolStrokeWidth: 0.7,
        symbolStrokeColor: look.background,
      },
    ],
    marks: [
      areaMarks('regions', {
        fill: { scale: 'colour', field: 'key' },
        fillOpacity: { value: 0.28 },
        stroke: { value: look.outline },
        strokeWidth: { value: 0.8 },
      }),
      {
        type: 'symbol',
        clip: true,
        from: { data: 'points' },
        encode: {
          enter: {
            ...at,
            fill: { scale: 'colour', field: 'label' },
            shape: { scale: 'shape', field: 'label' },
            size: { value: x.length > 500 ? 28 : 50 },
            stroke: { value: look.background },
            strokeWidth: { value: 0.7 },
          },
        },
      },
    ],
  };
  return draw('decisionRegions', look, spec, full);
}

/** Maximum fraction of the width for the legend. */
const LEGEND = 0.3;

/** Margin of class `k` over the best other class, per cell; at or above 0 where it is predicted. */
function lead(values: readonly number[], outputs: number, k: number): number[] {
  return Array.from({ length: values.length / outputs }, (_, cell) => {
    if (outputs === 1) return k === 1 ? values[cell] - 0.5 : 0.5 - values[cell];
    let best = -Infinity;
    for (let j = 0; j < outputs; j++) if (j !== k) best = Math.max(best, values[cell * outputs + j]);
    return values[cell * outputs + k] - best;
  });
}

function readPoints(points: SampleSource): { x: number[]; y: number[]; labels: number[] } {
  const features = denseFeatures('points', points);
  const { labels, length, scale, offset } = points;
  if (!labels) throw invalid('points', 'a dataset with labels', 'one without');
  if (features.length !== 2 * length) {
    throw new BlasnetError('SHAPE_MISMATCH', `points: expected two features, got ${features.length / length}`);
  }
  if (length === 0) throw new BlasnetError('EMPTY_DATA', 'points: expected at least one row, got none');
  const column = (at: number) => Array.from({ length }, (_, row) => features[2 * row + at] * scale + offset);
  const [x, y] = [column(0), column(1)];
  checkNumbers('points: first feature', x, { finite: true });
  checkNumbers('points: second feature', y, { finite: true });
  return { x, y, labels: Array.from(labels) };
}

/** A name per class. Duplicate names would share a colour, so they are rejected. */
export function readNames(names: unknown, classes: number): string[] {
  if (names === undefined) return Array.from({ length: classes }, (_, k) => String(k));
  const checked = checkLabelNames(names, classes);
  if (new Set(checked).size < classes) throw invalid('labelNames', 'unique names', listed(checked));
  return checked;
}
