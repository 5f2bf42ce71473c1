import {
  Adam,
  type Callbacks,
  concat,
  dense,
  dropout,
  earlyStopping,
  embedding,
  type History,
  meanSquaredError,
  Network,
  relu,
  softmaxCrossEntropy,
} from 'blasnet';
import type { Dataset } from 'blasnet/data';
import type { ColumnType, Encoder, SplitTables, Table } from 'blasnet/tables';
import { asStrings } from '../tables/column.js';
import { trainingProgress } from './progress.js';

/** Training ends when the validation loss has not fallen by more than this in that many epochs. */
const stopping = { minimumChange: 1e-4, patience: 20 };

/** About a hundred batches an epoch, as powers of 2 from 32 to 256. */
export function defaultBatchSize(rows: number): number {
  return Math.min(256, Math.max(32, 2 ** Math.round(Math.log2(rows / 100))));
}

/** Regression for numbers, unless they are only two, such as 0 and 1. */
export function taskOf(table: Table, target: string): 'classification' | 'regression' {
  const { type, values } = table.column(target);
  return type === 'number' && new Set(values).size > 2 ? 'regression' : 'classification';
}

/** The labels of a table's rows as the encoder reads them: `True` and `1` may be one. */
function labelsOf(table: Table, encoder: Encoder): readonly (string | null)[] {
  const { from } = encoder.toJSON().target as { from?: ColumnType };
  return asStrings(table.column(encoder.target), 'category', from).values as (string | null)[];
}

/** The rows whose label the encoder knows, and where they are in the table: rare ones may all be in another part. */
export function withKnownLabels(part: Table, encoder: Encoder): { table: Table; places: number[] } {
  const all = Array.from({ length: part.length }, (_, row) => row);
  if (encoder.labels === undefined) return { table: part, places: all };
  const known = new Set<string | null>(encoder.labels);
  const labels = labelsOf(part, encoder);
  const places = all.filter((row) => known.has(labels[row]));
  return { table: part.subset(places), places };
}

/**
 * Throws if a part that was asked for has no row with a known label, or if most rows held out have unknown ones: the
 * target is then hardly one of labels, but perhaps of numbers that were read as text.
 */
export function checkParts(
  path: string,
  encoder: Encoder,
  asked: Readonly<Record<'validation' | 'test', number>>,
  all: SplitTables,
  known: SplitTables,
): void {
  const names = (['validation', 'test'] as const).filter((name) => asked[name] > 0);
  const rows = (parts: SplitTables) => names.reduce((sum, name) => sum + parts[name].length, 0);
  const empty = names.find((name) => known[name].length === 0);
  if (empty === undefined && 2 * rows(known) >= rows(all)) return;
  const { target } = encoder;
  const learnt = new Set<string | null>(encoder.labels);
  const out = names.flatMap((name) => labelsOf(all[name], encoder)).find((label) => !learnt.has(label));
  const example = out ?? String(all.train.row(0)[target]);
  const hint = /^[+-]?[\d.]*,\d+$/.test(example)
    ? 'numbers with a decimal comma are read with --decimal ,'
    : 'if it should be a number, see --decimal and --delimiter; --validation 0 --test 0 does without such parts';
  const what = empty === undefined ? 'most rows held out have labels' : `no row is left for ${empty}: rows have labels`;
  throw new Error(`${path}: ${what} of ${target} too rare to be in the training part, such as '${example}'; ${hint}`);
}

/** The number of the epoch whose weights are kept, from 1: the last one, or the one that early stopping restores. */
function keptEpoch({ epochs, validationLoss }: History, validated: boolean): number {
  if (!validated) return epochs.length;
  let kept = 0;
  for (let i = 1; i < epochs.length; i++) {
    if (-validationLoss[i] > -validationLoss[kept] + stopping.minimumChange) kept = i;
  }
  return kept + 1;
}

export interface Shape {
  /** Sizes of the hidden layers. */
  readonly layers: readonly number[];
  /** Rate after each hidden layer; 0 for none. */
  readonly dropout: number;
  readonly seed: number;
}

