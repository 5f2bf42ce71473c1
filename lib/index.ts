export { type AugmentBatchOptions, augmentBatch } from './augment-batch.js';
export {
  type Augmentation,
  cutout,
  type FillOptions,
  mixUp,
  type Pixels,
  randomCrop,
  randomFlip,
  randomRotation,
  randomShift,
} from './augmentations.js';
export type { BackendInfo, BackendName } from './backend/backend.js';
export { backendInfo } from './backend/select.js';
export { BlasnetError, type ErrorCode, type NonFiniteDetails } from './errors.js';
export {
  type FileTensor,
  type NamedArrays,
  readNpy,
  readNpz,
  readSafetensors,
  type TensorFile,
  writeNpy,
  writeNpz,
  writeSafetensors,
} from './formats/array-files.js';
export type { NewArray, NumberArray } from './formats/arrays.js';
export type { Metadata } from './formats/network-file.js';
export type { LoadOptions, SaveOptions } from './formats/persistence.js';
export type { TorchLoad, TorchOptions } from './formats/torch.js';
export * from './graph/functions.js';
export { type InputOptions, input, type Node, type Pipeable, type Shared, shared } from './graph/node.js';
export {
  constant,
  glorotNormal,
  glorotUniform,
  heNormal,
  heUniform,
  type Initializer,
  type InitializerName,
  lecunNormal,
  lecunUniform,
  normal,
  ones,
  uniform,
  xavierNormal,
  xavierUniform,
  zeros,
} from './initializers.js';
export * from './layers/index.js';
export * from './losses/index.js';
export { type AnyNetwork, type Checkpoint, Network, type OutputGradient, type Predicted } from './network.js';
export type { GraphOptions, NetworkOptions, OutputsOptions } from './network-options.js';
export type { ParameterView, Port, StateView } from './network-views.js';
export * from './optimizers/index.js';
export type { Shape } from './program/instructions.js';
export type { Listing } from './program/listing.js';
export type { ListedInstruction } from './program/work.js';
export { l1, l1l2, l2, type Regularizer } from './regularizers.js';
export type { ClassWeight, ClassWeights } from './runtime/class-weights.js';
export type { EvaluateOptions, NodeOptions, PredictAsyncOptions, PredictOptions } from './runtime/inference.js';
export type { Features, Targets } from './runtime/inputs.js';
export type { Profile, ProfiledInstruction } from './runtime/profile.js';
export type { BatchStream, SampleWeights, StreamBatch, TrainingData } from './runtime/streams.js';
export type { Evaluation, Figures } from './runtime/tally.js';
export {
  constantRate,
  cosine,
  type Duration,
  exponential,
  inverseTime,
  type OneCycleOptions,
  oneCycle,
  piecewise,
  type Schedule,
  type ScheduleTime,
  stepDecay,
  warmUp,
} from './schedules.js';
export type { NetworkNode } from './summary.js';
export { argmax } from './training/argmax.js';
export type { Callbacks, Progress, TrainingHandle, TrainingSettings, TrainingStart } from './training/callbacks.js';
export { type CheckpointOptions, checkpoint } from './training/checkpoint.js';
export { type EarlyStoppingOptions, earlyStopping } from './training/early-stopping.js';
export type { FitOptions } from './training/fit-options.js';
export type { EpochLog, History } from './training/history.js';
export { jsonLog } from './training/json-log.js';
export * as metrics from './training/metrics.js';
export type { Monitor, MonitorOptions } from './training/monitor.js';
export type { MetricFunction, Metrics } from './training/own-metrics.js';
export { type ProgressBarOptions, progressBar } from './training/progress-bar.js';
export { type ReduceOnPlateauOptions, reduceOnPlateau } from './training/reduce-on-plateau.js';
export type { SamplingOptions } from './training/sampling.js';
export { type TensorBoardOptions, tensorBoard } from './training/tensor-board.js';
export type { FeatureColumn, SampleSource, TargetColumn } from './types.js';
