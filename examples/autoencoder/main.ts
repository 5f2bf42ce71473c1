// A denoising autoencoder with two numbers in the middle, and a map of the digits in their plane.
//   npm run example autoencoder [-- --quick]
import {
  Adam,
  batchNorm,
  binaryCrossEntropy,
  cosine,
  dense,
  gaussianNoise,
  input,
  metrics,
  Network,
  progressBar,
  relu,
} from 'blasnet';
import { Dataset, mnist } from 'blasnet/data';
import { decisionRegions, imageGrid, learningCurves } from 'blasnet/report';
import { check, percent, present, quick, seed } from '../support.js';

const NOISE = 0.4;
const NEIGHBOURS = 15;

const data = await mnist();
const [digits, testDigits] = quick ? [data.train.take(3000), data.test.take(1000)] : [data.train, data.test];

/** Pixels from 0 to 1. */
const pixels = ({ features }: Dataset) => Float32Array.from(features, (byte) => byte / 255);
/** Images that are their own targets. */
function images(source: Dataset): Dataset {
  const values = pixels(source);
  return new Dataset({ features: values, shape: [784], targets: values, targetShape: [784] });
}
const [train, test] = [images(digits), images(testDigits)];

// In training the input is noisy, the target is not.
const hidden = (units: number) => [dense(units, { bias: false }), batchNorm(), relu()];
const latent = input([784]).pipe(gaussianNoise(NOISE), ...hidden(256), ...hidden(64), dense(2, { name: 'latent' }));
const logits = latent.pipe(...hidden(64), ...hidden(256), dense(784));
using network = new Network({ output: logits, loss: binaryCrossEntropy(), seed });

const epochs = quick ? 8 : 15;
const history = await network.fit(train, {
  optimizer: new Adam({ learningRate: cosine({ initial: 3e-3, epochs }) }),
  epochs,
  batchSize: quick ? 32 : 128,
  validation: test,
  callbacks: progressBar(),
});

// The same layer makes noisy test images.
using noiseMaker = new Network({ input: [784], layers: [gaussianNoise(NOISE)], loss: binaryCrossEntropy(), seed });
const clean = test.features as Float32Array;
const noisy = noiseMaker.forward(test, { training: true });
const reconstructed = network.predict(noisy);
const mean = new Float32Array(784);
for (let i = 0; i < train.features.length; i++) mean[i % 784] += train.features[i] / train.length;
const error = (values: Float32Array) => metrics.rootMeanSquaredError(values, clean);
const errors = {
  'noisy image': error(noisy),
  'mean image': error(Float32Array.from(clean, (_, i) => mean[i % 784])),
  reconstruction: error(reconstructed),
};

/** The two numbers of each image. */
const codes = (source: Dataset) => network.predict(source, { outputs: ['latent'] }).latent;
const [known, unknown] = [codes(train), codes(test)];
const shown = Math.min(3000, train.length);

/** The digits' shares among the nearest of the first training images in the plane. */
function vote(points: Float32Array): Float32Array {
  const shares = new Float32Array(5 * points.length);
  for (let row = 0; row < points.length / 2; row++) {
    const squared = Float32Array.from({ length: shown }, (_, i) => {
      return (known[2 * i] - points[2 * row]) ** 2 + (known[2 * i + 1] - points[2 * row + 1]) ** 2;
    });
    const limit = squared.toSorted()[NEIGHBOURS - 1];
    for (const [i, distance] of squared.entries()) {
      if (distance <= limit) shares[10 * row + (digits.labels?.[i] ?? 0)] += 1 / NEIGHBOURS;
    }
  }
  return shares;
}
const checked = testDigits.take(1000);
const accuracy = metrics.accuracy(vote(unknown.subarray(0, 2000)), checked);

/** Rows of ten images: noisy, reconstructed, clean, for two tens of digits. */
const grid = [0, 10].flatMap((first) =>
  [noisy, reconstructed, clean].flatMap((values) => [
    ...values.subarray(784 * first, 784 * (first + 10)).map((x) => Math.min(1, Math.max(0, x))),
  ]),
);

present('autoencoder', {
  title: 'A denoising autoencoder on MNIST',
  network,
  sections: [
    {
      heading: 'Root mean square error',
      text: 'Of each pixel of the test images, from 0 to 1, against the clean image.',
      table: { columns: ['', 'error'], rows: Object.entries(errors).map(([name, value]) => [name, value.toFixed(3)]) },
    },
    {
      heading: 'Reconstructions',
      text: 'Test images in rows of three: noisy, reconstructed from two numbers, clean.',
      svg: await imageGrid(new Dataset({ features: grid, shape: [28, 28] }), {
        columns: 10,
        indices: [...Array(60).keys()],
      }),
    },
    {
      heading: 'Latent space',
      text: `${checked.length} test images, and the regions in which most of the nearest training images show one digit.`,
      table: { columns: ['', 'digits found'], rows: [[`${NEIGHBOURS} nearest neighbours`, percent(accuracy)]] },
      svg: await decisionRegions(
        vote,
        new Dataset({ features: unknown.slice(0, 2000), shape: [2], labels: checked.labels, classes: 10 }),
        { xTitle: 'first number', yTitle: 'second number', resolution: quick ? 30 : 120, height: 640 },
      ),
    },
    { heading: 'Loss', svg: await learningCurves(history) },
  ],
});

const most = quick ? 0.26 : 0.21;
check(`the error of the reconstructions is at most ${most}`, errors.reconstruction <= most);
const least = quick ? 0.4 : 0.65;
check(`neighbours in the plane find at least ${least} of the digits`, accuracy >= least);
