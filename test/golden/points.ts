import type { BackendName } from '../../lib/index.js';
import { binaryCrossEntropy, dense, Network, relu, type Schedule } from '../../lib/index.js';

/** The classifier of points in the plane: 2-5-2-1 with ReLU and one logit. */
export function pointClassifier(backend: BackendName): Network {
  return new Network({
    input: [2],
    layers: [dense(5, { name: 'dense1' }), relu(), dense(2, { name: 'dense2' }), relu(), dense(1, { name: 'dense3' })],
    loss: binaryCrossEntropy(),
    seed: 1,
    backend,
  });
}

/** A schedule that comes one epoch late: epochs 0 and 1 share the first rate. */
export function lagged(schedule: Schedule): Schedule {
  return ({ step, epoch }) => schedule({ step, epoch: Math.max(0, epoch - 1) });
}
