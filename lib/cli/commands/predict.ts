import { Network } from 'blasnet';
import { type Encoder, type Prediction, predictRows } from 'blasnet/tables';
import { command, fileOption } from '../command.js';
import { checkApart, checkWritable, writeText } from '../files.js';
import { csvText, encoderOf, readFor, TABLE, tableOptions } from '../tables.js';

/** The target's column, and for labels a column of probabilities for each. */
function rowsOf({ target, labels = [] }: Encoder, predictions: readonly Prediction[]): (string | number)[][] {
  const head = [target, ...labels.map((label) => `${target}=${label}`)];
  const rows = predictions.map(({ label, value, probabilities }) =>
    // Probabilities are in single precision, which has nine digits.
    probabilities === undefined
      ? [value as number]
      : [label, ...labels.map((name) => Number(probabilities[name].toPrecision(9)))],
  );
  return [head, ...rows];
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
  async run([model, path], { out, delimiter, decimal }, { note }) {
    checkApart({ '<model>': model, '<rows>': path }, { '--out': out });
    if (out !== undefined) checkWritable(out);
    const network = await Network.load<string>(model);
    const encoder = encoderOf(network, model);
    const predictions = predictRows(network, await readFor(encoder, path, { delimiter, decimal }));
    const text = csvText(rowsOf(encoder, predictions));
    if (out === undefined) return { text, exact: true, json: predictions };
    await writeText(out, `${text}\n`);
    note(`${out}: ${predictions.length} predictions of ${encoder.target}`);
    return { json: predictions };
  },
});