/** Numbers of an embedding's vectors: the square root of how many values there are, 50 at most. */
const vectorSize = (vocabulary: readonly string[]) => Math.min(50, Math.ceil(Math.sqrt(vocabulary.length)));

/** Numbers that reach the first layer. */
export function width({ shape, vocabularies }: Encoder): number {
  return Object.values(vocabularies).reduce((sum, vocabulary) => sum + vectorSize(vocabulary), shape[0]);
}

/**
 * Dense layers with ReLU between what the encoder makes of a row and its target. Indices become vectors, which stand
 * beside the numbers.
 */
export function makeNetwork(encoder: Encoder, { layers, dropout: rate, seed }: Shape): Network<string> {
  const { shape, labels, vocabularies } = encoder;
  const hidden = layers.flatMap((size) => [dense(size), relu(), ...(rate > 0 ? [dropout(rate)] : [])]);
  const all = [...hidden, dense(labels?.length ?? 1)];
  const common = { loss: labels === undefined ? meanSquaredError() : softmaxCrossEntropy(), seed };
  const network = new Network<string>(
    Object.keys(vocabularies).length === 0
      ? { input: shape, layers: all, ...common }
      : { output: all.reduce((node, layer) => node.pipe(layer), vectorsOf(encoder)), ...common },
  );
  network.encoder = encoder;
  return network;
}

/** The vectors of all indices and the numbers, as the output of a graph. */
function vectorsOf(encoder: Encoder) {
  const parts = Object.entries(encoder.inputs()).map(([name, input]) => {
    const vocabulary = encoder.vocabularies[name];
    return vocabulary === undefined ? input : input.pipe(embedding(vocabulary.length, vectorSize(vocabulary)));
  });
  const [first, second, ...others] = parts;
  return second === undefined ? first : concat(first, second, ...others);
}

export interface Course {
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
}

/** How a network is fitted: with Adam and, where there are rows for validation, early stopping. */
export function fitOptions({ batchSize, learningRate }: Course, validation: Dataset | undefined, watch?: Callbacks) {
  const callbacks: Callbacks[] = [
    ...(validation === undefined ? [] : [earlyStopping(stopping)]),
    ...(watch === undefined ? [] : [watch]),
  ];
  return { optimizer: new Adam({ learningRate }), batchSize, callbacks, ...(validation && { validation }) };
}

/** What came of {@link fitNetwork}. */
export interface Fitted {
  readonly history: History;
  readonly seconds: number;
  /** Number of the epoch whose weights are kept, from 1. */
  readonly kept: number;
  /** Whether the user ended the training. */
  readonly interrupted: boolean;
}

/**
 * Trains a network. Draws progress on a terminal. A first interrupt (Ctrl-C) ends the training after its epoch, a second
 * one the process.
 */
export async function fitNetwork(
  network: Network<string>,
  encoder: Encoder,
  { train, validation }: SplitTables,
  course: Course,
  note: (text: string) => void,
): Promise<Fitted> {
  const validated = validation.length > 0;
  const progress = process.stderr.isTTY ? trainingProgress(process.stderr) : undefined;
  const options = fitOptions(course, validated ? encoder.dataset(validation) : undefined, progress?.callbacks);
  let interrupted = false;
  const stopper: Callbacks = {
    onEpochEnd(_log, training) {
      if (interrupted) training.stop();
    },
  };
  const interrupt = () => {
    interrupted = true;
    progress?.clear();
    note(
      'interrupted: training ends after this epoch, and the network is kept; press Ctrl-C again to stop at once without saving',
    );
  };
  const callbacks = [...options.callbacks, stopper];
  const begin = performance.now();
  // Without a listener, the next one ends the process.
  process.once('SIGINT', interrupt);
  try {
    const history = await network.fit(encoder.dataset(train), { ...options, callbacks, epochs: course.epochs });
    const seconds = (performance.now() - begin) / 1000;
    return { history, seconds, kept: keptEpoch(history, validated), interrupted };
  } finally {
    process.removeListener('SIGINT', interrupt);
    progress?.clear();
  }
}
