import { expect, it } from 'vitest';
import { dense, Network, relu, softmaxCrossEntropy } from '../../lib/index.js';
import {
  classData,
  classifier,
  expectError,
  expectRejection,
  expectSameBits,
  onBackends,
  randomFloats,
  rejection,
} from './support.js';

onBackends('predictAsync', (backend) => {
  const x = randomFloats(6 * 700);

  it('gives the bits of predict, in a new array or in `out`', async () => {
    const network = classifier(backend);
    const expected = network.predict(x);
    const outputs = await network.predictAsync(x);
    expectSameBits([outputs], [expected]);
    expect(outputs.buffer).toBeInstanceOf(ArrayBuffer);
    const shared = new Float32Array(new SharedArrayBuffer(4 * expected.length));
    for (const out of [new Float32Array(expected.length), shared]) {
      expect(await network.predictAsync(x, { out })).toBe(out);
      expectSameBits([out], [expected]);
    }
    const sharedX = new Float32Array(new SharedArrayBuffer(x.byteLength));
    sharedX.set(x);
    expectSameBits([await network.predictAsync(sharedX), await network.predictAsync([...x])], [expected, expected]);
    const data = classData(700);
    expectSameBits([await network.predictAsync(data)], [network.predict(data)]);
    const small = { batchSize: 33 };
    expectSameBits([await network.predictAsync(x, small)], [network.predict(x, small)]);
    const bytes = { length: 4, shape: [6], features: new Uint8Array(24).fill(9), scale: 0.5, offset: -1 };
    expectSameBits([await network.predictAsync(bytes)], [network.predict(bytes)]);
  });

  it('holds the network', async () => {
    const network = classifier(backend);
    const run = network.predictAsync(x);
    expectError(() => network.predict(x), 'NETWORK_BUSY', /^network: /);
    await expectRejection(() => network.predictAsync(x), 'NETWORK_BUSY', /^network: /);
    await run;
    expect(network.predict(x).length).toBe(2100);
  });

  it('refuses what predict refuses, and leaves the network idle', async () => {
    const network = classifier(backend);
    const bad: [unknown, unknown, Parameters<typeof expectRejection>[1], RegExp][] = [
      [new Float32Array(5), {}, 'SHAPE_MISMATCH', /^x: expected a multiple of 6/],
      [new Float32Array(0), {}, 'EMPTY_DATA', /^x: /],
      ['x', {}, 'INVALID_ARGUMENT', /^x: /],
      [x, { out: new Float32Array(1) }, 'SHAPE_MISMATCH', /^out: expected 2100 elements, got 1/],
      [x, { out: [] }, 'INVALID_ARGUMENT', /^out: expected a Float32Array/],
      [x, new Float32Array(2100), 'INVALID_ARGUMENT', /^predictAsync: expected an object of options/],
      [x, { batchSize: 0 }, 'INVALID_ARGUMENT', /^predictAsync: batchSize: /],
      [x, { signal: 1 }, 'INVALID_ARGUMENT', /^predictAsync: signal: /],
      [x, { sgnal: 1 }, 'UNKNOWN_OPTION', /^predictAsync: unknown option "sgnal"/],
      [x, { out: x.subarray(0, 2100) }, 'ALIASED_BUFFERS', /^out: it overlaps x/],
    ];
    for (const [features, options, code, message] of bad) {
      await expectRejection(() => network.predictAsync(features as never, options as never), code, message);
    }
    expect((await network.predictAsync(x)).length).toBe(2100);
    network.dispose();
    await expectRejection(() => network.predictAsync(x), 'NETWORK_DISPOSED', /^network: /);
  });

  it('ends with the reason of its signal', async () => {
    const layers = [dense(512), relu(), dense(512), relu(), dense(3)];
    const network = new Network({ input: [6], layers, loss: softmaxCrossEntropy(), seed: 1, backend });
    const many = randomFloats(6 * 100_000);
    await expect(network.predictAsync(x, { signal: AbortSignal.abort('no') })).rejects.toBe('no');
    const controller = new AbortController();
    const out = new Float32Array(300_000).fill(7);
    const run = rejection(network.predictAsync(many, { out, batchSize: 8, signal: controller.signal }));
    setTimeout(() => controller.abort(new Error('enough')), 10);
    expect(await run).toMatchObject({ message: 'enough' });
    expect(out.every((value) => value === 7)).toBe(true);
    expect(network.predict(x).length).toBe(2100);
  });

  it('tells of memory that was transferred away meanwhile, and of a network that was disposed', async () => {
    const network = classifier(backend);
    const out = new Float32Array(2100);
    const run = network.predictAsync(x, { out });
    structuredClone(out, { transfer: [out.buffer] });
    await expectRejection(() => run, 'DETACHED_BUFFER', /^out: /);
    const other = network.predictAsync(x);
    network.dispose();
    await expectRejection(() => other, 'NETWORK_DISPOSED', /^network: /);
  });
});
