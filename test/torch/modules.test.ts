import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { encodeSafetensors } from '../../lib/formats/safetensors.js';
import {
  add,
  batchNorm,
  conv2d,
  dense,
  globalAvgPool2d,
  input,
  meanSquaredError,
  Network,
  type Node,
  relu,
  separableConv2d,
  tanh,
} from '../../lib/index.js';
import { expectRejection, onBackends, randomFloats, weights } from '../api/support.js';
import { channelsLast, expectNear, fixtures, floats, read } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'blasnet-modules-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'state.safetensors');

const convolution = (filters: number, window: number, stride: number) =>
  conv2d(filters, { window, stride, padding: window === 1 ? 0 : 1, bias: false });

/** The network of modules.py. The shortcut of a block comes before it or after it. */
function residual(isShortcutFirst: boolean, backend: 'native' | 'typescript'): Network {
  const block = (filters: number, stride: number) => (x: Node) => {
    const body = () =>
      x.pipe(convolution(filters, 3, stride), batchNorm(), relu(), convolution(filters, 3, 1), batchNorm());
    const shortcut = () => (stride === 1 ? x : x.pipe(convolution(filters, 1, stride), batchNorm()));
    return (isShortcutFirst ? add(shortcut(), body()) : add(body(), shortcut())).pipe(relu());
  };
  const output = input([6, 5, 2]).pipe(
    convolution(4, 3, 1),
    batchNorm(),
    relu(),
    block(4, 1),
    block(4, 1),
    block(6, 2),
    block(6, 1),
    globalAvgPool2d(),
    dense(3, { name: 'head' }),
  );
  return new Network({ output, loss: meanSquaredError(), seed: 1, backend });
}

onBackends('a residual network whose modules PyTorch has named', (backend) => {
  const data = read('residual.data.safetensors');
  const x = channelsLast(floats(data, 'x'), [6, 5, 2]);

  it.each([
    ['F32', ''],
    ['F64', 'module.'],
    ['BF16', '_orig_mod.'],
    ['F16', 'net.'],
  ])('%s, below %j', async (dtype, prefix) => {
    for (const isShortcutFirst of [false, true]) {
      const network = residual(isShortcutFirst, backend);
      const file = join(fixtures, `residual-${dtype.toLowerCase()}.safetensors`);
      const { modules, skipped, missing } = await network.loadTorchState(file);
      expectNear(network.forward(x), floats(data, dtype), 5e-6);
      expect(modules.get('head')).toEqual([`${prefix}fc`]);
      expect(modules.get('conv2d_1')).toEqual([`${prefix}conv1`]);
      expect(modules.get('batchNorm_2')).toEqual([`${prefix}layer1.0.bn1`]);
      expect(missing).toEqual([]);
      expect(skipped).toContain(`${prefix}mean`);
      expect(skipped.filter((name) => !name.endsWith('num_batches_tracked'))).toHaveLength(1);
    }
  });
});

const tensor = (name: string, shape: number[], seed = 1) => {
  const size = shape.reduce((product, n) => product * n, 1);
  return { name, shape, value: randomFloats(size, seed) };
};
const linear = (name: string, outputs: number, inputs: number, seed = 1) => [
  tensor(`${name}.weight`, [outputs, inputs], seed),
  tensor(`${name}.bias`, [outputs], seed + 1),
];
const write = (...tensors: { name: string; shape: number[]; value: Float32Array }[]) =>
  writeFileSync(
    path,
    encodeSafetensors(
      tensors.sort((a, b) => (a.name < b.name ? -1 : 1)),
      { format: 'pt' },
    ),
  );

