import { describe, expect, it } from 'vitest';
import { Dataset } from '../../lib/data/index.js';
import { dense, metrics, Network, softmaxCrossEntropy } from '../../lib/index.js';
import { RandomStream } from '../../lib/random.js';
import { classData, expectError, randomFloats } from './support.js';

/** Four rows of three outputs; the largest are 0, 1, 1 (of equals, the first), 2. */
const outputs = Float32Array.of(0.7, 0.2, 0.1, 0.1, 0.6, 0.3, 0.2, 0.4, 0.4, 0.1, 0.2, 0.7);
const truth = Int32Array.of(0, 2, 2, 2);

describe('metrics: accuracy and top k', () => {
  it('by hand', () => {
    expect(metrics.accuracy(outputs, truth)).toBe(0.5);
    expect(metrics.topK(outputs, truth, 1)).toBe(0.5);
    expect(metrics.topK(outputs, truth, 2)).toBe(1);
    expect(metrics.topK(outputs, [1, 0, 0, 0], 2)).toBe(0.25);
    expect(metrics.topK(outputs, [1, 0, 0, 0], 3)).toBe(1);
  });

  it('takes every form of predictions and truth', () => {
    const oneHot = Float32Array.of(1, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1);
    const labelled = new Dataset({ features: new Float32Array(4), shape: [1], labels: truth });
    const targeted = new Dataset({ features: new Float32Array(4), shape: [1], targets: oneHot, targetShape: [3] });
    expect(metrics.accuracy(outputs, [0, 2, 2, 2])).toBe(0.5);
    expect(metrics.accuracy(outputs, labelled)).toBe(0.5);
    expect(metrics.accuracy(outputs, targeted)).toBe(0.5);
    expect(metrics.accuracy(outputs, oneHot, { outputs: 3 })).toBe(0.5);
    expect(metrics.accuracy(Float64Array.from(outputs), truth)).toBe(0.5);
    expect(metrics.accuracy([0, 1, 1, 2], truth)).toBe(0.5);
    expect(metrics.accuracy(Uint8Array.of(0, 1, 1, 2), oneHot)).toBe(0.5);
    expect(metrics.topK(outputs, oneHot, 2, { outputs: 3 })).toBe(1);
  });

  it('one output is a probability, and class 1 lies above 0.5', () => {
    const probabilities = Float32Array.of(0.5, 0.51, 0.1, 0.9);
    expect(metrics.accuracy(probabilities, [0, 1, 0, 1])).toBe(1);
    expect(metrics.accuracy(probabilities, [1, 1, 0, 0])).toBe(0.5);
    expect(metrics.accuracy(probabilities, Float32Array.of(0, 1, 0, 1), { outputs: 1 })).toBe(1);
    expect(metrics.confusionMatrix(probabilities, [0, 1, 0, 0]).counts).toEqual(Float64Array.of(2, 1, 0, 1));
  });

  it('agrees with evaluate', async () => {
    const data = classData(100);
    const network = new Network({
      input: [6],
      layers: [dense(3)],
      loss: softmaxCrossEntropy(),
      seed: 1,
      backend: 'typescript',
    });
    expect(metrics.accuracy(network.predict(data), data)).toBeCloseTo(
      (await network.evaluate(data)).accuracy as number,
      12,
    );
  });

  it('refuses what does not fit', () => {
    expectError(
      () => metrics.accuracy(outputs, [0, 1, 2, 0, 1]),
      'SHAPE_MISMATCH',
      /predictions: expected as many for each of 5 rows, got 12/,
    );
    expectError(() => metrics.accuracy([0, 1], [0, 1, 2]), 'SHAPE_MISMATCH', /expected one for each of 3 rows, got 2/);
    expectError(
      () => metrics.accuracy(outputs, new Float32Array(12)),
      'INVALID_ARGUMENT',
      /outputs: expected the numbers in a row/,
    );
    expectError(
      () => metrics.accuracy(outputs, [0, 1, 2, 3]),
      'LABEL_OUT_OF_RANGE',
      /truth: row 3: expected a class from 0 to 2, got 3/,
    );
    expectError(
      () => metrics.accuracy(outputs, [0, 1, 2, -1]),
      'INVALID_ARGUMENT',
      /truth\[3\]: expected an integer ≥ 0/,
    );
    expectError(() => metrics.accuracy([0.5], [1]), 'INVALID_ARGUMENT', /predictions\[0\]: expected an integer/);
    expectError(() => metrics.accuracy([], []), 'EMPTY_DATA', /at least one row/);
    expectError(() => metrics.accuracy(new Float32Array(0), []), 'EMPTY_DATA', /at least one row/);
    expectError(
      () => metrics.accuracy(Float32Array.of(1, NaN), [0]),
      'INVALID_ARGUMENT',
      /predictions: row 0, output 1: expected a number, got NaN/,
    );
    expectError(
      () => metrics.accuracy('01' as never, [0]),
      'INVALID_ARGUMENT',
      /predictions: expected a typed array of numbers/,
    );
    expectError(() => metrics.accuracy(outputs, truth, { classes: 3 } as never), 'UNKNOWN_OPTION', /"classes"/);
    expectError(
      () => metrics.accuracy(outputs, new Dataset({ features: [[1]] })),
      'INVALID_ARGUMENT',
      /a dataset with labels or targets/,
    );
    expectError(() => metrics.topK(outputs, truth, 4), 'INVALID_ARGUMENT', /k: expected an integer ≥ 1 and ≤ 3, got 4/);
    expectError(
      () => metrics.topK([0, 1] as never, [0, 1], 1),
      'INVALID_ARGUMENT',
      /predictions: expected a Float32Array/,
    );
    expectError(() => metrics.topK(Float32Array.of(0.2), [1], 1), 'INVALID_ARGUMENT', /two outputs or more/);
  });
});

