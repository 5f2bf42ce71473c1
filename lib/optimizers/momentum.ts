import { checkArity, checkBoolean, checkNumber, checkOptions } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { type Builder, type Tensor, tensor } from '../program/instructions.js';
import type { Schedule, ScheduleTime } from '../schedules.js';
import { AdamW, type AdamWOptions } from './adam.js';
import {
  commonOptions,
  type Matrix,
  Optimizer,
  type OptimizerOptions,
  registerOptimizer,
  type UpdateTensors,
} from './optimizer.js';

/** Options of {@link Sgd}. */
export interface SgdOptions extends OptimizerOptions {
  /** Default 0.01. */
  learningRate?: number | Schedule;
  /** v ← momentum · v + (1 − dampening) · g; default 0 (no velocity). */
  momentum?: number;
  /** Default 0; with the value of `momentum`, v is the exponential average of the gradients. */
  dampening?: number;
  /** Nesterov momentum (1983), in the form g + momentum · v; needs momentum. Default false. */
  nesterov?: boolean;
}

/** Stochastic gradient descent, p ← p − learningRate · v, with optional momentum (Polyak 1964). */
export class Sgd extends Optimizer {
  override readonly kind = 'sgd';
  protected override readonly scalarsPerGroup = 1;
  override readonly momentNames: readonly string[];
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;

  constructor(options?: SgdOptions) {
    checkArity('Sgd', arguments, 1);
    const given = checkOptions('Sgd', options, [...commonOptions, 'momentum', 'dampening', 'nesterov']);
    const { learningRate = 0.01, momentum = 0, dampening = 0, nesterov = false } = given;
    super('Sgd', { ...given, learningRate });
    this.momentum = checkNumber('Sgd: momentum', momentum, { min: 0, below: 1 });
    this.dampening = checkNumber('Sgd: dampening', dampening, { min: 0, max: 1 });
    this.nesterov = checkBoolean('Sgd: nesterov', nesterov);
    if (momentum === 0 && (nesterov || dampening !== 0)) {
      throw new BlasnetError(
        'INVALID_ARGUMENT',
        `Sgd: ${nesterov ? 'nesterov' : 'dampening'} has no meaning without momentum`,
      );
    }
    this.momentNames = momentum === 0 ? [] : ['velocity'];
    this.seal(new.target !== Sgd);
  }

  protected override ownOptions(): Readonly<Record<string, unknown>> {
    const { momentum, dampening, nesterov } = this;
    return { momentum, dampening, nesterov };
  }

  protected override scalars(out: Float64Array, at: number, _t: number, learningRate: number): void {
    out[at] = learningRate;
  }

  override write(builder: Builder, { p, g, n, weightDecay, moment, scalar }: UpdateTensors): void {
    builder.emit('sgd', {
      p,
      velocity: this.momentum === 0 ? null : moment('velocity'),
      g,
      n,
      learningRate: scalar(0),
      momentum: this.momentum,
      dampening: this.dampening,
      nesterov: this.nesterov ? 1 : 0,
      weightDecay,
    });
  }
}

/** Options of {@link Lion}. */
export interface LionOptions extends OptimizerOptions {
  /** Size of each element's step; default 1e-4, three to ten times less than Adam's. */
  learningRate?: number | Schedule;
  /** Weight of the mean of gradients in the direction of a step; default 0.9. */
  beta1?: number;
  /** Decay rate of the mean of gradients; default 0.99. */
  beta2?: number;
}

/**
 * Lion (Chen et al. 2023): steps by the sign of an interpolation between the gradient and the mean of gradients.
 * `weightDecay` (default 0) is decoupled as in AdamW: first p ← p · (1 − learningRate · weightDecay).
 */
export class Lion extends Optimizer {
  override readonly kind = 'lion';
  protected override readonly scalarsPerGroup = 2;
  override readonly momentNames: readonly string[] = ['m'];
  readonly beta1: number;
  readonly beta2: number;

