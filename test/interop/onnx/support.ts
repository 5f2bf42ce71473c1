import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { onnxRuntime } from '../../../bench/jobs/onnx-runtime.js';
import type { Network } from '../../../lib/index.js';
import { elements } from '../../../lib/program/instructions.js';
import { randomFloats } from '../../api/support.js';

interface OrtTensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

interface OrtSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Readonly<Record<string, OrtTensor>>): Promise<Readonly<Record<string, OrtTensor>>>;
}

interface Ort {
  readonly Tensor: new (type: string, data: Feed['values'], dims: readonly number[]) => OrtTensor;
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<OrtSession> };
}

/** A suite that runs files in ONNX Runtime. */
export function describeOrt(name: string, suite: () => void): void {
  if (onnxRuntime.installed) describe(name, suite);
  else
    describe.skip(`${name} (onnxruntime-node: not installed; node scripts/onnxruntime.mjs)`, () =>
      it('runs', () => {}));
}

/** The folder of a package that is installed with ONNX Runtime. */
export const packageFolder = (name: string) => join(onnxRuntime.folder, 'node_modules', name);

const ort = () => createRequire(join(onnxRuntime.folder, 'package.json'))('onnxruntime-node') as Ort;

/** Numbers and the shape of one sample, by an input's name. */
export interface Feed {
  readonly values: Float32Array | Uint8Array | BigInt64Array;
  readonly shape: readonly number[];
}

/** What ONNX Runtime gives for a file. */
export async function runOrt(
  bytes: Uint8Array,
  rows: number,
  feeds: Readonly<Record<string, Feed>>,
): Promise<Readonly<Record<string, OrtTensor>>> {
  const { Tensor, InferenceSession } = ort();
  const options = {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
    // With and without the runtime's own changes of the graph.
    graphOptimizationLevel: rows === 1 ? 'disabled' : 'all',
  };
  const session = await InferenceSession.create(bytes, options);
  const given = Object.entries(feeds).map(([name, { values, shape }]) => {
    const integers = values instanceof Uint8Array ? 'uint8' : 'int64';
    const type = values instanceof Float32Array ? 'float32' : integers;
    return [name, new Tensor(type, values, [rows, ...shape])];
  });
  return session.run(Object.fromEntries(given));
}

/** Images, channels last, with their channels first; other samples as they are. */
export function channelsFirst(values: Float32Array, shape: readonly number[]): Feed & { values: Float32Array } {
  if (shape.length !== 3) return { values, shape };
  const [height, width, channels] = shape;
  const [size, pixels] = [elements(shape), height * width];
  const moved = values.map((_, i) => {
    const [row, channel, pixel] = [Math.floor(i / size), Math.floor((i % size) / pixels), i % pixels];
    return values[row * size + pixel * channels + channel];
  });
  return { values: moved, shape: [channels, height, width] };
}

/** Gives parameters and statistics values that show where they go: none are 0 or 1, and variances are positive. */
export function scramble<N extends Network<string> | Network>(network: N): N {
  network.parameters.forEach(({ value }, i) => {
    const random = randomFloats(value.length, 100 + i);
    if (value.every((x) => x === value[0])) value.set(random.map((x) => 0.6 + 0.3 * x));
  });
  network.state.forEach(({ value }, i) => {
    value.set(randomFloats(value.length, 200 + i).map((x) => 0.8 + 0.5 * Math.abs(x)));
  });
  return network;
}

/** Random numbers, or indices, for each input of a network, by name. */
export function randomInputs(
  network: Network<string> | Network,
  rows: number,
  positive = false,
): Record<string, Float32Array> {
  return Object.fromEntries(
    network.inputs.map(({ name = 'input', shape, vocabulary }, i) => {
      const count = rows * elements(shape);
      if (vocabulary !== undefined)
        return [name, Float32Array.from({ length: count }, (_, j) => (7 * j + i) % vocabulary)];
      const values = randomFloats(count, 31 * rows + i);
      return [name, positive ? values.map((x) => 0.3 + Math.abs(x)) : values];
    }),
  );
}

/** What a network predicts for named inputs, by the names that its outputs have in a file. */
export function predictions(network: Network<string> | Network, inputs: Record<string, Float32Array>) {
  const predict = (network as Network).predict.bind(network) as (x: unknown) => unknown;
  const given = predict(network.inputs.length === 1 ? Object.values(inputs)[0] : inputs);
  const only = given instanceof Float32Array;
  return only ? { [network.outputs[0].name ?? 'output']: given } : (given as Record<string, Float32Array>);
}
