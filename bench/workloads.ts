/** A convolution with ReLU and stride 1. */
export interface Convolution {
  readonly filters: number;
  /** Side of the square window. */
  readonly window: number;
  readonly pad: number;
  /** Whether 2×2 max pooling follows. */
  readonly pool: boolean;
}

/** A benchmark workload: a network with ReLU and softmax cross-entropy, on MNIST. */
export interface Workload {
  readonly id: string;
  /** Training on the training images, or predicting the test images with a trained network. */
  readonly task: 'train' | 'predict';
  /** Adam with learning rate 0.001, or gradient descent with 0.01 and momentum 0.9. */
  readonly optimizer: 'adam' | 'momentum';
  /** Convolutions before the dense layers. */
  readonly convolutions: readonly Convolution[];
  /** Sizes of the dense layers: inputs, hidden layers, outputs. */
  readonly widths: readonly number[];
  /** Batch norm between dense and ReLU. */
  readonly batchNorm: boolean;
  readonly batchSize: number;
}

export const perceptron = { task: 'train', optimizer: 'adam', convolutions: [], batchNorm: false } as const;
const small = { ...perceptron, widths: [784, 100, 100, 10] } as const;

export const workloads: readonly Workload[] = [
  { ...small, id: 'M1', batchSize: 64 },
  { ...small, id: 'M1bn', batchNorm: true, batchSize: 64 },
  { ...perceptron, id: 'M2', widths: [784, 512, 512, 10], batchSize: 128 },
  { ...perceptron, id: 'M2L', widths: [784, 2048, 2048, 10], batchSize: 256 },
  {
    ...perceptron,
    id: 'M3',
    optimizer: 'momentum',
    convolutions: [
      { filters: 6, window: 5, pad: 2, pool: true },
      { filters: 16, window: 5, pad: 0, pool: true },
    ],
    widths: [400, 120, 84, 10],
    batchSize: 64,
  },
  {
    ...perceptron,
    id: 'M4',
    convolutions: [
      { filters: 32, window: 3, pad: 1, pool: false },
      { filters: 32, window: 3, pad: 1, pool: true },
      { filters: 64, window: 3, pad: 1, pool: false },
      { filters: 64, window: 3, pad: 1, pool: true },
    ],
    widths: [3136, 128, 10],
    batchSize: 64,
  },
  { ...small, id: 'P1', task: 'predict', batchSize: 1000 },
  { ...small, id: 'P1single', task: 'predict', batchSize: 1 },
];

/** Side of MNIST's square images. */
export const IMAGE_SIDE = 28;
/** MNIST's images for training: an epoch. */
export const EPOCH_SAMPLES = 60_000;
/** Samples that a quick run trains on before it measures loss and accuracy. */
export const QUICK_SAMPLES = 4_000;

export function findWorkload(id: string): Workload {
  const found = workloads.find((workload) => workload.id === id);
  const known = workloads.map((workload) => workload.id).join(', ');
  if (found === undefined) throw new Error(`no workload ${id}: expected one of ${known}`);
  return found;
}

/** Images per pass of a workload: those for training, or those for tests. */
export function passSamples({ task }: Workload): number {
  return task === 'train' ? EPOCH_SAMPLES : 10_000;
}

/** Inputs and outputs of each dense layer. */
export function denseLayers({ widths }: Workload): { inputs: number; outputs: number }[] {
  return widths.slice(1).map((outputs, i) => ({ inputs: widths[i], outputs }));
}

/** Multiplications and additions of a sample's forward pass, layer by layer. */
function forwardFlops({ convolutions, widths }: Workload): number[] {
  let [side, channels] = [IMAGE_SIDE, 1];
  const convolved = convolutions.map(({ filters, window, pad, pool }) => {
    const out = side + 2 * pad - window + 1;
    const flops = 2 * out * out * window * window * channels * filters;
    [side, channels] = [pool ? Math.floor(out / 2) : out, filters];
    return flops;
  });
  return [...convolved, ...widths.slice(1).map((outputs, i) => 2 * widths[i] * outputs)];
}

/**
 * FLOPs of a sample's matrix products: forward and, in training, the weight gradient and, except for the first layer,
 * the input gradient.
 */
export function flopsPerSample(workload: Workload): number {
  const products = (layer: number) => {
    if (workload.task === 'predict') return 1;
    return layer === 0 ? 2 : 3;
  };
  return forwardFlops(workload).reduce((sum, flops, layer) => sum + products(layer) * flops, 0);
}

function describeConvolution({ filters, window, pool }: Convolution): string {
  return `${window}×${window}×${filters}${pool ? ', pool' : ''}`;
}

export function describeWorkload({ task, optimizer, convolutions, widths, batchNorm, batchSize }: Workload): string {
  const layers = [...convolutions.map(describeConvolution), widths.join('-')].join(', ');
  const network = `${layers}, ${batchNorm ? 'batch norm, ' : ''}ReLU`;
  const update = optimizer === 'adam' ? 'Adam 0.001' : 'momentum 0.9 at 0.01';
  if (task === 'train') return `${network}, ${update}, batch ${batchSize}`;
  return `${network}, prediction, ${batchSize === 1 ? 'one image at a time' : `batches of ${batchSize}`}`;
}
