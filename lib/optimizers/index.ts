export * from './adam.js';
export * from './adaptive.js';
export { freeze, type ParameterGroup } from './groups.js';
export * from './momentum.js';
export { type AverageOptions, Optimizer, type OptimizerOptions, type OptimizerState } from './optimizer.js';
