import { type KernelCall, native } from 'blasnet/kernels';
import { type Measurement, measure } from './measure.js';
import { AlignedMemory } from './operands.js';
import { denseLayers, type Workload } from './workloads.js';

/** Enough for the blocks of the largest workload. */
const MEMORY = 256 * 2 ** 20;

/**
 * The matrix products of one step on blocks of the right sizes. Per layer, the forward pass (added to the bias, hence
 * beta 1) and, in training, the weight gradient and, except for the first layer, the input gradient.
 */
export function gemmCalls(workload: Workload): KernelCall[] {
  const rows = workload.batchSize;
  const memory = new AlignedMemory(MEMORY);
  return denseLayers(workload).flatMap(({ inputs, outputs }, layer): KernelCall[] => {
    const [x, dx] = memory.floats(rows * inputs, rows * inputs);
    const [y, dy] = memory.floats(rows * outputs, rows * outputs);
    const [w, dw] = memory.floats(inputs * outputs, inputs * outputs);
    const forward: KernelCall = ['gemm', y, x, w, rows, outputs, inputs, 0, 0, 1, 1];
    const weightGradient: KernelCall = ['gemm', dw, x, dy, inputs, outputs, rows, 1, 0, 1, 0];
    const inputGradient: KernelCall = ['gemm', dx, dy, w, rows, inputs, outputs, 0, 1, 1, 0];
    if (workload.task === 'predict') return [forward];
    return layer === 0 ? [forward, weightGradient] : [forward, weightGradient, inputGradient];
  });
}

/** The speed of steps that consist only of their matrix products, on one thread, with all steps in one native call. */
export function gemmFloor(workload: Workload, seconds: number, ready?: () => Promise<unknown>): Promise<Measurement> {
  const calls = gemmCalls(workload);
  const { batchSize } = workload;
  const begin = () => (samples: number) => {
    native.repeat(calls, samples / batchSize);
  };
  return measure({ passSamples: batchSize, batchSize, begin }, seconds, ready);
}
