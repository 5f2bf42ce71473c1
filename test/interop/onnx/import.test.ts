import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { decodeSafetensors } from '../../../lib/formats/safetensors.js';
import {
  batchNorm,
  conv2d,
  dense,
  flatten,
  gelu,
  input,
  layerNorm,
  maxPool2d,
  meanSquaredError,
  Network,
  type Node,
  prelu,
  relu,
  Sgd,
  shared,
  softmaxCrossEntropy,
  tanh,
} from '../../../lib/index.js';
import { fromOnnx, importOnnx, type OnnxExportOptions, toOnnx } from '../../../lib/interop/onnx/index.js';
import { encodeModel } from '../../../lib/interop/onnx/model.js';
import { MessageWriter } from '../../../lib/interop/onnx/wire.js';
import { applied, operationCases } from '../../api/operation-cases.js';
import { randomFloats } from '../../api/support.js';
import { channelsLast, expectNear } from '../../torch/support.js';
import { type AnyNetwork, chain, elementwiseLayers, flatLayers, imageLayers, networks } from './cases.js';
import { predictions, randomInputs, scramble } from './support.js';

/** The network that a file of the network gives predicts the same. */
function comesBack(network: AnyNetwork, options: OnnxExportOptions = {}, positive = false): Network<string> {
  const again = fromOnnx<string>(toOnnx(network, options));
  const inputs = randomInputs(network, 3, positive);
  const expected = predictions(network, inputs);
  const given = predictions(again, inputs);
  for (const [name, wanted] of Object.entries(expected)) {
    expect(wanted.length, name).toBe(given[name].length);
    wanted.forEach((value, i) => {
      const gap = Math.abs(given[name][i] - value) / Math.max(1, Math.abs(value));
      expect(gap, `${name}[${i}]: ${given[name][i]}, expected ${value}`).toBeLessThan(1e-5);
    });
  }
  return again;
}

const layouts = ['nhwc', 'nchw'] as const;

describe('layers from their own files', () => {
  const shapes = [[6], [3, 4], [4, 5, 6]];
  const cases = Object.entries(elementwiseLayers).flatMap(([name, layer]) =>
    shapes.map((shape) => [name, shape, layer] as const),
  );
  it.each(cases)('%s of %j', (_, shape, layer) => {
    comesBack(scramble(chain(shape, layer)));
  });

  it.each(Object.entries(flatLayers))('%s', (_, layer) => {
    comesBack(scramble(chain([5], layer)));
  });

  it.each(Object.entries(imageLayers))('%s', (_, layer) => {
    for (const inputLayout of layouts) comesBack(scramble(chain([7, 6, 4], layer)), { inputLayout });
  });

  it.each(Object.entries(operationCases))('operation: %s', (_, operation) => {
    const inputs = operation.inputs.map((shape, i) => input(shape, { name: `x${i}` }));
    const network = new Network({ output: applied(operation, inputs), loss: meanSquaredError(), seed: 1 });
    for (const inputLayout of layouts) comesBack(network, { inputLayout }, operation.positive);
  });
});

describe('networks from their own files', () => {
  it.each(Object.entries(networks))('%s', (_, make) => {
    for (const inputLayout of layouts) comesBack(scramble(make()), { inputLayout });
  });
});

const fixtures = fileURLToPath(new URL('fixtures', import.meta.url));
const files = readdirSync(fixtures).filter((name) => name.endsWith('.onnx'));

/** Inputs or outputs of a fixture by name, images with their channels last. */
function tensorsOf(name: string, prefix: string): Record<string, Float32Array> {
  const { tensors } = decodeSafetensors(new Uint8Array(readFileSync(join(fixtures, `${name}.safetensors`))), name);
  const own = [...tensors].filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(
    own.map(([key, { shape, bytes }]) => {
      const values = new Float32Array(bytes.slice().buffer);
      if (shape.length !== 4) return [key, values];
      return [key, channelsLast(values, [shape[2], shape[3], shape[1]])];
    }),
  );
}

