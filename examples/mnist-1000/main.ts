// A small network on 1000 images read from a folder, as the tutorial builds it and with better choices (tutorial 000).
//   npm run example mnist-1000 [-- --quick]
import { mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import {
  Adam,
  batchNorm,
  dense,
  dropout,
  exponential,
  flatten,
  halfSquaredError,
  l2,
  lecunNormal,
  metrics,
  Network,
  type NetworkOptions,
  type Optimizer,
  relu,
  sigmoid,
  softmaxCrossEntropy,
} from 'blasnet';
import { type Dataset, imageFolder, mnist } from 'blasnet/data';
import { confusionMatrixPlot } from 'blasnet/report';
import sharp from 'sharp';
import { check, mean, outputFolder, present, quick, seed } from '../support.js';

/** Writes images as <label>_<row>.png, like the tutorial's data. */
async function writeImages(images: Dataset, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const raw = { width: 28, height: 28, channels: 1 } as const;
  for (let row = 0; row < images.length; row++) {
    const pixels = images.features.subarray(row * 784, (row + 1) * 784);
    await sharp(pixels, { raw })
      .png()
      .toFile(join(folder, `${images.labels?.[row]}_${row}.png`));
  }
}

const count = quick ? 200 : 1000;
const { train: images, test: allTest } = await mnist({ shape: [28, 28, 1] });
const test = quick ? allTest.take(1000) : allTest;
const folder = join(outputFolder('mnist-1000'), `images-${count}`);
await writeImages(images.take(count), folder);
const train = await imageFolder(folder, { channels: 1, label: 'firstCharacter' });
console.log(`${train.length} images of ${train.shape.join(' × ')} from ${relative(process.cwd(), folder)}`);

interface Variant {
  readonly network: Omit<NetworkOptions, 'seed'>;
  readonly optimizer: () => Optimizer;
  readonly epochs: number;
  readonly oneHot: boolean;
}
const input = [28, 28, 1];
const weightInitializer = lecunNormal();
const variants: Record<string, Variant> = {
  // Sigmoid units throughout, squared error on one-hot targets.
  tutorial: {
    network: {
      input,
      layers: [
        flatten(),
        dense(50, { bias: false, weightInitializer }),
        batchNorm({ epsilon: 1e-8 }),
        sigmoid(),
        dropout(0.2),
        dense(10, { weightInitializer }),
        sigmoid(),
      ],
      loss: halfSquaredError(),
      regularizer: l2(1e-5),
    },
    optimizer: () => new Adam({ learningRate: 0.03, beta2: 0.99 }),
    epochs: 20,
    oneHot: true,
  },
  // Cross-entropy instead of squared error, ReLU, dropout on the pixels too, a decaying rate, and more epochs.
  better: {
    network: {
      input,
      layers: [flatten(), dropout(0.4), dense(50, { bias: false }), batchNorm(), relu(), dropout(0.3), dense(10)],
      loss: softmaxCrossEntropy(),
    },
    optimizer: () => new Adam({ learningRate: exponential({ initial: 0.01, factor: 0.93 }) }),
    epochs: 50,
    oneHot: false,
  },
};

const rows: string[][] = [];
const pictures: string[] = [];
const means: Record<string, number> = {};
for (const [name, { network: description, optimizer, epochs, oneHot }] of Object.entries(variants)) {
  const accuracies: number[] = [];
  for (let start = 0; start < (quick ? 1 : 5); start++) {
    using network = new Network({ ...description, seed: seed + start });
    await network.fit(oneHot ? train.oneHot() : train, { optimizer: optimizer(), epochs, batchSize: 25 });
    const matrix = metrics.confusionMatrix(network.predict(test), test);
    accuracies.push(matrix.accuracy);
    if (start === 0) pictures.push(await confusionMatrixPlot(matrix, { title: name }));
  }
  means[name] = mean(accuracies);
  rows.push([
    name,
    ...[means[name], Math.min(...accuracies), Math.max(...accuracies), 0.8727].map((value) => value.toFixed(4)),
  ]);
}
present('mnist-1000', {
  title: 'A small network on 1000 images',
  sections: [
    {
      heading: 'Confusion',
      text: `784-50-10, trained on ${train.length} images from five starts; accuracy on ${test.length} test images.`,
      table: { columns: ['', 'mean', 'lowest', 'highest', 'tutorial'], rows },
      svg: pictures,
    },
  ],
});

if (quick) check('both learn from 200 images: test accuracy above 0.65', Math.min(...Object.values(means)) > 0.65);
else {
  check("the tutorial's network reaches 0.86", means.tutorial >= 0.86);
  check('the better one exceeds the 0.8727 that the tutorial prints', means.better > 0.8727);
}