  constructor(options?: LionOptions) {
    checkArity('Lion', arguments, 1);
    const given = checkOptions('Lion', options, [...commonOptions, 'beta1', 'beta2']);
    super('Lion', { ...given, learningRate: given.learningRate ?? 1e-4 });
    this.beta1 = checkNumber('Lion: beta1', given.beta1 ?? 0.9, { min: 0, max: 1 });
    this.beta2 = checkNumber('Lion: beta2', given.beta2 ?? 0.99, { min: 0, below: 1 });
    this.seal(new.target !== Lion);
  }

  protected override ownOptions(): Readonly<Record<string, unknown>> {
    const { beta1, beta2 } = this;
    return { beta1, beta2 };
  }

  protected override scalars(
    out: Float64Array,
    at: number,
    _t: number,
    learningRate: number,
    weightDecay: number,
  ): void {
    out[at] = learningRate;
    out[at + 1] = learningRate * weightDecay;
  }

  override write(builder: Builder, { p, g, n, moment, scalar }: UpdateTensors): void {
    builder.emit('lion', {
      p,
      m: moment('m'),
      g,
      n,
      learningRate: scalar(0),
      beta1: this.beta1,
      beta2: this.beta2,
      shrink: scalar(1),
    });
  }
}

/** Options of the AdamW that updates what is not a weight matrix. */
export type MuonAdamWOptions = Omit<AdamWOptions, 'groups' | 'clipValue' | 'clipNorm' | 'averageWeights'>;

/** Options of {@link Muon}. */
export interface MuonOptions extends OptimizerOptions {
  /** Of the weight matrices; default 0.02. */
  learningRate?: number | Schedule;
  /** velocity ← momentum · velocity + g; default 0.95. */
  momentum?: number;
  /** Take g + momentum · velocity instead of the velocity; default true. */
  nesterov?: boolean;
  /**
   * For all other parameters (biases, parameters of norms): the options of AdamW. Defaults: learningRate 3e-4, beta1
   * 0.9, beta2 0.95, epsilon 1e-10, weightDecay 0.
   */
  adamW?: MuonAdamWOptions;
}

/** Coefficients of the quintic polynomial whose iterations bring all singular values near 1 (Jordan 2024). */
const [A, B, C] = [3.4445, -4.775, 2.0315];
const ITERATIONS = 5;
/** Added to the norm, so that a matrix without a gradient does not move. */
const EPSILON = 1e-7;

const adamWOptions = [
  'learningRate',
  'weightDecay',
  'beta1',
  'beta2',
  'epsilon',
  'biasCorrection',
  'epsilonPlacement',
] as const;

/**
 * Muon (Jordan et al. 2024): a weight matrix steps along its momentum, made orthogonal by five Newton–Schulz iterations
 * and scaled by √max(1, outputs / inputs). Matrices are the weights of dense layers, [inputs, outputs], and of
 * convolutions, [window · channels, filters]; AdamW updates everything else. `weightDecay` (default 0) is decoupled:
 * first p ← p · (1 − learningRate · weightDecay).
 *
 * Rate and decay of a parameter group apply to all its parameters; where a group has none, matrices take those of Muon
 * and other parameters those of `adamW`.
 */
export class Muon extends Optimizer {
  override readonly kind = 'muon';
  protected override readonly scalarsPerGroup = 1;
  /** `m` is the velocity of matrices, and AdamW's first moment elsewhere; `v` is used only there. */
  override readonly momentNames: readonly string[] = ['m', 'v'];
  override readonly matrices = true;
  readonly momentum: number;
  readonly nesterov: boolean;
  /** Options of the AdamW for what is not a matrix, with defaults filled in. */
  readonly adamW: Readonly<MuonAdamWOptions>;
  readonly #adamW: AdamW;

  constructor(options?: MuonOptions) {
    checkArity('Muon', arguments, 1);
    const given = checkOptions('Muon', options, [...commonOptions, 'momentum', 'nesterov', 'adamW']);
    super('Muon', { ...given, learningRate: given.learningRate ?? 0.02 });
    this.momentum = checkNumber('Muon: momentum', given.momentum ?? 0.95, { min: 0, below: 1 });
    this.nesterov = checkBoolean('Muon: nesterov', given.nesterov ?? true);
    const own = checkOptions('Muon: adamW', given.adamW, adamWOptions);
    const { learningRate = 3e-4, weightDecay = 0, beta2 = 0.95, epsilon = 1e-10 } = own;
    const { groups } = given;
    this.#adamW = new AdamW({ ...own, learningRate, weightDecay, beta2, epsilon, ...(groups && { groups }) });
    const { groups: _, ...filled } = this.#adamW.options;
    this.adamW = Object.freeze(filled);
    this.seal(new.target !== Muon);
  }

