/** A process of the kernel benchmark: times every case on one backend and kernel set, and prints JSON. */
import { type BackendName, backendInfo } from 'blasnet';
import { native, typescript } from 'blasnet/kernels';
import { type KernelCase, kernelCases, peakCase } from './kernel-cases.js';
import { AlignedMemory, makeCall } from './operands.js';
import { type Summary, summarize } from './statistics.js';

interface KernelRequest {
  readonly backend: BackendName;
  /** Seconds of timing for each case. */
  readonly seconds: number;
}

export interface KernelTiming {
  readonly kernel: string;
  readonly shape: string;
  readonly unit: 'GFLOP/s' | 'GB/s';
  readonly rate: Summary;
  /** GB/s of copying a block with the same traffic. */
  readonly copyRate: number;
}

export interface KernelReply {
  readonly blas?: string;
  /** GFLOP/s of a large matrix product; only native. */
  readonly peak?: number;
  readonly timings: readonly KernelTiming[];
}

const SAMPLES = 7;
/** Enough for the largest case. */
const MEMORY = 64 * 2 ** 20;

/**
 * Units of work per second in several samples after a warm-up. `repeat` works the given number of times and returns the
 * seconds.
 */
function rateOf(repeat: (times: number) => number, work: number, seconds: number): Summary {
  const target = seconds / SAMPLES;
  let times = 1;
  let last = repeat(times);
  while (last < target / 2) {
    times = last > 0 ? Math.max(2 * times, Math.min(100 * times, Math.ceil((times * target) / last))) : 100 * times;
    last = repeat(times);
  }
  const rates = Array.from({ length: SAMPLES }, () => (times * work) / repeat(times));
  return summarize(rates) as Summary;
}

function copyRateOf(memory: AlignedMemory, bytes: number, seconds: number): number {
  memory.clear();
  const length = Math.max(1, Math.ceil(bytes / 8));
  const [from, to] = memory.floats(length, length);
  const repeat = (times: number) => {
    const begin = performance.now();
    for (let i = 0; i < times; i++) to.set(from);
    return (performance.now() - begin) / 1000;
  };
  return rateOf(repeat, bytes / 1e9, seconds).median;
}

function main({ backend: name, seconds }: KernelRequest): KernelReply {
  const backend = name === 'native' ? native : typescript;
  const memory = new AlignedMemory(MEMORY);
  const measure = ({ kernel, operation, shape, flops, values }: KernelCase): KernelTiming => {
    const { call, bytes } = makeCall(kernel, values, memory);
    const rate = rateOf((times) => backend.repeat([call], times), (flops ?? bytes) / 1e9, seconds);
    const copyRate = copyRateOf(memory, bytes, seconds / 4);
    return {
      kernel: [kernel, operation].filter(Boolean).join(' '),
      shape,
      unit: flops === undefined ? 'GB/s' : 'GFLOP/s',
      rate,
      copyRate,
    };
  };
  const timings = kernelCases.map(measure);
  if (name === 'typescript') return { timings };
  const { blas } = backendInfo('native');
  return { blas: `${blas.name} ${blas.core}`, peak: measure(peakCase).rate.median, timings };
}

process.stdout.write(`${JSON.stringify(main(JSON.parse(process.argv[2]) as KernelRequest))}\n`);
