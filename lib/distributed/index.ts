/** Training on several machines: the public entry point `blasnet/distributed`. */
export type { Group, Host } from './group.js';
export { type JoinOptions, joinGroup } from './join.js';
export type { MpiLibrary } from './libraries.js';
