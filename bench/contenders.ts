import type { Measurement } from './measure.js';
import { environmentWith } from './processes.js';
import type { Learned } from './trainer.js';
import { flopsPerSample, type Workload } from './workloads.js';

export const contenderIds = [
  'floor',
  'floor-cut',
  'floor-all',
  'native-1',
  'native',
  'native-1-zeros',
  'native-zeros',
  'native-contended',
  'native-8',
  'typescript',
  'reference',
] as const;
export type ContenderId = (typeof contenderIds)[number];

export interface Contender {
  readonly id: ContenderId;
  readonly title: string;
  /** What it runs: the matrix products alone, one of blasnet's backends, or plain JavaScript. */
  readonly kind: 'floor' | 'native' | 'typescript' | 'reference';
  /** Threads, where they are fixed; otherwise all that the machine offers. */
  readonly threads?: number;
  /** Variables of its process. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Cores of the smallest machine on which it runs. */
  readonly cores?: number;
  /** Another process holds a core meanwhile. */
  readonly contended?: boolean;
  /** Only for networks without convolutions. */
  readonly denseOnly?: boolean;
  /** Runs in a process for each core, all at once; their rates are added. */
  readonly everyCore?: boolean;
}

const floor = { kind: 'floor', threads: 1, denseOnly: true } as const;
const zerosMultiplied = { kind: 'native', denseOnly: true, environment: { BLASNET_SKIP_ZEROS: '0' } } as const;

/** In the order in which they run in each round. */
export const contenders: readonly Contender[] = [
  // OpenBLAS gets each product whole.
  { ...floor, id: 'floor', title: 'floor: OpenBLAS’s products', environment: { BLASNET_GEMM_TILES: '0' } },
  { ...floor, id: 'floor-cut', title: 'floor, cut small' },
  { ...floor, id: 'floor-all', title: 'floor, cut small, on every core', cores: 2, everyCore: true },
  { id: 'native-1', title: 'blasnet native, one thread', kind: 'native', threads: 1 },
  { id: 'native', title: 'blasnet native, all threads', kind: 'native' },
  { ...zerosMultiplied, id: 'native-1-zeros', title: 'one thread, zeros multiplied, too', threads: 1 },
  { ...zerosMultiplied, id: 'native-zeros', title: 'all threads, zeros multiplied, too' },
  { id: 'native-contended', title: 'blasnet native, one core taken', kind: 'native', cores: 2, contended: true },
  { id: 'native-8', title: 'blasnet native, 8 threads', kind: 'native', threads: 8, cores: 8 },
  { id: 'typescript', title: 'blasnet TypeScript', kind: 'typescript', threads: 1 },
  { id: 'reference', title: 'pure-JavaScript reference', kind: 'reference', threads: 1, denseOnly: true },
];

export function findContender(id: ContenderId): Contender {
  const found = contenders.find((contender) => contender.id === id);
  if (found === undefined) throw new Error(`no contender ${id}: expected one of ${contenderIds.join(', ')}`);
  return found;
}

/** Needs the native addon. */
function isNative({ kind }: Contender): boolean {
  return kind === 'floor' || kind === 'native';
}

/** Of a sample's products, beyond which an epoch takes the contenders without the addon many minutes. */
const MOST_FLOPS = 10e6;

/** Whether a contender can do a workload, and soon enough, on a machine. */
export function takesPart(
  contender: Contender,
  workload: Workload,
  machine: { readonly cores: number; readonly native: boolean },
): boolean {
  const { cores = 1, denseOnly } = contender;
  if (machine.cores < cores || (denseOnly && workload.convolutions.length > 0)) return false;
  return isNative(contender) ? machine.native : flopsPerSample(workload) <= MOST_FLOPS;
}

/** The environment of a contender's process. */
export function contenderEnvironment({ threads, environment }: Contender): NodeJS.ProcessEnv {
  // A limit of threads that is set outside must not reach the contender that uses all of them.
  return environmentWith({ BLASNET_THREADS: threads?.toString(), ...environment });
}

interface SpeedTask {
  readonly kind: 'speed';
  readonly seconds: number;
  /** When timing begins, in milliseconds of the system's clock; at once unless told. */
  readonly at?: number;
}

/** What a contender's process is asked to do. */
export interface Request {
  readonly contender: ContenderId;
  readonly workload: string;
  /** Speed over about so many seconds, or what one pass over so many samples teaches. */
  readonly task: SpeedTask | { readonly kind: 'learn'; readonly samples: number };
}

/** What a contender computes with. */
export interface Equipment {
  readonly threads: number;
  /** BLAS and its core; absent without BLAS. */
  readonly blas?: string;
  /** Set of blasnet's native kernels; absent without them. */
  readonly simd?: string;
}

export interface SpeedReply {
  readonly kind: 'speed';
  readonly measurement: Measurement;
  readonly equipment: Equipment;
}

/** What a contender's process answers, as JSON on its standard output. */
export type Reply = SpeedReply | { readonly kind: 'learn'; readonly learned: Learned };
