import { checkArity, invalid, isObject } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { PrecisionRecallCurve, RocCurve } from '../training/metrics.js';
import { dress, legend, marks, tables } from './curves.js';
import { checkNumbers, type PictureOptions, readOptions } from './style.js';
import { draw, type Spec } from './vega.js';

/** Options of {@link rocPlot} and {@link precisionRecallPlot}. */
export interface RankingPlotOptions extends PictureOptions {}

/** More points can't be told apart. */
const MOST_POINTS = 1000;

/**
 * Plots ROC curves of `metrics.rocCurve`: one, or several by name, as `rocPlot({ Adam: metrics.rocCurve(…), SGD: … })`.
 * The legend shows the area under each curve (AUC); the dashed diagonal corresponds to guessing. Returns SVG. Throws
 * `PACKAGE_MISSING`, `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `SHAPE_MISMATCH` and `EMPTY_DATA`.
 */
export async function rocPlot(
  curves: RocCurve | Readonly<Record<string, RocCurve>>,
  options?: RankingPlotOptions,
): Promise<string> {
  checkArity('rocPlot', arguments, 2);
  return plot('rocPlot', curves, options, {
    fields: ['falsePositiveRate', 'truePositiveRate'],
    titles: ['false positive rate', 'true positive rate'],
    area: { name: 'AUC', of: areaUnder },
    diagonal: true,
  });
}

/**
 * Plots precision-recall curves of `metrics.precisionRecallCurve`: one, or several by name. The legend shows the
 * average precision (AP) of each. Returns SVG. Throws like {@link rocPlot}.
 */
export async function precisionRecallPlot(
  curves: PrecisionRecallCurve | Readonly<Record<string, PrecisionRecallCurve>>,
  options?: RankingPlotOptions,
): Promise<string> {
  checkArity('precisionRecallPlot', arguments, 2);
  return plot('precisionRecallPlot', curves, options, {
    fields: ['recall', 'precision'],
    titles: ['recall', 'precision'],
    area: { name: 'AP', of: meanPrecision },
    diagonal: false,
  });
}

interface Kind {
  /** Names of x and y in a curve. */
  readonly fields: readonly [string, string];
  readonly titles: readonly [string, string];
  readonly area: { readonly name: string; of(x: readonly number[], y: readonly number[]): number };
  readonly diagonal: boolean;
}

/** Trapezoidal rule. */
function areaUnder(x: readonly number[], y: readonly number[]): number {
  let area = 0;
  for (let i = 1; i < x.length; i++) area += ((x[i] - x[i - 1]) * (y[i] + y[i - 1])) / 2;
  return area;
}

/** Recall falls along the curve; each step is weighted by its precision. */
function meanPrecision(recall: readonly number[], precision: readonly number[]): number {
  let sum = 0;
  for (let i = 1; i < recall.length; i++) sum += (recall[i - 1] - recall[i]) * precision[i - 1];
  return sum;
}

async function plot(
  caller: string,
  curves: unknown,
  options: RankingPlotOptions | undefined,
  kind: Kind,
): Promise<string> {
  const given = readOptions(caller, options, ['height'], 560);
  const read = Object.entries(byName(curves, kind)).map(([name, curve]) => {
    const at = name === '' ? 'curves' : `curves.${name}`;
    const [x, y] = kind.fields.map((field) => checkNumbers(`${at}.${field}`, curve[field], { finite: true }));
    if (x.length !== y.length || x.length === 0) {
      const [a, b] = kind.fields;
      throw new BlasnetError('SHAPE_MISMATCH', `${at}: expected as many ${a} as ${b}, got ${x.length} and ${y.length}`);
    }
    const area = `${kind.area.name} ${kind.area.of(x, y).toFixed(3)}`;
    return { name: name === '' ? area : `${name} (${area})`, ...thin(x, y) };
  });
  if (read.length === 0) throw new BlasnetError('EMPTY_DATA', 'curves: expected at least one, got none');
  const drawn = dress(given.look, read);
  const keys = legend(drawn, given.width, given.height);
  const unit = (name: string, range: string) => ({ name, type: 'linear', domain: [0, 1], range, zero: false });
  const axis = (scale: string, orient: string, title: string) => ({ scale, orient, title, grid: true, tickCount: 6 });
  const spec = {
    ...given.frame(keys.extra),
    ...(given.title && { title: given.title }),
    data: tables('curve', drawn),
    scales: [unit('x', 'width'), unit('y', 'height'), ...keys.scales],
    axes: [axis('x', 'bottom', kind.titles[0]), axis('y', 'left', kind.titles[1])],
    legends: keys.legends,
    marks: [
      ...(kind.diagonal ? [line([0, 0], [1, 1], given.look.axis)] : []),
      // Not clipped, as that would cut lines on the edges in half.
      ...marks('curve', drawn, 2.2).flatMap((mark) => (mark.type === 'line' ? [{ ...mark, clip: false }] : [])),
    ],
  };
  return draw(caller, given.look, spec, keys.full);
}

/** A dashed reference line between two points of the scales `x` and `y`. */
export function line(from: readonly [number, number], to: readonly [number, number], colour: string): Spec {
  const at = (scale: string, value: number) => ({ scale, value });
  const ends = { x: at('x', from[0]), y: at('y', from[1]), x2: at('x', to[0]), y2: at('y', to[1]) };
  const look = { stroke: { value: colour }, strokeDash: { value: [6, 4] }, strokeWidth: { value: 1.2 } };
  return { type: 'rule', clip: true, encode: { enter: { ...ends, ...look } } };
}

type Fields = Readonly<Record<string, unknown>>;

function byName(curves: unknown, { fields }: Kind): Record<string, Fields> {
  const isCurve = (value: unknown): value is Fields =>
    typeof value === 'object' && value !== null && fields.every((field) => field in value);
  if (isCurve(curves)) return { '': curves };
  const wanted = `a curve { ${fields.join(', ')} }, as the metrics give`;
  if (!isObject(curves)) {
    throw invalid('curves', `${wanted}, or an object of them by name`, curves);
  }
  for (const [name, curve] of Object.entries(curves))
    if (!isCurve(curve)) throw invalid(`curves.${name}`, wanted, curve);
  return curves as Record<string, Fields>;
}

/** Thins to at most this many points, keeping both ends. */
function thin(x: readonly number[], y: readonly number[]): { x: number[]; y: number[] } {
  const points = Math.min(x.length, MOST_POINTS);
  const at = Array.from({ length: points }, (_, i) =>
    points === 1 ? 0 : Math.round((i * (x.length - 1)) / (points - 1)),
  );
  return { x: at.map((i) => x[i]), y: at.map((i) => y[i]) };
}
