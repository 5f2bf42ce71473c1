import type { Measurement } from './measure.js';
import { environmentWith, runProgram } from './program.js';
import { flopsPerSample, type Workload } from './workloads.js';

export interface Contender {
  readonly id: string;
  readonly title: string;
  /** Runs only the matrix products, as many operations in the cache, one of blasnet's backends, or plain JavaScript. */
  readonly kind: 'floor' | 'peak' | 'native' | 'typescript' | 'reference';
  /** Fixed number of threads; default: all of the machine. */
  readonly threads?: number;
  /** Environment variables of its process. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Minimum number of cores of the machine. */
  readonly cores?: number;
  /** Another process keeps a core busy meanwhile. */
  readonly contended?: boolean;
  /** Of the products; default float32. */
  readonly precision?: 'bfloat16';
  /** Only these workloads. */
  readonly workloads?: readonly string[];
  /** Only for networks of dense layers. */
  readonly denseOnly?: boolean;
  /** Runs in one process per core, all at once; their rates are added. */
  readonly everyCore?: boolean;
}

const floor = { kind: 'floor', threads: 1 } as const;
const zerosMultiplied = { kind: 'native', denseOnly: true, environment: { BLASNET_SKIP_ZEROS: '0' } } as const;

/** Whether contenders of this kind only multiply, and learn nothing. */
export function multipliesOnly(kind: Contender['kind']): kind is 'floor' | 'peak' {
  return kind === 'floor' || kind === 'peak';
}

/** In the order in which they run within each round. */
export const contenders: readonly Contender[] = [
  // OpenBLAS gets each product as a whole.
  { ...floor, id: 'floor', title: 'floor: OpenBLAS’s products', environment: { BLASNET_PRODUCTS: 'whole' } },
  { ...floor, id: 'floor-cut', title: 'floor, cut small', environment: { BLASNET_PRODUCTS: 'pieces' } },
  { ...floor, id: 'floor-all', title: 'floor, cut small, on every core', cores: 2, everyCore: true },
  {
    id: 'peak',
    title: 'peak: one product in the caches',
    kind: 'peak',
    threads: 1,
    environment: { BLASNET_FLOAT32: 'fma' },
    workloads: ['M2L'],
  },
  { id: 'native-1', title: 'blasnet native, one thread', kind: 'native', threads: 1 },
  { id: 'native', title: 'blasnet native, all threads', kind: 'native' },
  {
    id: 'native-1-fma',
    title: 'one thread, without AMX',
    kind: 'native',
    threads: 1,
    environment: { BLASNET_FLOAT32: 'fma' },
    workloads: ['M1', 'M2', 'M2L', 'M4'],
  },
  {
    id: 'native-1-bfloat16',
    title: 'one thread, bfloat16',
    kind: 'native',
    threads: 1,
    precision: 'bfloat16',
    workloads: ['M1', 'M2', 'M2L', 'M4'],
  },
  { ...zerosMultiplied, id: 'native-1-zeros', title: 'one thread, zeros multiplied, too', threads: 1 },
  {
    ...zerosMultiplied,
    id: 'native-1-zeros-fma',
    title: 'one thread, zeros multiplied, without AMX',
    threads: 1,
    environment: { ...zerosMultiplied.environment, BLASNET_FLOAT32: 'fma' },
    workloads: ['M2L'],
  },
  { ...zerosMultiplied, id: 'native-zeros', title: 'all threads, zeros multiplied, too' },
  { id: 'native-contended', title: 'blasnet native, one core taken', kind: 'native', cores: 2, contended: true },
  { id: 'native-8', title: 'blasnet native, 8 threads', kind: 'native', threads: 8, cores: 8 },
  { id: 'typescript', title: 'blasnet TypeScript', kind: 'typescript', threads: 1 },
  { id: 'reference', title: 'pure-JavaScript reference', kind: 'reference', threads: 1, denseOnly: true },
];

export function findContender(id: string): Contender {
  const found = contenders.find((contender) => contender.id === id);
  if (found === undefined) throw new Error(`no contender ${id}`);
  return found;
}

/** FLOPs per sample above which an epoch without the addon takes many minutes. */
const MOST_FLOPS = 10e6;

/** Whether a contender can run a workload on a machine in reasonable time. */
export function takesPart(
  { kind, cores = 1, denseOnly, workloads }: Contender,
  workload: Workload,
  machine: { readonly cores: number; readonly native: boolean },
): boolean {
  if (workloads !== undefined && !workloads.includes(workload.id)) return false;
  if (machine.cores < cores || (denseOnly && workload.images.length > 0)) return false;
  if (kind === 'reference' && (workload.batchNorm || workload.task === 'predict')) return false;
  return multipliesOnly(kind) || kind === 'native' ? machine.native : flopsPerSample(workload) <= MOST_FLOPS;
}

/** The environment of a contender's process. */
export function contenderEnvironment({ threads, environment }: Contender): NodeJS.ProcessEnv {
  // An external thread limit must not reach the contender that uses all threads.
  return environmentWith({ BLASNET_THREADS: threads?.toString(), ...environment });
}

/** Measures the speed over about `seconds`. */
export interface SpeedJob {
  readonly kind: 'speed';
  readonly seconds: number;
  /** Minimum number of timed batches; default 1. */
  readonly leastBatches?: number;
  /** Start of timing, in milliseconds of the system's clock; default: immediately. */
  readonly at?: number;
}

/** Measures what one pass over `samples` samples learns. */
interface LearnJob {
  readonly kind: 'learn';
  readonly samples: number;
}

export type Job = SpeedJob | LearnJob;

/** A request to a contender's process. */
export interface Request {
  readonly contender: string;
  readonly workload: Workload;
  readonly job: Job;
}

/** The libraries that a contender computes with. */
export interface Equipment {
  readonly threads: number;
  /** BLAS and its core; undefined without BLAS. */
  readonly blas?: string;
  /** Set of blasnet's native kernels; undefined without them. */
  readonly simd?: string;
  /** What multiplies in the contender's precision, of `backendInfo()`; undefined without blasnet's native kernels. */
  readonly products?: string;
}

export interface SpeedReply {
  readonly measurement: Measurement;
  readonly equipment: Equipment;
}

/** Loss and accuracy on the test data. */
export interface Learned {
  readonly loss: number;
  readonly accuracy: number;
}

/** The reply of a contender's process, as JSON on its standard output. */
export type Reply<J extends Job> = J extends SpeedJob ? SpeedReply : Learned;

/** Sends a request to a process of one of blasnet's contenders. */
export function askContender<J extends Job>(contender: Contender, workload: Workload, job: J): Promise<Reply<J>> {
  const request: Request = { contender: contender.id, workload, job };
  return runProgram('contender', request, contenderEnvironment(contender));
}