describe('files of PyTorch', () => {
  it.each(files)('%s', async (file) => {
    const name = file.replace('.onnx', '');
    const network = await importOnnx<string>(join(fixtures, file), { seed: 1 });
    const given = predictions(network, tensorsOf(name, 'x'));
    const expected = tensorsOf(name, 'y');
    if (network.outputs.length > 1) expect(Object.keys(given)).toEqual(Object.keys(expected));
    for (const [key, wanted] of Object.entries(expected)) expectNear(given[key] ?? given.output, wanted, 1e-5);
  });
});

describe('training of what was read', () => {
  const steps = (network: AnyNetwork, x: unknown, y: Int32Array | Float32Array, learningRate = 0.05): number[] => {
    const optimizer = new Sgd({ learningRate, momentum: 0.9 });
    return Array.from({ length: 5 }, () => (network as Network).trainBatch(x as Float32Array, y, optimizer).loss);
  };
  const near = (given: number[], expected: number[]) =>
    expected.forEach((loss, i) => expect(given[i], `step ${i}`).toBeCloseTo(loss, 4));

  // The same numbers in the same layers: training is the same, up to the order of sums.
  it('goes as that of the network that was written', () => {
    const network = scramble(
      new Network({
        input: [6, 5, 2],
        layers: [
          conv2d(4),
          batchNorm({ momentum: 0.6 }),
          prelu(),
          maxPool2d(2),
          flatten(),
          dense(5),
          layerNorm(),
          gelu(),
          dense(3),
        ],
        loss: softmaxCrossEntropy(),
        seed: 3,
      }),
    );
    const again = fromOnnx(toOnnx(network, { probabilities: false }), { loss: softmaxCrossEntropy() });
    const x = randomFloats(8 * 60, 4);
    const labels = Int32Array.from({ length: 8 }, (_, i) => i % 3);
    const losses = steps(network, x, labels);
    near(steps(again, x, labels), losses);
    expect(losses[4]).toBeLessThan(losses[0]);
    network.state.forEach(({ value }, i) => expectNear(again.state[i].value, value, 1e-4));
  });

  it('keeps shared layers shared', () => {
    const network = scramble(networks.siamese());
    const again = fromOnnx<string>(toOnnx(network));
    expect(again.parameterCount).toBe(network.parameterCount);
    const x = { left: randomFloats(4 * 36, 1), right: randomFloats(4 * 36, 2) };
    const losses = steps(network, x, new Float32Array(4), 1e-4);
    near(steps(again, x, new Float32Array(4), 1e-4), losses);
    expect(losses[4]).toBeLessThan(losses[0]);
  });

  it('takes one tensor for a layer that is used often', () => {
    const layer = shared(dense(20));
    const often = Array.from({ length: 30 }).reduce<Node>((x) => x.pipe(layer, tanh()), input([20]));
    const network = scramble(new Network({ output: often, loss: meanSquaredError(), seed: 1 }));
    expect(comesBack(network).parameterCount).toBe(network.parameterCount);
  });

  it('takes losses for several outputs, and a loss for one', () => {
    const bytes = toOnnx(networks['several inputs and outputs'](), { probabilities: false });
    const network = fromOnnx<string>(bytes, { losses: { digit: softmaxCrossEntropy() } });
    const sums = predictions(network, randomInputs(network, 1)).digit.reduce((a, b) => a + b, 0);
    expect(sums).toBeCloseTo(1, 5);
    const one = toOnnx(chain([3], dense(2)));
    expect(
      fromOnnx(one, { loss: softmaxCrossEntropy() })
        .predict([1, 2, 3])
        .reduce((a, b) => a + b, 0),
    ).toBeCloseTo(1, 5);
  });
});

