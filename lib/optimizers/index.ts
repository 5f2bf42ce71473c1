export { AdaGrad, type AdaGradOptions } from './ada-grad.js';
export { Adam, type AdamOptions, AdamW, type AdamWOptions, type EpsilonPlacement } from './adam.js';
export type { ParameterGroup } from './groups.js';
export { Optimizer, type OptimizerOptions, type OptimizerState } from './optimizer.js';
export { RmsProp, type RmsPropOptions } from './rms-prop.js';
export { Sgd, type SgdOptions } from './sgd.js';
