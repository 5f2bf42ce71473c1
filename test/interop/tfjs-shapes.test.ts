import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import {
  batchNorm,
  concat,
  conv2d,
  dense,
  embedding,
  flatten,
  globalAvgPool2d,
  input,
  meanSquaredError,
  Network,
  type Node,
  prelu,
  reshape,
  type Shared,
  shared,
  slice,
} from '../../lib/index.js';
import { fromLayersModel, loadLayersModel, saveLayersModel, toLayersModel } from '../../lib/interop/tfjs/index.js';
import { expectRejection } from '../api/support.js';
import { expectError } from '../data/expect-error.js';
import { artifactsOf, expectNear, modelOf, ours, predicted, randomise, sampleShapes, tf } from './tfjs-support.js';

const folder = mkdtempSync(join(tmpdir(), 'blasnet-tfjs-'));
afterAll(() => rmSync(folder, { recursive: true }));

const { layers: L } = tf;
const loss = meanSquaredError();
const networkOf = (output: Node) => new Network({ output, loss, seed: 1 });

/** A network and tfjs's model of it predict the same. */
async function expectSame(network: Network<string> | Network): Promise<void> {
  const model = await modelOf(toLayersModel(network));
  expectNear(ours(network, sampleShapes(model)), predicted(model));
}

it('files of weights may begin with ./, as tfjs writes them for downloads and over HTTP', async () => {
  const network = new Network({ input: [3], layers: [dense(2)], loss, seed: 1 });
  await saveLayersModel(network, folder);
  const file = join(folder, 'model.json');
  const json = JSON.parse(readFileSync(file, 'utf8'));
  const write = (path: string) => {
    json.weightsManifest[0].paths = [path];
    writeFileSync(file, JSON.stringify(json));
  };
  write('./weights.bin');
  const x = Float32Array.of(1, 2, 3);
  expect((await loadLayersModel(file)).predict(x)).toEqual(network.predict(x));
  for (const path of ['.', './', '../weights.bin', './../weights.bin']) {
    write(path);
    await expectRejection(() => loadLayersModel(file), 'FILE_CORRUPT', /must stay in the folder/);
  }
});

it.each([-1, -2, 0, 1])('a concat along the axis %d', async (axis) => {
  const [a, b] = ['a', 'b'].map((name) => input([2, 2], { name }));
  await expectSame(networkOf(concat(a, b, { axis }).pipe(flatten())));
});

it('an axis that tfjs and Keras count differently is refused', async () => {
  const [a, b] = [0, 1].map(() => tf.input({ shape: [2, 2] }));
  const outputs = L.concatenate({ axis: -2 }).apply([a, b]);
  const artifacts = await artifactsOf(tf.model({ inputs: [a, b], outputs }));
  expectError(() => fromLayersModel(artifacts), 'INVALID_ARGUMENT', /negative axis other than -1/);
});

it('names that do not begin with a letter get the type before them', async () => {
  const x = input([2], { name: '_x' });
  const outputs = { _y: x.pipe(dense(2, { name: '_a' })), z: x.pipe(dense(2)) };
  await expectSame(new Network({ outputs, losses: { _y: loss, z: loss }, seed: 1 }));
});

it('layers without weights are shared by inputs of several shapes', async () => {
  const [a, b] = [tf.input({ shape: [4, 4, 1] }), tf.input({ shape: [6, 6, 1] })];
  const crop = L.cropping2D({ cropping: 1 });
  const ends = [a, b].map((x) => L.globalAveragePooling2d({}).apply(crop.apply(x)));
  const model = randomise(tf.model({ inputs: [a, b], outputs: L.concatenate().apply(ends) }));
  expectNear(ours(fromLayersModel(await artifactsOf(model)), sampleShapes(model)), predicted(model));

  const inputs = [4, 6].map((size, i) => input([size, size, 1], { name: `x${i}` }));
  const cut = shared(slice({ begin: [0, 0, 0], end: [2, 2, 1] }));
  const [first, second] = inputs.map((x) => x.pipe(cut, globalAvgPool2d()));
  await expectSame(networkOf(concat(first, second)));
  const rows = shared(reshape([-1, 2]));
  const [few, many] = inputs.map((x) => x.pipe(rows, flatten()));
  await expectSame(networkOf(concat(few, many)));
});

it('an embedding of indices of several shapes is refused in both directions', async () => {
  const table = shared(embedding(5, 2));
  const [one, four] = [1, 4].map((size) => input([size], { name: `x${size}`, type: 'index' }).pipe(table));
  const network = networkOf(concat(one, four.pipe(flatten())));
  expectError(() => toLayersModel(network), 'INVALID_ARGUMENT', /embedding.*inputs of two shapes/);

  const [a, b] = [tf.input({ shape: [1] }), tf.input({ shape: [4] })];
  const layer = L.embedding({ inputDim: 5, outputDim: 2 });
  const outputs = L.concatenate().apply([a, b].map((x) => L.flatten().apply(layer.apply(x))));
  const artifacts = await artifactsOf(tf.model({ inputs: [a, b], outputs }));
  expectError(() => fromLayersModel(artifacts), 'INVALID_ARGUMENT', /weights on inputs of two shapes/);
});

it('other layers with weights are shared by inputs of several sizes where tfjs can', async () => {
  const images = [4, 6].map((size) => input([size, size, 2], { name: `x${size}` }));
  const share = (layer: Shared) => {
    const [few, many] = images.map((x) => x.pipe(layer, globalAvgPool2d()));
    return networkOf(concat(few, many));
  };
  await expectSame(share(shared(conv2d(2, { window: 3 }), batchNorm())));
  expectError(() => toLayersModel(share(shared(prelu()))), 'INVALID_ARGUMENT', /prelu.*inputs of two shapes/);
  const rows = input([2], { name: 'row' });
  const norm = shared(batchNorm());
  const ranks = networkOf(concat(images[0].pipe(norm, globalAvgPool2d()), rows.pipe(norm)));
  expectError(() => toLayersModel(ranks), 'INVALID_ARGUMENT', /batchNorm.*inputs of two shapes/);
});

it('a graph model in memory is called one, and a normalisation of four dimensions is refused', () => {
  const artifacts = { format: 'graph-model', modelTopology: {}, weightSpecs: [], weightData: new ArrayBuffer(0) };
  expectError(() => fromLayersModel(artifacts), 'FILE_CORRUPT', /"graph-model", not a layers-model/);
  const network = new Network({ input: [2, 2, 2, 2], layers: [batchNorm()], loss });
  expectError(() => toLayersModel(network), 'INVALID_ARGUMENT', /more than three dimensions/);
  expect(() => toLayersModel(new Network({ input: [4, 4, 1], layers: [conv2d(2), batchNorm()], loss }))).not.toThrow();
});
