import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { Dataset } from '../../lib/data/index.js';
import { argmax, binaryCrossEntropy, dense, metrics, Network, softmaxCrossEntropy } from '../../lib/index.js';
import { RandomStream } from '../../lib/random.js';
import { classData, expectError, randomFloats } from './support.js';

// Where a comment names scikit-learn, the numbers are those of the example in its documentation of that function.

/**
 * Three rows of three labels, several in the second, none in the first; and outputs that decide for the labels of
 * `decided`.
 */
const targets = [
  [0, 0, 0],
  [1, 1, 1],
  [0, 1, 1],
];
const decided = [
  [0, 0, 0],
  [1, 1, 1],
  [1, 1, 0],
];
const outputs = decided.map((row) => row.map((value) => (value ? 0.8 : 0.3)));
const data = new Dataset({ features: new Float32Array(3), shape: [1], targets });

/** Random multi-label outputs and targets of `rows` × `columns`, with ties. */
function randomLabels(rows: number, columns: number, seed: number) {
  const random = new RandomStream(seed, 9);
  const truth = Float32Array.from({ length: rows * columns }, () => random.below(2));
  return { truth, scores: Float32Array.from(truth, (one) => (random.below(7) + 2 * one) / 10) };
}

const column = (values: ArrayLike<number>, columns: number, at: number) =>
  Array.from({ length: values.length / columns }, (_, row) => values[row * columns + at]);

