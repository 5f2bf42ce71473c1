import { createRequire } from 'node:module';
import { expect } from 'vitest';
import type { Network } from '../../lib/index.js';
import type { ModelArtifacts } from '../../lib/interop/tfjs/index.js';
import { randomFloats } from '../api/support.js';

/** The parts of tfjs that the tests use: layers, and the backend in plain JavaScript. */

export interface Tensor {
  readonly shape: number[];
  dataSync(): Float32Array;
}

interface SymbolicTensor {
  readonly shape: (number | null)[];
}

interface Variable {
  readonly name: string;
  readonly shape: number[];
}

export interface Model {
  readonly weights: readonly Variable[];
  predict(x: Tensor | readonly Tensor[]): Tensor | Tensor[];
  setWeights(values: readonly Tensor[]): void;
  save(handler: { save(artifacts: ModelArtifacts): Promise<unknown> }): Promise<unknown>;
  readonly inputs: readonly SymbolicTensor[];
}

interface Layer {
  apply(x: SymbolicTensor | readonly SymbolicTensor[]): SymbolicTensor;
}

type LayerFunction = (options?: object) => Layer;

interface Layers {
  readonly layers: Readonly<Record<string, LayerFunction>>;
  sequential(options: { layers: readonly (Layer | Model)[] }): Model;
  model(options: { inputs: unknown; outputs: unknown; name?: string }): Model & Layer;
  input(options: { shape: readonly number[]; name?: string }): SymbolicTensor;
  loadLayersModel(handler: unknown): Promise<Model>;
}

interface Core {
  readonly io: { fromMemory(artifacts: object): unknown };
  tensor(values: Float32Array, shape: readonly number[]): Tensor;
  setBackend(name: string): Promise<boolean>;
  env(): { set(flag: string, value: boolean): void };
}

const require = createRequire(import.meta.url);
export const core = require('@tensorflow/tfjs-core') as Core;
// Says nothing about faster backends.
core.env().set('IS_NODE', false);
require('@tensorflow/tfjs-backend-cpu');
export const tf = require('@tensorflow/tfjs-layers') as Layers;

/** What `model.save` gives. */
export async function artifactsOf(model: Model): Promise<ModelArtifacts> {
  let saved: ModelArtifacts = {};
  await model.save({
    async save(artifacts) {
      saved = artifacts;
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    },
  });
  return saved;
}

export async function modelOf(artifacts: object): Promise<Model> {
  return tf.loadLayersModel(core.io.fromMemory(artifacts));
}

const ROWS = 3;

type Shapes = readonly (readonly number[])[];

/** Gives a model random weights; variances stay positive. */
export function randomise(model: Model): Model {
  const values = model.weights.map(({ name, shape }, i) => {
    const size = shape.reduce((product, n) => product * n, 1);
    const numbers = randomFloats(size, 100 + i);
    return core.tensor(name.includes('variance') ? numbers.map((x) => 0.5 + x * x) : numbers, shape);
  });
  model.setWeights(values);
  return model;
}

function inputsOf(shapes: Shapes): Float32Array[] {
  return shapes.map((shape, i) => {
    const size = shape.reduce((product, n) => product * n, ROWS);
    return randomFloats(size, 7 + i);
  });
}

export const sampleShapes = (model: Model): Shapes => model.inputs.map(({ shape }) => shape.slice(1) as number[]);

/** What a model of tfjs predicts for the tests' inputs. */
export function predicted(model: Model): Float32Array[] {
  const shapes = sampleShapes(model);
  const tensors = inputsOf(shapes).map((x, i) => core.tensor(x, [ROWS, ...shapes[i]]));
  const results = model.predict(tensors.length === 1 ? tensors[0] : tensors);
  return [results].flat().map((result) => result.dataSync());
}

/** What a network predicts for them; `shapes` are those of its inputs, in the model's order. */
export function ours(network: Network<string> | Network, shapes: Shapes): Float32Array[] {
  const columns = inputsOf(shapes);
  const names = [...network.inputs].map(({ name }) => name);
  const x = columns.length === 1 ? columns[0] : Object.fromEntries(columns.map((column, i) => [names[i], column]));
  const result = (network as Network).predict(x as Float32Array) as Float32Array | Record<string, Float32Array>;
  return ArrayBuffer.isView(result) ? [result] : network.outputs.map(({ name }) => result[name as string]);
}

export function expectNear(actual: readonly Float32Array[], expected: readonly Float32Array[]): void {
  expect(actual.map(({ length }) => length)).toEqual(expected.map(({ length }) => length));
  actual.forEach((values, i) => {
    const gaps = Array.from(values, (x, at) => Math.abs(x - expected[i][at]) / Math.max(1, Math.abs(expected[i][at])));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1e-5);
    // Zeros alone would prove nothing.
    expect(new Set(values).size).toBeGreaterThan(1);
  });
}
