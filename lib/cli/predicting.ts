import { BlasnetError, type Network } from 'blasnet';
import { type Encoder, type Prediction, predictRows, type Table } from 'blasnet/tables';

/** Rows of a part, and numbers of its predictions. */
const MOST_ROWS = 4096;
const MOST_NUMBERS = 2 ** 18;

/** The row in a file, from 0, of a row of a table. */
export type RowOf = (row: number) => number;

/**
 * Does work on some rows of a file, so that errors name it and the row in it, from 1. `rowOf`: the row in the file, from
 * 0, of one of those rows; without one, no row is named.
 */
export function inFile<T>(path: string, rowOf: RowOf | undefined, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof BlasnetError)) throw error;
    // The function that was called means nothing to a user.
    const text = error.message
      .replace(/^\w+: (?:rows|table): /, '')
      .replace(/(?<=^|: )row (\d+)(?=[:,])/, (_, row) =>
        rowOf === undefined ? 'a row' : `row ${rowOf(Number(row)) + 1} of the data`,
      );
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

/** `rowOf` for a part that begins at a row. */
const within = (begin: number, rowOf: RowOf | undefined) => rowOf && ((row: number) => rowOf(begin + row));

/** Throws for a value, other than the target's, that can't be encoded. `rowOf` as for {@link inFile}. */
export function checkFeatures(encoder: Encoder, table: Table, path: string, rowOf: RowOf): void {
  for (const [part, begin] of partsOf(table, MOST_ROWS))
    inFile(path, within(begin, rowOf), () => encoder.features(part));
}

/** Throws for a value, also of a regression's target, that can't be encoded. `rowOf` as for {@link inFile}. */
export function checkValues(encoder: Encoder, table: Table, path: string, rowOf: RowOf): void {
  // Labels may be unknown.
  for (const [part, begin] of partsOf(table, MOST_ROWS))
    inFile(path, within(begin, rowOf), () =>
      encoder.labels === undefined ? encoder.dataset(part) : encoder.features(part),
    );
}

/**
 * The predictions for a table's rows, in parts: a probability for each of many labels takes much memory. Errors name
 * the file. `rowOf` as for {@link inFile}.
 */
export function* predictParts(
  network: Network<string>,
  { outputs }: Encoder,
  table: Table,
  path: string,
  rowOf?: RowOf,
): Generator<Prediction[]> {
  const most = Math.max(1, Math.min(MOST_ROWS, Math.floor(MOST_NUMBERS / outputs)));
  for (const [part, begin] of partsOf(table, most))
    yield inFile(path, within(begin, rowOf), () => predictRows(network, part));
}
