/** Optimizer steps over a flat block of n parameters p with gradients g, in place. */

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