describe('metrics: several labels a row', () => {
  it('are told by the truth: accuracy counts single decisions, exactMatch rows', () => {
    expect(metrics.accuracy(outputs, data)).toBeCloseTo(7 / 9, 15);
    expect(metrics.accuracy(outputs, targets)).toBeCloseTo(7 / 9, 15);
    expect(metrics.accuracy(Float32Array.from(outputs.flat()), data)).toBeCloseTo(7 / 9, 15);
    expect(
      metrics.accuracy(outputs.flat(), Uint8Array.from(targets.flat()), { multiLabel: true, outputs: 3 }),
    ).toBeCloseTo(7 / 9, 15);
    expect(
      metrics.accuracy(Float32Array.from(outputs.flat()), Uint8Array.from(targets.flat()), { outputs: 3 }),
    ).toBeCloseTo(7 / 9, 15);
    expect(metrics.exactMatch(outputs, data)).toBeCloseTo(2 / 3, 15);
    // scikit-learn, accuracy_score([[0, 1], [1, 1]], [[1, 1], [1, 1]])
    const ones = [
      [1, 1],
      [1, 1],
    ];
    expect(
      metrics.exactMatch(ones, [
        [0, 1],
        [1, 1],
      ]),
    ).toBe(0.5);
    expect(metrics.exactMatch([2, 1, 0], [2, 1, 1])).toBeCloseTo(2 / 3, 15);
  });

  it('agree with evaluate of a network with several outputs', async () => {
    const { truth } = randomLabels(50, 4, 1);
    const set = new Dataset({ features: randomFloats(50 * 6), shape: [6], targets: truth, targetShape: [4] });
    const network = new Network({
      input: [6],
      layers: [dense(4)],
      loss: binaryCrossEntropy(),
      seed: 1,
      backend: 'typescript',
    });
    const { accuracy, loss } = await network.evaluate(set);
    expect(metrics.accuracy(network.predict(set), set)).toBeCloseTo(accuracy as number, 6);
    expect(metrics.logLoss(network.predict(set), set)).toBeCloseTo(loss, 5);
    expect(metrics.accuracy(network.forward(set), set, { threshold: 0 })).toBeCloseTo(accuracy as number, 6);
  });

  it('F1, precision and recall', () => {
    // scikit-learn, f1_score(y_true, y_pred, average=None)
    expect(metrics.f1(outputs, data, { average: 'none' })).toEqual([2 / 3, 1, 2 / 3]);
    expect(metrics.precision(outputs, data, { average: 'none' })).toEqual([1 / 2, 1, 1]);
    expect(metrics.recall(outputs, data, { average: 'none' })).toEqual([1, 1, 1 / 2]);
    expect(metrics.f1(outputs, data)).toBeCloseTo(7 / 9, 15);
    expect(metrics.precision(outputs, data, { average: 'micro' })).toBe(4 / 5);
    expect(metrics.recall(outputs, data, { average: 'micro' })).toBe(4 / 5);
    expect(metrics.f1(outputs, data, { average: 'micro' })).toBeCloseTo(8 / 10, 15);
    expect(metrics.precision(outputs, data, { average: 'weighted' })).toBeCloseTo((0.5 + 2 + 2) / 5, 15);
    expect(metrics.recall(outputs, data, { average: 'weighted' })).toBeCloseTo((1 + 2 + 1) / 5, 15);
    // A label that never occurs counts, with 0.
    expect(metrics.f1([[1, 0]], [[1, 0]], { multiLabel: true })).toBe(0.5);
    expectError(
      () => metrics.f1(outputs, data, { average: 'binary' }),
      'INVALID_ARGUMENT',
      /average: .* two classes, got 3/,
    );
    expectError(
      () => metrics.f1(outputs, data, { average: 'samples' as never }),
      'INVALID_ARGUMENT',
      /'macro', 'micro'/,
    );
  });

  it('a threshold decides', () => {
    expect(metrics.accuracy(outputs, data, { threshold: 0.2 })).toBeCloseTo(5 / 9, 15);
    expect(metrics.accuracy(outputs, data, { threshold: 0.8 })).toBeCloseTo(4 / 9, 15);
    expect(metrics.recall(outputs, data, { threshold: 0.2, average: 'micro' })).toBe(1);
  });

  it('confusion matrices, one a label', () => {
    // scikit-learn, multilabel_confusion_matrix
    const list = metrics.confusionMatrix(
      [
        [1, 0, 0],
        [0, 1, 1],
      ],
      [
        [1, 0, 1],
        [0, 1, 0],
      ],
      { multiLabel: true },
    );
    expect(list.map((matrix) => [...matrix.counts])).toEqual([
      [1, 0, 0, 1],
      [1, 0, 0, 1],
      [0, 1, 1, 0],
    ]);
    const named = metrics.confusionMatrix(outputs, data, { multiLabel: true, labelNames: ['red', 'round', 'ripe'] });
    expect(named[2].labelNames).toEqual(['not ripe', 'ripe']);
    expectError(
      () => metrics.confusionMatrix(outputs, data),
      'INVALID_ARGUMENT',
      /multiLabel: expected true, for a matrix of each label/,
    );
    expectError(
      () => metrics.confusionMatrix(outputs, data, { multiLabel: true, labelNames: ['a'] }),
      'SHAPE_MISMATCH',
      /each of 3 labels, got 1/,
    );
  });

  it('rows with a single 1 are classes, unless multiLabel says otherwise', () => {
    const single = [
      [0, 1, 0],
      [1, 0, 0],
    ];
    const values = [
      [0.6, 0.7, 0.1],
      [0.9, 0.2, 0.3],
    ];
    expect(metrics.accuracy(values, single)).toBe(1);
    expect(metrics.accuracy(values, single, { multiLabel: true })).toBeCloseTo(5 / 6, 15);
    expect(metrics.accuracy(values, single, { multiLabel: false })).toBe(1);
  });

  it('rows that tell no kind are refused', () => {
    const refused = (truth: number[][], options: object, message: RegExp) =>
      expectError(() => metrics.accuracy(truth, truth, options), 'INVALID_ARGUMENT', message);
    refused([[0.5, 0.9]], {}, /truth: row 0: expected a single 1, .* got "a sum of 1\.4"/);
    refused([[0.2, 1.7]], {}, /truth: row 0, target 1: expected a number from 0 to 1, got 1\.7/);
    refused([[0.2, NaN]], {}, /truth: row 0, target 1: expected a number from 0 to 1, got NaN/);
    refused([[1, 1]], { multiLabel: false }, /as multiLabel is false, got "a sum of 2"/);
    refused([[0, 0]], { multiLabel: false }, /got "a sum of 0"/);
    refused([[0.4, 0.6]], { multiLabel: true }, /truth: row 0: expected targets of 0 and 1/);
    // Values to regress on are no classes.
    expectError(
      () => metrics.accuracy(Float32Array.of(2), Float32Array.of(2), { outputs: 1 }),
      'INVALID_ARGUMENT',
      /from 0 to 1/,
    );
    expectError(
      () => metrics.topK(Float32Array.from(outputs.flat()), data, 1),
      'INVALID_ARGUMENT',
      /multiLabel is false/,
    );
    expectError(
      () => metrics.accuracy([0, 1, 1], data),
      'SHAPE_MISMATCH',
      /expected 3 for each of 3 rows, .* got 3 numbers/,
    );
    expectError(
      () => metrics.accuracy(outputs, data, { outputs: 1 }),
      'SHAPE_MISMATCH',
      /rows of 1 numbers, as outputs says/,
    );
    const labelled = new Dataset({ features: [[1]], labels: [0] });
    expectError(
      () => metrics.accuracy([[1]], labelled, { multiLabel: true }),
      'INVALID_ARGUMENT',
      /multiLabel is true/,
    );
    expectError(
      () => metrics.accuracy([0, 1], [0, 1], { multiLabel: true }),
      'INVALID_ARGUMENT',
      /outputs: expected the numbers/,
    );
    expectError(() => metrics.accuracy(outputs, data, { multiLabel: 1 as never }), 'INVALID_ARGUMENT', /true or false/);
    expectError(
      () => metrics.accuracy([[0.1, NaN, 0]], [[0, 1, 1]]),
      'INVALID_ARGUMENT',
      /predictions: row 0, output 1/,
    );
  });

  it('ROC AUC and average precision are those of the labels', () => {
    const columns = 3;
    const { truth, scores } = randomLabels(80, columns, 2);
    const labels = Array.from({ length: columns }, (_, at) => column(truth, columns, at));
    const own = labels.map((label, at) => metrics.rocAuc(column(scores, columns, at), label));
    const options = { outputs: columns };
    expect(metrics.rocAuc(scores, truth, { ...options, average: 'none' })).toEqual(own);
    expect(metrics.rocAuc(scores, truth, options)).toBeCloseTo((own[0] + own[1] + own[2]) / 3, 14);
    const weights = labels.map((label) => label.reduce((a, b) => a + b, 0));
    const weighted = own.reduce((sum, auc, at) => sum + auc * weights[at], 0) / weights.reduce((a, b) => a + b, 0);
    expect(metrics.rocAuc(scores, truth, { ...options, average: 'weighted' })).toBeCloseTo(weighted, 14);
    expect(metrics.rocAuc(scores, truth, { ...options, average: 'micro' })).toBe(metrics.rocAuc(scores, truth));
    const precisions = labels.map((label, at) => metrics.averagePrecision(column(scores, columns, at), label));
    expect(metrics.averagePrecision(scores, truth, { ...options, average: 'none' })).toEqual(precisions);
    for (const at of [0, 1, 2]) {
      expect(metrics.rocCurve(scores, truth, { ...options, label: at })).toEqual(
        metrics.rocCurve(column(scores, columns, at), labels[at]),
      );
    }
    expectError(() => metrics.rocCurve(scores, truth, options), 'INVALID_ARGUMENT', /label: expected which of the 3/);
    expectError(
      () => metrics.rocCurve(scores, truth, { ...options, label: 3 }),
      'INVALID_ARGUMENT',
      /label: .* < 3, got 3/,
    );
  });

  it('a label without positive or negative rows has no AUC', () => {
    const truth = [
      [0, 1, 1],
      [0, 0, 1],
    ];
    const values = [
      [0.1, 0.9, 0.2],
      [0.3, 0.4, 0.1],
    ];
    expect(metrics.rocAuc(values, truth, { average: 'none' })).toEqual([NaN, 1, NaN]);
    expect(metrics.averagePrecision(values, truth, { average: 'none' })).toEqual([NaN, 1, 1]);
    expect(metrics.rocAuc(values, truth, { average: 'micro' })).toBe(0.5);
    expectError(
      () => metrics.rocAuc(values, truth),
      'INVALID_ARGUMENT',
      /truth: label 0: expected rows of class 0 and/,
    );
  });
});

