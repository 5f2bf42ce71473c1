import { threading } from '../../lib/backend/native/threading.js';
import {
  AdaGrad,
  Adam,
  batchNorm,
  conv2d,
  dense,
  depthwiseConv2d,
  dropout,
  flatten,
  gaussianNoise,
  gelu,
  groupNorm,
  type LayerSpec,
  type Loss,
  layerNorm,
  Muon,
  maxPool2d,
  meanSquaredError,
  type Optimizer,
  prelu,
  RmsProp,
  relu,
  Sgd,
  sigmoid,
  softmax,
  softmaxCrossEntropy,
  tanh,
} from '../../lib/index.js';
import type { Parameter } from '../../lib/kernels/signature.js';
import { signatureOf } from '../../lib/kernels/table.js';
import { compile, hasUpdate, type Program, type ProgramKind, type ProgramRequest } from '../../lib/program/compile.js';
import { type Argument, type Instruction, isTensor, type Tensor } from '../../lib/program/instructions.js';
import { buildModel, type Model } from '../../lib/program/model.js';
import { RandomStream } from '../../lib/random.js';
import { l1l2, type Regularizer } from '../../lib/regularizers.js';

export const kinds: readonly ProgramKind[] = [
  'train',
  'evaluate',
  'predict',
  'forward',
  'forwardTraining',
  'gradients',
  'backward',
  'update',
];

export function model(
  input: number[],
  layers: LayerSpec[],
  loss: Loss = softmaxCrossEntropy(),
  regularizer?: Regularizer,
): Model {
  return buildModel({ input, layers, loss, regularizer, seed: 1 });
}

/** Whether programs of this kind compute the losses, and thus read targets. */
export function hasLoss(kind: ProgramKind): boolean {
  return kind === 'train' || kind === 'evaluate' || kind === 'gradients';
}

export function request(kind: ProgramKind, capacity: number, changes: Partial<ProgramRequest> = {}): ProgramRequest {
  const goals = hasLoss(kind) ? [{ target: 'labels', weighted: false } as const] : [];
  return { kind, features: ['f32'], direct: false, goals, capacity, threads: 1, threading, rewrite: true, ...changes };
}

export function program(
  of: Model,
  kind: ProgramKind,
  capacity: number,
  changes?: Partial<ProgramRequest>,
  optimizer?: Optimizer,
): Program {
  const updates = hasUpdate(kind);
  return compile(of, request(kind, capacity, changes), updates ? (optimizer ?? new Sgd()) : undefined);
}

export const kernelsOf = (instructions: readonly Instruction[]) =>
  instructions.map((instruction) => instruction.kernel);

export function argumentOf(instruction: Instruction, name: string): Argument {
  const { parameters } = signatureOf(instruction.kernel);
  return instruction.arguments[(parameters as readonly Parameter[]).findIndex((parameter) => parameter.name === name)];
}

export function tensorOf(instruction: Instruction, name: string): Tensor {
  const argument = argumentOf(instruction, name);
  if (!isTensor(argument)) throw new Error(`${instruction.kernel}: ${name} is no tensor`);
  return argument;
}

/** A network drawn from a seed: layers of all families in any order. */
export function randomProgram(seed: number, scale = 1): Program {
  const random = new RandomStream(seed, 4711);
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)];
  const size = () => scale * (1 + random.below(40));
  const layers: LayerSpec[] = [flatten()];
  for (let count = 1 + random.below(7); count > 0; count--) {
    const make = pick<() => LayerSpec>([
      () => dense(size(), { bias: random.below(2) === 0 }),
      () => dense(size()),
      relu,
      tanh,
      gelu,
      sigmoid,
      softmax,
      batchNorm,
      () => gaussianNoise(0.1),
      () => dropout(0.5),
      () => dropout(0),
    ]);
    layers.push(make());
  }
  const labels = random.below(2) === 0;
  const regularizer = random.below(3) === 0 ? l1l2({ l1: 0.1, l2: 0.1 }) : undefined;
  const of = model([2, 1 + random.below(20)], layers, labels ? softmaxCrossEntropy() : meanSquaredError(), regularizer);
  const kind = pick(kinds);
  const features = pick(['u8', 'f32'] as const);
  const changes: Partial<ProgramRequest> = {
    features: [features],
    goals: hasLoss(kind) ? [{ target: labels ? 'labels' : 'targets', weighted: false }] : [],
    threads: 1 + random.below(3),
    rewrite: random.below(4) > 0,
  };
  const direct =
    features === 'f32' && (kind === 'evaluate' || kind === 'predict' || kind === 'forward') && random.below(2) === 0;
  return program(
    of,
    kind,
    1 + random.below(50 * scale),
    { ...changes, direct },
    pick([new Sgd({ momentum: 0.9 }), new Adam()]),
  );
}

/**
 * Trainings that are large enough for two or three threads: of dense networks and of image networks, updated in all
 * ways.
 */
export function randomTrainings(count: number, changes: Partial<ProgramRequest> = {}): Program[] {
  return Array.from({ length: count }, (_, seed) => {
    const random = new RandomStream(seed, 815);
    const pick = <T>(list: readonly T[]): T => list[random.below(list.length)];
    const threads = 2 + random.below(2);
    const between = () =>
      pick<LayerSpec[]>([[], [batchNorm()], [dropout(0.5)], [prelu()], [gelu()], [layerNorm()], [groupNorm(1)]]);
    const units = () => 16 + random.below(200);
    const dense1 = () => [dense(units(), { bias: random.below(3) > 0 }), ...between(), relu()];
    const filters = () => 3 + random.below(14);
    const depthwise = () => (random.below(2) === 0 ? [depthwiseConv2d({ padding: 1 })] : []);
    const convolution = () => [conv2d(filters(), { padding: 1 }), ...between(), relu(), ...depthwise()];
    const images = random.below(2) === 0;
    const layers = images
      ? [
          ...convolution(),
          maxPool2d(),
          ...convolution(),
          ...(random.below(2) === 0 ? convolution() : []),
          flatten(),
          dense(10),
        ]
      : [...dense1(), ...dense1(), ...(random.below(2) === 0 ? dense1() : []), dense(10)];
    const optimizer = pick<Optimizer>([
      new Sgd({ momentum: 0.9 }),
      new Sgd({ clipNorm: 1 }),
      new Sgd({ clipValue: 1, groups: [{ match: /bias/ as RegExp, learningRate: 0.1 }] }),
      new Adam({ amsGrad: true }),
      new RmsProp({ groups: [{ match: '0.weight', frozen: true }] }),
      new AdaGrad(),
      new Muon({ averageWeights: {} }),
    ]);
    const of = model(
      images ? [16, 16, 3] : [800],
      layers,
      softmaxCrossEntropy(),
      pick([undefined, l1l2({ l1: 0.1, l2: 0.1 })]),
    );
    const capacity = images ? 24 + random.below(20) : pick([32, 60, 500]);
    const use = { features: ['u8'], threads, accumulate: random.below(3) === 0, ...changes } as const;
    return program(of, 'train', capacity, use, optimizer);
  });
}
