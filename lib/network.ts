/// <reference lib="esnext.disposable" preserve="true" />
import type { BackendName } from './backend/backend.js';
import { selectBackend } from './backend/select.js';
import { checkArity, checkBoolean, checkOneDataset, checkOptions, invalid, lock } from './checks.js';
import { checkEncoder, checkMetadata, type Kept, type Metadata, type NetworkMemory } from './formats/network-file.js';
import {
  fromBytes,
  type LoadOptions,
  load,
  loadCheckpoint,
  type SaveOptions,
  save,
  toBytes,
} from './formats/persistence.js';
import { loadTorchState, saveTorchState, type TorchLoad, type TorchOptions } from './formats/torch.js';
import type { Node } from './graph/node.js';
import type { Precision } from './kernels/codes.js';
import type { LayerSpec } from './layers/layer.js';
import {
  type AnyOptions,
  type GraphOptions,
  type NetworkOptions,
  type OutputsOptions,
  readSeed,
  readSpec,
} from './network-options.js';
import {
  copyInto,
  type ParameterView,
  type Port,
  parametersOf,
  portsOf,
  type StateView,
  stateOf,
} from './network-views.js';
import { checkOptimizer, type Optimizer } from './optimizers/optimizer.js';
import type { Shape } from './program/instructions.js';
import type { Listing } from './program/listing.js';
import { buildModel, findMisfit, type ModelSpec, nodeNamed } from './program/model.js';
import { Engine } from './runtime/engine.js';
import {
  type EvaluateOptions,
  evaluate,
  type InferenceOptions,
  infer,
  type NodeOptions,
  type PredictAsyncOptions,
  type PredictOptions,
  predictAsync,
} from './runtime/inference.js';
import type { Features, Targets } from './runtime/inputs.js';
import { applyGradients, gradients, trainBatch } from './runtime/steps.js';
import type { TrainingData } from './runtime/streams.js';
import type { Evaluation } from './runtime/tally.js';
import { describeNodes, type NetworkNode, summarize } from './summary.js';
import { listed } from './text.js';
import { fit } from './training/fit.js';
import type { FitOptions } from './training/fit-options.js';
import type { History } from './training/history.js';

/** What a network with the outputs `K` predicts: numbers, or numbers by the names that its outputs have. */
export type Predicted<K extends string> = [K] extends [''] ? Float32Array : Readonly<Record<K, Float32Array>>;

/** What {@link Network.loadCheckpoint} returns. */
export interface Checkpoint<K extends string = ''> {
  readonly network: Network<K>;
  readonly optimizer: Optimizer;
  /** Epochs the network was trained for: pass it as `initialEpoch` to the `fit` that continues. */
  readonly epoch: number;
}

/** The gradient of a loss that the caller computes, with respect to the raw outputs; see {@link Network.gradients}. */
export interface OutputGradient<K extends string> {
  outputGradient: Predicted<K> | ((outputs: Predicted<K>) => Predicted<K>);
}

/** Any network, whatever its outputs are called: what functions of your own take that work with every network. */
export type AnyNetwork = Network<string> | Network;

/** A specification from a file or another network, given instead of the options. */
const specifications = new WeakMap<object, ModelSpec>();

/** The compiled form and the memory of a network, for the modules that write it in other formats. */
export let memoryOf: (network: AnyNetwork) => NetworkMemory;

/** Options that stand for a specification, for the constructor. */
function specified(spec: ModelSpec, backend: 'auto' | BackendName | undefined): AnyOptions {
  const options = { ...(backend !== undefined && { backend }) } as AnyOptions;
  specifications.set(options, spec);
  return options;
}

/**
 * A feed-forward network: a list of layers or a graph of nodes. `K` are the names of its outputs, if they have any. It
 * is idle, busy (while `fit`, `evaluate` or `predictAsync` run) or disposed. Calls throw `NETWORK_BUSY` while it is
 * busy and `NETWORK_DISPOSED` after `dispose`. While `fit` waits for a callback other than `onProgress`, or for one of
 * its `metrics`, the network can be used (`predict`, `forward`, `evaluate`, `save`, `toBytes`) but not changed.
 */
