import { type KernelCall, native } from 'blasnet/kernels';
import { type Measurement, measure } from './measure.js';
import { AlignedMemory } from './operands.js';
import { flopsPerSample, forwardProducts, passes, type Workload } from './workloads.js';

/** Each of a product's six blocks starts on a line of the cache. */
const PADDING = 6 * 64;

/**
 * The matrix products of one step on blocks of the right sizes. Per layer, the forward pass (added to the bias, hence
 * beta 1) and, in training, the weight gradient and, except for the first layer, the input gradient. The windows of
 * convolutions lie there as rows; what makes them, and depthwise convolutions, take no time here.
 */
export function gemmCalls(workload: Workload): KernelCall[] {
  return forwardProducts(workload).flatMap(({ rows: perSample, inputs, outputs, depthwise }, layer): KernelCall[] => {
    if (depthwise) return [];
    const rows = perSample * workload.batchSize;
    const memory = new AlignedMemory(4 * (2 * rows * (inputs + outputs) + 2 * inputs * outputs) + PADDING);
    const [x, dx] = memory.floats(rows * inputs, rows * inputs);
    const [y, dy] = memory.floats(rows * outputs, rows * outputs);
    const [w, dw] = memory.floats(inputs * outputs, inputs * outputs);
    const forward: KernelCall = ['gemm', y, x, w, rows, outputs, inputs, 0, 0, 1, 1];
    const weightGradient: KernelCall = ['gemm', dw, x, dy, inputs, outputs, rows, 1, 0, 1, 0];
    const inputGradient: KernelCall = ['gemm', dx, dy, w, rows, inputs, outputs, 0, 1, 1, 0];
    return [forward, weightGradient, inputGradient].slice(0, passes(workload, layer));
  });
}

/** Sides of a product whose operands, 768 KiB, stay in the caches: the fastest that there is in practice. */
const PEAK = 256;

/** Products of that size with as many operations as training on some samples has. */
export function peakProducts(workload: Workload, samples: number): number {
  return Math.ceil((samples * flopsPerSample(workload)) / (2 * PEAK ** 3));
}

/** As {@link gemmFloor}, if every product were as fast as one of that size. */
export function gemmPeak(workload: Workload, seconds: number): Promise<Measurement> {
  const [c, a, b] = new AlignedMemory(12 * PEAK ** 2 + PADDING).floats(PEAK ** 2, PEAK ** 2, PEAK ** 2);
  const call: KernelCall = ['gemm', c, a, b, PEAK, PEAK, PEAK, 0, 0, 1, 0];
  const begin = () => (samples: number) => {
    native.repeat([call], peakProducts(workload, samples));
  };
  return measure({ passSamples: workload.batchSize, batchSize: workload.batchSize, begin }, seconds);
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
