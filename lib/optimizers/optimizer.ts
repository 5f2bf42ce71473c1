import { checkInteger, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { Builder, Tensor, Value } from '../program/instructions.js';
import { resolveSchedule, type Schedule } from '../schedules.js';

/** The tensors of one update: a range of parameters with its gradient and the optimizer's moments over the same range. */
export interface UpdateTensors {
  readonly p: Tensor;
  readonly g: Tensor;
  readonly n: number;
  /** A moment by its name; each is as long as p. */
  moment(name: string): Tensor;
  /** Entry of {@link Optimizer.scalars} by its position. */
  scalar(slot: number): Value;
}

/**
 * Base of the optimizers. One holds its resolved hyper-parameters, the number of steps it has made, and its moments
 * (float32, one element a parameter, start value by kind); it belongs to the first network that it trains.
 */
export abstract class Optimizer {
  /** Name of the rule, for listings. */
  abstract readonly kind: string;
  /** The learning rate as a function of time. */
  readonly schedule: Schedule;
  /** Names and start values of the moments. */
  abstract readonly momentNames: readonly string[];
  #steps = 0;
  #moments: Map<string, Float32Array> | undefined;
  #owner: object | undefined;

  constructor(name: string, learningRate: number | Schedule) {
    this.schedule = resolveSchedule(`${name}: learningRate`, learningRate);
  }

  /** Steps made; settable, for replaying a run from its middle. */
  get steps(): number {
    return this.#steps;
  }

  set steps(value: number) {
    this.#steps = checkInteger('steps', value, { min: 0 });
  }

  /**
   * The moments by name: views of the memory that the kernels use, in the layout of the network's parameter block.
   * Throws `INVALID_ARGUMENT` before the optimizer has been attached to a network.
   */
  get moments(): ReadonlyMap<string, Float32Array> {
    if (this.#moments === undefined) {
      throw new BlasnetError('INVALID_ARGUMENT', `${this.kind}: the optimizer has no moments before its first use with a network`);
    }
    return this.#moments;
  }

  /** Start value of a moment. */
  initialMoment(_name: string): number {
    return 0;
  }

  /** Gives the optimizer to `owner` with storage for its moments; throws when it belongs to another network already. */
  attach(owner: object, allocate: (count: number) => Float32Array[]): Float32Array[] {
    if (this.#owner !== undefined && this.#owner !== owner) {
      throw new BlasnetError('INVALID_ARGUMENT', 'optimizer: it already belongs to another network; make a new one for this network');
    }
    if (this.#moments === undefined) {
      const storage = allocate(this.momentNames.length);
      const moments = this.momentNames.map((name, i): [string, Float32Array] => {
        const start = this.initialMoment(name);
        if (start !== 0) storage[i].fill(start);
        return [name, storage[i]];
      });
      this.#moments = new Map(moments);
      this.#owner = owner;
    }
    return [...this.#moments.values()];
  }

  /** How many numbers {@link scalars} gives a step. */
  abstract readonly scalarCount: number;

  /** Writes the numbers that step `t` (from 1) needs into `out`, from `at`: what depends on the rate and the step count. */
  abstract scalars(out: Float64Array, at: number, t: number, learningRate: number): void;

  /** Writes the update of a range of parameters. */
  abstract write(builder: Builder, tensors: UpdateTensors): void;
}

export function checkOptimizer(name: string, value: unknown): Optimizer {
  if (!(value instanceof Optimizer)) throw invalid(name, 'an optimizer such as new Adam()', value);
  return value;
}
