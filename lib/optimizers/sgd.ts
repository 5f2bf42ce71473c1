import { checkBoolean, checkNumber, checkOptions } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { Builder } from '../program/instructions.js';
import type { Schedule } from '../schedules.js';
import { Optimizer, type UpdateTensors } from './optimizer.js';

export interface SgdOptions {
  /** Default 0.01. */
  learningRate?: number | Schedule;
  /** v ← momentum · v + (1 − dampening) · g; default 0: no velocity. */
  momentum?: number;
  /** Default 0; equal to `momentum` it gives the exponential average of the gradients. */
  dampening?: number;
  /** Look ahead (Nesterov 1983), in the form g + momentum · v; needs momentum. Default false. */
  nesterov?: boolean;
  /** Coupled: adds weightDecay · p to the gradient. Default 0. */
  weightDecay?: number;
}

/** Stochastic gradient descent, with momentum (Polyak 1964) as an option: p ← p − learningRate · v. */
export class Sgd extends Optimizer {
  override readonly kind = 'sgd';
  override readonly scalarCount = 1;
  override readonly momentNames: readonly string[];
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;

  constructor(options?: SgdOptions) {
    const known = ['learningRate', 'momentum', 'dampening', 'nesterov', 'weightDecay'];
    const { learningRate = 0.01, momentum = 0, dampening = 0, nesterov = false, weightDecay = 0 } = checkOptions('Sgd', options, known);
    super('Sgd', learningRate);
    this.momentum = checkNumber('Sgd: momentum', momentum, { min: 0, below: 1 });
    this.dampening = checkNumber('Sgd: dampening', dampening, { min: 0, max: 1 });
    this.nesterov = checkBoolean('Sgd: nesterov', nesterov);
    this.weightDecay = checkNumber('Sgd: weightDecay', weightDecay, { min: 0 });
    if (momentum === 0 && (nesterov || dampening !== 0)) {
      throw new BlasnetError('INVALID_ARGUMENT', `Sgd: ${nesterov ? 'nesterov' : 'dampening'} has no meaning without momentum`);
    }
    this.momentNames = momentum === 0 ? [] : ['velocity'];
  }

  override scalars(out: Float64Array, at: number, _t: number, learningRate: number): void {
    out[at] = learningRate;
  }

  override write(builder: Builder, { p, g, n, moment, scalar }: UpdateTensors): void {
    builder.emit('sgd', {
      p,
      velocity: this.momentum === 0 ? null : moment('velocity'),
      g,
      n,
      learningRate: scalar(0),
      momentum: this.momentum,
      dampening: this.dampening,
      nesterov: this.nesterov ? 1 : 0,
      weightDecay: this.weightDecay,
    });
  }
}
