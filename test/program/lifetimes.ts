import type { Program } from '../../lib/program/compile.js';
import { isTensor, type Tensor } from '../../lib/program/instructions.js';

interface Lifetime {
  readonly tensor: Tensor;
  readonly first: number;
  last: number;
  readonly end: number;
}

/** The work tensors of a program, with the first and the last instruction that touches each. */
export function lifetimes({ instructions, request }: Program): Lifetime[] {
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
export function sharing(of: Program): { atOnce: string[]; inTurn: number } {
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
