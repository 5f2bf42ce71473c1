import { checkChoice, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { ownEntry } from '../runtime/columns.js';
import type { Evaluation } from '../runtime/tally.js';
import { cut, listed } from '../text.js';
import type { EpochLog } from './history.js';

export const monitors = ['loss', 'accuracy', 'validationLoss', 'validationAccuracy'] as const;

/** A value of an epoch's log that a callback can watch. */
export type Monitor = (typeof monitors)[number];

/**
 * What a callback watches: a value of the log (default 'validationLoss'), that of one of the outputs with names, such
 * as 'digit.validationLoss', or one of `fit`'s `metrics` by name. `mode`: smaller is better ('min', the default for
 * losses) or larger is better ('max', the default for accuracies). Required for user-defined metrics.
 */
export type MonitorOptions =
  | { readonly monitor?: Monitor; readonly mode?: 'min' | 'max' }
  | { readonly monitor: `${string}.${Monitor}`; readonly mode?: 'min' | 'max' }
  | { readonly monitor: string; readonly mode: 'min' | 'max' };

/** A watched value. */
export interface Watched {
  readonly name: string;
  /** 1 if larger is better, −1 if smaller is. */
  readonly direction: 1 | -1;
  /** The value from a log. Throws `INVALID_ARGUMENT` if the log lacks it. */
  value(log: EpochLog): number;
}

/** Checks and resolves the options of `callback`. */
export function watch(
  callback: string,
  options: { readonly monitor?: string; readonly mode?: 'min' | 'max' },
): Watched {
  const { monitor = 'validationLoss', mode } = options;
  if (typeof monitor !== 'string' || monitor === '') {
    throw invalid(
      `${callback}: monitor`,
      `one of '${monitors.join("', '")}' or the name of a user-defined metric`,
      monitor,
    );
  }
  const known = monitors.some((name) => name === monitor) || OF_OUTPUT.test(monitor);
  if (!known && mode === undefined) {
    const expected = `one of '${monitors.join("', '")}', or, with a mode ('min' or 'max'), the name of a user-defined metric`;
    throw invalid(`${callback}: monitor`, expected, monitor);
  }
  const rising = known && monitor.toLowerCase().endsWith('accuracy') ? 'max' : 'min';
  const chosen = mode === undefined ? rising : checkChoice(`${callback}: mode`, mode, ['min', 'max']);
  return {
    name: monitor,
    direction: chosen === 'max' ? 1 : -1,
    value(log) {
      const value = figure(log, monitor);
      if (value === undefined) {
        throw new BlasnetError(
          'INVALID_ARGUMENT',
          `${callback}: monitor: there is no ${cut(monitor, 80)}: ${missing(log, monitor, known)}`,
        );
      }
      return value;
    },
  };
}

/** One of the monitors of an output: the rest after `<output>.`. */
const OF_OUTPUT = /^(.+)\.(loss|accuracy|validationLoss|validationAccuracy)$/;

/** What a log has by this name: a figure of the network, or else a metric, whose name may look like that of one. */
function figure(log: EpochLog, monitor: string): number | undefined {
  return ownFigure(log, monitor) ?? ownEntry(log.metrics ?? {}, monitor);
}

function ownFigure(log: EpochLog, monitor: string): number | undefined {
  const [, name, own] = OF_OUTPUT.exec(monitor) ?? [];
  const of = (figures: Evaluation | undefined) => (name === undefined ? figures : figures?.outputs?.[name]);
  switch (own ?? monitor) {
    case 'loss':
      return of(log)?.loss;
    case 'accuracy':
      return of(log)?.accuracy;
    case 'validationLoss':
      return of(log.validation)?.loss;
    case 'validationAccuracy':
      return of(log.validation)?.accuracy;
    default:
      return undefined;
  }
}

function missing(log: EpochLog, monitor: string, known: boolean): string {
  const [, output, own = monitor] = OF_OUTPUT.exec(monitor) ?? [];
  const outputs = Object.keys(log.outputs ?? {});
  if (output !== undefined && !outputs.includes(output))
    return `the network has ${outputs.length === 0 ? 'one output, without a name' : `the outputs ${listed(outputs)}`}`;
  if (!known) return `this fit has no metric of that name (it has ${listed(Object.keys(log.metrics ?? {})) || 'none'})`;
  if (own.startsWith('validation') && log.validation === undefined) return 'this fit has no validation data';
  return output === undefined && outputs.length > 1
    ? `the network has several outputs: name one, such as '${outputs[0]}.${own}'`
    : 'the loss has no accuracy';
}
