import { checkArity, checkNumber, checkOptions } from '../checks.js';
import type { Builder } from '../program/instructions.js';
import type { Schedule } from '../schedules.js';
import { commonOptions, Optimizer, type OptimizerOptions, registerOptimizer, type UpdateTensors } from './optimizer.js';

export interface AdaDeltaOptions extends OptimizerOptions {
  /** Factor of the steps; default 1, as in the paper. */
  learningRate?: number | Schedule;
  /** Decay rate of the averages of squared gradients and steps; default 0.9. */
  decay?: number;
  /** Added under both roots, so it sets the size of the first steps; above 0, default 1e-6. */
  epsilon?: number;
}

/**
 * AdaDelta (Zeiler 2012): the gradient times the ratio of two running root mean squares, of the steps so far and of the
 * gradients.
 */
export class AdaDelta extends Optimizer {
  override readonly kind = 'adaDelta';
  protected override readonly scalarsPerGroup = 1;
  override readonly momentNames: readonly string[] = ['average', 'steps'];
  readonly decay: number;
  readonly epsilon: number;

  constructor(options?: AdaDeltaOptions) {
    checkArity('AdaDelta', arguments, 1);
    const given = checkOptions('AdaDelta', options, [...commonOptions, 'decay', 'epsilon']);
    super('AdaDelta', { ...given, learningRate: given.learningRate ?? 1 });
    this.decay = checkNumber('AdaDelta: decay', given.decay ?? 0.9, { min: 0, below: 1 });
    this.epsilon = checkNumber('AdaDelta: epsilon', given.epsilon ?? 1e-6, { above: 0 });
    this.seal(new.target !== AdaDelta);
  }

  protected override ownOptions(): Readonly<Record<string, unknown>> {
    const { decay, epsilon } = this;
    return { decay, epsilon };
  }

  protected override scalars(out: Float64Array, at: number, _t: number, learningRate: number): void {
    out[at] = learningRate;
  }

  override write(builder: Builder, { p, g, n, weightDecay, moment, scalar }: UpdateTensors): void {
    builder.emit('adaDelta', {
      p,
      average: moment('average'),
      steps: moment('steps'),
      g,
      n,
      learningRate: scalar(0),
      decay: this.decay,
      epsilon: this.epsilon,
      weightDecay,
    });
  }
}

registerOptimizer('adaDelta', AdaDelta);