describe('metrics: confusion matrix', () => {
  // Truth 0: predicted 0, 0, 1. Truth 1: predicted 1. Truth 2: predicted 0, 2. Class 3 never occurs.
  const matrix = metrics.confusionMatrix([0, 0, 1, 1, 0, 2], [0, 0, 0, 1, 2, 2], {
    classes: 4,
    labelNames: ['ant', 'bee', 'cat', 'dog'],
  });

  it('counts, rows being the truth', () => {
    expect(Array.from(matrix.counts)).toEqual([2, 1, 0, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]);
    expect(matrix.at(0, 1)).toBe(1);
    expect(matrix.at(1, 0)).toBe(0);
    expect(matrix.total).toBe(6);
    expect(matrix.accuracy).toBeCloseTo(4 / 6, 15);
  });

  it('precision, recall and F1 by hand', () => {
    const [ant, bee, cat, dog] = matrix.perClass();
    expect(ant).toEqual({ name: 'ant', precision: 2 / 3, recall: 2 / 3, f1: 2 / 3, support: 3 });
    expect(bee).toEqual({ name: 'bee', precision: 1 / 2, recall: 1, f1: 2 / 3, support: 1 });
    expect(cat).toEqual({ name: 'cat', precision: 1, recall: 1 / 2, f1: 2 / 3, support: 2 });
    expect(dog).toEqual({ name: 'dog', precision: 0, recall: 0, f1: 0, support: 0 });
    expect(matrix.precision()).toBeCloseTo((2 / 3 + 1 / 2 + 1) / 3, 15);
    expect(matrix.recall('macro')).toBeCloseTo((2 / 3 + 1 + 1 / 2) / 3, 15);
    expect(matrix.f1()).toBeCloseTo(2 / 3, 15);
    for (const figure of ['precision', 'recall', 'f1'] as const) expect(matrix[figure]('micro')).toBe(matrix.accuracy);
  });

  it('0/0 is 0, and a class that is only predicted counts in the macro average', () => {
    const one = metrics.confusionMatrix([0, 0], [1, 1]);
    expect(one.perClass().map(({ precision, recall, f1 }) => [precision, recall, f1])).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(one.precision()).toBe(0);
    expect(metrics.confusionMatrix([0, 1], [0, 0]).recall()).toBe(0.25);
    expect(new metrics.ConfusionMatrix([0, 0, 0, 0]).f1()).toBe(0);
  });

  it('prints a table', () => {
    expect(String(matrix).split('\n')).toEqual([
      'truth \\ predicted     ant     bee      cat    dog   recall',
      'ant                     2       1        0      0   66.7 %',
      'bee                     0       1        0      0  100.0 %',
      'cat                     1       0        1      0   50.0 %',
      'dog                     0       0        0      0    0.0 %',
      'precision          66.7 %  50.0 %  100.0 %  0.0 %   66.7 %',
    ]);
  });

  it('takes the number of classes from names, outputs or labels', () => {
    expect(metrics.confusionMatrix(outputs, truth).classes).toBe(3);
    expect(metrics.confusionMatrix([0, 4], [0, 1]).classes).toBe(5);
    expect(metrics.confusionMatrix([0, 1], [0, 1], { labelNames: ['a', 'b', 'c'] }).classes).toBe(3);
    const named = new Dataset({ features: [[1], [2]], labels: [0, 1], labelNames: ['no', 'yes'] });
    expect(metrics.confusionMatrix([0, 1], named).labelNames).toEqual(['no', 'yes']);
    expect(metrics.confusionMatrix([0, 1], [0, 1]).labelNames).toEqual(['0', '1']);
  });

  it('refuses what does not fit', () => {
    expectError(
      () => metrics.confusionMatrix([0, 3], [0, 1], { classes: 3 }),
      'LABEL_OUT_OF_RANGE',
      /predictions: row 1: expected a class from 0 to 2, got 3/,
    );
    expectError(
      () => metrics.confusionMatrix([0], [0], { labelNames: ['a', 'b'], classes: 3 }),
      'SHAPE_MISMATCH',
      /a name for each of the 3 classes/,
    );
    expectError(() => new metrics.ConfusionMatrix([1, 2, 3]), 'SHAPE_MISMATCH', /classes × classes/);
    expectError(() => new metrics.ConfusionMatrix([-1]), 'INVALID_ARGUMENT', /counts\[0\]/);
    expectError(() => matrix.at(4, 0), 'INVALID_ARGUMENT', /truth/);
    expectError(() => matrix.f1('samples' as never), 'INVALID_ARGUMENT', /'macro', 'micro', 'weighted'/);
  });
});

