import { encoder } from 'blasnet/tables';
import {
  choiceOption,
  command,
  fileOption,
  integerOption,
  integersOption,
  listOption,
  numberOption,
  type Output,
  textOption,
  UsageError,
  type Values,
} from '../command.js';
import { checkApart, checkWritable } from '../files.js';
import { checkValues, inFile } from '../predicting.js';
import { type Scores, score, scoreLine } from '../scores.js';
import { type Found, readSearching, type Settings, searchSettings } from '../searching.js';
import { checkColumns, counted, formatOf, noteMixed, readTable, TABLE, tableOptions, withTarget } from '../tables.js';
import { checkParts, defaultBatchSize, fitNetwork, makeNetwork, taskOf, width, withKnownLabels } from '../training.js';
import { writeTrainingReport } from '../training-report.js';

const fraction = { min: 0, below: 1 };
const count = { min: 1, below: 2 ** 31 };

/** The exit code of a process that an interrupt ended, as shells have it. */
const INTERRUPTED = 130;

const DEFAULTS = { layers: [100], dropout: 0, learningRate: 0.002, epochs: 300, validation: 0.2, test: 0.2, seed: 0 };

const options = {
  target: textOption('column', 'the column to predict', { required: true }),
  out: fileOption('model', 'where to keep the network, such as model.safetensors', { required: true }),
  task: choiceOption(
    'task',
    'classification or regression; default: regression for a target with more than two different numbers',
    ['classification', 'regression'],
  ),
  drop: listOption('columns', 'columns that the network should not see, such as ids: a,b,c'),
  embed: listOption('columns', 'columns of many categories, whose values become vectors that are trained: a,b,c'),
  layers: integersOption('sizes', `sizes of the hidden layers: 64,32; default ${DEFAULTS.layers}`, {
    min: 1,
    below: 2 ** 20,
  }),
  dropout: numberOption(
    'rate',
    `drop this fraction of each hidden layer in training; default ${DEFAULTS.dropout}`,
    fraction,
  ),
  epochs: integerOption('n', `epochs at most; default ${DEFAULTS.epochs}`, count),
  'batch-size': integerOption('n', 'rows in a batch; default 32 to 256, by the number of rows', count),
  'learning-rate': numberOption('rate', `of Adam; default ${DEFAULTS.learningRate}`, { above: 0, below: 1e6 }),
  validation: numberOption(
    'fraction',
    `of the rows, which decide when to stop; default ${DEFAULTS.validation}; 0: all epochs`,
    fraction,
  ),
  test: numberOption(
    'fraction',
    `of the rows, held out for the figures at the end; default ${DEFAULTS.test}`,
    fraction,
  ),
  search: integerOption('trials', 'try so many settings and keep the best network', { min: 1, below: 100_001 }),
  'search-log': fileOption('log.jsonl', 'a log of the trials of --search, from which an interrupted search goes on'),
  seed: integerOption('n', `of the division, the first weights and the order; default ${DEFAULTS.seed}`, {
    min: 0,
    below: 2 ** 32,
  }),
  ...tableOptions,
  report: fileOption('report.html', 'where to write a page with figures, curves and settings'),
};

/** The values of the options, with defaults for those that no search finds. */
async function readOptions(path: string, values: Values<typeof options>) {
  const { target, out, drop = [], embed = [], task, report } = values;
  const { layers, dropout, 'learning-rate': learningRate, 'batch-size': batchSize, 'search-log': log } = values;
  const { epochs = DEFAULTS.epochs, validation = DEFAULTS.validation, test = DEFAULTS.test } = values;
  const { seed = DEFAULTS.seed } = values;
  const fixed = { layers, dropout, learningRate, batchSize };
  const searching = readSearching({ trials: values.search, epochs, seed, log }, fixed, validation);
  if (target === undefined || out === undefined) throw new UsageError('train: expected --target and --out');
  await checkApart({ '<data>': path }, { '--out': out, '--report': report, '--search-log': log });
  for (const file of [out, report, log]) if (file !== undefined) await checkWritable(file);
  const data = { target, drop, embed, task, format: formatOf(values), validation, test, seed };
  return { ...data, out, report, epochs, fixed, searching };
}

