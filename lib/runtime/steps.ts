/** Steps of a training loop that the caller writes: gradients and updates of one batch. */
import type { Feed } from '../backend/backend.js';
import { isPlain } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { readFloats } from '../numbers.js';
import { checkOptimizer, type Optimizer } from '../optimizers/optimizer.js';
import { elements } from '../program/instructions.js';
import { feedName } from '../program/losses.js';
import { checkStatistics, divide } from './batches.js';
import { ownEntry } from './columns.js';
import type { Engine, Source } from './engine.js';
import type { Predictions } from './evaluate.js';
import { infer } from './inference.js';
import { type Features, fromBatch, fromFeatures, type Targets } from './inputs.js';
import { allFinite, findNonFinite, gradientError, IN_BATCH, statisticsError, stepError } from './non-finite.js';
import { type Evaluation, Tally } from './tally.js';

/** The source of a backward pass from given gradients of the outputs, or from a function that returns them. */
function withGradients(engine: Engine, x: Features, given: unknown): Source {
  const { outputs } = engine.model;
  const source = fromFeatures('x', engine.model, x);
  let gradients = given;
  if (typeof given === 'function') {
    // The same masks and statistics as in the backward pass, which repeats this.
    const restore = engine.copyState();
    try {
      gradients = given(infer(engine, 'forwardTraining', x));
    } finally {
      restore();
    }
  }
  const feeds = outputs.map(({ name, shape }): [string, Feed] => {
    const label = name === undefined ? 'outputGradient' : `outputGradient: ${name}`;
    const value = name === undefined ? gradients : ownEntry((gradients ?? {}) as Record<string, unknown>, name);
    const { data: values } = readFloats(label, value);
    const wanted = source.rows * elements(shape);
    if (values.length !== wanted)
      throw new BlasnetError('SHAPE_MISMATCH', `${label}: expected ${wanted} numbers, got ${values.length}`);
    return [feedName('outputGradient', name), { values }];
  });
  return { ...source, feeds: { ...source.feeds, ...Object.fromEntries(feeds) } };
}

/** The error for a rejected step; undoes the changes of the forward pass. */
function refused({ state, metric }: Engine, source: Source, restore: () => void): BlasnetError {
  const error = stepError(state, findNonFinite(source), metric[0], IN_BATCH);
  restore();
  return error;
}

/** The error for a step whose gradients are not finite, before it has changed anything. */
function gradientsRefused(parameters: Parameters<typeof gradientError>[0], optimizer: Optimizer): BlasnetError {
  return gradientError(parameters, (name) => optimizer.settings[optimizer.groupOf(name)].frozen !== false);
}

function scalarsOf(engine: Engine, optimizer: Optimizer): Float64Array {
  engine.attach(optimizer);
  const scalars = new Float64Array(optimizer.scalarCount);
  optimizer.writeScalars(scalars, 0, { step: optimizer.steps, epoch: 0 });
  return scalars;
}

/** See `Network.gradients`. */
export function gradients(
  engine: Engine,
  x: Features,
  y: Targets | { readonly outputGradient: unknown } | undefined,
  optimizer: Optimizer | undefined,
): { loss?: number; inputGradient: Predictions } {
  engine.checkFree();
  if (optimizer !== undefined) checkOptimizer('optimizer', optimizer);
  const own = isPlain(y) && 'outputGradient' in y ? y.outputGradient : undefined;
  const source =
    own === undefined ? fromBatch(engine.model, x, y as Targets | undefined) : withGradients(engine, x, own);
  const { inputs } = engine.model;
  const arrays = inputs.flatMap(({ name, shape, vocabulary }) =>
    vocabulary === undefined ? [{ name, values: new Float32Array(source.rows * elements(shape)) }] : [],
  );
  const restore = engine.copyState();
  engine.runSync({
    kind: own === undefined ? 'gradients' : 'backward',
    source,
    batchSize: source.rows,
    results: Object.fromEntries(arrays.map(({ name, values }) => [feedName('inputGradient', name), values])),
    ...(optimizer && { optimizer }),
  });
  const byName = Object.fromEntries(arrays.map(({ name, values }) => [name ?? 'input', values]));
  const inputGradient = inputs.length === 1 ? (arrays[0]?.values ?? new Float32Array(0)) : byName;
  if (own !== undefined) {
    if (allFinite(engine.state)) return { inputGradient };
    restore();
    throw statisticsError(findNonFinite(source), IN_BATCH);
  }
  const loss = engine.metric[0];
  if (!Number.isFinite(loss)) throw refused(engine, source, restore);
  return { loss, inputGradient };
}

/** See `Network.trainBatch`. */
export function trainBatch(
  engine: Engine,
  parameters: Parameters<typeof gradientError>[0],
  x: Features,
  y: Targets | undefined,
  optimizer: Optimizer,
): Evaluation {
  engine.checkFree();
  checkOptimizer('optimizer', optimizer);
  const source = fromBatch(engine.model, x, y);
  const batches = divide(source.rows, source.rows);
  // Before the optimizer becomes that of this network.
  checkStatistics(engine.model, optimizer, batches);
  const scalars = scalarsOf(engine, optimizer);
  const restore = engine.copyState();
  const job = { kind: 'train', source, batchSize: source.rows, optimizer, scalars, checkGradients: true } as const;
  const { status } = engine.runSync(job);
  // A program without updates has no step that could stop.
  if (!Number.isFinite(engine.metric[0])) throw refused(engine, source, restore);
  if (status === 'nonFinite') {
    restore();
    throw gradientsRefused(parameters, optimizer);
  }
  optimizer.steps++;
  const tally = new Tally(engine.model);
  tally.add(engine.metric, source.goals, batches, 0, 1, 0);
  return tally.means;
}

/** See `Network.applyGradients`. */
export function applyGradients(
  engine: Engine,
  parameters: Parameters<typeof gradientError>[0],
  optimizer: Optimizer,
): void {
  engine.checkFree();
  checkOptimizer('optimizer', optimizer);
  const source: Source = { rows: 1, feeds: {}, goals: [] };
  const scalars = scalarsOf(engine, optimizer);
  const { status } = engine.runSync({ kind: 'update', source, batchSize: 1, optimizer, scalars });
  if (status === 'nonFinite') throw gradientsRefused(parameters, optimizer);
  optimizer.steps++;
}
