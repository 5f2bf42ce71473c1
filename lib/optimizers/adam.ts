import { checkArity, checkBoolean, checkChoice, checkNumber, checkOptions } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { Builder } from '../program/instructions.js';
import type { Schedule } from '../schedules.js';
import { commonOptions, Optimizer, type OptimizerOptions, registerOptimizer, type UpdateTensors } from './optimizer.js';

/** Where epsilon is added: see {@link AdamWOptions.epsilonPlacement}. */
export type EpsilonPlacement = 'outside' | 'rawRoot' | 'inside';

/** Options of Adam and AdamW. */
export interface AdamWOptions extends OptimizerOptions {
  /** Default 0.001. */
  learningRate?: number | Schedule;
  /** Decay rate of the mean of gradients; default 0.9. */
  beta1?: number;
  /** Decay rate of the mean of squared gradients; default 0.999. */
  beta2?: number;
  /** Default 1e-8. */
  epsilon?: number;
  /** Bias correction: divide the moments by 1 − betaᵗ; default true. */
  biasCorrection?: boolean;
  /**
   * 'outside' (default): added to the root of the corrected second moment. 'rawRoot': the corrections are folded into
   * the learning rate and epsilon is added to the root of the uncorrected second moment (as in section 2 of the paper,
   * and in TensorFlow). 'inside': added under the root.
   */
  epsilonPlacement?: EpsilonPlacement;
}

/** Options of {@link Adam}. */
export interface AdamOptions extends AdamWOptions {
  /**
   * AMSGrad: divide by the root of the largest second moment so far instead of the latest (Reddi, Kale and Kumar 2018).
   * Default false.
   */
  amsGrad?: boolean;
}

const known = [...commonOptions, 'beta1', 'beta2', 'epsilon', 'biasCorrection', 'epsilonPlacement'] as const;

/** Adam (Kingma and Ba 2014), or AMSGrad with `amsGrad`. */
export class Adam extends Optimizer {
  override readonly kind: string = 'adam';
  protected override readonly scalarsPerGroup: number = 2;
  override readonly momentNames: readonly string[];
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly biasCorrection: boolean;
  readonly epsilonPlacement: EpsilonPlacement;
  readonly amsGrad: boolean;

  constructor(options?: AdamOptions) {
    checkArity(new.target.name, arguments, 1);
    const given = checkOptions(new.target.name, options, [...known, 'amsGrad']);
    const name = new.target.name;
    super(name, { ...given, learningRate: given.learningRate ?? 0.001 });
    this.beta1 = checkNumber(`${name}: beta1`, given.beta1 ?? 0.9, { min: 0, below: 1 });
    this.beta2 = checkNumber(`${name}: beta2`, given.beta2 ?? 0.999, { min: 0, below: 1 });
    this.epsilon = checkNumber(`${name}: epsilon`, given.epsilon ?? 1e-8, { min: 0 });
    this.biasCorrection = checkBoolean(`${name}: biasCorrection`, given.biasCorrection ?? true);
    this.epsilonPlacement = checkChoice(`${name}: epsilonPlacement`, given.epsilonPlacement ?? 'outside', [
      'outside',
      'rawRoot',
      'inside',
    ]);
    this.amsGrad = checkBoolean(`${name}: amsGrad`, given.amsGrad ?? false);
    this.momentNames = this.amsGrad ? ['m', 'v', 'vMax'] : ['m', 'v'];
    if (!this.biasCorrection && this.epsilonPlacement === 'rawRoot') {
      throw new BlasnetError(
        'INVALID_ARGUMENT',
        `${name}: epsilonPlacement 'rawRoot' defines where the bias corrections go; it needs biasCorrection`,
      );
    }
    this.seal(new.target !== Adam);
  }

  protected override ownOptions(): Readonly<Record<string, unknown>> {
    const { beta1, beta2, epsilon, biasCorrection, epsilonPlacement, amsGrad } = this;
    return { beta1, beta2, epsilon, biasCorrection, epsilonPlacement, amsGrad };
  }

