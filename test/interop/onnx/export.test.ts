import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  batchNorm,
  conv2d,
  dense,
  embedding,
  flatten,
  groupNorm,
  input,
  type LayerSpec,
  layerNorm,
  meanSquaredError,
  Network,
  prelu,
  shared,
} from '../../../lib/index.js';
import { fromOnnx, type OnnxExportOptions, toOnnx } from '../../../lib/interop/onnx/index.js';
import { decodeModel } from '../../../lib/interop/onnx/model.js';
import { layerTypes } from '../../../lib/layers/layer.js';
import { applied, operationCases } from '../../api/operation-cases.js';
import { type AnyNetwork, chain, elementwiseLayers, flatLayers, imageLayers, networks } from './cases.js';
import { channelsFirst, describeOrt, predictions, randomInputs, runOrt, scramble } from './support.js';

const TOLERANCE = 1e-5;

/** What ONNX Runtime gives for the exported file is what the network predicts. */
async function agree(network: AnyNetwork, options: OnnxExportOptions = {}, positive = false): Promise<void> {
  const bytes = toOnnx(network, options);
  for (const rows of [1, 7]) {
    const inputs = randomInputs(network, rows, positive);
    const feeds = Object.fromEntries(
      network.inputs.map(({ name = 'input', shape }) => {
        const values = inputs[name];
        return [name, options.inputLayout === 'nchw' ? channelsFirst(values, shape) : { values, shape }];
      }),
    );
    const given = await runOrt(bytes, rows, feeds);
    for (const [name, wanted] of Object.entries(predictions(network, inputs))) {
      const shape = network.outputs.find((output) => (output.name ?? 'output') === name)?.shape;
      expect(given[name].dims).toEqual([rows, ...(shape ?? [])]);
      expect(wanted.length).toBe(given[name].data.length);
      wanted.forEach((value, i) => {
        const gap = Math.abs(given[name].data[i] - value) / Math.max(1, Math.abs(value));
        expect(gap, `${name}[${i}] of ${rows} rows: ${given[name].data[i]}, expected ${value}`).toBeLessThan(TOLERANCE);
      });
    }
  }
}

const layouts = ['nhwc', 'nchw'] as const;

describeOrt('layers in ONNX Runtime', () => {
  const shapes = [[6], [3, 4], [4, 5, 6]];
  const cases = Object.entries(elementwiseLayers).flatMap(([name, layer]) =>
    shapes.map((shape) => [name, shape, layer] as const),
  );
  it.each(cases)('%s of %j', async (_, shape, layer) => {
    await agree(scramble(chain(shape, layer)));
    if (shape.length === 3) await agree(scramble(chain(shape, layer)), { inputLayout: 'nchw' });
  });

  it.each(Object.entries(flatLayers))('%s', async (_, layer) => agree(scramble(chain([5], layer))));

  it.each(Object.entries(imageLayers))('%s', async (_, layer) => {
    for (const inputLayout of layouts) await agree(scramble(chain([7, 6, 4], layer)), { inputLayout });
  });

  it.each(Object.entries(operationCases))('operation: %s', async (_, operation) => {
    const inputs = operation.inputs.map((shape, i) => input(shape, { name: `x${i}` }));
    const network = new Network({ output: applied(operation, inputs), loss: meanSquaredError(), seed: 1 });
    for (const inputLayout of layouts) await agree(network, { inputLayout }, operation.positive);
  });
});

const sharedLayers = { prelu, groupNorm: () => groupNorm(1), batchNorm, layerNorm };

/** One layer after an image and after a series, both with their channels first in the file. */
function ranks(layer: () => LayerSpec): AnyNetwork {
  const once = shared(layer());
  const loss = meanSquaredError();
  const image = input([4, 4, 4], { name: 'a' }).pipe(conv2d(4, { window: 1 }), once);
  const series = input([5, 4], { name: 'b' }).pipe(batchNorm(), once);
  return new Network({ outputs: { p: image, q: series }, losses: { p: loss, q: loss }, seed: 1 });
}

it.each(Object.entries(sharedLayers))('%s that inputs of several ranks share is read again', (_, layer) => {
  const network = scramble(ranks(layer));
  const inputs = randomInputs(network, 2);
  const again = predictions(fromOnnx(toOnnx(network)), inputs);
  for (const [name, values] of Object.entries(predictions(network, inputs)))
    values.forEach((value, i) => expect(again[name][i]).toBeCloseTo(value, 5));
});

describeOrt('shared layers in ONNX Runtime', () => {
  it.each(Object.entries(sharedLayers))('%s of inputs of several ranks', (_, layer) => agree(scramble(ranks(layer))));
});

