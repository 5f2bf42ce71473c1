import { Adam, dense, Network, relu, softmaxCrossEntropy } from 'blasnet';
import { Dataset } from 'blasnet/data';
import { digits } from '../data.js';

const { images, labels } = digits('train', 2000);
const train = new Dataset({ features: images, shape: [784], labels, scale: 1 / 255 });
const layers = [dense(32), relu(), dense(10)];
const make = () => new Network({ input: [784], layers, loss: softmaxCrossEntropy(), seed: 1 });
const whole = make();
await whole.fit(train, { optimizer: new Adam(), epochs: 2 });

const [first, optimizer] = [make(), new Adam()];
await first.fit(train, { optimizer, epochs: 1 });
await first.save('half.safetensors', { optimizer });
const half = await Network.loadCheckpoint('half.safetensors');
await half.network.fit(train, { optimizer: half.optimizer, epochs: 1 });

const [a, b] = [whole.predict(train), half.network.predict(train)];
console.log(JSON.stringify({ difference: Math.max(...a.map((value, i) => Math.abs(value - b[i]))) }));
