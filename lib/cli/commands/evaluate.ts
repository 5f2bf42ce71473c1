import { Network } from 'blasnet';
import { command } from '../command.js';
import { checkValues } from '../predicting.js';
import { score, scoreLine } from '../scores.js';
import { counted, encoderOf, formatOf, readFor, TABLE, tableOptions, withTarget } from '../tables.js';
import { withKnownLabels } from '../training.js';

export const evaluate = command({
  name: 'evaluate',
  summary: 'compares the predictions for a table with its column of the target',
  text: [
    'A classification: accuracy, F1 (the mean over the labels) and a table of truth and predictions. A regression: ' +
      'R², and the root mean square error and the mean absolute error in the unit of the target. Rows without a target ' +
      'or with a label that the network does not know are left out, with a note.',
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
  async run([model, path], values, { note }) {
    const network = await Network.load<string>(model);
    const encoder = encoderOf(network, model);
    const all = await readFor(encoder, path, formatOf(values), true);
    const { table: targeted, places } = withTarget(all, path, encoder.target, note);
    checkValues(encoder, targeted, path, (row) => places[row]);
    const { table, places: known } = withKnownLabels(targeted, encoder);
    const unknownLabels = targeted.length - table.length;
    if (table.length === 0) {
      const labels = encoder.labels?.slice(0, 10).join(', ');
      const first = String(targeted.row(0)[encoder.target]);
      throw new Error(
        `${path}: no row has a label that the network knows, such as ${labels}; the first has '${first}'`,
      );
    }
    if (unknownLabels > 0)
      note(`${path}: left out: ${counted(unknownLabels, 'row')} with labels that the network does not know`);
    const scores = score(network, encoder, table, path, (row) => places[known[row]]);
    const { rows, figures, matrix } = scores;
    const lines = [
      `${path}: ${counted(rows, 'row')}: ${scoreLine(scores)}`,
      ...(matrix === undefined ? [] : [String(matrix)]),
    ];
    const confusion = matrix && { labels: matrix.labelNames, cells: matrix.cells() };
    return { text: lines.join('\n\n'), json: { rows, ...figures, ...(confusion && { unknownLabels, confusion }) } };
  },
});
