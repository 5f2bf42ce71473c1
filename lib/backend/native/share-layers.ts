/** Rules for layers on several threads: which axis the threads split the work along. */

import type { KernelName } from '../../kernels/table.js';
import { argument, call, namedArguments, numberOf, withArguments, workTensor } from '../../program/edit.js';
import { type Argument, type Instruction, isTensor, rows, type Tensor } from '../../program/instructions.js';

/**
 * The gradients of a convolution's weights and bias. Split by weights, every thread reads all images, most of which
 * other threads have just written. Split by images, each thread reads its own, and summing the weights costs little
 * compared to that.
 */
export function shareImages(instructions: Instruction[], capacity: number, threads: number): Instruction[] {
  if (threads < 2) return instructions;
  const list: Instruction[] = [];
  for (let i = 0; i < instructions.length; i++) {
    const instruction = instructions[i];
    if (instruction.kernel === 'groupedConv2dBackwardParts') {
      list.push(...groupedByImages(instruction, threads));
      continue;
    }
    const named = (name: string) => argument(instruction, name) as Argument;
    if (instruction.kernel !== 'conv2dBackwardWeight' || !fewWeights(instruction, capacity, threads)) {
      list.push(instruction);
      continue;
    }
    const [patch, filters] = [numberOf(instruction, 'patch'), numberOf(instruction, 'filters')];
    const dw = partsOf(named('dw') as Tensor, patch * filters, threads);
    const bias = instructions[i + 1];
    let db: Parts = { parts: null, sums: [] };
    if (bias?.kernel === 'denseBackwardBias' && argument(bias, 'dy') === named('dy')) {
      db = partsOf(argument(bias, 'db') as Tensor, filters, threads);
      i++;
    }
    const outputs = { dwParts: dw.parts, dbParts: db.parts };
    list.push(
      call('conv2dBackwardParts', { ...namedArguments(instruction), ...outputs, parts: threads }),
      ...dw.sums,
      ...db.sums,
    );
  }
  return list;
}

/** Where shares of the images write their parts of a gradient, and the call that adds them. */
interface Parts {
  readonly parts: Tensor | null;
  readonly sums: Instruction[];
}

function partsOf(gradient: Tensor, length: number, threads: number): Parts {
  const parts = workTensor(`${gradient.name} by images`, { fixed: threads * length });
  return { parts, sums: [call('sumParts', { y: gradient, terms: parts, n: length, parts: threads })] };
}

/** These kernels are shared out by images whatever their sizes: groups have few weights. */
function groupedByImages(instruction: Instruction, threads: number): Instruction[] {
  const sizes = (names: readonly string[]) => names.reduce((product, name) => product * numberOf(instruction, name), 1);
  const filters = sizes(['groups', 'filters']);
  const dw = partsOf(
    argument(instruction, 'dwParts') as Tensor,
    sizes(['windowHeight', 'windowWidth', 'channels']) * filters,
    threads,
  );
  const bias = argument(instruction, 'dbParts') as Tensor | null;
  const db: Parts = bias === null ? { parts: null, sums: [] } : partsOf(bias, filters, threads);
  const outputs = { dwParts: dw.parts, dbParts: db.parts };
  return [withArguments(instruction, { ...outputs, parts: threads }), ...dw.sums, ...db.sums];
}

