export * from './activation.js';
export * from './batch-norm.js';
export * from './conv-transpose2d.js';
export * from './conv2d.js';
export * from './dense.js';
export * from './depthwise-conv2d.js';
export * from './dropout.js';
export { type EmbeddingOptions, embedding } from './embedding.js';
export * from './flatten.js';
export * from './gaussian-noise.js';
export * from './group-norm.js';
export type { LayerSpec } from './layer.js';
export * from './local-response-norm.js';

import './merge.js';

export * from './pool2d.js';
export * from './prelu.js';
export type { ReduceOptions } from './reduce.js';
export * from './separable-conv2d.js';
export type { Margins, SliceOptions } from './shape.js';
export type { Padding2d, Size2d } from './window.js';
