import { checkArity, checkNumber, checkOptions } from '../checks.js';
import type { Builder } from '../program/instructions.js';
import type { Schedule } from '../schedules.js';
import { commonOptions, Optimizer, type OptimizerOptions, registerOptimizer, type UpdateTensors } from './optimizer.js';

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

registerOptimizer('nadam', Nadam);
