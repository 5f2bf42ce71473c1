/** Layers on images. All windows are square. */
export type ImageLayer =
  /** A convolution with ReLU and stride 1; whether 2×2 max pooling follows. */
  | {
      readonly kind: 'convolution';
      readonly filters: number;
      readonly window: number;
      readonly pad: number;
      readonly pool: boolean;
    }
  /**
   * Two convolutions of 3×3 with batch norm, ReLU between them, beside a shortcut; ReLU of the sum. The first has the
   * stride. The shortcut is a convolution of 1×1 with batch norm if the shape changes (He et al. 2016).
   */
  | { readonly kind: 'residual'; readonly filters: number; readonly stride: number }
  /** A depthwise convolution of 3×3 with the stride and one of 1×1, each with batch norm and ReLU. */
  | { readonly kind: 'separable'; readonly filters: number; readonly stride: number };

/** A benchmark workload: a network with ReLU and softmax cross-entropy, on MNIST. */
export interface Workload {
  readonly id: string;
  /** Training on the training images, or predicting the test images with a trained network. */
  readonly task: 'train' | 'predict';
  /** Adam with learning rate 0.001, or gradient descent with 0.01 and momentum 0.9. */
  readonly optimizer: 'adam' | 'momentum';
  /** Layers on images before the dense layers. */
  readonly images: readonly ImageLayer[];
  /** Whether the dense layers get the mean of each channel, and not all pixels. */
  readonly channelMeans?: boolean;
  /** Sizes of the dense layers: inputs, hidden layers, outputs. */
  readonly widths: readonly number[];
  /** Batch norm between dense and ReLU. */
  readonly batchNorm: boolean;
  readonly batchSize: number;
}

export const perceptron = { task: 'train', optimizer: 'adam', images: [], batchNorm: false } as const;
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
    images: [
      { kind: 'convolution', filters: 6, window: 5, pad: 2, pool: true },
      { kind: 'convolution', filters: 16, window: 5, pad: 0, pool: true },
    ],
    widths: [400, 120, 84, 10],
    batchSize: 64,
  },
  {
    ...perceptron,
    id: 'M4',
    images: [
      { kind: 'convolution', filters: 32, window: 3, pad: 1, pool: false },
      { kind: 'convolution', filters: 32, window: 3, pad: 1, pool: true },
      { kind: 'convolution', filters: 64, window: 3, pad: 1, pool: false },
      { kind: 'convolution', filters: 64, window: 3, pad: 1, pool: true },
    ],
    widths: [3136, 128, 10],
    batchSize: 64,
  },
  {
    ...perceptron,
    id: 'M5',
    optimizer: 'momentum',
    images: [
      { kind: 'convolution', filters: 16, window: 3, pad: 1, pool: false },
      { kind: 'residual', filters: 16, stride: 1 },
      { kind: 'residual', filters: 32, stride: 2 },
      { kind: 'residual', filters: 64, stride: 2 },
    ],
    channelMeans: true,
    widths: [64, 10],
    batchSize: 64,
  },
  {
    ...perceptron,
    id: 'M6',
    images: [
      { kind: 'convolution', filters: 32, window: 3, pad: 1, pool: false },
      { kind: 'separable', filters: 64, stride: 1 },
      { kind: 'separable', filters: 128, stride: 2 },
      { kind: 'separable', filters: 128, stride: 1 },
      { kind: 'separable', filters: 256, stride: 2 },
    ],
    channelMeans: true,
    widths: [256, 10],
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

/**
 * A matrix product of a sample's forward pass: `rows` × `inputs` by `inputs` × `outputs`. A convolution is the product
 * of its windows with its weights; a depthwise one is none, only FLOPs.
 */
export interface Product {
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly depthwise?: boolean;
}

/** The products of a sample's forward pass, layer by layer. */
export function forwardProducts({ images, widths }: Workload): Product[] {
  let [side, channels] = [IMAGE_SIDE, 1];
  const products: Product[] = [];
  const convolve = (window: number, filters: number, out: number, depthwise = false) => {
    const inputs = window * window * (depthwise ? 1 : channels);
    products.push({ rows: out * out, inputs, outputs: filters, depthwise });
    channels = filters;
  };
  for (const layer of images) {
    const { filters } = layer;
    if (layer.kind === 'convolution') {
      const out = side + 2 * layer.pad - layer.window + 1;
      convolve(layer.window, filters, out);
      side = layer.pool ? Math.floor(out / 2) : out;
      continue;
    }
    const out = Math.ceil(side / layer.stride);
    if (layer.kind === 'separable') {
      convolve(3, channels, out, true);
      convolve(1, filters, out);
    } else {
      if (layer.stride > 1 || channels !== filters)
        products.push({ rows: out * out, inputs: channels, outputs: filters });
      convolve(3, filters, out);
      convolve(3, filters, out);
    }
    side = out;
  }
  for (const [i, outputs] of widths.slice(1).entries()) products.push({ rows: 1, inputs: widths[i], outputs });
  return products;
}

/** Passes of a layer's product: forward and, in training, both gradients; the first layer needs none of its input. */
export function passes({ task }: Workload, layer: number): number {
  if (task === 'predict') return 1;
  return layer === 0 ? 2 : 3;
}

/** FLOPs of a sample's matrix products and depthwise convolutions in all passes. */
export function flopsPerSample(workload: Workload): number {
  return forwardProducts(workload).reduce(
    (sum, { rows, inputs, outputs }, layer) => sum + passes(workload, layer) * 2 * rows * inputs * outputs,
    0,
  );
}

function describeImageLayer(layer: ImageLayer): string {
  if (layer.kind === 'convolution') {
    const { filters, window, pool } = layer;
    return `${window}×${window}×${filters}${pool ? ', pool' : ''}`;
  }
  return `${layer.kind} ${layer.filters}${layer.stride > 1 ? ` stride ${layer.stride}` : ''}`;
}

export function describeWorkload(workload: Workload): string {
  const { task, optimizer, images, channelMeans, widths, batchNorm, batchSize } = workload;
  const parts = [...images.map(describeImageLayer), ...(channelMeans ? ['means of channels'] : []), widths.join('-')];
  const layers = parts.join(', ');
  const network = `${layers}, ${batchNorm ? 'batch norm, ' : ''}ReLU`;
  const update = optimizer === 'adam' ? 'Adam 0.001' : 'momentum 0.9 at 0.01';
  if (task === 'train') return `${network}, ${update}, batch ${batchSize}`;
  return `${network}, prediction, ${batchSize === 1 ? 'one image at a time' : `batches of ${batchSize}`}`;
}
