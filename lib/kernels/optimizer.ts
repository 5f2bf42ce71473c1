/** Optimizer steps over a flat block of n parameters p with gradients g, in place. */
import { flag, float, inout, input, kernel, out, precise, size } from './signature.js';

/** Of all forms of Adam, before how they decay the weights. */
const adamSettings = () =>
  [
    size('n'),
    float('stepSize'),
    float('correction'),
    precise('beta1'),
    precise('beta2'),
    float('epsilon'),
    float('epsilonInside'),
  ] as const;

export const optimizerKernels = {
  sgd: kernel(
    'n',
    inout('p', ['n']),
    inout('velocity', ['n'], { optional: true }),
    input('g', ['n']),
    size('n'),
    float('learningRate'),
    float('momentum'),
    precise('dampening'),
    flag('nesterov'),
    float('weightDecay'),
  ),
  adaGrad: kernel(
    'n',
    inout('p', ['n']),
    inout('accumulator', ['n']),
    input('g', ['n']),
    size('n'),
    float('learningRate'),
    float('epsilon'),
    float('weightDecay'),
  ),
  rmsProp: kernel(
    'n',
    inout('p', ['n']),
    inout('average', ['n']),
    inout('velocity', ['n'], { optional: true }),
    input('g', ['n']),
    size('n'),
    float('learningRate'),
    precise('decay'),
    float('epsilon'),
    float('epsilonInside'),
    float('momentum'),
    float('weightDecay'),
  ),
  adam: kernel(
    'n',
    inout('p', ['n']),
    inout('m', ['n']),
    inout('v', ['n']),
    input('g', ['n']),
    ...adamSettings(),
    float('weightDecay'),
  ),
  adamW: kernel(
    'n',
    inout('p', ['n']),
    inout('m', ['n']),
    inout('v', ['n']),
    input('g', ['n']),
    ...adamSettings(),
    float('shrink'),
  ),
  amsGrad: kernel(
    'n',
    inout('p', ['n']),
    inout('m', ['n']),
    inout('v', ['n']),
    inout('vMax', ['n']),
    input('g', ['n']),
    ...adamSettings(),
    float('weightDecay'),
  ),
  adaDelta: kernel(
    'n',
    inout('p', ['n']),
    inout('average', ['n']),
    inout('steps', ['n']),
    input('g', ['n']),
    size('n'),
    float('learningRate'),
    precise('decay'),
    float('epsilon'),
    float('weightDecay'),
  ),
  adamax: kernel(
    'n',
    inout('p', ['n']),
    inout('m', ['n']),
    inout('u', ['n']),
    input('g', ['n']),
    size('n'),
    float('stepSize'),
    precise('beta1'),
    float('beta2'),
    float('epsilon'),
    float('weightDecay'),
  ),
  nadam: kernel(
    'n',
    inout('p', ['n']),
    inout('m', ['n']),
    inout('v', ['n']),
    input('g', ['n']),
    size('n'),
    float('gradientSize'),
    float('stepSize'),
    float('correction'),
    precise('beta1'),
    precise('beta2'),
    float('epsilon'),
    float('weightDecay'),
  ),
  lion: kernel(
    'n',
    inout('p', ['n']),
    inout('m', ['n']),
    input('g', ['n']),
    size('n'),
    float('learningRate'),
    precise('beta1'),
    precise('beta2'),
    float('shrink'),
  ),
  // Muon's step before the orthogonalisation, whose products are those of `gemm`.
  muonMomentum: kernel(
    'n',
    out('u', ['n']),
    inout('velocity', ['n']),
    input('g', ['n']),
    size('n'),
    float('momentum'),
    flag('nesterov'),
  ),
  normalize: kernel('n', inout('x', ['n']), input('squares', [], { type: 'f64' }), size('n'), precise('epsilon')),
  // The moving average of weights, and the mean of the gradients of several batches.
  averageWeights: kernel('n', inout('average', ['n']), input('p', ['n']), size('n'), float('intake')),
  accumulate: kernel('n', inout('g', ['n']), inout('mean', ['n']), size('n'), precise('intake')),
} as const;

export function sgd(
  p: Float32Array,
  velocity: Float32Array | null,
  g: Float32Array,
  n: number,
  learningRate: number,
  momentum: number,
  dampening: number,
  nesterov: number,
  weightDecay: number,
): void {
  if (velocity === null) {
    for (let i = 0; i < n; i++) p[i] -= learningRate * (g[i] + weightDecay * p[i]);
    return;
  }
  // The step is learningRate · (gradientPart · g + velocityPart · v).
  const gradientPart = nesterov ? 1 : 0;
  const velocityPart = nesterov ? momentum : 1;
  const intake = 1 - dampening;
  for (let i = 0; i < n; i++) {
    const pi = p[i];
    const gi = g[i] + weightDecay * pi;
    const vi = momentum * velocity[i] + intake * gi;
    velocity[i] = vi;
    p[i] = pi - learningRate * (gradientPart * gi + velocityPart * vi);
  }
}

