// Two moons by gradient descent, momentum and Adam, with and without decay of the learning rate (tutorial 002).
//   npm run example moons [-- --quick]
import { readFileSync } from 'node:fs';
import {
  Adam,
  binaryCrossEntropy,
  dense,
  inverseTime,
  Network,
  type Optimizer,
  relu,
  type Schedule,
  Sgd,
} from 'blasnet';
import { Dataset } from 'blasnet/data';
import { type Curve, decisionRegions, panelGrid, type ReportSection } from 'blasnet/report';
import { check, present, quick } from '../support.js';
import { numpyPermutation } from './numpy-shuffle.js';

/** The tutorial's points, start weights, settings and results. */
interface Golden {
  inputs: {
    x: number[][];
    y: number[];
    params: Record<'W1' | 'b1' | 'W2' | 'b2' | 'W3' | 'b3', number[] | number[][]>;
  };
  expected: Record<string, { costs_at_epochs_0_1000_etc: number[]; accuracy: number }>;
  tolerance: { other_shuffles_or_float32: Record<string, { cost_atol_any_shuffle: number[]; accuracy_atol: number }> };
}
const file = new URL('../../../../test/golden/data/002_moons_runs.json', import.meta.url);
const { inputs, expected, tolerance } = JSON.parse(readFileSync(file, 'utf8')) as Golden;
const points = new Dataset({ features: inputs.x, labels: inputs.y });

const momentum = (learningRate: number | Schedule) => new Sgd({ learningRate, momentum: 0.9, dampening: 0.9 });
/** initial / (1 + ⌊epoch / interval⌋), one epoch late as in the tutorial: epochs 0 and 1 share the first rate. */
function decay(initial: number, interval: number): Schedule {
  const schedule = inverseTime({ initial, rate: 1, interval });
  return ({ step, epoch }) => schedule({ step, epoch: Math.max(0, epoch - 1) });
}

const runs: Record<string, { title: string; epochs: number; optimizer: Optimizer }> = {
  gd: { title: 'gradient descent, rate 0.0001', epochs: 10000, optimizer: new Sgd({ learningRate: 1e-4 }) },
  momentum: { title: 'momentum, rate 0.001', epochs: 10000, optimizer: momentum(1e-3) },
  adam: { title: 'Adam, rate 0.0001', epochs: 10000, optimizer: new Adam({ learningRate: 1e-4 }) },
  gd_inverse_time: {
    title: 'gradient descent, 0.5 / (1 + epoch)',
    epochs: 5000,
    optimizer: new Sgd({ learningRate: decay(0.5, 1) }),
  },
  gd_step: {
    title: 'gradient descent, 0.01 in steps',
    epochs: 10000,
    optimizer: new Sgd({ learningRate: decay(0.01, 1000) }),
  },
  momentum_step: { title: 'momentum, 0.01 in steps', epochs: 5000, optimizer: momentum(decay(0.01, 1000)) },
  adam_step: { title: 'Adam, 0.001 in steps', epochs: 5000, optimizer: new Adam({ learningRate: decay(0.001, 1000) }) },
};

function newNetwork(): Network {
  const layers = [dense(5), relu(), dense(2), relu(), dense(1)];
  const network = new Network({ input: [2], layers, loss: binaryCrossEntropy(), seed: 1 });
  const { W1, b1, W2, b2, W3, b3 } = inputs.params;
  for (const [i, values] of [W1, b1, W2, b2, W3, b3].entries()) network.parameters[i].value.set(values.flat());
  return network;
}

const orders: Uint16Array[] = [];
/** One call of `fit` per epoch, on the points in the tutorial's order. */
async function replay(network: Network, optimizer: Optimizer, epochs: number): Promise<number[]> {
  const costs: number[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    orders[epoch] ??= numpyPermutation(11 + epoch, points.length);
    const ordered = points.subset(orders[epoch]);
    const { loss } = await network.fit(ordered, { optimizer, batchSize: 64, shuffle: false, initialEpoch: epoch });
    costs.push(loss[0]);
  }
  return costs;
}

const sections: ReportSection[] = [];
const curves: Curve[] = [];
for (const [name, { title, epochs, optimizer }] of Object.entries(quick ? { adam_step: runs.adam_step } : runs)) {
  using network = newNetwork();
  const costs = await replay(network, optimizer, quick ? 1001 : epochs);
  const { accuracy = Number.NaN } = await network.evaluate(points);
  const sampled = costs.filter((_, epoch) => epoch % 1000 === 0);
  const { costs_at_epochs_0_1000_etc: printed, accuracy: printedAccuracy } = expected[name];
  const { cost_atol_any_shuffle: bounds, accuracy_atol: bound } = tolerance.other_shuffles_or_float32[name];
  sections.push({
    heading: title,
    table: {
      columns: ['', 'ours', 'tutorial'],
      rows: [
        ...sampled.map((cost, i) => [`cost at epoch ${1000 * i}`, cost.toFixed(6), printed[i].toFixed(6)]),
        ...(quick ? [] : [['accuracy', accuracy.toFixed(7), printedAccuracy.toFixed(7)]]),
      ],
    },
    svg: await decisionRegions(network, points),
  });
  curves.push({ name: title, x: sampled.map((_, i) => 1000 * i), y: sampled });
  const agree = sampled.every((cost, i) => Math.abs(cost - printed[i]) <= bounds[i]);
  check(
    `${title}: costs and accuracy agree with the tutorial's`,
    agree && (quick || Math.abs(accuracy - printedAccuracy) <= bound),
  );
}

const svg = await panelGrid([{ title: '', curves }], { xTitle: 'epoch', yTitle: 'cost', height: 460 });
present('moons', { title: 'Two moons', sections: [...sections, { heading: 'Costs', svg }] });
