import { type BufferParameter, grainOf, isBuffer, PARTS } from '../../kernels/signature.js';
import { signatureOf } from '../../kernels/table.js';
import { argument, elementwisePiece, elementwiseTensors } from '../../program/edit.js';
import { axisOf, type Instruction, isTensor, type Tensor } from '../../program/instructions.js';
import { BLOCK } from '../../program/model.js';

/** A gradient, and how the kernel that computes it is split: in multiples of `grain` elements. */
interface SharedGradient {
  readonly tensor: Tensor;
  readonly grain: number;
}

/** The gradients that an instruction computes, split along a constant axis. */
function sharedGradients(instruction: Instruction): SharedGradient[] {
  const { parameters } = signatureOf(instruction.kernel);
  const axis = axisOf(instruction);
  // A single part is not a dimension.
  const first = ({ length }: BufferParameter) => length.find((name) => argument(instruction, name) !== 1);
  return parameters.flatMap((parameter, i) => {
    const tensor = instruction.arguments[i];
    if (!isBuffer(parameter) || parameter.kind === 'in' || axis === undefined) return [];
    const divided = (axis === PARTS && parameter.along) || axis;
    if (first(parameter) !== divided) return [];
    if (tensor === null || !isTensor(tensor) || tensor.storage !== 'gradient') return [];
    const units = argument(instruction, divided);
    return typeof units === 'number' ? [{ tensor, grain: (grainOf(divided) * tensor.fixed) / units }] : [];
  });
}

/** Whether tensors cover a block from `begin` to `end`, except for padding. */
function fill(tensors: readonly Tensor[], begin: number, end: number): boolean {
  let at = begin;
  for (const { offset, fixed } of tensors) {
    if (offset < at || offset - at >= BLOCK) return false;
    at = offset + fixed;
  }
  return at <= end && end - at < BLOCK;
}

/**
 * Splits elementwise work on gradients, mainly the update, by parameters, and each of these in the same way as its
 * gradient. No thread then has to wait for or fetch another's part. If the first layer is split by inputs, each thread
 * reads weights that it has updated itself.
 */
export function shareUpdates(instructions: Instruction[], _capacity: number, threads: number): Instruction[] {
  if (threads < 2) return instructions;
  const known: SharedGradient[] = [];
  return instructions.flatMap((instruction) => {
    const tensors = elementwiseTensors(instruction);
    const gradient = tensors.find(({ storage }) => storage === 'gradient');
    if (gradient === undefined || instruction.ownShare) {
      known.push(
        ...sharedGradients(instruction).filter(({ tensor }) =>
          known.every((other) => other.tensor.offset !== tensor.offset),
        ),
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
      return { ...elementwisePiece(instruction, offset - gradient.offset, fixed, `of ${name}`), grain };
    });
  });
}