describe('layouts of a file', () => {
  it('are told by the file, by its layers or by the caller', () => {
    const layers = [conv2d(2), relu()];
    const network = scramble(chain([5, 4, 3], ...layers));
    for (const inputLayout of layouts) expect(fromOnnx(toOnnx(network, { inputLayout })).input).toEqual([5, 4, 3]);
    const nodes = [{ name: 'a', operator: 'Relu', inputs: ['x'], outputs: ['y'], attributes: {} }];
    const x = { name: 'x', type: 1, shape: ['n', 5, 4, 3] };
    const bytes = encodeModel('', { nodes, tensors: new Map(), inputs: [x], outputs: [{ ...x, name: 'y' }] });
    expect(fromOnnx(bytes).input).toEqual([4, 3, 5]);
    expect(fromOnnx(bytes, { inputLayout: 'nhwc' }).input).toEqual([5, 4, 3]);
    const transposes = [
      { name: 'a', operator: 'Transpose', inputs: ['x'], outputs: ['t'], attributes: { perm: { ints: [0, 3, 1, 2] } } },
      { name: 'b', operator: 'Relu', inputs: ['t'], outputs: ['y'], attributes: {} },
    ];
    const y = { name: 'y', type: 1, shape: ['n', 3, 5, 4] };
    const told = encodeModel('', { nodes: transposes, tensors: new Map(), inputs: [x], outputs: [y] });
    expect(fromOnnx(told).input).toEqual([5, 4, 3]);
    expect(fromOnnx(told).output).toEqual([5, 4, 3]);
  });
});

describe('numbers of a tensor', () => {
  const values = [1.5, -2, 0.25, 2 ** -24];
  const halves = [0x3e00, 0xc000, 0x3400, 1];
  const raw = (array: Float64Array | Uint16Array) => new Uint8Array(array.buffer);
  const packed = (write: (view: DataView, at: number, value: number) => void, size: number) => {
    const bytes = new Uint8Array(size * values.length);
    values.forEach((value, i) => {
      write(new DataView(bytes.buffer), size * i, value);
    });
    return bytes;
  };
  const floats = packed((view, at, value) => view.setFloat32(at, value, true), 4);
  const doubles = packed((view, at, value) => view.setFloat64(at, value, true), 8);
  /** The tensor c, its element type and its numbers. */
  const kinds: Record<string, (tensor: MessageWriter) => void> = {
    'float32, raw': (tensor) => {
      tensor.integer(2, 1);
      tensor.bytes(9, floats);
    },
    'float32, one by one': (tensor) => {
      tensor.integer(2, 1);
      for (const value of values) tensor.float(4, value);
    },
    'float32, packed': (tensor) => {
      tensor.integer(2, 1);
      tensor.bytes(4, floats);
    },
    'float64, raw': (tensor) => {
      tensor.integer(2, 11);
      tensor.bytes(9, raw(Float64Array.from(values)));
    },
    'float64, packed': (tensor) => {
      tensor.integer(2, 11);
      tensor.bytes(10, doubles);
    },
    'float16, raw': (tensor) => {
      tensor.integer(2, 10);
      tensor.bytes(9, raw(Uint16Array.from(halves)));
    },
    'float16, as integers': (tensor) => {
      tensor.integer(2, 10);
      tensor.integers(5, halves);
    },
  };
  const value = (message: MessageWriter, name: string) => {
    message.string(1, name);
    message.message(2, (type) =>
      type.message(1, (tensor) => {
        tensor.integer(1, 1);
        tensor.message(2, (shape) => {
          shape.message(1, (dimension) => dimension.string(2, 'n'));
          shape.message(1, (dimension) => dimension.integer(1, 4));
        });
      }),
    );
  };

  it.each(Object.entries(kinds))('%s', (_, write) => {
    const model = new MessageWriter();
    model.message(7, (graph) => {
      graph.message(1, (node) => {
        node.string(1, 'x');
        node.string(1, 'c');
        node.string(2, 'y');
        node.string(4, 'Add');
      });
      graph.message(5, (tensor) => {
        tensor.integers(1, [4]);
        tensor.string(8, 'c');
        write(tensor);
      });
      graph.message(11, (input) => value(input, 'x'));
      graph.message(12, (output) => value(output, 'y'));
    });
    model.message(8, (set) => set.integer(2, 17));
    expect(fromOnnx(model.finish()).predict([0, 0, 0, 0])).toEqual(Float32Array.from(values));
  });
});
