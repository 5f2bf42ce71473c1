// Run by Jest, which takes it for CommonJS and can load nothing else by require.
const { Adam, BlasnetError, dense, meanSquaredError, Network } = require('blasnet');
const { Dataset, imageFolder } = require('blasnet/data');
const { native } = require('blasnet/kernels');
const { learningCurves } = require('blasnet/report');

const { expect, test } = globalThis;

test('trains on the native backend, draws, and knows its own classes', async () => {
  const network = new Network({ input: [1], layers: [dense(1)], loss: meanSquaredError(), seed: 1 });
  const data = new Dataset({ features: [[0], [1], [2], [3]], targets: [[1], [3], [5], [7]] });
  const history = await network.fit(data, { optimizer: new Adam({ learningRate: 0.1 }), epochs: 300, batchSize: 4 });
  expect([network.backend, native.available]).toEqual(['native', true]);
  expect(history.epochs.at(-1).loss).toBeLessThan(0.1);
  expect(await learningCurves(history)).toBe('<svg>stand-in</svg>');
  expect(() => new Network({ input: [1], layers: [dense(0)], loss: meanSquaredError() })).toThrow(BlasnetError);
  await expect(imageFolder('nowhere')).rejects.toThrow(BlasnetError);
});
