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

export interface AdamOptions extends AdamWOptions {
  /**
   * AMSGrad: divide by the root of the largest second moment so far instead of the latest (Reddi, Kale and Kumar 2018).
   * Default false.
   */
  amsGrad?: boolean;
}

const known = [...commonOptions, 'beta1', 'beta2', 'epsilon', 'biasCorrection', 'epsilonPlacement'];

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

registerOptimizer('adam', Adam);
registerOptimizer('adamW', AdamW);
