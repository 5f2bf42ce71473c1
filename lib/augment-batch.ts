import type { Augmentation } from './augmentations.js';
import type { BackendName } from './backend/backend.js';
import { selectBackend } from './backend/select.js';
import { checkArity, checkInteger, checkOptions, checkSeed } from './checks.js';
import { identity } from './layers/activation.js';
import { meanSquaredError } from './losses/regression.js';
import { checkAugment } from './program/augment.js';
import { elements } from './program/instructions.js';
import { buildModel } from './program/model.js';
import { isSampleSource } from './runtime/columns.js';
import { fromDataset } from './runtime/dataset-inputs.js';
import { Engine } from './runtime/engine.js';
import type { SampleSource } from './types.js';

/** Options of {@link augmentBatch}. */
export interface AugmentBatchOptions {
  /** Seed of the network that would train on the batch; default 0. */
  seed?: number;
  /** Training steps before this one; default 0. */
  step?: number;
  /** Default 'auto'. */
  backend?: 'auto' | BackendName;
}

/**
 * The rows of `data` as one batch that `fit` has changed by `augmentations`, to look at them: rows × product(shape)
 * numbers in the network's input units, after `scale` and `offset`. The draws are those of a network with this seed,
 * in a step that takes these rows in this order. Synchronous. Throws `INVALID_ARGUMENT`, `UNKNOWN_OPTION`,
 * `SHAPE_MISMATCH` (samples that are not images), `EMPTY_DATA` and `BACKEND_UNAVAILABLE`.
 */
export function augmentBatch(
  augmentations: readonly Augmentation[],
  data: SampleSource,
  options?: AugmentBatchOptions,
): Float32Array {
  checkArity('augmentBatch', arguments, 3);
  const { seed = 0, step = 0, backend = 'auto' } = checkOptions('augmentBatch', options, ['seed', 'step', 'backend']);
  checkSeed('augmentBatch: seed', seed);
  checkInteger('augmentBatch: step', step, { min: 0, below: Number.MAX_SAFE_INTEGER });
  const input = isSampleSource(data) ? data.shape : [1];
  const model = buildModel({ input, layers: [identity()], loss: meanSquaredError(), regularizer: undefined, seed });
  const source = fromDataset('augmentBatch: data', model, data, false);
  const augment = checkAugment('augmentBatch: augmentations', augmentations, model.inputs[0], undefined, []);
  const output = new Float32Array(source.rows * elements(input));
  const engine = new Engine(model, selectBackend(backend).backend);
  engine.noiseSteps = step;
  engine.runSync({
    kind: 'forwardTraining',
    source,
    batchSize: source.rows,
    augment: [augment],
    results: { output },
  });
  return output;
}
