import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { parseIdx, readIdx, readIdxDataset } from '../../lib/data/index.js';
import { Adam, dense, meanSquaredError, Network, pad, Sgd, warmUp } from '../../lib/index.js';
import { expectError, expectRejection } from '../data/expect-error.js';
import { fileOf, tinyNetwork } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'blasnet-hostile-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A network's file with these texts in it. */
function file({
  layers = '{"type":"relu"}',
  network = `{"input":[4],"layers":[${layers}],"loss":{"kind":"meanSquaredError"},"seed":1}`,
  more = '',
  optimizer = '',
}: {
  layers?: string;
  network?: string;
  more?: string;
  optimizer?: string;
}) {
  const metadata = {
    format: 'blasnet',
    version: '1',
    network,
    training: '{"epochs":0,"noiseSteps":0}',
    ...(optimizer !== '' && { optimizer }),
  };
  return fileOf(`{"__metadata__":${JSON.stringify(metadata)}${more}}`);
}

const many = (count: number, text: string | ((i: number) => string)) =>
  Array.from({ length: count }, (_, i) => (typeof text === 'string' ? text : text(i))).join();
const tensor = (i: number) => `"tensor${i}.weight":{"dtype":"F32","shape":[],"data_offsets":[${4 * i},${4 * i + 4}]}`;

const files: Record<string, [() => Uint8Array, RegExp]> = {
  'a million layers': [
    () => file({ layers: many(1e6, '{"type":"relu"}') }),
    /header of \d+ bytes is longer than 8388608/,
  ],
  'as many layers as a header holds': [
    () => file({ layers: many(390_000, '{"type":"relu"}') }),
    /more than 50000 objects and lists/,
  ],
  'one layer too many': [
    () => file({ layers: many(5001, '{"type":"relu"}') }),
    /layers: expected a list of at most 5000/,
  ],
  'tensors in 84 MB': [() => fileOf(`{${many(1.2e6, tensor)}}`), /longer than 8388608/],
  'as many tensors as a header holds': [
    () => fileOf(`{${many(100_000, tensor)}}`),
    /more than 90002 objects and lists/,
  ],
  'one tensor too many': [() => fileOf(`{${many(30_001, (i) => `"${i}":1`)}}`), /it has 30001 tensors; at most 30000/],
  'as many tensors as may be, none of a network': [
    () => fileOf(`{${many(30_000, tensor)}}`, 120_000),
    /not a blasnet network file/,
  ],
  'a header of {}': [() => fileOf(`[${many(2.7e6, '{}')}]`), /must begin with '\{'/],
  'a member of {}': [() => fileOf(`{"a":[${many(2.7e6, '{}')}]}`), /more than 90002 objects and lists/],
  'a section of {}': [() => file({ network: `[${many(2.5e6, '{}')}]` }), /network: more than 50000 objects/],
  'a section of keys': [
    () => file({ network: `{${many(500_000, (i) => `"${i}":0`)}}` }),
    /network: more than 100000 members/,
  ],
  keys: [() => fileOf(`{${many(700_000, (i) => `"k${i}":0`)}}`), /more than 121000 members/],
  'duplicate keys': [() => fileOf(`{${many(120_000, (i) => `"k${i}":0`)},"k0":1}`), /duplicate key "k0"/],
  numbers: [() => fileOf(`{"a":[${many(4e6, '1')}]}`), /more than 500000 entries/],
  'a long shape': [
    () => fileOf(`{"a":{"dtype":"F32","shape":[${many(400_000, '1')}],"data_offsets":[0,4]}}`, 4),
    /at most 64 integers/,
  ],
  nesting: [() => fileOf(`{"a":${'['.repeat(8e6)}`), /nested deeper than 64/],
  'nesting in a section': [() => file({ network: '['.repeat(8e6) }), /network: nested deeper than 64/],
  'a long name': [() => fileOf(`{"${'x'.repeat(8e6)}":0}`), /expected an object with dtype/],
  'a long escaped name': [() => fileOf(`{"${'\\u0061'.repeat(1.3e6)}":0}`), /expected an object with dtype/],
  'a long type': [() => file({ layers: `{"type":"${'x'.repeat(4e6)}"}` }), /type: expected a type of layer/],
  'a long kind of loss': [
    () => file({ network: `{"input":[4],"layers":[{"type":"relu"}],"loss":{"kind":"${'x'.repeat(4e6)}"},"seed":1}` }),
    /its loss is of kind/,
  ],
  groups: [
    () =>
      file({
        optimizer: `{"kind":"sgd","options":{"groups":[${many(40_000, '{"match":"0"}')}]},"steps":0,"rateFactor":1,"moments":[]}`,
      }),
    /groups: expected a list of at most 1000/,
  ],
  moments: [
    () =>
      file({
        optimizer: `{"kind":"sgd","options":{},"steps":0,"rateFactor":1,"moments":[${many(400_000, (i) => `"m${i}"`)}]}`,
      }),
    /moments m0, m1.* more, expected/,
  ],
};

/** Milliseconds of the processor, which a busy machine does not lengthen as it does time. */
function cost(run: () => void): { milliseconds: number; megabytes: number } {
  const [begin, memory] = [process.cpuUsage(), process.memoryUsage().rss];
  run();
  const { user, system } = process.cpuUsage(begin);
  return { milliseconds: (user + system) / 1000, megabytes: (process.memoryUsage().rss - memory) / 2 ** 20 };
}

