import { checkOptions } from '../checks.js';
import type { Callbacks, Progress } from './callbacks.js';
import type { EpochLog } from './history.js';

export interface ProgressBarOptions {
  /** Where to write; default process.stdout. A bar is drawn only on a terminal; each epoch's line is always written. */
  stream?: { write(text: string): unknown; readonly isTTY?: boolean };
}

const WIDTH = 30;

function rate(samplesPerSecond: number): string {
  return `${Math.round(samplesPerSecond).toLocaleString('en-US')} samples/s`;
}

function bar({ epoch, epochs, step, steps, samplesPerSecond }: Progress): string {
  const head = `epoch ${epoch + 1}/${epochs}`;
  if (steps === undefined) return `${head}  ${step} batches  ${rate(samplesPerSecond)}`;
  const filled = Math.round((WIDTH * step) / steps);
  const percent = `${Math.floor((100 * step) / steps)}%`.padStart(4);
  return `${head} [${'='.repeat(filled)}${' '.repeat(WIDTH - filled)}]${percent}  ${rate(samplesPerSecond)}`;
}

function line(log: EpochLog, epochs: number): string {
  const parts = [`epoch ${log.epoch + 1}/${epochs}`, `loss ${log.loss.toFixed(4)}`];
  if (log.accuracy !== undefined) parts.push(`accuracy ${log.accuracy.toFixed(4)}`);
  if (log.validation !== undefined) {
    parts.push(`validation loss ${log.validation.loss.toFixed(4)}`);
    if (log.validation.accuracy !== undefined) parts.push(`validation accuracy ${log.validation.accuracy.toFixed(4)}`);
  }
  parts.push(rate(log.samplesPerSecond));
  return parts.join('  ');
}

/** Callbacks for `fit` that draw a progress bar and write a line for each epoch. */
export function progressBar(options?: ProgressBarOptions): Callbacks {
  const { stream = process.stdout } = checkOptions('progressBar', options, ['stream']);
  let last = 0;
  let drawn = false;
  const clear = () => {
    if (drawn) stream.write('\r\x1b[K');
    drawn = false;
  };
  return {
    onTrainBegin({ epochs, initialEpoch }) {
      last = initialEpoch + epochs;
    },
    onProgress(progress) {
      if (stream.isTTY !== true) return;
      stream.write(`\r\x1b[K${bar(progress)}`);
      drawn = true;
    },
    onEpochEnd(log) {
      clear();
      stream.write(`${line(log, last)}\n`);
    },
  };
}