/** AUC by its definition: the share of pairs in the right order. */
function aucOfPairs(scores: ArrayLike<number>, labels: ArrayLike<number>): number {
  let sum = 0;
  let pairs = 0;
  for (let i = 0; i < scores.length; i++) {
    for (let j = 0; j < scores.length; j++) {
      if (labels[i] !== 1 || labels[j] !== 0) continue;
      pairs++;
      if (scores[i] > scores[j]) sum += 1;
      else if (scores[i] === scores[j]) sum += 0.5;
    }
  }
  return sum / pairs;
}

describe('metrics: ROC AUC', () => {
  it('by hand', () => {
    expect(metrics.rocAuc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])).toBe(0.75);
    expect(metrics.rocAuc([1, 2, 3, 4], [0, 0, 1, 1])).toBe(1);
    expect(metrics.rocAuc([4, 3, 2, 1], [0, 0, 1, 1])).toBe(0);
    expect(metrics.rocAuc([1, 1, 1, 1], [0, 1, 1, 0])).toBe(0.5);
    expect(metrics.rocAuc([-Infinity, 0, Infinity], [0, 0, 1])).toBe(1);
  });

  it.each([1, 2, 3, 4, 5])('is the share of pairs in the right order, ties counting half (seed %i)', (seed) => {
    const random = new RandomStream(seed, 5);
    const labels = Int32Array.from({ length: 200 }, () => random.below(2));
    const scores = Float32Array.from(labels, (label) => random.below(12) + 3 * label); // plenty of ties
    const auc = metrics.rocAuc(scores, labels);
    expect(auc).toBeCloseTo(aucOfPairs(scores, labels), 12);
    const negated = scores.map((score) => -score);
    expect(metrics.rocAuc(negated, labels)).toBeCloseTo(1 - auc, 12);
    expect(metrics.rocAuc(scores.map(Math.exp), labels)).toBeCloseTo(auc, 12);
  });

  it('takes two columns, float truth and datasets', () => {
    const columns = Float32Array.of(0.9, 0.1, 0.6, 0.4, 0.65, 0.35, 0.2, 0.8);
    expect(metrics.rocAuc(columns, [0, 0, 1, 1])).toBe(0.75);
    expect(metrics.rocAuc(columns, Float32Array.of(0, 0, 1, 1))).toBe(0.75);
    expect(metrics.rocAuc([0.1, 0.4, 0.35, 0.8], Float32Array.of(0, 0, 1, 1))).toBe(0.75);
    const data = new Dataset({ features: new Float32Array(4), shape: [1], targets: [[0], [0], [1], [1]] });
    expect(metrics.rocAuc([0.1, 0.4, 0.35, 0.8], data)).toBe(0.75);
  });

  it('refuses what has no AUC', () => {
    expectError(() => metrics.rocAuc([1, 2], [1, 1]), 'INVALID_ARGUMENT', /rows of class 0 and of class 1/);
    expectError(() => metrics.rocAuc([1, 2], [0, 2]), 'LABEL_OUT_OF_RANGE', /from 0 to 1, got 2/);
    expectError(() => metrics.rocAuc([1, NaN], [0, 1]), 'INVALID_ARGUMENT', /scores: row 1: expected a number/);
    expectError(
      () => metrics.rocAuc([1, 2, 3], [0, 1]),
      'SHAPE_MISMATCH',
      /one or two numbers for each of 2 rows, got 3/,
    );
    expectError(() => metrics.rocAuc([], []), 'EMPTY_DATA', /at least one row/);
  });
});

