import { checkArity, checkBoolean, checkChoice, checkInteger, invalid, isObject } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { EpochLog } from '../training/history.js';
import { type Drawn, legend, marks, scales, tables, yTicks } from './curves.js';
import { colour, DASHED, type Look, SOLID } from './look.js';
import { drawPanels } from './panel-grid.js';
import { checkNumbers, type PictureOptions, readOptions } from './style.js';
import { draw } from './vega.js';

/** The result of `fit`, or anything with its logs. */
export interface Epochs {
  readonly epochs: readonly Epoch[];
}

/** A log of `fit`, with user-defined metrics (of the validation data) by name. */
export type Epoch = EpochLog & { readonly metrics?: Readonly<Record<string, number>> };

/** Options of {@link learningCurves}. */
export interface LearningCurvesOptions extends PictureOptions {
  /**
   * `'loss'` (default), `'accuracy'`, `'learningRate'` or the name of a user-defined metric: one point per epoch.
   * `'batchLoss'`: the loss of each step.
   */
  show?: Shown | (string & {});
  /** For loss and accuracy, draw validation values as dashed lines if available. Default true. */
  validation?: boolean;
  /** Logarithmic y axis. Default false. */
  logScale?: boolean;
}

/** Curves over steps are thinned to at most this many points, each the mean of equally many steps. */
const MOST_POINTS = 1000;

type Shown = 'loss' | 'accuracy' | 'learningRate' | 'batchLoss';

const TITLES: Record<Shown, string> = {
  loss: 'loss',
  accuracy: 'accuracy',
  learningRate: 'learning rate',
  batchLoss: 'loss of the batch',
};

/**
 * Plots loss, accuracy or learning rate over the epochs of one history, or of several by name:
 * `learningCurves({ SGD: await a.fit(…), Adam: await b.fit(…) })`. Returns SVG. Throws `PACKAGE_MISSING`,
 * `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, and `EMPTY_DATA` if the histories have no such values.
 */
export async function learningCurves(
  histories: Epochs | Readonly<Record<string, Epochs>>,
  options?: LearningCurvesOptions,
): Promise<string> {
  checkArity('learningCurves', arguments, 2);
  const given = readOptions('learningCurves', options, ['height', 'show', 'validation', 'logScale'], 420);
  const validation = checkBoolean('validation', given.validation ?? true);
  const logScale = checkBoolean('logScale', given.logScale ?? false);
  const named = byName(histories);
  const show = checkChoice('show', given.show ?? 'loss', [...Object.keys(TITLES), ...metricNames(named)]);
  const curves = Object.entries(named).flatMap(([name, { epochs }], i) => {
    return curvesOf(given.look, name, epochs, i, show, validation);
  });
  const [x, y] = scales(curves, { logScale });
  const keys = legend(curves, given.width, given.height);
  const spec = {
    ...given.frame(keys.extra),
    ...(given.title && { title: given.title }),
    data: tables('curve', curves),
    scales: [x, y, ...keys.scales],
    axes: [
      { scale: 'x', orient: 'bottom', title: show === 'batchLoss' ? 'step' : 'epoch', tickMinStep: 1, format: 'd' },
      { scale: 'y', orient: 'left', grid: true, title: isShown(show) ? TITLES[show] : show, ...yTicks(y, 6) },
    ],
    legends: keys.legends,
    marks: marks('curve', curves, show === 'batchLoss' ? 1.2 : 2),
  };
  return draw('learningCurves', given.look, spec, keys.full);
}

/** Options of {@link metricCurves}. */
export interface MetricCurvesOptions extends PictureOptions {
  /** Draw validation values as dashed lines if available. Default true. */
  validation?: boolean;
  /** Panels per row. Default: as close to a square as the number allows, at most 4. */
  columns?: number;
}

/**
 * One panel per metric over the epochs of one history, or of several by name: loss, accuracy if available, and each
 * user-defined metric. Returns SVG. Throws like {@link learningCurves}.
 */
