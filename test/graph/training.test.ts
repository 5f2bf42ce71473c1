import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { selectBackend } from '../../lib/backend/select.js';
import { Dataset } from '../../lib/data/index.js';
import {
  Adam,
  add,
  type BackendName,
  batchNorm,
  binaryCrossEntropy,
  type ClassWeights,
  concat,
  conv2d,
  dense,
  dropout,
  earlyStopping,
  flatten,
  globalAvgPool2d,
  input,
  l2,
  meanSquaredError,
  multiply,
  Network,
  type Node,
  relu,
  Sgd,
  shared,
  sigmoid,
  softmaxCrossEntropy,
  subtract,
  tanh,
} from '../../lib/index.js';
import { buildModel } from '../../lib/program/model.js';
import { fromDataset } from '../../lib/runtime/dataset-inputs.js';
import { Engine } from '../../lib/runtime/engine.js';
import { reportWidth } from '../../lib/runtime/tally.js';
import {
  describeNative,
  distance,
  expectError,
  expectRejection,
  expectSameBits,
  onBackends,
  randomFloats,
} from '../api/support.js';
import { withSection } from '../formats/support.js';
import {
  drawnInputs,
  drawnTargets,
  expectGradients,
  graphOf,
  optionsOf,
  randomGraph,
  specOf,
  WIDTH,
} from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'blasnet-graph-'));
afterAll(() => rmSync(folder, { recursive: true }));

const ROWS = 5;

type Any = { readonly parameters: Network['parameters']; readonly state: Network['state'] };
const weights = ({ parameters, state }: Any) => [...parameters, ...state].map(({ value }) => value.slice());

/** Parameters that show in the results: not zeros, not ones. */
function stirred<T extends Any>(network: T): T {
  for (const [i, { name, value }] of network.parameters.entries()) {
    if (/bias|beta/.test(name)) value.set(randomFloats(value.length, 30 + i).map((v) => 0.3 * v));
    if (/gamma/.test(name)) value.set(randomFloats(value.length, 30 + i).map((v) => 1 + 0.3 * v));
  }
  return network;
}

/** A block of two layers around which the input goes. */
const block = (units: number) => (x: Node) => add(x, x.pipe(dense(units), batchNorm(), tanh(), dense(units)));

function residual(backend: BackendName) {
  const x = input([4]);
  const output = x.pipe(dense(5), block(5), block(5), tanh(), dense(3));
  return new Network({ output, loss: softmaxCrossEntropy(), regularizer: l2(0.05), seed: 2, backend });
}

function twoInputs(backend: BackendName) {
  const [picture, note] = [input([3, 3, 1], { name: 'picture' }), input([4], { name: 'note' })];
  const seen = picture.pipe(conv2d(2, { window: 2 }), tanh(), flatten(), dense(3));
  const read = note.pipe(dense(3), sigmoid());
  const output = concat(multiply(seen, read), note).pipe(dense(2));
  return new Network({ output, loss: meanSquaredError(), seed: 3, backend });
}

function twoOutputs(backend: BackendName) {
  const stem = input([4], { name: 'x' }).pipe(dense(5, { name: 'stem' }), tanh({ name: 'hidden' }));
  const outputs = {
    kind: stem.pipe(dense(3, { name: 'kind' })),
    code: stem.pipe(dense(2, { name: 'code' })),
    spare: stem.pipe(dense(2, { name: 'spare' })),
  };
  return new Network({
    outputs,
    losses: { kind: softmaxCrossEntropy(), code: meanSquaredError() },
    lossWeights: { kind: 0.5, code: 3 },
    regularizer: l2(0.02),
    seed: 4,
    backend,
  });
}

function siamese(backend: BackendName) {
  const [a, b] = [input([4], { name: 'a' }), input([4], { name: 'b' })];
  const encoder = shared(dense(5, { name: 'encoder' }), tanh(), dense(3));
  const gap = subtract(a.pipe(encoder), b.pipe(encoder));
  return new Network({ output: multiply(gap, gap).pipe(dense(1)), loss: binaryCrossEntropy(), seed: 5, backend });
}

/** The inputs of the networks above, and their targets. */
const rowsOf = (columns: Readonly<Record<string, number>>, rows = ROWS) =>
  Object.fromEntries(Object.entries(columns).map(([name, count], i) => [name, randomFloats(rows * count, 40 + i)]));
const labelsOf = (rows: number, classes: number) => Int32Array.from({ length: rows }, (_, i) => (i * 7 + 1) % classes);
const outputsOf = (rows = ROWS) => ({ kind: labelsOf(rows, 3), code: randomFloats(rows * 2, 50) });

const twoOutputData = (rows: number, more: object = {}) =>
  new Dataset({ features: randomFloats(rows * 4, 60), shape: [4], targets: outputsOf(rows), ...more });

