// AlexNet: its sizes and parameters, one training step on 227 × 227 pixels, and the memory it takes (tutorial 001).
//   npm run example alexnet [-- --quick]
import {
  conv2d,
  dense,
  dropout,
  flatten,
  type LayerSpec,
  localResponseNorm,
  maxPool2d,
  meanSquaredError,
  Network,
  normal,
  relu,
  Sgd,
  softmaxCrossEntropy,
} from 'blasnet';
import { check, present, quick, seed } from '../support.js';

const start = { weightInitializer: normal({ std: 0.01 }) };
const pool = () => maxPool2d(3, { stride: 2 });
/** Convolutions and pooling, a line for each of the sizes that the tutorial lists. */
const stages: readonly (readonly [name: string, ...layers: LayerSpec[]])[] = [
  ['convolution 11 × 11, stride 4', conv2d(96, { ...start, window: 11, stride: 4 }), relu(), localResponseNorm()],
  ['max pooling 3 × 3, stride 2', pool()],
  ['convolution 5 × 5', conv2d(256, { ...start, window: 5, padding: 2 }), relu(), localResponseNorm()],
  ['max pooling 3 × 3, stride 2', pool()],
  ['convolution 3 × 3', conv2d(384, { ...start, padding: 1 }), relu()],
  ['convolution 3 × 3', conv2d(384, { ...start, padding: 1 }), relu()],
  ['convolution 3 × 3', conv2d(256, { ...start, padding: 1 }), relu()],
  ['max pooling 3 × 3, stride 2', pool()],
];
/** The dense part, with `units` in its hidden layers. */
const classifier = (units: number): LayerSpec[] => [
  flatten(),
  dropout(0.5),
  dense(units, start),
  relu(),
  dropout(0.5),
  dense(units, start),
  relu(),
  dense(1000, start),
];

// A network of the first stages gives the size after each stage.
const rows: string[][] = [];
const sizes: number[] = [];
let [features, convolutional] = [0, 0];
for (let count = 1; count <= stages.length; count++) {
  const layers = stages.slice(0, count).flatMap(([, ...stage]) => stage);
  using network = new Network({ input: [227, 227, 3], layers, loss: meanSquaredError() });
  rows.push([stages[count - 1][0], network.output.join(' × '), network.parameterCount.toLocaleString('en-US')]);
  sizes.push(network.output[0]);
  features = network.output.reduce((product, size) => product * size);
  convolutional = network.parameterCount;
}
check('the sizes are 55, 27, 27, 13, 13, 13, 13, 6', sizes.join() === '55,27,27,13,13,13,13,6');
check('9216 numbers go into the dense part', features === 9216);
check('the convolutions have 3,747,200 parameters', convolutional === 3_747_200);

const [side, units] = quick ? [67, 64] : [227, 4096];
using network = new Network({
  input: [side, side, 3],
  layers: [...stages.flatMap(([, ...layers]) => layers), ...classifier(units)],
  loss: softmaxCrossEntropy(),
  seed,
});
if (!quick) check('the parameters are 62,378,344', network.parameterCount === 62_378_344);

// Two images of noise: all that matters here is that the network runs.
const images = Float32Array.from({ length: 2 * side * side * 3 }, (_, i) => Math.sin(i * i));
const begin = performance.now();
const probabilities = network.predict(images);
const between = performance.now();
const { loss } = network.trainBatch(images, [3, 7], new Sgd({ learningRate: 0.01, momentum: 0.9 }));
const end = performance.now();
check('the probabilities of the two images sum to 2', Math.abs(probabilities.reduce((sum, p) => sum + p) - 2) < 1e-4);
check('the first loss is that of guessing, ln 1000', Math.abs(loss - Math.log(1000)) < 0.2);

const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
const { modelBytes, workBytes } = network.program;
const resident = 1024 * process.resourceUsage().maxRSS;
present('alexnet', {
  title: 'AlexNet',
  network,
  sections: [
    { heading: 'Sizes', table: { columns: ['stage', 'output', 'parameters so far'], rows } },
    {
      heading: 'A training step on two images',
      table: {
        columns: ['', 'measured'],
        rows: [
          ['parameters', network.parameterCount.toLocaleString('en-US')],
          ['loss', loss.toFixed(3)],
          ['forward', `${(between - begin).toFixed(0)} ms`],
          ['training step', `${(end - between).toFixed(0)} ms`],
          ['parameters, gradients and velocity', megabytes(modelBytes)],
          ['work', megabytes(workBytes)],
          ['peak RSS', megabytes(resident)],
        ],
      },
      preformatted: String(network.program),
    },
  ],
});
if (!quick)
  check('the peak RSS is at most 1.2 times that + 150 MB', resident <= 1.2 * (modelBytes + workBytes) + 150e6);
