import type { Workload } from '../workloads.js';

/** A peer runs on one thread, or on all threads of the machine. */
export type Group = 'one' | 'all';

/** One of the ways to run a peer; if there are several, a trial finds the fastest. */
export interface Setting {
  readonly name: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Passed to the adapter. */
  readonly options?: Readonly<Record<string, string | number>>;
}

interface CommonPeer {
  readonly id: string;
  readonly title: string;
  /** The file that creates its networks, in the directory of its language. */
  readonly adapter: string;
  readonly workloads: readonly string[];
  readonly groups: readonly Group[];
  settings(workload: Workload, threads: number): Setting[];
  /** How it differs from the others. */
  readonly remark?: string;
}

export interface JavaScriptPeer extends CommonPeer {
  readonly language: 'javascript';
  /** npm packages with their versions. */
  readonly packages: Readonly<Record<string, string>>;
  /** Its installation must run the packages' scripts to work. */
  readonly scripts?: boolean;
}

export interface PythonPeer extends CommonPeer {
  readonly language: 'python';
  readonly module: string;
  /** The command that installs it. */
  readonly installation: string;
}

export type Peer = JavaScriptPeer | PythonPeer;

const everything = ['M1', 'M1bn', 'M2', 'M2L', 'M3', 'M4', 'P1', 'P1single'];
const asItIs = (): Setting[] => [{ name: '' }];

/** TensorFlow.js has two styles of training. */
function tensorFlowSettings(backend: string) {
  return ({ task }: Workload): Setting[] => {
    const styles = task === 'train' ? ['fit', 'loop'] : ['fit'];
    return styles.map((style) => ({ name: task === 'train' ? style : '', options: { backend, style } }));
  };
}

/** OpenMP's threads run PyTorch's own loops and its convolutions; OpenBLAS's run the products. */
function torchThreads(threads: number): [openmp: number, blas: number][] {
  if (threads === 1) return [[1, 1]];
  return [
    [1, threads],
    [threads, 1],
    [threads, threads],
    [1, 1],
  ];
}

function torchSetting([openmp, blas]: [number, number], optimizer: string, layout: string): Setting {
  const environment = {
    OMP_NUM_THREADS: String(openmp),
    MKL_NUM_THREADS: String(blas),
    OPENBLAS_NUM_THREADS: String(blas),
    // Threads that spin while they wait slow down those of the other library.
    ...(openmp > 1 && blas > 1 ? { OMP_WAIT_POLICY: 'passive' } : {}),
  };
  const words = [
    `OpenMP ${openmp}`,
    `BLAS ${blas}`,
    ...(optimizer === '' ? [] : [optimizer]),
    ...(layout === 'nhwc' ? [layout] : []),
  ];
  return { name: words.join(', '), environment, options: { openmp, layout, optimizer: optimizer || 'single' } };
}

function torchSettings({ task, images }: Workload, threads: number): Setting[] {
  if (task === 'predict') return torchThreads(threads).map((split) => torchSetting(split, '', 'nchw'));
  // In versions before 2.4 the fused ones fail and are omitted.
  const optimizers = ['single', 'fused', 'flat', 'flatfused'];
  const layouts = images.length > 0 ? ['nchw', 'nhwc'] : ['nchw'];
  return torchThreads(threads).flatMap((split) =>
    layouts.flatMap((layout) =>
      optimizers
        .filter((optimizer) => layout === 'nchw' || !optimizer.startsWith('flat'))
        .map((o) => torchSetting(split, o, layout)),
    ),
  );
}

/** XLA generates code for 256-bit vectors by default; unrolled steps are optimised together. */
function jaxSettings({ task }: Workload, threads: number): Setting[] {
  const choices = [[], ['vectors of 512'], ['oneDNN'], ['vectors of 512', 'oneDNN']];
  const flags: Record<string, string> = {
    'vectors of 512': '--xla_cpu_prefer_vector_width=512',
    oneDNN: '--xla_cpu_use_onednn=true',
  };
  return choices.flatMap((words) =>
    (task === 'train' ? [1, 4] : [1]).map((unroll) => ({
      name: [...words, ...(unroll > 1 ? [`${unroll} steps unrolled`] : [])].join(', '),
      environment: {
        XLA_FLAGS: [`--xla_cpu_multi_thread_eigen=${threads > 1}`, ...words.map((word) => flags[word])].join(' '),
      },
      options: { unroll },
    })),
  );
}

function openBlasSettings(_workload: Workload, threads: number): Setting[] {
  // With small products, more threads may be slower.
  const counts = threads === 1 ? ['1'] : [String(threads), '1'];
  return counts.map((count) => ({
    name: `BLAS ${count}`,
    environment: { OMP_NUM_THREADS: count, MKL_NUM_THREADS: count, OPENBLAS_NUM_THREADS: count },
  }));
}

