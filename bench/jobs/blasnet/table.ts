import { Adam, dense, Network, relu, softmaxCrossEntropy } from 'blasnet';
import { encoder, predictRows, readCsv } from 'blasnet/tables';

const [train, test] = [await readCsv('penguins-train.csv'), await readCsv('penguins-test.csv')];
const fitted = encoder({ target: 'species' }).fit(train);
const layers = [dense(16), relu(), dense(fitted.outputs)];
const network = new Network({ input: fitted.shape, layers, loss: softmaxCrossEntropy(), seed: 1 });
await network.fit(fitted.dataset(train), { optimizer: new Adam({ learningRate: 0.01 }), epochs: 30 });
const { accuracy } = await network.evaluate(fitted.dataset(test));

network.encoder = fitted;
const bird = {
  island: 'Biscoe',
  beak_length: 47,
  beak_depth: 14.5,
  flipper_length: 217,
  body_mass: null,
  sex: 'FEMALE',
};
const [{ label }] = predictRows(network, [bird]);
console.log(JSON.stringify({ accuracy, label }));
