import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../lib/errors.js';
import {
  add,
  avgPool2d,
  batchNorm,
  binaryCrossEntropy,
  clip,
  concat,
  conv2d,
  convTranspose2d,
  dense,
  depthwiseConv2d,
  dot,
  exp,
  flatten,
  globalMaxPool2d,
  groupNorm,
  hardSigmoid,
  identity,
  input,
  type LayerSpec,
  matmul,
  maxPool2d,
  meanSquaredError,
  Network,
  pad,
  poisson,
  prelu,
  relu,
  reshape,
  scale,
  separableConv2d,
  shared,
  sigmoid,
  softmax,
  softmaxCrossEntropy,
  spatialDropout2d,
  subtract,
  tanh,
} from '../../lib/index.js';
import {
  fromLayersModel,
  loadLayersModel,
  type ModelArtifacts,
  saveLayersModel,
  toLayersModel,
} from '../../lib/interop/tfjs/index.js';
import { expectError, expectRejection, randomFloats } from '../api/support.js';
import { artifactsOf, expectNear, modelOf, ours, predicted, randomise, sampleShapes, tf } from './tfjs-support.js';

const { layers: L } = tf;

/** All of the texts in one message. */
const containing = (texts: readonly string[]) =>
  new RegExp(texts.map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*'), 's');
const throws = (run: () => unknown, code: ErrorCode, ...texts: string[]) => expectError(run, code, containing(texts));
const refuses = (run: () => Promise<unknown>, code: ErrorCode, ...texts: string[]) =>
  expectRejection(run, code, containing(texts));

const folder = mkdtempSync(join(tmpdir(), 'blasnet-tfjs-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Random parameters and positive variances. */
function scramble<N extends Network<string> | Network>(network: N): N {
  for (const [i, { value }] of network.parameters.entries()) value.set(randomFloats(value.length, 40 + i));
  for (const [i, { name, value }] of network.state.entries())
    value.set(randomFloats(value.length, 80 + i).map((x) => (name.endsWith('Variance') ? 0.5 + x * x : x)));
  return network;
}

const shapesOf = (network: Network<string> | Network) => network.inputs.map(({ shape }) => shape);

async function exported(network: Network<string> | Network): Promise<void> {
  scramble(network);
  const expected = ours(network, shapesOf(network));
  const artifacts = toLayersModel(network);
  expectNear(predicted(await modelOf(artifacts)), expected);
  expectNear(ours(fromLayersModel(artifacts), shapesOf(network)), expected);
}

const chainOf = (shape: readonly number[], ...layers: LayerSpec[]) =>
  new Network({ input: shape, layers, loss: meanSquaredError(), seed: 1 });

describe('what blasnet has and tfjs has not in one layer', () => {
  const image = [7, 6, 3];
  it.each<[string, () => Network<string> | Network]>([
    [
      'conv2d with padding',
      () =>
        chainOf(
          image,
          conv2d(4, {
            padding: [
              [1, 0],
              [2, 1],
            ],
            stride: 2,
          }),
          relu(),
        ),
    ],
    ['depthwiseConv2d with padding', () => chainOf(image, depthwiseConv2d({ padding: 1, multiplier: 2 }))],
    ['separableConv2d', () => chainOf(image, separableConv2d(4, { window: 2, multiplier: 2, dilation: [1, 2] }))],
    [
      'convTranspose2d, cut off',
      () =>
        chainOf(
          image,
          convTranspose2d(2, {
            stride: 2,
            padding: [
              [1, 0],
              [0, 1],
            ],
          }),
        ),
    ],
    [
      'convTranspose2d with more at the end',
      () => chainOf(image, convTranspose2d(2, { window: 1, stride: 3, outputPadding: [1, 2] })),
    ],
    ['hardSigmoid', () => chainOf([5], dense(4), hardSigmoid(), scale(2, -1))],
    ['identity, spatialDropout2d, prelu', () => chainOf(image, identity(), spatialDropout2d(0.2), prelu())],
    ['flatten of what is flat', () => chainOf(image, globalMaxPool2d(), flatten(), dense(2), prelu())],
    ['pools', () => chainOf(image, maxPool2d(3, { stride: 2, padding: 'same' }), avgPool2d(2))],
    [
      'the softmax of a loss',
      () => new Network({ input: [5], layers: [dense(3)], loss: softmaxCrossEntropy(), seed: 1 }),
    ],
    [
      'the sigmoid of a loss',
      () => new Network({ input: [5], layers: [dense(2)], loss: binaryCrossEntropy(), seed: 1 }),
    ],
    [
      'a softmax before a loss',
      () =>
        new Network({
          input: [5],
          layers: [dense(3), softmax()],
          loss: softmaxCrossEntropy({ fromLogits: false }),
          seed: 1,
        }),
    ],
    [
      'shared layers and a difference',
      () => {
        const [left, right] = [input([6], { name: 'left' }), input([6], { name: 'right' })];
        const tower = shared(dense(5), tanh(), batchNorm());
        return new Network({
          output: subtract(left.pipe(tower), right.pipe(tower)),
          loss: meanSquaredError(),
          seed: 1,
        });
      },
    ],
    [
      'several inputs and outputs',
      () => {
        const [a, b] = [input([4, 4, 1], { name: 'a' }), input([3], { name: 'b' })];
        const trunk = concat(a.pipe(conv2d(2), flatten()), b).pipe(dense(6), relu());
        const outputs = { digit: trunk.pipe(dense(4)), parity: trunk.pipe(dense(1)), raw: trunk };
        return new Network({
          outputs,
          losses: { digit: softmaxCrossEntropy(), parity: binaryCrossEntropy() },
          seed: 1,
        });
      },
    ],
    [
      'a softmax over all numbers of a row',
      () => {
        const loss = softmaxCrossEntropy();
        return new Network({ input: [4], layers: [dense(6), reshape([2, 3])], loss, seed: 1 });
      },
    ],
    [
      'a softmax over an image, by name',
      () => {
        const x = input([4, 4, 2], { name: 'x' });
        const outputs = { map: x.pipe(conv2d(3)), flat: x.pipe(flatten(), dense(2)) };
        return new Network({ outputs, losses: { map: softmaxCrossEntropy(), flat: softmaxCrossEntropy() }, seed: 1 });
      },
    ],
    [
      'matmul',
      () => {
        const [a, b] = [input([3, 4], { name: 'a' }), input([2, 4], { name: 'b' })];
        return new Network({ output: matmul(a, b, { transposeB: true }), loss: meanSquaredError(), seed: 1 });
      },
    ],
    [
      'dot',
      () => {
        const [a, b] = [input([4], { name: 'a' }), input([4], { name: 'b' })];
        return new Network({ output: add(dot(a, b), a), loss: meanSquaredError(), seed: 1 });
      },
    ],
  ])('%s', async (_name, make) => {
    await exported(make());
  });

  it('keeps names of outputs', () => {
    const trunk = input([3]).pipe(dense(2));
    const outputs = { digit: trunk.pipe(dense(4)), raw: trunk };
    const network = new Network({ outputs, losses: { digit: softmaxCrossEntropy() }, seed: 1 });
    const again = fromLayersModel<'digit' | 'raw'>(toLayersModel(network));
    expect(again.outputs).toEqual(network.outputs);
    expect(again.predict(new Float32Array(3)).raw).toEqual(network.predict(new Float32Array(3)).raw);
  });

  it.each<[string, readonly number[], LayerSpec]>([
    ['groupNorm', [4], groupNorm(2)],
    ['exp', [4], exp()],
    ['clip', [4], clip(-1, 1)],
    ['pad', [4], pad([[1, 1]])],
    ['maxPool2d', [4, 4, 1], maxPool2d(2, { padding: 1 })],
    ['conv2d', [4, 4, 2], conv2d(2, { groups: 2 })],
    ['conv2d', [9, 9, 2], conv2d(2, { stride: 2, dilation: 2 })],
    ['depthwiseConv2d', [9, 9, 2], depthwiseConv2d({ dilation: 2 })],
    ['convTranspose2d', [9, 9, 2], convTranspose2d(2, { stride: 2, outputPadding: 1 })],
    ['batchNorm', [4], batchNorm({ evaluation: 'batch' })],
  ])('names the node that tfjs has not: %s', (type, shape, layer) => {
    const network = chainOf(shape, identity(), layer);
    throws(() => toLayersModel(network), 'INVALID_ARGUMENT', `node 1 (${type})`, 'no counterpart in tfjs');
  });
});

it('names the loss whose link tfjs has not', () => {
  const own = { ...meanSquaredError(), kind: 'mine', writeLink: () => {} };
  for (const loss of [poisson(), own]) {
    const network = new Network({ input: [3], layers: [dense(2)], loss, seed: 1 });
    throws(() => toLayersModel(network), 'INVALID_ARGUMENT', `the loss "${loss.kind}" has a link`);
  }
});

describe('models of tfjs', () => {
  const saved = async (model: Parameters<typeof randomise>[0]) => {
    const expected = predicted(randomise(model));
    return { expected, artifacts: await artifactsOf(model), shapes: sampleShapes(model) };
  };

  it('reads a Sequential, with the loss of its end', async () => {
    const model = tf.sequential({
      layers: [
        L.conv2d({ filters: 4, kernelSize: 3, inputShape: [8, 8, 1], activation: 'relu' }),
        L.maxPooling2d({ poolSize: 2 }),
        L.flatten(),
        L.dense({ units: 3, activation: 'softmax', name: 'last' }),
      ],
    });
    const { expected, artifacts, shapes } = await saved(model);
    const network = fromLayersModel(artifacts);
    expectNear(ours(network, shapes), expected);
    expect(network.nodes.map(({ name }) => name).slice(-2)).toEqual(['last', 'last_softmax']);
    const data = { x: randomFloats(4 * 64), y: Int32Array.of(0, 1, 2, 0) };
    expect(network.gradients(data.x, data.y).loss).toBeGreaterThan(0);
    // The cross-entropy of the probabilities.
    const p = network.predict(data.x);
    const loss = -[0, 1, 2, 0].reduce((sum, label, row) => sum + Math.log(p[3 * row + label]) / 4, 0);
    expect(network.gradients(data.x, data.y).loss).toBeCloseTo(loss, 5);
  });

  it('takes another loss, and losses by output', async () => {
    const x = tf.input({ shape: [3] });
    const [a, b] = [
      L.dense({ units: 2, name: 'a' }).apply(x),
      L.dense({ units: 1, activation: 'sigmoid', name: 'b' }).apply(x),
    ];
    const one = fromLayersModel(await artifactsOf(tf.model({ inputs: x, outputs: a })), {
      loss: softmaxCrossEntropy(),
    });
    expect([...one.predict(new Float32Array(3))].reduce((sum, p) => sum + p)).toBeCloseTo(1);
    const two = await artifactsOf(tf.model({ inputs: x, outputs: [a, b] }));
    const network = fromLayersModel<'a' | 'b'>(two, { losses: { a: softmaxCrossEntropy() } });
    expect(network.outputs.map(({ name }) => name)).toEqual(['a', 'b']);
    throws(() => fromLayersModel(two, { loss: meanSquaredError() }), 'INVALID_ARGUMENT', 'losses');
  });

  it('reads models within models, also where they are used twice', async () => {
    const inner = (name: string) => {
      const x = tf.input({ shape: [4] });
      const h = L.dense({ units: 4, name: `${name}_h`, activation: 'tanh' }).apply(x);
      return tf.model({ inputs: x, outputs: L.add().apply([h, x]), name });
    };
    const stack = tf.sequential({
      layers: [L.dense({ units: 4, inputShape: [4], activation: 'relu' }), L.batchNormalization({})],
    });
    const [a, b] = [tf.input({ shape: [4] }), tf.input({ shape: [4] })];
    const twice = inner('twice');
    const [p, q] = [twice.apply(a), twice.apply(b)];
    const once = inner('once').apply(L.maximum().apply([p, q]));
    const y = (stack as unknown as typeof twice).apply(once);
    const { expected, artifacts, shapes } = await saved(tf.model({ inputs: [a, b], outputs: y }));
    const network = fromLayersModel(artifacts);
    expectNear(ours(network, shapes), expected);
    expect(network.parameters.filter(({ name }) => name.startsWith('twice_h'))).toHaveLength(2);
    expectNear(predicted(await modelOf(toLayersModel(network))), expected);
    const outer = tf.sequential({
      layers: [tf.sequential({ layers: [L.dense({ units: 3, inputShape: [2] })] }), L.dense({ units: 2 })],
    });
    const nested = await saved(outer);
    expectNear(ours(fromLayersModel(nested.artifacts), nested.shapes), nested.expected);
  });

  it('reads a sigmoid for each pixel', async () => {
    const x = tf.input({ shape: [4, 4, 1] });
    const y = L.conv2d({ filters: 2, kernelSize: 1, activation: 'sigmoid' }).apply(x);
    const { expected, artifacts, shapes } = await saved(tf.model({ inputs: x, outputs: y }));
    const network = fromLayersModel(artifacts);
    expectNear(ours(network, shapes), expected);
    expect(network.gradients(randomFloats(16), new Float32Array(32)).loss).toBeGreaterThan(0);
  });

  it('reads activations with options, and refuses options that it does not know', () => {
    const withActivation = (activation: object) => ({
      modelTopology: {
        class_name: 'Sequential',
        config: {
          layers: [{ class_name: 'Activation', config: { name: 'q', batch_input_shape: [null, 3], activation } }],
        },
      },
    });
    const read = (class_name: string, config: object) =>
      Array.from(fromLayersModel(withActivation({ class_name, config })).predict(Float32Array.of(9, 2, -1)));
    const near = (numbers: number[]) => numbers.map((x) => expect.closeTo(x, 5));
    expect(read('ReLU', { max_value: 6 })).toEqual([6, 2, 0]);
    expect(read('ELU', { alpha: 0.5 })).toEqual(near([9, 2, 0.5 * Math.expm1(-1)]));
    expect(read('LeakyReLU', { negative_slope: 0.25, name: 'l', dtype: 'float32' })).toEqual([9, 2, -0.25]);
    expect(read('Softmax', { axis: -1 })).toEqual(
      near([9, 2, -1].map((x) => Math.exp(x - 9) / (1 + Math.exp(-7) + Math.exp(-10)))),
    );
    expect(read('relu', {})).toEqual([9, 2, 0]);
    throws(() => read('ReLU', { max_value: 6, threshold: 1 }), 'INVALID_ARGUMENT', 'layer q', '"threshold" of 1');
    throws(() => read('Softplus', { beta: 2 }), 'INVALID_ARGUMENT', 'layer q', '"beta" of 2');
  });

  it('reads a layer that is used in several places', async () => {
    const [a, b] = [tf.input({ shape: [4] }), tf.input({ shape: [4] })];
    const layer = L.dense({ units: 4, activation: 'tanh' });
    const again = layer.apply(layer.apply(a));
    const { expected, artifacts, shapes } = await saved(
      tf.model({ inputs: [a, b], outputs: [L.add().apply([again, layer.apply(b)]), layer.apply(b)] }),
    );
    const network = fromLayersModel(artifacts);
    expectNear(ours(network, shapes), expected);
    expect(network.parameters).toHaveLength(2);
    expectNear(predicted(await modelOf(toLayersModel(network))), expected);
  });

  it('reads what Keras 3 writes', async () => {
    const model = tf.sequential({
      layers: [L.dense({ units: 3, inputShape: [4], name: 'first' }), L.leakyReLU({ alpha: 0.1, name: 'leaky' })],
    });
    const { expected, artifacts } = await saved(model);
    const tensor = (layer: string) => ({
      class_name: '__keras_tensor__',
      config: { shape: [null, 4], dtype: 'float32', keras_history: [layer, 0, 0] },
    });
    const keras = (class_name: string, name: string, config: object, from?: string) => ({
      module: 'keras.layers',
      class_name,
      registered_name: null,
      name,
      config: { name, trainable: true, dtype: { class_name: 'DTypePolicy', config: { name: 'float32' } }, ...config },
      inbound_nodes: from === undefined ? [] : [{ args: [tensor(from)], kwargs: { mask: null } }],
    });
    const layers = [
      keras('InputLayer', 'in', { batch_shape: [null, 4], sparse: false }),
      keras('Dense', 'first', { units: 3, activation: 'linear', use_bias: true }, 'in'),
      keras('LeakyReLU', 'leaky', { negative_slope: 0.1 }, 'first'),
      keras('Add', 'sum', {}),
    ];
    layers[3].inbound_nodes = [{ args: [[tensor('leaky'), tensor('first')] as never], kwargs: { mask: null } }];
    const config = { name: 'functional', layers, input_layers: ['in', 0, 0], output_layers: [['leaky', 0, 0]] };
    const modelTopology = {
      keras_version: '3.6.0',
      backend: 'tensorflow',
      model_config: { class_name: 'Functional', config },
    };
    const weightSpecs = (artifacts.weightSpecs as { name: string }[]).map((spec) => ({
      ...spec,
      name: `functional/${spec.name}`,
    }));
    const network = fromLayersModel({ ...artifacts, modelTopology, weightSpecs });
    expectNear(ours(network, [[4]]), expected);
    // The other spelling of all keys.
    const camel = JSON.parse(
      JSON.stringify(artifacts.modelTopology).replace(
        /"(\w+)":/g,
        (_, key: string) => `"${key.replace(/_([a-z])/g, (__, c: string) => c.toUpperCase())}":`,
      ),
    );
    expectNear(ours(fromLayersModel({ ...artifacts, modelTopology: camel }), [[4]]), expected);
  });

  it('reads quantised weights as tfjs does', async () => {
    const model = tf.sequential({
      layers: [L.dense({ units: 3, inputShape: [4], name: 'd' }), L.dense({ units: 2, name: 'e' })],
    });
    const artifacts = await artifactsOf(randomise(model));
    const specs = artifacts.weightSpecs as { name: string; shape: number[]; dtype: string }[];
    const quantisations = [
      { dtype: 'uint8', scale: 0.01, min: -1.2 },
      { dtype: 'uint16', scale: 0.0001, min: -3 },
      { dtype: 'float16', original_dtype: 'float32' },
      undefined,
    ];
    const pieces = specs.map(({ shape }, i) => {
      const size = shape.reduce((product, n) => product * n, 1);
      if (i === 0) return Uint8Array.from({ length: size }, (_, j) => 17 * j + 3);
      if (i === 1) return new Uint8Array(Uint16Array.from({ length: size }, (_, j) => 9999 * j + 7).buffer);
      if (i === 2) return new Uint8Array(Uint16Array.of(0x3c00, 0xc100, 0x0001, 0x83ff, 0x7bff, 0x3555).buffer);
      return new Uint8Array(Float32Array.of(0.25, -1).buffer);
    });
    const weightData = new Uint8Array(Buffer.concat(pieces)).buffer;
    const quantised = {
      ...artifacts,
      weightData,
      weightSpecs: specs.map((spec, i) => ({ ...spec, ...(quantisations[i] && { quantization: quantisations[i] }) })),
    };
    expectNear(ours(fromLayersModel(quantised), [[4]]), predicted(await modelOf(quantised)));
    const halves = fromLayersModel(quantised).parameter('e.weight').value;
    expect([...halves]).toEqual([1, -2.5, 2 ** -24, -1023 * 2 ** -24, 65504, 0x555 / 0x400 / 4]);
  });
});

describe('files', () => {
  const network = scramble(chainOf([6, 6, 2], conv2d(3, { name: 'first' }), relu(), flatten(), dense(4), softmax()));

  it('writes model.json and weights.bin, which tfjs and we read', async () => {
    const path = join(folder, 'new/model');
    await saveLayersModel(network, path);
    const json = JSON.parse(readFileSync(join(path, 'model.json'), 'utf8'));
    const bytes = readFileSync(join(path, 'weights.bin'));
    const [{ weights }] = json.weightsManifest;
    const weightData = new Uint8Array(bytes).buffer;
    const expected = ours(network, [[6, 6, 2]]);
    expectNear(predicted(await modelOf({ ...json, weightSpecs: weights, weightData })), expected);
    for (const file of [join(path, 'model.json'), pathToFileURL(join(path, 'model.json'))])
      expectNear(ours(await loadLayersModel(file), [[6, 6, 2]]), expected);
    // Shards whose borders are inside of tensors, and groups.
    writeFileSync(join(path, 'a.bin'), bytes.subarray(0, 33));
    writeFileSync(join(path, 'b.bin'), bytes.subarray(33));
    const both = (paths: unknown, more = {}) =>
      writeFileSync(
        join(path, 'two.json'),
        JSON.stringify({ ...json, weightsManifest: [{ paths, weights }], ...more }),
      );
    both(['a.bin', 'b.bin']);
    expectNear(ours(await loadLayersModel(join(path, 'two.json')), [[6, 6, 2]]), expected);
    both(['a.bin']);
    await refuses(() => loadLayersModel(join(path, 'two.json')), 'FILE_CORRUPT', 'lack');
    both(['a.bin', 'b.bin', 'a.bin']);
    await refuses(() => loadLayersModel(join(path, 'two.json')), 'FILE_CORRUPT', 'a.bin', '33 bytes');
    both(['c.bin']);
    await refuses(() => loadLayersModel(join(path, 'two.json')), 'FILE_NOT_FOUND', 'c.bin');
    for (const outside of [
      '../model/weights.bin',
      '/etc/hostname',
      'x/../../weights.bin',
      '..\\weights.bin',
      'c:weights',
      '',
      7,
      null,
    ]) {
      both([outside]);
      await refuses(() => loadLayersModel(join(path, 'two.json')), 'FILE_CORRUPT', 'must stay in the folder');
    }
    both(['weights.bin'], { format: 'graph-model' });
    await refuses(() => loadLayersModel(join(path, 'two.json')), 'FILE_CORRUPT', 'graph-model');
  });

  it.each([
    ['no JSON', 'FILE_CORRUPT', '{'],
    ['another thing', 'FILE_CORRUPT', '[1]'],
    ['a key __proto__', 'FILE_CORRUPT', '{"__proto__":{"modelTopology":{}}}'],
    ['no UTF-8', 'FILE_CORRUPT', Buffer.of(0x22, 0xff, 0x22)],
    ['too deep', 'FILE_CORRUPT', '['.repeat(100_000)],
    ['no topology', 'FILE_CORRUPT', '{"modelTopology":null,"weightsManifest":[]}'],
  ])('refuses %s', async (_name, code, content) => {
    writeFileSync(join(folder, 'bad.json'), content);
    await refuses(() => loadLayersModel(join(folder, 'bad.json')), code as ErrorCode, 'bad.json');
  });

  it('refuses what is not there, and what is no file', async () => {
    await refuses(() => loadLayersModel(join(folder, 'none.json')), 'FILE_NOT_FOUND');
    await refuses(() => loadLayersModel(folder), 'FILE_NOT_FOUND', 'directory');
    await refuses(() => saveLayersModel(network, join(folder, 'bad.json')), 'FILE_NOT_WRITTEN');
  });
});

describe('models that can not be read', () => {
  const artifacts = toLayersModel(chainOf([3], dense(2, { name: 'a' }), sigmoid({ name: 'b' })));
  interface Topology {
    class_name: string;
    config: {
      layers: { name: string; class_name: string; config: Record<string, unknown>; inbound_nodes: unknown }[];
      input_layers: unknown;
      output_layers: unknown;
    };
  }
  /** The artifacts with a change of the topology. */
  const changed = (change: (topology: Topology) => void, more: Partial<ModelArtifacts> = {}) => {
    const modelTopology = JSON.parse(JSON.stringify(artifacts.modelTopology)) as Topology;
    change(modelTopology);
    return { ...artifacts, modelTopology, ...more };
  };
  const layer = (index: number, config: Record<string, unknown>, class_name?: string) =>
    changed(({ config: { layers } }) => {
      Object.assign(layers[index].config, config);
      if (class_name !== undefined) layers[index].class_name = class_name;
    });

  it.each<[string, string, () => ModelArtifacts]>([
    ['layer a (LSTM)', 'INVALID_ARGUMENT', () => layer(1, {}, 'LSTM')],
    ['layer a (constructor)', 'INVALID_ARGUMENT', () => layer(1, {}, 'constructor')],
    ['layer a (Dense): the activation "exotic"', 'INVALID_ARGUMENT', () => layer(1, { activation: 'exotic' })],
    ['layer a (Dense): dense: units', 'FILE_CORRUPT', () => layer(1, { units: -1 })],
    ['layer a (Dense): config: units must be a number, got "2"', 'FILE_CORRUPT', () => layer(1, { units: '2' })],
    ['layer a (Conv2D)', 'SHAPE_MISMATCH', () => layer(1, { filters: 1, kernel_size: 1 }, 'Conv2D')],
    ['layer b (BatchNormalization): an axis', 'INVALID_ARGUMENT', () => layer(2, { axis: 2 }, 'BatchNormalization')],
    [
      'layer b (GlobalMaxPooling2D): "dataFormat"',
      'INVALID_ARGUMENT',
      () => layer(2, { data_format: 'channels_first' }, 'GlobalMaxPooling2D'),
    ],
    ['has the shape [3, 2], the layer needs [3, 1073741824]', 'SHAPE_MISMATCH', () => layer(1, { units: 2 ** 30 })],
    ['there is no weight "b/alpha"', 'SHAPE_MISMATCH', () => layer(2, {}, 'PReLU')],
    ['no layer has the weight "a/bias"', 'SHAPE_MISMATCH', () => layer(1, { use_bias: false })],
    ['size is not fixed', 'INVALID_ARGUMENT', () => layer(0, { batch_input_shape: [null, null] })],
    ['input: shape', 'FILE_CORRUPT', () => layer(0, { batch_input_shape: [null, 2 ** 40] })],
    [
      'class "Graph"',
      'INVALID_ARGUMENT',
      () =>
        changed((topology) => {
          topology.class_name = 'Graph';
        }),
    ],
    [
      'takes an output of "b"',
      'FILE_CORRUPT',
      () =>
        changed(({ config }) => {
          config.layers[1].inbound_nodes = [[['b', 0, 0, {}]]];
        }),
    ],
    [
      '"hasOwnProperty"',
      'FILE_CORRUPT',
      () =>
        changed(({ config }) => {
          config.output_layers = [['hasOwnProperty', 0, 0]];
        }),
    ],
    [
      'two layers have the same name',
      'FILE_CORRUPT',
      () =>
        changed(({ config }) => {
          config.layers.push(config.layers[1]);
        }),
    ],
    [
      'it must have one input',
      'FILE_CORRUPT',
      () =>
        changed(({ config }) => {
          config.layers[2].inbound_nodes = [
            [
              ['a', 0, 0, {}],
              ['a', 0, 0, {}],
            ],
          ];
        }),
    ],
    [
      '"y" of',
      'INVALID_ARGUMENT',
      () =>
        changed(({ config }) => {
          config.layers[2].inbound_nodes = [[['a', 0, 0, { y: 3 }]]];
        }),
    ],
    [
      'the data of the weights have 32 bytes, their specifications 40',
      'FILE_CORRUPT',
      () => {
        const more = [...artifacts.weightSpecs, { name: 'x', shape: [2], dtype: 'float32', group: 'optimizer' }];
        return { ...artifacts, weightSpecs: more };
      },
    ],
    [
      'the dtype "string"',
      'INVALID_ARGUMENT',
      () => ({ ...artifacts, weightSpecs: [{ name: 'a', shape: [], dtype: 'string' }] }),
    ],
    [
      'the product of its shape is too large',
      'FILE_CORRUPT',
      () => ({ ...artifacts, weightSpecs: [{ name: 'a', shape: [2 ** 40, 2 ** 40], dtype: 'float32' }] }),
    ],
    [
      'two weights have the same name',
      'FILE_CORRUPT',
      () => ({ ...artifacts, weightSpecs: [artifacts.weightSpecs[0], artifacts.weightSpecs[0]] }),
    ],
  ])('%s', (text, code, make) => {
    throws(() => fromLayersModel(make()), code as ErrorCode, text);
  });

  it('refuses models that grow by nesting', () => {
    let inner: object = { class_name: 'Activation', config: { activation: 'relu', name: 'r' } };
    for (let depth = 0; depth < 7; depth++) {
      const layers = Array.from({ length: 8 }, () => inner);
      inner = { class_name: 'Sequential', config: { name: 's', layers } };
    }
    const first = { class_name: 'InputLayer', config: { name: 'i', batch_input_shape: [null, 2] } };
    const modelTopology = { class_name: 'Sequential', config: { layers: [first, inner] } };
    throws(() => fromLayersModel({ modelTopology }), 'FILE_CORRUPT', 'more than 5000 layers');
    const linear = { class_name: 'Activation', name: 'a', config: { name: 'a', activation: 'linear' } };
    const graphOf = (name: string, layer: { name: string }, calls: number) => ({
      class_name: 'Model',
      name,
      config: {
        layers: [
          { ...first, name: 'i' },
          { ...layer, inbound_nodes: Array(calls).fill([['i', 0, 0, {}]]) },
        ],
        input_layers: [['i', 0, 0]],
        output_layers: [[layer.name, 0, 0]],
      },
    });
    // Layers that change nothing, and models without any, are called as often.
    const empty = { class_name: 'Sequential', name: 'a', config: { name: 'a', layers: [] } };
    for (const leaf of [linear, empty]) {
      let model: { name: string } = leaf;
      for (let depth = 0; depth < 6; depth++) model = graphOf(`m${depth}`, model, 20);
      throws(() => fromLayersModel({ modelTopology: model }), 'FILE_CORRUPT', 'more than 5000 layers');
    }
    const sum = { class_name: 'Add', name: 's', inbound_nodes: [Array(1000).fill(['i', 0, 0, {}])] };
    const wide = graphOf('m', sum, 0);
    wide.config.layers[1] = { ...sum };
    const often = graphOf('n', wide, 200);
    throws(() => fromLayersModel({ modelTopology: often }), 'FILE_CORRUPT', 'take more than 100000 values');
    let deep: object = first;
    for (let depth = 0; depth < 20; depth++) deep = { class_name: 'Sequential', config: { layers: [deep] } };
    throws(() => fromLayersModel({ modelTopology: deep }), 'FILE_CORRUPT', 'nested deeper');
  });

  it('reads layers in any order', () => {
    const count = 4900;
    const chain = Array.from({ length: count }, (_, i) => ({
      class_name: 'Activation',
      name: `a${count - i}`,
      config: { activation: 'linear' },
      inbound_nodes: [[[`a${count - i - 1}`, 0, 0]]],
    }));
    const first = { class_name: 'InputLayer', name: 'a0', config: { batch_input_shape: [null, 2] } };
    const config = { layers: [...chain, first], input_layers: [['a0', 0, 0]], output_layers: [[`a${count}`, 0, 0]] };
    const network = fromLayersModel({ modelTopology: { class_name: 'Model', config } });
    expect([...network.predict(Float32Array.of(1, 2))]).toEqual([1, 2]);
  });

  it('reads objects without a prototype of theirs, and no prototypes', () => {
    const config = JSON.parse('{"name":"a","units":2,"__proto__":{"units":3},"constructor":{"prototype":{"x":1}}}');
    const modelTopology = {
      class_name: 'Sequential',
      config: { layers: [{ class_name: 'Dense', config: { ...config, batch_input_shape: [null, 3] } }] },
    };
    expect(fromLayersModel({ ...artifacts, modelTopology }).output).toEqual([2]);
    expect(({} as { x?: number }).x).toBeUndefined();
  });
});
