/** Rules for layers on several threads: along which of their sizes threads share the work. */
import { argument, call, namedArguments, numberOf, workTensor } from './edit.js';
import { type Argument, type Instruction, isTensor, rows, type Tensor } from './instructions.js';
import type { KernelName } from './signatures.js';

/**
 * The gradients of a convolution's weights and bias. Shared out by weights, every thread reads all images, most of which the others
 * have just written; by images, each its own, and the sums of weights are small beside what they save.
 */
export function shareImages(instructions: Instruction[], capacity: number, threads: number): Instruction[] {
  if (threads < 2) return instructions;
  const list: Instruction[] = [];
  for (let i = 0; i < instructions.length; i++) {
    const instruction = instructions[i];
    const named = (name: string) => argument(instruction, name) as Argument;
    if (instruction.kernel !== 'conv2dBackwardWeight' || !fewWeights(instruction, capacity, threads)) {
      list.push(instruction);
      continue;
    }
    const [patch, filters] = [numberOf(instruction, 'patch'), numberOf(instruction, 'filters')];
    const dw = named('dw') as Tensor;
    const parts = (gradient: Tensor, length: number) => workTensor(`${gradient.name} by images`, { fixed: threads * length });
    const sum = (y: Tensor, terms: Tensor, n: number) => call('sumParts', { y, terms, n, parts: threads });
    const dwParts = parts(dw, patch * filters);
    const sums = [sum(dw, dwParts, patch * filters)];
    const bias = instructions[i + 1];
    let dbParts: Tensor | null = null;
    if (bias?.kernel === 'denseBackwardBias' && argument(bias, 'dy') === named('dy')) {
      const db = argument(bias, 'db') as Tensor;
      dbParts = parts(db, filters);
      sums.push(sum(db, dbParts, filters));
      i++;
    }
    list.push(call('conv2dBackwardParts', { ...namedArguments(instruction), dwParts, dbParts, parts: threads }), ...sums);
  }
  return list;
}

/** All shares' weights together are no more than the outputs of a batch; both are so many times the filters. */
function fewWeights(instruction: Instruction, capacity: number, threads: number): boolean {
  const rows = argument(instruction, 'rows');
  if (rows === null || typeof rows !== 'object' || isTensor(rows) || rows.symbol !== 'rows' || rows.times !== 1) return false;
  const pixels = numberOf(instruction, 'outHeight') * numberOf(instruction, 'outWidth');
  return numberOf(instruction, 'patch') * threads <= capacity * pixels;
}

/** The products of the shares together are this many times smaller than the weights, or more. */
const WEIGHTS_TO_PRODUCTS = 3;

/**
 * The layer after the gather, in training. Shared out by rows, each thread reads weights of which the others have just updated
 * their parts. Shared out by inputs, it gathers the columns, and multiplies and updates the rows of the weights, that are its own.
 */
export function shareInputs(instructions: Instruction[], capacity: number, threads: number): Instruction[] {
  const gather = instructions.find(({ kernel }) => kernel === 'gatherBytes');
  if (gather === undefined || threads < 2) return instructions;
  const x = argument(gather, 'x') as Tensor;
  const users = instructions.filter((instruction) => instruction !== gather && instruction.arguments.includes(x));
  const [forward, backward] = users;
  if (users.length !== 2 || forward.kernel !== 'denseForward' || backward.kernel !== 'denseBackwardWeight') return instructions;
  const [inputs, out] = [numberOf(forward, 'in'), numberOf(forward, 'out')];
  if (inputs < WEIGHTS_TO_PRODUCTS * threads * capacity) return instructions;

  const named = (name: string) => argument(forward, name) as Argument;
  const products = workTensor(`${(named('y') as Tensor).name} by inputs`, { perRow: threads * out });
  const [rows, w, b] = [named('rows'), named('w'), named('b')];
  return instructions.flatMap((instruction) => {
    if (instruction === gather) return [{ ...gather, kernel: 'gatherBytesColumns' as const }];
    if (instruction !== forward) return [instruction];
    const tail = { activation: named('activation'), slope: named('slope') };
    return [
      call('denseForwardParts', { products, x, w, rows, in: inputs, out, parts: threads }),
      call('denseForwardSum', { y: named('y'), products, b, rows, out, parts: threads, ...tail }),
    ];
  });
}

const byColumns: Partial<Record<KernelName, KernelName>> = {
  denseForward: 'denseForwardColumns',
  denseBackwardInput: 'denseBackwardInputColumns',
};

/**
 * Shared out by rows, every thread reads (and BLAS packs) all of the weights; by columns, every thread reads all of the batch.
 * Where the weights are this many times as large as the batch, columns are the better way, meeting of the threads included.
 */
const WEIGHTS_TO_BATCH = 1.5;

export function shareColumns(instructions: Instruction[], capacity: number): Instruction[] {
  return instructions.map((instruction) => {
    const kernel = byColumns[instruction.kernel];
    const rows = argument(instruction, 'rows');
    if (kernel === undefined || rows === undefined || rows === null || typeof rows === 'number' || isTensor(rows))
      return instruction;
    if (rows.symbol !== 'rows') return instruction;
    const [inputs, outputs] = [numberOf(instruction, 'in'), numberOf(instruction, 'out')];
    const batch = rows.times * capacity * (inputs + outputs);
    return inputs * outputs >= WEIGHTS_TO_BATCH * batch ? { ...instruction, kernel } : instruction;
  });
}

/**
 * Shared out by features, batch norm makes threads that share rows before and behind it meet twice, and read what the others have
 * just written; of few features, most threads get none. By rows, nothing but the sums of the shares goes from one to the other.
 * Behind a layer that is shared out by columns it stays as it is.
 */
export function shareBatchNorm(instructions: Instruction[], _capacity: number, threads: number): Instruction[] {
  if (threads < 2) return instructions;
  const columns = new Set(instructions.filter(({ kernel }) => kernel === 'denseForwardColumns').map(({ arguments: [y] }) => y));
  const shared = new Set<Argument | undefined>();
  return instructions.flatMap((instruction) => {
    const { kernel } = instruction;
    if (kernel === 'batchNormForward' && !columns.has(argument(instruction, 'x') as Argument)) {
      shared.add(argument(instruction, 'mean'));
      return batchNormByRows(instruction, threads);
    }
    const backward = kernel === 'batchNormBackward' && shared.has(argument(instruction, 'mean'));
    return backward ? batchNormBackwardByRows(instruction, threads) : [instruction];
  });
}

/** Arguments of a batch norm by name, and the sizes of its shares: whole rows of the batch, of so many pixels each. */
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
