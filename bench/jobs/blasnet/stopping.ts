import { Adam, dense, earlyStopping, jsonLog, Network, relu, softmaxCrossEntropy } from 'blasnet';
import { Dataset } from 'blasnet/data';
import { digits } from '../data.js';

const dataset = ({ images, labels }: ReturnType<typeof digits>) =>
  new Dataset({ features: images, shape: [784], labels, scale: 1 / 255 });
const validation = dataset(digits('test', 500));
const layers = [dense(64), relu(), dense(10)];
const network = new Network({ input: [784], layers, loss: softmaxCrossEntropy(), seed: 1 });
const history = await network.fit(dataset(digits('train', 1000)), {
  optimizer: new Adam({ learningRate: 0.003 }),
  epochs: 100,
  validation,
  callbacks: [earlyStopping({ patience: 3 }), jsonLog('log.jsonl')],
});
const { loss } = await network.evaluate(validation);
console.log(JSON.stringify({ epochs: history.loss.length, loss, best: Math.min(...history.validationLoss) }));
