import { describe, expect, it } from 'vitest';
import { type KernelName, kernelNames } from '../../lib/kernels/table.js';
import { asStored, lengthOf, outputsOf, parametersOf } from './call.js';
import { cases } from './cases/index.js';
import { checkReferenceGradients } from './gradients.js';
import { erfc, threefry2x32 } from './reference/special.js';
import { toleranceOf } from './tolerances.js';

const isLoss = (kernel: KernelName) => outputsOf(kernel).some((p) => p.name === 'dprediction');

describe('the suite itself', () => {
  it('has cases for every kernel of the table, and for no other', () => {
    expect(Object.keys(cases).sort()).toEqual([...kernelNames].sort());
  });

  it.each(kernelNames)('%s: samples fit the signature, and every output has a tolerance', (kernel) => {
    const { samples, reference } = cases[kernel];
    expect(samples.length).toBeGreaterThan(5);
    for (const { name } of outputsOf(kernel)) expect(() => toleranceOf(kernel, name)).not.toThrow();
    for (const sample of samples) {
      for (const parameter of parametersOf(kernel)) {
        const value = sample.arguments[parameter.name];
        if (parameter.kind === 'out') expect(value ?? null, parameter.name).toBeNull();
        else expect(value, `${kernel}: ${parameter.name}`).toBeDefined();
        if ('length' in parameter && typeof value === 'object' && value !== null) {
          expect(value.length, `${kernel}: ${parameter.name}`).toBe(lengthOf(parameter, sample.arguments));
        }
      }
    }
    const outputs = new Set(samples.flatMap((sample) => Object.keys(reference(asStored(kernel, sample)))));
    expect([...outputs].sort()).toEqual(
      outputsOf(kernel)
        .map((p) => p.name)
        .sort(),
    );
  });

  it('tests every optional buffer both given and null', () => {
    for (const kernel of kernelNames) {
      for (const parameter of parametersOf(kernel)) {
        if (!('optional' in parameter) || !parameter.optional) continue;
        const absent = cases[kernel].samples.filter((sample) => sample.arguments[parameter.name] === null).length;
        expect(absent, `${kernel}: ${parameter.name} null`).toBeGreaterThan(0);
        expect(absent, `${kernel}: ${parameter.name} given`).toBeLessThan(cases[kernel].samples.length);
      }
    }
  });

  const differentiated = kernelNames.filter(
    (kernel) => kernel.includes('Backward') || isLoss(kernel) || kernel === 'penaltyGradient',
  );

  it.each(differentiated)('%s: the reference agrees with finite differences', (kernel) => {
    expect(cases[kernel].gradients?.length).toBeGreaterThan(0);
    checkReferenceGradients(kernel, cases[kernel]);
  });

  it('knows the published Threefry-2x32 answers', () => {
    expect(threefry2x32([0, 0], [0, 0])).toEqual([0x6b200159, 0x99ba4efe]);
    expect(threefry2x32([0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff])).toEqual([0x1cb996fc, 0xbb002be7]);
    expect(threefry2x32([0x13198a2e, 0x03707344], [0x243f6a88, 0x85a308d3])).toEqual([0xc4923a9c, 0x483df7a0]);
  });

  it('knows tabulated values of erfc, on both sides of its two formulas', () => {
    const table = [
      [0, 1],
      [0.5, 0.4795001221869535],
      [1, 0.15729920705028513],
      [3, 2.209049699858544e-5],
      [5, 1.5374597944280349e-12],
      [-1, 1.8427007929497148],
    ];
    for (const [z, value] of table) expect(Math.abs(erfc(z) / value - 1)).toBeLessThan(1e-11);
    expect(erfc(2.9999999999) / erfc(3.0000000001)).toBeCloseTo(1, 8);
  });
});
