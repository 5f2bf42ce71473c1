import { Adam, customLoss, dense, maximum, Network, relu, scale, subtract, sum } from 'blasnet';
import { encoder, predictRows, readCsv } from 'blasnet/tables';

const [train, test] = [await readCsv('cars-train.csv'), await readCsv('cars-test.csv')];
const fitted = encoder({ target: 'mpg' }).fit(train);
const loss = customLoss((prediction, target) => {
  const error = subtract(target, prediction);
  return sum(maximum(scale(error, 0.9), scale(error, -0.1)));
});
const network = new Network({ input: fitted.shape, layers: [dense(32), relu(), dense(1)], loss, seed: 1 });
await network.fit(fitted.dataset(train), { optimizer: new Adam({ learningRate: 0.003 }), epochs: 50 });

network.encoder = fitted;
const rows = test.rows();
const below = predictRows(network, rows).filter(({ value = 0 }, i) => Number(rows[i].mpg) < value).length / rows.length;
console.log(JSON.stringify({ below }));
