/** Ten jobs, which one program for each tool does. */

/** What a program prints, as JSON on its last line. */
export type Outcome = Readonly<Record<string, number | string>>;

export interface Job {
  /** The name of its programs. */
  readonly id: string;
  readonly title: string;
  /** What must be true of the outcome. */
  readonly bar: string;
  readonly passes: (outcome: Outcome) => boolean;
  /** The figure that the table shows. */
  readonly figure: (outcome: Outcome) => string;
}

const number = (value: number | string) => Number(value);
const accuracyJob = (id: string, title: string, least: number): Job => ({
  id,
  title,
  bar: `accuracy ≥ ${least}`,
  passes: ({ accuracy }) => number(accuracy) >= least,
  figure: ({ accuracy }) => number(accuracy).toFixed(3),
});

export const jobs: readonly Job[] = [
  accuracyJob('digits', 'dense network on 4,000 digits', 0.89),
  accuracyJob('convolutions', 'convolutional network on 1,000 digits', 0.85),
  {
    id: 'table',
    title: 'penguins from a CSV file: numbers, categories, missing values; a prediction for one bird',
    bar: 'accuracy ≥ 0.95, the right species',
    passes: ({ accuracy, label }) => number(accuracy) >= 0.95 && label === 'Gentoo',
    figure: ({ accuracy }) => number(accuracy).toFixed(3),
  },
  {
    id: 'regression',
    title: 'consumption of cars from a CSV file, with scaled targets; values in their own unit',
    bar: 'R² ≥ 0.7',
    passes: ({ r2 }) => number(r2) >= 0.7,
    figure: ({ r2 }) => `R² ${number(r2).toFixed(3)}`,
  },
  accuracyJob('graph', 'two inputs with layers of their own, joined', 0.89),
  {
    id: 'own-loss',
    title: 'a loss of one’s own, here that of the quantile 0.9',
    bar: '0.8 to 0.98 of the test cars below the prediction',
    passes: ({ below }) => number(below) >= 0.8 && number(below) <= 0.98,
    figure: ({ below }) => number(below).toFixed(2),
  },
  {
    id: 'resume',
    title: 'save in the middle of a training, load, go on',
    bar: 'outputs as without interruption, to 1e-6',
    passes: ({ difference }) => number(difference) <= 1e-6,
    figure: ({ difference }) => (number(difference) === 0 ? 'equal' : number(difference).toExponential(0)),
  },
  {
    id: 'stopping',
    title: 'stop when the validation loss no longer falls, keep the best, log each epoch',
    bar: 'before epoch 100, the best loss again, a line per epoch',
    passes: ({ epochs, loss, best, lines }) =>
      number(epochs) < 100 && number(lines) === number(epochs) && Math.abs(number(loss) - number(best)) < 1e-5,
    figure: ({ epochs }) => `epoch ${epochs}`,
  },
  {
    id: 'onnx',
    title: 'export to ONNX',
    bar: 'ONNX Runtime has the same accuracy',
    passes: ({ accuracy, runtime }) => number(accuracy) > 0.85 && runtime === accuracy,
    figure: ({ accuracy }) => number(accuracy).toFixed(3),
  },
  {
    id: 'folds',
    title: 'cross-validation of two sizes, three folds',
    bar: 'accuracy ≥ 0.8 with 32 units, more than with 4',
    passes: (outcome) => number(outcome[32]) >= 0.8 && number(outcome[32]) > number(outcome[4]),
    figure: (outcome) => number(outcome[32]).toFixed(3),
  },
];
