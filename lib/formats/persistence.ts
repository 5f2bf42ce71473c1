import { types } from 'node:util';
import type { BackendName } from '../backend/backend.js';
import { checkOptions, checkPath, checkStorage, invalid } from '../checks.js';
import { readShared } from '../data/files.js';
import { BlasnetError } from '../errors.js';
import { CUSTOM } from '../losses/custom.js';
import { checkLoss, type Loss } from '../losses/loss.js';
import { checkOptimizer, type Optimizer } from '../optimizers/optimizer.js';
import { findMisfit, type ModelSpec } from '../program/model.js';
import { quote } from '../text.js';
import {
  decodeNetwork,
  encodeNetwork,
  fillNetwork,
  type Kept,
  type NetworkMemory,
  restoreOptimizer,
  type SavedNetwork,
} from './network-file.js';
import { replaceFile } from './replace-file.js';

/** Options of `network.save` and `network.toBytes`. */
export interface SaveOptions {
  /** The optimizer that trains this network, saved with it. */
  optimizer?: Optimizer;
}

/** Options of `Network.load` and `Network.fromBytes`. */
export interface LoadOptions {
  /** As in `NetworkOptions`. */
  backend?: 'auto' | BackendName;
  /** A new optimizer of the saved kind, which receives the saved state: step count, `rateFactor` and moments. */
  optimizer?: Optimizer;
  /**
   * The network's loss; needed if it is of a kind that is not registered (a `customLoss` is in the file). Of several
   * losses, those of the same kind are replaced by it, but the library's are read with their options. A list if
   * user-defined ones are of several kinds. `INVALID_ARGUMENT` if no loss is of its kind, and for two of one kind.
   */
  loss?: Loss | readonly Loss[];
}

/** Makes a network of a file's specification, not yet filled, that was trained for `epochs` epochs. */
export type Revive<N> = (
  spec: ModelSpec,
  backend: 'auto' | BackendName | undefined,
  kept: Kept,
) => { readonly network: N; readonly memory: NetworkMemory };

/** The bytes of a network's file. `name` is the function that the user called. */
export function toBytes(
  name: string,
  network: NetworkMemory,
  kept: Kept,
  options: SaveOptions | undefined,
): Uint8Array {
  network.checkIdle();
  const { optimizer } = checkOptions(name, options, ['optimizer']);
  if (optimizer !== undefined) checkOptimizer(`${name}: optimizer`, optimizer);
  return encodeNetwork(network, kept, optimizer);
}

export async function save(
  path: string | URL,
  network: NetworkMemory,
  kept: Kept,
  options: SaveOptions | undefined,
): Promise<void> {
  const file = checkPath('save: path', path);
  await replaceFile(file, toBytes('save', network, kept, options));
}

interface Loaded<N> {
  readonly network: N;
  readonly memory: NetworkMemory;
  readonly saved: SavedNetwork;
  readonly given: LoadOptions;
}

function checkLoading(name: string, options: LoadOptions | undefined): LoadOptions {
  const given = checkOptions(name, options, ['backend', 'optimizer', 'loss']);
  if (given.optimizer !== undefined) checkOptimizer(`${name}: optimizer`, given.optimizer);
  const kinds = new Set<string>();
  for (const loss of given.loss === undefined ? [] : [given.loss].flat()) {
    const { kind } = checkLoss(`${name}: loss`, loss);
    if (kinds.has(kind)) {
      const hint = kind === CUSTOM ? ' (a file has their graphs; they need not be given)' : '';
      const text = `expected losses of different kinds, got two of kind ${quote(kind)}${hint}`;
      throw new BlasnetError('INVALID_ARGUMENT', `${name}: loss: ${text}`);
    }
    kinds.add(kind);
  }
  return given;
}

function decode<N>(bytes: Uint8Array, file: string, given: LoadOptions, revive: Revive<N>): Loaded<N> {
  const { backend, optimizer, loss } = given;
  const saved = decodeNetwork(bytes, file, loss);
  const misfit = findMisfit(saved.model);
  if (misfit !== undefined) {
    if (loss !== undefined) throw misfit;
    process.emitWarning(`${file}: ${misfit.message}`, { type: 'BlasnetWarning', code: 'BLASNET_MISFIT' });
  }
  const kept = { epochs: saved.counters.epochs, metadata: saved.metadata, encoder: saved.encoder };
  const { network, memory } = revive(saved.spec, backend, kept);
  fillNetwork(saved, memory);
  if (optimizer !== undefined) restoreOptimizer(saved, memory, optimizer);
  return { network, memory, saved, given };
}

async function read<N>(
  name: string,
  path: string | URL,
  options: LoadOptions | undefined,
  revive: Revive<N>,
): Promise<Loaded<N>> {
  const file = checkPath(`${name}: path`, path);
  const given = checkLoading(name, options);
  return decode(await readShared(file), file, given, revive);
}

export async function load<N>(path: string | URL, options: LoadOptions | undefined, revive: Revive<N>): Promise<N> {
  return (await read('load', path, options, revive)).network;
}

export function fromBytes<N>(bytes: Uint8Array, options: LoadOptions | undefined, revive: Revive<N>): N {
  if (!types.isUint8Array(bytes)) throw invalid('fromBytes: bytes', 'a Uint8Array', bytes);
  checkStorage('fromBytes: bytes', bytes);
  return decode(bytes, 'bytes', checkLoading('fromBytes', options), revive).network;
}

export async function loadCheckpoint<N>(
  path: string | URL,
  options: LoadOptions | undefined,
  revive: Revive<N>,
): Promise<{ network: N; optimizer: Optimizer; epoch: number }> {
  const { network, memory, saved, given } = await read('loadCheckpoint', path, options, revive);
  const optimizer = given.optimizer ?? restoreOptimizer(saved, memory, undefined);
  return { network, optimizer, epoch: saved.counters.epochs };
}
