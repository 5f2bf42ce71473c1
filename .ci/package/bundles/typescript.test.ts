// Run by Jest through ts-jest, compiled by TypeScript 5.9 to CommonJS.
import { Adam, dense, type History, meanSquaredError, Network } from 'blasnet';
import { Dataset } from 'blasnet/data';
import { native } from 'blasnet/kernels';
import { learningCurves } from 'blasnet/report';

declare const expect: (value: unknown) => { toEqual(other: unknown): void };
declare const test: (name: string, body: () => Promise<void>) => void;

test('trains', async () => {
  const network: Network = new Network({ input: [1], layers: [dense(1)], loss: meanSquaredError(), seed: 1 });
  const data = new Dataset({ features: [[0], [1], [2], [3]], targets: [[1], [3], [5], [7]] });
  const history: History = await network.fit(data, { optimizer: new Adam({ learningRate: 0.1 }), epochs: 3 });
  expect([network.backend, native.available, await learningCurves(history)]).toEqual([
    'native',
    true,
    '<svg>stand-in</svg>',
  ]);
});
