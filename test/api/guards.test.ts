import { expect, it } from 'vitest';
import { Adam, batchNorm, dense, Network, type SampleSource, Sgd, softmaxCrossEntropy } from '../../lib/index.js';
import { classData, classifier, expectError, expectRejection, onBackends } from './support.js';

onBackends('what a call must not spoil', (backend) => {
  it('predict refuses an output that overlaps its input or the network itself', () => {
    const network = classifier(backend);
    const memory = new Float32Array(100);
    const overlapping = () => network.predict(memory.subarray(0, 60), memory.subarray(50, 80));
    expectError(overlapping, 'ALIASED_BUFFERS', /out: it overlaps x/);
    const bias = network.parameters[1];
    expectError(
      () => network.predict(new Float32Array(6 * 1), bias.value.subarray(0, 3)),
      'ALIASED_BUFFERS',
      /parameters/,
    );
  });

  it('predict and predictAsync refuse an output over the same shared memory by way of another object', async () => {
    const network = classifier(backend);
    const block = new SharedArrayBuffer(400);
    const twin: SharedArrayBuffer = structuredClone(block);
    const x = new Float32Array(block, 0, 60).map((_, i) => Math.sin(i));
    new Float32Array(block).set(x);
    const [overlapping, apart] = [new Float32Array(twin, 200, 30), new Float32Array(twin, 240, 30)];
    const input = new Float32Array(block, 0, 60);
    expectError(() => network.predict(input, overlapping), 'ALIASED_BUFFERS', /out: it overlaps x/);
    await expectRejection(() => network.predictAsync(input, { out: overlapping }), 'ALIASED_BUFFERS', /overlaps x/);
    expect(input).toEqual(x);

    const expected = network.predict(x);
    expect(network.predict(input, apart)).toEqual(expected);
    expect(await network.predictAsync(input, { out: apart })).toEqual(expected);
    const other = new Float32Array(new SharedArrayBuffer(400), 200, 30);
    expect(network.predict(input, other)).toEqual(expected);

    const { value } = network.parameters[1];
    const own = new Float32Array(structuredClone(value.buffer), value.byteOffset, 3);
    expectError(() => network.predict(new Float32Array(6), own), 'ALIASED_BUFFERS', /parameters/);
  });

  it('a column of data that is transferred away while others are copied is missed', async () => {
    const columns = ['labels', 'targets', 'sampleWeights'] as const;
    const copied = () => ({
      ...{ length: 40, shape: [6], features: new Float32Array(240), scale: 1, offset: 0 },
      sampleWeights: new Float32Array(40).fill(1),
    });
    const calls: ((network: Network, data: SampleSource) => Promise<unknown>)[] = [
      (network, data) => network.fit(data),
      (network, data) => network.evaluate(data),
      (network, data) => network.fit(classData(40), { validation: data }),
    ];
    for (const call of calls) {
      for (const column of columns) {
        const targets =
          column === 'targets' ? { targets: new Float32Array(120).fill(1 / 3) } : { labels: new Int32Array(40) };
        const data: SampleSource = { ...copied(), ...targets };
        const network = classifier(backend);
        const run = call(network, data);
        const { buffer } = data[column] as Float32Array;
        structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
        const name = column === 'sampleWeights' ? 'weights' : column;
        await expectRejection(() => run, 'DETACHED_BUFFER', new RegExp(`: ${name}: .*detached`));
        expect((await network.fit(classData(40))).epochs).toHaveLength(1);
      }
    }
  });

  it('a refused epoch number leaves the network and its shuffle as they were', async () => {
    const data = classData(40);
    const [plain, refused] = [classifier(backend), classifier(backend)];
    await expectRejection(() => refused.fit(data, { initialEpoch: 2 ** 40 }), 'INVALID_ARGUMENT', /initialEpoch/);
    await expectRejection(() => refused.fit(data, { initialEpoch: 7, batchSize: 0 }), 'INVALID_ARGUMENT', /batchSize/);
    for (const network of [plain, refused]) await network.fit(data, { optimizer: new Sgd(), batchSize: 8 });
    plain.parameters.forEach(({ value }, i) => expect(refused.parameters[i].value).toEqual(value));
  });

  it('the last epoch number is good, and shuffles go on from the first', async () => {
    const network = classifier(backend);
    const history = await network.fit(classData(40), { initialEpoch: 2 ** 32 - 1, epochs: 3 });
    expect(history.epochs.map((log) => log.epoch)).toEqual([2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1]);
  });

  it('evaluation by the batch leaves running statistics alone, even when the batch holds a NaN', () => {
    const layers = [batchNorm({ evaluation: 'batch' }), dense(2)];
    const network = new Network({ input: [2], layers, loss: softmaxCrossEntropy(), backend });
    network.predict(Float32Array.of(Number.NaN, 1, 2, 3));
    expect([...network.state[0].value, ...network.state[1].value]).toEqual([0, 0, 1, 1]);
  });

  it('a progress hook that rejects ends training with its error', async () => {
    const network = classifier(backend, { layers: [dense(1024), dense(1024), dense(3)] });
    const onProgress = async () => {
      throw new Error('no more');
    };
    await expect(network.fit(classData(8000), { epochs: 5, callbacks: { onProgress } })).rejects.toThrow('no more');
  });

  it('options that mean nothing for a stream, bad signals and negative rates are refused', async () => {
    const network = classifier(backend);
    const stream = [classData(8)];
    await expectRejection(() => network.fit(stream, { batchSize: 4 }), 'INVALID_ARGUMENT', /fit: batchSize/);
    await expectRejection(() => network.fit(stream, { shuffle: true }), 'INVALID_ARGUMENT', /fit: shuffle/);
    await expectRejection(
      () => network.evaluate(classData(8), { signal: {} as never }),
      'INVALID_ARGUMENT',
      /evaluate: signal/,
    );
    const optimizer = new Adam({ learningRate: () => -1 });
    await expectRejection(() => network.fit(classData(8), { optimizer }), 'INVALID_ARGUMENT', /finite rate ≥ 0/);
  });
});