onBackends('gradients of graphs agree with finite differences', (backend) => {
  it('a residual network', () =>
    expectGradients(stirred(residual(backend)), { '': randomFloats(ROWS * 4) }, labelsOf(ROWS, 3)));
  it('two inputs', () =>
    expectGradients(stirred(twoInputs(backend)), rowsOf({ picture: 9, note: 4 }), randomFloats(ROWS * 2, 51)));
  it('two outputs with weights, and one without a loss', () =>
    expectGradients(stirred(twoOutputs(backend)), rowsOf({ x: 4 }), outputsOf()));
  it('a siamese network', () =>
    expectGradients(stirred(siamese(backend)), rowsOf({ a: 4, b: 4 }), Float32Array.of(0, 1, 1, 0, 1)));
  it.each(Array.from({ length: 6 }, (_, seed) => seed))('graph %i drawn at random', (seed) => {
    const drawn = randomGraph(seed, { smooth: true, noise: false });
    const network = stirred(new Network(optionsOf(drawn, backend)));
    const x = drawnInputs(graphOf(drawn.outputs), ROWS);
    expectGradients(network, x, drawnTargets(drawn, ROWS));
  });

  it('a shared layer has the sum of the gradients of layers of their own', () => {
    const make = (one: boolean) => {
      const [a, b] = [input([4], { name: 'a' }), input([4], { name: 'b' })];
      const layers = shared(dense(3));
      const [left, right] = one ? [layers, layers] : [shared(dense(3)), shared(dense(3))];
      const output = subtract(a.pipe(left), b.pipe(right, tanh()));
      return new Network({ output, loss: meanSquaredError(), seed: 1, backend });
    };
    const [together, apart] = [make(true), make(false)];
    expect([together.parameters.length, apart.parameters.length]).toEqual([2, 4]);
    apart.parameters.forEach(({ value }, i) => value.set(together.parameters[i % 2].value));
    const [x, y] = [rowsOf({ a: 4, b: 4 }), randomFloats(ROWS * 3, 52)];
    expect(together.gradients(x, y).loss).toBe(apart.gradients(x, y).loss);
    together.parameters.forEach(({ gradient }, i) => {
      const sum = apart.parameters[i].gradient.map((value, j) => value + apart.parameters[i + 2].gradient[j]);
      expect(distance([gradient], [sum])).toBeLessThan(1e-6);
    });
  });

  it('of a weight that no loss reaches: those of its penalty, each time', () => {
    const stem = input([4]).pipe(dense(3));
    const outputs = { a: stem.pipe(dense(2)), c: stem.pipe(dense(2, { name: 'c' })) };
    const losses = { a: meanSquaredError() };
    const network = new Network({ outputs, losses, regularizer: l2(0.1), seed: 1, backend });
    const { value, gradient } = network.parameter('c.weight');
    const [x, y] = [randomFloats(ROWS * 4, 41), { a: randomFloats(ROWS * 2, 42) }];
    for (let i = 0; i < 3; i++) {
      network.gradients(x, y);
      expect(distance([gradient], [value.map((w) => 0.1 * w)])).toBeLessThan(1e-7);
    }
  });

  it('leave the state as it was where the function of the outputs throws', () => {
    const make = () => {
      const output = input([4]).pipe(dense(5), batchNorm(), dropout(0.5), dense(2));
      return new Network({ output, loss: meanSquaredError(), seed: 1, backend });
    };
    const [network, twin] = [make(), make()];
    const [x, y] = [randomFloats(ROWS * 4, 41), randomFloats(ROWS * 2, 42)];
    const fail = () => {
      throw new Error('mine');
    };
    expect(() => network.gradients(x, { outputGradient: fail })).toThrow('mine');
    expect(network.gradients(x, y).loss).toBe(twin.gradients(x, y).loss);
    expectSameBits(weights(network), weights(twin));
  });

  it('do not make an optimizer that of the network', async () => {
    const [network, other] = [residual(backend), residual(backend)];
    const optimizer = new Sgd();
    network.gradients(randomFloats(ROWS * 4, 41), labelsOf(ROWS, 3), optimizer);
    other.trainBatch(randomFloats(ROWS * 4, 41), labelsOf(ROWS, 3), optimizer);
    expect(optimizer.steps).toBe(1);
  });

  it('of given output gradients: those of the loss that gives them', () => {
    const network = stirred(twoOutputs(backend));
    const x = randomFloats(ROWS * 4, 41);
    const targets = outputsOf();
    const expected = network.gradients(x, targets);
    const before = network.parameters.map(({ gradient }) => gradient.slice());
    // By hand: the weighted gradients of both losses; the penalty's is added below.
    const raw = network.forward(x);
    const code = raw.code.map((y, i) => (3 * 2 * (y - targets.code[i])) / (2 * ROWS));
    const kind = raw.kind.map((_, i) => {
      const row = raw.kind.subarray(i - (i % 3), i - (i % 3) + 3);
      const sum = row.reduce((s, z) => s + Math.exp(z), 0);
      return (0.5 * (Math.exp(raw.kind[i]) / sum - (targets.kind[Math.floor(i / 3)] === i % 3 ? 1 : 0))) / ROWS;
    });
    const spare = new Float32Array(ROWS * 2);
    for (const outputGradient of [{ kind, code, spare }, () => ({ kind, code, spare })]) {
      const { inputGradient } = network.gradients(x, { outputGradient });
      expect(distance([inputGradient], [expected.inputGradient])).toBeLessThan(1e-6);
      const own = network.parameters.map(({ name, value, gradient }) =>
        /weight/.test(name) ? gradient.map((g, i) => g + 0.02 * value[i]) : gradient,
      );
      const trained = network.parameters.flatMap(({ name }, i) => (/spare/.test(name) ? [] : [i]));
      expect(
        distance(
          trained.map((i) => own[i]),
          trained.map((i) => before[i]),
        ),
      ).toBeLessThan(1e-6);
    }
  });

  it('of one output with a name, which is given by it', () => {
    const y = input([4]).pipe(dense(2));
    const network = new Network({ outputs: { y }, losses: { y: meanSquaredError() }, seed: 1, backend });
    const [x, targets] = [randomFloats(ROWS * 4, 41), randomFloats(ROWS * 2, 42)];
    const expected = network.gradients(x, targets).inputGradient;
    expectSameBits([network.gradients(x, { y: targets }).inputGradient], [expected]);
    const outputGradient = ({ y }: { readonly y: Float32Array }) => ({ y: y.map((v, i) => (v - targets[i]) / ROWS) });
    const { inputGradient } = network.gradients(x, { outputGradient });
    expect(distance([inputGradient], [expected])).toBeLessThan(1e-6);
    expect(Object.keys(network.predict(x))).toEqual(['y']);
    expectError(() => network.predict(x, new Float32Array(ROWS * 2)), 'INVALID_ARGUMENT', /whose outputs have names/);
  });

  it('a single loss with a weight', () => {
    const x = input([4], { name: 'x' });
    const outputs = { p: x.pipe(dense(2)), q: x.pipe(dense(1)) };
    const network = new Network({
      outputs,
      losses: { p: meanSquaredError() },
      lossWeights: { p: 2 },
      regularizer: l2(0.1),
      seed: 1,
      backend,
    });
    expectGradients(network, rowsOf({ x: 4 }), { p: randomFloats(ROWS * 2, 51) });
  });

  it('are 0 for inputs that no loss reaches', () => {
    const [a, b] = [input([2], { name: 'a' }), input([2], { name: 'b' })];
    const network = new Network({
      outputs: { p: a.pipe(dense(1)), q: b.pipe(dense(1)) },
      losses: { p: meanSquaredError() },
      seed: 1,
      backend,
    });
    const { inputGradient } = network.gradients({ a: [1, 2], b: [3, 4] }, { p: [1] });
    const { a: reached, b: other } = inputGradient as unknown as Record<string, Float32Array>;
    expect(reached.some((value) => value !== 0)).toBe(true);
    expect(other).toEqual(new Float32Array(2));
  });
});

const shaped = (columns: Readonly<Record<string, Float32Array>>) =>
  Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, { values, shape: [WIDTH] }]));

