// What a bundle must do: train, load an optional package that is there (vega, a stand-in), and do without one that is
// not (sharp).
import { mkdirSync, writeFileSync } from 'node:fs';
import { Adam, dense, meanSquaredError, Network } from 'blasnet';
import { imageFolder, mnist } from 'blasnet/data';
import { native } from 'blasnet/kernels';
import { learningCurves } from 'blasnet/report';

const warnings = [];
process.on('warning', ({ message }) => warnings.push(message));

const codeOf = (promise) =>
  promise.then(
    () => 'none',
    ({ code, message }) => `${code}: ${message}`,
  );

async function main() {
  const network = new Network({ input: [1], layers: [dense(1)], loss: meanSquaredError(), seed: 1 });
  const data = {
    length: 4,
    shape: [1],
    features: Float32Array.of(0, 1, 2, 3),
    targets: Float32Array.of(1, 3, 5, 7),
    scale: 1,
    offset: 0,
  };
  const history = await network.fit(data, { optimizer: new Adam({ learningRate: 0.1 }), epochs: 300, batchSize: 4 });
  mkdirSync('images/class', { recursive: true });
  writeFileSync('images/class/1.png', '');
  const result = {
    backend: network.backend,
    available: native.available,
    loss: history.epochs.at(-1).loss,
    picture: await learningCurves(history),
    sharp: await codeOf(imageFolder('images')),
    mnist: await codeOf(mnist()),
  };
  await new Promise(setImmediate);
  console.log(JSON.stringify({ ...result, warnings }));
}

main();
