import { describe, expect, it } from 'vitest';
import { dense, relu } from '../../lib/index.js';
import { type ElementType, elementBytes } from '../../lib/kernels/signature.js';
import { placeWork } from '../../lib/program/arena.js';
import { call } from '../../lib/program/edit.js';
import type { Tensor } from '../../lib/program/instructions.js';
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
    const deep = model(
      [1024],
      [dense(1024), relu(), dense(1024), relu(), dense(1024), relu(), dense(1024), relu(), dense(10)],
    );
    const of = program(deep, 'predict', 512);
    expect(sharing(of).inTurn).toBeGreaterThan(0);
    const total = lifetimes(of).reduce((sum, { tensor, end }) => sum + end - tensor.offset, 0);
    expect(of.workLength).toBeLessThan(0.7 * total);
  });

  it('gives small tensors memory of their own, so that threads need not wait for each other', () => {
    const small = model([64], [dense(64), relu(), dense(64), relu(), dense(10)]);
    for (const kind of kinds) expect(sharing(program(small, kind, 32)).inTurn, kind).toBe(0);
  });

  it('counts bytes: tensors of every element type lie in the block, apart from each other, on 64-byte boundaries', () => {
    const types: ElementType[] = ['f32', 'f64', 'u8', 'i32', 'f64', 'u8', 'f32'];
    for (const elements of [1, 17, 1000, 500_000]) {
      const tensors = types.map(
        (type, i): Tensor => ({ name: `t${i}`, storage: 'work', type, perRow: elements, fixed: 1, offset: -1 }),
      );
      // All are alive at once: the first and the last instruction use each.
      const use = () => tensors.map((x) => call('identity', { y: x, x, n: 1 }));
      const bytes = placeWork([...use(), ...use()], 3);
      const places = tensors
        .map(({ type, offset, perRow, fixed }) => {
          const begin = offset * elementBytes[type];
          return { begin, end: begin + (3 * perRow + fixed) * elementBytes[type] };
        })
        .sort((a, b) => a.begin - b.begin);
      places.forEach(({ begin, end }, i) => {
        expect(begin % 64).toBe(0);
        expect(begin).toBeGreaterThanOrEqual(i === 0 ? 0 : places[i - 1].end);
        expect(end).toBeLessThanOrEqual(bytes);
      });
    }
  });
});