  protected override scalars(
    out: Float64Array,
    at: number,
    t: number,
    learningRate: number,
    _weightDecay: number,
  ): void {
    const first = this.biasCorrection ? 1 - this.beta1 ** t : 1;
    const second = this.biasCorrection ? 1 - this.beta2 ** t : 1;
    const raw = this.epsilonPlacement === 'rawRoot';
    out[at] = (raw ? learningRate * Math.sqrt(second) : learningRate) / first;
    out[at + 1] = raw ? 1 : 1 / second;
  }

  /** The arguments shared by Adam and AdamW. */
  protected common({ p, g, n, moment, scalar }: UpdateTensors) {
    const inside = this.epsilonPlacement === 'inside';
    return {
      p,
      m: moment('m'),
      v: moment('v'),
      g,
      n,
      stepSize: scalar(0),
      correction: scalar(1),
      beta1: this.beta1,
      beta2: this.beta2,
      epsilon: inside ? 0 : this.epsilon,
      epsilonInside: inside ? this.epsilon : 0,
    };
  }

  override write(builder: Builder, tensors: UpdateTensors): void {
    const settings = { ...this.common(tensors), weightDecay: tensors.weightDecay };
    if (this.amsGrad) builder.emit('amsGrad', { ...settings, vMax: tensors.moment('vMax') });
    else builder.emit('adam', settings);
  }
}

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter 2017): first p ← p · (1 − learningRate · weightDecay).
 * Default decay 0.01.
 */
export class AdamW extends Adam {
  override readonly kind = 'adamW';
  protected override readonly scalarsPerGroup = 3;

  constructor(options?: AdamWOptions) {
    checkArity('AdamW', arguments, 1);
    const given = checkOptions('AdamW', options, known);
    super({ ...given, weightDecay: given.weightDecay ?? 0.01 });
    this.seal(new.target !== AdamW);
  }

  protected override ownOptions(): Readonly<Record<string, unknown>> {
    const { amsGrad: _, ...options } = super.ownOptions();
    return options;
  }

  protected override scalars(
    out: Float64Array,
    at: number,
    t: number,
    learningRate: number,
    weightDecay: number,
  ): void {
    super.scalars(out, at, t, learningRate, weightDecay);
    out[at + 2] = learningRate * weightDecay;
  }

  override write(builder: Builder, tensors: UpdateTensors): void {
    builder.emit('adamW', { ...this.common(tensors), shrink: tensors.scalar(2) });
  }
}

/** Options of {@link Adamax}. */
export interface AdamaxOptions extends OptimizerOptions {
  /** Default 0.002. */
  learningRate?: number | Schedule;
  /** Decay rate of the mean of gradients; default 0.9. */
  beta1?: number;
  /** Decay rate of the largest magnitude of gradients; default 0.999. */
  beta2?: number;
  /** Added to that magnitude; default 1e-8. */
  epsilon?: number;
}

/**
 * Adamax (Kingma and Ba 2014, section 7.1): Adam with the exponentially weighted maximum norm of the gradients in place
 * of their root mean square.
 */
export class Adamax extends Optimizer {
  override readonly kind = 'adamax';
  protected override readonly scalarsPerGroup = 1;
  override readonly momentNames: readonly string[] = ['m', 'u'];
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;

  constructor(options?: AdamaxOptions) {
    checkArity('Adamax', arguments, 1);
    const given = checkOptions('Adamax', options, [...commonOptions, 'beta1', 'beta2', 'epsilon']);
    super('Adamax', { ...given, learningRate: given.learningRate ?? 0.002 });
    this.beta1 = checkNumber('Adamax: beta1', given.beta1 ?? 0.9, { min: 0, below: 1 });
    this.beta2 = checkNumber('Adamax: beta2', given.beta2 ?? 0.999, { min: 0, below: 1 });
    this.epsilon = checkNumber('Adamax: epsilon', given.epsilon ?? 1e-8, { min: 0 });
    this.seal(new.target !== Adamax);
  }

  protected override ownOptions(): Readonly<Record<string, unknown>> {
    const { beta1, beta2, epsilon } = this;
    return { beta1, beta2, epsilon };
  }

  protected override scalars(out: Float64Array, at: number, t: number, learningRate: number): void {
    out[at] = learningRate / (1 - this.beta1 ** t);
  }

