import { describe, expect, it } from 'vitest';
import {
  Adam,
  batchNorm,
  conv2d,
  cutout,
  dense,
  depthwiseConv2d,
  dropout,
  flatten,
  l2,
  mixUp,
  randomFlip,
  randomRotation,
  randomShift,
  relu,
  Sgd,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import { checkAugment } from '../../lib/program/augment.js';
import type { Tensor } from '../../lib/program/instructions.js';
import { kernelsOf, kinds, model, program, randomProgram, randomTrainings } from './support.js';
import { findRace } from './threads.js';

const barriersOf = (of: ReturnType<typeof program>) => of.instructions.filter((i) => i.barrier).map((i) => i.kernel);

describe('the schedule', () => {
  it('lets no thread touch what another one writes, in 300 random programs', () => {
    for (let seed = 1000; seed < 1300; seed++) {
      const of = randomProgram(seed);
      const capacity = of.request.capacity;
      const batches = [capacity, capacity, Math.ceil(capacity / 3)];
      for (const parts of [2, 3])
        expect(findRace(of, parts, batches), `program ${seed}: ${kernelsOf(of.instructions)}`).toBeUndefined();
    }
  });

  it('nor in trainings that several threads share', () => {
    const large = randomTrainings(16);
    expect(large.every(({ threads }) => threads > 1)).toBe(true);
    for (const kernel of [
      'denseForwardParts',
      'conv2dBackwardWeight',
      'groupedConv2dBackwardParts',
      'groupNormBackwardParts',
      'batchNormParts',
    ] as const)
      expect(large.some(({ instructions }) => kernelsOf(instructions).includes(kernel))).toBe(true);
    expect(large.some(({ instructions }) => instructions.some(({ axis }) => axis === 'out'))).toBe(true);
    for (const of of large) {
      const { capacity } = of.request;
      const race = findRace(of, of.threads, [capacity, capacity]);
      expect(race, kernelsOf(of.instructions).join()).toBeUndefined();
    }
  }, 180_000);

  it('nor where a guard waits for the gradients: all are written before it', () => {
    for (const of of randomTrainings(6, { checkGradients: true })) {
      const { capacity } = of.request;
      const guard = of.instructions.findIndex((instruction) => instruction.guard);
      expect(of.instructions[guard].kernel).toBe('squareSum');
      expect(of.instructions.slice(guard).some(({ kernel }) => /Backward/.test(kernel))).toBe(false);
      expect(findRace(of, of.threads, [capacity, capacity])).toBeUndefined();
    }
  }, 180_000);

  it('nor where batches are changed at random before the first layer', () => {
    const list = [randomShift(1), randomFlip(), mixUp(), cutout(2), randomRotation(5), mixUp()];
    const large = [
      model([8, 8, 3], [conv2d(32), relu(), flatten(), dense(200), batchNorm(), relu(), dense(10)]),
      model([16, 16, 3], [flatten(), dense(300), relu(), dense(10)]),
    ];
    for (const of of large) {
      for (const entries of [list, list.slice(0, 1), list.slice(2, 3), list.slice(3, 4)]) {
        const augment = checkAugment('augment', entries, of.inputs[0], undefined, []);
        const training = program(of, 'train', 64, { features: ['u8'], augment: [augment], threads: 2 }, new Adam());
        expect(kernelsOf(training.instructions)).toEqual(expect.arrayContaining(['gatherBytes', 'adam']));
        // A program that is made for several threads runs on as many.
        const counts = training.threads > 1 ? [training.threads] : [2, 3];
        for (const parts of counts) expect(findRace(training, parts, [64, 64, 20])).toBeUndefined();
      }
    }
  });

  it("nor where all of a kernel that is shared out in parts is one thread's", () => {
    const layers = [depthwiseConv2d({ multiplier: 2 }), relu(), conv2d(4, { groups: 2 }), flatten(), dense(3)];
    const of = program(model([6, 6, 2], layers), 'train', 8);
    expect(of.threads).toBe(1);
    expect(kernelsOf(of.instructions)).toContain('groupedConv2dBackwardParts');
    for (const parts of [2, 3, 8]) expect(findRace(of, parts, [8, 8, 3])).toBeUndefined();
  });

  it('sees memory that is used again', () => {
    const deep = model(
      [640],
      [dense(768), relu(), dense(704), relu(), dense(640), relu(), dense(704), relu(), dense(10)],
    );
    const of = program(deep, 'predict', 512);
    expect(barriersOf(of).length).toBeGreaterThan(0);
    for (const parts of [2, 4]) expect(findRace(of, parts, [512, 512])).toBeUndefined();
  });

  it('has no barrier that could be omitted from the training of a plain network', () => {
    const plain = model([784], [dense(100), relu(), dense(100), relu(), dense(10)]);
    const of = program(plain, 'train', 64, { features: ['u8'] }, new Adam());
    const barriers = of.instructions.map((instruction) => instruction.barrier);
    expect(findRace(of, 2, [64, 64, 64])).toBeUndefined();
    barriers.forEach((present, index) => {
      if (!present) return;
      const without = barriers.map((barrier, i) => barrier && i !== index);
      expect(findRace(of, 2, [64, 64, 64], without), `${index} ${of.instructions[index].kernel}`).toBeDefined();
    });
  });

  it('has exactly these barriers in a plain network', () => {
    const of = program(
      model([784], [dense(100), relu(), dense(100), relu(), dense(10)]),
      'train',
      64,
      { features: ['u8'] },
      new Adam(),
    );
    expect(of.instructions.map(({ kernel, barrier }) => `${barrier ? '| ' : ''}${kernel}`)).toEqual([
      'gatherBytes',
      '| denseForward', // reads weights that all have updated
      'denseForward',
      'denseForward',
      'gatherLabels',
      'softmaxCrossEntropy',
      'accuracyLabels',
      'denseBackwardInput',
      'reluBackward',
      'denseBackwardInput',
      'reluBackward',
      '| batchTotals', // serial, at a barrier, since the weight gradients sum over rows of all threads
      'denseBackwardBias',
      'denseBackwardWeight',
      'denseBackwardBias',
      'denseBackwardWeight',
      'denseBackwardBias',
      'denseBackwardWeight',
      '| adam', // divides the parameters in another way
    ]);
  });

  it('has two barriers in a step of a plain network whose first layer is shared out by inputs', () => {
    const plain = model([784], [dense(100), relu(), dense(100), relu(), dense(10)]);
    const of = program(plain, 'train', 64, { features: ['u8'], threads: 2 }, new Adam());
    expect(of.threads).toBe(2);
    expect(barriersOf(of)).toEqual(['denseForwardSum', 'batchTotals']);
    expect(findRace(of, 2, [64, 64])).toBeUndefined();
    for (const left of ['denseForwardSum', 'batchTotals']) {
      const barriers = of.instructions.map(({ barrier, kernel }) => barrier && kernel !== left);
      expect(findRace(of, 2, [64, 64], barriers)).toBeDefined();
    }
  });

  it('brings each update directly behind the gradient that it reads', () => {
    const wide = model([784], [dense(2048), relu(), dense(1024), relu(), dense(10)], softmaxCrossEntropy(), l2(0.1));
    const of = program(wide, 'train', 128, { features: ['u8'], threads: 2 }, new Adam());
    expect(findRace(of, 2, [128])).toBeUndefined();
    const names = of.instructions.map(({ kernel, arguments: list }) => `${kernel} ${(list[0] as Tensor).name}`);
    const at = names.indexOf('denseBackwardWeight 2.weight');
    expect(names.slice(at, at + 3)).toEqual([names[at], 'penaltyGradient 2.weight', 'adam parameters of 2.weight']);
  });

  it('brings none before the guard: clipping to a norm needs all gradients', () => {
    const wide = model([784], [dense(2048), batchNorm(), relu(), dense(1024), relu(), dense(10)]);
    for (const optimizer of [
      new Sgd({ clipNorm: 1 }),
      new Sgd({ clipValue: 1, momentum: 0.9 }),
      new Adam({ amsGrad: true }),
    ]) {
      const of = program(wide, 'train', 64, { features: ['u8'], threads: 2 }, optimizer);
      expect(findRace(of, 2, [64])).toBeUndefined();
      const guard = of.instructions.findIndex((instruction) => instruction.guard);
      const update = of.instructions.findIndex(({ kernel }) => kernel === 'sgd' || kernel === 'amsGrad');
      expect(update).toBeGreaterThan(guard);
    }
  });

  it('needs none to predict with a plain network, and two for the statistics of batch norm in training', () => {
    const plain = model([784], [dense(100), relu(), dense(10)]);
    expect(barriersOf(program(plain, 'predict', 64))).toEqual([]);
    expect(barriersOf(program(plain, 'forward', 64, { direct: true }))).toEqual([]);
    const normed = program(model([8], [dense(8), batchNorm(), relu()]), 'forwardTraining', 16);
    expect(normed.instructions.map(({ kernel, barrier }) => [kernel, barrier])).toEqual([
      ['gatherFloats', false],
      ['denseForward', false],
      ['batchNormParts', true],
      ['batchNormStatistics', true],
      ['batchNormInference', false],
      ['relu', false],
      ['identity', false],
    ]);
  });

  it('has one barrier for each direction of batch norm that is divided by rows', () => {
    const normed = model([784], [dense(100), batchNorm(), relu(), dense(100), batchNorm(), relu(), dense(10)]);
    const of = program(normed, 'train', 64, { features: ['u8'], threads: 2 }, new Adam());
    expect(barriersOf(of)).toEqual([
      'denseForwardSum',
      'batchNormStatistics',
      'batchNormStatistics',
      'batchTotals',
      'batchNormBackwardInput',
      'denseBackwardBias',
    ]);
    expect(findRace(of, 2, [64, 64])).toBeUndefined();
    of.instructions.forEach(({ barrier: marked }, left) => {
      const barriers = of.instructions.map(({ barrier }, i) => barrier && i !== left);
      if (marked) expect(findRace(of, 2, [64, 64], barriers)).toBeDefined();
    });
  });

  it('guards the totals of a step that updates, or the check of its gradients, at a barrier before anything is changed', () => {
    const of = model([4], [dense(8), batchNorm(), dropout(0.5), dense(3)], softmaxCrossEntropy(), l2(0.1));
    for (const kind of kinds) {
      const guards = program(of, kind, 8).instructions.flatMap(({ guard, kernel }) => (guard ? [kernel] : []));
      expect(guards, kind).toEqual(kind === 'train' ? ['batchTotals'] : kind === 'update' ? ['squareSum'] : []);
    }
    const { instructions } = program(of, 'train', 8);
    const totals = instructions.findIndex(({ guard }) => guard);
    expect(instructions[totals].barrier).toBe(true);
    expect(instructions.slice(0, totals).some(({ kernel }) => kernel === 'sgd')).toBe(false);
  });
});