  protected override ownOptions(): Readonly<Record<string, unknown>> {
    const { momentum, nesterov, adamW } = this;
    return { momentum, nesterov, adamW };
  }

  /** Those of the matrices of all groups, then those of AdamW. */
  override get scalarCount(): number {
    return super.scalarCount + this.#adamW.scalarCount;
  }

  override writeScalars(out: Float64Array, at: number, time: ScheduleTime): number {
    this.#adamW.rateFactor = this.rateFactor;
    this.#adamW.writeScalars(out, at + super.scalarCount, time);
    return super.writeScalars(out, at, time);
  }

  protected override scalars(out: Float64Array, at: number, _t: number, learningRate: number): void {
    out[at] = learningRate;
  }

  override write(builder: Builder, tensors: UpdateTensors): void {
    if (tensors.matrix !== undefined) this.#writeMatrix(builder, tensors, tensors.matrix);
    else {
      const first = super.scalarCount + this.#adamW.firstScalar(tensors.group);
      const { weightDecay } = this.#adamW.settings[tensors.group];
      const scalar = (slot: number) => ({ symbol: 'scalar', slot: first + slot }) as const;
      this.#adamW.write(builder, { ...tensors, weightDecay, scalar });
    }
  }

  #writeMatrix(builder: Builder, tensors: UpdateTensors, { inputs, outputs }: Matrix): void {
    const { p, g, n, weightDecay, moment, scalar } = tensors;
    const work = (name: string, fixed: number) => tensor(`${name} of ${g.name}`, 'work', { fixed });
    let x = work('step', n);
    let next = work('next step', n);
    builder.emit('muonMomentum', {
      u: x,
      velocity: moment('m'),
      g,
      n,
      momentum: this.momentum,
      nesterov: this.nesterov ? 1 : 0,
    });
    const squares = builder.total('stepSquares');
    builder.emit('squareSum', { total: squares, carry: null, g: x, n });
    builder.emit('normalize', { x, squares, n, epsilon: EPSILON });
    // The Gram matrix of the shorter side. It is symmetric, so the products need no transposed copies.
    const wide = inputs <= outputs;
    const side = wide ? inputs : outputs;
    const gram = work('Gram matrix', side * side);
    const polynomial = work('polynomial', side * side);
    const product = (c: Tensor, a: Tensor, b: Tensor, size: [m: number, n: number, k: number], settings: object) =>
      builder.emit('gemm', {
        ...{ c, a, b, m: size[0], n: size[1], k: size[2], transA: 0, transB: 0, alpha: 1, beta: 0 },
        ...settings,
      });
    const scale = Math.sqrt(Math.max(1, outputs / inputs));
    for (let i = 0; i < ITERATIONS; i++) {
      const factor = i === ITERATIONS - 1 ? scale : 1;
      // x ← A x + (B G + C G²) x with G = x xᵀ; from the right, with G = xᵀ x, if x is tall.
      product(gram, x, x, [side, side, wide ? outputs : inputs], wide ? { transB: 1 } : { transA: 1 });
      builder.emit('identity', { y: polynomial, x: gram, n: side * side });
      product(polynomial, gram, gram, [side, side, side], { alpha: C, beta: B });
      builder.emit('identity', { y: next, x, n });
      const [left, right] = wide ? [polynomial, x] : [x, polynomial];
      product(next, left, right, [inputs, outputs, side], { alpha: factor, beta: A * factor });
      [x, next] = [next, x];
    }
    // p ← p − learningRate · (x + weightDecay · p).
    builder.emit('sgd', {
      ...{ p, velocity: null, g: x, n, learningRate: scalar(0), momentum: 0, dampening: 0, nesterov: 0, weightDecay },
    });
  }
}

registerOptimizer('sgd', Sgd);
registerOptimizer('lion', Lion);
registerOptimizer('muon', Muon);
