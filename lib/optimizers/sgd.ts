import { checkArity, checkBoolean, checkNumber, checkOptions } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { Builder } from '../program/instructions.js';
import type { Schedule } from '../schedules.js';
import { commonOptions, Optimizer, type OptimizerOptions, registerOptimizer, type UpdateTensors } from './optimizer.js';

export interface SgdOptions extends OptimizerOptions {
  /** Default 0.01. */
  learningRate?: number | Schedule;
  /** v ← momentum · v + (1 − dampening) · g; default 0 (no velocity). */
  momentum?: number;
  /** Default 0; with the value of `momentum`, v is the exponential average of the gradients. */
  dampening?: number;
  /** Nesterov momentum (1983), in the form g + momentum · v; needs momentum. Default false. */
  nesterov?: boolean;
}

/** Stochastic gradient descent, p ← p − learningRate · v, with optional momentum (Polyak 1964). */
export class Sgd extends Optimizer {
  override readonly kind = 'sgd';
  protected override readonly scalarsPerGroup = 1;
  override readonly momentNames: readonly string[];
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;

  constructor(options?: SgdOptions) {
    checkArity('Sgd', arguments, 1);
    const given = checkOptions('Sgd', options, [...commonOptions, 'momentum', 'dampening', 'nesterov']);
    const { learningRate = 0.01, momentum = 0, dampening = 0, nesterov = false } = given;
    super('Sgd', { ...given, learningRate });
    this.momentum = checkNumber('Sgd: momentum', momentum, { min: 0, below: 1 });
    this.dampening = checkNumber('Sgd: dampening', dampening, { min: 0, max: 1 });
    this.nesterov = checkBoolean('Sgd: nesterov', nesterov);
    if (momentum === 0 && (nesterov || dampening !== 0)) {
      throw new BlasnetError(
        'INVALID_ARGUMENT',
        `Sgd: ${nesterov ? 'nesterov' : 'dampening'} has no meaning without momentum`,
      );
    }
    this.momentNames = momentum === 0 ? [] : ['velocity'];
    this.seal(new.target !== Sgd);
  }

  protected override ownOptions(): Readonly<Record<string, unknown>> {
    const { momentum, dampening, nesterov } = this;
    return { momentum, dampening, nesterov };
  }

  protected override scalars(out: Float64Array, at: number, _t: number, learningRate: number): void {
    out[at] = learningRate;
  }

  override write(builder: Builder, { p, g, n, weightDecay, moment, scalar }: UpdateTensors): void {
    builder.emit('sgd', {
      p,
      velocity: this.momentum === 0 ? null : moment('velocity'),
      g,
      n,
      learningRate: scalar(0),
      momentum: this.momentum,
      dampening: this.dampening,
      nesterov: this.nesterov ? 1 : 0,
      weightDecay,
    });
  }
}

registerOptimizer('sgd', Sgd);
