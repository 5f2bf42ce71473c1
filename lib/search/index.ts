/** Search of hyper-parameters and cross-validation: the public entry point `blasnet/search`. */
export { type CrossValidateOptions, type CrossValidation, crossValidate } from './cross-validate.js';
export type { HalvingOptions } from './halving.js';
export type { SearchProgress, Trial } from './runner.js';
export { type SearchOptions, type SearchResult, search } from './search.js';
export {
  type Choice,
  choice,
  type Dimension,
  integer,
  logUniform,
  type NumberRange,
  type Params,
  type Space,
  uniform,
} from './space.js';
export type { AnyNetwork, Built, MetricFunction, MetricOptions, Task } from './training.js';
