/// <reference lib="esnext.disposable" preserve="true" />
import { randomBytes } from 'node:crypto';
import { types } from 'node:util';
import type { BackendName } from './backend/backend.js';
import { selectBackend } from './backend/select.js';
import { checkBoolean, checkInteger, checkOptions, checkPath, checkStorage, invalid } from './checks.js';
import { readShared } from './data/files.js';
import { BlasnetError } from './errors.js';
import { decodeNetwork, encodeNetwork, fillNetwork, restoreOptimizer, type SavedNetwork } from './formats/network-file.js';
import { replaceFile } from './formats/replace-file.js';
import { decodeTorchState, encodeTorchState } from './formats/torch.js';
import type { LayerSpec } from './layers/layer.js';
import type { Loss } from './losses.js';
import { checkOptimizer, type Optimizer } from './optimizers/optimizer.js';
import { elements, type Shape } from './program/instructions.js';
import type { Listing } from './program/listing.js';
import { buildModel } from './program/model.js';
import { type Regularizer, resolveRegularizer } from './regularizers.js';
import { Engine } from './training/engine.js';
import { checkSignal, evaluateSource, INFERENCE_BATCH } from './training/evaluate.js';
import { type FitOptions, fit, type TrainingData } from './training/fit.js';
import type { Evaluation, History } from './training/history.js';
import {
  allFinite,
  type Features,
  findNonFinite,
  fromBatch,
  fromDataset,
  fromFeatures,
  nonFiniteError,
  overSharedMemory,
  statisticsError,
  type Targets,
} from './training/inputs.js';
import type { SampleSource } from './types.js';

export interface NetworkOptions {
  /** One sample's shape, such as [784] or [28, 28, 1] (height, width, channels). */
  input: Shape;
  /** The layers, first to last. */
  layers: readonly LayerSpec[];
  /** What training minimises; the network's last layer gives what the loss expects (logits for the cross-entropies). */
  loss: Loss;
  /** Penalty on all weights that have none of their own. */
  regularizer?: Regularizer;
  /** Unsigned 32-bit; fixes initial weights, shuffles and dropout masks. Default: drawn at random. */
  seed?: number;
  /** Default 'auto': native where the addon loads, TypeScript (with a warning) elsewhere. */
  backend?: 'auto' | BackendName;
}

/** A parameter or a piece of state: views of the memory that the kernels use, so that writing one changes the network. */
export interface StateView {
  /** `<layer index or name>.<weight|bias|gamma|…>`. */
  readonly name: string;
  readonly shape: Shape;
  readonly value: Float32Array;
}

export interface ParameterView extends StateView {
  /** Gradient of the last `gradients`, `trainBatch` or training step. */
  readonly gradient: Float32Array;
}

/** Outputs are written while inputs are still read: they may not share memory. */
function checkApart(out: Float32Array, name: string, other: Float32Array | Uint8Array): void {
  const begin = Math.max(out.byteOffset, other.byteOffset);
  const end = Math.min(out.byteOffset + out.byteLength, other.byteOffset + other.byteLength);
  if (out.buffer === other.buffer && begin < end) throw new BlasnetError('ALIASED_BUFFERS', `out: it overlaps ${name}`);
}

export interface SaveOptions {
  /** The optimizer that trains this network, to be saved with it. */
  optimizer?: Optimizer;
}

export interface LoadOptions {
  /** As of `NetworkOptions`. */
  backend?: 'auto' | BackendName;
  /** Takes over the saved state of the optimizer: its steps, `rateFactor` and moments. It must be of the saved kind and new. */
  optimizer?: Optimizer;
  /** The network's loss again, where it is not one of the library's. */
  loss?: Loss;
}

/** What {@link Network.loadCheckpoint} gives. */
export interface Checkpoint {
  readonly network: Network;
  readonly optimizer: Optimizer;
  /** Epochs that the network had been trained for: the `initialEpoch` of the `fit` that goes on. */
  readonly epoch: number;
}

const IN_BATCH = 'in this batch';
const optionNames = ['input', 'layers', 'loss', 'regularizer', 'seed', 'backend'];

/**
 * A feed-forward network. It is idle, busy (while `fit` or `evaluate` run) or disposed: a call while it is busy throws
 * `NETWORK_BUSY`, after `dispose` `NETWORK_DISPOSED`.
 */
export class Network {
  readonly input: Shape;
  readonly output: Shape;
  readonly seed: number;
  /** The backend that runs this network. */
  readonly backend: BackendName;
  /** All trainable parameters, in the order of the layers. */
  readonly parameters: readonly ParameterView[];
  /** What is not trained but kept, such as batch norm's running statistics. */
  readonly state: readonly StateView[];
  readonly #engine: Engine;
  readonly #epochs = { next: 0 };