describe('metrics: regression', () => {
  const predictions = [2.5, 0, 2, 8];
  const goals = [3, -0.5, 2, 7];

  it('by hand', () => {
    expect(metrics.meanAbsoluteError(predictions, goals)).toBe(0.5);
    expect(metrics.rootMeanSquaredError(predictions, goals)).toBeCloseTo(Math.sqrt(0.375), 15);
    expect(metrics.r2(predictions, goals)).toBeCloseTo(1 - 1.5 / 29.1875, 12);
    expect(metrics.r2(goals, goals)).toBe(1);
    expect(metrics.r2([1, 1, 1], [0, 1, 2])).toBe(0); // the mean explains nothing
  });

  it('averages r2 over outputs, which a dataset tells', () => {
    // Output 0: 1 − 0.5/2; output 1: constant, predicted exactly.
    const values = Float32Array.of(0.5, 4, 1, 4, 1.5, 4);
    const goal = Float32Array.of(0, 4, 1, 4, 2, 4);
    expect(metrics.r2(values, goal, { outputs: 2 })).toBe((0.75 + 1) / 2);
    const data = new Dataset({ features: new Float32Array(3), shape: [1], targets: goal, targetShape: [2] });
    expect(metrics.r2(values, data)).toBe((0.75 + 1) / 2);
    expect(metrics.meanAbsoluteError(values, data)).toBeCloseTo(1 / 6, 12);
    expect(metrics.r2([0.1, 0.2], [0.1, 0.1])).toBe(0);
  });

  it('lets NaN through and refuses what does not fit', () => {
    expect(metrics.meanAbsoluteError([NaN], [1])).toBeNaN();
    expect(metrics.rootMeanSquaredError([NaN, 1], [1, 1])).toBeNaN();
    expect(metrics.r2([NaN, 1], [1, 2])).toBeNaN();
    expect(metrics.r2([NaN, 1], [1, 1])).toBeNaN();
    expectError(() => metrics.r2([1, 2], [1]), 'SHAPE_MISMATCH', /expected 1 numbers, as many as the truth, got 2/);
    expectError(() => metrics.r2([1, 2, 3], [1, 2, 3], { outputs: 2 }), 'SHAPE_MISMATCH', /multiple of 2/);
    expectError(() => metrics.meanAbsoluteError([], []), 'EMPTY_DATA', /at least one row/);
    expectError(
      () => metrics.meanAbsoluteError(['1'] as never, [1]),
      'INVALID_ARGUMENT',
      /predictions\[0\]: expected a number/,
    );
    expect(metrics.meanAbsoluteError(Int32Array.of(1), [3])).toBe(2);
    const labelled = new Dataset({ features: [[1]], labels: [0] });
    expectError(() => metrics.rootMeanSquaredError([1], labelled), 'INVALID_ARGUMENT', /a dataset with targets/);
  });
});

describe('metrics: the order of the rows does not matter', () => {
  it.each([1, 2, 3])('seed %i', (seed) => {
    const rows = 60;
    const random = new RandomStream(seed, 6);
    const scores = randomFloats(rows * 3, seed);
    const labels = Int32Array.from({ length: rows }, () => random.below(3));
    const order = Array.from({ length: rows }, (_, i) => i).sort((a, b) => scores[3 * a] - scores[3 * b]);
    const moved = Float32Array.from(order.flatMap((row) => [...scores.subarray(3 * row, 3 * row + 3)]));
    const movedLabels = Int32Array.from(order, (row) => labels[row]);
    expect(metrics.accuracy(moved, movedLabels)).toBe(metrics.accuracy(scores, labels));
    expect(metrics.topK(moved, movedLabels, 2)).toBe(metrics.topK(scores, labels, 2));
    expect(metrics.confusionMatrix(moved, movedLabels).counts).toEqual(metrics.confusionMatrix(scores, labels).counts);
    const goals = randomFloats(rows * 3, seed + 10);
    const movedGoals = Float32Array.from(order.flatMap((row) => [...goals.subarray(3 * row, 3 * row + 3)]));
    expect(metrics.r2(moved, movedGoals, { outputs: 3 })).toBeCloseTo(metrics.r2(scores, goals, { outputs: 3 }), 12);
    expect(metrics.rootMeanSquaredError(moved, movedGoals)).toBeCloseTo(
      metrics.rootMeanSquaredError(scores, goals),
      12,
    );
    const binary = labels.map((label) => Math.min(label, 1));
    const first = scores.filter((_, i) => i % 3 === 0);
    const movedFirst = Float32Array.from(order, (row) => first[row]);
    const movedBinary = Int32Array.from(order, (row) => binary[row]);
    expect(metrics.rocAuc(movedFirst, movedBinary)).toBe(metrics.rocAuc(first, binary));
  });
});