export class Network<K extends string = ''> {
  /** Shape of the first input's samples; see `inputs`. */
  readonly input: Shape;
  /** Shape of the first output for one sample; see `outputs`. */
  readonly output: Shape;
  /** All inputs: name and shape of a sample (images are [height, width, channels]). */
  readonly inputs: readonly Port[];
  /** All outputs: name and shape for one sample. */
  readonly outputs: readonly Port[];
  /** 32-bit unsigned integer: of the first weights, shuffles and masks. Default: drawn at random. */
  readonly seed: number;
  /** Of the operands of large products: 'float32' (default) or 'bfloat16'. Parameters and sums are float32. */
  readonly precision: Precision;
  /** The backend that runs this network. */
  readonly backend: BackendName;
  /** All trainable parameters, in layer order. */
  readonly parameters: readonly ParameterView[];
  /** State that is kept but not trained, such as the running statistics of batch norm. */
  readonly state: readonly StateView[];
  /**
   * The layers, in the order in which they are computed, with all options resolved. Plain frozen objects that can be
   * reused in another network.
   */
  readonly layers: readonly LayerSpec[];
  /** The inputs followed by the layers, in the order of `layers`: what each takes and gives. Frozen. */
  readonly nodes: readonly NetworkNode[];
  readonly #engine: Engine;
  readonly #spec: ModelSpec;
  readonly #kept: Kept = { epochs: 0, metadata: undefined, encoder: undefined };

  static {
    memoryOf = (network) => network.#engine;
  }

