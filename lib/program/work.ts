import { type Instruction, isTensor, sizeOf } from './instructions.js';
import { elementBytes, isBuffer, type KernelName, type Parameter, signatureOf } from './signatures.js';

/** One line of a listing. */
export interface ListedInstruction {
  readonly kernel: string;
  /** Buffers with their shapes, outputs first, such as `y[64×100]`. */
  readonly buffers: string;
  /** The first of them. */
  readonly output: string;
  /** Bytes of all buffers that the call touches. */
  readonly bytes: number;
  /** Floating-point operations: two a multiplication for matrix products and convolutions, one an output element for the rest. */
  readonly flops: number;
  /** Whether it is a matrix product or a convolution. */
  readonly product: boolean;
  readonly barrier: boolean;
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
  conv2dBackwardParts: convolution,
};

/** An instruction as a person reads it, with what it moves and computes for a batch of `capacity` rows. */
export function describeInstruction(instruction: Instruction, capacity: number): ListedInstruction {
  const { parameters } = signatureOf(instruction.kernel);
  const dimension = (name: string) =>
    sizeOf(instruction.arguments[parameters.findIndex((p) => p.name === name)], capacity) ?? Number.NaN;
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
  return {
    kernel,
    buffers: buffers.join(' '),
    output: buffers[0] ?? '',
    bytes: total,
    flops,
    product: factors !== undefined,
    barrier,
  };
}
