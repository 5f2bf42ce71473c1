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

export type AdaDeltaArguments = {
  p: Vector;
  average: Vector;
  steps: Vector;
  g: Vector;
  n: number;
  learningRate: number;
  decay: number;
  epsilon: number;
  weightDecay: number;
};

export function adaDelta(a: AdaDeltaArguments): Results {
  const p = new Float64Array(a.n);
  const average = new Float64Array(a.n);
  const steps = new Float64Array(a.n);
  for (let i = 0; i < a.n; i++) {
    const g = a.g[i] + a.weightDecay * a.p[i];
    average[i] = a.decay * a.average[i] + (1 - a.decay) * g ** 2;
    const step = g * ratio(Math.sqrt(a.steps[i] + a.epsilon), Math.sqrt(average[i] + a.epsilon));
    steps[i] = a.decay * a.steps[i] + (1 - a.decay) * step ** 2;
    p[i] = a.p[i] - a.learningRate * step;
  }
  return { p, average, steps };
}

export type AdamaxArguments = {
  p: Vector;
  m: Vector;
  u: Vector;
  g: Vector;
  n: number;
  stepSize: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
};

export function adamax(a: AdamaxArguments): Results {
  const p = new Float64Array(a.n);
  const m = new Float64Array(a.n);
  const u = new Float64Array(a.n);
  for (let i = 0; i < a.n; i++) {
    const g = a.g[i] + a.weightDecay * a.p[i];
    m[i] = a.beta1 * a.m[i] + (1 - a.beta1) * g;
    u[i] = Math.max(a.beta2 * a.u[i], Math.abs(g));
    p[i] = a.p[i] - a.stepSize * ratio(m[i], u[i] + a.epsilon);
  }
  return { p, m, u };
}

export type NadamArguments = Omit<AdamArguments, 'epsilonInside'> & { gradientSize: number };

export function nadam(a: NadamArguments): Results {
  const { m, v } = adam({ ...a, epsilonInside: 0 });
  const p = Float64Array.from({ length: a.n }, (_, i) => {
    const g = a.g[i] + a.weightDecay * a.p[i];
    const denominator = Math.sqrt(v[i] * a.correction) + a.epsilon;
    return a.p[i] - a.gradientSize * ratio(g, denominator) - a.stepSize * ratio(m[i], denominator);
  });
  return { p, m, v };
}

export type LionArguments = {
  p: Vector;
  m: Vector;
  g: Vector;
  n: number;
  learningRate: number;
  beta1: number;
  beta2: number;
  shrink: number;
};

export function lion(a: LionArguments): Results {
  const p = new Float64Array(a.n);
  const m = new Float64Array(a.n);
  for (let i = 0; i < a.n; i++) {
    const direction = a.beta1 * a.m[i] + (1 - a.beta1) * a.g[i];
    p[i] = (1 - a.shrink) * a.p[i] - a.learningRate * Math.sign(direction);
    m[i] = a.beta2 * a.m[i] + (1 - a.beta2) * a.g[i];
  }
  return { p, m };
}

export type MuonMomentumArguments = {
  velocity: Vector;
  g: Vector;
  n: number;
  momentum: number;
  nesterov: boolean | number;
};

export function muonMomentum(a: MuonMomentumArguments): Results {
  const velocity = Float64Array.from({ length: a.n }, (_, i) => a.momentum * a.velocity[i] + a.g[i]);
  const u = velocity.map((v, i) => (a.nesterov ? a.g[i] + a.momentum * v : v));
  return { u, velocity };
}

export type NormalizeArguments = { x: Vector; squares: Vector; n: number; epsilon: number };

export function normalize({ x, squares, n, epsilon }: NormalizeArguments): Results {
  const norm = Math.sqrt(squares[0]) + epsilon;
  return { x: Float64Array.from({ length: n }, (_, i) => ratio(x[i], norm)) };
}

export type AverageWeightsArguments = { average: Vector; p: Vector; n: number; intake: number };

export function averageWeights({ average, p, n, intake }: AverageWeightsArguments): Results {
  return {
    average: Float64Array.from({ length: n }, (_, i) =>
      intake === 1 ? p[i] : (1 - intake) * average[i] + intake * p[i],
    ),
  };
}

export type AccumulateArguments = { g: Vector; mean: Vector; n: number; intake: number };

export function accumulate({ g, mean, n, intake }: AccumulateArguments): Results {
  const sum = Float64Array.from({ length: n }, (_, i) => (intake === 1 ? g[i] : mean[i] + intake * (g[i] - mean[i])));
  return { mean: sum, g: sum };
}
