import { Network } from 'blasnet';
import { command } from '../command.js';
import { score, scoreLine } from '../scores.js';
import { encoderOf, readFor, TABLE, tableOptions, withTarget } from '../tables.js';

export const evaluate = command({
  name: 'evaluate',
  summary: 'compares the predictions for a table with its column of the target',
  text: [
    'A classification: accuracy, F1 (the mean over the labels) and a table of truth and predictions. A regression: ' +
      'R², and the root mean square error and the mean absolute error in the unit of the target.',
  ],
  operands: [
    { name: 'model', text: 'a network, as train writes it', completion: 'files' },
    { name: 'data', text: `a table with the target: ${TABLE}`, completion: 'files' },
  ],
  options: tableOptions,
  json: true,
  examples: [
    ['blasnet evaluate iris.safetensors test.csv', 'figures for people'],
    ['blasnet evaluate iris.safetensors test.csv --json', 'figures for a program'],
  ],
  async run([model, path], { delimiter, decimal }, { note }) {
    const network = await Network.load<string>(model);
    const encoder = encoderOf(network, model);
    const table = withTarget(await readFor(encoder, path, { delimiter, decimal }, true), path, encoder.target, note);
    const scores = score(network, encoder, table, path);
    const { rows, figures, matrix } = scores;
    const lines = [`${path}: ${rows} rows: ${scoreLine(scores)}`, ...(matrix === undefined ? [] : [String(matrix)])];
    const confusion = matrix && { labels: matrix.labelNames, cells: matrix.cells() };
    return { text: lines.join('\n\n'), json: { rows, ...figures, ...(confusion && { confusion }) } };
  },
});
