import { checkArity, checkChoice, checkNumber, checkOptions } from '../checks.js';
import type { Builder } from '../program/instructions.js';
import type { Schedule } from '../schedules.js';
import { commonOptions, Optimizer, type OptimizerOptions, registerOptimizer, type UpdateTensors } from './optimizer.js';

/** Options of {@link AdaGrad}. */
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

/** Options of {@link AdaDelta}. */
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

/** Options of {@link RmsProp}. */
export interface RmsPropOptions extends OptimizerOptions {
  /** Default 0.001. */
  learningRate?: number | Schedule;
  /** Decay rate of the average of squares; default 0.9. */
  decay?: number;
  /** Default 1e-7. */
  epsilon?: number;
  /** Where epsilon is added: to the root (default) or under it. */
  epsilonPlacement?: 'outside' | 'inside';
  /** v ← momentum · v + step; default 0 (no velocity). */
  momentum?: number;
}

/** RMSProp (Tieleman and Hinton 2012): the gradient divided by the root of the running average of its square. */
export class RmsProp extends Optimizer {
  override readonly kind = 'rmsProp';
  protected override readonly scalarsPerGroup = 1;
  override readonly momentNames: readonly string[];
  readonly decay: number;
  readonly epsilon: number;
  readonly epsilonPlacement: 'outside' | 'inside';
  readonly momentum: number;

  constructor(options?: RmsPropOptions) {
    checkArity('RmsProp', arguments, 1);
    const given = checkOptions('RmsProp', options, [
      ...commonOptions,
      'decay',
      'epsilon',
      'epsilonPlacement',
      'momentum',
    ]);
    super('RmsProp', { ...given, learningRate: given.learningRate ?? 0.001 });
    this.decay = checkNumber('RmsProp: decay', given.decay ?? 0.9, { min: 0, below: 1 });
    this.epsilon = checkNumber('RmsProp: epsilon', given.epsilon ?? 1e-7, { min: 0 });
    this.epsilonPlacement = checkChoice('RmsProp: epsilonPlacement', given.epsilonPlacement ?? 'outside', [
      'outside',
      'inside',
    ]);
    this.momentum = checkNumber('RmsProp: momentum', given.momentum ?? 0, { min: 0, below: 1 });
    this.momentNames = this.momentum === 0 ? ['average'] : ['average', 'velocity'];
    this.seal(new.target !== RmsProp);
  }

  protected override ownOptions(): Readonly<Record<string, unknown>> {
    const { decay, epsilon, epsilonPlacement, momentum } = this;
    return { decay, epsilon, epsilonPlacement, momentum };
  }

  protected override scalars(out: Float64Array, at: number, _t: number, learningRate: number): void {
    out[at] = learningRate;
  }

  override write(builder: Builder, { p, g, n, weightDecay, moment, scalar }: UpdateTensors): void {
    const inside = this.epsilonPlacement === 'inside';
    builder.emit('rmsProp', {
      p,
      average: moment('average'),
      velocity: this.momentum === 0 ? null : moment('velocity'),
      g,
      n,
      learningRate: scalar(0),
      decay: this.decay,
      epsilon: inside ? 0 : this.epsilon,
      epsilonInside: inside ? this.epsilon : 0,
      momentum: this.momentum,
      weightDecay,
    });
  }
}

registerOptimizer('adaGrad', AdaGrad);
registerOptimizer('adaDelta', AdaDelta);
registerOptimizer('rmsProp', RmsProp);
