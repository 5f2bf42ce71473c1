import { invalid, isObject } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { Engine, Source } from '../runtime/engine.js';
import { asPredictions, predictSource } from '../runtime/evaluate.js';
import type { SampleSource } from '../types.js';
import { figuresOf } from './figures.js';
import { monitors } from './monitor.js';

/**
 * A user-defined metric. Receives the predictions for the validation data (rows × outputs numbers, after the loss's
 * link, as from `predict`; for a network with several outputs an object of these by name, as `P`) and the validation
 * data as passed to `fit`.
 */
export type MetricFunction<P = Float32Array> = (predictions: P, data: SampleSource) => number | Promise<number>;

/** User-defined metrics by name; `P` as in {@link MetricFunction}. */
export type Metrics<P = Float32Array> = Readonly<Record<string, MetricFunction<P>>>;

/**
 * Checks `fit`'s option `metrics`. `outputs`: the names of outputs that have figures of their own; `dataset`: whether
 * there is a validation dataset.
 */
export function checkMetrics(
  metrics: unknown,
  outputs: readonly string[],
  dataset: boolean,
): [name: string, metric: MetricFunction][] {
  if (metrics === undefined) return [];
  if (!isObject(metrics)) {
    throw invalid('fit: metrics', 'an object of functions by name', metrics);
  }
  const list = Object.entries(metrics as Metrics);
  const ofOutputs = outputs.flatMap((output) => figuresOf({ loss: 0, accuracy: 0 }, `${output}/`));
  const taken = new Set<string>([...monitors, ...ofOutputs.map(([name]) => name)]);
  for (const [name, metric] of list) {
    if (typeof metric !== 'function')
      throw invalid(`fit: metrics: ${name}`, 'a function (predictions, data) => number', metric);
    if (taken.has(name)) {
      throw new BlasnetError(
        'INVALID_ARGUMENT',
        `fit: metrics: ${name}: that is a figure that fit logs itself; choose another name`,
      );
    }
  }
  if (list.length > 0 && !dataset) {
    throw new BlasnetError(
      'INVALID_ARGUMENT',
      'fit: metrics: they need a dataset as validation, as they are computed from it',
    );
  }
  return list;
}

/** Computes the metrics from the predictions for `source`, which holds `data`; awaits each with `wait`. */
export async function computeMetrics(
  metrics: readonly (readonly [name: string, metric: MetricFunction])[],
  engine: Engine,
  source: Source,
  data: SampleSource,
  signal: AbortSignal | undefined,
  wait: (task: () => number | Promise<number>) => Promise<number>,
): Promise<Readonly<Record<string, number>>> {
  const shared = await predictSource(engine, source, signal);
  const values: [string, number][] = [];
  for (const [name, metric] of metrics) {
    // A copy for each metric, which may modify it, in ordinary memory, as some functions reject shared memory.
    const predictions = asPredictions(
      engine.model,
      undefined,
      shared.map((values) => Float32Array.from(values)),
    );
    const value: unknown = await wait(() => metric(predictions as Float32Array, data));
    if (typeof value !== 'number') throw invalid(`fit: metrics: ${name}: its result`, 'a number', value);
    values.push([name, value]);
  }
  return Object.freeze(Object.fromEntries(values));
}
