/** Programs of several ranks: what is summed over them, and where. */
import { describe, expect, it } from 'vitest';
import {
  Adam,
  batchNorm,
  cutout,
  dense,
  dropout,
  flatten,
  gelu,
  type LayerSpec,
  layerNorm,
  Muon,
  meanSquaredError,
  mixUp,
  Network,
  type Optimizer,
  randomFlip,
  randomShift,
  relu,
  Sgd,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import { checkAugment } from '../../lib/program/augment.js';
import { type Instruction, isTensor, type Tensor } from '../../lib/program/instructions.js';
import { goalsOf } from '../../lib/program/model.js';
import { dividing, drawing } from '../../lib/program/ranks.js';
import { RandomStream } from '../../lib/random.js';
import { divide, joinBatches, largest, rowsOf, shareBatches } from '../../lib/runtime/batches.js';
import { kernelsOf, model, program, randomTrainings } from './support.js';
import { findRace } from './threads.js';

const ranks = { ranks: { sums: 'gradients', allRows: 0, divided: 1 } } as const;

describe('a program of several ranks', () => {
  it('sums on one thread, and no thread touches what another one writes', () => {
    for (const of of randomTrainings(16, ranks)) {
      const { capacity } = of.request;
      expect(findRace(of, of.threads, [capacity, capacity])).toBeUndefined();
      const sums = of.instructions.filter(({ kernel }) => kernel === 'allReduce');
      expect(sums.length).toBeGreaterThan(0);
      for (const { serial, conditional = false } of sums) expect([serial, conditional]).toEqual([true, false]);
    }
  });

  it('sums after the backward pass, and adds penalties, guards and updates after it', () => {
    const of = model([20], [dense(8), batchNorm(), relu(), dropout(0.5), dense(3)], softmaxCrossEntropy(), {
      l1: 0,
      l2: 1,
    });
    const list = program(of, 'train', 16, ranks, new Sgd({ clipNorm: 1 })).instructions;
    const kernels = kernelsOf(list);
    const sum = kernels.indexOf('allReduce');
    expect(kernels.filter((kernel) => kernel === 'allReduce')).toHaveLength(1);
    for (const after of ['penaltyGradient', 'squareSum', 'clipNorm', 'sgd'] as const)
      expect(kernels.indexOf(after), after).toBeGreaterThan(sum);
    for (const before of ['denseBackwardWeight', 'denseBackwardBias', 'batchTotals'] as const)
      expect(kernels.lastIndexOf(before), before).toBeLessThan(sum);
    expect(list.findIndex(({ guard }) => guard)).toBeGreaterThan(sum);
    expect(list.filter(({ overRanks }) => overRanks).map(({ kernel }) => kernel)).toEqual([
      'dropoutForward',
      'softmaxCrossEntropy',
    ]);
  });

  it('sums the weights of rows before the losses are weighed', () => {
    const goals = [{ target: 'labels', weighted: true }] as const;
    const kernels = kernelsOf(program(model([20], [dense(3)]), 'train', 16, { ...ranks, goals }).instructions);
    expect(kernels.filter((kernel) => kernel === 'allReduce')).toHaveLength(2);
    expect(kernels.indexOf('allReduce')).toBeGreaterThan(kernels.indexOf('sumWeights'));
    expect(kernels.indexOf('allReduce')).toBeLessThan(kernels.indexOf('weighRows'));
  });

  it('starts sums of 1 MB or more where their gradients are there, and waits before the guard', () => {
    const of = model([20], [dense(600), relu(), dense(500), relu(), dense(600), relu(), dense(3)]);
    for (const threads of [1, 2]) {
      const { instructions } = program(of, 'train', 16, { ...ranks, threads });
      const started = instructions.flatMap(({ kernel, arguments: [values, n] }, i) =>
        kernel === 'startSum' ? [{ i, values: values as Tensor, n: n as number }] : [],
      );
      expect(started).toHaveLength(2);
      for (const { i, values, n } of started) {
        const end = values.offset + n;
        for (const [at, other] of instructions.entries()) {
          if (other.kernel === 'startSum' || at > instructions.findIndex(({ guard }) => guard)) continue;
          const touches = other.arguments.some(
            (each) =>
              isTensor(each as Tensor) &&
              (each as Tensor).storage === 'gradient' &&
              (each as Tensor).offset < end &&
              (each as Tensor).offset + (each as Tensor).fixed > values.offset,
          );
          if (touches) expect(at).toBeLessThan(i);
        }
        expect(instructions.slice(i).some(({ kernel }) => kernel === 'denseBackwardWeight')).toBe(true);
      }
      // All gradients are summed once.
      const last = instructions.find(({ kernel, arguments: list }) => kernel === 'allReduce' && list.at(-1) === 1);
      const sums = started.reduce((sum, { n }) => sum + n, last?.arguments[2] as number);
      expect(sums).toBe(of.parameterLength);
    }
  });

  it('divides the update of blocks that are summed early, and gathers their parameters', () => {
    const of = model([20], [dense(600), relu(), dense(500), relu(), dense(600), relu(), dense(3)], undefined, {
      l1: 0,
      l2: 1,
    });
    const divided = { ranks: { ...ranks.ranks, divided: 2 } } as const;
    const optimizers = [
      new Adam(),
      new Sgd({ clipValue: 1, averageWeights: {}, groups: [{ match: /bias/ as RegExp, learningRate: 0.1 }] }),
      new Sgd({ groups: [{ match: '4.weight', frozen: true }] }),
    ];
    for (const optimizer of optimizers) {
      for (const threads of [1, 2, 3]) {
        const made = program(of, 'train', 16, { ...divided, threads }, optimizer);
        expect(findRace(made, made.threads, [16, 16])).toBeUndefined();
        const { instructions } = made;
        const blocks = instructions.flatMap(({ kernel, arguments: [values, n, shares] }) => {
          if (kernel !== 'startSum') return [];
          // Biases, which are a group of their own, are not worth a message of their own.
          expect(shares).toBe((n as number) < 2 ** 14 ? 0 : 1);
          if (shares === 0) return [];
          return [[(values as Tensor).offset, (values as Tensor).offset + (n as number)]];
        });
        expect(blocks.length).toBeGreaterThan(0);
        const inBlock = (at: number) => blocks.some(([begin, end]) => at >= begin && at < end);
        const guard = instructions.findIndex(({ guard }) => guard);
        // Each parameter is updated as often as without ranks.
        const updates = (list: readonly Instruction[]) => {
          const counts = new Uint8Array(of.parameterLength);
          for (const {
            kernel,
            arguments: [p],
          } of list) {
            if (kernel !== 'adam' && kernel !== 'sgd' && kernel !== 'averageWeights') continue;
            const at =
              (p as Tensor).offset % ((p as Tensor).storage === 'moment' ? of.momentLength : of.parameterLength);
            for (let i = at; i < at + (p as Tensor).fixed; i++) counts[i]++;
          }
          // Padding stays as it is in any case.
          return [...of.parameters.values()].map(({ tensor: { offset, fixed } }) =>
            Array.from(new Set(counts.subarray(offset, offset + fixed))),
          );
        };
        const one = program(of, 'train', 16, { threads: 1 }, optimizer);
        expect(updates(instructions)).toEqual(updates(one.instructions));
        for (const { kernel, arguments: list, ownShare = false } of instructions.slice(guard + 1)) {
          if (kernel === 'gatherShares') continue;
          for (const each of list.filter((argument) => isTensor(argument as Tensor)) as Tensor[]) {
            const at = each.storage === 'moment' ? each.offset % of.momentLength : each.offset;
            expect([inBlock(at), inBlock(at + each.fixed - 1)]).toEqual([ownShare, ownShare]);
          }
        }
        const gathers = instructions.filter(({ kernel }) => kernel === 'gatherShares');
        expect(gathers.map(({ arguments: [p] }) => (p as Tensor).storage)).toEqual(blocks.map(() => 'parameter'));
        expect(
          gathers.map(({ arguments: [p, n] }) => [(p as Tensor).offset, (p as Tensor).offset + (n as number)]),
        ).toEqual(blocks.sort(([a], [b]) => a - b));
        const last = instructions.findLastIndex(({ ownShare }) => ownShare);
        expect(instructions.indexOf(gathers[0])).toBeGreaterThan(last);
      }
    }
  });

  it('divides no update that needs more than each element', () => {
    const of = model([20], [dense(600), relu(), dense(500), relu(), dense(3)]);
    const divided = { ranks: { ...ranks.ranks, divided: 2 } } as const;
    const none = (optimizer: Optimizer, changes = {}) => {
      const { instructions } = program(of, 'train', 16, { ...divided, ...changes }, optimizer);
      expect(instructions.some(({ ownShare }) => ownShare)).toBe(false);
      expect(kernelsOf(instructions)).not.toContain('gatherShares');
      for (const { kernel, arguments: list } of instructions) if (kernel === 'startSum') expect(list[2]).toBe(0);
    };
    none(new Sgd({ clipNorm: 1 }));
    none(new Muon());
    none(new Adam(), { accumulate: true });
    // Many small parts: each layer has a group in the middle.
    const deep = model([20], Array.from({ length: 12 }, () => [dense(256), relu()]).flat(), meanSquaredError());
    const groups = [{ match: /bias/ as RegExp, weightDecay: 0 }];
    const { instructions } = program(deep, 'train', 16, divided, new Adam({ weightDecay: 0.1, groups }));
    expect(kernelsOf(instructions)).toContain('startSum');
    expect(kernelsOf(instructions)).not.toContain('gatherShares');
  });

  it('averages parameters and moments at the end of several steps, and updates without a sum of gradients', () => {
    const of = model([20], [dense(8), relu(), dense(3)], softmaxCrossEntropy(), { l1: 0, l2: 1 });
    const local = { ranks: { sums: 'parameters', allRows: 0, divided: 1 } } as const;
    const { instructions, condition } = program(of, 'train', 16, local, new Sgd({ momentum: 0.9 }));
    expect(condition).toBeDefined();
    const means = instructions.filter(({ kernel }) => kernel === 'averageRanks');
    expect(means.map(({ arguments: [values] }) => (values as Tensor).storage)).toEqual(['parameter', 'moment']);
    for (const { serial, conditional } of means) expect([serial, conditional]).toEqual([true, true]);
    const kernels = kernelsOf(instructions);
    expect(kernels.indexOf('averageRanks')).toBeGreaterThan(kernels.lastIndexOf('sgd'));
    expect(kernels.indexOf('penaltyGradient')).toBeLessThan(kernels.indexOf('allReduce'));
    expect(instructions.filter(({ kernel }) => kernel === 'sgd').every(({ ownRows }) => ownRows)).toBe(true);
    expect(instructions.find(({ kernel }) => kernel === 'softmaxCrossEntropy')?.overRanks).toBeFalsy();
    for (const of of randomTrainings(6, local))
      expect(findRace(of, of.threads, [of.request.capacity, of.request.capacity])).toBeUndefined();
  });

  it('sums the statistics of synchronised batch norm, on any number of threads without races', () => {
    const of = model([200], [dense(160), batchNorm({ sync: true }), relu(), dense(150), batchNorm(), dense(30)]);
    for (const threads of [1, 2, 3]) {
      const made = program(of, 'train', 64, { ...ranks, threads });
      expect(findRace(made, made.threads, [64, 64])).toBeUndefined();
      const kernels = kernelsOf(made.instructions);
      expect(kernels.filter((kernel) => kernel === 'batchNormMerge')).toHaveLength(1);
      expect(kernels.filter((kernel) => kernel === 'allReduce')).toHaveLength(3);
      const merge = made.instructions.find(({ kernel }) => kernel === 'batchNormMerge');
      expect([merge?.overRanks, merge?.ownRows]).toEqual([true, undefined]);
    }
    expect(kernelsOf(program(of, 'train', 64, {}).instructions)).not.toContain('batchNormMerge');
  });

  it('gives the rows of all ranks to losses and to what draws random numbers', () => {
    const losses = ['softmaxCrossEntropy', 'softmaxCrossEntropyProbabilities', 'binaryCrossEntropy', 'squaredError'];
    expect(dividing).toEqual(
      expect.arrayContaining([...losses, 'absoluteError', 'huber', 'meanGradient', 'weighRows']),
    );
    const images = ['shiftImages', 'flipImages', 'rotateImages', 'cutImages', 'mixRows'];
    expect(drawing).toEqual(expect.arrayContaining(['dropoutForward', 'dropoutMask', 'gaussianNoise', ...images]));
    for (const other of ['sumWeights', 'batchTotals', 'permutation', 'prelu']) {
      expect([...dividing, ...drawing]).not.toContain(other);
    }
  });

  it('lets no thread touch what another one writes where all ranks change whole batches', () => {
    const lists = [[mixUp()], [mixUp(), randomShift(1)], [mixUp(), randomShift(1), mixUp(), randomFlip(), cutout(2)]];
    const random = new RandomStream(1, 99);
    const pick = <T>(list: readonly T[]): T => list[random.below(list.length)];
    const units = () => pick([200, 784]);
    const between = () => pick<LayerSpec[]>([[relu()], [gelu()], [layerNorm()], [dropout(0.5)]]);
    const seen = new Set<number>();
    for (let i = 0; i < 24; i++) {
      const layers = [flatten(), dense(units()), ...between(), dense(units()), ...between(), dense(784)];
      const of = model([28, 28, 1], pick([layers, layers.slice(0, -2)]), meanSquaredError());
      const list = pick(lists);
      const losses = goalsOf(of).map(({ loss }) => loss);
      const augment = [checkAugment('augment', list, of.inputs[0], undefined, losses)];
      const [rows, all] = pick([
        [32, 64],
        [60, 180],
        [512, 1024],
      ]);
      const goals = [{ target: 'targets', weighted: false }] as const;
      const changes = {
        augment,
        goals,
        threads: 2 + random.below(3),
        ranks: { sums: 'gradients', allRows: all, divided: 1 },
      } as const;
      const made = program(of, 'train', rows, changes);
      seen.add(made.threads);
      expect(made.instructions.some(({ allRows }) => allRows)).toBe(true);
      const batches = [
        [rows, all],
        [rows, all],
        [rows, all - 1],
        [rows - 1, all - 1],
      ] as const;
      expect(findRace(made, made.threads, batches), kernelsOf(made.instructions).join()).toBeUndefined();
    }
    expect(seen.size).toBeGreaterThan(1);
  });

  it('has nothing of it without ranks', () => {
    for (const { instructions } of randomTrainings(8)) {
      expect(kernelsOf(instructions)).not.toContain('allReduce');
      expect(kernelsOf(instructions)).not.toContain('gatherShares');
      expect(instructions.some(({ overRanks }) => overRanks)).toBe(false);
    }
  });
});

describe('the batches of ranks', () => {
  const rowsOfPart = (table: Int32Array) => Array.from({ length: table.length / 4 }, (_, i) => table[4 * i + 1]);

  it('are shares of those that all draw', () => {
    const batches = divide(23, 10);
    const parts = [0, 1, 2, 3].map((rank) => shareBatches(batches, rank, 4));
    for (const [i, of] of [10, 10, 3].entries()) {
      let next = 0;
      for (const each of parts) {
        const [begin, rows, first, all] = each.parts?.table.subarray(4 * i, 4 * i + 4) ?? [];
        expect([begin, first, all, rowsOf(each, i)]).toEqual([10 * i + next, next, of, of]);
        next += rows;
      }
      expect(next).toBe(of);
    }
    expect(parts.map(largest)).toEqual([3, 3, 3, 3]);
  });

  it('go on until the longest rank has no more rows', () => {
    const own = [divide(5, 2), divide(9, 2), divide(1, 1)];
    const joined = own.map((_, rank) => joinBatches(rank, 3, (other) => own[other]));
    expect(joined.map(({ parts }) => rowsOfPart(parts?.table as Int32Array))).toEqual([
      [2, 2, 1, 0, 0],
      [2, 2, 2, 2, 1],
      [1, 0, 0, 0, 0],
    ]);
    expect([0, 1, 2, 3, 4].map((i) => rowsOf(joined[0], i))).toEqual([5, 4, 3, 2, 1]);
    expect(joined[0].rows).toBe(15);
  });
});

it('fit: a group must come from joinGroup, and sharded needs one', async () => {
  const network = new Network({ input: [2], layers: [dense(2)], loss: softmaxCrossEntropy() });
  const group = { rank: 0, size: 1 } as never;
  await expect(network.fit([], { group })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  await expect(network.fit([], { sharded: true })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});