  /**
   * Throws `INVALID_ARGUMENT` or `UNKNOWN_OPTION` for a bad option, `SHAPE_MISMATCH` if layers don't fit together,
   * `BACKEND_UNAVAILABLE` if `backend: 'native'` can't be used, and `OUT_OF_MEMORY`. Errors name the layer or the node.
   */
  constructor(options: NetworkOptions | GraphOptions | OutputsOptions<K>) {
    checkArity('Network', arguments, 1);
    const given = typeof options === 'object' && options !== null ? specifications.get(options) : undefined;
    this.#spec = given ?? readSpec('Network', options, readSeed(options?.seed));
    this.seed = this.#spec.seed;
    const model = buildModel(this.#spec);
    const misfit = given === undefined ? findMisfit(model) : undefined;
    if (misfit !== undefined) throw misfit;
    const { backend } = selectBackend(options.backend);
    this.precision = model.precision;
    this.#engine = new Engine(model, backend);
    this.backend = backend.name;
    this.inputs = portsOf(model.inputs);
    this.outputs = portsOf(model.outputs);
    this.input = this.inputs[0].shape;
    this.output = this.outputs[0].shape;
    this.layers = Object.freeze(model.nodes.map(({ spec }) => spec));
    this.nodes = describeNodes(model);
    this.parameters = parametersOf(this.#engine);
    this.state = stateOf(this.#engine);
    lock(this, new.target !== Network);
  }

  /** Number of trainable parameters. */
  get parameterCount(): number {
    return this.parameters.reduce((sum, parameter) => sum + parameter.value.length, 0);
  }

  /**
   * A table of the layers as text: name, type, output shape and number of parameters of each, and the memory that all
   * parameters and state take.
   */
  summary(): string {
    checkArity('summary', arguments, 0);
    return summarize(this.#engine.model);
  }

  /**
   * The compiled program of the latest training, or before any training that of the gradients for a batch of 32.
   * `String()` prints it.
   */
  get program(): Listing {
    return this.#engine.listing();
  }

  /** A parameter by name. Throws `INVALID_ARGUMENT` for an unknown one. */
  parameter(name: string): ParameterView {
    checkArity('parameter', arguments, 1);
    const found = this.parameters.find((parameter) => parameter.name === name);
    if (found === undefined)
      throw invalid('name', `one of ${listed(this.parameters.map((parameter) => parameter.name))}`, name);
    return found;
  }

  /**
   * The node of a layer by its name (in a chain without one, its index), for use in another graph; an input by its own.
   * Throws `INVALID_ARGUMENT` for an unknown name.
   */
  node(name: string): Node {
    checkArity('node', arguments, 1);
    return nodeNamed(this.#engine.model, name);
  }

  /**
   * A new network of a graph that may contain nodes of `network`, as `node` gives them; they keep their names and
   * copies of their parameters and state. Throws as the constructor does.
   */
  static from<K extends string = ''>(network: AnyNetwork, options: GraphOptions | OutputsOptions<K>): Network<K> {
    checkArity('from', arguments, 2);
    if (!(network instanceof Network)) throw invalid('from: network', 'a Network', network);
    const source = network.#engine;
    source.checkIdle();
    const names = new Map(source.model.nodes.map(({ node, name }) => [node, name]));
    const spec = readSpec('from', options, readSeed(options?.seed), names);
    const misfit = findMisfit(buildModel(spec));
    if (misfit !== undefined) throw misfit;
    const made = new Network<K>(specified(spec, options.backend) as GraphOptions);
    const { nodes } = made.#engine.model;
    for (const { node, name, owner } of nodes) {
      const at = source.model.nodes.findIndex((other) => other.node === node);
      if (at < 0 || nodes[owner].node !== node) continue;
      const prefix = source.model.nodes[source.model.nodes[at].owner].name;
      copyInto(made, network, (own) => (own.startsWith(`${name}.`) ? prefix + own.slice(name.length) : undefined));
    }
    return made;
  }

  /** A copy: the same layers, parameters, state and counters, in memory of its own. */
  clone(): Network<K> {
    checkArity('clone', arguments, 0);
    this.#engine.checkIdle();
    const made = new Network<K>(specified(this.#spec, this.backend) as GraphOptions);
    made.#engine.parameters.set(this.#engine.parameters);
    made.#engine.state.set(this.#engine.state);
    made.#engine.noiseSteps = this.#engine.noiseSteps;
    Object.assign(made.#kept, this.#kept);
    return made;
  }

  /**
   * Copies parameters and state from another network, by name: those with the same name, or the name that `map` gives
   * for one of this network's names (undefined: leave it). Returns the names that were copied to. Throws
   * `SHAPE_MISMATCH` if two shapes differ, and `INVALID_ARGUMENT` if `map` gives an unknown name or nothing matches;
   * nothing is changed then.
   */
  copyParameters(from: AnyNetwork, map?: (name: string) => string | undefined): string[] {
    checkArity('copyParameters', arguments, 2);
    if (!(from instanceof Network)) throw invalid('copyParameters: from', 'a Network', from);
    if (map !== undefined && typeof map !== 'function') throw invalid('copyParameters: map', 'a function', map);
    this.#engine.checkFree();
    from.#engine.checkIdle();
    const names = copyInto(this, from, map);
    if (names.length === 0) throw invalid('map', 'a name for at least one parameter or state here', undefined);
    return names;
  }

  /**
   * Data of the user's own that files keep: any JSON value, such as label names or a scaler's `toJSON()`. Undefined
   * if none was set. Setting copies and freezes it; throws `INVALID_ARGUMENT` for what JSON can't hold.
   */
  get metadata(): Metadata | undefined {
    return this.#kept.metadata;
  }

  set metadata(value: Metadata | undefined) {
    this.#kept.metadata = checkMetadata('metadata', value);
  }

  /**
   * Plain data of the fitted encoder of `blasnet/tables` that made the network's training data; files keep it, and
   * `predictRows` uses it. Undefined if none was set. Setting takes an `Encoder`, or such data, copies and freezes it;
   * throws `INVALID_ARGUMENT` for what JSON can't hold, and for more than 7 MiB of a file.
   */
  get encoder(): Metadata | undefined {
    return this.#kept.encoder;
  }

  set encoder(value: Metadata | { toJSON(): unknown } | undefined) {
    this.#kept.encoder = checkEncoder(value);
  }

  /**
   * Trains off the event loop and resolves to the history.
   *
   * Rejects before training starts with `SHAPE_MISMATCH`, `LABEL_OUT_OF_RANGE`, `EMPTY_DATA`, `INVALID_ARGUMENT` or
   * `UNKNOWN_OPTION`. Rejects with the signal's reason when aborted, and with `NON_FINITE` when the loss of a batch or,
   * at the end of an epoch, a parameter is not finite. The network then has the parameters of the last step that left
   * them finite. If an update made them non-finite, it has those from before the run, which is the epoch or a group of
   * short epochs that run together. So are running statistics that a batch has spoilt.
   */
  async fit(data: TrainingData, options?: FitOptions<Predicted<K>>): Promise<History> {
    checkOneDataset('fit', arguments);
    checkArity('fit', arguments, 2);
    this.#engine.checkFree();
    return fit(this.#engine, this.#kept, data, options);
  }

  /**
   * Mean loss (penalties included) and accuracy over a dataset or stream, in inference mode, off the event loop.
   * `batchSize` defaults to 512 rows, fewer if they would need more than 64 MiB of work memory; larger batches of a
   * stream are split. Rejects with `NON_FINITE` if the loss is not finite; the error names row and column if the data
   * are the cause.
   */
  async evaluate(data: TrainingData, options?: EvaluateOptions): Promise<Evaluation> {
    checkOneDataset('evaluate', arguments);
    checkArity('evaluate', arguments, 2);
    return evaluate(this.#engine, data, options);
  }

  /**
   * The network's predictions for `x` (rows × features numbers, or a dataset), after the loss's link: probabilities for
   * the cross-entropies, otherwise the raw outputs. Returns rows × outputs numbers, in `out` if given; for
   * `outputs` by name, an object of these. With `outputs`, an object of the values of these nodes. Synchronous; does
   * not wait for other networks that are training.
   */
  predict(x: Features, options?: Float32Array | PredictOptions): Predicted<K>;
  predict<N extends string>(x: Features, options: NodeOptions<N>): Readonly<Record<N, Float32Array>>;
  predict(x: Features, options?: Float32Array | PredictOptions | NodeOptions<string>): unknown {
    checkArity('predict', arguments, 2);
    const given = ArrayBuffer.isView(options) || Array.isArray(options) ? { out: options as Float32Array } : options;
    const known = ['out', 'batchSize', 'outputs'] as const;
    return infer(this.#engine, 'predict', x, checkOptions<InferenceOptions>('predict', given, known));
  }

  /**
   * {@link predict} off the event loop; the network is busy meanwhile. Rejects where `predict` throws, and with the
   * signal's reason when aborted. `x` and `out` are accessed while the event loop runs: don't touch them until the
   * promise settles.
   */
  predictAsync(x: Features, options?: PredictAsyncOptions): Promise<Predicted<K>>;
  predictAsync<N extends string>(
    x: Features,
    options: NodeOptions<N> & { signal?: AbortSignal },
  ): Promise<Readonly<Record<N, Float32Array>>>;
  async predictAsync(x: Features, options?: PredictAsyncOptions | NodeOptions<string>): Promise<unknown> {
    checkArity('predictAsync', arguments, 2);
    return predictAsync(this.#engine, x, options);
  }

  /**
   * Raw outputs (logits) for `x`, rows × outputs numbers. With `training: true` all rows form one training batch
   * (`batchSize` is not allowed): batch norm uses the batch's statistics and updates the running ones, and dropout is
   * active. Throws `NON_FINITE`, with the statistics unchanged, if they would not stay finite. Synchronous.
   */
  forward(x: Features, options?: { training?: boolean; batchSize?: number }): Predicted<K> {
    checkArity('forward', arguments, 2);
    const { training = false, ...rest } = checkOptions('forward', options, ['training', 'batchSize']);
    if (!checkBoolean('forward: training', training)) return infer(this.#engine, 'forward', x, rest) as Predicted<K>;
    if (rest.batchSize !== undefined)
      throw invalid('forward: batchSize', 'none with training: true (all rows are one batch)', rest.batchSize);
    this.#engine.checkFree();
    return infer(this.#engine, 'forwardTraining', x) as Predicted<K>;
  }

  /**
   * Forward and backward pass on one batch in training mode, without an update. Fills the `gradient` views. Returns the
   * mean loss, penalties included, and the gradient with respect to `x` (by name if there are several inputs; in
   * TypeScript `gradients<'image' | 'meta'>(…)` types it). An input of indices has none: its name is omitted, and the
   * array is empty if it is the only input. Omit `y` for a dataset, which has its own targets. With
   * `optimizer`, batch norm layers that it freezes behave as in its training; the optimizer is not changed.
   * Synchronous. Throws `NON_FINITE` if the loss is not finite.
   *
   * With `{ outputGradient }` instead of `y`: for a loss computed by the caller, its gradient with respect to the raw
   * outputs (rows × outputs numbers, by name if there are several), or a function of the raw outputs that returns it.
   * No penalty is added, and the result has no loss.
   */
  gradients<I extends string = ''>(
    x: Features,
    y?: Targets,
    optimizer?: Optimizer,
  ): { loss: number; inputGradient: Predicted<I> };
  gradients<I extends string = ''>(
    x: Features,
    y: OutputGradient<K>,
    optimizer?: Optimizer,
  ): { inputGradient: Predicted<I> };
  gradients(
    x: Features,
    y?: Targets | OutputGradient<K>,
    optimizer?: Optimizer,
  ): { loss?: number; inputGradient: Float32Array } {
    checkArity('gradients', arguments, 3);
    return gradients(this.#engine, x, y, optimizer) as { inputGradient: Float32Array };
  }

  /**
   * One training step on one batch. `y` is undefined for a dataset with targets. Returns the batch's accuracy and its
   * mean loss before the update. Synchronous. Throws `NON_FINITE`, before it changes parameters, if the loss, running
   * statistics or a gradient are not finite.
   */
  trainBatch(x: Features, y: Targets | undefined, optimizer: Optimizer): Evaluation {
    checkArity('trainBatch', arguments, 3);
    return trainBatch(this.#engine, this.parameters, x, y, optimizer);
  }

  /**
   * One optimizer step on the current `gradient` views, for training loops that modify gradients. Synchronous. Throws
   * `NON_FINITE`, naming the parameter and changing nothing, if the gradient of a trained parameter is not finite.
   */
  applyGradients(optimizer: Optimizer): void {
    checkArity('applyGradients', arguments, 1);
    applyGradients(this.#engine, this.parameters, optimizer);
  }

  /**
   * Gives the network the average of weights that `optimizer` keeps (its option `averageWeights`), for predictions,
   * evaluation and saving. State, such as the running statistics of batch norm, stays as it is. Returns a function that
   * gives the network the weights that it had before; call it before training goes on. Both throw `NETWORK_BUSY` during
   * a training. Throws `INVALID_ARGUMENT` if the optimizer keeps no average, has made no step, or belongs to another
   * network.
   */
  useAverage(optimizer: Optimizer): () => void {
    checkArity('useAverage', arguments, 1);
    const engine = this.#engine;
    engine.checkFree();
    const average = engine.averageOf('useAverage', checkOptimizer('optimizer', optimizer));
    const before = engine.parameters.slice();
    engine.parameters.set(average);
    return () => {
      engine.checkFree();
      engine.parameters.set(before);
    };
  }

  /**
   * Saves the network's current state to a safetensors file (a path or file: URL): layers, loss, seed, parameters and
   * state, and with `optimizer` everything needed to continue training. The file is replaced atomically; links are
   * followed. Rejects with `FILE_NOT_WRITTEN` (also if the path is not a regular file), `NETWORK_BUSY` during a run,
   * and `INVALID_ARGUMENT` for another network's optimizer.
   */
  async save(path: string | URL, options?: SaveOptions): Promise<void> {
    checkArity('save', arguments, 2);
    await save(path, this.#engine, this.#kept, options);
  }

  /** The bytes that {@link save} would write. */
  toBytes(options?: SaveOptions): Uint8Array {
    checkArity('toBytes', arguments, 1);
    return toBytes('toBytes', this.#engine, this.#kept, options);
  }

  /**
   * Loads a network from a file written by {@link save}. Rejects with `FILE_NOT_FOUND`, with `FILE_CORRUPT` (naming
   * file, byte and rule) for any other file, and with `INVALID_ARGUMENT` if `optimizer` does not match the saved one or
   * a user-defined loss is missing. The types don't know a file's outputs: name them where they have names,
   * `Network.load<'digit' | 'parity'>(path)`.
   */
  static async load<K extends string = ''>(path: string | URL, options?: LoadOptions): Promise<Network<K>> {
    checkArity('load', arguments, 2);
    return load(path, options, Network.#revive<K>);
  }

  /**
   * Loads a network from the bytes of such a file; the names of several outputs are given as there,
   * `Network.fromBytes<'digit' | 'parity'>(bytes)`. Throws where {@link load} rejects.
   */
  static fromBytes<K extends string = ''>(bytes: Uint8Array, options?: LoadOptions): Network<K> {
    checkArity('fromBytes', arguments, 2);
    return fromBytes(bytes, options, Network.#revive<K>);
  }

  /**
   * Network, optimizer and number of epochs from a file saved with its optimizer.
   * `network.fit(data, { optimizer, initialEpoch: epoch, … })` then gives the same bits as uninterrupted training. The
   * optimizer is created with its saved options unless one is given. Rejects like {@link load}, and with
   * `INVALID_ARGUMENT` if the file has no optimizer, or one that no file can hold because it was made with functions or
   * patterns (such as a user-defined schedule): pass it as `optimizer`. Names of outputs are given as to {@link load}:
   * `Network.loadCheckpoint<'digit' | 'parity'>(path)`.
   */
  static async loadCheckpoint<K extends string = ''>(
    path: string | URL,
    options?: LoadOptions,
  ): Promise<Checkpoint<K>> {
    checkArity('loadCheckpoint', arguments, 2);
    return loadCheckpoint(path, options, Network.#revive<K>);
  }

  /**
   * Loads the parameters of a PyTorch module, saved there with
   * `safetensors.torch.save_file(model.state_dict(), path)`. A layer takes the tensors of the module that `map` gives
   * for its name, otherwise of the module of its own name (`layer1_0_conv1` of `layer1.0.conv1`), otherwise of the next
   * module whose tensors have the right names and shapes, in the order of the numbers in names. Tensors are F32,
   * F64, F16 or BF16. Returns which modules were read for which layers, and what was skipped. Rejects with
   * `FILE_NOT_FOUND`, `FILE_CORRUPT`, `INVALID_ARGUMENT`, or `SHAPE_MISMATCH` if modules and layers don't match or
   * names don't tell which is which; nothing is changed then.
   */
  async loadTorchState(path: string | URL, options?: TorchOptions): Promise<TorchLoad> {
    checkArity('loadTorchState', arguments, 2);
    return loadTorchState(path, this.#engine, options);
  }

  /** Writes such a file, with one module per layer. Rejects with `FILE_NOT_WRITTEN`. */
  async saveTorchState(path: string | URL): Promise<void> {
    checkArity('saveTorchState', arguments, 1);
    await saveTorchState(path, this.#engine);
  }

  /** A network of a file's specification. It may have layers that don't fit the loss; reading it warned about that. */
  static #revive<K extends string>(spec: ModelSpec, backend: 'auto' | BackendName | undefined, kept: Kept) {
    const network = new Network<K>(specified(spec, backend) as GraphOptions);
    Object.assign(network.#kept, kept);
    return { network, memory: network.#engine };
  }

  /**
   * Frees work memory and compiled programs immediately; parameters stay alive while their views are referenced. Stops
   * the current run, which rejects with `NETWORK_DISPOSED`.
   */
  dispose(): void {
    checkArity('dispose', arguments, 0);
    this.#engine.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
