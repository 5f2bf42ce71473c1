import { checkArity, checkBoolean, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { type AxisOptions, dress, legend, marks, scales, tables, yTicks } from './curves.js';
import { type Curve, checkCurves, checkNumbers, checkText, type PictureOptions, readOptions } from './style.js';
import { draw } from './vega.js';

/** Measured points. */
export interface Points {
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
}

/** Options of {@link fittedCurve}. */
export interface FittedCurveOptions extends PictureOptions, AxisOptions {}

/**
 * Plots points and the curves fitted to them:
 * `fittedCurve({ x, y }, [{ name: 'network', x: grid, y: network.predict(grid) }])`. Points are drawn as rings, so that
 * curves stay visible. Returns SVG. Throws `PACKAGE_MISSING`, `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `SHAPE_MISMATCH`
 * and `EMPTY_DATA`.
 */
export async function fittedCurve(
  points: Points,
  curves: readonly Curve[],
  options?: FittedCurveOptions,
): Promise<string> {
  checkArity('fittedCurve', arguments, 3);
  const given = readOptions('fittedCurve', options, ['height', 'xTitle', 'yTitle', 'logScale', 'yRange'], 450);
  if (typeof points !== 'object' || points === null) throw invalid('points', 'points { x, y }', points);
  const data = {
    name: 'data',
    x: checkNumbers('points.x', points.x, { finite: true }),
    y: checkNumbers('points.y', points.y, { finite: true }),
  };
  if (data.x.length !== data.y.length) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `points.x: expected ${data.y.length} numbers, as many as y, got ${data.x.length}`,
    );
  }
  const drawn = dress(given.look, checkCurves('curves', curves));
  const all = [...drawn, ...dress(given.look, [data])];
  const [x, y] = scales(all, { ...given, logScale: checkBoolean('logScale', given.logScale ?? false) }, 0.03);
  const keys = legend(drawn, given.width, given.height);
  const spec = {
    ...given.frame(keys.extra),
    ...(given.title && { title: given.title }),
    data: [{ name: 'points', values: data.x.map((x, i) => ({ x, y: data.y[i] })) }, ...tables('curve', drawn)],
    scales: [x, y, ...keys.scales],
    axes: [
      { scale: 'x', orient: 'bottom', grid: true, title: checkText('xTitle', given.xTitle ?? 'x') },
      { scale: 'y', orient: 'left', grid: true, title: checkText('yTitle', given.yTitle ?? 'y'), ...yTicks(y, 6) },
    ],
    legends: keys.legends,
    marks: [
      ...marks('curve', drawn, 2.5).filter((mark) => mark.type === 'line'),
      {
        type: 'symbol',
        clip: true,
        from: { data: 'points' },
        encode: {
          enter: {
            x: { scale: 'x', field: 'x' },
            y: { scale: 'y', field: 'y' },
            stroke: { value: given.look.ink },
            strokeWidth: { value: 1.5 },
            fill: { value: 'transparent' },
            size: { value: 55 },
          },
        },
      },
    ],
  };
  return draw('fittedCurve', given.look, spec, keys.full);
}