type Given = Awaited<ReturnType<typeof readOptions>>;

/** Reads the table, and divides and encodes its rows. */
async function prepareRows(path: string, given: Given, note: (text: string) => void) {
  const { target, drop, embed, format, validation, test, seed } = given;
  const names = new Set<string>();
  const select = (name: string) => {
    names.add(name);
    return !drop.includes(name);
  };
  const all = await readTable(path, format, { select });
  checkColumns(names, path, 'target', [target]);
  checkColumns(names, path, 'drop', drop);
  checkColumns(names, path, 'embed', embed);
  if (drop.includes(target)) throw new UsageError(`--drop: ${target} is the target`);
  const both = embed.find((name) => name === target || drop.includes(name));
  if (both !== undefined)
    throw new UsageError(`--embed: ${both} is ${both === target ? 'the target' : 'dropped by --drop'}`);
  const { table, places } = withTarget(all, path, target, note);
  noteMixed(table, path, format, note);
  const task = given.task ?? taskOf(table, target);
  if (task === 'regression' && table.column(target).type !== 'number')
    throw new UsageError(`--task: a regression needs a target of numbers, and ${target} has others`);
  const parts = table.split({ test, validation, seed, stratify: target });
  const columns = Object.fromEntries(embed.map((name) => [name, { as: 'category', encoding: 'index' } as const]));
  const plan = encoder({ target, task, columns });
  // No row is named: they are in a random order.
  const fitted = inFile(path, undefined, () => plan.fit(parts.train));
  checkValues(fitted, table, path, (row) => places[row]);
  const known = {
    ...parts,
    validation: withKnownLabels(parts.validation, fitted).table,
    test: withKnownLabels(parts.test, fitted).table,
  };
  checkParts(path, fitted, { validation, test }, parts, known);
  const rows = { train: known.train.length, validation: known.validation.length, test: known.test.length };
  const unknown = table.length - rows.train - rows.validation - rows.test;
  if (unknown > 0)
    note(`${path}: left out: ${counted(unknown, 'row')} with labels too rare to be in the training part`);
  return { length: table.length, task, fitted, known, rows };
}

type Prepared = Awaited<ReturnType<typeof prepareRows>>;

/** What came of the training. */
interface Trained extends Awaited<ReturnType<typeof fitNetwork>> {
  readonly network: ReturnType<typeof makeNetwork>;
  readonly settings: Settings;
  readonly found: Found | undefined;
  readonly scores: Scores | undefined;
}

async function writeReport(
  path: string,
  file: string,
  { target, embed, epochs, seed }: Given,
  { task, rows }: Prepared,
  { network, settings: own, found, scores, history }: Trained,
  note: (text: string) => void,
): Promise<void> {
  const settings = {
    data: path,
    target,
    task,
    ...(embed.length > 0 && { embed }),
    ...own,
    epochs,
    seed,
    rows,
    ...(found && { search: found.figures }),
  };
  await writeTrainingReport(file, { target, settings, network, history, scores, note });
}

