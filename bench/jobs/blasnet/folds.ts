import { Adam, dense, Network, relu, softmaxCrossEntropy } from 'blasnet';
import { Dataset } from 'blasnet/data';
import { crossValidate } from 'blasnet/search';
import { digits } from '../data.js';

const { images, labels } = digits('train', 1000);
const data = new Dataset({ features: images, shape: [784], labels, scale: 1 / 255 });
const means: Record<string, number> = {};
for (const units of [4, 32]) {
  const layers = [dense(units), relu(), dense(10)];
  const { mean } = await crossValidate({
    data,
    folds: 3,
    epochs: 10,
    metric: 'accuracy',
    build: ({ seed }) => ({
      network: new Network({ input: [784], layers, loss: softmaxCrossEntropy(), seed }),
      optimizer: new Adam({ learningRate: 0.003 }),
    }),
  });
  means[units] = mean;
}
console.log(JSON.stringify(means));
