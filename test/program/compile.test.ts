import { describe, expect, it } from 'vitest';
import {
  Adam,
  batchNorm,
  dense,
  dropout,
  l2,
  meanSquaredError,
  Network,
  relu,
  Sgd,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import { isBuffer } from '../../lib/kernels/signature.js';
import { signatureOf } from '../../lib/kernels/table.js';
import type { ProgramKind } from '../../lib/program/compile.js';
import { isTensor } from '../../lib/program/instructions.js';
import { Listing } from '../../lib/program/listing.js';
import { argumentOf, kernelsOf, kinds, model, program, randomProgram, tensorOf } from './support.js';

const layers = () => [dense(5), batchNorm(), relu(), dropout(0.5), dense(3)];
const of = model([4], layers(), softmaxCrossEntropy(), l2(0.1));

describe('programs of every kind', () => {
  const norm = ['batchNormParts', 'batchNormStatistics', 'batchNormInference'];
  const forward = ['denseForward', ...norm, 'relu', 'dropoutForward', 'denseForward'];
  const inference = ['denseForward', 'batchNormInference', 'relu', 'denseForward'];
  const loss = ['gatherLabels', 'softmaxCrossEntropy', 'accuracyLabels'];
  const totals = ['penalty', 'penalty', 'batchTotals'];
  // Whether running statistics are finite.
  const state = 'penalty';
  const weights = ['denseBackwardWeight', 'denseBackwardBias'];
  const chain = ['denseBackwardInput', 'binary', 'reluBackward', 'batchNormBackwardParts', 'batchNormBackwardInput'];
  const expected: Record<ProgramKind, string[]> = {
    train: [
      'gatherFloats',
      ...forward,
      ...loss,
      ...chain,
      ...weights,
      ...weights,
      'penaltyGradient',
      'penaltyGradient',
      state,
      ...totals,
      'sgd',
    ],
    gradients: [
      'gatherFloats',
      ...forward,
      ...loss,
      ...chain,
      'denseBackwardInput',
      ...weights,
      ...weights,
      'identity',
      'penaltyGradient',
      'penaltyGradient',
      state,
      ...totals,
    ],
    backward: [
      'gatherFloats',
      ...forward,
      'identity',
      ...chain,
      'denseBackwardInput',
      ...weights,
      ...weights,
      'identity',
    ],
    evaluate: ['gatherFloats', ...inference, ...loss, ...totals],
    predict: ['gatherFloats', ...inference, 'softmax'],
    forward: ['gatherFloats', ...inference, 'identity'],
    forwardTraining: ['gatherFloats', ...forward, 'identity'],
    update: ['squareSum', 'sgd'],
  };
  it.each(kinds)('%s', (kind) => {
    const sorted = (list: readonly string[]) => [...list].sort();
    const { instructions } = program(of, kind, 8);
    expect(sorted(kernelsOf(instructions))).toEqual(sorted(expected[kind]));
    expect(kernelsOf(instructions)[0]).toBe(expected[kind][0]);
    expect(kernelsOf(instructions).at(-1)).toBe(expected[kind].at(-1));
  });

  it('read features in place where they may', () => {
    const direct = program(of, 'evaluate', 8, { direct: true }).instructions;
    expect(kernelsOf(direct).some((kernel) => kernel.startsWith('gather'))).toBe(false);
    expect(tensorOf(direct[0], 'x')).toMatchObject({
      storage: 'feed',
      feed: { name: 'features', role: 'batch' },
      perRow: 4,
    });
    expect(kernelsOf(program(of, 'train', 8, { features: ['u8'] }).instructions)[0]).toBe('gatherBytes');
    const values = model([4], [dense(2)], meanSquaredError());
    expect(
      kernelsOf(program(values, 'train', 8, { goals: [{ target: 'targets', weighted: false }] }).instructions).filter(
        (k) => k === 'gatherFloats',
      ).length,
    ).toBe(2);
  });

  it('compute no gradient that nobody needs', () => {
    const { instructions } = program(model([4], [dense(5), relu(), dense(3)]), 'train', 8);
    expect(kernelsOf(instructions).filter((kernel) => kernel === 'denseBackwardInput').length).toBe(1);
    const behind = program(model([4], [relu(), dropout(0.5), dense(3)]), 'train', 8).instructions;
    expect(kernelsOf(behind).filter((kernel) => /reluBackward|binary|BackwardInput/.test(kernel))).toEqual([]);
    const none = program(model([4], [relu()]), 'train', 8).instructions;
    expect(kernelsOf(none)).toEqual([
      'gatherFloats',
      'relu',
      'gatherLabels',
      'softmaxCrossEntropy',
      'accuracyLabels',
      'batchTotals',
    ]);
  });

  it("update the whole parameter block at once, with the optimizer's numbers as scalars", () => {
    const { instructions, scalarCount } = program(of, 'update', 1, {}, new Adam());
    expect(scalarCount).toBe(2);
    const [check, adam] = instructions;
    expect([check.kernel, argumentOf(check, 'n')]).toEqual(['squareSum', of.parameterLength]);
    expect(argumentOf(adam, 'n')).toBe(of.parameterLength);
    expect(tensorOf(adam, 'v').offset - tensorOf(adam, 'm').offset).toBe(of.momentLength);
    expect([argumentOf(adam, 'stepSize'), argumentOf(adam, 'correction')]).toEqual([
      { symbol: 'scalar', slot: 0 },
      { symbol: 'scalar', slot: 1 },
    ]);
  });

  it('give every kernel the arguments of its row in the table', () => {
    for (let seed = 0; seed < 200; seed++) {
      for (const instruction of randomProgram(seed).instructions) {
        const { parameters } = signatureOf(instruction.kernel);
        expect(instruction.arguments.length).toBe(parameters.length);
        parameters.forEach((parameter, i) => {
          const argument = instruction.arguments[i];
          if (!isBuffer(parameter))
            expect(isTensor(argument) || argument === null, `${instruction.kernel}: ${parameter.name}`).toBe(false);
          else if (argument === null) expect(parameter.optional, `${instruction.kernel}: ${parameter.name}`).toBe(true);
          else
            expect(
              isTensor(argument) && argument.type === parameter.type,
              `${instruction.kernel}: ${parameter.name}`,
            ).toBe(true);
        });
      }
    }
  });
});

describe('a listing', () => {
  const plain = () => [dense(100), relu(), dense(10)];

  it('shows kernels, shapes, bytes and operations', () => {
    const listing = new Listing(program(model([784], plain()), 'train', 64, { features: ['u8'] }), 1000);
    expect(listing.instructions.map(({ kernel, buffers }) => `${kernel} ${buffers}`)).toEqual([
      'gatherBytes x[64×784] features[*×784] order[64]',
      'denseForward 1.y[64×100] x[64×784] 0.weight[784×100] 0.bias[100]',
      'denseForward 2.y[64×10] 1.y[64×100] 2.weight[100×10] 2.bias[10]',
      'gatherLabels loss.labels[64] labels[*] order[64]',
      'softmaxCrossEntropy loss.loss[64] loss.dprediction[64×10] 2.y[64×10] loss.labels[64]',
      'accuracyLabels loss.hits[64] 2.y[64×10] loss.labels[64]',
      'denseBackwardInput 2.dx[64×100] loss.dprediction[64×10] 2.weight[100×10]',
      'reluBackward 2.dx[6400] 2.dx[6400] 1.y[6400]',
      'batchTotals meanLoss hitCount loss.loss[64] loss.hits[64]',
      'denseBackwardBias 0.bias[100] 2.dx[64×100]',
      'denseBackwardWeight 0.weight[784×100] x[64×784] 2.dx[64×100]',
      'denseBackwardBias 2.bias[10] loss.dprediction[64×10]',
      'denseBackwardWeight 2.weight[100×10] 1.y[64×100] loss.dprediction[64×10]',
      'sgd parameters[79536] gradients[79536]',
    ]);
    const of = (kernel: string) => listing.instructions.filter((line) => line.kernel === kernel);
    expect(of('denseForward').map(({ flops }) => flops)).toEqual([2 * 64 * 784 * 100, 2 * 64 * 100 * 10]);
    expect(of('denseBackwardInput').map(({ flops }) => flops)).toEqual([2 * 64 * 100 * 10]);
    expect(of('denseBackwardWeight').map(({ flops }) => flops)).toEqual([2 * 64 * 784 * 100, 2 * 64 * 100 * 10]);
    expect(of('reluBackward')[0]).toMatchObject({ flops: 6400, bytes: 3 * 6400 * 4 });
    expect(of('gatherBytes')[0]).toMatchObject({ bytes: 64 * 784 * (4 + 1) + 64 * 4, flops: 64 * 784 });
    expect(of('denseForward')[1].bytes).toBe(4 * (640 + 6400 + 1000 + 10));
    expect(of('sgd')[0].flops).toBe(79536);
    expect(listing.modelBytes).toBe(1000);
  });

  it('prints as a table', () => {
    const text = String(new Listing(program(model([4], plain()), 'predict', 8), 2048));
    expect(text).toBe(
      [
        'predict program, batches of 8: 22.5k FLOP a batch, 3.6k bytes of work memory, 2.0k bytes of parameters, gradients, state and moments',
        '  kernel        buffers                                           bytes   FLOP',
        '  gatherFloats  x[8×4] features[*×4] order[8]                       288     32',
        '  denseForward  1.y[8×100] x[8×4] 0.weight[4×100] 0.bias[100]      5.3k   6.4k',
        '  denseForward  2.y[8×10] 1.y[8×100] 2.weight[100×10] 2.bias[10]   7.6k  16.0k',
        '  softmax       output[8×10] 2.y[8×10]                              640     80',
        '| barrier: all threads wait before this instruction',
      ].join('\n'),
    );
  });

  it('of a network is that of its latest training', () => {
    const network = new Network({
      input: [4],
      layers: layers(),
      loss: softmaxCrossEntropy(),
      seed: 1,
      backend: 'typescript',
    });
    expect(network.program).toMatchObject({ kind: 'gradients', batchSize: 32 });
    const sgd = new Sgd({ momentum: 0.9 });
    network.trainBatch(
      [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
      ],
      [0, 1],
      sgd,
    );
    expect(network.program).toMatchObject({ kind: 'train', batchSize: 2, threads: 1 });
    // Blocks of 16: weight 20 → 32, bias 5 → 16, gamma, beta 16, weight 15 → 16, bias 3 → 16.
    expect(network.program.modelBytes).toBe(4 * (3 * 112 + 2 * 16));
    network.predict([1, 2, 3, 4]);
    expect(network.program.kind).toBe('train');
  });
});
