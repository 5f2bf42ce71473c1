export { elu, gelu, identity, leakyRelu, relu, selu, sigmoid, silu, softmax, softplus, tanh } from './activation.js';
export { type BatchNormOptions, batchNorm } from './batch-norm.js';
export { type DenseOptions, dense } from './dense.js';
export { dropout } from './dropout.js';
export { flatten } from './flatten.js';
export type { LayerSpec } from './layer.js';
