import { describe, expect, it } from 'vitest';
import { Adam, batchNorm, dense, dropout, l2, relu, Sgd, softmaxCrossEntropy } from '../../lib/index.js';
import { fixedTensor, type Tensor } from '../../lib/program/instructions.js';
import { schedule } from '../../lib/program/schedule.js';
import { kernelsOf, kinds, model, program, randomProgram, randomTrainings } from './support.js';
import { findRace, findRelatedGroups } from './threads.js';

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
    for (const kernel of ['denseForwardParts', 'denseForwardColumns', 'conv2dBackwardParts', 'batchNormParts'] as const)
      expect(large.some(({ instructions }) => kernelsOf(instructions).includes(kernel))).toBe(true);
    for (const of of large) {
      const { capacity } = of.request;
      const race = findRace(of, of.threads, [capacity, capacity]);
      expect(race, kernelsOf(of.instructions).join()).toBeUndefined();
    }
  });

  it('sees memory that is used anew', () => {
    const deep = model([640], [dense(768), relu(), dense(704), relu(), dense(640), relu(), dense(704), relu(), dense(10)]);
    const of = program(deep, 'predict', 512);
    expect(barriersOf(of).length).toBeGreaterThan(0);
    for (const parts of [2, 4]) expect(findRace(of, parts, [512, 512])).toBeUndefined();
  });

  it('has no barrier that could be left out of the training of a plain network', () => {
    const plain = model([784], [dense(100), relu(), dense(100), relu(), dense(10)]);
    const of = program(plain, 'train', 64, { features: 'u8' }, new Adam());
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
      { features: 'u8' },
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
      '| batchTotals', // by one thread, where all meet, since the weight gradients sum over rows of all threads
      'denseBackwardBias',
      'denseBackwardWeight',
      'denseBackwardBias',
      'denseBackwardWeight',
      'denseBackwardBias',
      'denseBackwardWeight',
      '| adam', // divides the parameters in another way
    ]);
  });

  it('lets threads meet twice in a step of a plain network whose first layer is shared out by inputs', () => {
    const plain = model([784], [dense(100), relu(), dense(100), relu(), dense(10)]);
    const of = program(plain, 'train', 64, { features: 'u8', threads: 2 }, new Adam());
    expect(of.threads).toBe(2);
    expect(barriersOf(of)).toEqual(['denseForwardSum', 'batchTotals']);
    expect(findRace(of, 2, [64, 64])).toBeUndefined();
    for (const left of ['denseForwardSum', 'batchTotals']) {
      const barriers = of.instructions.map(({ barrier, kernel }) => barrier && kernel !== left);
      expect(findRace(of, 2, [64, 64], barriers)).toBeDefined();
    }
  });

  it('lets threads take turns at the gradients and updates of large weights, and only there', () => {
    const wide = model([784], [dense(2048), relu(), dense(1024), relu(), dense(10)], softmaxCrossEntropy(), l2(0.1));
    const of = program(wide, 'train', 128, { features: 'u8', threads: 2 }, new Adam());
    const groups = of.instructions.flatMap(({ turn, kernel, arguments: list }) =>
      turn ? [`${kernel} ${(list[0] as Tensor).name}`] : [],
    );
    expect(groups).toEqual([
      'denseBackwardWeight 0.weight',
      'denseBackwardBias 2.bias',
      'denseBackwardWeight 2.weight',
      'denseBackwardBias 4.bias',
      'denseBackwardWeight 4.weight',
    ]);
    expect(findRelatedGroups(of)).toBeUndefined();
    expect(findRace(of, 2, [128])).toBeUndefined();
    // Each update comes behind the gradient that it reads.
    const names = of.instructions.map(({ kernel, arguments: list }) => `${kernel} ${(list[0] as Tensor).name}`);
    const at = names.indexOf('denseBackwardWeight 2.weight');
    expect(names.slice(at, at + 3)).toEqual([names[at], 'penaltyGradient 2.weight', 'adam parameters of 2.weight']);

    const small = model([784], [dense(512), relu(), dense(512), relu(), dense(10)]);
    const without = program(small, 'train', 128, { features: 'u8', threads: 2 }, new Adam());
    expect(without.instructions.some(({ turn }) => turn)).toBe(false);
  });

  it('what lies between two instructions that need each other belongs to them', () => {
    const length = 1 << 20;
    const at = (index: number) => fixedTensor(`p${index}`, 'parameter', length, index * length);
    const copy = (to: number, from: number) => ({
      kernel: 'identity' as const,
      arguments: [at(to), at(from), length],
      barrier: false,
      guard: false,
    });
    const list = schedule([copy(0, 4), copy(1, 5), copy(2, 0), copy(3, 6)], 1);
    expect(list.map(({ turn }) => turn === true)).toEqual([false, false, false, true]);
  });

  it('never in instructions that need each other: clipping to a norm needs all gradients', () => {
    const wide = model([784], [dense(2048), batchNorm(), relu(), dense(1024), relu(), dense(10)]);
    for (const optimizer of [new Sgd({ clipNorm: 1 }), new Sgd({ clipValue: 1, momentum: 0.9 }), new Adam({ amsGrad: true })]) {
      const of = program(wide, 'train', 64, { features: 'u8', threads: 2 }, optimizer);
      expect(findRelatedGroups(of)).toBeUndefined();
      expect(findRace(of, 2, [64])).toBeUndefined();
      const guard = of.instructions.findIndex((instruction) => instruction.guard);
      const update = of.instructions.findIndex(({ kernel }) => kernel === 'sgd' || kernel === 'amsGrad');
      expect(update).toBeGreaterThan(guard);
    }
  });

  it('needs none to predict with a plain network, and two around batch norm in training', () => {
    const plain = model([784], [dense(100), relu(), dense(10)]);
    expect(barriersOf(program(plain, 'predict', 64))).toEqual([]);
    expect(barriersOf(program(plain, 'forward', 64, { direct: true }))).toEqual([]);
    const normed = program(model([8], [dense(8), batchNorm(), relu()]), 'forwardTraining', 16);
    expect(normed.instructions.map(({ kernel, barrier }) => [kernel, barrier])).toEqual([
      ['gatherFloats', false],
      ['denseForward', false],
      ['batchNormForward', true],
      ['relu', true],
      ['identity', false],
    ]);
  });

  it('lets threads that share batch norm out by rows meet once for it, in each direction', () => {
    const normed = model([784], [dense(100), batchNorm(), relu(), dense(100), batchNorm(), relu(), dense(10)]);
    const of = program(normed, 'train', 64, { features: 'u8', threads: 2 }, new Adam());
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

  it('guards the totals of a step that updates, where all threads meet before anything is changed', () => {
    const of = model([4], [dense(8), batchNorm(), dropout(0.5), dense(3)], softmaxCrossEntropy(), l2(0.1));
    for (const kind of kinds) {
      const guards = program(of, kind, 8).instructions.flatMap(({ guard, kernel }) => (guard ? [kernel] : []));
      expect(guards, kind).toEqual(kind === 'train' ? ['batchTotals'] : []);
    }
    const { instructions } = program(of, 'train', 8);
    const totals = instructions.findIndex(({ guard }) => guard);
    expect(instructions[totals].barrier).toBe(true);
    expect(instructions.slice(0, totals).some(({ kernel }) => kernel === 'sgd')).toBe(false);
  });
});
