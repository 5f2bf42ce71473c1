import { checkArity, checkChoice, checkNumber, checkOptions } from '../checks.js';
import type { Builder } from '../program/instructions.js';
import type { Schedule } from '../schedules.js';
import { commonOptions, Optimizer, type OptimizerOptions, registerOptimizer, type UpdateTensors } from './optimizer.js';

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

registerOptimizer('rmsProp', RmsProp);
