import { signatures, type Values } from './operands.js';

/** A kernel with sizes and settings that occur in training. */
export interface KernelCase {
  readonly kernel: string;
  /** An operation of a kernel that has several. */
  readonly operation?: string;
  readonly shape: string;
  /** Floating-point operations, for kernels that use BLAS; the others are compared with memory traffic. */
  readonly flops?: number | undefined;
  readonly values: Values;
}

const names = Object.keys(signatures);

/** Kernels of the same shape, each operation of theirs; with `flops`, those that use BLAS. */
function on(shape: string, kernels: RegExp | readonly string[], values: Values, flops?: number): KernelCase[] {
  const chosen = kernels instanceof RegExp ? names.filter((name) => kernels.test(name)) : kernels;
  return chosen.flatMap((kernel): KernelCase[] => {
    const operations = signatures[kernel].parameters.find(({ name }) => name === 'operation')?.codes;
    if (operations === undefined) return [{ kernel, shape, flops, values }];
    return operations.map((operation, code) => ({ kernel, operation, shape, values: { ...values, operation: code } }));
  });
}

/** Threads that split a kernel's work. */
const parts = 2;

const product = (m: number, n: number, k: number) => on(`${m} × ${n} × ${k}`, ['gemm'], { m, n, k }, 2 * m * n * k);

function dense(rows: number, inputs: number, outputs: number): KernelCase[] {
  const shape = `${rows} × ${inputs} → ${outputs}`;
  const values = { rows, in: inputs, out: outputs, parts };
  return [
    ...on(shape, /^dense(BackwardInput|(Forward|BackwardWeight)(Parts)?)$/, values, 2 * rows * inputs * outputs),
    ...on(shape, /^dense(ForwardSum|BackwardBias)$/, values),
  ];
}

/** Square windows over a batch of square images. */
interface Images {
  readonly rows: number;
  readonly side: number;
  readonly channels: number;
  readonly window: number;
  readonly stride: number;
  readonly pad: number;
}

function geometry({ rows, side, channels, window, stride, pad }: Images) {
  const out = Math.floor((side + 2 * pad - window) / stride) + 1;
  return {
    ...{ rows, channels, parts, height: side, width: side, outHeight: out, outWidth: out },
    ...{ windowHeight: window, windowWidth: window, strideHeight: stride, strideWidth: stride },
    ...{ padTop: pad, padLeft: pad, dilationHeight: 1, dilationWidth: 1 },
  };
}

const describe = ({ rows, side, channels, window }: Images) =>
  `${rows} × ${side}×${side}×${channels}, ${window}×${window}`;

function convolution(images: Images, filters: number): KernelCase[] {
  const sizes = geometry(images);
  const patch = images.window ** 2 * images.channels;
  const values = { ...sizes, filters, patch };
  const shape = `${describe(images)} → ${filters}`;
  const flops = 2 * sizes.rows * sizes.outHeight ** 2 * patch * filters;
  return [...on(shape, /^conv2d(Forward|Backward)/, values, flops), ...on(shape, ['conv2dReverseWeights'], values)];
}

/** A convolution of `groups` groups of the channels, with as many filters. */
function groupedConvolution(images: Images, groups: number): KernelCase[] {
  const sizes = geometry(images);
  const channels = images.channels / groups;
  const flops = 2 * sizes.rows * sizes.outHeight ** 2 * images.window ** 2 * channels * images.channels;
  const values = { ...sizes, channels, filters: channels, groups };
  return on(`${describe(images)}, ${groups} groups`, /^groupedConv2d/, values, flops);
}

function groupNorm(rows: number, pixels: number, groups: number, width: number): KernelCase[] {
  const values = { rows, positions: 1, pixels, groups, width, parts };
  return on(`${rows} × ${pixels} × ${groups} × ${width}`, /^groupNorm/, values);
}

/** Batch, units and parameters of M2. */
const [batch, units] = [128, 512];
const parameters = 784 * 512 + 512 + 512 * 512 + 512 + 512 * 10 + 10;
const mnist = { features: 784, scale: 1 / 255 };
/** Images of a middle layer. */
const [side, channels] = [16, 64];
const image = side * side * channels;
const middle = { rows: 64 * 14 * 14, channels: 32, radius: 2, bias: 2, alpha: 1e-4, beta: 0.75 };

const cifar = { rows: 128, height: 32, width: 32, channels: 3, features: 3072, cutHeight: 8, cutWidth: 8 };