describe('metrics: one class a row, averages', () => {
  // scikit-learn, f1_score, precision_score and recall_score
  const truth = [0, 1, 2, 0, 1, 2];
  const predicted = [0, 2, 1, 0, 0, 1];

  it('of classes', () => {
    expect(metrics.f1(predicted, truth)).toBeCloseTo(0.26666666, 7);
    expect(metrics.f1(predicted, truth, { average: 'micro' })).toBeCloseTo(1 / 3, 15);
    expect(metrics.f1(predicted, truth, { average: 'weighted' })).toBeCloseTo(0.26666666, 7);
    expect(metrics.f1(predicted, truth, { average: 'none' })).toEqual([0.8, 0, 0]);
    expect(metrics.precision(predicted, truth)).toBeCloseTo(2 / 9, 15);
    expect(metrics.precision(predicted, truth, { average: 'none' })).toEqual([2 / 3, 0, 0]);
    expect(metrics.recall(predicted, truth)).toBeCloseTo(1 / 3, 15);
    expect(metrics.recall(predicted, truth, { average: 'none' })).toEqual([1, 0, 0]);
  });

  it('of two classes', () => {
    const probabilities = Float32Array.of(0.9, 0.2, 0.6, 0.4);
    expect(metrics.precision(probabilities, [1, 0, 0, 1], { average: 'binary' })).toBe(0.5);
    expect(metrics.recall(probabilities, [1, 0, 0, 1], { average: 'binary', threshold: 0.3 })).toBe(1);
    expect(metrics.f1(probabilities, [1, 0, 0, 1], { average: 'binary', threshold: 0.7 })).toBeCloseTo(2 / 3, 15);
    const columns = Float32Array.from([...probabilities].flatMap((p) => [1 - p, p]));
    expect(metrics.recall(columns, [1, 0, 0, 1], { average: 'binary', threshold: 0.3 })).toBe(1);
    expect(metrics.accuracy([0.9, 0.2], [1, 0], { threshold: 0.5 })).toBe(1);
    expectError(
      () => metrics.accuracy(new Float32Array(6), [0, 1], { threshold: 0.5 }),
      'INVALID_ARGUMENT',
      /threshold: expected one or two outputs/,
    );
    expectError(
      () => metrics.precision(predicted, truth, { average: 'binary' }),
      'INVALID_ARGUMENT',
      /average: expected another one than 'binary'/,
    );
  });

  it.each(['precision', 'recall', 'f1'] as const)('binary is of class 1, also where no row has it: %s', (figure) => {
    // As scikit-learn's f1_score(y_true, y_pred) and the others.
    expect(metrics[figure]([0, 0, 0], [0, 0, 0], { average: 'binary' })).toBe(0);
    expect(metrics[figure](Float32Array.of(0.1, 0.2), [0, 0], { average: 'binary' })).toBe(0);
    expect(metrics.confusionMatrix([0, 0], [0, 0])[figure]('binary')).toBe(0);
    expect(new metrics.ConfusionMatrix([2])[figure]('binary')).toBe(0);
    expect(metrics[figure]([0, 0, 0], [0, 0, 0])).toBe(1);
    expect(metrics[figure]([1, 1], [1, 1], { average: 'binary' })).toBe(1);
  });

  it('weighted, binary and none of a matrix', () => {
    const matrix = metrics.confusionMatrix(predicted, truth);
    expect(matrix.f1('weighted')).toBeCloseTo(0.26666666, 7);
    expect(matrix.f1('none')).toEqual([0.8, 0, 0]);
    expect(new metrics.ConfusionMatrix([3, 1, 2, 4]).precision('binary')).toBe(0.8);
  });
});

