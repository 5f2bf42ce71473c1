import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TextDecoder } from 'node:util';
import { checkArity, checkPath, invalid } from '../../checks.js';
import { readWhole } from '../../data/files.js';
import { BlasnetError } from '../../errors.js';
import { JsonError, parseJson } from '../../formats/json.js';
import { replaceFile } from '../../formats/replace-file.js';
import { type AnyNetwork, Network } from '../../network.js';
import { systemReason } from '../../system.js';
import { pathText, quote } from '../../text.js';
import { exportModel } from './export.js';
import { malformed } from './fields.js';
import { checkImport, checkModel, type ImportOptions, inModel, makeNetwork, readModelFields } from './import.js';

/** The largest model.json that is read: a thousand layers take about one MB. */
const MAX_JSON = 32 * 2 ** 20;
/** A layer has about ten objects and 40 members. */
const LIMITS = { objects: 200_000, members: 500_000 };
/** Files of weights of one model. */
const MAX_SHARDS = 10_000;
const WEIGHTS = 'weights.bin';

/** Checks the text of a model.json: what it says of the layers and of the weights. Throws a `BlasnetError`. */
export function readModelJson(bytes: Uint8Array, file: string) {
  let value: unknown;
  try {
    value = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes), LIMITS);
  } catch (cause) {
    if (!(cause instanceof JsonError) && !(cause instanceof TypeError)) throw cause;
    throw new BlasnetError('FILE_CORRUPT', `${file}: it must be JSON in UTF-8: ${cause.message}`, { cause });
  }
  return inModel(file, () => {
    const { topology, groups } = readModelFields(value);
    const paths = groups.map((group) => group.paths.map(checkShard));
    if (paths.flat().length > MAX_SHARDS) throw malformed(`more than ${MAX_SHARDS} files of weights`);
    const model = checkModel(
      topology,
      groups.map(({ entries }) => entries),
    );
    return { model, paths };
  });
}

/** The path of a file of weights below the folder of its model.json, and never outside. tfjs may write `./` before it. */
function checkShard(path: unknown): string {
  const parts = typeof path === 'string' ? path.split('/').filter((part) => part !== '.') : [];
  const isPlain =
    parts.length > 0 && parts.every((part) => part !== '' && !/^\.+$/.test(part) && !/[\\:\0]/.test(part));
  if (!isPlain) throw malformed(`the path of a file of weights must stay in the folder, got ${quote(String(path))}`);
  return parts.join('/');
}

/** The bytes of the files of a group, which must be as long together as its weights say. */
async function readShards(folder: string, paths: readonly string[], bytes: number, file: string): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let left = bytes;
  for (const path of paths) {
    const piece = await readWhole(join(folder, path), (size) => new Uint8Array(size), left);
    left -= piece.length;
    pieces.push(piece);
  }
  if (left > 0)
    throw new BlasnetError('FILE_CORRUPT', `${file}: the files of the weights lack ${left} of ${bytes} bytes`);
  return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
}

/**
 * Reads a tfjs LayersModel: `path` is that of its `model.json`, beside which the files of its weights are. Sequential
 * and Functional models, as tfjs saves them and as converters make them of Keras 2 and 3. `predict` of the network
 * gives what the model's does. Rejects with `FILE_NOT_FOUND`; `FILE_CORRUPT` for what is no such model;
 * `INVALID_ARGUMENT`, naming the layer, for what has no counterpart here; `SHAPE_MISMATCH` if layers or weights don't
 * fit together.
 */
export async function loadLayersModel<K extends string = ''>(
  path: string | URL,
  options?: ImportOptions,
): Promise<Network<K>> {
  checkArity('loadLayersModel', arguments, 2);
  const file = checkPath('loadLayersModel: path', path);
  const given = checkImport('loadLayersModel', options);
  const { model, paths } = readModelJson(await readWhole(file, (size) => new Uint8Array(size), MAX_JSON), file);
  const data: Uint8Array[] = [];
  for (const [i, { bytes }] of model.groups.entries())
    data.push(await readShards(dirname(file), paths[i], bytes, file));
  return inModel(file, () => makeNetwork(model, data, given));
}

/**
 * Writes a network as a tfjs LayersModel: `model.json` and `weights.bin` in the folder `path`, which is made if it is
 * not there. `predict` of the model gives what the network's does; a softmax or sigmoid that the loss adds becomes a
 * layer. Rejects with `INVALID_ARGUMENT`, naming the node, for what tfjs has not; `FILE_NOT_WRITTEN`; `NETWORK_BUSY`.
 */
export async function saveLayersModel(network: AnyNetwork, path: string | URL): Promise<void> {
  checkArity('saveLayersModel', arguments, 2);
  if (!(network instanceof Network)) throw invalid('saveLayersModel: network', 'a Network', network);
  const folder = checkPath('saveLayersModel: path', path);
  const { weightSpecs, weightData, ...model } = exportModel(network);
  const weightsManifest = [{ paths: [WEIGHTS], weights: weightSpecs }];
  const json = JSON.stringify({ ...model, weightsManifest });
  try {
    await mkdir(folder, { recursive: true });
  } catch (cause) {
    throw new BlasnetError('FILE_NOT_WRITTEN', `${pathText(folder)}: it cannot be made (${systemReason(cause)})`, {
      cause,
    });
  }
  // The weights come first, so that a model.json never names weights that are not there.
  await replaceFile(join(folder, WEIGHTS), new Uint8Array(weightData));
  await replaceFile(join(folder, 'model.json'), Buffer.from(json));
}
