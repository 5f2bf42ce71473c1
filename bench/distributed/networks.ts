/** The networks of `npm run bench:distributed`. */
import { findWorkload, perceptron, type Workload } from '../workloads.js';

const residual = (filters: number, stride: number) => ({ kind: 'residual', filters, stride }) as const;

/** The network of examples/resnet, but for the batch norm of its first layer. */
const resnet: Workload = {
  ...perceptron,
  id: 'ResNet',
  optimizer: 'momentum',
  images: [
    { kind: 'convolution', filters: 16, window: 3, pad: 1, pool: false },
    ...[1, 1, 1].map((stride) => residual(16, stride)),
    ...[2, 1, 1].map((stride) => residual(32, stride)),
    ...[2, 1, 1].map((stride) => residual(64, stride)),
  ],
  channelMeans: true,
  widths: [64, 10],
  batchSize: 128,
};

export const measured: readonly Workload[] = [...['M1', 'M2', 'M2L', 'M4'].map(findWorkload), resnet];

/** A network that is only computed: from its size, and the FLOP/s of a network that is measured. */
export interface Imagined {
  readonly id: string;
  readonly title: string;
  readonly parameters: number;
  /** Rows of a rank in a step. */
  readonly rows: number;
  /** Of a row in forward and backward pass. */
  readonly flops: number;
}

/** Six products of two FLOPs for each weight and row: forward, and both gradients. */
const flopsOfWeights = (parameters: number) => 6 * parameters;

function multilayerPerceptron(widths: readonly number[], rows: number): Imagined {
  const parameters = widths.slice(1).reduce((sum, width, i) => sum + width * (widths[i] + 1), 0);
  const title = `${widths[0]}, ${widths.length - 2} × ${widths[1]}, ${widths.at(-1)}; ${rows} rows a rank`;
  return { id: 'MLP-1B', title, parameters, rows, flops: flopsOfWeights(parameters) };
}

/**
 * Tokens and positions embedded, blocks with attention and an MLP of four times the width. FLOPs of a token: 6 for each
 * parameter and 12 × layers × width × steps for attention (Chowdhery et al. 2022, appendix B).
 */
function transformer(layers: number, width: number, steps: number, vocabulary: number, rows: number): Imagined {
  const block = 12 * width * width + 13 * width;
  const parameters = layers * block + (vocabulary + steps + 2) * width;
  const attention = 12 * layers * width * steps;
  const title = `${layers} blocks of width ${width}, ${steps} tokens of ${vocabulary}; ${rows} sequences a rank`;
  return { id: 'tiny-gpt', title, parameters, rows, flops: steps * (flopsOfWeights(parameters) + attention) };
}

export const imagined: readonly Imagined[] = [
  transformer(6, 384, 256, 65, 64),
  multilayerPerceptron([8192, ...Array.from({ length: 15 }, () => 8192), 10], 256),
];
