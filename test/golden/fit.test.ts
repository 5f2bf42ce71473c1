/** What `fit` does against golden values: batches, learning rates, and trajectories on given orders of the rows. */
import { expect, it } from 'vitest';
import { Dataset } from '../../lib/data/index.js';
import {
  Adam,
  dense,
  inverseTime,
  meanAbsoluteError,
  Network,
  type Optimizer,
  type Schedule,
  Sgd,
} from '../../lib/index.js';
import type { KernelBackend } from '../../lib/kernels/index.js';
import { eachBackend } from './backends.js';
import type { GoldenName } from './files.js';
import { Golden } from './golden.js';
import { checkParameters, setParameters } from './models.js';
import { lagged, pointClassifier } from './points.js';

/**
 * Which rows make which batch: each row has a feature of its own, and each step moves the weights of its rows by its
 * number over its rows, as the gradient of the absolute error is 1 over the rows for a target far below.
 */
async function minibatches(backend: KernelBackend): Promise<void> {
  const golden = new Golden('002_minibatches');
  const [rows, width] = [golden.number('inputs.samples'), golden.number('inputs.features')];
  const features = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) features[row * width + row] = 1;
  const targets = new Float32Array(rows).fill(-1000);
  const data = new Dataset({ features, shape: [width], targets, targetShape: [1] }).subset(
    golden.numbers('inputs.permutation'),
  );
  const layers = [dense(1, { name: 'last', bias: false, weightInitializer: 0 })];
  const network = new Network({ input: [width], layers, loss: meanAbsoluteError(), backend: backend.name });
  const optimizer = new Sgd({ learningRate: ({ step }) => 1 + step });
  const batchSize = golden.number('hyperparameters.batch_size');
  const history = await network.fit(data, { optimizer, batchSize, shuffle: false });

  const batchCount = history.epochs[0].batchLosses.length;
  golden.exact('batch_count', batchCount);
  const weights = network.parameter('last.weight').value.subarray(0, rows);
  const sizes: number[] = [];
  for (let batch = 0; batch < batchCount; batch++) {
    const want = golden.numbers(`expected.batches.${batch}`);
    const size = want.length;
    const members = [...weights.keys()].filter(
      (row) => weights[row] === Math.fround(-(batch + 1) * Math.fround(1 / size)),
    );
    expect(members).toEqual(want.toSorted((a, b) => a - b));
    sizes.push(members.length);
  }
  golden.exact(
    'x_shapes',
    sizes.flatMap((size) => [size, width]),
  );
  golden.exact(
    'y_shapes',
    sizes.flatMap((size) => [size, 1]),
  );
  golden.complete({ batches: 'compared above, as sets' });
}

/** The rates of some epochs under a schedule. */
function ratesAt(schedule: Schedule, epochs: readonly number[]): number[] {
  return epochs.map((epoch) => schedule({ step: 0, epoch }));
}

const range = (count: number, factor = 1) => Array.from({ length: count }, (_, i) => i * factor);

function schedules(): void {
  const golden = new Golden('002_lr_schedules');
  const input = (path: string) => golden.number(`inputs.${path}`);
  const plain = inverseTime({ initial: input('inverse_time.lr0'), rate: input('inverse_time.rate') });
  golden.double('inverse_time', ratesAt(plain, [input('inverse_time.epoch')]));
  const step = inverseTime({ initial: input('step.lr0'), rate: input('step.rate'), interval: input('step.interval') });
  const [early, late] = ratesAt(step, golden.numbers('inputs.step.epochs'));
  golden.double('step_epoch_10', early);
  golden.double('step_epoch_100', late);
  const [rate, interval] = [input('runs.rate'), input('runs.interval')];
  const inverseRun = inverseTime({ initial: input('runs.inverse_lr0'), rate });
  const stepRun = inverseTime({ initial: input('runs.step_lr0'), rate, interval });
  golden.double('inverse_time_lr_after_epochs', ratesAt(inverseRun, range(5, interval)));
  golden.double('step_lr_after_epochs', ratesAt(stepRun, range(10, interval)));
  golden.double('seed_lr_used_in_epochs_0_to_5', ratesAt(lagged(inverseRun), range(6)));
  golden.double('seed003_lr_of_epochs', ratesAt(inverseTime({ initial: 0.01, rate: 1 }), range(3)));
  golden.double('seed003_second_lr_of_epochs', ratesAt(inverseTime({ initial: 0.001, rate: 0.1 }), range(3)));
  golden.complete();
}

