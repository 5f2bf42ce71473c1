export { AdaGrad, type AdaGradOptions } from './ada-grad.js';
export { Adam, type AdamOptions, AdamW, type EpsilonPlacement } from './adam.js';
export { Optimizer } from './optimizer.js';
export { RmsProp, type RmsPropOptions } from './rms-prop.js';
export { Sgd, type SgdOptions } from './sgd.js';