describe('a hostile file is refused soon, and with little memory', () => {
  it.each(Object.keys(files))('%s', (name) => {
    const [make, message] = files[name];
    const bytes = make();
    const { milliseconds, megabytes } = cost(() => {
      try {
        Network.fromBytes(bytes, { backend: 'typescript', optimizer: new Sgd() });
        throw new Error('it was taken');
      } catch (error) {
        expect(error).toMatchObject({
          name: 'BlasnetError',
          code: expect.stringMatching(/FILE_CORRUPT|INVALID_ARGUMENT/),
        });
        expect((error as Error).message).toMatch(message);
        expect((error as Error).message.length).toBeLessThan(600);
      }
    });
    expect(milliseconds).toBeLessThan(1000);
    expect(megabytes).toBeLessThan(250);
  });

  it('by loadTorchState', async () => {
    const path = join(folder, 'torch.safetensors');
    const network = tinyNetwork();
    for (const header of [
      `{"${'0.'.repeat(4e6)}weight":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`,
      `{${many(30_000, (i) => `"${i}.weight":{"dtype":"F32","shape":[],"data_offsets":[${4 * i},${4 * i + 4}]}`)}}`,
    ]) {
      writeFileSync(path, fileOf(header, header.length > 5e6 ? 4 : 120_000));
      const begin = process.cpuUsage();
      await expectRejection(() => network.loadTorchState(path), 'SHAPE_MISMATCH', /^.{10,600}$/);
      const { user, system } = process.cpuUsage(begin);
      expect((user + system) / 1000).toBeLessThan(1500);
    }
  });
});

describe('what can be saved can be loaded', () => {
  const deep = (layers: number) =>
    new Network({
      input: [1],
      layers: Array.from({ length: layers }, () => dense(1)),
      loss: meanSquaredError(),
      backend: 'typescript',
    });

  it('a thousand layers, with the moments of their optimizer and a group for each', () => {
    const network = deep(1000);
    const groups = Array.from({ length: 1000 }, (_, i) => ({ match: String(i), weightDecay: i }));
    const bytes = network.toBytes({ optimizer: new Adam({ amsGrad: true, groups }) });
    const optimizer = new Adam({ amsGrad: true, groups });
    expect(Network.fromBytes(bytes, { backend: 'typescript', optimizer }).parameters.length).toBe(2000);
  });

  it('and what can not be loaded can not be saved', () => {
    expectError(() => deep(5001).toBytes(), 'INVALID_ARGUMENT', /layers: expected a list of at most 5000/);
    const groups = Array.from({ length: 1001 }, () => ({ match: '0' }));
    const [network, optimizer] = [tinyNetwork(), new Sgd({ groups })];
    expectError(() => network.toBytes({ optimizer }), 'INVALID_ARGUMENT', /groups: expected a list of at most 1000/);
    const lists = new Network({
      input: Array.from({ length: 20 }, () => 1),
      layers: Array.from({ length: 2500 }, () => pad(Array.from({ length: 20 }, () => [0, 0] as const))),
      loss: meanSquaredError(),
      backend: 'typescript',
    });
    expectError(
      () => lists.toBytes(),
      'INVALID_ARGUMENT',
      /^network: more than 50000 objects and lists, which a file cannot hold/,
    );
    let learningRate = warmUp({ after: 0.1, steps: 5 });
    for (let i = 0; i < 18; i++) learningRate = warmUp({ after: learningRate, steps: 5 });
    network.toBytes({ optimizer: new Sgd({ learningRate }) });
    for (let i = 0; i < 10; i++) learningRate = warmUp({ after: learningRate, steps: 5 });
    expectError(
      () => tinyNetwork().toBytes({ optimizer: new Sgd({ learningRate }) }),
      'INVALID_ARGUMENT',
      /optimizer: nested deeper than 64, which a file cannot hold/,
    );
  });
});

describe('gzip bombs', () => {
  const size = 80 * 2 ** 20;
  const header = [0, 0, 8, 2, 0, 0, 0, 1, size >> 24, (size >> 16) & 255, (size >> 8) & 255, size & 255];
  const bomb = gzipSync(Buffer.concat([Buffer.from(header), Buffer.alloc(size)]), { level: 9 });
  const path = join(folder, 'bomb.gz');
  writeFileSync(path, bomb);

  it('are not inflated', async () => {
    expect(bomb.length).toBeLessThan(100_000);
    const message = /the shape \[1, 83886080\] takes 83886092 bytes; at most 67108864 are inflated \(see maxBytes/;
    const { milliseconds, megabytes } = cost(() => expectError(() => parseIdx(bomb), 'FILE_CORRUPT', message));
    expect(milliseconds).toBeLessThan(500);
    expect(megabytes).toBeLessThan(50);
    await expectRejection(() => readIdx(path), 'FILE_CORRUPT', message);
    await expectRejection(() => readIdx(path, { maxBytes: size }), 'FILE_CORRUPT', /at most 83886080/);
    await expectRejection(() => readIdx(path, { maxBytes: 0 }), 'INVALID_ARGUMENT', /maxBytes/);
  });

  it('are data where the caller says so', async () => {
    expect((await readIdx(path, { maxBytes: size + 12 })).shape).toEqual([1, size]);
    expect((await readIdxDataset({ images: path, maxBytes: size + 12 })).featureCount).toBe(size);
  });
});
