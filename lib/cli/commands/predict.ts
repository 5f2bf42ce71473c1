import { Network } from 'blasnet';
import type { Encoder, Prediction } from 'blasnet/tables';
import { replaceFile } from '../../formats/replace-file.js';
import { command, fileOption } from '../command.js';
import { checkApart, checkWritable } from '../files.js';
import { checkFeatures, predictParts } from '../predicting.js';
import { counted, csvText, encoderOf, formatOf, readFor, TABLE, tableOptions } from '../tables.js';

/** The target's column, and for labels a column of probabilities for each, as CSV in pieces. */
function* csvOf({ target, labels = [] }: Encoder, parts: Iterable<readonly Prediction[]>): Generator<string> {
  yield csvText([[target, ...labels.map((label) => `${target}=${label}`)]]);
  for (const part of parts) {
    const rows = part.map(({ label, value, probabilities }) =>
      // Probabilities are in single precision, which has nine digits.
      probabilities === undefined
        ? [value as number]
        : [label, ...labels.map((name) => Number(probabilities[name].toPrecision(9)))],
    );
    yield csvText(rows);
  }
}

function* encoded(pieces: Iterable<string>): Generator<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece);
}

export const predict = command({
  name: 'predict',
  summary: 'predicts the target of new rows with a network that was trained on a table',
  text: [
    'Writes CSV, a line for each row in the same order: the predicted label and the probability of each label ' +
      '(columns such as species=setosa), or the predicted value in the unit of the target. The new rows need the ' +
      'columns that the network was trained on; a column of the target is not looked at.',
  ],
  operands: [
    { name: 'model', text: 'a network, as train writes it', completion: 'files' },
    { name: 'rows', text: `a table: ${TABLE}`, completion: 'files' },
  ],
  options: {
    out: fileOption('predictions.csv', 'where to write the predictions; default: standard output'),
    ...tableOptions,
  },
  json: true,
  examples: [
    ['blasnet predict iris.safetensors new.csv --out predictions.csv', 'writes a file'],
    ['blasnet predict iris.safetensors new.csv --json', 'a list of objects with label, probability and probabilities'],
  ],
  async run([model, path], values, { note }) {
    const { out } = values;
    await checkApart({ '<model>': model, '<rows>': path }, { '--out': out });
    if (out !== undefined) await checkWritable(out);
    const network = await Network.load<string>(model);
    const encoder = encoderOf(network, model);
    const table = await readFor(encoder, path, formatOf(values));
    const rowOf = (row: number) => row;
    // Before any output.
    checkFeatures(encoder, table, path, rowOf);
    // Each is computed when it is read.
    const text = csvOf(encoder, predictParts(network, encoder, table, path, rowOf));
    const list = predictParts(network, encoder, table, path, rowOf);
    if (out === undefined) return { text, exact: true, list };
    await replaceFile(out, encoded(text));
    note(`${out}: ${counted(table.length, 'prediction')} of ${encoder.target}`);
    return { list };
  },
});