/** The rates that `fit` gives to its epochs, in one call and in several. */
async function fittedRates(backend: KernelBackend): Promise<void> {
  const golden = new Golden('002_lr_schedules');
  const data = new Dataset({ features: [[1], [2], [3]], targets: [[0], [0], [0]] });
  const fitted = async (learningRate: Schedule, calls: readonly number[]) => {
    const network = new Network({ input: [1], layers: [dense(1)], loss: meanAbsoluteError(), backend: backend.name });
    const optimizer = new Sgd({ learningRate });
    const rates: number[] = [];
    for (const epochs of calls) {
      const history = await network.fit(data, { optimizer, epochs, batchSize: 2, initialEpoch: rates.length });
      rates.push(...history.epochs.map((log) => log.learningRate));
    }
    return rates;
  };
  const decay = inverseTime({ initial: golden.number('inputs.runs.inverse_lr0'), rate: 1 });
  for (const calls of [[6], [1, 2, 3]])
    golden.double('seed_lr_used_in_epochs_0_to_5', await fitted(lagged(decay), calls));
  golden.double('seed003_lr_of_epochs', await fitted(inverseTime({ initial: 0.01, rate: 1 }), [3]));
}

const trajectories = [
  '002_traj_gd',
  '002_traj_gd_inverse_time',
  '002_traj_gd_step',
  '002_traj_momentum',
  '002_traj_momentum_step',
  '002_traj_adam',
  '002_traj_adam_inverse_time',
  '002_traj_adam_step',
] as const satisfies GoldenName[];

function scheduleOf(golden: Golden): Schedule {
  const initial = golden.number('hyperparameters.learning_rate');
  const rate = golden.number('hyperparameters.decay_rate');
  const decay = golden.text('hyperparameters.decay');
  if (decay === 'null') return () => initial;
  const interval = decay === 'step' ? golden.number('hyperparameters.step_interval_epochs') : 1;
  return lagged(inverseTime({ initial, rate, interval }));
}

function optimizerOf(golden: Golden): Optimizer {
  const setting = (name: string) => golden.number(`hyperparameters.${name}`);
  const learningRate = scheduleOf(golden);
  const rule = golden.text('hyperparameters.optimizer');
  if (rule === 'sgd') return new Sgd({ learningRate });
  if (rule === 'adam')
    return new Adam({ learningRate, beta1: setting('beta1'), beta2: setting('beta2'), epsilon: setting('eps') });
  return new Sgd({ learningRate, momentum: setting('beta'), dampening: setting('beta') });
}

/** Five epochs, each on its given order of the rows. */
async function trajectory(backend: KernelBackend, name: (typeof trajectories)[number]): Promise<void> {
  const golden = new Golden(name);
  const data = new Dataset({ features: golden.floats('inputs.x'), shape: [2], labels: golden.integers('inputs.y') });
  const network = pointClassifier(backend.name);
  setParameters(network, golden);
  const optimizer = optimizerOf(golden);
  const batchSize = golden.number('hyperparameters.batch_size');
  const [losses, costs, rates]: number[][] = [[], [], []];
  for (const epoch of range(golden.number('hyperparameters.epochs'))) {
    const ordered = data.subset(golden.numbers(`inputs.order.${epoch}`));
    const { epochs } = await network.fit(ordered, { optimizer, batchSize, shuffle: false, initialEpoch: epoch });
    const [log] = epochs;
    losses.push(...log.batchLosses);
    costs.push(log.loss);
    rates.push(...Array.from(log.batchLosses, () => log.learningRate));
  }
  golden.near('losses', losses);
  golden.near('epoch_costs', costs);
  golden.near('learning_rates', rates);
  checkParameters(golden, 'final_params', network);
  golden.near('final_accuracy', (await network.evaluate(data)).accuracy ?? Number.NaN);
  golden.complete();
}

it('learning rates decay by epoch and by interval, with a lag of one epoch and without', schedules);

eachBackend((backend) => {
  it('the last batch of an epoch is short', () => minibatches(backend));
  it('each epoch has its learning rate', () => fittedRates(backend));
  it.each(trajectories)('%s', (name) => trajectory(backend, name));
});
