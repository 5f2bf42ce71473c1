// Must pass TypeScript 5.9 as CommonJS, where nothing but the package is installed.
import { Adam, dense, type History, Network, softmaxCrossEntropy } from 'blasnet';
import { mnist } from 'blasnet/data';
import { native } from 'blasnet/kernels';
import { learningCurves } from 'blasnet/report';

export async function train(): Promise<string> {
  const network = new Network({ input: [784], layers: [dense(10)], loss: softmaxCrossEntropy() });
  const { train } = await mnist();
  const history: History = await network.fit(train, { optimizer: new Adam(), epochs: 1 });
  const available: boolean = native.available;
  return available ? learningCurves(history) : '';
}
// @ts-expect-error an option that there is not
new Network({ input: [784], layers: [], loss: softmaxCrossEntropy(), optimiser: 1 });
