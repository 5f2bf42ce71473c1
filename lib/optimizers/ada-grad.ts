import { checkNumber, checkOptions } from '../checks.js';
import type { Builder } from '../program/instructions.js';
import type { Schedule } from '../schedules.js';
import { Optimizer, type UpdateTensors } from './optimizer.js';

export interface AdaGradOptions {
  /** Default 0.01. */
  learningRate?: number | Schedule;
  /** Added to the root; default 1e-7. */
  epsilon?: number;
  /** Start of the sum of squares; default 0. */
  initialAccumulator?: number;
  /** Coupled: adds weightDecay · p to the gradient. Default 0. */
  weightDecay?: number;
}

/** AdaGrad (Duchi, Hazan and Singer 2011): p ← p − learningRate · g / (√Σg² + epsilon). */
export class AdaGrad extends Optimizer {
  override readonly kind = 'adaGrad';
  override readonly scalarCount = 1;
  override readonly momentNames = ['accumulator'];
  readonly epsilon: number;
  readonly initialAccumulator: number;
  readonly weightDecay: number;

  constructor(options?: AdaGradOptions) {
    const known = ['learningRate', 'epsilon', 'initialAccumulator', 'weightDecay'];
    const { learningRate = 0.01, epsilon = 1e-7, initialAccumulator = 0, weightDecay = 0 } = checkOptions('AdaGrad', options, known);
    super('AdaGrad', learningRate);
    this.epsilon = checkNumber('AdaGrad: epsilon', epsilon, { min: 0 });
    this.initialAccumulator = checkNumber('AdaGrad: initialAccumulator', initialAccumulator, { min: 0 });
    this.weightDecay = checkNumber('AdaGrad: weightDecay', weightDecay, { min: 0 });
  }

  override initialMoment(): number {
    return this.initialAccumulator;
  }

  override scalars(out: Float64Array, at: number, _t: number, learningRate: number): void {
    out[at] = learningRate;
  }

  override write(builder: Builder, { p, g, n, moment, scalar }: UpdateTensors): void {
    const { epsilon, weightDecay } = this;
    builder.emit('adaGrad', { p, accumulator: moment('accumulator'), g, n, learningRate: scalar(0), epsilon, weightDecay });
  }
}
