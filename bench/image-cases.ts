import type { KernelCase, Operands } from './kernel-case.js';

/** Threads that share out a gradient by images. */
const PARTS = 2;

/** A window over a batch of images, as the kernels take it. */
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
  const [inputs, outputs] = [rows * side * side * channels, rows * out * out * filters];
  const shape = `${rows} × ${side}×${side}×${channels}, ${window}×${window} → ${filters}`;
  const flops = 2 * rows * out * out * patch * filters;
  const operands = (o: Operands) => ({ x: o.floats(inputs), y: o.floats(outputs), w: o.floats(patch * filters) });
  return [
    {
      kernel: 'conv2dForward',
      shape,
      flops,
      call: (o) => {
        const { x, y, w } = operands(o);
        return ['conv2dForward', y, x, w, o.floats(filters), ...sizes(images), filters, 1, 0];
      },
    },
    {
      kernel: 'conv2dBackwardInput',
      shape,
      flops,
      call: (o) => {
        const { x, y, w } = operands(o);
        return ['conv2dBackwardInput', x, y, w, ...sizes(images), filters];
      },
    },
    {
      kernel: 'conv2dReverseWeights',
      shape: `${window}×${window}×${channels} → ${filters}`,
      call: (o) => {
        const [reversed, w] = [o.floats(patch * filters), o.floats(patch * filters)];
        return ['conv2dReverseWeights', reversed, w, window, window, channels, filters];
      },
    },
    {
      kernel: 'conv2dBackwardWeight',
      shape,
      flops,
      call: (o) => {
        const { x, y, w } = operands(o);
        return ['conv2dBackwardWeight', w, x, y, ...sizes(images), filters, patch];
      },
    },
    {
      kernel: 'conv2dBackwardParts',
      shape: `${shape}, in ${PARTS}`,
      flops,
      call: (o) => {
        const [dw, db] = [o.floats(PARTS * patch * filters), o.floats(PARTS * filters)];
        const { x, y } = operands(o);
        return ['conv2dBackwardParts', dw, db, x, y, ...sizes(images), filters, patch, PARTS];
      },
    },
  ];
}

function pooling(images: Images): KernelCase[] {
  const { rows, side, channels, window } = images;
  const out = outputSide(images);
  const [inputs, outputs] = [rows * side * side * channels, rows * out * out * channels];
  const shape = `${rows} × ${side}×${side}×${channels}, ${window}×${window}`;
  const geometry = sizes(images);
  return [
    {
      kernel: 'maxPool2dForward',
      shape,
      call: (o) => ['maxPool2dForward', o.floats(outputs), o.indices(outputs, 1), o.floats(inputs), ...geometry],
    },
    {
      kernel: 'maxPool2dBackward',
      shape,
      call: (o) => [
        'maxPool2dBackward',
        o.floats(inputs),
        o.floats(outputs),
        o.indices(outputs, side * side * channels),
        ...geometry,
      ],
    },
    { kernel: 'avgPool2dForward', shape, call: (o) => ['avgPool2dForward', o.floats(outputs), o.floats(inputs), ...geometry] },
    { kernel: 'avgPool2dBackward', shape, call: (o) => ['avgPool2dBackward', o.floats(inputs), o.floats(outputs), ...geometry] },
  ];
}

/** Pixels and channels of a middle layer. */
const [PIXELS, CHANNELS] = [64 * 14 * 14, 32];
const ELEMENTS = PIXELS * CHANNELS;
const SHAPE = `${PIXELS} × ${CHANNELS}`;

const channelCases: KernelCase[] = [
  {
    kernel: 'localResponseNorm',
    shape: SHAPE,
    call: (o) => {
      const [y, scale, x] = [o.floats(ELEMENTS), o.floats(ELEMENTS), o.floats(ELEMENTS)];
      return ['localResponseNorm', y, scale, x, PIXELS, CHANNELS, 2, 2, 1e-4, 0.75];
    },
  },
  {
    kernel: 'localResponseNormBackward',
    shape: SHAPE,
    call: (o) => {
      const [dx, dy, x] = [o.floats(ELEMENTS), o.floats(ELEMENTS), o.floats(ELEMENTS)];
      const [y, scale] = [o.floats(ELEMENTS), o.floats(ELEMENTS).fill(2)];
      return ['localResponseNormBackward', dx, dy, x, y, scale, PIXELS, CHANNELS, 2, 1e-4, 0.75];
    },
  },
  {
    kernel: 'prelu',
    shape: SHAPE,
    call: (o) => ['prelu', o.floats(ELEMENTS), o.floats(ELEMENTS), o.floats(CHANNELS), PIXELS, CHANNELS],
  },
  {
    kernel: 'preluBackward',
    shape: SHAPE,
    call: (o) => {
      const [dx, dslope, dy] = [o.floats(ELEMENTS), o.floats(CHANNELS), o.floats(ELEMENTS)];
      return ['preluBackward', dx, dslope, dy, o.floats(ELEMENTS), o.floats(CHANNELS), PIXELS, CHANNELS];
    },
  },
];

/** The kernels for images, on the shapes of LeNet and of a net of 3×3 windows. */
export const imageCases: readonly KernelCase[] = [
  ...convolution({ rows: 64, side: 28, channels: 1, window: 5, stride: 1, pad: 2 }, 6),
  ...convolution({ rows: 64, side: 14, channels: 32, window: 3, stride: 1, pad: 1 }, 64),
  ...pooling({ rows: 64, side: 28, channels: 6, window: 2, stride: 2, pad: 0 }),
  ...channelCases,
];
