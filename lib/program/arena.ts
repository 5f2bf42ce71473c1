import { type Instruction, isTensor, type Tensor } from './instructions.js';
import { BLOCK, roundUp } from './model.js';

interface Lifetime {
  readonly tensor: Tensor;
  readonly first: number;
  last: number;
  readonly length: number;
}

function overlap(a: Lifetime, b: Lifetime): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/**
 * Tensors of fewer elements have memory of their own: reusing memory makes threads wait for each other, which costs
 * small programs more than the cache they would save.
 */
const SHARING_PAYS = 1 << 18;

/**
 * Places the work tensors in one block, sets their offsets and returns the block's length in elements. Two tensors share
 * memory only when both are large and no instruction lies in both lifetimes. Largest first, each at the lowest free offset.
 */
export function placeWork(instructions: readonly Instruction[], capacity: number): number {
  const lifetimes = new Map<Tensor, Lifetime>();
  instructions.forEach((instruction, index) => {
    for (const tensor of instruction.arguments.filter(isTensor)) {
      if (tensor.storage !== 'work') continue;
      const known = lifetimes.get(tensor);
      if (known !== undefined) known.last = index;
      else {
        const length = roundUp(tensor.perRow * capacity + tensor.fixed, BLOCK);
        lifetimes.set(tensor, { tensor, first: index, last: index, length });
      }
    }
  });

  const placed: Lifetime[] = [];
  let total = 0;
  for (const lifetime of [...lifetimes.values()].sort((a, b) => b.length - a.length || a.first - b.first)) {
    const neighbours = placed
      .filter((other) => other.length < SHARING_PAYS || lifetime.length < SHARING_PAYS || overlap(other, lifetime))
      .sort((a, b) => a.tensor.offset - b.tensor.offset);
    let offset = 0;
    for (const other of neighbours) {
      if (offset + lifetime.length <= other.tensor.offset) break;
      offset = Math.max(offset, other.tensor.offset + other.length);
    }
    lifetime.tensor.offset = offset;
    placed.push(lifetime);
    total = Math.max(total, offset + lifetime.length);
  }
  return total;
}