describe('metrics: curves and average precision', () => {
  const labels = [0, 0, 1, 1];
  const scores = [0.1, 0.4, 0.35, 0.8];

  it('by hand', () => {
    // scikit-learn, roc_curve, precision_recall_curve and average_precision_score
    const roc = metrics.rocCurve(scores, labels);
    expect([...roc.falsePositiveRate]).toEqual([0, 0, 0.5, 0.5, 1]);
    expect([...roc.truePositiveRate]).toEqual([0, 0.5, 0.5, 1, 1]);
    expect([...roc.thresholds]).toEqual([Infinity, 0.8, 0.4, 0.35, 0.1]);
    const curve = metrics.precisionRecallCurve(scores, labels);
    expect([...curve.precision]).toEqual([0.5, 2 / 3, 0.5, 1, 1]);
    expect([...curve.recall]).toEqual([1, 1, 0.5, 0.5, 0]);
    expect([...curve.thresholds]).toEqual([0.1, 0.35, 0.4, 0.8]);
    expect(metrics.averagePrecision(scores, labels)).toBeCloseTo(0.8333333, 7);
  });

  it('of several classes, each against the rest', () => {
    // scikit-learn, average_precision_score
    const truth = [0, 0, 1, 1, 2, 2];
    const values = [
      [0.7, 0.2, 0.1],
      [0.4, 0.3, 0.3],
      [0.1, 0.8, 0.1],
      [0.2, 0.3, 0.5],
      [0.4, 0.4, 0.2],
      [0.1, 0.2, 0.7],
    ];
    expect(metrics.averagePrecision(values, truth)).toBeCloseTo(0.7777, 3);
    expect(metrics.rocAuc(values, truth, { average: 'none' })).toEqual(
      [0, 1, 2].map((k) =>
        metrics.rocAuc(
          values.map((row) => row[k]),
          truth.map((own) => Number(own === k)),
        ),
      ),
    );
    expect(metrics.rocCurve(values, truth, { label: 2 }).thresholds[1]).toBe(0.7);
    expectError(() => metrics.rocAuc(values, [0, 0, 1, 1, 2, 3]), 'LABEL_OUT_OF_RANGE', /from 0 to 2, got 3/);
  });

  it.each([1, 2, 3])('hold at each threshold what counting gives (seed %i)', (seed) => {
    const { truth, scores: values } = randomLabels(60, 1, seed);
    const roc = metrics.rocCurve(values, truth);
    const curve = metrics.precisionRecallCurve(values, truth);
    const share = (of: number, threshold: number) => {
      const rows = [...values].filter((_, i) => truth[i] === of);
      return rows.filter((score) => score >= threshold).length / rows.length;
    };
    roc.thresholds.forEach((threshold, i) => {
      expect(roc.truePositiveRate[i]).toBe(share(1, threshold));
      expect(roc.falsePositiveRate[i]).toBe(share(0, threshold));
    });
    curve.thresholds.forEach((threshold, i) => {
      const called = [...truth].filter((_, j) => values[j] >= threshold);
      expect(curve.precision[i]).toBe(called.filter((one) => one === 1).length / called.length);
      expect(curve.recall[i]).toBe(share(1, threshold));
    });
    let area = 0;
    let precisions = 0;
    for (let i = 1; i < roc.thresholds.length; i++) {
      const wide = roc.falsePositiveRate[i] - roc.falsePositiveRate[i - 1];
      area += (wide * (roc.truePositiveRate[i] + roc.truePositiveRate[i - 1])) / 2;
    }
    for (let i = 0; i < curve.thresholds.length; i++)
      precisions += (curve.recall[i] - curve.recall[i + 1]) * curve.precision[i];
    expect(metrics.rocAuc(values, truth)).toBeCloseTo(area, 12);
    expect(metrics.averagePrecision(values, truth)).toBeCloseTo(precisions, 12);
  });

  it('take a million rows', () => {
    const { truth, scores: values } = randomLabels(1_000_000, 1, 4);
    expect(metrics.rocCurve(values, truth).thresholds).toHaveLength(10);
    expect(metrics.rocAuc(values, truth)).toBeGreaterThan(0.5);
  });

  it('refuse what has none', () => {
    expectError(() => metrics.averagePrecision([1, 2], [0, 0]), 'INVALID_ARGUMENT', /rows of class 1/);
    expect(metrics.averagePrecision([1, 2], [1, 1])).toBe(1);
    expectError(() => metrics.rocCurve([1, 2], [1, 1]), 'INVALID_ARGUMENT', /rows of class 0 and of class 1/);
    expectError(
      () => metrics.rocCurve([1, 2], [0, 1], { label: 0 }),
      'INVALID_ARGUMENT',
      /label: .* ≥ 1 and < 2, got 0/,
    );
    expectError(() => metrics.rocAuc([1, 2], [0, 1], { threshold: 1 } as never), 'UNKNOWN_OPTION', /"threshold"/);
    expectError(() => metrics.rocAuc([1, 2], [0, 1], { average: 'binary' as never }), 'INVALID_ARGUMENT', /average/);
  });
});

