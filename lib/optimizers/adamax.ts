import { checkArity, checkNumber, checkOptions } from '../checks.js';
import type { Builder } from '../program/instructions.js';
import type { Schedule } from '../schedules.js';
import { commonOptions, Optimizer, type OptimizerOptions, registerOptimizer, type UpdateTensors } from './optimizer.js';

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

registerOptimizer('adamax', Adamax);
