import { checkArity, checkNumber, checkOptions } from '../checks.js';
import type { Builder } from '../program/instructions.js';
import type { Schedule } from '../schedules.js';
import { commonOptions, Optimizer, type OptimizerOptions, registerOptimizer, type UpdateTensors } from './optimizer.js';

export interface AdaGradOptions extends OptimizerOptions {
  /** Default 0.01. */
  learningRate?: number | Schedule;
  /** Added to the root; default 1e-7. */
  epsilon?: number;
  /** Initial sum of squares; default 0. */
  initialAccumulator?: number;
}

/** AdaGrad (Duchi, Hazan and Singer 2011): p ← p − learningRate · g / (√Σg² + epsilon). */
export class AdaGrad extends Optimizer {
  override readonly kind = 'adaGrad';
  protected override readonly scalarsPerGroup = 1;
  override readonly momentNames: readonly string[] = ['accumulator'];
  readonly epsilon: number;
  readonly initialAccumulator: number;

  constructor(options?: AdaGradOptions) {
    checkArity('AdaGrad', arguments, 1);
    const given = checkOptions('AdaGrad', options, [...commonOptions, 'epsilon', 'initialAccumulator']);
    const { learningRate = 0.01, epsilon = 1e-7, initialAccumulator = 0 } = given;
    super('AdaGrad', { ...given, learningRate });
    this.epsilon = checkNumber('AdaGrad: epsilon', epsilon, { min: 0 });
    this.initialAccumulator = checkNumber('AdaGrad: initialAccumulator', initialAccumulator, { min: 0 });
    this.seal(new.target !== AdaGrad);
  }

  protected override ownOptions(): Readonly<Record<string, unknown>> {
    const { epsilon, initialAccumulator } = this;
    return { epsilon, initialAccumulator };
  }

  override initialMoment(): number {
    return this.initialAccumulator;
  }

  protected override scalars(out: Float64Array, at: number, _t: number, learningRate: number): void {
    out[at] = learningRate;
  }

  override write(builder: Builder, { p, g, n, weightDecay, moment, scalar }: UpdateTensors): void {
    builder.emit('adaGrad', {
      p,
      accumulator: moment('accumulator'),
      g,
      n,
      learningRate: scalar(0),
      epsilon: this.epsilon,
      weightDecay,
    });
  }
}

registerOptimizer('adaGrad', AdaGrad);
