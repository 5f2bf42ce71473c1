/**
 * Batch normalisation over features; x and y are rows × features. Sums, in doubles, cover all features at once, row by
 * row, so that memory is read in order.
 */
import { doubles, moreDoubles } from './helpers/scratch.js';
import { share } from './share.js';
import { float, inout, input, kernel, out, PARTS, precise, size } from './signature.js';

export const normKernels = {
  // Each share of the rows gives its means (what float32 loses of them as `rests`) and sums of
  // squares. These are merged into the statistics of the batch, which `batchNormInference` then uses with `shift`: beta
  // less what float32 loses of the mean. A row of the batch is `pixels` rows of x.
  batchNormParts: kernel(
    PARTS,
    out('means', ['parts', 'features']),
    out('rests', ['parts', 'features']),
    out('squares', ['parts', 'features']),
    input('x', ['rows', 'pixels', 'features'], { along: 'rows' }),
    size('rows'),
    size('pixels'),
    size('features'),
    size('parts'),
  ),
  batchNormStatistics: kernel(
    undefined,
    out('mean', ['features']),
    out('variance', ['features']),
    out('inverseStd', ['features']),
    out('shift', ['features']),
    inout('runningMean', ['features']),
    inout('runningVariance', ['features']),
    input('means', ['parts', 'features']),
    input('rests', ['parts', 'features']),
    input('squares', ['parts', 'features']),
    input('gamma', ['features']),
    input('beta', ['features']),
    size('rows'),
    size('pixels'),
    size('features'),
    size('parts'),
    float('epsilon'),
    precise('momentum'),
  ),
  // The same over several ranks: the sums of all values and of their squares, measured from `center`. They are added
  // over the ranks, and `batchNormMerge` makes the statistics of `rows` values a feature; there the center is
  // runningMean.
  batchNormSums: kernel(
    undefined,
    out('sums', ['features'], { type: 'f64' }),
    out('powers', ['features'], { type: 'f64' }),
    input('means', ['parts', 'features']),
    input('rests', ['parts', 'features']),
    input('squares', ['parts', 'features']),
    input('center', ['features']),
    size('rows'),
    size('pixels'),
    size('features'),
    size('parts'),
  ),
  batchNormMerge: kernel(
    undefined,
    out('mean', ['features']),
    out('variance', ['features']),
    out('inverseStd', ['features']),
    out('shift', ['features']),
    inout('runningMean', ['features']),
    inout('runningVariance', ['features']),
    input('sums', ['features'], { type: 'f64' }),
    input('powers', ['features'], { type: 'f64' }),
    input('gamma', ['features']),
    input('beta', ['features']),
    size('rows'),
    size('features'),
    float('epsilon'),
    precise('momentum'),
  ),
  batchNormInference: kernel(
    'rows',
    out('y', ['rows', 'features'], { alias: ['x'] }),
    input('x', ['rows', 'features']),
    input('gamma', ['features']),
    input('beta', ['features']),
    input('runningMean', ['features']),
    input('runningVariance', ['features']),
    size('rows'),
    size('features'),
    float('epsilon'),
  ),
  // For a layer trained with the running statistics, which are constants in the gradient.
  batchNormInferenceBackward: kernel(
    'features',
    out('dx', ['rows', 'features'], { alias: ['dy'] }),
    out('dgamma', ['features']),
    out('dbeta', ['features']),
    input('dy', ['rows', 'features']),
    input('x', ['rows', 'features']),
    input('gamma', ['features']),
    input('runningMean', ['features']),
    input('runningVariance', ['features']),
    size('rows'),
    size('features'),
    float('epsilon'),
  ),
  // The gradients of gamma and beta from each share's rows, and from all of them the input gradient. `sumParts` adds
  // those of several shares.
  batchNormBackwardParts: kernel(
    PARTS,
    out('dgammaParts', ['parts', 'features']),
    out('dbetaParts', ['parts', 'features']),
    input('dy', ['rows', 'pixels', 'features'], { along: 'rows' }),
    input('x', ['rows', 'pixels', 'features'], { along: 'rows' }),
    input('mean', ['features']),
    input('inverseStd', ['features']),
    size('rows'),
    size('pixels'),
    size('features'),
    size('parts'),
  ),
  batchNormBackwardInput: kernel(
    'rows',
    out('dx', ['rows', 'features'], { alias: ['dy'] }),
    input('dy', ['rows', 'features']),
    input('x', ['rows', 'features']),
    input('mean', ['features']),
    input('inverseStd', ['features']),
    input('gamma', ['features']),
    input('dgammaParts', ['parts', 'features']),
    input('dbetaParts', ['parts', 'features']),
    size('rows'),
    size('features'),
    size('parts'),
  ),
} as const;

