import { isBuffer, PARTS } from '../../kernels/signature.js';
import { type KernelName, signatureOf, sumsOverRanks } from '../../kernels/table.js';
import { axisOf, type Instruction, isTensor, type Tensor } from '../../program/instructions.js';

const weightGradients: readonly KernelName[] = [
  'denseBackwardWeight',
  'denseBackwardWeightParts',
  'denseBackwardBias',
  'conv2dBackwardWeight',
  'sumParts',
];

/**
 * A weight gradient that reads a tensor of more elements (4 MB) is not moved. Moved after the chain, it would keep the
 * tensor's memory from being reused, and at that size a barrier costs next to nothing.
 */
const LARGEST_KEPT = 1 << 20;

function canWait(instruction: Instruction, capacity: number): boolean {
  return (
    weightGradients.includes(instruction.kernel) &&
    (axisOf(instruction) !== PARTS || instruction.kernel === 'denseBackwardWeightParts') &&
    instruction.arguments.every((argument) => {
      if (argument === null || !isTensor(argument) || argument.storage !== 'work') return true;
      return argument.perRow * capacity + argument.fixed <= LARGEST_KEPT;
    })
  );
}

interface Access {
  readonly reads: Set<Tensor>;
  readonly writes: Set<Tensor>;
}

function access(instruction: Instruction): Access {
  const reads = new Set<Tensor>();
  const writes = new Set<Tensor>();
  signatureOf(instruction.kernel).parameters.forEach((parameter, i) => {
    const tensor = instruction.arguments[i];
    if (!isBuffer(parameter) || !isTensor(tensor)) return;
    if (parameter.kind !== 'out') reads.add(tensor);
    if (parameter.kind !== 'in') writes.add(tensor);
  });
  return { reads, writes };
}

/**
 * Input gradients are split by batch rows, weight gradients by rows of the weight. Interleaved, they would need a
 * barrier at every layer. With all weight gradients after the last input gradient, one barrier is enough. An
 * instruction moves only past others that neither write what it accesses nor read what it writes.
 */
export function groupWeightGradients(instructions: Instruction[], capacity: number): Instruction[] {
  const last = instructions.findLastIndex((instruction) => weightGradients.includes(instruction.kernel));
  const kept: Instruction[] = [];
  let moved: Instruction[] = [];
  for (const instruction of instructions.slice(0, last + 1)) {
    if (sumsOverRanks.includes(instruction.kernel)) {
      // They sum blocks of what was written before.
      kept.push(...moved, instruction);
      moved = [];
      continue;
    }
    if (canWait(instruction, capacity)) {
      moved.push(instruction);
      continue;
    }
    const { reads, writes } = access(instruction);
    const blocks = (candidate: Instruction) => {
      const own = access(candidate);
      return (
        [...own.reads, ...own.writes].some((tensor) => writes.has(tensor)) ||
        [...own.writes].some((tensor) => reads.has(tensor))
      );
    };
    if (moved.some(blocks)) {
      kept.push(...moved);
      moved = [];
    }
    kept.push(instruction);
  }
  // In reverse order: only the last ones depend on what was computed just before, and so need a barrier.
  return [...kept, ...moved.reverse(), ...instructions.slice(last + 1)];
}
