/** Boards without a training behind them: the hooks of `fit`, called by the tests. */
import { type Dashboard, type DashboardOptions, dashboard } from '../../lib/dashboard/index.js';
import type { EpochLog, TrainingHandle, TrainingStart } from '../../lib/index.js';
import { sink } from './support.js';

export const start = (epochs: number, initialEpoch = 0): TrainingStart => ({
  epochs,
  initialEpoch,
  samples: 100,
  settings: {
    network: {},
    parameters: 10,
    backend: 'typescript',
    optimizer: { kind: 'sgd', options: {} },
    batchSize: 32,
    sampling: 'shuffled',
    accumulate: 1,
    augment: undefined,
  },
});

export const log = (epoch: number, loss: number, more: Partial<EpochLog> = {}): EpochLog => ({
  epoch,
  loss,
  learningRate: 0.01,
  samplesPerSecond: 1000,
  seconds: 1,
  batchLosses: new Float64Array(),
  ...more,
});

export const handle: TrainingHandle = {
  stop() {},
  scaleLearningRate() {},
  save: async () => {},
  copyWeights: () => () => {},
};

/** The hooks that a board has. */
export type Board = Dashboard & Required<Pick<Dashboard, 'onTrainBegin' | 'onEpochEnd' | 'onTrainEnd'>>;

export const board = (options: DashboardOptions = {}) => dashboard({ stream: sink(), ...options }) as Board;

/** Tells a board of a training with these epochs; returns its address. */
export async function tell(told: Board, logs: readonly EpochLog[], initialEpoch = 0): Promise<string> {
  await told.onTrainBegin(start(logs.length, initialEpoch));
  for (const each of logs) await told.onEpochEnd(each, handle);
  return told.url as string;
}
