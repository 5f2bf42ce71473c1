/** Training on several machines: the public entry point `blasnet/distributed`. */
export type { Group, Host } from './group.js';
export { type JoinOptions, joinGroup } from './join.js';
export { type MpiInfo, type MpiLibrary, mpiInfo } from './libraries.js';
export { shard } from './shard.js';
