import type { Program } from './compile.js';
import { type Argument, type Instruction, isTensor } from './instructions.js';
import { elementBytes, isBuffer, type KernelName, type Parameter, signatureOf } from './signatures.js';

/** One line of a listing. */
export interface ListedInstruction {
  readonly kernel: string;
  /** Buffers with their shapes, outputs first, such as `y[64×100]`. */
  readonly buffers: string;
  /** Bytes of all buffers that the call touches. */
  readonly bytes: number;
  /** Floating-point operations: two a multiplication for matrix products and convolutions, one an output element for the rest. */
  readonly flops: number;
  /** Whether it is a matrix product or a convolution. */
  readonly product: boolean;
  readonly barrier: boolean;
}

function sizeOf(argument: Argument, capacity: number): number {
  if (typeof argument === 'number') return argument;
  if (argument !== null && !isTensor(argument) && argument.symbol === 'rows') return argument.times * capacity;
  return Number.NaN;
}

/** The sizes whose product is the number of multiplications, for the kernels that are matrix products. */
const dense = ['rows', 'in', 'out'];
const convolution = ['rows', 'outHeight', 'outWidth', 'windowHeight', 'windowWidth', 'channels', 'filters'];
const products: Partial<Record<KernelName, readonly string[]>> = {
  gemm: ['m', 'n', 'k'],
  denseForward: dense,
  denseBackwardInput: dense,
  denseForwardColumns: dense,
  denseBackwardInputColumns: dense,
  denseForwardParts: dense,
  denseBackwardWeight: dense,
  conv2dForward: convolution,
  conv2dBackwardInput: convolution,
  conv2dBackwardWeight: convolution,
};

/** Floating-point operations of an instruction: of a product all of them, of another kernel one for each number it writes. */
export function flopsOf(instruction: Instruction, capacity: number): number {
  return list(instruction, capacity).flops;
}

function list(instruction: Instruction, capacity: number): ListedInstruction {
  const { parameters } = signatureOf(instruction.kernel);
  const dimension = (name: string) => sizeOf(instruction.arguments[parameters.findIndex((p) => p.name === name)], capacity);
  let total = 0;
  let outputs = 0;
  const buffers: string[] = [];
  parameters.forEach((parameter: Parameter, i) => {
    const argument = instruction.arguments[i];
    if (!isBuffer(parameter) || !isTensor(argument)) return;
    const shape = parameter.length.map(dimension);
    const known = shape.filter((value) => !Number.isNaN(value));
    const length = known.reduce((product, value) => product * value, 1);
    // A source is read as many rows at a time as the batch has.
    const touched = known.length < shape.length ? length * capacity : length;
    total += touched * elementBytes[argument.type];
    if (parameter.kind !== 'in') outputs += length;
    const text = shape.map((value) => (Number.isNaN(value) ? '*' : value)).join('×');
    buffers.push(`${argument.name}${text === '' ? '' : `[${text}]`}`);
  });
  const factors = products[instruction.kernel];
  const flops = factors === undefined ? outputs : 2 * factors.reduce((product, name) => product * dimension(name), 1);
  const { kernel, barrier } = instruction;
  return { kernel, buffers: buffers.join(' '), bytes: total, flops, product: factors !== undefined, barrier };
}

function count(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)}G`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)}M`;
  if (value >= 1e3) return `${(value / 1e3).toFixed(1)}k`;
  return String(value);
}

/** A compiled program as a person reads it. */
export class Listing {
  readonly kind: string;
  readonly batchSize: number;
  readonly instructions: readonly ListedInstruction[];
  /** Bytes of work memory: activations, their gradients and scratch. */
  readonly workBytes: number;
  /** Bytes of parameters, gradients, state and moments. */
  readonly modelBytes: number;

  constructor(program: Program, modelBytes: number) {
    this.kind = program.request.kind;
    this.batchSize = program.request.capacity;
    this.instructions = program.instructions.map((instruction) => list(instruction, program.request.capacity));
    this.workBytes = program.workLength * 4;
    this.modelBytes = modelBytes;
  }

  toString(): string {
    const head = ['', 'kernel', 'buffers', 'bytes', 'FLOP'];
    const rows = this.instructions.map((line) => [
      line.barrier ? '|' : '',
      line.kernel,
      line.buffers,
      count(line.bytes),
      count(line.flops),
    ]);
    const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
    const render = (row: string[]) =>
      row
        .map((text, column) => (column < 3 ? text.padEnd(widths[column]) : text.padStart(widths[column])))
        .join('  ')
        .trimEnd();
    const flops = this.instructions.reduce((sum, line) => sum + line.flops, 0);
    return [
      `${this.kind} program, batches of ${this.batchSize}: ${count(flops)} FLOP a batch, ` +
        `${count(this.workBytes)} bytes of work memory, ${count(this.modelBytes)} bytes of parameters, gradients, state and moments`,
      render(head),
      ...rows.map(render),
      '| all threads meet before this instruction',
    ].join('\n');
  }
}
