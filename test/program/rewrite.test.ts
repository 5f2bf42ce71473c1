import { describe, expect, it } from 'vitest';
import { dense, dropout, elu, gelu, type LayerSpec, leakyRelu, relu, selu, sigmoid, silu, softmax, softplus, tanh } from '../../lib/index.js';
import type { ProgramKind } from '../../lib/program/compile.js';
import type { Instruction } from '../../lib/program/instructions.js';
import { fusedActivations } from '../../lib/program/signatures.js';
import { argumentOf, kernelsOf, kinds, model, program, randomProgram } from './support.js';

const compiled = (layers: LayerSpec[], kind: ProgramKind, rewrite = true) => program(model([6], layers), kind, 8, { rewrite }).instructions;

describe('an activation goes into the dense kernel', () => {
  const fused: [string, LayerSpec, number][] = [
    ['relu', relu(), 0],
    ['leakyRelu', leakyRelu({ slope: 0.3 }), 0.3],
    ['elu', elu({ alpha: 0.7 }), 0.7],
    ['selu', selu(), 0],
    ['sigmoid', sigmoid(), 0],
    ['tanh', tanh(), 0],
    ['softplus', softplus(), 0],
  ];
  it.each(fused)('%s, in training and inference', (name, layer, slope) => {
    for (const kind of ['train', 'gradients', 'evaluate', 'predict', 'forward'] as const) {
      const instructions = compiled([dense(5), layer, dense(3)], kind);
      expect(kernelsOf(instructions)).not.toContain(name);
      const first = instructions.find(({ kernel }) => kernel === 'denseForward') as Instruction;
      expect(argumentOf(first, 'activation')).toBe(fusedActivations.indexOf(name as 'relu'));
      expect(argumentOf(first, 'slope')).toBe(slope);
      expect(kernelsOf(compiled([dense(5), layer, dense(3)], kind, false))).toContain(name);
    }
  });

  it('with its gradient following from the output that is kept', () => {
    const instructions = compiled([dense(5), tanh(), dense(3)], 'train');
    const forward = instructions.find(({ kernel }) => kernel === 'denseForward') as Instruction;
    const backward = instructions.find(({ kernel }) => kernel === 'tanhBackward') as Instruction;
    expect(argumentOf(backward, 'y')).toBe(argumentOf(forward, 'y'));
  });

  it.each<[string, LayerSpec]>([['gelu', gelu()], ['silu', silu()]])('but not %s: its gradient needs the value before it', (name, layer) => {
    for (const kind of ['train', 'predict'] as const) expect(kernelsOf(compiled([dense(5), layer, dense(3)], kind))).toContain(name);
  });

  it('but not softmax, and no activation without a dense layer right before it', () => {
    expect(kernelsOf(compiled([dense(5), softmax(), dense(3)], 'train'))).toContain('softmax');
    expect(kernelsOf(compiled([relu(), dense(3)], 'train'))).toContain('relu');
    expect(kernelsOf(compiled([dense(5), dropout(0.5), relu(), dense(3)], 'train'))).toContain('relu');
    const twice = compiled([dense(5), relu(), tanh(), dense(3)], 'train');
    expect(kernelsOf(twice)).toContain('tanh');
    expect(kernelsOf(twice)).not.toContain('relu');
  });

  it('but not what else reads the value before it', () => {
    // The output of this dense layer is the prediction, and so is that of the layer behind it.
    const instructions = compiled([dense(5), gelu(), relu(), dense(3)], 'train');
    expect(kernelsOf(instructions)).toEqual(expect.arrayContaining(['gelu', 'relu', 'geluBackward', 'reluBackward']));
  });
});

describe('weight gradients', () => {
  it('come after the chain of input gradients', () => {
    const kernels = kernelsOf(compiled([dense(5), relu(), dense(4), relu(), dense(3)], 'train'));
    const backward = kernels.filter((kernel) => /Backward/.test(kernel));
    expect(backward).toEqual([
      'denseBackwardInput',
      'reluBackward',
      'denseBackwardInput',
      'reluBackward',
      'denseBackwardWeight',
      'denseBackwardBias',
      'denseBackwardWeight',
      'denseBackwardBias',
      'denseBackwardWeight',
      'denseBackwardBias',
    ]);
  });

  it('stay before an instruction that overwrites what they read', () => {
    for (let seed = 0; seed < 200; seed++) {
      const { instructions } = randomProgram(seed);
      const plain = new Map<unknown, number>();
      // Whatever a weight gradient reads was last written before it in the order that the layers gave.
      instructions.forEach((instruction, index) => {
        if (instruction.kernel === 'denseBackwardWeight') plain.set(argumentOf(instruction, 'dy'), index);
      });
      instructions.forEach((instruction, index) => {
        if (!/Backward$|multiply/.test(instruction.kernel)) return;
        const written = argumentOf(instruction, instruction.kernel === 'multiply' ? 'y' : 'dx');
        expect(plain.get(written) ?? index, `program ${seed}`).toBeGreaterThanOrEqual(index);
      });
    }
  });
});

describe('the rules', () => {
  it('keep every kernel but the fused activations', () => {
    for (const kind of kinds) {
      const layers = [dense(5), gelu(), dense(4), dropout(0.2), dense(3)];
      expect([...kernelsOf(compiled(layers, kind))].sort()).toEqual([...kernelsOf(compiled(layers, kind, false))].sort());
    }
  });
});
