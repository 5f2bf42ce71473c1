import { BlasnetError, type Network } from 'blasnet';
import { type Encoder, type Prediction, predictRows, type Table } from 'blasnet/tables';

/** Rows of a part, and numbers of its predictions. */
const MOST_ROWS = 4096;
const MOST_NUMBERS = 2 ** 18;

/**
 * The predictions for a table's rows, in parts: a probability for each of many labels takes much memory. Errors name
 * the file.
 */
export function* predictParts(
  network: Network<string>,
  { outputs }: Encoder,
  table: Table,
  path: string,
): Generator<Prediction[]> {
  const most = Math.max(1, Math.min(MOST_ROWS, Math.floor(MOST_NUMBERS / outputs)));
  for (let begin = 0; begin < table.length; begin += most) {
    const count = Math.min(most, table.length - begin);
    const part = table.length === count ? table : table.subset(Int32Array.from({ length: count }, (_, i) => begin + i));
    try {
      yield predictRows(network, part);
    } catch (error) {
      if (!(error instanceof BlasnetError)) throw error;
      const where = count === table.length ? path : `${path}: rows from ${begin}`;
      throw new BlasnetError(error.code, `${where}: ${error.message}`, { cause: error });
    }
  }
}
