// A residual network on Fashion-MNIST, with augmentation and batch norm (He et al. 2016).
//   npm run example resnet [-- --quick | --resume]
//   npm run example resnet -- --precision bfloat16 --epochs 5 --seed 2
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  add,
  argmax,
  augmentBatch,
  BlasnetError,
  batchNorm,
  type Callbacks,
  checkpoint,
  conv2d,
  dense,
  type EpochLog,
  globalAvgPool2d,
  input,
  metrics,
  Network,
  type Node,
  oneCycle,
  progressBar,
  randomFlip,
  randomShift,
  relu,
  Sgd,
  softmaxCrossEntropy,
} from 'blasnet';
import { Dataset, fashionMnist, mnist } from 'blasnet/data';
import { confusionMatrixPlot, imageGrid, learningCurves } from 'blasnet/report';
import { check, outputFolder, present } from '../present.js';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    resume: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    precision: { type: 'string', default: 'float32' },
    epochs: { type: 'string' },
  },
});
const { quick, resume } = options;
const seed = Number(options.seed);
const precision = options.precision as 'float32' | 'bfloat16';

const shape = [28, 28, 1] as const;
const data = await fashionMnist({ shape }).catch((error: unknown) => {
  // The short form, which the tests run, only needs some images.
  if (quick && error instanceof BlasnetError && error.code === 'DATA_MISSING') return mnist({ shape });
  throw error;
});
const [train, test] = quick ? [data.train.take(600), data.test.take(300)] : [data.train, data.test];

/** A convolution with batch norm, which has the bias. */
const convolution =
  (filters: number, { window = 3, stride = 1 } = {}) =>
  (x: Node) =>
    x.pipe(conv2d(filters, { window, stride, padding: 'same', bias: false }), batchNorm());

/** Two convolutions beside a shortcut; where the shape changes, the shortcut is a convolution of 1 × 1. */
const block = (filters: number, stride: number) => (x: Node) => {
  const branch = x.pipe(convolution(filters, { stride }), relu(), convolution(filters));
  const same = stride === 1 && x.shape[2] === filters;
  return add(same ? x : x.pipe(convolution(filters, { window: 1, stride })), branch).pipe(relu());
};

const [widths, blocks, usual, batchSize] = quick ? [[8, 16, 32], 1, 4, 32] : [[16, 32, 64], 3, 15, 128];
const epochs = Number(options.epochs ?? usual);
if (!(Number.isInteger(epochs) && epochs > 0)) throw new Error(`--epochs: expected a number, got ${options.epochs}`);
const stages = widths.flatMap((filters, stage) =>
  Array.from({ length: blocks }, (_, i) => block(filters, stage > 0 && i === 0 ? 2 : 1)),
);
const logits = input(shape).pipe(convolution(widths[0]), relu(), ...stages, globalAvgPool2d(), dense(10));

// The run can be stopped and continued: --resume reads the newest checkpoint.
// Runs of different settings have different files.
const settings = [...(quick ? ['quick'] : []), ...(options.epochs ? [`${epochs}-epochs`] : []), precision];
const file = (name: string) => join(outputFolder('resnet'), [...settings, name].join('-'));
const saved = { checkpoint: file('checkpoint.safetensors'), epochs: file('epochs.json') };
const continued = resume && existsSync(saved.checkpoint);
const optimizer = new Sgd({
  learningRate: oneCycle({ max: quick ? 0.1 : 0.2, steps: epochs * Math.ceil(train.length / batchSize) }),
  momentum: 0.9,
  nesterov: true,
  weightDecay: 5e-4,
  groups: [{ match: /gamma|beta|bias/, weightDecay: 0 }],
});
const { network, epoch } = continued
  ? await Network.loadCheckpoint(saved.checkpoint, { optimizer })
  : { network: new Network({ output: logits, loss: softmaxCrossEntropy(), seed, precision }), epoch: 0 };
console.log(`${network.parameterCount.toLocaleString('en-US')} parameters`);

const logs: EpochLog[] = continued ? JSON.parse(readFileSync(saved.epochs, 'utf8')).slice(0, epoch) : [];
const record: Callbacks = {
  onEpochEnd({ batchLosses: _, ...log }) {
    logs.push({ ...log, batchLosses: new Float64Array() });
    writeFileSync(saved.epochs, JSON.stringify(logs));
  },
};
const augment = [randomShift(2), randomFlip()];
if (epoch < epochs) {
  await network.fit(train, {
    optimizer,
    initialEpoch: epoch,
    epochs: epochs - epoch,
    batchSize,
    augment,
    validation: test,
    callbacks: [progressBar(), record, checkpoint({ path: saved.checkpoint })],
  });
}
const seconds = logs.reduce((sum, log) => sum + log.seconds, 0);
console.log(`trained for ${seconds.toFixed(0)} s, ${Math.round((train.length * logs.length) / seconds)} images/s`);

const outputs = network.predict(test);
const predictions = argmax(outputs, 10);
const matrix = metrics.confusionMatrix(outputs, test);
const wrong = Array.from(predictions.keys()).filter((row) => predictions[row] !== test.labels?.[row]);
// Ten images, and below them what four training steps make of them.
const originals = train.take(10);
const views = [0, 1, 2, 3].map((step) => augmentBatch(augment, originals, { seed, step }));
const features = [Float32Array.from(originals.features, (byte) => byte / 255), ...views].flatMap((rows) => [...rows]);

present('resnet', {
  title: 'A residual network on Fashion-MNIST',
  network,
  sections: [
    {
      heading: 'Augmentation',
      text: 'Ten training images, and below each of them what four training steps see.',
      svg: await imageGrid(new Dataset({ features, shape }), { columns: 10, indices: [...Array(50).keys()] }),
    },
    { heading: 'Accuracy', svg: await learningCurves({ epochs: logs }, { show: 'accuracy' }) },
    { heading: 'Confusion', svg: await confusionMatrixPlot(matrix) },
    {
      heading: 'Mistakes',
      text: 'The first test images that the network misreads, and in parentheses what they are.',
      svg: await imageGrid(test, { indices: wrong.slice(0, 24), predictions, columns: 8 }),
    },
  ],
});

const { accuracy } = matrix;
console.log(`test accuracy: ${accuracy.toFixed(4)}`);
const bound = quick ? 0.5 : 0.935;
if (epochs >= usual) check(`the test accuracy is at least ${bound}`, accuracy >= bound);
network.dispose();
