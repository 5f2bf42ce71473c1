import type { Results, Vector } from '../types.js';

export type SgdArguments = {
  p: Vector;
  velocity: Vector | null;
  g: Vector;
  n: number;
  learningRate: number;
  momentum: number;
  dampening: number;
  nesterov: boolean | number;
  weightDecay: number;
};

export function sgd(a: SgdArguments): Results {
  const p = new Float64Array(a.n);
  const velocity = new Float64Array(a.n);
  for (let i = 0; i < a.n; i++) {
    const g = a.g[i] + a.weightDecay * a.p[i];
    if (a.velocity === null) {
      p[i] = a.p[i] - a.learningRate * g;
    } else {
      velocity[i] = a.momentum * a.velocity[i] + (1 - a.dampening) * g;
      p[i] = a.p[i] - a.learningRate * (a.nesterov ? g + a.momentum * velocity[i] : velocity[i]);
    }
  }
  return a.velocity === null ? { p } : { p, velocity };
}

/** numerator / denominator, but 0 where the denominator is 0. */
const ratio = (numerator: number, denominator: number) => (denominator === 0 ? 0 : numerator / denominator);

export type AdaGradArguments = {
  p: Vector;
  accumulator: Vector;
  g: Vector;
  n: number;
  learningRate: number;
  epsilon: number;
  weightDecay: number;
};

export function adaGrad(a: AdaGradArguments): Results {
  const p = new Float64Array(a.n);
  const accumulator = new Float64Array(a.n);
  for (let i = 0; i < a.n; i++) {
    const g = a.g[i] + a.weightDecay * a.p[i];
    accumulator[i] = a.accumulator[i] + g * g;
    p[i] = a.p[i] - a.learningRate * ratio(g, Math.sqrt(accumulator[i]) + a.epsilon);
  }
  return { p, accumulator };
}

export type RmsPropArguments = {
  p: Vector;
  average: Vector;
  velocity: Vector | null;
  g: Vector;
  n: number;
  learningRate: number;
  decay: number;
  epsilon: number;
  epsilonInside: number;
  momentum: number;
  weightDecay: number;
};

export function rmsProp(a: RmsPropArguments): Results {
  const p = new Float64Array(a.n);
  const average = new Float64Array(a.n);
  const velocity = new Float64Array(a.n);
  for (let i = 0; i < a.n; i++) {
    const g = a.g[i] + a.weightDecay * a.p[i];
    average[i] = a.decay * a.average[i] + (1 - a.decay) * g * g;
    const u = ratio(g, Math.sqrt(average[i] + a.epsilonInside) + a.epsilon);
    velocity[i] = a.velocity === null ? u : a.momentum * a.velocity[i] + u;
    p[i] = a.p[i] - a.learningRate * velocity[i];
  }
  return a.velocity === null ? { p, average } : { p, average, velocity };
}

type Moments = {
  p: Vector;
  m: Vector;
  v: Vector;
  g: Vector;
  n: number;
  stepSize: number;
  correction: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  epsilonInside: number;
};
export type AdamArguments = Moments & { weightDecay: number };
export type AdamWArguments = Moments & { shrink: number };
export type AmsGradArguments = AdamArguments & { vMax: Vector };

export function adam(a: AdamArguments): Results {
  const p = new Float64Array(a.n);
  const m = new Float64Array(a.n);
  const v = new Float64Array(a.n);
  for (let i = 0; i < a.n; i++) {
    const g = a.g[i] + a.weightDecay * a.p[i];
    m[i] = a.beta1 * a.m[i] + (1 - a.beta1) * g;
    v[i] = a.beta2 * a.v[i] + (1 - a.beta2) * g * g;
    p[i] = a.p[i] - a.stepSize * ratio(m[i], Math.sqrt(v[i] * a.correction + a.epsilonInside) + a.epsilon);
  }
  return { p, m, v };
}

export function adamW({ shrink, ...a }: AdamWArguments): Results {
  return adam({ ...a, p: Float64Array.from({ length: a.n }, (_, i) => a.p[i] * (1 - shrink)), weightDecay: 0 });
}

export function amsGrad(a: AmsGradArguments): Results {
  const { m, v } = adam(a);
  const vMax = Float64Array.from({ length: a.n }, (_, i) => Math.max(a.vMax[i], v[i]));
  const p = Float64Array.from(
    { length: a.n },
    (_, i) => a.p[i] - a.stepSize * ratio(m[i], Math.sqrt(vMax[i] * a.correction + a.epsilonInside) + a.epsilon),
  );
  return { p, m, v, vMax };
}