function outputOf(
  path: string,
  { target, out }: Given,
  { length, task, fitted, rows }: Prepared,
  { network, settings, found, scores, history, seconds, kept }: Trained,
  report: string | undefined,
): Output {
  const { parameterCount: parameters } = network;
  const { columns } = fitted.toJSON();
  const { batchSize } = settings;
  const sizes = [width(fitted), ...settings.layers, ...network.output].join('-');
  const text = [
    `${path}: ${counted(length, 'row')}, ${task} of ${target} from ${counted(columns.length, 'column')}`,
    `rows: ${rows.train} for training, ${rows.validation} for validation, ${rows.test} for the test`,
    ...(found === undefined ? [] : [found.line]),
    `network: ${sizes}, ${parameters} parameters, batches of ${batchSize}`,
    `training: ${history.epochs.length} epochs in ${seconds.toFixed(1)} s; kept: epoch ${kept}`,
    ...(scores === undefined ? [] : [`test: ${scoreLine(scores)}`]),
    `written: ${[out, ...(report === undefined ? [] : [report])].join(', ')}`,
  ].join('\n');
  const trained = { parameters, batchSize, epochs: history.epochs.length, bestEpoch: kept, seconds };
  const labels = fitted.labels ?? null;
  const search = found && { ...found.figures, ...found.settings };
  const json = { model: out, task, target, labels, rows, ...trained, ...(search && { search }) };
  return { text, json: { ...json, test: scores?.figures ?? null } };
}

export const train = command({
  name: 'train',
  summary: 'trains a network on a table and keeps it in a file',
  text: [
    'Rows are divided at random into parts for training, validation and test, with the target alike in each. Columns ' +
      'become numbers as the training part has them; the file of the network keeps how, so that predict takes rows ' +
      'as they are. Dense layers with ReLU are trained with Adam until the validation loss stops falling; the best ' +
      'epoch is kept. The test part shows how good the network is on rows it has not seen.',
    'With --search, settings that no option gives (layers, dropout, learning rate, batch size) are drawn at random, ' +
      'and the network with the least validation loss is kept. The test part has no say in it.',
  ],
  operands: [{ name: 'data', text: `a table: ${TABLE}`, completion: 'files' }],
  options,
  json: true,
  examples: [
    ['blasnet train iris.csv --target species --out iris.safetensors', 'learns the species from all other columns'],
    [
      'blasnet train houses.csv --target price --drop id,address --layers 64,32 --out houses.safetensors',
      'learns a number, from all columns but two, with two hidden layers',
    ],
    [
      'blasnet train sales.csv --target amount --embed shop,article --out sales.safetensors',
      'trains a vector for each shop and each article, where most networks have a place for each',
    ],
    [
      'blasnet train mails.jsonl --target spam --out spam.safetensors --report spam.html',
      'also writes a page with the figures, curves, the network and all settings',
    ],
    [
      'blasnet train iris.csv --target species --out iris.st --search 30 --search-log trials.jsonl',
      'tries 30 settings; the same command goes on where it was interrupted',
    ],
  ],
  async run([path], values, { note }) {
    const given = await readOptions(path, values);
    const data = await prepareRows(path, given, note);
    const { fitted, known, rows } = data;
    const { fixed, searching, out } = given;
    const usual = { ...DEFAULTS, batchSize: defaultBatchSize(rows.train) };
    const found = searching && (await searchSettings(fitted, known, fixed, usual.batchSize, searching));
    const settings = found?.settings ?? {
      layers: fixed.layers ?? usual.layers,
      dropout: fixed.dropout ?? usual.dropout,
      learningRate: fixed.learningRate ?? usual.learningRate,
      batchSize: fixed.batchSize ?? usual.batchSize,
    };
    // The seed of the best trial trains its network again.
    const network = makeNetwork(fitted, { ...settings, seed: found?.seed ?? given.seed });
    const run = await fitNetwork(network, fitted, known, { ...settings, epochs: given.epochs }, note);
    await network.save(out);
    const scores = rows.test > 0 ? score(network, fitted, known.test, path) : undefined;
    const trained = { network, settings, found, scores, ...run };
    const interrupted = run.interrupted && { status: INTERRUPTED };
    if (given.report === undefined) return { ...outputOf(path, given, data, trained, undefined), ...interrupted };
    try {
      await writeReport(path, given.report, given, data, trained, note);
      return { ...outputOf(path, given, data, trained, given.report), ...interrupted };
    } catch (failure) {
      return { ...outputOf(path, given, data, trained, undefined), failure };
    }
  },
});