  /**
   * Throws `INVALID_ARGUMENT` or `UNKNOWN_OPTION` for a bad option, `SHAPE_MISMATCH` when layers don't fit together,
   * `BACKEND_UNAVAILABLE` when `backend: 'native'` can't be had, `OUT_OF_MEMORY`.
   */
  constructor(options: NetworkOptions) {
    if (typeof options !== 'object' || options === null)
      throw invalid('Network', 'an object with input, layers and loss', options);
    checkOptions('Network', options, optionNames);
    const { input, layers, loss } = options;
    if (typeof loss !== 'object' || loss === null || typeof loss.write !== 'function') {
      throw invalid('loss', 'a loss such as softmaxCrossEntropy()', loss);
    }
    this.seed = checkInteger('seed', options.seed ?? randomBytes(4).readUInt32LE(), { min: 0, below: 2 ** 32 });
    const regularizer = resolveRegularizer('regularizer', options.regularizer);
    const model = buildModel({ input, layers, loss, regularizer, seed: this.seed });
    const { backend } = selectBackend(options.backend);
    this.#engine = new Engine(model, backend);
    this.backend = backend.name;
    this.input = Object.freeze([...model.input]);
    this.output = Object.freeze([...model.output]);
    const { parameters, gradients, state } = this.#engine;
    this.parameters = Object.freeze(
      [...model.parameters].map(([name, { spec, tensor }]) => {
        const end = tensor.offset + tensor.fixed;
        const [value, gradient] = [parameters.subarray(tensor.offset, end), gradients.subarray(tensor.offset, end)];
        return Object.freeze({ name, shape: spec.shape, value, gradient });
      }),
    );
    this.state = Object.freeze(
      [...model.state].map(([name, { spec, tensor }]) =>
        Object.freeze({ name, shape: spec.shape, value: state.subarray(tensor.offset, tensor.offset + tensor.fixed) }),
      ),
    );
  }

  /** Number of trainable parameters. */
  get parameterCount(): number {
    return this.parameters.reduce((sum, parameter) => sum + parameter.value.length, 0);
  }

  /** The compiled program of the latest training (or, before any, of the gradients for a batch of 32); `String()` prints it. */
  get program(): Listing {
    return this.#engine.listing();
  }

  /** A parameter by its name; throws `INVALID_ARGUMENT` for an unknown one. */
  parameter(name: string): ParameterView {
    const found = this.parameters.find((parameter) => parameter.name === name);
    if (found === undefined)
      throw invalid('name', `one of ${this.parameters.map((parameter) => parameter.name).join(', ')}`, name);
    return found;
  }

