// Must pass the TypeScript compiler where nothing but the package is installed.
import { Adam, dense, type History, Network, relu, softmaxCrossEntropy } from 'blasnet';
import { mnist } from 'blasnet/data';
import { joinGroup } from 'blasnet/distributed';
import { native } from 'blasnet/kernels';
import { learningCurves } from 'blasnet/report';
import { search } from 'blasnet/search';
import { encoder, predictRows, readCsv } from 'blasnet/tables';

const network = new Network({ input: [784], layers: [dense(10), relu()], loss: softmaxCrossEntropy() });
const { train } = await mnist();
export const history: History = await network.fit(train, { optimizer: new Adam(), epochs: 1 });
export const value: Float32Array | undefined = network.parameters[0]?.value;
export const available: boolean = native.available;
export const draw = learningCurves;
export const fitted = encoder({ target: 'species' }).fit(await readCsv('penguins.csv'));
network.encoder = fitted;
export const label: string | undefined = predictRows(network, [{ mass: 3700 }])[0]?.label;
export const find = search;
export const sum: Float32Array = await (await joinGroup()).allReduce(new Float32Array(1));
// @ts-expect-error an option that there is not
new Network({ input: [784], layers: [], loss: softmaxCrossEntropy(), optimiser: 1 });
