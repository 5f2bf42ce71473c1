import { checkBoolean, checkChoice, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { EpochLog } from '../training/history.js';
import { type Drawn, legend, marks, scales, tables, yTicks } from './curves.js';
import { colour, DASHED, type PictureOptions, readOptions, SOLID } from './style.js';
import { draw } from './vega.js';

/** What `fit` returns, or anything with its logs. */
export interface Epochs {
  readonly epochs: readonly EpochLog[];
}

export interface LearningCurvesOptions extends PictureOptions {
  /** `'loss'` (default), `'accuracy'`, `'learningRate'`: a point an epoch; `'batchLoss'`: the loss of each step. */
  show?: 'loss' | 'accuracy' | 'learningRate' | 'batchLoss';
  /** With loss and accuracy, draw validation as dashed lines where there is any. Default true. */
  validation?: boolean;
  /** Logarithmic y axis. Default false. */
  logScale?: boolean;
}

/** A curve of steps is thinned to so many points at most, each the mean of as many steps as the others. */
const MOST_POINTS = 1000;

const TITLES = { loss: 'loss', accuracy: 'accuracy', learningRate: 'learning rate', batchLoss: 'loss of the batch' };

/**
 * How training went: loss, accuracy or learning rate over the epochs of one history, or of several by name, as
 * `learningCurves({ SGD: await a.fit(…), Adam: await b.fit(…) })`. Returns SVG.
 * Throws `PACKAGE_MISSING`, `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, and `EMPTY_DATA` where the histories hold no such number.
 */
export async function learningCurves(
  histories: Epochs | Readonly<Record<string, Epochs>>,
  options?: LearningCurvesOptions,
): Promise<string> {
  const given = readOptions('learningCurves', options, ['height', 'show', 'validation', 'logScale'], 420);
  const show = checkChoice('show', given.show ?? 'loss', ['loss', 'accuracy', 'learningRate', 'batchLoss']);
  const validation = checkBoolean('validation', given.validation ?? true);
  const logScale = checkBoolean('logScale', given.logScale ?? false);
  const curves = Object.entries(byName(histories)).flatMap(([name, { epochs }], i) =>
    curvesOf(name, epochs, i, show, validation),
  );
  const [x, y] = scales(curves, { logScale });
  const keys = legend(curves, given.width);
  return draw('learningCurves', {
    ...given.frame,
    ...(given.title && { title: given.title }),
    data: tables('curve', curves),
    scales: [x, y, ...keys.scales],
    axes: [
      { scale: 'x', orient: 'bottom', title: show === 'batchLoss' ? 'step' : 'epoch', tickMinStep: 1, format: 'd' },
      { scale: 'y', orient: 'left', grid: true, title: TITLES[show], ...yTicks(y, 6) },
    ],
    legends: keys.legends,
    marks: marks('curve', curves, show === 'batchLoss' ? 1.2 : 2),
  });
}

function byName(histories: unknown): Record<string, Epochs> {
  const isHistory = (value: unknown): value is Epochs => Array.isArray((value as Partial<Epochs> | null)?.epochs);
  if (isHistory(histories)) return { '': histories };
  if (typeof histories !== 'object' || histories === null || Array.isArray(histories)) {
    throw invalid('histories', 'a history, or an object of histories by name', histories);
  }
  for (const [name, history] of Object.entries(histories)) {
    if (!isHistory(history)) throw invalid(`histories.${name}`, 'a history, as fit returns', history);
  }
  if (Object.keys(histories).length === 0) throw new BlasnetError('EMPTY_DATA', 'histories: expected at least one, got none');
  return histories as Record<string, Epochs>;
}

function curvesOf(
  name: string,
  epochs: readonly EpochLog[],
  index: number,
  show: NonNullable<LearningCurvesOptions['show']>,
  validation: boolean,
): Drawn[] {
  if (show === 'batchLoss') {
    const losses = epochs.flatMap((log) => Array.from(log.batchLosses));
    return [{ name, ...thin(losses), colour: colour(index), dash: SOLID }];
  }
  const x = epochs.map((log) => log.epoch + 1);
  const curve = { name, x, y: epochs.map((log) => log[show] ?? Number.NaN), colour: colour(index), dash: SOLID };
  const held = show === 'learningRate' ? [] : epochs.map((log) => log.validation?.[show] ?? Number.NaN);
  if (!validation || !held.some((value) => Number.isFinite(value))) return [curve];
  return [
    { ...curve, name: name === '' ? 'training' : `${name}, training` },
    { ...curve, name: name === '' ? 'validation' : `${name}, validation`, y: held, dash: DASHED },
  ];
}

function thin(values: readonly number[]): { x: number[]; y: number[] } {
  const size = Math.ceil(values.length / MOST_POINTS);
  const x: number[] = [];
  const y: number[] = [];
  for (let begin = 0; begin < values.length; begin += size) {
    const group = values.slice(begin, begin + size);
    x.push(begin + (group.length + 1) / 2);
    y.push(group.reduce((sum, value) => sum + value, 0) / group.length);
  }
  return { x, y };
}