  override write(builder: Builder, { p, g, n, weightDecay, moment, scalar }: UpdateTensors): void {
    builder.emit('adamax', {
      p,
      m: moment('m'),
      u: moment('u'),
      g,
      n,
      stepSize: scalar(0),
      beta1: this.beta1,
      beta2: this.beta2,
      epsilon: this.epsilon,
      weightDecay,
    });
  }
}

/** Options of {@link Nadam}. */
export interface NadamOptions extends OptimizerOptions {
  /** Default 0.002. */
  learningRate?: number | Schedule;
  /** Final momentum, and decay rate of the mean of gradients; default 0.9. */
  beta1?: number;
  /** Decay rate of the mean of squared gradients; default 0.999. */
  beta2?: number;
  /** Default 1e-8. */
  epsilon?: number;
  /** How fast the momentum rises: that of step t is beta1 · (1 − 0.96^(t · momentumDecay) / 2); default 0.004. */
  momentumDecay?: number;
}

/**
 * Nadam (Dozat 2016): Adam with Nesterov's momentum. The momentum rises from beta1 / 2 to beta1, as in the paper and in
 * PyTorch.
 */
export class Nadam extends Optimizer {
  override readonly kind = 'nadam';
  protected override readonly scalarsPerGroup = 3;
  override readonly momentNames: readonly string[] = ['m', 'v'];
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly momentumDecay: number;
  /** The product of the momenta of the first `t` steps; the same bits in whatever order steps are asked for. */
  readonly #product = { t: 0, value: 1 };

  constructor(options?: NadamOptions) {
    checkArity('Nadam', arguments, 1);
    const given = checkOptions('Nadam', options, [...commonOptions, 'beta1', 'beta2', 'epsilon', 'momentumDecay']);
    super('Nadam', { ...given, learningRate: given.learningRate ?? 0.002 });
    this.beta1 = checkNumber('Nadam: beta1', given.beta1 ?? 0.9, { min: 0, below: 1 });
    this.beta2 = checkNumber('Nadam: beta2', given.beta2 ?? 0.999, { min: 0, below: 1 });
    this.epsilon = checkNumber('Nadam: epsilon', given.epsilon ?? 1e-8, { min: 0 });
    this.momentumDecay = checkNumber('Nadam: momentumDecay', given.momentumDecay ?? 0.004, { min: 0 });
    this.seal(new.target !== Nadam);
  }

  protected override ownOptions(): Readonly<Record<string, unknown>> {
    const { beta1, beta2, epsilon, momentumDecay } = this;
    return { beta1, beta2, epsilon, momentumDecay };
  }

  /** The momentum of step `t`. */
  #momentum(t: number): number {
    return this.beta1 * (1 - 0.5 * 0.96 ** (t * this.momentumDecay));
  }

  /** The product of the momenta of steps 1 to `t`. */
  #productTo(t: number): number {
    const product = this.#product;
    if (t < product.t) [product.t, product.value] = [0, 1];
    // It underflows to 0, and stays there, long before the number of steps becomes a matter.
    while (product.t < t && product.value > 0) product.value *= this.#momentum(++product.t);
    return product.value;
  }

  protected override scalars(out: Float64Array, at: number, t: number, learningRate: number): void {
    const product = this.#productTo(t);
    const [now, next] = [this.#momentum(t), this.#momentum(t + 1)];
    out[at] = (learningRate * (1 - now)) / (1 - product);
    out[at + 1] = (learningRate * next) / (1 - product * next);
    out[at + 2] = 1 / (1 - this.beta2 ** t);
  }

  override write(builder: Builder, { p, g, n, weightDecay, moment, scalar }: UpdateTensors): void {
    builder.emit('nadam', {
      p,
      m: moment('m'),
      v: moment('v'),
      g,
      n,
      gradientSize: scalar(0),
      stepSize: scalar(1),
      correction: scalar(2),
      beta1: this.beta1,
      beta2: this.beta2,
      epsilon: this.epsilon,
      weightDecay,
    });
  }
}

registerOptimizer('adam', Adam);
registerOptimizer('adamW', AdamW);
registerOptimizer('adamax', Adamax);
registerOptimizer('nadam', Nadam);
