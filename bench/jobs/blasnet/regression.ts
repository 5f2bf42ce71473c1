import { Adam, dense, meanSquaredError, metrics, Network, relu } from 'blasnet';
import { encoder, predictRows, readCsv } from 'blasnet/tables';

const [train, test] = [await readCsv('cars-train.csv'), await readCsv('cars-test.csv')];
const fitted = encoder({ target: 'mpg' }).fit(train);
const layers = [dense(32), relu(), dense(1)];
const network = new Network({ input: fitted.shape, layers, loss: meanSquaredError(), seed: 1 });
await network.fit(fitted.dataset(train), { optimizer: new Adam({ learningRate: 0.01 }), epochs: 100 });

network.encoder = fitted;
const predicted = predictRows(network, test.rows()).map(({ value = 0 }) => value);
const actual = test.column('mpg').values as Float64Array;
const r2 = metrics.r2(predicted, actual);
console.log(JSON.stringify({ r2, error: metrics.meanAbsoluteError(predicted, actual) }));
