import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Callbacks, dense, input, jsonLog, meanSquaredError, Network, Sgd } from '../../lib/index.js';
import { classData, classifier, expectError, expectRejection } from './support.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'blasnet-log-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const linesOf = (path: string) =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

it('has a line with the settings, then one for each epoch as soon as it ends', async () => {
  const path = join(folder, 'run.jsonl');
  const data = classData(20);
  const counts: number[] = [];
  const reader: Callbacks = { onEpochEnd: () => void counts.push(linesOf(path).length) };
  const network = classifier('typescript');
  const history = await network.fit(data, {
    optimizer: new Sgd({ learningRate: 0.05 }),
    epochs: 3,
    batchSize: 8,
    validation: data,
    metrics: { three: () => 3, none: () => Number.NaN },
    callbacks: [jsonLog(pathToFileURL(path)), reader],
  });
  expect(counts).toEqual([2, 3, 4]);
  const [start, ...epochs] = linesOf(path);
  expect(start).toMatchObject({
    type: 'start',
    epochs: 3,
    initialEpoch: 0,
    samples: 20,
    settings: {
      parameters: network.parameterCount,
      backend: 'typescript',
      optimizer: { kind: 'sgd', options: { learningRate: 0.05 } },
      batchSize: 8,
    },
  });
  for (const [i, { time, ...line }] of epochs.entries()) {
    const { batchLosses, ...log } = history.epochs[i];
    expect(line).toEqual({ type: 'epoch', ...log, metrics: { three: 3, none: null } });
    expect(Math.abs(Date.parse(time) - Date.now())).toBeLessThan(60_000);
  }
});

it('is continued by a resumed training, after a line that a crash cut off', async () => {
  const path = join(folder, 'resumed.jsonl');
  const network = classifier('typescript');
  const optimizer = new Sgd({ learningRate: 0.05 });
  await network.fit(classData(20), { optimizer, epochs: 2, callbacks: jsonLog(path) });
  writeFileSync(path, readFileSync(path).subarray(0, -9));
  await network.fit(classData(20), { optimizer, initialEpoch: 1, epochs: Infinity, callbacks: [jsonLog(path), ender] });
  const lines = readFileSync(path, 'utf8').split('\n');
  expect(() => JSON.parse(lines[2])).toThrow();
  expect(lines.pop()).toBe('');
  expect(lines.map((line) => /^\{"type":"(\w+)"/.exec(line)?.[1])).toEqual('start epoch epoch start epoch'.split(' '));
  expect(JSON.parse(lines[3])).toMatchObject({ initialEpoch: 1, epochs: null });
  expect(JSON.parse(lines[4]).epoch).toBe(1);
});
const ender: Callbacks = { onEpochEnd: (_, training) => training.stop() };

it('has the figures of several outputs by their names', async () => {
  const path = join(folder, 'outputs.jsonl');
  const x = input([2]);
  const network = new Network({
    outputs: { a: x.pipe(dense(1)), b: x.pipe(dense(1)) },
    losses: { a: meanSquaredError(), b: meanSquaredError() },
    backend: 'typescript',
  });
  const { epochs } = await network.fit(
    (async function* () {
      yield { x: [1, 2, 3, 4], y: { a: Float32Array.of(1, 2), b: Float32Array.of(3, 4) } };
    })() as never,
    { callbacks: jsonLog(path) },
  );
  const [start, epoch] = linesOf(path);
  expect(start.samples).toBeUndefined();
  expect(start.settings).toMatchObject({ sampling: 'inOrder', network: { outputs: [{ name: 'a' }, { name: 'b' }] } });
  expect(epoch.outputs).toEqual(epochs[0].outputs);
});

it('ends training with a typed error if the file cannot be written', async () => {
  const attempt = (path: string) => () => classifier('typescript').fit(classData(5), { callbacks: jsonLog(path) });
  await expectRejection(attempt(join(folder, 'missing', 'run.jsonl')), 'FILE_NOT_WRITTEN', /run\.jsonl: .*ENOENT/);
  await expectRejection(attempt(folder), 'FILE_NOT_WRITTEN', /it cannot be written/);
  if (process.platform === 'linux') {
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    await expectRejection(attempt(fifo), 'FILE_NOT_WRITTEN', /it is a FIFO, not a regular file/);
    await expectRejection(
      attempt('/dev/null'),
      'FILE_NOT_WRITTEN',
      /\/dev\/null: .*it is a device, not a regular file/,
    );
  }
});

it('checks its arguments', () => {
  expectError(() => jsonLog(undefined as never), 'INVALID_ARGUMENT', /^jsonLog: path: expected a path/);
  expectError(() => jsonLog('a\0b'), 'INVALID_ARGUMENT', /^jsonLog: path/);
  expectError(() => jsonLog(new URL('https://example.org/log')), 'INVALID_ARGUMENT', /^jsonLog: path/);
});
