/** What is measured: multi-layer perceptrons with ReLU and softmax cross-entropy, on MNIST. */
export interface Workload {
  readonly id: string;
  /** Training with Adam at 0.001 on the training images, or prediction of the test images by a trained network. */
  readonly task: 'train' | 'predict';
  /** Inputs, hidden layers, outputs. */
  readonly widths: readonly number[];
  /** Batch norm between dense and ReLU. */
  readonly batchNorm: boolean;
  readonly batchSize: number;
}

export const workloads: readonly Workload[] = [
  { id: 'M1', task: 'train', widths: [784, 100, 100, 10], batchNorm: false, batchSize: 64 },
  { id: 'M1bn', task: 'train', widths: [784, 100, 100, 10], batchNorm: true, batchSize: 64 },
  { id: 'M2', task: 'train', widths: [784, 512, 512, 10], batchNorm: false, batchSize: 128 },
  { id: 'M2L', task: 'train', widths: [784, 2048, 2048, 10], batchNorm: false, batchSize: 256 },
  { id: 'P1', task: 'predict', widths: [784, 100, 100, 10], batchNorm: false, batchSize: 1000 },
  { id: 'P1single', task: 'predict', widths: [784, 100, 100, 10], batchNorm: false, batchSize: 1 },
];

/** MNIST's images for training: an epoch. */
export const EPOCH_SAMPLES = 60_000;

/** Measured unless others are asked for. */
export const defaultWorkloads: readonly string[] = ['M1', 'M1bn', 'M2'];

export function findWorkload(id: string): Workload {
  const found = workloads.find((workload) => workload.id === id);
  const known = workloads.map((workload) => workload.id).join(', ');
  if (found === undefined) throw new Error(`no workload ${id}: expected one of ${known}`);
  return found;
}

/** Images that a workload passes over: those for training, or those for tests. */
export function passSamples({ task }: Workload): number {
  return task === 'train' ? EPOCH_SAMPLES : 10_000;
}

/** Inputs and outputs of each dense layer. */
export function denseLayers({ widths }: Workload): { inputs: number; outputs: number }[] {
  return widths.slice(1).map((outputs, i) => ({ inputs: widths[i], outputs }));
}

/** Of a sample's matrix products: forward and, in training, weight gradient and, but for the first layer, input gradient. */
export function flopsPerSample(workload: Workload): number {
  const products = (layer: number) => {
    if (workload.task === 'predict') return 1;
    return layer === 0 ? 2 : 3;
  };
  return denseLayers(workload).reduce((sum, { inputs, outputs }, layer) => sum + 2 * products(layer) * inputs * outputs, 0);
}

export function describeWorkload({ task, widths, batchNorm, batchSize }: Workload): string {
  const network = `${widths.join('-')}, ${batchNorm ? 'batch norm, ' : ''}ReLU`;
  if (task === 'train') return `${network}, Adam 0.001, batch ${batchSize}`;
  return `${network}, prediction, ${batchSize === 1 ? 'one image at a time' : `batches of ${batchSize}`}`;
}