/** Whether all shares' weights together are no larger than the batch's outputs; both are multiples of the filters. */
function fewWeights(instruction: Instruction, capacity: number, threads: number): boolean {
  const rows = argument(instruction, 'rows');
  if (rows === null || typeof rows !== 'object' || isTensor(rows) || rows.symbol !== 'rows' || rows.times !== 1)
    return false;
  const pixels = numberOf(instruction, 'outHeight') * numberOf(instruction, 'outWidth');
  return numberOf(instruction, 'patch') * threads <= capacity * pixels;
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
    if (instruction === gather) return [{ ...gather, axis: 'features' }];
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
 * Split by features, batch norm needs two barriers between layers that are split by rows, and threads read what others
 * have just written. With few features, most threads get none. Split by rows, threads exchange only the sums of their
 * shares. After a layer that is split by columns, batch norm stays unchanged.
 */
export function shareBatchNorm(instructions: Instruction[], _capacity: number, threads: number): Instruction[] {
  if (threads < 2) return instructions;
  const columns = new Set(
    instructions
      .filter(({ kernel, axis }) => kernel === 'denseForward' && axis === 'out')
      .map(({ arguments: [y] }) => y),
  );
  const shared = new Set<Argument | undefined>();
  return divideStatistics(instructions, threads).flatMap((instruction) => {
    const { kernel } = instruction;
    if (kernel === 'batchNormForward' && !columns.has(argument(instruction, 'x') as Argument)) {
      shared.add(argument(instruction, 'mean'));
      return batchNormByRows(instruction, threads);
    }
    const backward = kernel === 'batchNormBackward' && shared.has(argument(instruction, 'mean'));
    return backward ? batchNormBackwardByRows(instruction, threads) : [instruction];
  });
}

/** The statistics over several ranks, of which each thread sums those of its own rows. */
function divideStatistics(instructions: readonly Instruction[], threads: number): Instruction[] {
  const divided = new Map<Argument, Tensor>();
  for (const { kernel, arguments: list } of instructions) {
    const outputs = kernel === 'batchNormParts' ? 3 : kernel === 'batchNormBackwardParts' ? 2 : 0;
    for (const part of list.slice(0, outputs) as Tensor[])
      divided.set(part, workTensor(part.name, { fixed: threads * part.fixed }));
  }
  return instructions.map((instruction) => {
    if (!instruction.arguments.some((each) => divided.has(each))) return instruction;
    const list = instruction.arguments.map((each) => divided.get(each) ?? each);
    return withArguments({ ...instruction, arguments: list }, { parts: threads });
  });
}

/** A batch norm's arguments by name, and the sizes of its shares: whole rows of the batch, of `pixels` pixels each. */
function batchNormArguments(instruction: Instruction, parts: number) {
  const named = namedArguments(instruction);
  const { times: pixels } = named.rows as Extract<Argument, { symbol: 'rows' }>;
  const features = numberOf(instruction, 'features');
  const ofShares = (name: string) => workTensor(`${name} of shares`, { fixed: parts * features });
  return { named, features, ofShares, sizes: { rows: rows(), pixels, features, parts } };
}

function batchNormByRows(instruction: Instruction, threads: number): Instruction[] {
  const { named, features, ofShares, sizes } = batchNormArguments(instruction, threads);
  const mean = named.mean as Tensor;
  const [means, rests, squares] = ['', ': rests', ': squares'].map((what) => ofShares(`${mean.name}${what}`));
  const variance = workTensor(`${mean.name}: variance`, { fixed: features });
  return [
    call('batchNormParts', { ...named, means, rests, squares, ...sizes }),
    call('batchNormStatistics', { ...named, variance, means, rests, squares, ...sizes }),
    call('batchNormInference', { ...named, runningMean: mean, runningVariance: variance }),
  ];
}

function batchNormBackwardByRows(instruction: Instruction, threads: number): Instruction[] {
  const { named, features, ofShares, sizes } = batchNormArguments(instruction, threads);
  const [dgamma, dbeta] = [named.dgamma as Tensor, named.dbeta as Tensor];
  const [dgammaParts, dbetaParts] = [ofShares(dgamma.name), ofShares(dbeta.name)];
  return [
    call('batchNormBackwardParts', { ...named, dgammaParts, dbetaParts, ...sizes }),
    call('batchNormBackwardInput', { ...named, dgammaParts, dbetaParts, parts: threads }),
    call('sumParts', { y: dgamma, terms: dgammaParts, n: features, parts: threads }),
    call('sumParts', { y: dbeta, terms: dbetaParts, n: features, parts: threads }),
  ];
}

/** The gradients of a group norm's gamma and beta: each thread sums its own rows. */
export function shareGroupNorm(instructions: Instruction[], _capacity: number, threads: number): Instruction[] {
  if (threads < 2) return instructions;
  return instructions.flatMap((instruction) => {
    if (instruction.kernel !== 'groupNormBackwardParts') return [instruction];
    const n = numberOf(instruction, 'groups') * numberOf(instruction, 'width');
    const gradients = ['dgammaParts', 'dbetaParts'].map((name) => {
      const y = argument(instruction, name) as Tensor;
      return { name, y, terms: workTensor(`${y.name} of shares`, { fixed: threads * n }) };
    });
    const terms = Object.fromEntries(gradients.map(({ name, terms }) => [name, terms]));
    return [
      withArguments(instruction, { ...terms, parts: threads }),
      ...gradients.map(({ y, terms }) => call('sumParts', { y, terms, n, parts: threads })),
    ];
  });
}
