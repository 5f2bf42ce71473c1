import { expect, it } from 'vitest';
import { Adam, type Callbacks, Sgd, type StreamBatch } from '../../lib/index.js';
import {
  classData,
  classifier,
  expectRejection,
  expectSameBits,
  mixedLayers,
  onBackends,
  rejection,
  weights,
} from './support.js';

const any = (value: unknown) => value as never;

onBackends('fit with a stream', (backend) => {
  const data = classData(50);
  const parts = [0, 16, 32, 48].map((row) => data.slice(row, Math.min(row + 16, 50)));
  /** An iterable that starts again each epoch. */
  const again = { [Symbol.asyncIterator]: () => generate() };

  async function* generate(): AsyncGenerator<StreamBatch> {
    for (const part of parts) {
      await new Promise((resolve) => setImmediate(resolve));
      yield { x: part.features as Float32Array, y: part.labels as Int32Array };
    }
  }

  it('trains as on the dataset itself', async () => {
    const options = { epochs: 3, shuffle: false };
    const expected = classifier(backend, { layers: mixedLayers() });
    const history = await expected.fit(data, { ...options, batchSize: 16, optimizer: new Adam() });
    const sources: [string, Iterable<StreamBatch> | AsyncIterable<StreamBatch>][] = [
      ['an async iterable of arrays', again],
      ['a list of datasets', parts],
      ['a list of arrays', parts.map((part) => ({ x: [...part.features], y: [...(part.labels as Int32Array)] }))],
    ];
    for (const [name, source] of sources) {
      const network = classifier(backend, { layers: mixedLayers() });
      const streamed = await network.fit(source, { ...options, optimizer: new Adam() });
      expectSameBits(weights(network), weights(expected));
      streamed.epochs.forEach((log, i) => {
        expect([...log.batchLosses], name).toEqual([...history.epochs[i].batchLosses]);
        expect(log.loss).toBeCloseTo(history.loss[i], 6);
        expect(log.accuracy).toBeCloseTo(history.accuracy[i], 6);
        expect(log.epoch).toBe(i);
      });
    }
  });

  it('takes batches of different sizes and memory of any kind', async () => {
    const optimizer = new Sgd();
    const batches: StreamBatch[] = [
      { x: [1, 2, 3, 4, 5, 6], y: [0] },
      { x: new Float32Array(30), y: Uint8Array.of(0, 1, 2, 0, 1) },
      {
        x: new Float32Array(new SharedArrayBuffer(48)),
        y: [
          [1, 0, 0],
          [0, 0.5, 0.5],
        ],
      },
      data,
    ];
    const history = await classifier(backend).fit(batches, { optimizer });
    expect(history.epochs[0].batchLosses.length).toBe(4);
    expect(optimizer.steps).toBe(4);
  });

  it('copies what it is given: the caller may reuse its arrays', async () => {
    const network = classifier(backend);
    const expected = classifier(backend);
    async function* reuse() {
      const x = new Float32Array(96);
      for (const part of parts.slice(0, 3)) {
        x.set(part.features);
        yield { x, y: part.labels as Int32Array };
        x.fill(99);
      }
    }
    await network.fit(reuse(), { optimizer: new Sgd() });
    await expected.fit(parts.slice(0, 3), { optimizer: new Sgd() });
    expectSameBits(weights(network), weights(expected));
  });

  it('tells that an iterator can be read only once', async () => {
    const network = classifier(backend);
    await expectRejection(
      () => network.fit(generate(), { epochs: 2 }),
      'EMPTY_DATA',
      /no batch in epoch 1 \(an iterator can be read only once.*Symbol\.asyncIterator/,
    );
    expect((await network.fit(generate())).epochs.length).toBe(1);
  });

  it('refuses a stream without batches', async () => {
    const network = classifier(backend);
    await expectRejection(() => network.fit([]), 'EMPTY_DATA', /^fit: data: the stream gave no batch in epoch 0$/);
    await expectRejection(
      () => network.fit([classData(0)]),
      'EMPTY_DATA',
      /^fit: data: the stream gave no batch in epoch 0$/,
    );
  });

  it.each<[string, unknown, 'INVALID_ARGUMENT' | 'SHAPE_MISMATCH' | 'LABEL_OUT_OF_RANGE' | 'UNKNOWN_OPTION', RegExp]>([
    [
      'nothing',
      undefined,
      'INVALID_ARGUMENT',
      /^fit: a batch of the stream \(epoch 0, batch 1\): expected .* got undefined/,
    ],
    ['a number', 5, 'INVALID_ARGUMENT', /^fit: a batch of the stream \(epoch 0, batch 1\): expected .* got 5/],
    [
      'an array',
      new Float32Array(6),
      'INVALID_ARGUMENT',
      /^fit: a batch of the stream \(epoch 0, batch 1\): expected .* Float32Array/,
    ],
    ['no targets', { x: [1, 2, 3, 4, 5, 6] }, 'INVALID_ARGUMENT', /^fit: data: y: expected .*\(epoch 0, batch 1\)$/],
    [
      'a row too short',
      { x: [1, 2, 3], y: [0] },
      'SHAPE_MISMATCH',
      /^fit: data: x: expected a multiple of 6 .*\(epoch 0, batch 1\)$/,
    ],
    [
      'labels of no class',
      { x: [1, 2, 3, 4, 5, 6], y: [7] },
      'LABEL_OUT_OF_RANGE',
      /^fit: data: y: row 0: .*\(epoch 0, batch 1\)$/,
    ],
    [
      'weights',
      { x: [1, 2, 3, 4, 5, 6], y: [1], weight: [2] },
      'UNKNOWN_OPTION',
      /stream \(epoch 0, batch 1\): unknown option "weight"/,
    ],
  ])('refuses a batch that is %s, and closes the stream', async (_, batch, code, message) => {
    let closed = false;
    async function* stream() {
      try {
        yield data;
        yield any(batch);
        yield data;
      } finally {
        closed = true;
      }
    }
    const optimizer = new Sgd();
    const network = classifier(backend);
    await expectRejection(() => network.fit(stream(), { optimizer }), code, message);
    expect(closed).toBe(true);
    expect(optimizer.steps).toBe(1);
    expect((await network.fit(parts)).epochs.length).toBe(1);
  });

  it('names the batch that evaluate and a validation refuse', async () => {
    const bad = [data, classData(0), { x: [1, 2, 3, 4, 5, 6], y: [7] }];
    const network = classifier(backend);
    await expectRejection(
      () => network.evaluate(bad),
      'LABEL_OUT_OF_RANGE',
      /^evaluate: data: y: row 0: expected 0 to 2, got 7 \(batch 1\)$/,
    );
    const validated = network.fit(data, { validation: bad });
    await expectRejection(() => validated, 'LABEL_OUT_OF_RANGE', /^fit: validation: y: row 0: .* \(batch 1\)$/);
  });

  const closings: [string, () => unknown][] = [
    ['hangs', () => new Promise(() => {})],
    ['throws', () => expect.fail('closing failed')],
    ['fails', () => Promise.reject(new Error('closing failed'))],
    ['gives nothing', () => undefined],
  ];

  it.each(closings)('throws the error of a bad batch soon, whatever the closing does: it %s', async (_, close) => {
    let closed = 0;
    const stream = {
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false, value: any({ x: [1], y: [0] }) }),
        return: () => {
          closed++;
          return any(close());
        },
      }),
    };
    const network = classifier(backend);
    await expectRejection(() => network.fit(stream), 'SHAPE_MISMATCH', /^fit: data: x: expected a multiple of 6/);
    await expectRejection(
      () => network.evaluate(stream),
      'SHAPE_MISMATCH',
      /^evaluate: data: x: expected a multiple of 6/,
    );
    await expectRejection(
      () => network.fit(data, { validation: stream }),
      'SHAPE_MISMATCH',
      /^fit: validation: x: expected a multiple of 6/,
    );
    expect(closed).toBe(3);
    expect((await network.fit(parts)).epochs.length).toBe(1);
  });

  it('an abort ends the waiting for a closing at once', async () => {
    const controller = new AbortController();
    const closing = () => {
      setTimeout(() => controller.abort(new Error('enough')), 5);
      return new Promise<never>(() => {});
    };
    const stream = {
      [Symbol.asyncIterator]: () => ({ next: async () => ({ done: false, value: any(5) }), return: closing }),
    };
    const begin = performance.now();
    await rejection(classifier(backend).fit(stream, { signal: controller.signal }));
    expect(performance.now() - begin).toBeLessThan(400);
  });

  it('passes over batches without rows', async () => {
    const [network, expected] = [classifier(backend), classifier(backend)];
    const nothing = [classData(0), any({ x: [], y: [] }), { x: new Float32Array(0), y: new Int32Array(0) }];
    const optimizer = new Sgd();
    const history = await network.fit([nothing[0], parts[0], nothing[1], parts[1], nothing[2]], { optimizer });
    await expected.fit([parts[0], parts[1]], { optimizer: new Sgd() });
    expectSameBits(weights(network), weights(expected));
    expect(history.epochs[0].batchLosses.length).toBe(2);
    expect(optimizer.steps).toBe(2);
    expect(await network.evaluate([nothing[1], data])).toEqual(await network.evaluate(data));
    for (const call of [() => network.fit(nothing), () => network.evaluate(nothing)]) {
      await expectRejection(call, 'EMPTY_DATA', /: data: the stream gave no batch/);
    }
    await expectRejection(
      () => network.fit([any({ x: [], y: [1] })]),
      'EMPTY_DATA',
      /^fit: data: x: expected at least one row/,
    );
  });

  it('evaluates streams as the dataset itself', async () => {
    const network = classifier(backend, { layers: mixedLayers() });
    const expected = await network.evaluate(data);
    for (const stream of [again, parts, [data], generate()]) {
      for (const options of [{}, { batchSize: 7 }]) {
        if (stream !== again && options.batchSize === 7) continue;
        const evaluation = await network.evaluate(stream, options);
        expect(evaluation.loss).toBeCloseTo(expected.loss, 6);
        expect(evaluation.accuracy).toBeCloseTo(expected.accuracy as number, 12);
      }
    }
    await expectRejection(
      () => network.evaluate(any(5)),
      'INVALID_ARGUMENT',
      /^evaluate: data: expected a Dataset or an async/,
    );
    await expectRejection(
      () => network.evaluate([any(5)]),
      'INVALID_ARGUMENT',
      /^evaluate: data: expected a Dataset or an async/,
    );
  });

  it('evaluation of a stream ends when it is aborted or the network disposed', async () => {
    async function* stalls() {
      yield data;
      await new Promise(() => {});
    }
    const controller = new AbortController();
    const network = classifier(backend);
    const aborted = rejection(network.evaluate(stalls(), { signal: controller.signal }));
    setTimeout(() => controller.abort(new Error('enough')), 15);
    expect(await aborted).toMatchObject({ message: 'enough' });
    const disposed = rejection(network.evaluate(stalls()));
    setTimeout(() => network.dispose(), 15);
    expect(await disposed).toMatchObject({ code: 'NETWORK_DISPOSED' });
  });

  it('validates with a stream, one pass an epoch', async () => {
    const network = classifier(backend);
    const history = await network.fit(data, { epochs: 2, validation: again });
    expect(history.validationLoss[1]).toBeCloseTo((await network.evaluate(data)).loss, 6);
    expect(history.validationAccuracy[1]).toBeCloseTo((await network.evaluate(data)).accuracy as number, 12);
    await expectRejection(
      () => network.fit(data, { epochs: 2, validation: generate() }),
      'EMPTY_DATA',
      /^fit: validation: the stream gave no batch \(an iterator can be read only once/,
    );
  });

  it('passes on the error of a stream', async () => {
    const error = new Error('disk is gone');
    async function* stream() {
      yield data;
      throw error;
    }
    const network = classifier(backend);
    await expect(network.fit(stream())).rejects.toBe(error);
    expect((await network.fit(parts)).epochs.length).toBe(1);
  });

  it('ends between batches when the signal is aborted, and closes the stream', async () => {
    const controller = new AbortController();
    let [given, closed] = [0, false];
    async function* endless() {
      try {
        for (;;) {
          await new Promise((resolve) => setTimeout(resolve, 1));
          given++;
          yield data;
        }
      } finally {
        closed = true;
      }
    }
    const optimizer = new Sgd();
    const run = rejection(classifier(backend).fit(endless(), { signal: controller.signal, optimizer }));
    setTimeout(() => controller.abort(new Error('enough')), 25);
    expect(await run).toMatchObject({ message: 'enough' });
    // The stream closes when it has given the value that it was asked for.
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(closed).toBe(true);
    expect(given - optimizer.steps).toBeLessThanOrEqual(1);
  });

  it('ends the wait for a batch that does not come when the signal is aborted', async () => {
    const controller = new AbortController();
    async function* stalls() {
      yield data;
      await new Promise(() => {});
      yield data;
    }
    const network = classifier(backend);
    const run = rejection(network.fit(stalls(), { signal: controller.signal }));
    setTimeout(() => controller.abort(new Error('enough')), 15);
    expect(await run).toMatchObject({ message: 'enough' });
    expect((await network.fit(parts)).epochs.length).toBe(1);
  });

  it('ends the wait for a batch that does not come when the network is disposed, and closes the stream', async () => {
    let closed = 0;
    const stalls = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<IteratorResult<StreamBatch>>(() => {}),
        return: () => {
          closed++;
          return new Promise<IteratorResult<StreamBatch>>(() => {});
        },
      }),
    };
    for (const signal of [undefined, new AbortController().signal]) {
      const network = classifier(backend);
      const run = rejection(network.fit(stalls, { ...(signal && { signal }) }));
      await new Promise((resolve) => setTimeout(resolve, 5));
      network.dispose();
      expect(await run).toMatchObject({ code: 'NETWORK_DISPOSED' });
    }
    expect(closed).toBe(2);
  });

  it('takes the iterator of an iterable whose async one is null, and refuses what is none', async () => {
    const list = { [Symbol.asyncIterator]: null, [Symbol.iterator]: () => parts[Symbol.iterator]() };
    expect((await classifier(backend).fit(any(list))).epochs).toHaveLength(1);
    for (const none of [{ [Symbol.iterator]: null }, { [Symbol.asyncIterator]: 1 }])
      await expectRejection(
        () => classifier(backend).fit(any(none)),
        'INVALID_ARGUMENT',
        /^fit: data: expected a Data/,
      );
  });

  it('calls back with undefined where an end is not known', async () => {
    const seen: unknown[] = [];
    const callbacks: Callbacks = {
      onTrainBegin: ({ samples }) => void seen.push(samples),
      onProgress: ({ steps }) => void seen.push(steps),
      onEpochEnd: ({ samplesPerSecond }) => expect(samplesPerSecond).toBeGreaterThan(0),
    };
    async function* slowly() {
      for (let i = 0; i < 8; i++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        yield data;
      }
    }
    await classifier(backend).fit(slowly(), { callbacks, validation: data });
    expect(seen.length).toBeGreaterThan(1);
    expect(new Set(seen)).toEqual(new Set([undefined]));
  });
});
