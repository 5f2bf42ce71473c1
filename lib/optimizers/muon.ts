import { checkArity, checkBoolean, checkNumber, checkOptions } from '../checks.js';
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

/** Options of the AdamW that updates what is no weight matrix. */
export type MuonAdamWOptions = Omit<AdamWOptions, 'groups' | 'clipValue' | 'clipNorm' | 'averageWeights'>;

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

const adamWOptions = ['learningRate', 'weightDecay', 'beta1', 'beta2', 'epsilon', 'biasCorrection', 'epsilonPlacement'];

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
  /** Options of the AdamW for what is no matrix, with defaults filled in. */
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

registerOptimizer('muon', Muon);