/** Share `part` of the batch's rows, in pixels. */
function pixelsOf(part: number, rows: number, parts: number, pixels: number): readonly [from: number, to: number] {
  const [begin, end] = share(rows, 1, part, parts);
  return [begin * pixels, end * pixels];
}

/**
 * For each of `parts` shares of the rows: the means of its features (means + rests), and the sums of the squared
 * deviations from them.
 */
export function batchNormParts(
  means: Float32Array,
  rests: Float32Array,
  squares: Float32Array,
  x: Float32Array,
  rows: number,
  pixels: number,
  features: number,
  parts: number,
): void {
  const [mean, sum] = [doubles(features), moreDoubles(features)];
  for (let part = 0; part < parts; part++) {
    const [from, to] = pixelsOf(part, rows, parts, pixels);
    mean.fill(0, 0, features);
    sum.fill(0, 0, features);
    for (let i = from, o = from * features; i < to; i++) for (let j = 0; j < features; j++, o++) mean[j] += x[o];
    for (let j = 0, o = part * features; j < features; j++, o++) {
      mean[j] /= Math.max(to - from, 1);
      means[o] = mean[j];
      rests[o] = mean[j] - means[o];
    }
    for (let i = from, o = from * features; i < to; i++) {
      for (let j = 0; j < features; j++, o++) {
        const d = x[o] - mean[j];
        sum[j] += d * d;
      }
    }
    for (let j = 0; j < features; j++) squares[part * features + j] = sum[j];
  }
}

/** Writes a feature's statistics, and takes them into the running ones. */
function statisticsOf(
  mean: Float32Array,
  variance: Float32Array,
  inverseStd: Float32Array,
  shift: Float32Array,
  runningMean: Float32Array,
  runningVariance: Float32Array,
  gamma: Float32Array,
  beta: Float32Array,
  epsilon: number,
  momentum: number,
) {
  return (j: number, center: number, spread: number) => {
    mean[j] = center;
    variance[j] = spread;
    inverseStd[j] = 1 / Math.sqrt(spread + epsilon);
    shift[j] = beta[j] - ((center - mean[j]) * gamma[j]) / Math.sqrt(spread + epsilon);
    if (momentum !== 1) {
      runningMean[j] = momentum * runningMean[j] + (1 - momentum) * center;
      runningVariance[j] = momentum * runningVariance[j] + (1 - momentum) * spread;
    }
  };
}

/**
 * Mean and (biased) variance of all rows, from those of the shares (Chan, Golub and LeVeque 1979); shift = beta less
 * what float32 loses of the mean, scaled as x.
 */
export function batchNormStatistics(
  mean: Float32Array,
  variance: Float32Array,
  inverseStd: Float32Array,
  shift: Float32Array,
  runningMean: Float32Array,
  runningVariance: Float32Array,
  means: Float32Array,
  rests: Float32Array,
  squares: Float32Array,
  gamma: Float32Array,
  beta: Float32Array,
  rows: number,
  pixels: number,
  features: number,
  parts: number,
  epsilon: number,
  momentum: number,
): void {
  const keep = statisticsOf(
    mean,
    variance,
    inverseStd,
    shift,
    runningMean,
    runningVariance,
    gamma,
    beta,
    epsilon,
    momentum,
  );
  const all = rows * pixels;
  for (let j = 0; j < features; j++) {
    let center = 0;
    let spread = 0;
    for (let part = 0, o = j; part < parts; part++, o += features) {
      const [from, to] = pixelsOf(part, rows, parts, pixels);
      const count = to - from;
      center += (means[o] + rests[o]) * (count / all);
    }
    for (let part = 0, o = j; part < parts; part++, o += features) {
      const [from, to] = pixelsOf(part, rows, parts, pixels);
      const count = to - from;
      spread += squares[o] / all + (means[o] + rests[o] - center) ** 2 * (count / all);
    }
    keep(j, center, spread);
  }
}

/** The sums of the values and of their squares, measured from `center`, from the statistics of the shares. */
export function batchNormSums(
  sums: Float64Array,
  powers: Float64Array,
  means: Float32Array,
  rests: Float32Array,
  squares: Float32Array,
  center: Float32Array,
  rows: number,
  pixels: number,
  features: number,
  parts: number,
): void {
  sums.fill(0, 0, features);
  powers.fill(0, 0, features);
  for (let part = 0, o = 0; part < parts; part++) {
    const [from, to] = pixelsOf(part, rows, parts, pixels);
    const count = to - from;
    for (let j = 0; j < features; j++, o++) {
      const d = means[o] + rests[o] - center[j];
      sums[j] += count * d;
      powers[j] += squares[o] + count * d * d;
    }
  }
}

