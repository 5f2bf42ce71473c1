import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { Adam, cosine, Network, Sgd } from '../../lib/index.js';
import {
  classData,
  classifier,
  expectError,
  expectRejection,
  expectSameBits,
  mixedLayers,
  onBackends,
  weights,
} from '../api/support.js';
import { tinyNetwork } from './support.js';

const any = (value: unknown) => value as never;
const folder = mkdtempSync(join(tmpdir(), 'blasnet-save-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const newFile = () => join(folder, `${files++}.safetensors`);
const leftovers = () => readdirSync(folder).filter((name) => name.endsWith('.tmp'));

onBackends('files of networks', (backend) => {
  it('hold what toBytes gives, and are loaded by either backend', async () => {
    const [network, path] = [classifier(backend), newFile()];
    await network.save(path);
    expect(new Uint8Array(readFileSync(path))).toEqual(network.toBytes());
    const loaded = await Network.load(path, { backend });
    expect(loaded.backend).toBe(backend);
    expectSameBits(weights(loaded), weights(network));
    expectSameBits(weights(await Network.load(path, { backend: 'typescript' })), weights(network));
  });

  it('hold the network as it was at the call', async () => {
    const [network, path] = [classifier(backend), newFile()];
    const before = network.toBytes();
    const saving = network.save(path);
    network.parameters[0].value.fill(9);
    await saving;
    expect(new Uint8Array(readFileSync(path))).toEqual(before);
  });

  it('a checkpoint brings its optimizer, or fills a given one', async () => {
    const [network, path] = [classifier(backend), newFile()];
    const optimizer = new Adam({ learningRate: cosine({ initial: 0.1, epochs: 9 }), amsGrad: true });
    const data = classData(20);
    await network.fit(data, { optimizer, epochs: 3 });
    await network.save(path, { optimizer });
    const checkpoint = await Network.loadCheckpoint(path, { backend });
    expect(checkpoint.epoch).toBe(3);
    expect(checkpoint.optimizer).toBeInstanceOf(Adam);
    expect(checkpoint.optimizer.save()).toEqual(optimizer.save());
    const rates = (of: typeof optimizer) => [0, 5].map((epoch) => of.schedule({ step: 0, epoch }));
    expect(rates(checkpoint.optimizer as Adam)).toEqual(rates(optimizer));
    const given = new Adam({ amsGrad: true });
    expect((await Network.loadCheckpoint(path, { backend, optimizer: given })).optimizer).toBe(given);
    expect(given.save()).toEqual(optimizer.save());
    // Without an optimizer the weights alone are looked for.
    expectSameBits(weights(await Network.load(path, { backend })), weights(network));
  });

  it('hold the count of shuffles, for a fit that does not say which epoch it is', async () => {
    const data = classData(60);
    const [network, optimizer] = [classifier(backend, { layers: mixedLayers() }), new Adam()];
    await network.fit(data, { optimizer, epochs: 2, batchSize: 7 });
    const other = new Adam();
    const loaded = Network.fromBytes(network.toBytes({ optimizer }), { backend, optimizer: other });
    await network.fit(data, { optimizer, batchSize: 7 });
    await loaded.fit(data, { optimizer: other, batchSize: 7 });
    expectSameBits(weights(loaded), weights(network));
  });

  it('are refused while the network is busy or disposed', async () => {
    const network = classifier(backend);
    const run = network.fit(classData(20));
    await expectRejection(() => network.save(newFile()), 'NETWORK_BUSY', /./);
    expectError(() => network.toBytes(), 'NETWORK_BUSY', /./);
    await run;
    network.dispose();
    await expectRejection(() => network.save(newFile()), 'NETWORK_DISPOSED', /./);
  });
});

it('an optimizer that does not fit is refused', async () => {
  const [network, other, path] = [tinyNetwork(), tinyNetwork(), newFile()];
  const [own, foreign] = [new Adam(), new Adam()];
  other.applyGradients(foreign);
  await expectRejection(
    () => network.save(path, { optimizer: foreign }),
    'INVALID_ARGUMENT',
    /belongs to another network/,
  );
  await network.save(path);
  await expectRejection(() => Network.loadCheckpoint(path), 'INVALID_ARGUMENT', /has no optimizer/);
  await expectRejection(() => Network.load(path, { optimizer: new Adam() }), 'INVALID_ARGUMENT', /has no optimizer/);
  await network.save(path, { optimizer: own });
  await expectRejection(
    () => Network.load(path, { optimizer: new Sgd() }),
    'INVALID_ARGUMENT',
    /kind "adam", not "sgd"/,
  );
  await expectRejection(
    () => Network.load(path, { optimizer: new Adam({ amsGrad: true }) }),
    'INVALID_ARGUMENT',
    /moments m, v, expected m, v, vMax/,
  );
  await expectRejection(
    () => Network.load(path, { optimizer: foreign }),
    'INVALID_ARGUMENT',
    /belongs to another network/,
  );
  expect(foreign.steps).toBe(1);
});

it('an optimizer with functions of the caller’s own is asked for', async () => {
  for (const options of [{ learningRate: () => 0.1 }, { groups: [{ match: /weight/, weightDecay: 1 }] }]) {
    const [network, optimizer, path] = [tinyNetwork(), new Sgd(options), newFile()];
    await network.save(path, { optimizer });
    await expectRejection(
      () => Network.loadCheckpoint(path),
      'INVALID_ARGUMENT',
      /with a function or a pattern.*give it as `optimizer`/,
    );
    const given = new Sgd(options);
    expect((await Network.loadCheckpoint(path, { optimizer: given })).optimizer).toBe(given);
  }
});

it('arguments are checked', async () => {
  const network = tinyNetwork();
  for (const path of ['', undefined, 3, 'a\0b']) {
    await expectRejection(() => network.save(any(path)), 'INVALID_ARGUMENT', /^save: path/);
    await expectRejection(() => Network.load(any(path)), 'INVALID_ARGUMENT', /^load: path/);
    await expectRejection(() => Network.loadCheckpoint(any(path)), 'INVALID_ARGUMENT', /^loadCheckpoint: path/);
  }
  await expectRejection(() => network.save('x', any({ more: 1 })), 'UNKNOWN_OPTION', /^save/);
  expectError(() => network.toBytes({ optimizer: any({}) }), 'INVALID_ARGUMENT', /^toBytes: optimizer/);
  expectError(() => Network.fromBytes(network.toBytes(), any({ more: 1 })), 'UNKNOWN_OPTION', /^fromBytes/);
  expectError(() => Network.fromBytes(network.toBytes(), { backend: any('') }), 'INVALID_ARGUMENT', /^backend/);
  expectError(() => Network.fromBytes(any('bytes')), 'INVALID_ARGUMENT', /^fromBytes: bytes: expected a Uint8Array/);
});

it('files that are not there or not ours', async () => {
  await expectRejection(() => Network.load(join(folder, 'none')), 'FILE_NOT_FOUND', /none: there is no such file/);
  await expectRejection(() => Network.load(folder), 'FILE_NOT_FOUND', /cannot be read/);
  const path = newFile();
  writeFileSync(path, 'something else');
  await expectRejection(() => Network.load(path), 'FILE_CORRUPT', /\d+\.safetensors: byte 0: a header of \d+ bytes/);
});

it('a file that can not be written leaves nothing behind, and the old one as it was', async () => {
  const network = tinyNetwork();
  const inTheWay = join(folder, 'folder');
  mkdirSync(inTheWay);
  await expectRejection(() => network.save(inTheWay), 'FILE_NOT_WRITTEN', /folder: it cannot be written/);
  await expectRejection(
    () => network.save(join(folder, 'none', 'file')),
    'FILE_NOT_WRITTEN',
    /ENOENT: its folder does not exist/,
  );
  expect(leftovers()).toEqual([]);
});

it('a new file has the permissions of the old one, also through a link', async () => {
  const [network, path, link] = [tinyNetwork(), newFile(), newFile()];
  writeFileSync(path, 'old');
  chmodSync(path, 0o640);
  symlinkSync(path, link);
  await network.save(link);
  expect(statSync(path).mode & 0o777).toBe(0o640);
  expect(readFileSync(link)).toEqual(Buffer.from(network.toBytes()));
  expect(readFileSync(path)).toEqual(Buffer.from(network.toBytes()));
  await Promise.all(Array.from({ length: 8 }, () => network.save(path)));
  expect(new Uint8Array(readFileSync(path))).toEqual(network.toBytes());
  expect(leftovers()).toEqual([]);
});
