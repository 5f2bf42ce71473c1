import { checkArity, invalid } from '../checks.js';
import type { Dataset } from '../data/dataset.js';
import { isNumeric } from '../numbers.js';
import { Encoder, type EncoderJson, typedRows } from './encoder.js';
import type { Table } from './table.js';
import type { Prediction } from './target.js';

/** What {@link predictRows} needs of a network. */
export interface EncodedNetwork {
  /** The encoder's plain data, as the network keeps it. */
  readonly encoder: unknown;
  predict(features: Dataset): unknown;
}

/** Encoded numbers at a time: 16 MiB. */
const AT_ONCE = 2 ** 22;

/** Encoders by their plain data, which networks freeze. */
const known = new WeakMap<object, Encoder>();

/**
 * What a network says of rows: labels with their probabilities, or values in the unit of the target. The network must
 * have its encoder (`network.encoder = encoder`, kept in files) and one output. `rows` are plain objects, as
 * {@link Encoder.table} takes them, or a table. Synchronous. Throws `INVALID_ARGUMENT`, also for a network without an
 * encoder, `SHAPE_MISMATCH` for one that the encoder does not fit, `NON_FINITE` (naming the row) for values so large
 * that the numbers for the network or its outputs overflow, and what `predict` throws.
 */
export function predictRows(network: EncodedNetwork, rows: Table | Iterable<object>): Prediction[] {
  checkArity('predictRows', arguments, 2);
  if (typeof network !== 'object' || network === null || typeof network.predict !== 'function')
    throw invalid('predictRows: network', 'a Network', network);
  const encoder = encoderOf(network.encoder);
  const table = typedRows(encoder, 'predictRows: rows', rows);
  const most = Math.max(1, Math.floor(AT_ONCE / (encoder.shape[0] + Object.keys(encoder.vocabularies).length)));
  let all = new Float64Array(0);
  for (let begin = 0; begin < table.length; begin += most) {
    const count = Math.min(most, table.length - begin);
    const part = count === table.length ? table : table.subset(Int32Array.from({ length: count }, (_, i) => begin + i));
    const outputs = network.predict(encoder.features(part));
    if (!isNumeric(outputs)) throw invalid('predictRows: network', 'a network with one output without a name', network);
    const width = outputs.length / count;
    if (begin === 0) all = new Float64Array(table.length * width);
    all.set(outputs, begin * width);
  }
  // At once, so that errors have the number of the row among all rows.
  return encoder.decode(all, table.length);
}

function encoderOf(json: unknown): Encoder {
  if (typeof json !== 'object' || json === null)
    throw invalid('predictRows: network', 'a network with an encoder (network.encoder = encoder)', json);
  let encoder = known.get(json);
  if (encoder === undefined) {
    encoder = new Encoder(json as EncoderJson);
    if (Object.isFrozen(json)) known.set(json, encoder);
  }
  return encoder;
}