describeOrt('indices in ONNX Runtime', () => {
  it.each([[[1]], [[4]], [[2, 3]]])('embedding of %j', async (shape) => {
    const layers = [embedding(9, 5), flatten(), dense(2)];
    const network = new Network({ input: shape, layers, loss: meanSquaredError(), seed: 1 });
    const size = shape.reduce((product, each) => product * each, 1);
    const values = Float32Array.from({ length: 3 * size }, (_, i) => (i * 5) % 9);
    const { output } = await runOrt(toOnnx(network), 3, { input: { values, shape } });
    network.predict(values).forEach((value, i) => {
      expect(output.data[i]).toBeCloseTo(value, 5);
    });
    expect(fromOnnx(toOnnx(network)).predict(values)).toEqual(network.predict(values));
  });
});

it('indices of three dimensions keep their order', () => {
  const layers = [embedding(9, 2), flatten(), dense(2)];
  const network = new Network({ input: [2, 3, 4], layers, loss: meanSquaredError(), seed: 1 });
  const bytes = toOnnx(network, { inputLayout: 'nchw' });
  expect(decodeModel(bytes, '').inputs).toMatchObject([{ shape: ['batch', 2, 3, 4], channels: undefined }]);
  const values = Float32Array.from({ length: 48 }, (_, i) => (i * 5) % 9);
  expect(fromOnnx(bytes).predict(values)).toEqual(network.predict(values));
});

it('the layers that are written are all that there are', () => {
  const tested = new Set([
    ...[...Object.values(elementwiseLayers), ...Object.values(imageLayers), ...Object.values(flatLayers)],
    ...Object.values(operationCases).map(({ layer }) => layer),
    embedding(2, 2),
  ]);
  const types = new Set([...tested].map(({ type }) => type));
  expect([...layerTypes()].filter((type) => !types.has(type))).toEqual([]);
});

describeOrt('networks in ONNX Runtime', () => {
  it.each(Object.entries(networks))('%s', async (_, make) => {
    for (const inputLayout of layouts) await agree(scramble(make()), { inputLayout });
  });

  it('raw outputs', async () => {
    const network = scramble(networks.classifier() as Network);
    const x = randomInputs(network, 3);
    const { output } = await runOrt(toOnnx(network, { probabilities: false }), 3, {
      input: { values: x.input, shape: [8, 8, 1] },
    });
    const wanted = network.forward(x.input);
    wanted.forEach((value, i) => expect(output.data[i]).toBeCloseTo(value, 5));
    expect(Math.max(...output.data.map(Math.abs))).toBeGreaterThan(0);
    expect(output.data.some((value) => value < 0)).toBe(true);
  });

  it('bytes, scaled by the file', async () => {
    const network = scramble(networks.lenet() as Network);
    const bytes = Uint8Array.from({ length: 2 * 196 }, (_, i) => (i * 37) % 256);
    const preprocessing = { scale: 1 / 255, offset: -0.5, type: 'uint8' } as const;
    const wanted = network.predict(Float32Array.from(bytes, (x) => x / 255 - 0.5));
    for (const inputLayout of layouts) {
      const shape = inputLayout === 'nchw' ? [1, 14, 14] : [14, 14, 1];
      const file = toOnnx(network, { preprocessing, inputLayout });
      const { output } = await runOrt(file, 2, { input: { values: bytes, shape } });
      wanted.forEach((value, i) => expect(output.data[i]).toBeCloseTo(value, 5));
    }
  });

  it('each input scaled in its own way', async () => {
    const network = scramble(networks['several inputs and outputs']());
    const inputs = randomInputs(network, 2);
    const file = toOnnx(network, { preprocessing: { meta: { scale: 2, offset: 1 } } });
    const given = await runOrt(file, 2, {
      image: { values: inputs.image, shape: [5, 5, 2] },
      meta: { values: inputs.meta.map((x) => (x - 1) / 2), shape: [3] },
    });
    predictions(network, inputs).digit.forEach((value, i) => expect(given.digit.data[i]).toBeCloseTo(value, 5));
  });
});

const python = process.env.BLASNET_TORCH_PYTHON;
const unavailable = python === undefined ? ' (not available here: BLASNET_TORCH_PYTHON names a Python with onnx)' : '';

it.skipIf(python === undefined)(`files pass ONNX's own checker${unavailable}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'blasnet-onnx-'));
  try {
    const made: [string, AnyNetwork][] = Object.entries(networks).map(([name, make]) => [name, make()]);
    for (const [name, layer] of Object.entries(imageLayers)) made.push([name, chain([7, 6, 4], layer)]);
    for (const [i, [, network]] of made.entries()) writeFileSync(join(folder, `${i}.onnx`), toOnnx(network));
    const code = `
import glob, onnx
for path in glob.glob("*.onnx"):
    onnx.checker.check_model(path, full_check=True)
    onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True, data_prop=True)
print("checked")
`;
    const { stdout, stderr } = spawnSync(python as string, ['-c', code], { cwd: folder, encoding: 'utf8' });
    expect(stdout, stderr).toBe('checked\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