describe('metrics: log loss', () => {
  it('by hand', () => {
    // scikit-learn, log_loss
    const values = [
      [0.1, 0.9],
      [0.9, 0.1],
      [0.8, 0.2],
      [0.35, 0.65],
    ];
    const second = values.map((row) => row[1]);
    expect(metrics.logLoss(values, [1, 0, 0, 1])).toBeCloseTo(0.21616, 5);
    expect(metrics.logLoss(second, [1, 0, 0, 1])).toBeCloseTo(0.21616, 5);
    expect(metrics.logLoss(values, Float32Array.of(1, 0, 0, 1))).toBeCloseTo(0.21616, 5);
    expect(metrics.logLoss([[0.5, 0.25, 0.25]], [[0.5, 0.5, 0]])).toBeCloseTo(
      -0.5 * Math.log(0.5) - 0.5 * Math.log(0.25),
      14,
    );
    expect(metrics.logLoss([[0.5, 0.25]], [[1, 1]])).toBeCloseTo((-Math.log(0.5) - Math.log(0.25)) / 2, 14);
    expect(metrics.logLoss([[0.5, 0.25]], [[0.3, 0.9]], { multiLabel: true })).toBeCloseTo(
      -(Math.log(0.5) + 0.9 * Math.log(0.25) + 0.1 * Math.log(0.75)) / 2,
      14,
    );
    expect(metrics.logLoss([0, 1], [1, 1])).toBeCloseTo((52 * Math.LN2) / 2, 10);
    expect(metrics.logLoss(Float32Array.of(0, 1), [1, 1])).toBeCloseTo((23 * Math.LN2) / 2, 6);
  });

  it('agrees with evaluate', async () => {
    const set = classData(100);
    const network = new Network({
      input: [6],
      layers: [dense(3)],
      loss: softmaxCrossEntropy(),
      seed: 1,
      backend: 'typescript',
    });
    expect(metrics.logLoss(network.predict(set), set)).toBeCloseTo((await network.evaluate(set)).loss, 6);
    expectError(() => metrics.logLoss(network.forward(set), set), 'INVALID_ARGUMENT', /a number from 0 to 1/);
  });

  it('refuses what is no probability', () => {
    expectError(() => metrics.logLoss([1.2], [1]), 'INVALID_ARGUMENT', /probabilities: row 0, output 0: .* got 1\.2/);
    expectError(
      () => metrics.logLoss([[0.5, 0.6]], [1]),
      'INVALID_ARGUMENT',
      /probabilities: row 0: expected a sum of 1/,
    );
    expectError(
      () => metrics.logLoss([NaN], [1]),
      'INVALID_ARGUMENT',
      /probabilities: row 0: expected a number, got NaN/,
    );
  });
});

