import { describe, expect, it } from 'vitest';
import { dense, relu } from '../../lib/index.js';
import type { Program } from '../../lib/program/compile.js';
import { isTensor, type Tensor } from '../../lib/program/instructions.js';
import { kinds, model, program, randomProgram } from './support.js';

interface Lifetime {
  readonly tensor: Tensor;
  readonly first: number;
  last: number;
  readonly end: number;
}

function lifetimes({ instructions, request }: Program): Lifetime[] {
  const found = new Map<Tensor, Lifetime>();
  instructions.forEach(({ arguments: list }, index) => {
    for (const tensor of list.filter(isTensor).filter(({ storage }) => storage === 'work')) {
      const known = found.get(tensor);
      const end = tensor.offset + tensor.perRow * request.capacity + tensor.fixed;
      if (known === undefined) found.set(tensor, { tensor, first: index, last: index, end });
      else known.last = index;
    }
  });
  return [...found.values()];
}

/** Pairs of tensors in the same memory: those that are alive at once, and those that are not. */
function sharing(of: Program): { atOnce: string[]; inTurn: number } {
  const list = lifetimes(of);
  const atOnce: string[] = [];
  let inTurn = 0;
  list.forEach((a, i) =>
    list.slice(0, i).forEach((b) => {
      if (!(a.tensor.offset < b.end && b.tensor.offset < a.end)) return;
      if (a.first <= b.last && b.first <= a.last) atOnce.push(`${a.tensor.name} and ${b.tensor.name}`);
      else inTurn++;
    }),
  );
  return { atOnce, inTurn };
}

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