/** What a drawn graph computes, and what training makes of it. */
function trained(seed: number, backend: BackendName, rewrite = true): Record<string, Float32Array> {
  const drawn = randomGraph(seed, { smooth: true });
  const model = buildModel(specOf(drawn.outputs));
  const engine = new Engine(model, selectBackend(backend).backend, rewrite);
  const rows = 23;
  // Every other one with weights of rows.
  const sampleWeights = seed % 2 === 0 ? undefined : randomFloats(rows, seed).map(Math.abs);
  const features = shaped(drawnInputs(model, rows));
  const data = new Dataset({ features, targets: drawnTargets(drawn, rows), sampleWeights });
  const source = fromDataset('data', model, data, true);
  const results: Record<string, Float32Array> = {};
  const into = (role: string, list: readonly { name: string | undefined }[]) => {
    const arrays = list.map(({ name }) => [`${role}.${name}`, new Float32Array(rows * WIDTH)] as const);
    return Object.fromEntries(arrays);
  };
  for (const kind of ['forward', 'predict'] as const) {
    const outputs = into('output', model.outputs);
    engine.runSync({ kind, source: { ...source, goals: [] }, batchSize: 10, results: outputs });
    for (const [name, values] of Object.entries(outputs)) results[`${kind} ${name}`] = values;
  }
  engine.runSync({ kind: 'evaluate', source, batchSize: rows });
  results.evaluation = Float32Array.from(engine.metric.subarray(0, 3));
  const inputs = into('inputGradient', model.inputs);
  engine.runSync({ kind: 'gradients', source, batchSize: rows, results: inputs });
  Object.assign(results, inputs, { gradients: engine.gradients.slice() });
  results.losses = Float32Array.from(engine.metric.subarray(0, 3));
  const optimizer = new Sgd({ learningRate: 0.02 });
  engine.attach(optimizer);
  const scalars = new Float64Array(6 * optimizer.scalarCount).fill(0.02);
  const report = new Float64Array(6 * reportWidth(model, source.goals));
  engine.runSync({ kind: 'train', source, batchSize: 10, epochs: 2, sampling: 'shuffle', optimizer, scalars, report });
  Object.assign(results, { report: Float32Array.from(report) });
  Object.assign(results, { parameters: engine.parameters.slice(), state: engine.state.slice() });
  return results;
}

function expectClose(actual: Record<string, Float32Array>, expected: Record<string, Float32Array>, bound: number) {
  for (const [name, values] of Object.entries(expected)) {
    const size = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    expect(distance([actual[name]], [values]), name).toBeLessThan(bound * size);
  }
}

const seeds = Array.from({ length: 40 }, (_, seed) => seed);

onBackends('graphs drawn at random', (backend) => {
  it('compute the same with and without rewrite rules', () => {
    for (const seed of seeds) expectClose(trained(seed, backend), trained(seed, backend, false), 2e-5);
  });

  it('compute the same bits each time', () => {
    for (const seed of seeds.slice(0, 10)) {
      expectSameBits(Object.values(trained(seed, backend)), Object.values(trained(seed, backend)));
    }
  });
});

describeNative('the native backend', () => {
  it('computes graphs as the TypeScript backend does', () => {
    for (const seed of seeds) expectClose(trained(seed, 'native'), trained(seed, 'typescript'), 5e-5);
  });
});

