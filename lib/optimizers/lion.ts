import { checkArity, checkNumber, checkOptions } from '../checks.js';
import type { Builder } from '../program/instructions.js';
import type { Schedule } from '../schedules.js';
import { commonOptions, Optimizer, type OptimizerOptions, registerOptimizer, type UpdateTensors } from './optimizer.js';

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

registerOptimizer('lion', Lion);