describe('metrics: arrays of every form', () => {
  const foreign = (text: string) => runInNewContext(text);

  it('of another realm', () => {
    expect(metrics.accuracy(foreign('Float32Array.of(0.7, 0.3, 0.1, 0.9)'), foreign('Int32Array.of(0, 1)'))).toBe(1);
    expect(metrics.accuracy(foreign('[[0.7, 0.3], [0.1, 0.9]]'), foreign('[0, 1]'))).toBe(1);
    expect(metrics.rocAuc(foreign('Float64Array.of(1, 2)'), foreign('Uint8Array.of(0, 1)'))).toBe(1);
    expect(metrics.meanAbsoluteError(foreign('Int16Array.of(1, 2)'), foreign('[1, 4]'))).toBe(1);
    expect(argmax(foreign('Float32Array.of(1, 3, 2)'))).toBe(1);
    expect(metrics.logLoss(foreign('Float32Array.of(0, 1)'), [1, 1])).toBeCloseTo((23 * Math.LN2) / 2, 6);
  });

  it('in rows; holes and ragged rows are refused', () => {
    expect(metrics.accuracy([Float32Array.of(0.7, 0.3), Float64Array.of(0.1, 0.9)], [0, 1])).toBe(1);
    expect(metrics.r2([[1, 2]], [[1, 2]])).toBe(1);
    expectError(
      () => metrics.accuracy([[0.7, 0.3], [0.1]], [0, 1]),
      'SHAPE_MISMATCH',
      /predictions\[1\]: expected 2 entries/,
    );
    const hole = [1, 2, 3];
    delete hole[1];
    expectError(
      () => metrics.meanAbsoluteError(hole, [1, 2, 3]),
      'INVALID_ARGUMENT',
      /predictions\[1\]: expected a number/,
    );
    expectError(() => metrics.meanAbsoluteError([hole], [[1, 2, 3]]), 'INVALID_ARGUMENT', /predictions\[0\]\[1\]/);
    expectError(
      () => metrics.meanAbsoluteError([[1, 2]], [[1], [2]]),
      'SHAPE_MISMATCH',
      /2 numbers in rows of 1, .* rows of 2/,
    );
    expectError(() => metrics.r2([[1, 2]], [[1, 2]], { outputs: 1 }), 'SHAPE_MISMATCH', /outputs: expected 2/);
    expectError(() => metrics.accuracy(BigInt64Array.of(1n) as never, [1]), 'INVALID_ARGUMENT', /predictions/);
  });
});