onBackends('training of graphs', (backend) => {
  it('learns what a chain of the same layers learns, bit for bit', async () => {
    const layers = () => [dense(8), relu(), dropout(0.2), dense(3)];
    const options = { loss: softmaxCrossEntropy(), seed: 6, backend };
    const chain = new Network({ input: [4], layers: layers(), ...options });
    const graph = new Network({ output: input([4]).pipe(...layers()), ...options });
    const x = randomFloats(50 * 4, 61);
    const data = new Dataset({ features: x, shape: [4], labels: labelsOf(50, 3) });
    for (const network of [chain, graph]) await network.fit(data, { epochs: 3, batchSize: 8, optimizer: new Adam() });
    expectSameBits(weights(graph), weights(chain));
    expectSameBits([graph.predict(x)], [chain.predict(x)]);
    expect(graph.parameters.map(({ name }) => name)).toEqual([
      'dense_1.weight',
      'dense_1.bias',
      'dense_2.weight',
      'dense_2.bias',
    ]);
  });

  it('learns from two inputs, alike from a dataset and from batches', async () => {
    const rows = 40;
    const columns = rowsOf({ picture: 9, note: 4 }, rows);
    const targets = randomFloats(rows * 2, 53).map((_, i) => columns.note[4 * Math.floor(i / 2)] * columns.picture[0]);
    const features = { picture: { values: columns.picture, shape: [3, 3, 1] }, note: columns.note };
    const data = new Dataset({ features, targets, targetShape: [2] });
    const runs = await Promise.all(
      [
        (network: Network) => network.fit(data, { epochs: 10, batchSize: 10, shuffle: false, optimizer: new Adam() }),
        async (network: Network) => {
          const batch = (i: number) => ({
            x: {
              picture: columns.picture.subarray(90 * i, 90 * i + 90),
              note: columns.note.subarray(40 * i, 40 * i + 40),
            },
            y: targets.subarray(20 * i, 20 * i + 20),
          });
          return network.fit([0, 1, 2, 3].map(batch), { epochs: 10, optimizer: new Adam() });
        },
      ].map(async (run) => {
        const network = twoInputs(backend);
        const { loss } = await run(network as unknown as Network);
        return { loss, weights: weights(network) };
      }),
    );
    expect(runs[0].loss[9]).toBeLessThan(runs[0].loss[0]);
    expectSameBits(runs[1].weights, runs[0].weights);
    expect(runs[1].loss).toEqual(runs[0].loss);
  });

  it('logs the figures of each output by its name', async () => {
    const network = stirred(twoOutputs(backend));
    const data = twoOutputData(30);
    const evaluation = await network.evaluate(data);
    const penalty = network.parameters.reduce(
      (sum, { name, value }) => sum + (/weight/.test(name) ? 0.01 * value.reduce((s, w) => s + w * w, 0) : 0),
      0,
    );
    // By hand, from the predictions.
    const { kind, code } = network.predict(data);
    const targets = outputsOf(30);
    const rows = Array.from({ length: 30 }, (_, row) => row);
    const mean = (value: (row: number) => number) => rows.reduce((sum, row) => sum + value(row), 0) / 30;
    const expected = {
      kind: mean((row) => -Math.log(kind[3 * row + targets.kind[row]])),
      code: mean(
        (row) =>
          ((code[2 * row] - targets.code[2 * row]) ** 2 + (code[2 * row + 1] - targets.code[2 * row + 1]) ** 2) / 2,
      ),
    };
    const hits = mean((row) => {
      const own = kind.subarray(3 * row, 3 * row + 3);
      return own.indexOf(Math.max(...own)) === targets.kind[row] ? 1 : 0;
    });
    const { outputs = {} } = evaluation;
    expect(Object.keys(outputs)).toEqual(['kind', 'code']);
    expect(outputs.kind.loss).toBeCloseTo(expected.kind, 5);
    expect(outputs.code.loss).toBeCloseTo(expected.code, 5);
    expect(outputs.kind.accuracy).toBeCloseTo(hits, 12);
    expect(outputs.code.accuracy).toBeUndefined();
    expect(evaluation.loss).toBeCloseTo(0.5 * expected.kind + 3 * expected.code + penalty, 5);
    expect('accuracy' in evaluation).toBe(false);

    // Without learning, an epoch's figures are those of the evaluation.
    const history = await network.fit(data, {
      optimizer: new Sgd({ learningRate: 0 }),
      batchSize: 7,
      epochs: 2,
      validation: data,
    });
    for (const log of history.epochs) {
      for (const figures of [log, log.validation]) {
        expect(figures?.loss).toBeCloseTo(evaluation.loss, 5);
        expect(figures?.outputs?.kind.loss).toBeCloseTo(expected.kind, 5);
        expect(figures?.outputs?.code.loss).toBeCloseTo(expected.code, 5);
        expect(figures?.outputs?.kind.accuracy).toBeCloseTo(hits, 12);
      }
      expect(log.batchLosses.length).toBe(5);
    }
    expect(history.output('kind').validationLoss[1]).toBeCloseTo(expected.kind, 5);
    expect(history.output('code').accuracy).toEqual([Number.NaN, Number.NaN]);
    const step = network.trainBatch(data, undefined, new Sgd());
    expect(step.outputs?.code.loss).toBeCloseTo(expected.code, 5);
    expect(step.loss).toBeCloseTo(evaluation.loss, 5);
  });

  it('takes weights of rows: the loss is Σ w l / Σ w', async () => {
    const make = () => new Network({ output: input([1]).pipe(dense(1)), loss: meanSquaredError(), seed: 7, backend });
    const [x, y, w] = [Float32Array.of(1, 2, -1, 3), Float32Array.of(1, 0, 2, -1), Float32Array.of(1, 0, 0.5, 2)];
    const data = new Dataset({ features: x, shape: [1], targets: y, targetShape: [1], sampleWeights: w });
    const network = make();
    const predicted = network.predict(x);
    const sum = (value: (row: number) => number) => [0, 1, 2, 3].reduce((s, row) => s + w[row] * value(row), 0);
    const expected = sum((row) => (predicted[row] - y[row]) ** 2) / 3.5;
    expect((await network.evaluate(data)).loss).toBeCloseTo(expected, 6);
    // In batches of any size.
    for (const batchSize of [1, 2, 3])
      expect((await network.evaluate(data, { batchSize })).loss).toBeCloseTo(expected, 6);
    const { loss, inputGradient } = network.gradients(data);
    expect(loss).toBeCloseTo(expected, 6);
    const [weight, bias] = network.parameters.map(({ gradient }) => gradient[0]);
    expect(weight).toBeCloseTo(sum((row) => 2 * (predicted[row] - y[row]) * x[row]) / 3.5, 5);
    expect(bias).toBeCloseTo(sum((row) => 2 * (predicted[row] - y[row])) / 3.5, 5);
    expect(inputGradient[1]).toBe(0);
    // Rows of weight 0 count as if they were not there.
    const without = make();
    without.gradients(
      new Dataset({
        features: [1, -1, 3],
        shape: [1],
        targets: [1, 2, -1],
        targetShape: [1],
        sampleWeights: [1, 0.5, 2],
      }),
    );
    expect(distance([without.parameters[0].gradient], [network.parameters[0].gradient])).toBeLessThan(1e-6);
    // As in a batch of a stream.
    const streamed = make();
    const optimizer = () => new Sgd({ learningRate: 0.1 });
    await streamed.fit([{ x, y, sampleWeights: w }], { optimizer: optimizer() });
    await network.fit(data, { optimizer: optimizer(), batchSize: 4, shuffle: false });
    expectSameBits(weights(streamed), weights(network));
  });

  const namedForms = [
    { form: 'an only output with a name', spare: false, factor: 1 },
    { form: 'an only output with a weight', spare: false, factor: 0.5 },
    { form: 'the only loss of two outputs', spare: true, factor: 1 },
    { form: 'the only loss of two outputs, with a weight', spare: true, factor: 0.5 },
  ];
  it.each(namedForms)('reports Σ w l / Σ w of $form', async ({ spare, factor }) => {
    const stem = input([4]);
    const p = stem.pipe(dense(3));
    const outputs: Record<string, Node> = spare ? { p, spare: stem.pipe(dense(2)) } : { p };
    const network = new Network({
      outputs,
      losses: { p: softmaxCrossEntropy() },
      lossWeights: { p: factor },
      seed: 7,
      backend,
    });
    const [rows, classWeights] = [12, [1, 0.25, 3]];
    const [x, y] = [randomFloats(rows * 4, 41), labelsOf(rows, 3)];
    const own = randomFloats(rows, 42).map(Math.abs);
    const predicted = network.predict(x).p;
    const weigh = (weights: ArrayLike<number>, begin = 0, end = rows) => {
      let [sum, weight] = [0, 0];
      for (let row = begin; row < end; row++) {
        sum -= weights[row] * Math.log(predicted[3 * row + y[row]]);
        weight += weights[row];
      }
      return (factor * sum) / weight;
    };
    const columns = { features: x, shape: [4], targets: { p: y } };
    const settings = () => ({ optimizer: new Sgd({ learningRate: 0 }), epochs: 1, batchSize: 5, shuffle: false });
    for (const sampleWeights of [own, { p: own }]) {
      const data = new Dataset({ ...columns, sampleWeights });
      expect((await network.evaluate(data, { batchSize: 5 })).loss).toBeCloseTo(weigh(own), 5);
      expect(network.gradients(data).loss).toBeCloseTo(weigh(own), 5);
      expect(network.trainBatch(data, undefined, new Sgd({ learningRate: 0 })).loss).toBeCloseTo(weigh(own), 5);
      const both = own.map((weight, row) => weight * classWeights[y[row]]);
      const { loss, validationLoss, epochs } = await network.fit(data, {
        ...settings(),
        classWeights: factor === 1 ? classWeights : { p: classWeights },
        validation: data,
      });
      for (const value of [loss[0], validationLoss[0]]) expect(value).toBeCloseTo(weigh(both), 5);
      for (const [i, [begin, end]] of [
        [0, 5],
        [5, 10],
        [10, 12],
      ].entries())
        expect(epochs[0].batchLosses[i]).toBeCloseTo(weigh(both, begin, end), 5);
      const batch = { x, y: { p: y }, sampleWeights };
      const streamed = await network.fit([batch], { optimizer: new Sgd({ learningRate: 0 }) });
      expect(streamed.loss[0]).toBeCloseTo(weigh(own), 5);
    }
  });

  it.each(namedForms)('gives the figures of $form by its name', async ({ spare, factor }) => {
    const stem = input([4]);
    const p = stem.pipe(dense(3));
    const outputs: Record<string, Node> = spare ? { p, spare: stem.pipe(dense(2)) } : { p };
    const losses = { p: softmaxCrossEntropy() };
    const network = new Network({
      outputs,
      losses,
      lossWeights: { p: factor },
      regularizer: l2(0.5),
      seed: 7,
      backend,
    });
    const data = new Dataset({
      features: randomFloats(48, 41),
      shape: [4],
      targets: { p: labelsOf(12, 3) },
      labelNames: ['x', 'y', 'z'],
    });
    const penalty = network.parameters
      .filter(({ name }) => /weight/.test(name))
      .reduce((sum, { value }) => sum + 0.25 * value.reduce((s, w) => s + w * w, 0), 0);
    const evaluation = await network.evaluate(data);
    const own = evaluation.outputs?.p;
    expect(Object.keys(evaluation.outputs ?? {})).toEqual(['p']);
    expect(evaluation.loss).toBeCloseTo(factor * (own?.loss ?? Number.NaN) + penalty, 5);
    expect(evaluation.accuracy).toBe(own?.accuracy);
    const settings = { epochs: 1, batchSize: 12, shuffle: false, validation: data };
    const optimizer = new Sgd({ learningRate: 0 });
    const callbacks = earlyStopping({ monitor: 'p.validationLoss', patience: 3 });
    const history = await network.fit(data, { ...settings, optimizer, callbacks });
    const columns = history.output('p');
    expect(columns.loss[0]).toBeCloseTo(own?.loss ?? Number.NaN, 5);
    expect(columns.validationLoss[0]).toBeCloseTo(own?.loss ?? Number.NaN, 5);
    expect(columns.validationAccuracy).toEqual([own?.accuracy]);
    expect(history.accuracy).toEqual(columns.accuracy);
    const wrong = earlyStopping({ monitor: 'q.loss' });
    await expectRejection(
      () => network.fit(data, { ...settings, optimizer, callbacks: wrong }),
      'INVALID_ARGUMENT',
      /there is no q\.loss: the network has the outputs p$/,
    );
    // Forms of the weights of classes.
    const weigh = async (classWeights: ClassWeights) =>
      (await network.evaluate(data, { classWeights })).outputs?.p.loss;
    const expected = await weigh([1, 0.5, 1]);
    expect(expected).not.toBe(own?.loss);
    for (const form of [{ y: 0.5 }, { p: [1, 0.5, 1] }, { p: { y: 0.5 } }]) expect(await weigh(form)).toBe(expected);
    expect(await weigh({ p: 'balanced' })).toBe(await weigh('balanced'));
    await expectRejection(
      () => weigh({ q: [1, 2, 3] }),
      'INVALID_ARGUMENT',
      /classWeights: expected names of p, got "q"/,
    );
  });

  it('learns nothing from rows that all have the weight 0', async () => {
    const network = new Network({ output: input([1]).pipe(dense(1)), loss: meanSquaredError(), seed: 7, backend });
    const before = weights(network);
    const data = new Dataset({
      features: [1, 2],
      shape: [1],
      targets: [3, 4],
      targetShape: [1],
      sampleWeights: [0, 0],
    });
    const { loss } = await network.fit(data, { optimizer: new Sgd() });
    expect(loss).toEqual([0]);
    expectSameBits(weights(network), before);
  });

  it('takes weights of rows by output', async () => {
    const network = stirred(twoOutputs(backend));
    const all = randomFloats(20, 70).map(Math.abs);
    const evaluate = async (sampleWeights: object | undefined) =>
      (await network.evaluate(twoOutputData(20, { sampleWeights }))).outputs;
    const [none, kind, both] = [await evaluate(undefined), await evaluate({ kind: all }), await evaluate(all)];
    expect(kind?.code.loss).toBe(none?.code.loss);
    expect(kind?.kind.loss).toBe(both?.kind.loss);
    expect(kind?.kind.loss).not.toBe(none?.kind.loss);
    expect(both?.code.loss).not.toBe(none?.code.loss);
    await expectRejection(
      () => network.evaluate(twoOutputData(20, { sampleWeights: { spare: all } })),
      'INVALID_ARGUMENT',
      /no place for the column "spare"/,
    );
  });

  it('takes as many weighted outputs as a network has', async () => {
    const stem = input([4]);
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const outputs = Object.fromEntries(names.map((name) => [name, stem.pipe(dense(2))]));
    const losses = Object.fromEntries(names.map((name) => [name, softmaxCrossEntropy()]));
    const network = new Network({ outputs, losses, regularizer: l2(0.01), seed: 1, backend });
    const labels = Object.fromEntries(names.map((name) => [name, labelsOf(9, 2)]));
    const data = new Dataset({
      features: randomFloats(36),
      shape: [4],
      targets: labels,
      sampleWeights: randomFloats(9).map(Math.abs),
    });
    const history = await network.fit(data, {
      epochs: 2,
      batchSize: 4,
      optimizer: new Sgd({ clipNorm: 1 }),
      validation: data,
    });
    const { outputs: figures = {}, loss } = await network.evaluate(data);
    expect(Object.values(figures).every((each) => Number.isFinite(each.loss))).toBe(true);
    expect(Object.keys(figures)).toEqual(names);
    expect(Number.isFinite(loss)).toBe(true);
    expect(history.epochs.length).toBe(2);
  });

  it('freezes what its optimizer says, with the same steps of the rest', async () => {
    const run = async (groups: { match: RegExp; frozen: boolean }[]) => {
      const network = twoOutputs(backend);
      const before = network.parameters.map(({ value }) => value.slice());
      await network.fit(twoOutputData(20), {
        optimizer: new Sgd({ groups }),
        epochs: 1,
        batchSize: 20,
        shuffle: false,
      });
      return network.parameters.map(({ name, value }, i) => [name, value, before[i]] as const);
    };
    const [some, all] = [await run([{ match: /^stem/, frozen: true }]), await run([])];
    for (const [i, [name, value, before]] of some.entries()) {
      expectSameBits([value], [/stem|spare/.test(name) ? before : all[i][1]]);
    }
  });

  it('refuses data that do not fit, naming the column', async () => {
    const [two, out] = [twoInputs(backend), twoOutputs(backend)];
    const note = randomFloats(8);
    expectError(
      () => two.predict(note),
      'INVALID_ARGUMENT',
      /^x: the network has the inputs picture, note; give each by its name/,
    );
    expectError(() => two.predict({ note }), 'INVALID_ARGUMENT', /^x: expected a column "picture", got note/);
    expectError(
      () => two.predict({ note, picture: randomFloats(18), other: note }),
      'INVALID_ARGUMENT',
      /^x: there is no place for the column "other"/,
    );
    expectError(
      () => two.predict({ note, picture: randomFloats(9) }),
      'SHAPE_MISMATCH',
      /^x\.note: expected 1 rows?.*got 2/,
    );
    expectError(
      () => two.predict({ note, picture: randomFloats(10) }),
      'SHAPE_MISMATCH',
      /^x\.picture: expected a multiple of 9/,
    );
    const x = randomFloats(8);
    expectError(
      () => out.gradients(x, [1, 2]),
      'INVALID_ARGUMENT',
      /^y: the network has the outputs kind, code; give each by its name/,
    );
    expectError(() => out.gradients(x, { kind: [1, 2] }), 'INVALID_ARGUMENT', /^y: expected a column "code", got kind/);
    expectError(() => out.gradients(x, { kind: [1, 3], code: randomFloats(4) }), 'LABEL_OUT_OF_RANGE', /^y\.kind: .*3/);
    expectError(
      () => out.gradients(x, { kind: [1, 2], code: randomFloats(5) }),
      'SHAPE_MISMATCH',
      /^y\.code: expected 2 rows × 2 outputs/,
    );
    const spoilt = { kind: [1, 2], code: Float32Array.of(1, 2, Number.NaN, 4) };
    expectError(() => out.gradients(x, spoilt), 'NON_FINITE', /^targets\.code: row 1, column 0: .*NaN/);
    expectError(
      () => two.predict({ note, picture: randomFloats(18) }, new Float32Array(3)),
      'SHAPE_MISMATCH',
      /^out: expected 4/,
    );
    expectError(() => out.predict(x, new Float32Array(4)), 'INVALID_ARGUMENT', /^predict: out: expected none/);
    await expectRejection(
      () => out.evaluate(new Dataset({ features: x, shape: [4], labels: [0, 1] })),
      'INVALID_ARGUMENT',
      /expected targets by the outputs' names/,
    );
  });
});

