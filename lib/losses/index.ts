export * from './cross-entropy.js';
export { customLoss } from './custom.js';
export type { Loss } from './loss.js';
export * from './regression.js';