describe('argmax', () => {
  it('of a list and of rows', () => {
    expect(argmax([1, 3, 2, 3])).toBe(1);
    expect(argmax(Float32Array.of(-2, -1, -3))).toBe(1);
    expect(argmax(Float32Array.of(1, 2, 4, 3), 2)).toEqual(Int32Array.of(1, 0));
    expect(
      argmax([
        [1, 2],
        [4, 3],
      ]),
    ).toEqual(Int32Array.of(1, 0));
    expect(argmax([-Infinity, -Infinity])).toBe(0);
  });

  it('of a million numbers', () => {
    const values = new Float32Array(1_000_000);
    values[999_999] = 1;
    expect(argmax(values)).toBe(999_999);
  });

  it('refuses what has none', () => {
    expectError(() => argmax([]), 'EMPTY_DATA', /values: expected at least one number/);
    expectError(() => argmax([1, NaN]), 'INVALID_ARGUMENT', /values: row 0, output 1/);
    expectError(() => argmax([1, 2, 3], 2), 'SHAPE_MISMATCH', /a multiple of 2/);
    expectError(() => argmax([[1, 2, 3]], 2), 'SHAPE_MISMATCH', /rows of 2 numbers, as columns says/);
    expectError(
      () =>
        [
          [1, 2],
          [3, 4],
        ].map(argmax as never),
      'INVALID_ARGUMENT',
      /argmax/,
    );
    expectError(() => argmax([1], 0), 'INVALID_ARGUMENT', /columns: expected an integer ≥ 1/);
    expectError(() => argmax('12' as never), 'INVALID_ARGUMENT', /values: expected a typed array/);
  });
});

describe('confusion matrix: many classes', () => {
  it('takes a hundred thousand classes and keeps what is not 0', () => {
    const truth = Int32Array.from({ length: 1000 }, (_, i) => 100 * i);
    const predicted = truth.map((label, i) => (i % 10 === 0 ? 7 : label));
    const matrix = metrics.confusionMatrix(predicted, truth, { classes: 100_000 });
    expect(matrix.accuracy).toBeCloseTo(0.9, 12);
    expect(matrix.at(1000, 7)).toBe(1);
    expect(matrix.cells()).toHaveLength(1000);
    expect(matrix.cells()[10]).toEqual({ truth: 1000, predicted: 7, count: 1 });
    expect(matrix.recall()).toBeCloseTo(900 / 1001, 12);
    expect(String(matrix)).toMatch(/^100000 classes, 1000 rows, accuracy 90\.0 %\n/);
    expect(String(matrix).split('\n')).toHaveLength(22);
    expectError(() => matrix.counts, 'INVALID_ARGUMENT', /counts: expected at most 8192 classes \(cells\(\)/);
    const again = new metrics.ConfusionMatrix({ classes: matrix.classes, cells: matrix.cells() });
    expect(again.cells()).toEqual(matrix.cells());
  });

  it('tells the bound', () => {
    expectError(
      () => metrics.confusionMatrix([0, 1e8], [0, 1e8]),
      'INVALID_ARGUMENT',
      /classes: expected an integer ≥ 1 and ≤ 1048576, got 100000001/,
    );
    const cell = { truth: 0, predicted: 1, count: 1 };
    expectError(
      () => new metrics.ConfusionMatrix({ classes: 2, cells: [cell, cell] }),
      'INVALID_ARGUMENT',
      /each cell once/,
    );
    expectError(
      () => new metrics.ConfusionMatrix({ classes: 1, cells: [cell] }),
      'INVALID_ARGUMENT',
      /cells: predicted/,
    );
  });
});