onBackends('predictions of graphs', (backend) => {
  const x = randomFloats(ROWS * 4, 41);

  it('are those of each output by name, after its link', async () => {
    const network = stirred(twoOutputs(backend));
    const [predicted, raw] = [network.predict(x), network.forward(x)];
    expect(Object.keys(predicted)).toEqual(['kind', 'code', 'spare']);
    expectSameBits([predicted.code, predicted.spare], [raw.code, raw.spare]);
    for (let row = 0; row < ROWS; row++) {
      const [p, z] = [predicted.kind, raw.kind].map((values) => [...values.subarray(3 * row, 3 * row + 3)]);
      const sum = z.reduce((s, value) => s + Math.exp(value), 0);
      p.forEach((value, i) => expect(value).toBeCloseTo(Math.exp(z[i]) / sum, 6));
    }
    expectSameBits(Object.values(await network.predictAsync(x)), Object.values(predicted));
    expectSameBits(Object.values(network.predict({ x })), Object.values(predicted));
    expectSameBits(Object.values(network.predict(x, { batchSize: 2 })), Object.values(predicted));
  });

  it('can be those of hidden nodes', async () => {
    const network = stirred(twoOutputs(backend));
    const hidden = network.predict(x, { outputs: ['hidden', 'stem', 'kind'] });
    expect(Object.keys(hidden)).toEqual(['hidden', 'stem', 'kind']);
    expect(hidden.hidden.length).toBe(ROWS * 5);
    expect(distance([hidden.hidden], [hidden.stem.map(Math.tanh)])).toBeLessThan(1e-6);
    // Before the link.
    expectSameBits([hidden.kind], [network.forward(x).kind]);
    expectSameBits(
      Object.values(await network.predictAsync(x, { outputs: ['hidden', 'stem', 'kind'] })),
      Object.values(hidden),
    );
    const part = Network.from(network, { output: network.node('hidden'), loss: meanSquaredError(), backend });
    expectSameBits([part.predict(x)], [hidden.hidden]);
  });

  it('can be an input that is an output', () => {
    const a = input([2], { name: 'a' });
    const network = new Network({
      outputs: { a, b: a.pipe(dense(1)) },
      losses: { b: meanSquaredError() },
      seed: 1,
      backend,
    });
    expect(network.predict([1, 2]).a).toEqual(Float32Array.of(1, 2));
    expect(network.predict([1, 2], { outputs: ['a'] }).a).toEqual(Float32Array.of(1, 2));
  });
});

