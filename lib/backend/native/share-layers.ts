/** Rules for layers on several threads: which axis the threads split the work along. */

import { isBuffer, PARTS, type Parameter } from '../../kernels/signature.js';
import { type KernelName, signatureOf } from '../../kernels/table.js';
import {
  argument,
  biasGradientAlone,
  call,
  namedArguments,
  numberOf,
  withArguments,
  workTensor,
} from '../../program/edit.js';
import { type Argument, axisOf, type Instruction, isTensor, type Tensor } from '../../program/instructions.js';

/**
 * The gradients of a convolution's weights and bias. Split by weights, every thread reads all images, most of which
 * other threads have just written. Split by images, each thread reads its own, and summing the weights costs little
 * compared to that, unless they are many.
 */
export function shareWeights(instructions: Instruction[], capacity: number, threads: number): Instruction[] {
  if (threads < 2) return instructions;
  return instructions.flatMap((instruction) => {
    if (instruction.kernel !== 'conv2dBackwardWeight' || fewWeights(instruction, capacity, threads))
      return [instruction];
    const weights = { ...withArguments(instruction, { dbParts: null }), axis: 'patch' };
    return argument(instruction, 'dbParts') === null ? [weights] : [weights, biasGradientAlone(instruction)];
  });
}

/** Whether all shares' weights together are no larger than the batch's outputs; both are multiples of the filters. */
function fewWeights(instruction: Instruction, capacity: number, threads: number): boolean {
  const rows = argument(instruction, 'rows');
  if (rows === null || typeof rows !== 'object' || isTensor(rows) || rows.symbol !== 'rows' || rows.times !== 1)
    return false;
  const pixels = numberOf(instruction, 'outHeight') * numberOf(instruction, 'outWidth');
  return numberOf(instruction, 'patch') * threads <= capacity * pixels;
}

/** The same with x in blocks. */
function inParts(kernel: KernelName, instruction: Instruction, parts: number): Instruction {
  return call(kernel, { ...namedArguments(instruction), parts });
}

/** Minimum ratio of the weights to the products of all shares. */
const WEIGHTS_TO_PRODUCTS = 3;

/**
 * The layer after the gather, in training. Split by rows, each thread reads weights that other threads have just
 * updated. Split by inputs, each thread gathers, multiplies and updates only its own columns of the batch and rows of
 * the weights.
 */
export function shareInputs(instructions: Instruction[], capacity: number, threads: number): Instruction[] {
  const gather = instructions.find(({ kernel }) => kernel === 'gatherBytes');
  if (gather === undefined || threads < 2) return instructions;
  const x = argument(gather, 'x') as Tensor;
  const users = instructions.filter((instruction) => instruction !== gather && instruction.arguments.includes(x));
  const [forward, backward] = users;
  if (users.length !== 2 || forward.kernel !== 'denseForward' || backward.kernel !== 'denseBackwardWeight')
    return instructions;
  const [inputs, out] = [numberOf(forward, 'in'), numberOf(forward, 'out')];
  if (inputs < WEIGHTS_TO_PRODUCTS * threads * capacity) return instructions;

  const named = (name: string) => argument(forward, name) as Argument;
  const products = workTensor(`${(named('y') as Tensor).name} by inputs`, { perRow: threads * out });
  const [rows, w, b, precision] = [named('rows'), named('w'), named('b'), named('precision')];
  return instructions.flatMap((instruction) => {
    if (instruction === gather) return [inParts('gatherBytesParts', gather, threads)];
    if (instruction === backward) return [inParts('denseBackwardWeightParts', backward, threads)];
    if (instruction !== forward) return [instruction];
    const tail = { activation: named('activation'), slope: named('slope') };
    return [
      call('denseForwardParts', { products, x, w, rows, in: inputs, out, parts: threads, precision }),
      call('denseForwardSum', { y: named('y'), products, b, rows, out, parts: threads, ...tail }),
    ];
  });
}

/** The axis that is the columns of the result. */
const columnAxes: Partial<Record<KernelName, string>> = { denseForward: 'out', denseBackwardInput: 'in' };

/**
 * Split by rows, every thread reads (and BLAS packs) all weights. Split by columns, every thread reads the whole batch.
 * From this ratio of weights to batch, columns are faster, including the additional barriers.
 */
const WEIGHTS_TO_BATCH = 1.5;

export function shareColumns(instructions: Instruction[], capacity: number): Instruction[] {
  return instructions.map((instruction) => {
    const axis = columnAxes[instruction.kernel];
    const rows = argument(instruction, 'rows');
    if (axis === undefined || rows === undefined || rows === null || typeof rows === 'number' || isTensor(rows))
      return instruction;
    if (rows.symbol !== 'rows') return instruction;
    const [inputs, outputs] = [numberOf(instruction, 'in'), numberOf(instruction, 'out')];
    const batch = rows.times * capacity * (inputs + outputs);
    return inputs * outputs >= WEIGHTS_TO_BATCH * batch ? { ...instruction, axis } : instruction;
  });
}

/**
 * Kernels in which each share of the rows computes its own part get as many parts as there are threads. Kernels that
 * take parts read them; for all others they are added up.
 */
export function shareParts(instructions: Instruction[], _capacity: number, threads: number): Instruction[] {
  if (threads < 2) return instructions;
  const isPart = (parameter: Parameter) => isBuffer(parameter) && parameter.length[0] === PARTS;
  const readWhole = new Set(
    instructions.flatMap(({ kernel, arguments: list }) =>
      signatureOf(kernel).parameters.flatMap((parameter, i) =>
        parameter.kind === 'out' || isPart(parameter) ? [] : [list[i]],
      ),
    ),
  );
  const parts = new Map<Argument, Tensor>();
  return instructions.flatMap((instruction) => {
    if (argument(instruction, PARTS) !== 1) return [instruction];
    const sums: Instruction[] = [];
    signatureOf(instruction.kernel).parameters.forEach((parameter, i) => {
      const y = instruction.arguments[i];
      if (!isPart(parameter) || parameter.kind !== 'out' || !isTensor(y) || axisOf(instruction) !== PARTS) return;
      const terms = workTensor(`${y.name} of shares`, { fixed: threads * y.fixed });
      parts.set(y, terms);
      if (y.storage === 'gradient' || readWhole.has(y))
        sums.push(call('sumParts', { y, terms, n: y.fixed, parts: threads }));
    });
    const list = instruction.arguments.map((old) => parts.get(old) ?? old);
    const divided = list.some((now, i) => now !== instruction.arguments[i]);
    return divided ? [withArguments({ ...instruction, arguments: list }, { parts: threads }), ...sums] : [instruction];
  });
}
