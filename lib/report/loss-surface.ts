import { checkArity, checkInteger, invalid } from '../checks.js';
import { dress, legend, marks, tables } from './curves.js';
import type { Look } from './look.js';
import { areaMarks, areas, centres, checkField, plane, planeScales } from './plane.js';
import {
  type Curve,
  checkCurves,
  checkNumbers,
  checkRange,
  checkText,
  extent,
  type PictureOptions,
  readOptions,
} from './style.js';
import { draw } from './vega.js';

/** Options of {@link lossSurface}. */
export interface LossSurfaceOptions extends PictureOptions {
  /** [low, high] of the first parameter. Default: the range of the paths plus a tenth on either side. */
  xRange?: readonly [number, number];
  yRange?: readonly [number, number];
  xTitle?: string;
  yTitle?: string;
  /** Contour levels, ascending. Default: eleven, with equal areas between them. */
  levels?: readonly number[];
  /** Grid cells across at which the surface is evaluated, 10 to 500; there are 0.7 times as many down. Default 120. */
  resolution?: number;
}

/** Significant digits of the levels; more where they lie close together. */
const LEAST_DIGITS = 3;

/**
 * Plots contours of a loss over two parameters with the paths of optimizers:
 * `lossSurface((a, b) => loss(a, b), [{ name: 'SGD', x, y }, …])`. A ring marks the start of a path, a dot its end.
 * Returns SVG. Throws `PACKAGE_MISSING`, `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `SHAPE_MISMATCH`, `EMPTY_DATA` (neither
 * paths nor ranges), and `NON_FINITE` if the surface is NaN or infinite.
 */
export async function lossSurface(
  surface: (x: number, y: number) => number,
  paths: readonly Curve[] = [],
  options?: LossSurfaceOptions,
): Promise<string> {
  checkArity('lossSurface', arguments, 3);
  const given = readOptions(
    'lossSurface',
    options,
    ['height', 'xRange', 'yRange', 'xTitle', 'yTitle', 'levels', 'resolution'],
    560,
  );
  if (typeof surface !== 'function') throw invalid('surface', 'a function of two numbers', surface);
  const resolution = checkInteger('resolution', given.resolution ?? 120, { min: 10, max: 500 });
  const drawn = dress(given.look, checkCurves('paths', paths));
  const along = (axis: 'x' | 'y') => drawn.flatMap((path) => Array.from(path[axis]));
  const area = plane(
    given.xRange ? checkRange('xRange', given.xRange) : extent('paths: x', along('x'), 0.1),
    given.yRange ? checkRange('yRange', given.yRange) : extent('paths: y', along('y'), 0.1),
    resolution,
  );
  const grid = centres(area);
  const values = Array.from({ length: grid.length / 2 }, (_, i) => surface(grid[2 * i], grid[2 * i + 1]));
  checkNumbers('surface', values);
  checkField('surface', values, grid);
  const levels = given.levels ? checkLevels(given.levels) : quantiles(values, 11);
  const lowest = Math.min(...extent('surface', values), levels[0]);
  const thresholds = [...new Set([lowest, ...levels])];
  const keys = legend(drawn, given.width, given.height);
  const ends = drawn.flatMap((path) => {
    const [first, last] = [0, path.x.length - 1].map((i) => ({ x: path.x[i], y: path.y[i], colour: path.colour }));
    return path.x.length === 0
      ? []
      : [
          { ...first, fill: given.look.background },
          { ...last, fill: path.colour },
        ];
  });
  const spec = {
    ...given.frame(keys.extra),
    ...(given.title && { title: given.title }),
    data: [
      areas('heights', area, [{ key: 'surface', values }], thresholds),
      { name: 'ends', values: ends.filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y)) },
      ...tables('path', drawn),
    ],
    scales: [
      ...planeScales(area),
      { name: 'height', type: 'ordinal', domain: thresholds, range: greys(given.look, thresholds.length) },
      ...keys.scales,
    ],
    axes: [
      { scale: 'x', orient: 'bottom', title: checkText('xTitle', given.xTitle ?? 'x') },
      { scale: 'y', orient: 'left', title: checkText('yTitle', given.yTitle ?? 'y') },
    ],
    legends: [
      {
        fill: 'height',
        title: 'loss from',
        format: `.${digitsOf(thresholds)}~g`,
        symbolType: 'square',
        symbolStrokeColor: given.look.axis,
        symbolStrokeWidth: 0.5,
        symbolSize: 150,
      },
      ...keys.legends,
    ],
    marks: [
      areaMarks('heights', {
        fill: { scale: 'height', field: 'contour.value' },
        stroke: { value: given.look.axis },
        strokeWidth: { value: 0.5 },
      }),
      ...marks('path', drawn, 2).filter((mark) => mark.type === 'line'),
      {
        type: 'symbol',
        clip: true,
        from: { data: 'ends' },
        encode: {
          enter: {
            x: { scale: 'x', field: 'x' },
            y: { scale: 'y', field: 'y' },
            fill: { field: 'fill' },
            stroke: { field: 'colour' },
            strokeWidth: { value: 2 },
            size: { value: 80 },
          },
        },
      },
    ],
  };
  return draw('lossSurface', given.look, spec, keys.full);
}

function checkLevels(value: unknown): number[] {
  const levels = checkNumbers('levels', value, { finite: true });
  if (levels.length === 0 || levels.length > 50) throw invalid('levels', '1 to 50 numbers', value);
  if (levels.some((level, i) => i > 0 && level <= levels[i - 1])) throw invalid('levels', 'ascending numbers', value);
  return levels;
}

/** Greys from the background to a middle grey, so that coloured paths stand out on all of them. */
function greys({ greys: [from, to] }: Look, count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const level = Math.round(from + ((to - from) * i) / Math.max(1, count - 1));
    return `rgb(${level}, ${level}, ${level})`;
  });
}

/** Levels that split the values into `count + 1` parts of equal size, rounded to a hundredth of their range or less. */
function quantiles(values: readonly number[], count: number): number[] {
  const sorted = [...values].sort((a, b) => a - b);
  const exact = Array.from({ length: count }, (_, i) => sorted[Math.floor(((i + 1) * sorted.length) / (count + 1))]);
  const range = exact[count - 1] - exact[0];
  const rounded = exact.map((level) => {
    // Places between the level's first digit and that of the range.
    const shared =
      level === 0 || range === 0 ? 0 : Math.floor(Math.log10(Math.abs(level))) - Math.floor(Math.log10(range));
    return Number(level.toPrecision(Math.min(17, LEAST_DIGITS + Math.max(0, shared))));
  });
  return [...new Set(rounded)];
}

/** Significant digits by which all levels differ. */
function digitsOf(levels: readonly number[]): number {
  let digits = LEAST_DIGITS;
  while (digits < 17 && new Set(levels.map((level) => level.toPrecision(digits))).size < levels.length) digits++;
  return digits;
}
