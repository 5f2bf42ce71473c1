import { expect, it } from 'vitest';
import { Dataset } from '../../lib/data/index.js';
import {
  Adam,
  add,
  avgPool2d,
  batchNorm,
  binaryCrossEntropy,
  concat,
  conv2d,
  cosineSimilarity,
  customLoss,
  dense,
  flatten,
  focalLoss,
  globalAvgPool2d,
  hinge,
  huber,
  identity,
  input,
  klDivergence,
  type Loss,
  logCosh,
  maxPool2d,
  mean,
  meanSquaredError,
  multiply,
  Network,
  type NetworkOptions,
  type Node,
  type Optimizer,
  poisson,
  quantile,
  relu,
  Sgd,
  shared,
  softmaxCrossEntropy,
  softplus,
  sqrt,
  square,
  squaredHinge,
  subtract,
  sum,
  type Targets,
  tanh,
  upsample2d,
} from '../../lib/index.js';
import { onBackends } from '../api/support.js';
import { expectNear, floats, labels, read } from './support.js';

type Nodes = Readonly<Record<string, Node>>;
/** A network of graphs.py with its losses; `labels`: outputs whose targets are labels. */
interface Case {
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly build: (x: Nodes) => Nodes;
  readonly losses: Readonly<Record<string, Loss>>;
  readonly lossWeights?: Readonly<Record<string, number>>;
  readonly optimizer: () => Optimizer;
}

const conv = (filters: number, name: string, window = 3) => conv2d(filters, { window, padding: 'same', name });
const unit = (filters: number, name: string, window?: number) => (x: Node) =>
  x.pipe(conv(filters, name, window), relu());
const normed = (name: string, norm: string) => (x: Node) => x.pipe(conv(4, name), batchNorm({ name: norm }));
const block = (name: string) => (x: Node) =>
  add(x, x.pipe(normed(`${name}A`, `${name}NormA`), relu(), normed(`${name}B`, `${name}NormB`))).pipe(relu());

const contrastive = () =>
  customLoss((y, same) => {
    const gap = subtract(1.5, sqrt(add(y, 1e-3))).pipe(relu());
    return mean(add(multiply(same, y), multiply(subtract(1, same), square(gap))));
  });

const sgd = () => new Sgd({ learningRate: 0.05, momentum: 0.9, nesterov: true });
const adam = () => new Adam({ learningRate: 0.01, epsilon: 1e-3 });

const cases: Readonly<Record<string, Case>> = {
  residual: {
    inputs: { x: [6, 5, 2] },
    build: ({ x }) => ({
      y: x.pipe(
        normed('stem', 'stemNorm'),
        relu(),
        block('first'),
        block('second'),
        globalAvgPool2d(),
        dense(3, { name: 'head' }),
      ),
    }),
    losses: { y: softmaxCrossEntropy() },
    optimizer: sgd,
  },
  siamese: {
    inputs: { a: [5], b: [5] },
    build: ({ a, b }) => {
      const tower = shared(dense(6, { name: 'hidden' }), tanh(), dense(3, { name: 'code' }));
      return { y: sum(square(subtract(a.pipe(tower), b.pipe(tower)))) };
    },
    losses: { y: contrastive() },
    optimizer: adam,
  },
  two: {
    inputs: { image: [4, 4, 2], meta: [3] },
    build: ({ image, meta }) => {
      const seen = image.pipe(unit(3, 'conv'), flatten(), dense(5, { name: 'seen' }));
      const joined = concat(seen, meta.pipe(dense(4, { name: 'notes' }), tanh()));
      const trunk = joined.pipe(dense(6, { name: 'trunk' }), softplus());
      return { digit: trunk.pipe(dense(4, { name: 'digit' })), size: joined.pipe(dense(2, { name: 'size' })) };
    },
    losses: { digit: softmaxCrossEntropy(), size: meanSquaredError() },
    lossWeights: { digit: 0.7, size: 2 },
    optimizer: adam,
  },
  inception: {
    inputs: { x: [6, 4, 3] },
    build: ({ x }) => {
      const stem = x.pipe(unit(4, 'stem'));
      const one = stem.pipe(unit(3, 'one', 1));
      const three = stem.pipe(unit(2, 'narrow', 1), unit(4, 'three'));
      const pooled = stem.pipe(maxPool2d(3, { stride: 1, padding: 1 }), unit(2, 'pooled', 1));
      return { y: concat(one, three, pooled).pipe(avgPool2d(2), flatten(), dense(3, { name: 'head' })) };
    },
    losses: { y: softmaxCrossEntropy() },
    optimizer: sgd,
  },
  unet: {
    inputs: { x: [8, 4, 2] },
    build: ({ x }) => {
      const top = x.pipe(unit(3, 'top'));
      const middle = top.pipe(maxPool2d(2), unit(4, 'middle'));
      const bottom = middle.pipe(maxPool2d(2), unit(5, 'bottom'));
      const up = concat(bottom.pipe(upsample2d(2)), middle).pipe(unit(4, 'upMiddle'), upsample2d(2));
      return { y: concat(up, top).pipe(unit(3, 'upTop'), conv(1, 'mask', 1)) };
    },
    losses: { y: binaryCrossEntropy() },
    optimizer: adam,
  },
};

const STEPS = 5;

