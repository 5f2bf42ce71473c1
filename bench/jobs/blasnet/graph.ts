import { Adam, concat, dense, input, Network, relu, softmaxCrossEntropy } from 'blasnet';
import { Dataset } from 'blasnet/data';
import { digits } from '../data.js';

const dataset = ({ images, labels }: ReturnType<typeof digits>) =>
  new Dataset({
    features: {
      image: { values: images, shape: [784], scale: 1 / 255 },
      odd: Float32Array.from(labels, (label) => label % 2),
    },
    labels,
  });
const image = input([784], { name: 'image' });
const odd = input([1], { name: 'odd' });
const both = concat(image.pipe(dense(48), relu()), odd.pipe(dense(8), relu()));
const network = new Network({ output: both.pipe(dense(10)), loss: softmaxCrossEntropy(), seed: 1 });
await network.fit(dataset(digits('train', 4000)), { optimizer: new Adam(), epochs: 8 });
const { accuracy } = await network.evaluate(dataset(digits('test', 1000)));
console.log(JSON.stringify({ accuracy }));
