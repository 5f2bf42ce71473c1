import { Adam, conv2d, dense, flatten, maxPool2d, Network, relu, softmaxCrossEntropy } from 'blasnet';
import { Dataset } from 'blasnet/data';
import { digits } from '../data.js';

const dataset = ({ images, labels }: ReturnType<typeof digits>) =>
  new Dataset({ features: images, shape: [28, 28, 1], labels, scale: 1 / 255 });
const layers = [conv2d(8), relu(), maxPool2d(2), flatten(), dense(10)];
const network = new Network({ input: [28, 28, 1], layers, loss: softmaxCrossEntropy(), seed: 1 });
await network.fit(dataset(digits('train', 1000)), { optimizer: new Adam({ learningRate: 0.003 }), epochs: 4 });
const { accuracy } = await network.evaluate(dataset(digits('test', 1000)));
console.log(JSON.stringify({ accuracy }));