describe('matching', () => {
  const chain = (...names: (string | undefined)[]) =>
    new Network({
      input: [3],
      layers: names.map((name) => dense(3, name === undefined ? {} : { name })),
      loss: meanSquaredError(),
      seed: 1,
      backend: 'typescript',
    });
  const biasOf = (network: Network, layer: string) => network.parameter(`${layer}.bias`).value;

  it('goes by numbers in names, not by letters', async () => {
    write(...linear('block10.a.fc', 3, 3, 10), ...linear('block9.z.fc', 3, 3, 20), ...linear('block9.z.fc2', 3, 3, 30));
    const network = chain(undefined, undefined, undefined);
    const { modules } = await network.loadTorchState(path);
    expect([...modules.values()].flat()).toEqual(['block9.z.fc', 'block9.z.fc2', 'block10.a.fc']);
    expect(biasOf(network, '2')).toEqual(randomFloats(3, 11));
  });

  it('refuses to guess, and takes names of layers and a map', async () => {
    write(...linear('encoder.fc', 3, 3, 10), ...linear('decoder.fc', 3, 3, 20));
    const network = chain(undefined, undefined);
    const before = weights(network);
    const could = /layer 0 \(dense\): each of the modules decoder.fc, encoder.fc could be the one: give map/;
    await expectRejection(() => network.loadTorchState(path), 'SHAPE_MISMATCH', could);
    expect(weights(network)).toEqual(before);
    const map = (layer: string) => ({ 0: 'encoder.fc' })[layer];
    const { modules } = await network.loadTorchState(path, { map });
    expect([...modules.values()].flat()).toEqual(['encoder.fc', 'decoder.fc']);
    expect(biasOf(network, '1')).toEqual(randomFloats(3, 21));
    const named = chain(undefined, 'encoder_fc');
    await named.loadTorchState(path);
    expect(biasOf(named, 'encoder_fc')).toEqual(randomFloats(3, 11));
  });

  it('reads below a prefix only', async () => {
    write(...linear('teacher.fc', 3, 3, 10), ...linear('student.fc', 3, 3, 20));
    const network = chain(undefined);
    for (const prefix of ['student', 'student.']) {
      const result = await network.loadTorchState(path, { prefix });
      expect(result.modules).toEqual(new Map([['0', ['student.fc']]]));
      expect(result.skipped).toEqual(['teacher.fc.bias', 'teacher.fc.weight']);
    }
    const none = /it has 0 modules with parameters/;
    await expectRejection(() => network.loadTorchState(path, { prefix: 'stud' }), 'SHAPE_MISMATCH', none);
  });

  it('skips modules that have buffers only', async () => {
    write(tensor('part1.table', [5]), ...linear('part2', 3, 3, 20));
    const { modules, skipped } = await chain(undefined).loadTorchState(path);
    expect(modules).toEqual(new Map([['0', ['part2']]]));
    expect(skipped).toEqual(['part1.table']);
  });

  it('reads a single module, whose tensors have no prefix', async () => {
    write(tensor('weight', [3, 3]), tensor('bias', [3], 9));
    const network = chain(undefined);
    expect((await network.loadTorchState(path)).modules).toEqual(new Map([['0', ['']]]));
    expect(biasOf(network, '0')).toEqual(randomFloats(3, 9));
  });

  it('leaves what has no counterpart, if not strict', async () => {
    write(...linear('0', 3, 3, 10), ...linear('1', 5, 3, 20));
    const network = chain(undefined, undefined);
    const before = biasOf(network, '1').slice();
    await expectRejection(
      () => network.loadTorchState(path),
      'SHAPE_MISMATCH',
      /1\.weight: expected F32 \[3, 3\], got F32 \[5, 3\]/,
    );
    const result = await network.loadTorchState(path, { strict: false });
    expect(result.modules).toEqual(new Map([['0', ['0']]]));
    expect(result.missing).toEqual(['1']);
    expect(result.skipped).toEqual(['1.bias', '1.weight']);
    expect(biasOf(network, '1')).toEqual(before);
    expect(biasOf(network, '0')).toEqual(randomFloats(3, 11));
  });

  it('maps a separable convolution to a Sequential of two', async () => {
    const layers = [separableConv2d(3, { window: 1 }), tanh(), separableConv2d(3, { window: 1 })];
    const network = new Network({ input: [2, 2, 3], layers, loss: meanSquaredError(), seed: 1, backend: 'typescript' });
    const separable = (name: string, seed: number) => [
      tensor(`${name}.0.weight`, [3, 1, 1, 1], seed),
      ...[tensor(`${name}.1.weight`, [3, 3, 1, 1], seed + 1), tensor(`${name}.1.bias`, [3], seed + 2)],
    ];
    write(...separable('x', 10), ...separable('y', 20));
    const { modules } = await network.loadTorchState(path, { map: (layer) => (layer === '0' ? 'y' : undefined) });
    expect(modules).toEqual(
      new Map([
        ['0', ['y.0', 'y.1']],
        ['2', ['x.0', 'x.1']],
      ]),
    );
    expect(network.parameter('0.depthwise').value).toEqual(randomFloats(3, 20));
  });

  it('checks its options', async () => {
    write(...linear('a', 3, 3), ...linear('b', 3, 3));
    const network = chain(undefined, undefined);
    const load = (options: object) => () => network.loadTorchState(path, options);
    await expectRejection(load({ nonsense: 1 }), 'UNKNOWN_OPTION', /nonsense/);
    await expectRejection(load({ map: {} }), 'INVALID_ARGUMENT', /map/);
    await expectRejection(load({ prefix: 1 }), 'INVALID_ARGUMENT', /prefix/);
    await expectRejection(load({ strict: 1 }), 'INVALID_ARGUMENT', /strict/);
    await expectRejection(load({ map: () => 3 }), 'INVALID_ARGUMENT', /map/);
    await expectRejection(load({ map: () => 'c' }), 'INVALID_ARGUMENT', /map: 0: expected one of a, b, got "c"/);
    await expectRejection(load({ map: () => 'a' }), 'SHAPE_MISMATCH', /layer 1 \(dense\): the module a is taken/);
    write(...linear('a', 3, 4), ...linear('b', 3, 3));
    await expectRejection(load({ map: () => 'a' }), 'SHAPE_MISMATCH', /tensor a.weight: expected F32 \[3, 3\]/);
  });
});
