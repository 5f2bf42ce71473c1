import { type KernelCase, type Operands, on } from './operands.js';

/** Threads that split a gradient by images. */
const PARTS = 2;

/** A window over a batch of images, in the kernels' terms. */
interface Images {
  readonly rows: number;
  readonly side: number;
  readonly channels: number;
  readonly window: number;
  readonly stride: number;
  readonly pad: number;
}

function outputSide({ side, window, stride, pad }: Images): number {
  return Math.floor((side + 2 * pad - window) / stride) + 1;
}

function sizes(images: Images) {
  const { rows, side, channels, window, stride, pad } = images;
  const out = outputSide(images);
  return [rows, side, side, channels, out, out, window, window, stride, stride, pad, pad] as const;
}

function convolution(images: Images, filters: number): KernelCase[] {
  const { rows, side, channels, window } = images;
  const out = outputSide(images);
  const patch = window * window * channels;
  const weights = patch * filters;
  const [inputs, outputs] = [rows * side * side * channels, rows * out * out * filters];
  const geometry = sizes(images);
  const shape = `${rows} × ${side}×${side}×${channels}, ${window}×${window} → ${filters}`;
  const flops = 2 * rows * out * out * patch * filters;
  const gradients = (o: Operands, parts: number) => o.floats(parts * weights, parts * filters, inputs, outputs);
  return [
    ...on(
      shape,
      [
        (o) => ['conv2dForward', ...o.floats(outputs, inputs, weights, filters), ...geometry, filters, 1, 0, 0],
        (o) => ['conv2dBackwardInput', ...o.floats(inputs, outputs, weights), ...geometry, filters, 0],
        (o) => ['conv2dBackwardWeight', ...gradients(o, 1), ...geometry, filters, patch, 1, 0],
      ],
      flops,
    ),
    ...on(
      `${shape}, in ${PARTS}`,
      [(o) => ['conv2dBackwardWeight', ...gradients(o, PARTS), ...geometry, filters, patch, PARTS, 0]],
      flops,
    ),
    ...on(`${window}×${window}×${channels} → ${filters}`, [
      (o) => ['conv2dReverseWeights', ...o.floats(weights, weights), window, window, channels, filters],
    ]),
  ];
}

/** A convolution of `groups` groups of the channels, with as many filters. */
function groupedConvolution(images: Images, groups: number): KernelCase[] {
  const { rows, side, channels, window, stride, pad } = images;
  const out = outputSide(images);
  const each = channels / groups;
  const weights = window * window * each * channels;
  const [inputs, outputs] = [rows * side * side * channels, rows * out * out * channels];
  const geometry = [
    ...([rows, side, side, groups, each, out, out, window, window] as const),
    ...([stride, stride, 1, 1, pad, pad, each] as const),
  ] as const;
  const flops = 2 * rows * out * out * weights;
  const parts = (o: Operands) => o.floats(PARTS * weights, PARTS * channels, inputs, outputs);
  return on(
    `${rows} × ${side}×${side}×${channels}, ${window}×${window}, ${groups} groups`,
    [
      (o) => ['groupedConv2dForward', ...o.floats(outputs, inputs, weights, channels), ...geometry, 1, 0],
      (o) => ['groupedConv2dBackwardInput', ...o.floats(inputs, outputs, weights), ...geometry],
      (o) => ['groupedConv2dBackwardParts', ...parts(o), ...geometry, PARTS],
    ],
    flops,
  );
}

function pooling(images: Images): KernelCase[] {
  const { rows, side, channels, window } = images;
  const out = outputSide(images);
  const [inputs, outputs] = [rows * side * side * channels, rows * out * out * channels];
  const size = side * side * channels;
  const geometry = sizes(images);
  return on(`${rows} × ${side}×${side}×${channels}, ${window}×${window}`, [
    (o) => ['maxPool2dForward', ...o.floats(outputs), o.indices(outputs, 1), ...o.floats(inputs), ...geometry],
    (o) => ['maxPool2dBackward', ...o.floats(inputs, outputs), o.indices(outputs, size), ...geometry],
    (o) => ['avgPool2dForward', ...o.floats(outputs, inputs), ...geometry],
    (o) => ['avgPool2dBackward', ...o.floats(inputs, outputs), ...geometry],
  ]);
}

/** Pixels and channels of a middle layer. */
const [P, C] = [64 * 14 * 14, 32];
const N = P * C;

const channelCases = on(`${P} × ${C}`, [
  (o) => ['localResponseNorm', ...o.floats(N, N, N), P, C, 2, 2, 1e-4, 0.75],
  (o) => {
    const [dx, dy, x, y, scale] = o.floats(N, N, N, N, N);
    return ['localResponseNormBackward', dx, dy, x, y, scale.fill(2), P, C, 2, 1e-4, 0.75];
  },
  (o) => ['multiplyChannels', ...o.floats(N, N, 64 * C), 64, 14 * 14, C],
  (o) => ['prelu', ...o.floats(N, N, C), P, C],
  (o) => ['preluBackward', ...o.floats(N, C, N, N, C), P, C],
]);

/** Group norm of such images; one group per channel is instance norm. */
function groupNorm(groups: number): KernelCase[] {
  const [rows, pixels, width] = [64, 14 * 14, C / groups];
  const statistics = rows * groups;
  const sizes = [rows, 1, pixels, groups, width] as const;
  return on(`${rows} × ${pixels} × ${groups} × ${width}`, [
    (o) => ['groupNormForward', ...o.floats(N, statistics, statistics, statistics, N, C, C), ...sizes, 1e-5],
    (o) => ['groupNormBackwardInput', ...o.floats(N, N, N, statistics, statistics, statistics, C), ...sizes],
    (o) => {
      const operands = o.floats(PARTS * C, PARTS * C, N, N, statistics, statistics, statistics);
      return ['groupNormBackwardParts', ...operands, ...sizes, PARTS];
    },
  ]);
}

/** The image kernels, with the shapes of LeNet and of a network with 3×3 windows. */
export const imageCases: readonly KernelCase[] = [
  ...convolution({ rows: 64, side: 28, channels: 1, window: 5, stride: 1, pad: 2 }, 6),
  ...convolution({ rows: 64, side: 14, channels: 32, window: 3, stride: 1, pad: 1 }, 64),
  ...groupedConvolution({ rows: 32, side: 28, channels: 64, window: 3, stride: 1, pad: 1 }, 64),
  ...groupedConvolution({ rows: 32, side: 14, channels: 64, window: 3, stride: 1, pad: 1 }, 4),
  ...pooling({ rows: 64, side: 28, channels: 6, window: 2, stride: 2, pad: 0 }),
  ...channelCases,
  ...groupNorm(8),
  ...groupNorm(C),
];