onBackends('networks of nodes as PyTorch computes them', (backend) => {
  const data = read('graphs.safetensors');

  it.each(Object.entries(cases))('%s: outputs, gradients and training', (name, { inputs, build, losses, ...rest }) => {
    const value = (key: string) => floats(data, `${name}: ${key}`);
    const x = Object.fromEntries(Object.keys(inputs).map((key) => [key, value(`x ${key}`)]));
    const y = Object.fromEntries(
      Object.entries(losses).map(([key, { targets }]) => {
        const stored = `${name}: target ${key}`;
        return [key, targets[0] === 'labels' ? labels(data, stored) : floats(data, stored)];
      }),
    );
    const nodes = Object.fromEntries(Object.entries(inputs).map(([key, shape]) => [key, input(shape, { name: key })]));
    const outputs = build(nodes);
    const network = new Network({ outputs, losses, lossWeights: rest.lossWeights ?? {}, seed: 1, backend });
    expect(network.parameters.map((parameter) => `${name}: start ${parameter.name}`).sort()).toEqual(
      [...data.keys()].filter((key) => key.startsWith(`${name}: start `)).sort(),
    );
    for (const parameter of network.parameters) {
      expect(parameter.shape).toEqual(data.get(`${name}: start ${parameter.name}`)?.shape);
      parameter.value.set(value(`start ${parameter.name}`));
    }
    const given = Object.keys(x).length === 1 ? x.x : x;
    const targets = (Object.keys(y).length === 1 ? y.y : y) as Targets;
    const expectOutputs = (kind: string) => {
      const predicted = Object.entries(network.forward(given));
      expect(predicted.map(([key]) => key).sort()).toEqual(Object.keys(outputs).sort());
      for (const [key, values] of predicted) expectNear(values as Float32Array, value(`${kind} ${key}`), 1e-5);
    };
    expectOutputs('output');
    const { loss, inputGradient } = network.gradients(given, targets);
    expectNear([loss], value('loss'), 2e-6);
    const gradients = Object.keys(x).length === 1 ? { x: inputGradient } : inputGradient;
    for (const [key, values] of Object.entries(gradients)) expectNear(values as Float32Array, value(`dx ${key}`), 1e-5);
    for (const { name, gradient } of network.parameters) expectNear(gradient, value(`d ${name}`), 1e-5);
    // `gradients` has moved the running statistics.
    for (const { name, value } of network.state) value.fill(name.endsWith('Variance') ? 1 : 0);
    const by = rest.optimizer();
    const reported = Array.from({ length: STEPS }, () => network.trainBatch(given, targets, by).loss);
    expectNear(reported, value('losses'), 1e-5);
    for (const part of [...network.parameters, ...network.state])
      expectNear(part.value, value(`after ${part.name}`), 2e-5);
    expectOutputs('trained');
    network.dispose();
  });
});

/** The losses of graphs.py, under the same names, and the targets that they take. */
const losses: Readonly<Record<string, [Loss, string]>> = {
  logCosh: [logCosh(), 'values'],
  hinge: [hinge(), 'signs'],
  squaredHinge: [squaredHinge(), 'signs'],
  poisson: [poisson(), 'counts'],
  klDivergence: [klDivergence(), 'probabilities'],
  'klDivergence of labels': [klDivergence(), 'labels'],
  cosineSimilarity: [cosineSimilarity(), 'values'],
  quantile: [quantile(), 'values'],
  'quantile 0.9': [quantile({ q: 0.9 }), 'values'],
  focalLoss: [focalLoss(), 'labels'],
  'focalLoss, gamma 0': [focalLoss({ gamma: 0 }), 'labels'],
  'focalLoss, gamma 1.5': [focalLoss({ gamma: 1.5 }), 'labels'],
  'focalLoss of a sigmoid': [focalLoss({ activation: 'sigmoid' }), 'bits'],
  'focalLoss of a sigmoid, alpha': [focalLoss({ activation: 'sigmoid', gamma: 1, alpha: 0.25 }), 'bits'],
  'binaryCrossEntropy, positiveWeight': [binaryCrossEntropy({ positiveWeight: 3.5 }), 'bits'],
  'binaryCrossEntropy, labelSmoothing': [binaryCrossEntropy({ labelSmoothing: 0.2 }), 'bits'],
  'binaryCrossEntropy, both': [binaryCrossEntropy({ positiveWeight: 0.3, labelSmoothing: 0.1 }), 'bits'],
  softmaxCrossEntropy: [softmaxCrossEntropy(), 'labels'],
  binaryCrossEntropy: [binaryCrossEntropy(), 'bits'],
  meanSquaredError: [meanSquaredError(), 'values'],
  huber: [huber({ delta: 0.7 }), 'values'],
};

onBackends('losses as PyTorch or their formula gives them', (backend) => {
  const data = read('graph-losses.safetensors');

  it('are all here', () => {
    const suffix = ', weighted: value';
    const names = [...data.keys()].flatMap((key) => (key.endsWith(suffix) ? [key.slice(0, -suffix.length)] : []));
    expect(Object.keys(losses).sort()).toEqual(names.sort());
  });

  it.each(Object.entries(losses))('%s: value and gradient, with and without weights of rows', (name, [loss, kind]) => {
    const options: NetworkOptions = { input: [4], layers: [identity()], loss, seed: 1, backend };
    const network = new Network(options);
    const y = kind === 'labels' ? { labels: labels(data) } : { targets: floats(data, kind) };
    const x = floats(data, 'x');
    for (const weighted of [false, true]) {
      const rows = new Dataset({
        ...{ features: x, shape: [4], classes: kind === 'labels' ? 4 : undefined },
        ...(weighted && { sampleWeights: floats(data, 'weights') }),
        ...y,
      });
      const expected = (part: string) => floats(data, `${name}${weighted ? ', weighted' : ''}: ${part}`);
      const { loss, inputGradient } = network.gradients(rows);
      expectNear([loss], expected('value'), 3e-6);
      expectNear(inputGradient, expected('gradient'), 2e-6);
      expect(inputGradient.some((value) => Math.abs(value) > 1e-3)).toBe(true);
    }
    network.dispose();
  });
});
