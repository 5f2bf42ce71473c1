import { elementBytes } from '../kernels/signature.js';
import { type Instruction, isTensor, type Tensor } from './instructions.js';
import { BLOCK, roundUp } from './model.js';

const BOUNDARY = BLOCK * elementBytes.f32;

interface Lifetime {
  readonly tensor: Tensor;
  readonly first: number;
  last: number;
  /** Size and start, both in bytes. */
  readonly length: number;
  begin: number;
}

function overlap(a: Lifetime, b: Lifetime): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/**
 * Smaller tensors (in bytes) get memory of their own. Reusing memory forces threads to wait for each other, which costs
 * small programs more than the cache saves.
 */
const SHARING_PAYS = 1 << 20;

/**
 * Places the work tensors in one block, sets their offsets and returns the block's length in bytes. Two tensors share
 * memory only if both are large and their lifetimes don't overlap. Places the largest first, each at the lowest free
 * offset.
 */
export function placeWork(instructions: readonly Instruction[], capacity: number): number {
  const lifetimes = new Map<Tensor, Lifetime>();
  instructions.forEach((instruction, index) => {
    for (const tensor of instruction.arguments.filter(isTensor)) {
      if (tensor.storage !== 'work') continue;
      const known = lifetimes.get(tensor);
      if (known !== undefined) known.last = index;
      else {
        const length = roundUp((tensor.perRow * capacity + tensor.fixed) * elementBytes[tensor.type], BOUNDARY);
        lifetimes.set(tensor, { tensor, first: index, last: index, length, begin: 0 });
      }
    }
  });

  const placed: Lifetime[] = [];
  let total = 0;
  for (const lifetime of [...lifetimes.values()].sort((a, b) => b.length - a.length || a.first - b.first)) {
    const neighbours = placed
      .filter((other) => other.length < SHARING_PAYS || lifetime.length < SHARING_PAYS || overlap(other, lifetime))
      .sort((a, b) => a.begin - b.begin);
    let begin = 0;
    for (const other of neighbours) {
      if (begin + lifetime.length <= other.begin) break;
      begin = Math.max(begin, other.begin + other.length);
    }
    lifetime.begin = begin;
    lifetime.tensor.offset = begin / elementBytes[lifetime.tensor.type];
    placed.push(lifetime);
    total = Math.max(total, begin + lifetime.length);
  }
  return total;
}