export async function metricCurves(
  histories: Epochs | Readonly<Record<string, Epochs>>,
  options?: MetricCurvesOptions,
): Promise<string> {
  checkArity('metricCurves', arguments, 2);
  const given = readOptions('metricCurves', options, ['height', 'columns', 'validation']);
  const validation = checkBoolean('validation', given.validation ?? true);
  const named = byName(histories);
  const figures = new Set(['loss', 'accuracy', ...metricNames(named)]);
  const all = Array.from(figures, (show) => ({
    title: show,
    curves: Object.entries(named)
      .flatMap(([name, { epochs }], i) => {
        const curves = curvesOf(given.look, name, epochs, i, show, validation);
        return isShown(show) || !validation ? curves : curves.map((curve) => ofValidation(curve));
      })
      .filter(({ y }) => Array.from(y).some(Number.isFinite)),
  }));
  const panels = all.filter(({ curves }) => curves.length > 0);
  if (panels.length === 0)
    throw new BlasnetError('EMPTY_DATA', 'histories: expected at least one finite number, found none');
  // One legend entry per colour and dash, from the first panel that has it.
  const keys = new Map<string, Drawn>();
  for (const curve of panels.flatMap(({ curves }) => curves)) {
    const look = `${curve.colour} ${curve.dash}`;
    if (!keys.has(look)) keys.set(look, curve);
  }
  const columns = checkInteger('columns', given.columns ?? Math.min(4, Math.ceil(Math.sqrt(panels.length))), {
    min: 1,
    max: 20,
  });
  const layout = { ...given, columns, shared: false, full: options?.height !== undefined, xTitle: 'epoch' };
  return drawPanels('metricCurves', panels, [...keys.values()], layout);
}

const isShown = (show: string): show is Shown => Object.hasOwn(TITLES, show);

/** Names of the user-defined metrics, in order of appearance. */
function metricNames(histories: Readonly<Record<string, Epochs>>): string[] {
  const names = Object.values(histories).flatMap(({ epochs }) =>
    epochs.flatMap(({ metrics }) => Object.keys(metrics ?? {})),
  );
  return [...new Set(names)];
}

function byName(histories: unknown): Record<string, Epochs> {
  const isHistory = (value: unknown): value is Epochs => Array.isArray((value as Partial<Epochs> | null)?.epochs);
  if (isHistory(histories)) return { '': checkEpochs('histories', histories) };
  if (!isObject(histories)) {
    throw invalid('histories', 'a history, or an object of histories by name', histories);
  }
  for (const [name, history] of Object.entries(histories)) {
    if (!isHistory(history)) throw invalid(`histories.${name}`, 'a history, as fit returns', history);
    checkEpochs(`histories.${name}`, history);
  }
  if (Object.keys(histories).length === 0)
    throw new BlasnetError('EMPTY_DATA', 'histories: expected at least one, got none');
  return histories as Record<string, Epochs>;
}

function checkEpochs(name: string, history: Epochs): Epochs {
  for (const [i, log] of history.epochs.entries()) {
    if (typeof log !== 'object' || log === null || !Number.isFinite(log.epoch))
      throw invalid(`${name}.epochs[${i}]`, 'the log of an epoch, as fit returns', log);
  }
  return history;
}

/** The losses of all steps; the logs that `jsonLog` writes lack them. */
function batchLosses(name: string, epochs: readonly Epoch[]): number[] {
  const label = name === '' ? 'histories' : `histories.${name}`;
  return epochs.flatMap((log, i) => checkNumbers(`${label}.epochs[${i}].batchLosses`, log.batchLosses));
}

function curvesOf(
  look: Look,
  name: string,
  epochs: readonly Epoch[],
  index: number,
  show: string,
  validation: boolean,
): Drawn[] {
  if (show === 'batchLoss') {
    return [{ name, ...thin(batchLosses(name, epochs)), colour: colour(look, index), dash: SOLID }];
  }
  const x = epochs.map((log) => log.epoch + 1);
  const read = (log: Epoch) => (isShown(show) && show !== 'batchLoss' ? log[show] : log.metrics?.[show]) ?? Number.NaN;
  const curve = { name, x, y: epochs.map(read), colour: colour(look, index), dash: SOLID };
  const held = show === 'loss' || show === 'accuracy' ? epochs.map((log) => log.validation?.[show] ?? Number.NaN) : [];
  if (!validation || !held.some((value) => Number.isFinite(value))) return [curve];
  return [{ ...curve, name: name === '' ? 'training' : `${name}, training` }, ofValidation({ ...curve, y: held })];
}

function ofValidation(curve: Drawn): Drawn {
  return { ...curve, name: curve.name === '' ? 'validation' : `${curve.name}, validation`, dash: DASHED };
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
