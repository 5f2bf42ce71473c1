import type { WriteStream } from 'node:tty';
import type { Callbacks, Progress } from 'blasnet';
import { figure } from './scores.js';

const WIDTH = 24;
/** Milliseconds between two drawings: short epochs would otherwise flicker. */
const INTERVAL = 100;

function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

export interface TrainingProgress {
  readonly callbacks: Callbacks;
  /** Takes the line away, also after an error. */
  clear(): void;
}

/** One line of progress over all epochs, drawn again and again on a terminal; `lead` tells which training it is of. */
export function trainingProgress(stream: WriteStream, lead = ''): TrainingProgress {
  let figures = '';
  let left = '';
  let drawn = false;
  let next = 0;
  const draw = (done: number, epochs: number) => {
    if (performance.now() < next) return;
    next = performance.now() + INTERVAL;
    const filled = Math.min(WIDTH, Math.round((WIDTH * done) / epochs));
    const bar = `[${'='.repeat(filled)}${' '.repeat(WIDTH - filled)}]`;
    const line = [lead, `epoch ${Math.min(epochs, Math.floor(done) + 1)}/${epochs} ${bar}`, figures, left];
    const text = line.filter((part) => part !== '').join('  ');
    // A line that wraps could not be taken away.
    stream.write(`\r\x1b[K${text.slice(0, (stream.columns || 80) - 1)}`);
    drawn = true;
  };
  let epochs = 1;
  return {
    callbacks: {
      onTrainBegin(start) {
        epochs = start.epochs;
      },
      onProgress({ epoch, step, steps = 1, secondsLeft }: Progress) {
        if (secondsLeft !== undefined) left = `at most ${duration(secondsLeft)} left`;
        draw(epoch + step / steps, epochs);
      },
      onEpochEnd({ epoch, loss, validation }) {
        figures = [`loss ${figure(loss)}`, ...(validation ? [`validation loss ${figure(validation.loss)}`] : [])].join(
          '  ',
        );
        draw(epoch + 1, epochs);
      },
    },
    clear() {
      if (drawn) stream.write('\r\x1b[K');
      drawn = false;
    },
  };
}