/** Mean and (biased) variance of `rows` values from their sums, measured from the running mean. */
export function batchNormMerge(
  mean: Float32Array,
  variance: Float32Array,
  inverseStd: Float32Array,
  shift: Float32Array,
  runningMean: Float32Array,
  runningVariance: Float32Array,
  sums: Float64Array,
  powers: Float64Array,
  gamma: Float32Array,
  beta: Float32Array,
  rows: number,
  features: number,
  epsilon: number,
  momentum: number,
): void {
  const keep = statisticsOf(
    mean,
    variance,
    inverseStd,
    shift,
    runningMean,
    runningVariance,
    gamma,
    beta,
    epsilon,
    momentum,
  );
  for (let j = 0; j < features; j++) {
    const d = sums[j] / rows;
    const center = runningMean[j] + d;
    const difference = powers[j] / rows - d * d;
    const spread = difference < 0 ? 0 : difference;
    keep(j, center, spread);
  }
}

/** y may be x. */
export function batchNormInference(
  y: Float32Array,
  x: Float32Array,
  gamma: Float32Array,
  beta: Float32Array,
  runningMean: Float32Array,
  runningVariance: Float32Array,
  rows: number,
  features: number,
  epsilon: number,
): void {
  const scale = doubles(features);
  for (let j = 0; j < features; j++) scale[j] = gamma[j] / Math.sqrt(runningVariance[j] + epsilon);
  for (let i = 0, o = 0; i < rows; i++) {
    for (let j = 0; j < features; j++, o++) y[o] = (x[o] - runningMean[j]) * scale[j] + beta[j];
  }
}

/** dx may be dy. */
export function batchNormInferenceBackward(
  dx: Float32Array,
  dgamma: Float32Array,
  dbeta: Float32Array,
  dy: Float32Array,
  x: Float32Array,
  gamma: Float32Array,
  runningMean: Float32Array,
  runningVariance: Float32Array,
  rows: number,
  features: number,
  epsilon: number,
): void {
  const sum = doubles(features);
  const product = moreDoubles(features);
  for (let j = 0; j < features; j++) {
    sum[j] = 0;
    product[j] = 0;
  }
  for (let i = 0, o = 0; i < rows; i++) {
    for (let j = 0; j < features; j++, o++) {
      sum[j] += dy[o];
      product[j] += dy[o] * (x[o] - runningMean[j]);
    }
  }
  for (let j = 0; j < features; j++) {
    const inverse = 1 / Math.sqrt(runningVariance[j] + epsilon);
    dbeta[j] = sum[j];
    dgamma[j] = product[j] * inverse;
    product[j] = gamma[j] * inverse;
  }
  for (let i = 0, o = 0; i < rows; i++) for (let j = 0; j < features; j++, o++) dx[o] = dy[o] * product[j];
}

/** For each of `parts` shares of the rows: Σ dy · x̂ and Σ dy, where x̂ = (x − mean) · inverseStd. */
export function batchNormBackwardParts(
  dgammaParts: Float32Array,
  dbetaParts: Float32Array,
  dy: Float32Array,
  x: Float32Array,
  mean: Float32Array,
  inverseStd: Float32Array,
  rows: number,
  pixels: number,
  features: number,
  parts: number,
): void {
  const [sum, product] = [doubles(features), moreDoubles(features)];
  for (let part = 0; part < parts; part++) {
    const [from, to] = pixelsOf(part, rows, parts, pixels);
    sum.fill(0, 0, features);
    product.fill(0, 0, features);
    for (let i = from, o = from * features; i < to; i++) {
      for (let j = 0; j < features; j++, o++) {
        sum[j] += dy[o];
        product[j] += dy[o] * (x[o] - mean[j]);
      }
    }
    for (let j = 0; j < features; j++) {
      dbetaParts[part * features + j] = sum[j];
      dgammaParts[part * features + j] = to > from ? product[j] * inverseStd[j] : 0;
    }
  }
}

/** dx from the shares' sums; dx may be dy. */
export function batchNormBackwardInput(
  dx: Float32Array,
  dy: Float32Array,
  x: Float32Array,
  mean: Float32Array,
  inverseStd: Float32Array,
  gamma: Float32Array,
  dgammaParts: Float32Array,
  dbetaParts: Float32Array,
  rows: number,
  features: number,
  parts: number,
): void {
  const [sum, product] = [doubles(features), moreDoubles(features)];
  for (let j = 0; j < features; j++) {
    sum[j] = 0;
    product[j] = 0;
    for (let part = 0, o = j; part < parts; part++, o += features) {
      sum[j] += dbetaParts[o];
      product[j] += dgammaParts[o];
    }
    sum[j] /= rows;
    product[j] *= inverseStd[j] / rows;
  }
  for (let i = 0, o = 0; i < rows; i++) {
    for (let j = 0; j < features; j++, o++) {
      dx[o] = gamma[j] * inverseStd[j] * (dy[o] - sum[j] - (x[o] - mean[j]) * product[j]);
    }
  }
}
