import { checkArity, checkOptions, invalid } from '../checks.js';
import type { Evaluation } from '../runtime/tally.js';
import { type Callbacks, onFirstRank, type Progress } from './callbacks.js';
import type { EpochLog } from './history.js';

/** Options of {@link progressBar}. */
export interface ProgressBarOptions {
  /**
   * Where to write; default process.stdout. The bar is drawn only on a terminal, within its `columns` (default 80); the
   * line per epoch is always written.
   */
  stream?: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number };
}

/** Characters of the drawn bar; it is shorter on a terminal where the line would not fit. */
const WIDTH = { least: 5, most: 30 };
/** Columns of a terminal that does not tell. */
const COLUMNS = 80;

/** Four decimals; an exponent where they would hide the figure, or where it is long. */
function figure(value: number): string {
  const size = Math.abs(value);
  return size >= 1e6 || (size > 0 && size < 1e-3) ? value.toExponential(3) : value.toFixed(4);
}

function rate(samplesPerSecond: number): string {
  return `${Math.round(samplesPerSecond).toLocaleString('en-US')} samples/s`;
}

/** `epoch 3/10`, counted from 1; without the total if training is unlimited. */
function head(epoch: number, epochs: number): string {
  return epochs === Number.POSITIVE_INFINITY ? `epoch ${epoch + 1}` : `epoch ${epoch + 1}/${epochs}`;
}

/** Hours, minutes and seconds: `1:02:03`, `2:03`. */
function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const tail = `${String(whole % 60).padStart(2, '0')}`;
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${minutes}:${tail}`;
}

/** The line that is drawn again and again: at most `most` characters, as one that wraps can't be taken away. */
function bar(progress: Progress, most: number): string {
  const { epoch, epochs, step, steps, samplesPerSecond, loss, accuracy, secondsLeft } = progress;
  const figures: string[] = [];
  if (loss !== undefined) figures.push(`loss ${figure(loss)}`);
  if (accuracy !== undefined) figures.push(`accuracy ${figure(accuracy)}`);
  figures.push(rate(samplesPerSecond));
  if (secondsLeft !== undefined && Number.isFinite(secondsLeft)) figures.push(`${duration(secondsLeft)} left`);
  if (steps === undefined) return [head(epoch, epochs), `${step} batches`, ...figures].join('  ').slice(0, most);
  const percent = `${Math.floor((100 * step) / steps)}%`.padStart(4);
  const line = (drawn: string) => [`${head(epoch, epochs)} [${drawn}]${percent}`, ...figures].join('  ');
  const width = Math.max(WIDTH.least, Math.min(WIDTH.most, most - line('').length));
  return line('='.repeat(Math.round((width * step) / steps)).padEnd(width)).slice(0, most);
}

/** Loss and accuracy, of each output that has a name. */
function figuresOf(prefix: string, { loss, accuracy, outputs = {} }: Evaluation): string[] {
  const own = [`${prefix}loss ${figure(loss)}`];
  if (accuracy !== undefined) own.push(`${prefix}accuracy ${figure(accuracy)}`);
  return [...own, ...Object.entries(outputs).flatMap(([name, figures]) => figuresOf(`${prefix}${name} `, figures))];
}

function line(log: EpochLog, epochs: number): string {
  const parts = [head(log.epoch, epochs), ...figuresOf('', log)];
  if (log.validation !== undefined) parts.push(...figuresOf('validation ', log.validation));
  for (const [name, value] of Object.entries(log.metrics ?? {})) parts.push(`${name} ${figure(value)}`);
  parts.push(rate(log.samplesPerSecond));
  return parts.join('  ');
}

/**
 * Callbacks for `fit` that draw a progress bar and print a line per epoch. Throws `INVALID_ARGUMENT` and
 * `UNKNOWN_OPTION`.
 */
export function progressBar(options?: ProgressBarOptions): Callbacks {
  checkArity('progressBar', arguments, 1);
  const { stream = process.stdout } = checkOptions('progressBar', options, ['stream']);
  if (typeof stream?.write !== 'function') throw invalid('progressBar: stream', 'a stream with write()', stream);
  let last = 0;
  let drawn = false;
  const clear = () => {
    if (drawn) stream.write('\r\x1b[K');
    drawn = false;
  };
  return onFirstRank({
    onTrainBegin({ epochs, initialEpoch }) {
      last = initialEpoch + epochs;
    },
    onProgress(progress) {
      if (stream.isTTY !== true) return;
      stream.write(`\r\x1b[K${bar(progress, (stream.columns || COLUMNS) - 1)}`);
      drawn = true;
    },
    onEpochEnd(log) {
      clear();
      stream.write(`${line(log, last)}\n`);
    },
    onTrainFail: clear,
  });
}
