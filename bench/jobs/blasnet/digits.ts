import { Adam, dense, Network, relu, softmaxCrossEntropy } from 'blasnet';
import { Dataset } from 'blasnet/data';
import { digits } from '../data.js';

const dataset = ({ images, labels }: ReturnType<typeof digits>) =>
  new Dataset({ features: images, shape: [784], labels, scale: 1 / 255 });
const layers = [dense(64), relu(), dense(10)];
const network = new Network({ input: [784], layers, loss: softmaxCrossEntropy(), seed: 1 });
await network.fit(dataset(digits('train', 4000)), { optimizer: new Adam(), epochs: 8 });
const { accuracy } = await network.evaluate(dataset(digits('test', 1000)));
console.log(JSON.stringify({ accuracy }));
