import { codes, type Precision } from '../kernels/codes.js';
import { elementBytes, isBuffer, type Parameter } from '../kernels/signature.js';
import { type KernelName, signatureOf } from '../kernels/table.js';
import { argument } from './edit.js';
import { type Instruction, isTensor, sizeOf } from './instructions.js';

/** One line of a listing. */
export interface ListedInstruction {
  readonly kernel: string;
  /** Buffers with their shapes, outputs first, such as `y[64×100]`. */
  readonly buffers: string;
  /** The first buffer. */
  readonly output: string;
  /** Bytes of all buffers that the call accesses. */
  readonly bytes: number;
  /**
   * Floating-point operations: two per multiplication for matrix products and convolutions, one per output element for
   * the rest.
   */
  readonly flops: number;
  /** Whether it is a matrix product or a convolution. */
  readonly product: boolean;
  /** What a product's operands are rounded to; undefined for kernels without that choice. */
  readonly precision: Precision | undefined;
  readonly barrier: boolean;
}

/** For kernels that are matrix products: the sizes whose product is the number of multiplications. */
const dense = ['rows', 'in', 'out'];
const convolution = ['rows', 'outHeight', 'outWidth', 'windowHeight', 'windowWidth', 'channels', 'filters'];
const grouped = [...convolution, 'groups'];
const products: Partial<Record<KernelName, readonly string[]>> = {
  gemm: ['m', 'n', 'k'],
  matmulBatch: ['rows', 'm', 'n', 'k'],
  denseForward: dense,
  denseBackwardInput: dense,
  denseForwardParts: dense,
  denseBackwardWeight: dense,
  denseBackwardWeightParts: dense,
  conv2dForward: convolution,
  conv2dBackwardInput: convolution,
  conv2dBackwardWeight: convolution,
  groupedConv2dForward: grouped,
  groupedConv2dBackwardInput: grouped,
  groupedConv2dBackwardParts: grouped,
};

/**
 * A human-readable instruction, with the bytes and FLOPs for a batch of `capacity` rows: on one of `ranks` that divide
 * the update.
 */
export function describeInstruction(instruction: Instruction, capacity: number, ranks = 1): ListedInstruction {
  const part = instruction.ownShare ? ranks : 1;
  const { parameters } = signatureOf(instruction.kernel);
  const dimension = (name: string) =>
    sizeOf(instruction.arguments[parameters.findIndex((p) => p.name === name)], capacity) ?? Number.NaN;
  let total = 0;
  let outputs = 0;
  const buffers: string[] = [];
  parameters.forEach((parameter: Parameter, i) => {
    const tensor = instruction.arguments[i];
    if (!isBuffer(parameter) || !isTensor(tensor)) return;
    const shape = parameter.length.map(dimension);
    const known = shape.filter((value) => !Number.isNaN(value));
    const length = known.reduce((product, value) => product * value, 1);
    // Only the batch's rows of a source are read.
    const touched = known.length < shape.length ? length * capacity : length;
    total += touched * elementBytes[tensor.type];
    if (parameter.kind !== 'in') outputs += length;
    const text = shape.map((value) => (Number.isNaN(value) ? '*' : value)).join('×');
    buffers.push(`${tensor.name}${text === '' ? '' : `[${text}]`}`);
  });
  const factors = products[instruction.kernel];
  const flops = factors === undefined ? outputs : 2 * factors.reduce((product, name) => product * dimension(name), 1);
  const { kernel, barrier } = instruction;
  return {
    kernel,
    buffers: buffers.join(' '),
    output: buffers[0] ?? '',
    bytes: total / part,
    flops: flops / part,
    product: factors !== undefined,
    precision: codes.precision[argument(instruction, 'precision') as number],
    barrier,
  };
}
