import { checkBoolean, checkChoice, checkNumber, checkOptions } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { Builder } from '../program/instructions.js';
import type { Schedule } from '../schedules.js';
import { Optimizer, type UpdateTensors } from './optimizer.js';

/** Where epsilon goes: see {@link AdamOptions.epsilonPlacement}. */
export type EpsilonPlacement = 'outside' | 'rawRoot' | 'inside';

export interface AdamOptions {
  /** Default 0.001. */
  learningRate?: number | Schedule;
  /** Share of the old mean of gradients that a step keeps; default 0.9. */
  beta1?: number;
  /** Share of the old mean of squares that a step keeps; default 0.999. */
  beta2?: number;
  /** Default 1e-8. */
  epsilon?: number;
  /** Divide the moments by 1 − betaᵗ; default true. */
  biasCorrection?: boolean;
  /**
   * 'outside' (default): added to the root of the corrected second moment. 'rawRoot': the corrections are folded
   * into the learning rate and epsilon is added to the root of the uncorrected second moment (the form of section 2 of
   * the paper, and TensorFlow's). 'inside': added under the root.
   */
  epsilonPlacement?: EpsilonPlacement;
  /** Default 0. Coupled in Adam (adds weightDecay · p to the gradient), decoupled in AdamW. */
  weightDecay?: number;
}

const known = ['learningRate', 'beta1', 'beta2', 'epsilon', 'biasCorrection', 'epsilonPlacement', 'weightDecay'];

/** Adam (Kingma and Ba 2014). */
export class Adam extends Optimizer {
  override readonly kind: string = 'adam';
  override readonly scalarCount: number = 2;
  override readonly momentNames = ['m', 'v'];
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly biasCorrection: boolean;
  readonly epsilonPlacement: EpsilonPlacement;
  readonly weightDecay: number;

  constructor(options?: AdamOptions) {
    const given = checkOptions(new.target.name, options, known);
    const name = new.target.name;
    super(name, given.learningRate ?? 0.001);
    this.beta1 = checkNumber(`${name}: beta1`, given.beta1 ?? 0.9, { min: 0, below: 1 });
    this.beta2 = checkNumber(`${name}: beta2`, given.beta2 ?? 0.999, { min: 0, below: 1 });
    this.epsilon = checkNumber(`${name}: epsilon`, given.epsilon ?? 1e-8, { min: 0 });
    this.biasCorrection = checkBoolean(`${name}: biasCorrection`, given.biasCorrection ?? true);
    this.epsilonPlacement = checkChoice(`${name}: epsilonPlacement`, given.epsilonPlacement ?? 'outside', ['outside', 'rawRoot', 'inside']);
    this.weightDecay = checkNumber(`${name}: weightDecay`, given.weightDecay ?? 0, { min: 0 });
    if (!this.biasCorrection && this.epsilonPlacement === 'rawRoot') {
      throw new BlasnetError('INVALID_ARGUMENT', `${name}: epsilonPlacement 'rawRoot' tells where the bias corrections go; it needs biasCorrection`);
    }
  }

  override scalars(out: Float64Array, at: number, t: number, learningRate: number): void {
    const first = this.biasCorrection ? 1 - this.beta1 ** t : 1;
    const second = this.biasCorrection ? 1 - this.beta2 ** t : 1;
    const raw = this.epsilonPlacement === 'rawRoot';
    out[at] = (raw ? learningRate * Math.sqrt(second) : learningRate) / first;
    out[at + 1] = raw ? 1 : 1 / second;
  }

  /** The arguments that Adam and AdamW share. */
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
    builder.emit('adam', { ...this.common(tensors), weightDecay: this.weightDecay });
  }
}

/** Adam with decoupled weight decay (Loshchilov and Hutter 2017): p ← p · (1 − learningRate · weightDecay) first. Default decay 0.01. */
export class AdamW extends Adam {
  override readonly kind = 'adamW';
  override readonly scalarCount = 3;

  constructor(options?: AdamOptions) {
    super({ weightDecay: 0.01, ...checkOptions('AdamW', options, known) });
  }

  override scalars(out: Float64Array, at: number, t: number, learningRate: number): void {
    super.scalars(out, at, t, learningRate);
    out[at + 2] = learningRate * this.weightDecay;
  }

  override write(builder: Builder, tensors: UpdateTensors): void {
    builder.emit('adamW', { ...this.common(tensors), shrink: tensors.scalar(2) });
  }
}
