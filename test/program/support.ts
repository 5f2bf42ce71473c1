import {
  AdaGrad,
  Adam,
  batchNorm,
  conv2d,
  dense,
  dropout,
  flatten,
  gelu,
  type LayerSpec,
  type Loss,
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
import { compile, type Program, type ProgramKind, type ProgramRequest } from '../../lib/program/compile.js';
import { type Argument, type Instruction, isTensor, type Tensor } from '../../lib/program/instructions.js';
import { buildModel, type Model } from '../../lib/program/model.js';
import { type Parameter, signatureOf } from '../../lib/program/signatures.js';
import { RandomStream } from '../../lib/random.js';
import { l1l2, type Regularizer } from '../../lib/regularizers.js';

export const kinds: readonly ProgramKind[] = [
  'train',
  'evaluate',
  'predict',
  'forward',
  'forwardTraining',
  'gradients',
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

export function request(kind: ProgramKind, capacity: number, changes: Partial<ProgramRequest> = {}): ProgramRequest {
  const target = kind === 'train' || kind === 'evaluate' || kind === 'gradients' ? 'labels' : 'none';
  return { kind, features: 'f32', direct: false, target, capacity, threads: 1, rewrite: true, ...changes };
}

export function program(
  of: Model,
  kind: ProgramKind,
  capacity: number,
  changes?: Partial<ProgramRequest>,
  optimizer?: Optimizer,
): Program {
  const updates = kind === 'train' || kind === 'update';
  return compile(of, request(kind, capacity, changes), updates ? (optimizer ?? new Sgd()) : undefined);
}

export const kernelsOf = (instructions: readonly Instruction[]) => instructions.map((instruction) => instruction.kernel);

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
      () => dropout(0.5),
      () => dropout(0),
    ]);
    layers.push(make());
  }
  const labels = random.below(2) === 0;
  const regularizer = random.below(3) === 0 ? l1l2({ l1: 0.1, l2: 0.1 }) : undefined;
  const of = model([2, 1 + random.below(20)], layers, labels ? softmaxCrossEntropy() : meanSquaredError(), regularizer);
  const kind = pick(kinds);
  const target = request(kind, 1).target === 'none' ? 'none' : labels ? 'labels' : 'targets';
  const changes = {
    features: pick(['u8', 'f32'] as const),
    target,
    threads: 1 + random.below(3),
    rewrite: random.below(4) > 0,
  } as const;
  const direct =
    changes.features === 'f32' && (kind === 'evaluate' || kind === 'predict' || kind === 'forward') && random.below(2) === 0;
  return program(of, kind, 1 + random.below(50 * scale), { ...changes, direct }, pick([new Sgd({ momentum: 0.9 }), new Adam()]));
}

/** Trainings that are large enough for two or three threads: of dense networks and of image networks, updated in all ways. */
export function randomTrainings(count: number): Program[] {
  return Array.from({ length: count }, (_, seed) => {
    const random = new RandomStream(seed, 815);
    const pick = <T>(list: readonly T[]): T => list[random.below(list.length)];
    const threads = 2 + random.below(2);
    const between = () => pick<LayerSpec[]>([[], [batchNorm()], [dropout(0.5)], [prelu()], [gelu()]]);
    const units = () => 16 + random.below(200);
    const dense1 = () => [dense(units(), { bias: random.below(3) > 0 }), ...between(), relu()];
    const filters = () => 3 + random.below(14);
    const convolution = () => [conv2d(filters(), { padding: 1 }), ...between(), relu()];
    const images = random.below(2) === 0;
    const layers = images
      ? [...convolution(), maxPool2d(), ...convolution(), ...(random.below(2) === 0 ? convolution() : []), flatten(), dense(10)]
      : [...dense1(), ...dense1(), ...(random.below(2) === 0 ? dense1() : []), dense(10)];
    const optimizer = pick<Optimizer>([
      new Sgd({ momentum: 0.9 }),
      new Sgd({ clipNorm: 1 }),
      new Sgd({ clipValue: 1, groups: [{ match: /bias/ as RegExp, learningRate: 0.1 }] }),
      new Adam({ amsGrad: true }),
      new RmsProp({ groups: [{ match: '0.weight', frozen: true }] }),
      new AdaGrad(),
    ]);
    const of = model(images ? [16, 16, 3] : [800], layers, softmaxCrossEntropy(), pick([undefined, l1l2({ l1: 0.1, l2: 0.1 })]));
    const capacity = images ? 24 + random.below(20) : pick([20, 60, 500]);
    return program(of, 'train', capacity, { features: 'u8', threads }, optimizer);
  });
}