export const peers: readonly Peer[] = [
  {
    id: 'pytorch',
    title: 'PyTorch',
    language: 'python',
    adapter: 'pytorch',
    module: 'torch',
    installation: 'apt-get install python3-torch python3-numpy',
    workloads: [...everything, 'M5', 'M6'],
    groups: ['one', 'all'],
    settings: torchSettings,
  },
  {
    id: 'pytorch-bfloat16',
    title: 'PyTorch, bfloat16 autocast',
    language: 'python',
    adapter: 'pytorch',
    module: 'torch',
    installation: 'apt-get install python3-torch python3-numpy',
    workloads: ['M1', 'M2', 'M2L', 'M4'],
    groups: ['one'],
    settings: (workload, threads) =>
      torchSettings(workload, threads).map((setting) => ({
        ...setting,
        options: { ...setting.options, autocast: 1 },
      })),
  },
  {
    id: 'jax',
    title: 'JAX',
    language: 'python',
    adapter: 'jax_scan',
    module: 'jax',
    installation: 'pip install jax',
    workloads: ['M1', 'M1bn', 'M2', 'M2L', 'P1', 'P1single'],
    groups: ['one', 'all'],
    settings: jaxSettings,
    remark: 'many steps in one compiled function; omits the last, smaller batch of a pass',
  },
  {
    id: 'scikit-learn',
    title: 'scikit-learn',
    language: 'python',
    adapter: 'sklearn_mlp',
    module: 'sklearn',
    installation: 'apt-get install python3-sklearn python3-numpy',
    workloads: ['M1', 'M2', 'M2L', 'P1', 'P1single'],
    groups: ['one', 'all'],
    settings: openBlasSettings,
  },
  {
    id: 'onnxruntime-node',
    title: 'onnxruntime-node',
    language: 'javascript',
    adapter: 'onnxruntime',
    packages: { 'onnxruntime-node': '1.30.0' },
    workloads: ['P1', 'P1single'],
    groups: ['one', 'all'],
    settings: (_workload, threads) => [{ name: '', options: { threads } }],
    remark: 'inference only',
  },
  {
    id: 'tfjs-node',
    title: 'TensorFlow.js, tfjs-node',
    language: 'javascript',
    adapter: 'tfjs',
    packages: { '@tensorflow/tfjs-node': '4.22.0' },
    scripts: true,
    workloads: everything,
    groups: ['all'],
    settings: tensorFlowSettings('tensorflow'),
  },
  {
    id: 'jax-js',
    title: 'jax-js, WebAssembly',
    language: 'javascript',
    adapter: 'jax-js',
    packages: { '@jax-js/jax': '0.1.25' },
    workloads: ['M1', 'M1bn', 'M2', 'M2L', 'M3', 'P1', 'P1single'],
    groups: ['one'],
    settings: asItIs,
    remark:
      'omits the last, smaller batch of a pass; with batch norm, tests take the statistics of their batch, as it has no running ones',
  },
  {
    id: 'tfjs-wasm',
    title: 'TensorFlow.js, WebAssembly',
    language: 'javascript',
    adapter: 'tfjs',
    packages: { '@tensorflow/tfjs': '4.22.0', '@tensorflow/tfjs-backend-wasm': '4.22.0' },
    workloads: ['M1', 'M1bn', 'M2', 'P1', 'P1single'],
    groups: ['one'],
    settings: tensorFlowSettings('wasm'),
    remark: 'no gradients of convolutions; one thread, as it has no more in Node.js',
  },
  {
    id: 'tfjs',
    title: 'TensorFlow.js, JavaScript',
    language: 'javascript',
    adapter: 'tfjs',
    packages: { '@tensorflow/tfjs': '4.22.0' },
    workloads: ['M1', 'M1bn', 'M2', 'M3', 'P1', 'P1single'],
    groups: ['one'],
    settings: tensorFlowSettings('cpu'),
  },
  {
    id: 'brain.js',
    title: 'brain.js',
    language: 'javascript',
    adapter: 'brain',
    packages: { 'brain.js': '2.0.0-beta.24', 'gpu.js': '2.24.1' },
    workloads: ['M1', 'M2', 'P1', 'P1single'],
    groups: ['one'],
    settings: asItIs,
    remark: 'has no batches, softmax or ReLU with them: sigmoid, squared error, an update after each sample',
  },
];

/** Named like blasnet's contenders `native-1` and `native`. */
export function entrantId({ id }: Peer, group: Group): string {
  return group === 'one' ? `${id}-1` : id;
}

export function entrantTitle({ title }: Peer, group: Group): string {
  return `${title}, ${group === 'one' ? 'one thread' : 'all threads'}`;
}

export function findPeer(id: string): Peer {
  const found = peers.find((peer) => peer.id === id);
  if (found === undefined) throw new Error(`no peer ${id}: expected one of ${peers.map((peer) => peer.id).join(', ')}`);
  return found;
}