onBackends('files of graphs', (backend) => {
  const networks: [string, () => Network<string>, Record<string, Float32Array> | Float32Array][] = [
    ['a residual network', () => residual(backend) as Network<string>, randomFloats(ROWS * 4)],
    ['two inputs', () => twoInputs(backend) as Network<string>, rowsOf({ picture: 9, note: 4 })],
    ['two outputs', () => twoOutputs(backend) as Network<string>, rowsOf({ x: 4 })],
    ['a siamese network', () => siamese(backend) as Network<string>, rowsOf({ a: 4, b: 4 })],
  ];
  const predictions = (network: Network<string>, x: Record<string, Float32Array> | Float32Array) => {
    const result = network.predict(x) as unknown;
    return ArrayBuffer.isView(result)
      ? [result as Float32Array]
      : Object.values(result as Record<string, Float32Array>);
  };

  it.each(networks)('hold %s', async (_, make, x) => {
    const saved = stirred(make());
    const bytes = saved.toBytes();
    const loaded = Network.fromBytes<string>(bytes, { backend });
    expect(loaded.toBytes()).toEqual(bytes);
    expectSameBits(weights(loaded), weights(saved));
    expect(loaded.parameters.map(({ name, shape }) => [name, shape])).toEqual(
      saved.parameters.map(({ name, shape }) => [name, shape]),
    );
    expect([loaded.inputs, loaded.outputs, loaded.seed]).toEqual([saved.inputs, saved.outputs, saved.seed]);
    expect(loaded.summary()).toBe(saved.summary());
    expectSameBits(predictions(loaded, x), predictions(saved, x));
    const clone = saved.clone();
    expect(clone.toBytes()).toEqual(bytes);
    expectSameBits(predictions(clone as Network<string>, x), predictions(saved, x));
  });

  it('hold graphs drawn at random', () => {
    for (const seed of seeds) {
      const drawn = randomGraph(seed);
      const saved = stirred(new Network(optionsOf(drawn, backend)));
      const x = drawnInputs(graphOf(drawn.outputs), ROWS);
      const loaded = Network.fromBytes<string>(saved.toBytes(), { backend });
      expect(loaded.toBytes()).toEqual(saved.toBytes());
      expectSameBits(predictions(loaded, x), predictions(saved as Network<string>, x));
      const y = drawnTargets(drawn, ROWS);
      expect(loaded.gradients(x, y).loss).toBe(saved.gradients(x, y).loss);
      expectSameBits(
        loaded.parameters.map(({ gradient }) => gradient),
        saved.parameters.map(({ gradient }) => gradient),
      );
    }
  });

  it('continue a training bit for bit', async () => {
    const make = () => {
      const [a, b] = [input([4], { name: 'a' }), input([4], { name: 'b' })];
      const encoder = shared(dense(8), batchNorm(), relu(), dropout(0.3));
      const [left, right] = [a.pipe(encoder), b.pipe(encoder)];
      return new Network({
        outputs: { kind: add(left, right).pipe(dense(3)), code: subtract(left, right).pipe(dense(2)) },
        losses: { kind: softmaxCrossEntropy(), code: meanSquaredError() },
        seed: 8,
        backend,
      });
    };
    const data = new Dataset({ features: rowsOf({ a: 4, b: 4 }, 40), targets: outputsOf(40) });
    const whole = make();
    const optimizer = new Adam();
    const expected = await whole.fit(data, { epochs: 5, batchSize: 8, optimizer });
    const first = make();
    const used = new Adam();
    await first.fit(data, { epochs: 2, batchSize: 8, optimizer: used });
    const file = join(folder, `${backend}.safetensors`);
    await first.save(file, { optimizer: used });
    const checkpoint = await Network.loadCheckpoint<'kind' | 'code'>(file, { backend });
    const { network, epoch: initialEpoch } = checkpoint;
    const rest = await network.fit(data, { epochs: 3, batchSize: 8, optimizer: checkpoint.optimizer, initialEpoch });
    expect(rest.loss).toEqual(expected.loss.slice(2));
    expect(rest.epochs.map(({ outputs }) => outputs)).toEqual(expected.epochs.slice(2).map(({ outputs }) => outputs));
    expectSameBits(weights(network), weights(whole));
    expectSameBits(
      Object.values(network.predict(rowsOf({ a: 4, b: 4 }))),
      Object.values(whole.predict(rowsOf({ a: 4, b: 4 }))),
    );
  });

  it('a clone continues as the original does, and apart from it', async () => {
    const original = residual(backend);
    const data = new Dataset({ features: randomFloats(40 * 4, 62), shape: [4], labels: labelsOf(40, 3) });
    await original.fit(data, { epochs: 1, optimizer: new Sgd() });
    original.metadata = { labels: ['a', 'b', 'c'] };
    const clone = original.clone();
    const before = weights(original);
    expectSameBits(weights(clone), before);
    expect(clone.metadata).toEqual({ labels: ['a', 'b', 'c'] });
    await clone.fit(data, { epochs: 2, optimizer: new Sgd() });
    expectSameBits(weights(original), before);
    await original.fit(data, { epochs: 2, optimizer: new Sgd() });
    expectSameBits(weights(original), weights(clone));
  });

  it('hold metadata', () => {
    const network = twoOutputs(backend);
    expect(network.metadata).toBeUndefined();
    const value = { names: ['a', 'b'], scaler: { mean: [1, 2.5], on: true }, none: null, 'ü "': '\u2028' };
    network.metadata = value;
    value.names.push('c');
    expect(network.metadata).toEqual({
      names: ['a', 'b'],
      scaler: { mean: [1, 2.5], on: true },
      none: null,
      'ü "': '\u2028',
    });
    expect(Object.isFrozen((network.metadata as { names: string[] }).names)).toBe(true);
    expect(Network.fromBytes(network.toBytes(), { backend }).metadata).toEqual(network.metadata);
    for (const bad of [() => 1, Symbol('x'), 10n, { a: { b: 1n } }]) {
      expectError(
        () => {
          network.metadata = bad as never;
        },
        'INVALID_ARGUMENT',
        /^metadata: expected a value that JSON can hold/,
      );
    }
    const round: Record<string, unknown> = {};
    round.self = round;
    expectError(() => Object.assign(network, { metadata: round }), 'INVALID_ARGUMENT', /^metadata: /);
    expect(network.metadata).toEqual({
      names: ['a', 'b'],
      scaler: { mean: [1, 2.5], on: true },
      none: null,
      'ü "': '\u2028',
    });
    network.metadata = undefined;
    expect(Network.fromBytes(network.toBytes(), { backend }).metadata).toBeUndefined();
  });

  type Entry = Record<string, unknown>;
  type Section = { graph: { inputs: Entry[]; nodes: Entry[] }; outputs: Entry[] };
  const changes: [string, (section: Section) => unknown, RegExp][] = [
    ['a node that takes one after it', ({ graph }) => Object.assign(graph.nodes[0], { from: [5] }), /nodes\[0\]: from/],
    ['a node that takes itself', ({ graph }) => Object.assign(graph.nodes[0], { from: [2] }), /nodes\[0\]: from/],
    ['a node that takes nothing', ({ graph }) => Object.assign(graph.nodes[0], { from: [] }), /nodes\[0\]: from/],
    ['a node without a layer', ({ graph }) => Object.assign(graph.nodes[0], { layer: undefined }), /nodes\[0\]: layer/],
    ['a node shared with itself', ({ graph }) => Object.assign(graph.nodes[3], { shared: 3 }), /nodes\[3\]: shared/],
    [
      'a node shared with a node that is shared',
      ({ graph }) => Object.assign(graph.nodes[4], { shared: 3 }),
      /nodes\[4\]/,
    ],
    ['two nodes of one name', ({ graph }) => Object.assign(graph.nodes[1], { name: 'encoder' }), /name/],
    ['two inputs of one name', ({ graph }) => Object.assign(graph.inputs[1], { name: 'a' }), /input a: name/],
    ['an output at no node', ({ outputs }) => Object.assign(outputs[0], { place: 99 }), /outputs\[0\]: place/],
    ['no output', ({ outputs }) => outputs.splice(0), /outputs/],
    ['a weight that is no number', ({ outputs }) => Object.assign(outputs[0], { weight: 'x' }), /outputs\[0\]: weight/],
    ['an unknown field', ({ graph }) => Object.assign(graph.nodes[0], { extra: 1 }), /extra/],
    [
      'an unknown type of layer',
      ({ graph }) => Object.assign(graph.nodes[0], { layer: { type: 'exec' } }),
      /nodes\[0\]: type/,
    ],
  ];
  it.each(changes)('refuse %s', (_, change, message) => {
    const bytes = withSection(siamese(backend).toBytes(), 'network', (section) => {
      change(section as unknown as Section);
      return section;
    });
    expectError(() => Network.fromBytes(bytes, { backend }), 'FILE_CORRUPT', message);
  });
});

