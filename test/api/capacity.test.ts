/** Programs for batches of varying size: few are compiled, and bits do not depend on what ran before. */
import { expect, it } from 'vitest';
import { selectBackend } from '../../lib/backend/select.js';
import {
  Adam,
  batchNorm,
  conv2d,
  dense,
  dropout,
  flatten,
  type LayerSpec,
  Network,
  relu,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import { buildModel } from '../../lib/program/model.js';
import { capacityFor, Engine } from '../../lib/runtime/engine.js';
import {
  classData,
  describeNative,
  expectError,
  expectSameBits,
  onBackends,
  randomFloats,
  weights,
} from './support.js';

it('capacities are rounded up by less than a quarter, and few', () => {
  const capacities = new Set<number>();
  for (let rows = 1; rows <= 1024; rows++) {
    const capacity = capacityFor(rows);
    expect(capacity).toBeGreaterThanOrEqual(rows);
    expect(capacity).toBeLessThan(1.25 * rows);
    expect(capacityFor(capacity)).toBe(capacity);
    capacities.add(capacity);
  }
  expect(capacities.size).toBeLessThanOrEqual(40);
  for (const rows of [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 4096]) expect(capacityFor(rows)).toBe(rows);
  expect(capacityFor(2 ** 31 - 1)).toBe(2 ** 31 - 1);
});

onBackends('batches of varying size', (name) => {
  const { backend } = selectBackend(name);
  const wide = (): LayerSpec[] => [
    dense(192),
    batchNorm({ singleValue: 'allow' }),
    relu(),
    dropout(0.3),
    dense(160),
    relu(),
    dense(3),
  ];
  const model = (layers: LayerSpec[], input = [6]) =>
    buildModel({ input, layers, loss: softmaxCrossEntropy(), regularizer: undefined, seed: 7 });
  const source = (rows: number) => {
    const labels = Int32Array.from({ length: rows }, (_, i) => i % 3);
    const feeds = { features: { values: randomFloats(6 * rows) }, labels: { values: labels } };
    return { rows, feeds, goals: [{ target: 'labels', weighted: false }] } as const;
  };

  it('share programs, each of which holds the present work memory', () => {
    const blocks: unknown[] = [];
    const load: typeof backend.load = (program, memory) => {
      blocks.push(memory.work);
      return backend.load(program, memory);
    };
    const engine = new Engine(model(wide()), { ...backend, load });
    const optimizer = new Adam();
    engine.attach(optimizer);
    const scalars = new Float64Array(optimizer.scalarCount);
    const train = (rows: number) =>
      engine.runSync({ kind: 'train', source: source(rows), batchSize: rows, optimizer, scalars });
    for (const rows of [64, 63, 60, 57]) train(rows);
    expect(blocks.length).toBe(1);
    train(200);
    expect(blocks.length).toBe(2);
    expect(blocks[1]).not.toBe(blocks[0]);
    // Bound again to the larger block, once.
    for (const rows of [64, 64, 57, 200]) train(rows);
    expect(blocks.length).toBe(3);
    expect(blocks[2]).toBe(blocks[1]);
    for (let i = 0; i < 4; i++) for (let rows = 1; rows <= 200; rows += 13) train(rows);
    const loads = blocks.length;
    for (let rows = 1; rows <= 200; rows += 13) train(rows);
    expect(blocks.length).toBe(loads);
  });

  it('give bits that do not depend on the batches before', () => {
    const sizes = [50, 64, 1, 33, 200, 7];
    const fresh = sizes.map((rows) => {
      const network = new Network({ input: [6], layers: wide(), loss: softmaxCrossEntropy(), seed: 7, backend: name });
      return { rows, ...all(network, rows) };
    });
    const network = () =>
      new Network({ input: [6], layers: wide(), loss: softmaxCrossEntropy(), seed: 7, backend: name });
    for (const { rows, outputs } of fresh) {
      const used = network();
      const before = [...used.parameters, ...used.state].map(({ value }) => value.slice());
      for (const other of sizes) all(used, other);
      // As it was, but for the programs that it has now; dropout's counter goes on.
      [...used.parameters, ...used.state].forEach(({ value }, i) => value.set(before[i]));
      expectSameBits(inferences(used, rows), outputs.slice(0, 3));
    }
    function inferences(which: Network, rows: number): Float32Array[] {
      const x = randomFloats(6 * rows, 3);
      return [which.predict(x), which.forward(x), which.predict(x, { batchSize: 50 })];
    }
    function all(which: Network, rows: number) {
      const data = classData(rows);
      const outputs = inferences(which, rows);
      const { inputGradient } = which.gradients(data);
      if (rows > 1) which.trainBatch(data, undefined, new Adam());
      return { outputs: [...outputs, inputGradient] };
    }
  });

  it('give the bits of a program for that many rows at most', () => {
    const layers = () => [dense(40), relu(), dense(3)];
    for (const kind of ['predict', 'forward', 'forwardTraining', 'evaluate', 'gradients', 'train'] as const) {
      const run = (exact: boolean) => {
        const engine = new Engine(model(layers()), backend);
        const optimizer = kind === 'train' ? new Adam() : undefined;
        if (optimizer !== undefined) engine.attach(optimizer);
        const scalars = new Float64Array(optimizer?.scalarCount ?? 0);
        optimizer?.writeScalars(scalars, 0, { step: 0, epoch: 0 });
        const [output, inputGradient] = [new Float32Array(150), new Float32Array(300)];
        const use = optimizer === undefined ? {} : { optimizer, scalars };
        const results = { output, inputGradient };
        engine.runSync({ kind, source: source(50), batchSize: 50, exact, results, ...use });
        return [output, inputGradient, engine.parameters, engine.gradients, Float32Array.from(engine.metric)];
      };
      expectSameBits(run(false), run(true));
    }
  });

  it('train to the same bits as batches of a stream, whatever other networks and calls there were', async () => {
    const run = async (disturbed: boolean) => {
      const network = new Network({ input: [6], layers: wide(), loss: softmaxCrossEntropy(), seed: 7, backend: name });
      const optimizer = new Adam();
      for (const rows of [50, 33, 64]) {
        if (disturbed) for (const other of [64, 128, 40]) network.predict(randomFloats(6 * other));
        await network.fit([classData(rows)], { optimizer });
      }
      return weights(network);
    };
    expectSameBits(await run(true), await run(false));
  });
});

onBackends('batches in inference', (backend) => {
  const images = () =>
    new Network({
      input: [64, 64, 3],
      layers: [conv2d(32, { padding: 1 }), relu(), flatten(), dense(2)],
      loss: softmaxCrossEntropy(),
      seed: 1,
      backend,
    });

  it('are as large as their work memory allows', () => {
    const engine = (input: number[], layers: LayerSpec[]) =>
      new Engine(
        buildModel({ input, layers, loss: softmaxCrossEntropy(), regularizer: undefined, seed: 1 }),
        selectBackend(backend).backend,
      );
    expect(engine([784], [dense(100), relu(), dense(10)]).inferenceBatch).toBe(512);
    // 64 × 64 × 32 floats are half a mebibyte.
    const rows = engine([64, 64, 3], [conv2d(32, { padding: 1 }), relu(), flatten(), dense(2)]).inferenceBatch;
    expect(rows).toBeLessThanOrEqual(128);
    expect(rows).toBeGreaterThanOrEqual(32);
    // Statistics of the batch itself: its size is part of what is computed.
    const own = engine(
      [64, 64, 3],
      [conv2d(32, { padding: 1 }), batchNorm({ evaluation: 'batch' }), flatten(), dense(2)],
    );
    expect(own.inferenceBatch).toBe(512);
  });

  it('may be chosen', async () => {
    const network = images();
    const x = randomFloats(5 * 64 * 64 * 3);
    const expected = network.predict(x);
    const out = new Float32Array(10);
    expect(network.predict(x, { out, batchSize: 2 })).toBe(out);
    expectSameBits([network.predict(x, { batchSize: 2 }), await network.predictAsync(x, { batchSize: 2 })], [out, out]);
    out.forEach((value, i) => void expect(value).toBeCloseTo(expected[i], 5));
    expect(network.forward(x, { batchSize: 3 }).length).toBe(10);
  });

  it('refuse what is no size', () => {
    const network = images();
    const x = randomFloats(64 * 64 * 3);
    for (const batchSize of [0, -1, 1.5, Number.NaN, 2 ** 31, '8' as never]) {
      expectError(
        () => network.predict(x, { batchSize }),
        'INVALID_ARGUMENT',
        /^predict: batchSize: expected an integer/,
      );
      expectError(
        () => network.forward(x, { batchSize }),
        'INVALID_ARGUMENT',
        /^forward: batchSize: expected an integer/,
      );
    }
    expectError(
      () => network.forward(x, { training: true, batchSize: 1 }),
      'INVALID_ARGUMENT',
      /^forward: batchSize: expected none/,
    );
    expectError(() => network.predict(x, { size: 1 } as never), 'UNKNOWN_OPTION', /^predict: unknown option "size"/);
    expectError(
      () => network.predict(x, new Float64Array(2) as never),
      'INVALID_ARGUMENT',
      /^out: expected a Float32Array/,
    );
    expectError(() => network.predict(x, [1, 2] as never), 'INVALID_ARGUMENT', /^out: expected a Float32Array/);
  });
});

describeNative('counts that can not go on', () => {
  it('are refused before anything is changed', () => {
    const network = new Network({
      input: [6],
      layers: [dense(3)],
      loss: softmaxCrossEntropy(),
      seed: 1,
      backend: 'native',
    });
    const optimizer = new Adam();
    optimizer.steps = Number.MAX_SAFE_INTEGER;
    const before = weights(network);
    const data = classData(4);
    expectError(() => network.trainBatch(data, undefined, optimizer), 'INVALID_ARGUMENT', /^optimizer: steps: /);
    expectError(() => network.applyGradients(optimizer), 'INVALID_ARGUMENT', /^optimizer: steps: /);
    expectSameBits(weights(network), before);
    expect(optimizer.steps).toBe(Number.MAX_SAFE_INTEGER);
  });
});