export function adaGrad(
  p: Float32Array,
  accumulator: Float32Array,
  g: Float32Array,
  n: number,
  learningRate: number,
  epsilon: number,
  weightDecay: number,
): void {
  for (let i = 0; i < n; i++) {
    const pi = p[i];
    const gi = g[i] + weightDecay * pi;
    const ai = accumulator[i] + gi * gi;
    accumulator[i] = ai;
    const denominator = Math.sqrt(ai) + epsilon;
    if (denominator !== 0) p[i] = pi - (learningRate * gi) / denominator;
  }
}

export function rmsProp(
  p: Float32Array,
  average: Float32Array,
  velocity: Float32Array | null,
  g: Float32Array,
  n: number,
  learningRate: number,
  decay: number,
  epsilon: number,
  epsilonInside: number,
  momentum: number,
  weightDecay: number,
): void {
  const intake = 1 - decay;
  for (let i = 0; i < n; i++) {
    const pi = p[i];
    const gi = g[i] + weightDecay * pi;
    const ai = decay * average[i] + intake * gi * gi;
    average[i] = ai;
    const denominator = Math.sqrt(ai + epsilonInside) + epsilon;
    let step = denominator === 0 ? 0 : gi / denominator;
    if (velocity !== null) {
      step += momentum * velocity[i];
      velocity[i] = step;
    }
    p[i] = pi - learningRate * step;
  }
}

export function adam(
  p: Float32Array,
  m: Float32Array,
  v: Float32Array,
  g: Float32Array,
  n: number,
  stepSize: number,
  correction: number,
  beta1: number,
  beta2: number,
  epsilon: number,
  epsilonInside: number,
  weightDecay: number,
): void {
  const intake1 = 1 - beta1;
  const intake2 = 1 - beta2;
  for (let i = 0; i < n; i++) {
    const pi = p[i];
    const gi = g[i] + weightDecay * pi;
    const mi = beta1 * m[i] + intake1 * gi;
    const vi = beta2 * v[i] + intake2 * gi * gi;
    m[i] = mi;
    v[i] = vi;
    const denominator = Math.sqrt(vi * correction + epsilonInside) + epsilon;
    if (denominator !== 0) p[i] = pi - (stepSize * mi) / denominator;
  }
}

export function adamW(
  p: Float32Array,
  m: Float32Array,
  v: Float32Array,
  g: Float32Array,
  n: number,
  stepSize: number,
  correction: number,
  beta1: number,
  beta2: number,
  epsilon: number,
  epsilonInside: number,
  shrink: number,
): void {
  const intake1 = 1 - beta1;
  const intake2 = 1 - beta2;
  const keep = 1 - shrink;
  for (let i = 0; i < n; i++) {
    const pi = p[i] * keep;
    const gi = g[i];
    const mi = beta1 * m[i] + intake1 * gi;
    const vi = beta2 * v[i] + intake2 * gi * gi;
    m[i] = mi;
    v[i] = vi;
    const denominator = Math.sqrt(vi * correction + epsilonInside) + epsilon;
    p[i] = denominator === 0 ? pi : pi - (stepSize * mi) / denominator;
  }
}

export function amsGrad(
  p: Float32Array,
  m: Float32Array,
  v: Float32Array,
  vMax: Float32Array,
  g: Float32Array,
  n: number,
  stepSize: number,
  correction: number,
  beta1: number,
  beta2: number,
  epsilon: number,
  epsilonInside: number,
  weightDecay: number,
): void {
  const intake1 = 1 - beta1;
  const intake2 = 1 - beta2;
  for (let i = 0; i < n; i++) {
    const pi = p[i];
    const gi = g[i] + weightDecay * pi;
    const mi = beta1 * m[i] + intake1 * gi;
    const vi = beta2 * v[i] + intake2 * gi * gi;
    const largest = Math.max(vMax[i], vi);
    m[i] = mi;
    v[i] = vi;
    vMax[i] = largest;
    const denominator = Math.sqrt(largest * correction + epsilonInside) + epsilon;
    if (denominator !== 0) p[i] = pi - (stepSize * mi) / denominator;
  }
}

