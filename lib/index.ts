export type { BackendInfo, BackendName } from './backend/backend.js';
export { backendInfo } from './backend/select.js';
export { BlasnetError, type ErrorCode, type NonFiniteDetails } from './errors.js';
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
export {
  binaryCrossEntropy,
  halfSquaredError,
  huber,
  type Loss,
  meanAbsoluteError,
  meanSquaredError,
  softmaxCrossEntropy,
} from './losses.js';
export {
  type Checkpoint,
  type LoadOptions,
  Network,
  type NetworkOptions,
  type ParameterView,
  type SaveOptions,
  type StateView,
} from './network.js';
export * from './optimizers/index.js';
export type { Shape } from './program/instructions.js';
export type { Listing } from './program/listing.js';
export type { Profile, ProfiledInstruction } from './program/profile.js';
export type { ListedInstruction } from './program/work.js';
export { l1, l1l2, l2, type Regularizer } from './regularizers.js';
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
export type { Callbacks, Progress, TrainingHandle } from './training/callbacks.js';
export { type CheckpointOptions, checkpoint } from './training/checkpoint.js';
export { type EarlyStoppingOptions, earlyStopping } from './training/early-stopping.js';
export type { FitOptions, StreamBatch, TrainingData } from './training/fit.js';
export type { EpochLog, Evaluation, History } from './training/history.js';
export type { Features, Targets } from './training/inputs.js';
export * as metrics from './training/metrics.js';
export type { Monitor } from './training/monitor.js';
export { type ProgressBarOptions, progressBar } from './training/progress-bar.js';
export { type ReduceOnPlateauOptions, reduceOnPlateau } from './training/reduce-on-plateau.js';
export type { SamplingOptions } from './training/sampling.js';
export type { SampleSource } from './types.js';
