// Writes what the fuzz targets start from: for `plan` programs that the compiler made, each with memory and a run that
// fit it; for `call` a call of each kernel. They are made and not kept, since inputs hold kernels by number: they would
// mean something else after the next one.
//   node native/fuzz/seeds.mjs plan|call <directory>
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode, layouts, record } from '../../dist/backend/native/encode.js';
import { threading } from '../../dist/backend/native/threading.js';
import * as blasnet from '../../dist/index.js';
import { elementBytes, isBuffer } from '../../dist/kernels/signature.js';
import { kernelNames, signatures } from '../../dist/kernels/table.js';
import { compile } from '../../dist/program/compile.js';
import { buildModel } from '../../dist/program/model.js';

const { Adam, Sgd, add, avgPool2d, batchNorm, conv2d, dense, dropout, flatten, input, l2, maxPool2d, prelu, relu } =
  blasnet;
const { binaryCrossEntropy, localResponseNorm, softmaxCrossEntropy } = blasnet;

function sumOfTwo() {
  const [left, right] = [input([6], { name: 'left' }), input([4], { name: 'right' })];
  const hidden = add(left.pipe(dense(5)), right.pipe(dense(5), relu()));
  return [{ name: undefined, node: add(hidden, hidden.pipe(dense(5))).pipe(dense(1)), loss: binaryCrossEntropy() }];
}

/** Models, their optimizers, and what a run brings: inputs, targets, weights of rows. */
const models = {
  dense: {
    spec: { input: [6], layers: [dense(8), batchNorm(), relu(), dropout(0.5), dense(3)], loss: softmaxCrossEntropy() },
    optimizer: () => new Adam({ clipNorm: 1 }),
    goal: { target: 'labels', weighted: false },
  },
  images: {
    spec: {
      input: [10, 10, 2],
      layers: [conv2d(3), prelu(), localResponseNorm(), maxPool2d(), conv2d(2), avgPool2d(), flatten(), dense(1)],
      loss: binaryCrossEntropy(),
    },
    optimizer: () => new Sgd({ momentum: 0.9 }),
    goal: { target: 'targets', weighted: false },
  },
  graph: {
    spec: { outputs: sumOfTwo() },
    optimizer: () => new Sgd({ momentum: 0.9 }),
    goal: { target: 'targets', weighted: true },
  },
};
const rows = 5;
const capacity = 3;
/** As in native/fuzz/plan.cc, and Element in native/kernels/signatures.h. */
const maxRunFeeds = 4;
const types = Object.keys(elementBytes);
const uses = ['train', 'evaluate', 'predict', 'gradients', 'forwardTraining', 'update'];

function writePlans(directory) {
  for (const [name, { spec, optimizer, goal }] of Object.entries(models)) {
    const model = buildModel({ regularizer: l2(0.1), seed: 1, ...spec });
    for (const kind of uses) {
      const request = {
        kind,
        features: model.inputs.map(() => (kind === 'evaluate' ? 'u8' : 'f32')),
        direct: false,
        goals: kind === 'predict' || kind === 'forwardTraining' ? [] : [goal],
        capacity,
        threads: 1,
        threading,
        rewrite: true,
        accumulate: kind === 'train',
      };
      const program = compile(model, request, kind === 'train' || kind === 'update' ? optimizer() : undefined);
      const parameterBytes = 4 * model.parameterLength;
      const blocks = [
        parameterBytes,
        parameterBytes,
        4 * model.stateLength,
        2 * parameterBytes,
        4 * program.workLength,
        64,
        parameterBytes,
      ];
      const places = Array.from({ length: maxRunFeeds }, (_, i) => program.feeds[i]);
      const feeds = places.flatMap((feed) =>
        feed ? [types.indexOf(feed.type), elementBytes[feed.type] * rows * feed.perRow] : [0, 0],
      );
      const run = record(layouts.run, {
        rows,
        drawn: rows,
        batchSize: capacity,
        epochs: 2,
        sampling: 1,
        seed: 1,
        epoch: 0,
        step: 0,
        threads: name === 'dense' && kind === 'train' ? 2 : 1,
        batches: 2,
      });
      const scales = places.flatMap(() => record(layouts.runFeed, { scale: 0.5, offset: 0.1 }));
      const words = Float64Array.of(2, ...blocks, ...feeds, 64, 16, 128, ...run, ...scales, ...encode(program));
      writeFileSync(join(directory, `${name}-${kind}`), words);
    }
  }
}

function writeCalls(directory) {
  for (const [number, name] of kernelNames.entries()) {
    const { parameters } = signatures[name];
    // Windows of two over images of six.
    const size = (name) =>
      /^(height|width)$/.test(name)
        ? 6
        : /Height|Width/.test(name)
          ? 2
          : /^pad/.test(name)
            ? 0
            : name === 'patch'
              ? 12
              : 3;
    const operands = parameters.flatMap((parameter) => {
      // A number is of kind 1, a buffer of its type's number and 2.
      if (!isBuffer(parameter)) return [1, parameter.kind === 'size' ? size(parameter.name) : 1];
      return [2 + types.indexOf(parameter.type), parameter.length.reduce((product, name) => product * size(name), 1)];
    });
    writeFileSync(join(directory, name), Float64Array.of(2, number, ...operands));
  }
}

const [target, directory] = process.argv.slice(2);
mkdirSync(directory, { recursive: true });
if (target === 'plan') writePlans(directory);
else writeCalls(directory);