onBackends('parts of networks', (backend) => {
  const x = randomFloats(ROWS * 4, 41);

  it('go on in a new network with their names, and copies of their parameters and state', async () => {
    const base = stirred(residual(backend));
    const data = new Dataset({ features: randomFloats(40 * 4, 62), shape: [4], labels: labelsOf(40, 3) });
    await base.fit(data, { optimizer: new Sgd() });
    const stem = base.node('tanh_3');
    const made = Network.from(base, {
      outputs: { kind: stem.pipe(dense(2)), same: base.node('dense_6') },
      losses: { kind: softmaxCrossEntropy() },
      seed: 9,
      backend,
    });
    const shown = made.parameters.map(({ name }) => name);
    for (const { name, value } of [...base.parameters, ...base.state]) {
      const own = [...made.parameters, ...made.state].find((other) => other.name === name);
      expectSameBits([own?.value ?? new Float32Array(0)], [value]);
    }
    expect(shown.filter((name) => !base.parameters.some((other) => other.name === name))).toEqual([
      'dense_7.weight',
      'dense_7.bias',
    ]);
    expectSameBits([made.predict(x).same], [base.forward(x)]);
    const before = weights(base);
    made.trainBatch(x, { kind: labelsOf(ROWS, 2) }, new Sgd());
    expectSameBits(weights(base), before);
  });

  it('of a chain go by their index', () => {
    const chain = new Network({
      input: [4],
      layers: [dense(5), tanh(), dense(3)],
      loss: softmaxCrossEntropy(),
      seed: 1,
      backend,
    });
    const made = Network.from(chain, {
      output: chain.node('1').pipe(dense(2, { name: 'head' })),
      loss: meanSquaredError(),
      backend,
    });
    expect(made.parameters.map(({ name }) => name)).toEqual(['0.weight', '0.bias', 'head.weight', 'head.bias']);
    expectSameBits([made.parameter('0.weight').value], [chain.parameter('0.weight').value]);
    expect(Network.fromBytes(made.toBytes(), { backend }).toBytes()).toEqual(made.toBytes());
    expectError(() => chain.node('3'), 'INVALID_ARGUMENT', /^node: expected one of 0, 1, 2, input, got "3"/);
  });

  it('of shared layers stay shared', () => {
    const base = stirred(siamese(backend));
    const made = Network.from(base, { output: base.node('subtract_1'), loss: meanSquaredError(), backend });
    expect(made.parameters.map(({ name }) => name)).toEqual([
      'encoder.weight',
      'encoder.bias',
      'dense_1.weight',
      'dense_1.bias',
    ]);
    expectSameBits(weights(made), weights(base).slice(0, 4));
    // Only the second use: the parameters are those of the first all the same.
    const second = Network.from(base, { output: base.node('encoder_1'), loss: meanSquaredError(), backend });
    expectSameBits(weights(second), weights(base).slice(0, 2));
  });

  it('copy parameters by name', () => {
    const [from, to] = [stirred(twoOutputs(backend)), twoOutputs(backend)];
    to.parameters.forEach(({ value }) => value.fill(0));
    expect(to.copyParameters(from)).toEqual(from.parameters.map(({ name }) => name));
    expectSameBits(weights(to), weights(from));
    const other = siamese(backend);
    const before = weights(other);
    expectError(
      () => other.copyParameters(from),
      'INVALID_ARGUMENT',
      /^from: expected a network with a parameter of the same name/,
    );
    expect(other.copyParameters(from, (name) => (name === 'encoder.bias' ? 'stem.bias' : undefined))).toEqual([
      'encoder.bias',
    ]);
    expectSameBits([other.parameter('encoder.bias').value], [from.parameter('stem.bias').value]);
    before[1] = from.parameter('stem.bias').value.slice();
    expectSameBits(weights(other), before);
    expectError(
      () =>
        other.copyParameters(from, (name) =>
          name === 'dense_1.bias' ? 'kind.bias' : name === 'dense_2.bias' ? 'stem.bias' : undefined,
        ),
      'SHAPE_MISMATCH',
      /^dense_2\.bias: expected the shape \[1\], got \[5\] \(stem\.bias\)/,
    );
    // Nothing was copied before the mistake was found.
    expectSameBits(weights(other), before);
    expectError(
      () => other.copyParameters(from, (name) => (name === 'encoder.bias' ? 'nowhere' : undefined)),
      'INVALID_ARGUMENT',
      /^map: encoder\.bias: expected one of .*stem\.bias.*, got "nowhere"/,
    );
    const image = input([4, 4, 1]).pipe(conv2d(2), globalAvgPool2d(), dense(1));
    expectError(
      () => other.copyParameters(image as never),
      'INVALID_ARGUMENT',
      /^copyParameters: from: expected a Network/,
    );
  });
});

describe('version 1 of files', () => {
  it('is read: its chains are those of today', () => {
    const chain = new Network({
      input: [4],
      layers: [dense(5), batchNorm(), relu(), dense(3, { name: 'head' })],
      loss: softmaxCrossEntropy({ labelSmoothing: 0.1 }),
      seed: 3,
      backend: 'typescript',
    });
    const bytes = chain.toBytes();
    const text = Buffer.from(bytes).toString('latin1');
    expect(text.includes('"version":"2"')).toBe(true);
    const old = Buffer.from(text.replace('"version":"2"', '"version":"1"'), 'latin1');
    const loaded = Network.fromBytes(old, { backend: 'typescript' });
    expect(loaded.toBytes()).toEqual(bytes);
    const next = Buffer.from(text.replace('"version":"2"', '"version":"3"'), 'latin1');
    expectError(
      () => Network.fromBytes(next, { backend: 'typescript' }),
      'FILE_CORRUPT',
      /its version is 3; this version of blasnet reads 1 and 2/,
    );
  });
});