export function adaDelta(
  p: Float32Array,
  average: Float32Array,
  steps: Float32Array,
  g: Float32Array,
  n: number,
  learningRate: number,
  decay: number,
  epsilon: number,
  weightDecay: number,
): void {
  const intake = 1 - decay;
  for (let i = 0; i < n; i++) {
    const pi = p[i];
    const gi = g[i] + weightDecay * pi;
    const ai = decay * average[i] + intake * gi * gi;
    average[i] = ai;
    const denominator = Math.sqrt(ai + epsilon);
    const step = denominator === 0 ? 0 : (Math.sqrt(steps[i] + epsilon) / denominator) * gi;
    steps[i] = decay * steps[i] + intake * step * step;
    p[i] = pi - learningRate * step;
  }
}

export function adamax(
  p: Float32Array,
  m: Float32Array,
  u: Float32Array,
  g: Float32Array,
  n: number,
  stepSize: number,
  beta1: number,
  beta2: number,
  epsilon: number,
  weightDecay: number,
): void {
  const intake1 = 1 - beta1;
  for (let i = 0; i < n; i++) {
    const pi = p[i];
    const gi = g[i] + weightDecay * pi;
    const mi = beta1 * m[i] + intake1 * gi;
    const ui = Math.max(beta2 * u[i], Math.abs(gi));
    m[i] = mi;
    u[i] = ui;
    const denominator = ui + epsilon;
    if (denominator !== 0) p[i] = pi - (stepSize * mi) / denominator;
  }
}

export function nadam(
  p: Float32Array,
  m: Float32Array,
  v: Float32Array,
  g: Float32Array,
  n: number,
  gradientSize: number,
  stepSize: number,
  correction: number,
  beta1: number,
  beta2: number,
  epsilon: number,
  weightDecay: number,
): void {
  const intake1 = 1 - beta1;
  const intake2 = 1 - beta2;
  for (let i = 0; i < n; i++) {
    const pi = p[i];
    const gi = g[i] + weightDecay * pi;
    const mi = beta1 * m[i] + intake1 * gi;
    const vi = beta2 * v[i] + intake2 * gi * gi;
    m[i] = mi;
    v[i] = vi;
    const denominator = Math.sqrt(vi * correction) + epsilon;
    if (denominator !== 0) p[i] = pi - (gradientSize * gi + stepSize * mi) / denominator;
  }
}

export function lion(
  p: Float32Array,
  m: Float32Array,
  g: Float32Array,
  n: number,
  learningRate: number,
  beta1: number,
  beta2: number,
  shrink: number,
): void {
  const intake1 = 1 - beta1;
  const intake2 = 1 - beta2;
  const keep = 1 - shrink;
  for (let i = 0; i < n; i++) {
    const mi = m[i];
    const gi = g[i];
    p[i] = keep * p[i] - learningRate * Math.sign(beta1 * mi + intake1 * gi);
    m[i] = beta2 * mi + intake2 * gi;
  }
}

/** The direction of momentum, u, which Muon makes orthogonal. */
export function muonMomentum(
  u: Float32Array,
  velocity: Float32Array,
  g: Float32Array,
  n: number,
  momentum: number,
  nesterov: number,
): void {
  for (let i = 0; i < n; i++) {
    const gi = g[i];
    const vi = momentum * velocity[i] + gi;
    velocity[i] = vi;
    u[i] = nesterov ? gi + momentum * vi : vi;
  }
}

/** x ← x / (√squares + epsilon), or 0 if that is 0. */
export function normalize(x: Float32Array, squares: Float64Array, n: number, epsilon: number): void {
  const norm = Math.sqrt(squares[0]) + epsilon;
  const factor = norm === 0 ? 0 : 1 / norm;
  for (let i = 0; i < n; i++) x[i] *= factor;
}

/** average ← average + intake · (p − average): exactly p where they are equal. */
export function averageWeights(average: Float32Array, p: Float32Array, n: number, intake: number): void {
  if (intake === 1) average.set(p.subarray(0, n));
  else for (let i = 0; i < n; i++) average[i] += intake * (p[i] - average[i]);
}

/** mean ← (1 − intake) · mean + intake · g, and g ← mean. An intake of 1 starts again, whatever the mean was. */
export function accumulate(g: Float32Array, mean: Float32Array, n: number, intake: number): void {
  if (intake === 1) mean.set(g.subarray(0, n));
  else {
    const keep = 1 - intake;
    for (let i = 0; i < n; i++) {
      mean[i] = keep * mean[i] + intake * g[i];
      g[i] = mean[i];
    }
  }
}