/** Kernels with shapes of their own. */
const special: readonly KernelCase[] = [
  ...product(64, 100, 784),
  ...product(128, 512, 784),
  ...dense(64, 784, 100),
  ...dense(128, 512, 512),
  ...on(
    `${batch} × 32 × 32 × 32`,
    ['matmulBatch'],
    { rows: batch, m: 32, n: 32, k: 32, transB: 1 },
    2 * batch * 32 ** 3,
  ),
  ...convolution({ rows: 64, side: 28, channels: 1, window: 5, stride: 1, pad: 2 }, 6),
  ...convolution({ rows: 64, side: 14, channels: 32, window: 3, stride: 1, pad: 1 }, 64),
  ...groupedConvolution({ rows: 32, side: 28, channels: 64, window: 3, stride: 1, pad: 1 }, 64),
  ...groupedConvolution({ rows: 32, side: 14, channels: 64, window: 3, stride: 1, pad: 1 }, 4),
  ...on('64 × 28×28×6, 2×2', /Pool2d/, geometry({ rows: 64, side: 28, channels: 6, window: 2, stride: 2, pad: 0 })),
  ...on(`${middle.rows} × ${middle.channels}`, /^(localResponseNorm|prelu)/, middle),
  ...on('64 × 196 × 32', ['multiplyChannels'], { rows: 64, pixels: 196, channels: 32 }),
  ...groupNorm(batch, 1, 1, units),
  ...groupNorm(64, 196, 8, 4),
  ...groupNorm(64, 196, 32, 1),
  ...on(`${batch} × ${side * side} × ${channels}`, /^reduce/, { rows: batch, axis: side * side, inner: channels }),
  ...on(`${batch * side * side} × ${channels} × 1`, ['reduce'], {
    rows: batch * side * side,
    axis: channels,
    inner: 1,
  }),
  ...on(`${batch} × ${side * side} × ${channels}, transposed`, ['copyStrided'], {
    ...{ rows: batch, yPerRow: image, xPerRow: image, dim0: 1, dim1: 1, dim2: 1, dim3: channels, dim4: side * side },
    ...{ yOffset: 0, yStride0: 0, yStride1: 0, yStride2: 0, yStride3: side * side, yStride4: 1 },
    ...{ xOffset: 0, xStride0: 0, xStride1: 0, xStride2: 0, xStride3: 1, xStride4: channels },
  }),
  ...on(`${batch} × 784 of 60000`, ['gatherBytes', 'gatherBytesParts'], {
    rows: batch,
    sourceRows: 60_000,
    parts,
    ...mnist,
  }),
  ...on(`${batch} × 784 of 512`, ['gatherFloats'], { rows: batch, sourceRows: 512, ...mnist }),
  ...on(`${batch} of 60000`, ['gatherLabels'], { rows: batch, sourceRows: 60_000 }),
  ...on(`${batch} × 64 of 60000`, ['gatherIndices'], { rows: batch, sourceRows: 60_000, features: 64 }),
  ...on(`${batch} × 4096 of 60000 empty rows`, ['gatherSparse'], {
    ...{ rows: batch, sourceRows: 60_000, features: 4096, indexCount: 1, valueCount: 1 },
  }),
  ...on(`${batch * 64} of 10000 × 64`, /^embedding/, { rows: batch * 64, vocabulary: 10_000, width: 64 }),
  ...on('60000', ['permutation', 'drawWithReplacement'], { n: 60_000, sourceRows: 60_000 }),
  ...on('128 × 32×32×3', /^(rotateImages|cutImages|flipImages|mixRows)$/, { ...cifar, alpha: 0.2 }),
  ...on('128 × 32×32×3', ['shiftImages'], { ...cifar, vertical: 4, horizontal: 4 }),
  ...on(`${batch} × ${units}`, /^unary/, { n: batch * units, alpha: 0.3, beta: 0.4 }),
  ...on(parameters.toLocaleString('en-US'), ['allReduce', 'penalty', 'squareSum'], { n: parameters, m: 1 }),
  ...on('1', ['addTotal'], {}),
];

/** The shapes of the others: each runs on the first that has all its sizes. */
const common: readonly { shape: string; values: Values; onlyUpdates?: boolean }[] = [
  { shape: parameters.toLocaleString('en-US'), values: { n: parameters }, onlyUpdates: true },
  { shape: `${batch} × ${units}`, values: { n: batch * units, parts } },
  { shape: '512 × 10', values: { rows: 512, cols: 10, classes: 10, outputs: 10 } },
  { shape: `${batch} × ${units}`, values: { rows: batch, features: units, pixels: 1, parts } },
];

function commonCases(kernel: string): KernelCase[] {
  const all = signatures[kernel].parameters;
  const sizes = all.filter(({ kind }) => kind === 'size').map(({ name }) => name);
  const updates = all.some(({ kind }) => kind === 'inout');
  const found = common.find(({ values, onlyUpdates }) => {
    return (updates || !onlyUpdates) && sizes.every((name) => name in values);
  });
  if (found === undefined) throw new Error(`bench/kernel-cases.ts has no shape for ${kernel}`);
  return on(found.shape, [kernel], found.values);
}

/** A square product that is large enough for BLAS to reach its peak. */
export const [peakCase] = product(1024, 1024, 1024);

const ownShape = new Set(special.map(({ kernel }) => kernel));

/** Every kernel of the table, with the workloads' shapes. */
export const kernelCases: readonly KernelCase[] = [
  ...special,
  ...names.filter((name) => !ownShape.has(name)).flatMap(commonCases),
];
