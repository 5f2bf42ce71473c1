import { describe, expect, it } from 'vitest';
import { dense, relu } from '../../lib/index.js';
import { lifetimes, sharing } from './lifetimes.js';
import { kinds, model, program, randomProgram } from './support.js';

describe('the arena', () => {
  it('puts no two tensors that are alive at once into the same memory, in any of 400 random programs', () => {
    for (let seed = 0; seed < 400; seed++) {
      const of = randomProgram(seed, seed % 4 === 0 ? 60 : 1);
      expect(sharing(of).atOnce, `program ${seed}`).toEqual([]);
      for (const { tensor, end } of lifetimes(of)) {
        expect(tensor.offset % 16, tensor.name).toBe(0);
        expect(tensor.offset).toBeGreaterThanOrEqual(0);
        expect(end).toBeLessThanOrEqual(of.workLength);
      }
    }
  });

  it('lets large tensors share memory where their lifetimes allow it', () => {
    const deep = model([1024], [dense(1024), relu(), dense(1024), relu(), dense(1024), relu(), dense(1024), relu(), dense(10)]);
    const of = program(deep, 'predict', 512);
    expect(sharing(of).inTurn).toBeGreaterThan(0);
    const total = lifetimes(of).reduce((sum, { tensor, end }) => sum + end - tensor.offset, 0);
    expect(of.workLength).toBeLessThan(0.7 * total);
  });

  it('gives small tensors memory of their own, so that threads need not wait for each other', () => {
    const small = model([64], [dense(64), relu(), dense(64), relu(), dense(10)]);
    for (const kind of kinds) expect(sharing(program(small, kind, 32)).inTurn, kind).toBe(0);
  });
});
