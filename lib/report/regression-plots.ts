import { checkArity, checkInteger, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { readPairs, type Values } from '../training/metric-inputs.js';
import type { SampleSource } from '../types.js';
import { axisTitle, dress, legend } from './curves.js';
import { line } from './ranking-plots.js';
import { checkText, extent, type PictureOptions, readOptions } from './style.js';
import { draw } from './vega.js';

/** Options of {@link predictionPlot} and {@link residualPlot}. */
export interface RegressionPlotOptions extends PictureOptions {
  /** Numbers per row; needed unless a dataset or list of rows is given. Default 1. */
  outputs?: number;
  /** Names of the outputs. Default: their numbers. */
  outputNames?: readonly string[];
  xTitle?: string;
  yTitle?: string;
}

/** More points would overlap; of more rows, evenly spaced ones are drawn. */
const MOST_POINTS = 4000;

/**
 * Plots predicted against true values, `predictionPlot(network.predict(test), test)`: one point per row and output, and
 * the diagonal of perfect predictions. Above 4000 points, evenly spaced ones are drawn; non-finite points are skipped.
 * Returns SVG. Throws `PACKAGE_MISSING`, `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `SHAPE_MISMATCH` and `EMPTY_DATA`.
 */
export async function predictionPlot(
  predictions: Values,
  truth: Values | SampleSource,
  options?: RegressionPlotOptions,
): Promise<string> {
  checkArity('predictionPlot', arguments, 3);
  return plot('predictionPlot', predictions, truth, options, false);
}

/**
 * Plots residuals, true − predicted, over the predicted value. A good fit shows no pattern. Points as in
 * {@link predictionPlot}; returns SVG and throws like it.
 */
export async function residualPlot(
  predictions: Values,
  truth: Values | SampleSource,
  options?: RegressionPlotOptions,
): Promise<string> {
  checkArity('residualPlot', arguments, 3);
  return plot('residualPlot', predictions, truth, options, true);
}

async function plot(
  caller: string,
  predictions: Values,
  truth: Values | SampleSource,
  options: RegressionPlotOptions | undefined,
  residual: boolean,
): Promise<string> {
  const given = readOptions(caller, options, ['height', 'outputs', 'outputNames', 'xTitle', 'yTitle'], 480);
  const { look } = given;
  const { values, goals, outputs: known } = readPairs(predictions, truth);
  const outputs = checkInteger('outputs', given.outputs ?? known ?? 1, { min: 1 });
  if (outputs !== (known ?? outputs) || values.length % outputs !== 0) {
    const whole = known ?? `a divisor of ${values.length}`;
    throw new BlasnetError('SHAPE_MISMATCH', `outputs: expected ${whole}, as the truth has, got ${outputs}`);
  }
  const names = readOutputNames(given.outputNames, outputs);
  const step = Math.max(1, Math.ceil(values.length / outputs / Math.max(1, Math.floor(MOST_POINTS / outputs))));
  const groups = names.map((name, j) => {
    const [x, y]: number[][] = [[], []];
    for (let i = j; i < values.length; i += step * outputs) {
      if (!Number.isFinite(values[i]) || !Number.isFinite(goals[i])) continue;
      x.push(residual ? values[i] : goals[i]);
      y.push(residual ? goals[i] - values[i] : values[i]);
    }
    return { name, x, y };
  });
  const drawn = dress(look, groups);
  const [xs, ys] = [groups.flatMap(({ x }) => x), groups.flatMap(({ y }) => y)];
  const xDomain = extent('predictions, truth', residual ? xs : [...xs, ...ys], 0.04);
  const yDomain = residual ? extent('predictions, truth', [0, ...ys], 0.04) : xDomain;
  const keys = legend(outputs === 1 && given.outputNames === undefined ? [] : drawn, given.width, given.height);
  const titles = residual ? ['predicted', 'true − predicted'] : ['true', 'predicted'];
  const scale = (name: string, domain: readonly number[], range: string) => ({
    name,
    type: 'linear',
    domain,
    range,
    zero: false,
  });
  const axis = (name: string, orient: string, title: string) => ({
    scale: name,
    orient,
    grid: true,
    ...axisTitle(title),
  });
  const spec = {
    ...given.frame(keys.extra),
    ...(given.title && { title: given.title }),
    data: groups.map(({ x, y }, j) => ({ name: `output${j}`, values: x.map((value, i) => ({ x: value, y: y[i] })) })),
    scales: [scale('x', xDomain, 'width'), scale('y', yDomain, 'height'), ...keys.scales],
    axes: [
      axis('x', 'bottom', checkText('xTitle', given.xTitle ?? titles[0])),
      axis('y', 'left', checkText('yTitle', given.yTitle ?? titles[1])),
    ],
    legends: keys.legends,
    marks: [
      ...groups.map((_, j) => ({
        type: 'symbol',
        clip: true,
        from: { data: `output${j}` },
        encode: {
          enter: {
            x: { scale: 'x', field: 'x' },
            y: { scale: 'y', field: 'y' },
            fill: { value: drawn[j].colour },
            fillOpacity: { value: values.length > 300 ? 0.6 : 0.8 },
            size: { value: values.length > 300 ? 22 : 45 },
          },
        },
      })),
      residual
        ? line([xDomain[0], 0], [xDomain[1], 0], look.ink)
        : line([xDomain[0], xDomain[0]], [xDomain[1], xDomain[1]], look.ink),
    ],
  };
  return draw(caller, look, spec, keys.full);
}

function readOutputNames(names: unknown, outputs: number): string[] {
  if (names === undefined) return Array.from({ length: outputs }, (_, j) => `output ${j}`);
  if (!Array.isArray(names) || new Set(names).size < names.length)
    throw invalid('outputNames', 'unique strings', names);
  if (names.length !== outputs) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `outputNames: expected a name for each of ${outputs} outputs, got ${names.length}`,
    );
  }
  return names.map((name, j) => checkText(`outputNames[${j}]`, name));
}
