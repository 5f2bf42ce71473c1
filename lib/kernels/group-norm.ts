/**
 * Layer, group and instance normalisation. x and y are rows × positions × pixels × groups × width. Each group of each
 * position is normalised over its pixels and its `width` channels; gammas and betas belong to the groups · width
 * channels.
 *
 * A position of a row is called a unit here. Memory is read in order, with one sum per group, in doubles.
 */
import { doubles, moreDoubles } from './helpers/scratch.js';
import { share } from './share.js';
import { float, input, kernel, out, PARTS, size } from './signature.js';

const values = () => ['rows', 'positions', 'pixels', 'groups', 'width'];
const statistics = () => ['rows', 'positions', 'groups'];
const groupSizes = () => [size('rows'), size('positions'), size('pixels'), size('groups'), size('width')] as const;

export const groupNormKernels = {
  // The mean of a group is mean + rest, where `rest` is what float32 loses of it. Without gamma
  // and beta they are 1 and 0.
  groupNormForward: kernel(
    'rows',
    out('y', values()),
    out('mean', statistics()),
    out('rest', statistics()),
    out('inverseStd', statistics()),
    input('x', values()),
    input('gamma', ['groups', 'width'], { optional: true }),
    input('beta', ['groups', 'width'], { optional: true }),
    ...groupSizes(),
    float('epsilon'),
  ),
  groupNormBackwardInput: kernel(
    'rows',
    out('dx', values(), { alias: ['dy'] }),
    input('dy', values()),
    input('x', values()),
    input('mean', statistics()),
    input('rest', statistics()),
    input('inverseStd', statistics()),
    input('gamma', ['groups', 'width'], { optional: true }),
    ...groupSizes(),
  ),
  // The gradients of gamma and beta, each share over its own rows; `sumParts` adds them.
  groupNormBackwardParts: kernel(
    PARTS,
    out('dgammaParts', ['parts', 'groups', 'width']),
    out('dbetaParts', ['parts', 'groups', 'width']),
    input('dy', values(), { along: 'rows' }),
    input('x', values(), { along: 'rows' }),
    input('mean', statistics(), { along: 'rows' }),
    input('rest', statistics(), { along: 'rows' }),
    input('inverseStd', statistics(), { along: 'rows' }),
    ...groupSizes(),
    size('parts'),
  ),
} as const;

export function groupNormForward(
  y: Float32Array,
  mean: Float32Array,
  rest: Float32Array,
  inverseStd: Float32Array,
  x: Float32Array,
  gamma: Float32Array | null,
  beta: Float32Array | null,
  rows: number,
  positions: number,
  pixels: number,
  groups: number,
  width: number,
  epsilon: number,
): void {
  const [center, scale] = [doubles(groups), moreDoubles(groups)];
  const count = pixels * width;
  if (count === 0) return;
  for (let unit = 0, start = 0; unit < rows * positions; unit++, start += count * groups) {
    center.fill(0, 0, groups);
    scale.fill(0, 0, groups);
    for (let pixel = 0, o = start; pixel < pixels; pixel++) {
      for (let group = 0; group < groups; group++) for (let j = 0; j < width; j++, o++) center[group] += x[o];
    }
    for (let group = 0; group < groups; group++) center[group] /= count;
    for (let pixel = 0, o = start; pixel < pixels; pixel++) {
      for (let group = 0; group < groups; group++) {
        for (let j = 0; j < width; j++, o++) {
          const d = x[o] - center[group];
          scale[group] += d * d;
        }
      }
    }
    for (let group = 0, o = unit * groups; group < groups; group++, o++) {
      scale[group] = 1 / Math.sqrt(scale[group] / count + epsilon);
      mean[o] = center[group];
      rest[o] = center[group] - mean[o];
      inverseStd[o] = scale[group];
    }
    for (let pixel = 0, o = start; pixel < pixels; pixel++) {
      for (let group = 0, channel = 0; group < groups; group++) {
        for (let j = 0; j < width; j++, o++, channel++) {
          const normalised = (x[o] - center[group]) * scale[group];
          y[o] = normalised * (gamma === null ? 1 : gamma[channel]) + (beta === null ? 0 : beta[channel]);
        }
      }
    }
  }
}

/** dx may be dy. */
export function groupNormBackwardInput(
  dx: Float32Array,
  dy: Float32Array,
  x: Float32Array,
  mean: Float32Array,
  rest: Float32Array,
  inverseStd: Float32Array,
  gamma: Float32Array | null,
  rows: number,
  positions: number,
  pixels: number,
  groups: number,
  width: number,
): void {
  const [sum, product] = [doubles(groups), moreDoubles(groups)];
  const count = pixels * width;
  for (let unit = 0, start = 0; unit < rows * positions; unit++, start += count * groups) {
    const first = unit * groups;
    sum.fill(0, 0, groups);
    product.fill(0, 0, groups);
    for (let pixel = 0, o = start; pixel < pixels; pixel++) {
      for (let group = 0, channel = 0; group < groups; group++) {
        for (let j = 0; j < width; j++, o++, channel++) {
          const gradient = gamma === null ? dy[o] : dy[o] * gamma[channel];
          sum[group] += gradient;
          product[group] += gradient * (x[o] - mean[first + group] - rest[first + group]);
        }
      }
    }
    for (let group = 0; group < groups; group++) {
      sum[group] /= count;
      // The factor of x − mean in dx.
      product[group] *= inverseStd[first + group] ** 2 / count;
    }
    for (let pixel = 0, o = start; pixel < pixels; pixel++) {
      for (let group = 0, channel = 0; group < groups; group++) {
        for (let j = 0; j < width; j++, o++, channel++) {
          const gradient = gamma === null ? dy[o] : dy[o] * gamma[channel];
          const distance = x[o] - mean[first + group] - rest[first + group];
          dx[o] = inverseStd[first + group] * (gradient - sum[group] - distance * product[group]);
        }
      }
    }
  }
}

/** For each of `parts` shares of the rows: Σ dy · x̂ and Σ dy, where x̂ = (x − mean − rest) · inverseStd. */
export function groupNormBackwardParts(
  dgammaParts: Float32Array,
  dbetaParts: Float32Array,
  dy: Float32Array,
  x: Float32Array,
  mean: Float32Array,
  rest: Float32Array,
  inverseStd: Float32Array,
  rows: number,
  positions: number,
  pixels: number,
  groups: number,
  width: number,
  parts: number,
): void {
  const channels = groups * width;
  const [sum, product] = [doubles(channels), moreDoubles(channels)];
  for (let part = 0; part < parts; part++) {
    const [begin, end] = share(rows, 1, part, parts);
    sum.fill(0, 0, channels);
    product.fill(0, 0, channels);
    let o = begin * positions * pixels * channels;
    for (let unit = begin * positions; unit < end * positions; unit++) {
      for (let pixel = 0; pixel < pixels; pixel++) {
        for (let group = 0, channel = 0, at = unit * groups; group < groups; group++, at++) {
          for (let j = 0; j < width; j++, o++, channel++) {
            sum[channel] += dy[o];
            product[channel] += dy[o] * (x[o] - mean[at] - rest[at]) * inverseStd[at];
          }
        }
      }
    }
    for (let channel = 0; channel < channels; channel++) {
      dgammaParts[part * channels + channel] = product[channel];
      dbetaParts[part * channels + channel] = sum[channel];
    }
  }
}