  /**
   * Trains off the event loop and resolves to the history. Rejects with `SHAPE_MISMATCH`, `LABEL_OUT_OF_RANGE`,
   * `EMPTY_DATA`, `INVALID_ARGUMENT` or `UNKNOWN_OPTION` before training starts, with the signal's reason when it is aborted,
   * and with `NON_FINITE` when a batch's loss or, at an epoch's end, a parameter is not finite; the network then has the
   * parameters of the last step that left them finite, or, when an update had spoilt them, those from before the run: the epoch, or the short epochs that run together.
   */
  async fit(data: TrainingData, options?: FitOptions): Promise<History> {
    this.#engine.checkIdle();
    return fit(this.#engine, this.#epochs, data, options);
  }

  /** Mean loss (penalties included) and accuracy in inference mode, off the event loop. `batchSize` defaults to 512. */
  async evaluate(data: SampleSource, options?: { batchSize?: number; signal?: AbortSignal }): Promise<Evaluation> {
    this.#engine.checkIdle();
    const { batchSize = INFERENCE_BATCH, signal } = checkOptions('evaluate', options, ['batchSize', 'signal']);
    checkSignal('evaluate: signal', signal);
    checkInteger('evaluate: batchSize', batchSize, { min: 1, below: 2 ** 31 });
    const source = overSharedMemory(fromDataset('evaluate: data', this.#engine.model, data, true));
    return this.#engine.hold(() => evaluateSource(this.#engine, source, batchSize, signal));
  }

  /**
   * What the network says of `x` (rows × features numbers, or a dataset), after the loss's link: probabilities for the
   * cross-entropies, the raw outputs otherwise. Returns rows × outputs numbers, in `out` when that is given. Synchronous.
   */
  predict(x: Features, out?: Float32Array): Float32Array {
    return this.#infer('predict', x, out, INFERENCE_BATCH);
  }

  /**
   * Raw outputs (logits) of `x`, rows × outputs numbers. With `training: true` all rows are one training batch: batch norm uses and
   * updates its statistics from it, dropout drops; throws `NON_FINITE`, with the statistics as they were, when they would not stay finite. Synchronous.
   */
  forward(x: Features, options?: { training?: boolean }): Float32Array {
    const { training = false } = checkOptions('forward', options, ['training']);
    const kind = checkBoolean('forward: training', training) ? 'forwardTraining' : 'forward';
    return this.#infer(kind, x, undefined, training ? Number.POSITIVE_INFINITY : INFERENCE_BATCH);
  }

  /**
   * Forward and backward pass on one batch in training mode, without an update. Fills the `gradient` views and returns
   * the mean loss, penalties included, and the gradient with respect to `x`. A dataset brings its own targets: leave `y` out. Synchronous. Throws `NON_FINITE` when the loss is not finite.
   */
  gradients(x: Features, y?: Targets): { loss: number; inputGradient: Float32Array } {
    this.#engine.checkIdle();
    const source = fromBatch(this.#engine.model, x, y);
    const inputGradient = new Float32Array(source.rows * elements(this.input));
    const restore = this.#engine.copyState();
    this.#engine.runSync({ kind: 'gradients', source, batchSize: source.rows, inputGradient });
    const loss = this.#engine.metric[0];
    if (!Number.isFinite(loss)) {
      restore();
      throw nonFiniteError(findNonFinite(source), loss, IN_BATCH);
    }
    return { loss, inputGradient };
  }

  /** One training step on one batch (`y` undefined for a dataset with targets); returns its mean loss before the update, and its accuracy. Synchronous. */
  trainBatch(x: Features, y: Targets | undefined, optimizer: Optimizer): Evaluation {
    const engine = this.#engine;
    engine.checkIdle();
    checkOptimizer('optimizer', optimizer);
    const source = fromBatch(engine.model, x, y);
    const scalars = this.#scalars(optimizer);
    const restore = engine.copyState();
    const result = engine.runSync({ kind: 'train', source, batchSize: source.rows, optimizer, scalars });
    const [loss, hits] = engine.metric;
    // A program that updates nothing has no step to stop.
    if (result.status === 'nonFinite' || !Number.isFinite(loss)) {
      restore();
      throw nonFiniteError(findNonFinite(source), loss, IN_BATCH);
    }
    optimizer.steps++;
    return engine.model.loss.writeHits === undefined ? { loss } : { loss, accuracy: hits / source.rows };
  }

  /** One step of the optimizer on the `gradient` views as they are: for loops that change gradients in between. Synchronous. */
  applyGradients(optimizer: Optimizer): void {
    const engine = this.#engine;
    engine.checkIdle();
    checkOptimizer('optimizer', optimizer);
    const source = { rows: 1, features: engine.parameters, scale: 1, offset: 0, target: 'none' } as const;
    engine.runSync({ kind: 'update', source, batchSize: 1, optimizer, scalars: this.#scalars(optimizer) });
    optimizer.steps++;
  }

  /**
   * Writes the network as it is at this moment to a safetensors file: layers, loss, seed, parameters, state, and with `optimizer` all
   * that is needed to go on training. The file is replaced as a whole or not at all. Rejects with `FILE_NOT_WRITTEN`, with
   * `NETWORK_BUSY` during a run (callbacks have `training.save`), and with `INVALID_ARGUMENT` for an optimizer of another network.
   */
  async save(path: string, options?: SaveOptions): Promise<void> {
    checkPath('save: path', path);
    await replaceFile(path, this.#encode('save', options));
  }

  /** The bytes that {@link save} writes. */
  toBytes(options?: SaveOptions): Uint8Array {
    return this.#encode('toBytes', options);
  }

  /**
   * The network of a file that {@link save} has written. Rejects with `FILE_NOT_FOUND`, with `FILE_CORRUPT` (file, byte and rule) for what is no
   * such file, and with `INVALID_ARGUMENT` when `optimizer` is not like the saved one or a loss of one's own is not given.
   */
  static async load(path: string, options?: LoadOptions): Promise<Network> {
    checkPath('load: path', path);
    return Network.#decode(await readShared(path), path, 'load', options).network;
  }

  /** The network of the bytes of such a file; throws as {@link load} rejects. */
  static fromBytes(bytes: Uint8Array, options?: LoadOptions): Network {
    if (!types.isUint8Array(bytes)) throw invalid('fromBytes: bytes', 'a Uint8Array', bytes);
    checkStorage('fromBytes: bytes', bytes);
    return Network.#decode(bytes, 'bytes', 'fromBytes', options).network;
  }

  /**
   * Network, optimizer and number of epochs of a file saved with its optimizer. `network.fit(data, { optimizer, initialEpoch: epoch, … })` then
   * gives the same bits as a training that was never interrupted. The optimizer is made anew with its saved options, unless one is given.
   * Rejects as {@link load}; with `INVALID_ARGUMENT` also when the file has no optimizer, or one made with functions or patterns (a schedule of
   * one's own, say), which no file can hold: give it as `optimizer`.
   */
  static async loadCheckpoint(path: string, options?: LoadOptions): Promise<Checkpoint> {
    checkPath('loadCheckpoint: path', path);
    const { network, saved } = Network.#decode(await readShared(path), path, 'loadCheckpoint', options);
    const optimizer = options?.optimizer ?? restoreOptimizer(saved, network.#engine, undefined);
    return { network, optimizer, epoch: saved.counters.epochs };
  }

  /**
   * Takes over the parameters of a `torch.nn.Sequential`, saved in PyTorch as `safetensors.torch.save_file(model.state_dict(), path)`. Its
   * modules with parameters (Linear, Conv2d, BatchNorm, PReLU) must be this network's layers with parameters, in the same order. Rejects with
   * `FILE_NOT_FOUND`, `FILE_CORRUPT`, `SHAPE_MISMATCH` when they are not; nothing is changed then.
   */
  async loadTorchState(path: string): Promise<void> {
    checkPath('loadTorchState: path', path);
    this.#engine.checkIdle();
    const bytes = await readShared(path);
    this.#engine.checkIdle();
    decodeTorchState(bytes, path, this.#engine);
  }

  /** Writes such a file, with a module for each layer. Rejects with `FILE_NOT_WRITTEN`. */
  async saveTorchState(path: string): Promise<void> {
    checkPath('saveTorchState: path', path);
    this.#engine.checkIdle();
    await replaceFile(path, encodeTorchState(this.#engine));
  }

  static #decode(bytes: Uint8Array, file: string, name: string, options: LoadOptions | undefined) {
    const { backend, optimizer, loss } = checkOptions(name, options, ['backend', 'optimizer', 'loss']);
    if (optimizer !== undefined) checkOptimizer(`${name}: optimizer`, optimizer);
    const saved: SavedNetwork = decodeNetwork(bytes, file, loss);
    const { regularizer, ...spec } = saved.spec;
    const network = new Network({ ...spec, ...(regularizer && { regularizer }), ...(backend !== undefined && { backend }) });
    fillNetwork(saved, network.#engine);
    network.#epochs.next = saved.counters.epochs;
    if (optimizer !== undefined) restoreOptimizer(saved, network.#engine, optimizer);
    return { network, saved };
  }

  #encode(name: string, options: SaveOptions | undefined): Uint8Array {
    this.#engine.checkIdle();
    const { optimizer } = checkOptions(name, options, ['optimizer']);
    if (optimizer !== undefined) checkOptimizer(`${name}: optimizer`, optimizer);
    return encodeNetwork(this.#engine, this.#epochs.next, optimizer);
  }

  /**
   * Gives work memory and compiled programs back at once; parameters live as long as somebody holds their views. A run
   * that is on is stopped and rejects with `NETWORK_DISPOSED`.
   */
  dispose(): void {
    this.#engine.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #infer(
    kind: 'predict' | 'forward' | 'forwardTraining',
    x: Features,
    out: Float32Array | undefined,
    batchSize: number,
  ): Float32Array {
    this.#engine.checkIdle();
    const source = fromFeatures('x', this.#engine.model, x);
    const length = source.rows * elements(this.output);
    if (out !== undefined) {
      if (!(out instanceof Float32Array)) throw invalid('out', 'a Float32Array', out);
      checkStorage('out', out);
      if (out.length !== length) throw new BlasnetError('SHAPE_MISMATCH', `out: expected ${length} elements, got ${out.length}`);
      const { parameters, gradients, state } = this.#engine;
      for (const [name, other] of Object.entries({ x: source.features, parameters, gradients, state }))
        checkApart(out, name, other);
    }
    const output = out ?? new Float32Array(length);
    const restore = kind === 'forwardTraining' ? this.#engine.copyState() : undefined;
    this.#engine.runSync({ kind, source, batchSize: Math.min(batchSize, source.rows), output });
    if (restore !== undefined && !allFinite(this.#engine.state)) {
      restore();
      throw statisticsError(findNonFinite(source), IN_BATCH);
    }
    return output;
  }

  #scalars(optimizer: Optimizer): Float64Array {
    this.#engine.attach(optimizer);
    const scalars = new Float64Array(optimizer.scalarCount);
    optimizer.writeScalars(scalars, 0, { step: optimizer.steps, epoch: 0 });
    return scalars;
  }
}
