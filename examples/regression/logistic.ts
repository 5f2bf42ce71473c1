import { binaryCrossEntropy, constant, dense, Network, Sgd } from 'blasnet';
import { Dataset, standardize } from 'blasnet/data';
import { numpyPermutation } from '../moons/numpy-shuffle.js';
import { seed } from '../support.js';

// Hours of study, and whether the exam was passed. The classes overlap, so the loss has a minimum.
const hours = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 1.75, 2, 2.25, 2.5, 2.75, 3, 3.25, 3.5, 4, 4.25, 4.5, 4.75, 5, 5.5];
const passed = [0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1];
export const { dataset: exam } = standardize(new Dataset({ features: hours, shape: [1], labels: passed }));

/** p(passed) = sigmoid(weight · hours + bias), far from the best line at first. */
export function logisticRegression(): Network {
  const layer = dense(1, { weightInitializer: constant(-1), biasInitializer: constant(1) });
  return new Network({ input: [1], layers: [layer], loss: binaryCrossEntropy(), seed });
}

export interface Descent {
  readonly name: string;
  /** Weight and bias at the start and after each step. */
  readonly path: (readonly [weight: number, bias: number])[];
  /** Over all points, at the end. */
  readonly loss: number;
}

/** Descends with batches of `batchSize` points, in a new order each epoch. */
export async function descend(name: string, batchSize: number, epochs: number, learningRate: number): Promise<Descent> {
  using network = logisticRegression();
  const [weight, bias] = network.parameters.map((parameter) => parameter.value);
  const optimizer = new Sgd({ learningRate });
  const path: [number, number][] = [[weight[0], bias[0]]];
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = numpyPermutation(seed + epoch, exam.length);
    for (let begin = 0; begin < order.length; begin += batchSize) {
      const batch = exam.subset(order.subarray(begin, begin + batchSize));
      network.trainBatch(batch, batch.labels as Int32Array, optimizer);
      path.push([weight[0], bias[0]]);
    }
  }
  return { name, path, loss: (await network.evaluate(exam)).loss };
}

/** The mean loss over all points at this weight and bias. */
export function lossAt(network: Network, weight: number, bias: number): number {
  network.parameters[0].value[0] = weight;
  network.parameters[1].value[0] = bias;
  return network.gradients(exam, exam.labels as Int32Array).loss;
}
