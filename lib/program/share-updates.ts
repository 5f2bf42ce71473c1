import { argument, withArguments } from './edit.js';
import { type Instruction, isTensor, type Tensor } from './instructions.js';
import { BLOCK } from './model.js';
import { isBuffer, signatureOf } from './signatures.js';

/** A gradient as the kernel that makes it shares it out: in runs of `grain` elements. */
interface SharedGradient {
  readonly tensor: Tensor;
  readonly grain: number;
}

/** The gradients that an instruction makes and shares out along a constant axis. */
function sharedGradients(instruction: Instruction): SharedGradient[] {
  const { axis, grain, parameters } = signatureOf(instruction.kernel);
  return parameters.flatMap((parameter, i) => {
    const tensor = instruction.arguments[i];
    if (!isBuffer(parameter) || parameter.kind === 'in' || parameter.length[0] !== axis) return [];
    if (tensor === null || !isTensor(tensor) || tensor.storage !== 'gradient') return [];
    const units = argument(instruction, axis);
    return typeof units === 'number' ? [{ tensor, grain: (grain * tensor.fixed) / units }] : [];
  });
}

/** The tensors of an instruction that works element by element on memory that belongs to parameters; none of any other. */
function elementwiseTensors(instruction: Instruction): Tensor[] {
  const { axis, parameters } = signatureOf(instruction.kernel);
  const tensors: Tensor[] = [];
  for (const [i, parameter] of parameters.entries()) {
    const tensor = instruction.arguments[i];
    if (!isBuffer(parameter) || tensor === null || !isTensor(tensor) || parameter.length.length === 0) continue;
    if (parameter.length.join() !== 'n' || tensor.storage === 'work' || tensor.storage === 'feed') return [];
    tensors.push(tensor);
  }
  return axis === 'n' ? tensors : [];
}

/** Whether tensors fill a block from `begin` to `end`, but for padding. */
function fill(tensors: readonly Tensor[], begin: number, end: number): boolean {
  let at = begin;
  for (const { offset, fixed } of tensors) {
    if (offset < at || offset - at >= BLOCK) return false;
    at = offset + fixed;
  }
  return at <= end && end - at < BLOCK;
}

/**
 * What follows on gradients element by element, the update above all, is cut into the parameters, and these are shared out like their
 * gradients: no thread then has to wait for another's part, nor to fetch it, and it finds weights that it has updated itself where
 * the first layer is shared out by inputs.
 */
export function shareUpdates(instructions: Instruction[], _capacity: number, threads: number): Instruction[] {
  if (threads < 2) return instructions;
  const known: SharedGradient[] = [];
  return instructions.flatMap((instruction) => {
    const tensors = elementwiseTensors(instruction);
    const gradient = tensors.find(({ storage }) => storage === 'gradient');
    if (gradient === undefined) {
      known.push(
        ...sharedGradients(instruction).filter(({ tensor }) => known.every((other) => other.tensor.offset !== tensor.offset)),
      );
      return [instruction];
    }
    const end = gradient.offset + gradient.fixed;
    const inside = known
      .filter(({ tensor: { offset } }) => offset >= gradient.offset && offset < end)
      .sort((a, b) => a.tensor.offset - b.tensor.offset);
    if (
      inside.length === 0 ||
      !fill(
        inside.map(({ tensor }) => tensor),
        gradient.offset,
        end,
      )
    )
      return [instruction];
    return inside.map(({ tensor: { name, offset, fixed }, grain }) => {
      const pieces = instruction.arguments.map((old) => {
        if (old === null || !isTensor(old) || !tensors.includes(old)) return old;
        const label = old.fixed === fixed ? old.name : `${old.name.split(' of ')[0]} of ${name}`;
        return { ...old, name: label, offset: old.offset + offset - gradient.offset, fixed };
      });
      return { ...withArguments({ ...instruction, arguments: pieces }, { n: fixed }), grain };
    });
  });
}
