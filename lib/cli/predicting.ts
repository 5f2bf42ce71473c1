import { BlasnetError, type Network } from 'blasnet';
import { type Encoder, type Prediction, predictRows, type Table } from 'blasnet/tables';

/** Rows of a part, and numbers of its predictions. */
const MOST_ROWS = 4096;
const MOST_NUMBERS = 2 ** 18;

/**
 * Does work on some rows of a file, so that errors name it and the row in it, from 1. `rowOf`: the row in the file, from
 * 0, of one of those rows.
 */
export function inFile<T>(path: string, rowOf: (row: number) => number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof BlasnetError)) throw error;
    const text = error.message.replace(/\brow (\d+)/, (_, row) => `row ${rowOf(Number(row)) + 1} of the data`);
    throw new BlasnetError(error.code, `${path}: ${text}`, { cause: error });
  }
}

/** The rows of a table in parts of `most`, with the row at which each begins. */
function* partsOf(table: Table, most: number): Generator<[part: Table, begin: number]> {
  for (let begin = 0; begin < table.length; begin += most) {
    const count = Math.min(most, table.length - begin);
    const rows = Int32Array.from({ length: count }, (_, i) => begin + i);
    yield [count === table.length ? table : table.subset(rows), begin];
  }
}

/**
 * Throws for a value, also of a regression's target, that can't be encoded, with its row in the file. `rows`: the rows of the table in the file, from 0.
 */
export function checkValues(encoder: Encoder, table: Table, path: string, rows: readonly number[]): void {
  for (const [part, begin] of partsOf(table, MOST_ROWS))
    inFile(
      path,
      (row) => rows[begin + row],
      // Labels may be unknown.
      () => (encoder.labels === undefined ? encoder.dataset(part) : encoder.features(part)),
    );
}

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
  for (const [part, begin] of partsOf(table, most))
    yield inFile(
      path,
      (row) => begin + row,
      () => predictRows(network, part),
    );
}
