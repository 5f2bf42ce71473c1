import { checkInteger, checkNumber, checkOptions, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { Builder, Tensor, Value } from '../program/instructions.js';
import { resolveSchedule, type Schedule, type ScheduleTime } from '../schedules.js';
import { Groups, type ParameterGroup, type Settings } from './groups.js';

/** What every optimizer takes. */
export interface OptimizerOptions {
  learningRate?: number | Schedule;
  /** Coupled, unless the optimizer says otherwise: adds weightDecay · p to the gradient, after clipping. Default 0. */
  weightDecay?: number;
  /** Other settings for some of the parameters; the first group that matches a parameter is the one for it. */
  groups?: readonly ParameterGroup[];
  /** Clamps each element of the gradients to −clipValue … clipValue. Default: no clipping. */
  clipValue?: number;
  /**
   * Scales all gradients down to this norm where their norm (the root of the sum of squares over all trained parameters, after
   * `clipValue`) is larger. Default: no clipping.
   */
  clipNorm?: number;
}

/** Names of {@link OptimizerOptions}. */
export const commonOptions = ['learningRate', 'weightDecay', 'groups', 'clipValue', 'clipNorm'] as const;

/** The tensors of one update: a range of parameters with its gradient and the optimizer's moments over the same range. */
export interface UpdateTensors {
  readonly p: Tensor;
  readonly g: Tensor;
  readonly n: number;
  readonly weightDecay: number;
  /** A moment by its name; each is as long as p. */
  moment(name: string): Tensor;
  /** Number of this step that {@link Optimizer.scalars} has written, by its position. */
  scalar(slot: number): Value;
}

/** All that an optimizer changes as it trains; see {@link Optimizer.save}. */
export interface OptimizerState {
  readonly steps: number;
  readonly rateFactor: number;
  /** By name; absent before the first use with a network, when all moments have their start value. */
  readonly moments?: Readonly<Record<string, Float32Array>>;
}

/**
 * Base of the optimizers. One holds its resolved hyper-parameters, the number of steps it has made, and its moments
 * (float32, one element a parameter, start value by kind); it belongs to the first network that it trains.
 */
export abstract class Optimizer {
  /** Name of the rule, for listings. */
  abstract readonly kind: string;
  /** Names of the moments. */
  abstract readonly momentNames: readonly string[];
  readonly clipValue: number | undefined;
  readonly clipNorm: number | undefined;
  readonly #groups: Groups;
  readonly #given: Pick<OptimizerOptions, 'learningRate' | 'groups'>;
  #steps = 0;
  #rateFactor = 1;
  #moments: Map<string, Float32Array> | undefined;
  /** Moments restored before there is storage for them. */
  #restored: Map<string, Float32Array> | undefined;
  #owner: object | undefined;

  constructor(name: string, options: OptimizerOptions & { learningRate: number | Schedule }) {
    const schedule = resolveSchedule(`${name}: learningRate`, options.learningRate);
    this.#given = { learningRate: options.learningRate, ...(options.groups && { groups: options.groups }) };
    const weightDecay = checkNumber(`${name}: weightDecay`, options.weightDecay ?? 0, { min: 0 });
    this.#groups = new Groups(name, { schedule, weightDecay, frozen: false }, options.groups);
    const limit = (option: 'clipValue' | 'clipNorm') =>
      options[option] === undefined ? undefined : checkNumber(`${name}: ${option}`, options[option], { above: 0 });
    this.clipValue = limit('clipValue');
    this.clipNorm = limit('clipNorm');
  }

  /** The learning rate as a function of time, before {@link rateFactor}. */
  get schedule(): Schedule {
    return this.settings[0].schedule;
  }

  get weightDecay(): number {
    return this.settings[0].weightDecay;
  }

  /** The options that would make this optimizer again, defaults filled in: `new Adam(adam.options)`. */
  get options(): OptimizerOptions & Readonly<Record<string, unknown>> {
    const { weightDecay, clipValue, clipNorm } = this;
    const clipping = { ...(clipValue !== undefined && { clipValue }), ...(clipNorm !== undefined && { clipNorm }) };
    return { ...this.#given, weightDecay, ...clipping, ...this.ownOptions() };
  }

  /** The options beyond {@link OptimizerOptions}, defaults filled in. */
  protected ownOptions(): Readonly<Record<string, unknown>> {
    return {};
  }

  /** The optimizer's own settings, then those of each group. */
  get settings(): readonly Settings[] {
    return this.#groups.settings;
  }

  /** Position in {@link settings} of those for a parameter. */
  groupOf(parameter: string): number {
    return this.#groups.of(parameter);
  }

  /** Steps made; settable, for replaying a run from its middle. */
  get steps(): number {
    return this.#steps;
  }

  set steps(value: number) {
    this.#steps = checkInteger('steps', value, { min: 0 });
  }

  /** What every learning rate, of groups too, is multiplied by; settable, 1 at first. Callbacks lower it. */
  get rateFactor(): number {
    return this.#rateFactor;
  }

  set rateFactor(value: number) {
    this.#rateFactor = checkNumber('rateFactor', value, { min: 0 });
  }

  /**
   * The moments by name: views of the memory that the kernels use, in the layout of the network's parameter block, so that writing
   * one changes the optimizer. Throws `INVALID_ARGUMENT` before the optimizer has been used with a network; `restore` works then too.
   */
  get moments(): ReadonlyMap<string, Float32Array> {
    if (this.#moments === undefined) {
      throw new BlasnetError(
        'INVALID_ARGUMENT',
        `${this.kind}: the optimizer has no moments before its first use with a network`,
      );
    }
    return this.#moments;
  }

  /** A copy of all that training changes, for `restore`. */
  save(): OptimizerState {
    const moments = this.#moments ?? this.#restored;
    const numbers = { steps: this.#steps, rateFactor: this.#rateFactor };
    if (moments === undefined) return numbers;
    return { ...numbers, moments: Object.fromEntries([...moments].map(([name, values]) => [name, values.slice()])) };
  }

  /**
   * Takes over a saved state, before the first use with a network or after it; training then goes on as it did where the state was
   * saved. Throws `INVALID_ARGUMENT` when it is not of an optimizer of this kind and options, `SHAPE_MISMATCH` (before the first
   * use: at that use) when it is not of a network of the same parameters; nothing is changed then.
   */
  restore(state: OptimizerState): void {
    if (typeof state !== 'object' || state === null) throw invalid('restore: state', 'what save() returned', state);
    const { steps, rateFactor, moments } = checkOptions('restore: state', state, ['steps', 'rateFactor', 'moments']);
    checkInteger('restore: steps', steps, { min: 0 });
    checkNumber('restore: rateFactor', rateFactor, { min: 0 });
    const restored = moments === undefined ? undefined : this.#checkMoments(moments);
    if (this.#moments !== undefined) this.#fill(this.#moments, restored);
    else this.#restored = restored;
    this.#steps = steps as number;
    this.#rateFactor = rateFactor as number;
  }

  /** Copies of a saved state's moments, which must be those of this optimizer. */
  #checkMoments(moments: Readonly<Record<string, Float32Array>>): Map<string, Float32Array> {
    const names = typeof moments === 'object' && moments !== null ? Object.keys(moments) : [];
    const same =
      names.length === this.momentNames.length && this.momentNames.every((name) => moments[name] instanceof Float32Array);
    if (!same) throw invalid('restore: moments', `a Float32Array for each of: ${this.momentNames.join(', ')}`, moments);
    return new Map(this.momentNames.map((name) => [name, moments[name].slice()]));
  }

  /** Fills the moments with restored values, or with those they start with. */
  #fill(
    moments: ReadonlyMap<string, Float32Array>,
    restored: ReadonlyMap<string, Float32Array> | undefined,
    fresh = false,
  ): void {
    for (const [name, values] of moments) {
      const given = restored?.get(name)?.length ?? values.length;
      if (given !== values.length) {
        throw new BlasnetError('SHAPE_MISMATCH', `restore: moments: ${name}: expected ${values.length} elements, got ${given}`);
      }
    }
    for (const [name, values] of moments) {
      const from = restored?.get(name);
      const initial = this.initialMoment(name);
      if (from !== undefined) values.set(from);
      // New memory holds zeros, and is better touched first by those who work on it.
      else if (!fresh || initial !== 0) values.fill(initial);
    }
  }

  /** Start value of a moment. */
  initialMoment(_name: string): number {
    return 0;
  }

  /**
   * Gives the optimizer to `owner`, whose parameters have these names, with storage for its moments. Throws when it belongs to another
   * network already, or a group matches none of the names.
   */
  attach(owner: object, parameters: readonly string[], allocate: (count: number) => Float32Array[]): Float32Array[] {
    if (this.#owner !== undefined && this.#owner !== owner) {
      throw new BlasnetError(
        'INVALID_ARGUMENT',
        'optimizer: it already belongs to another network; make a new one for this network',
      );
    }
    if (this.#moments === undefined) {
      this.#groups.check(parameters);
      const storage = allocate(this.momentNames.length);
      const moments = new Map(this.momentNames.map((name, i) => [name, storage[i]]));
      this.#fill(moments, this.#restored, true);
      this.#moments = moments;
      this.#restored = undefined;
      this.#owner = owner;
    }
    return [...this.#moments.values()];
  }

  /** How many numbers {@link scalars} writes for a step and a group. */
  protected abstract readonly scalarsPerGroup: number;

  /** How many numbers {@link writeScalars} writes for a step. */
  get scalarCount(): number {
    return this.settings.length * this.scalarsPerGroup;
  }

  /** Position of a group's first number among those of a step. */
  firstScalar(group: number): number {
    return group * this.scalarsPerGroup;
  }

  /** Writes the numbers of the step after `time.step` steps into `out`, from `at`; returns the optimizer's own learning rate. */
  writeScalars(out: Float64Array, at: number, time: ScheduleTime): number {
    let own = 0;
    for (const [group, { schedule, weightDecay, frozen }] of this.settings.entries()) {
      if (frozen) continue;
      const learningRate = schedule(time) * this.#rateFactor;
      if (group === 0) own = learningRate;
      this.scalars(out, at + this.firstScalar(group), time.step + 1, learningRate, weightDecay);
    }
    return own;
  }

  /** Writes the numbers that step `t` (from 1) of a group needs into `out`, from `at`: what depends on the rate and the step count. */
  protected abstract scalars(out: Float64Array, at: number, t: number, learningRate: number, weightDecay: number): void;

  /** Writes the update of a range of parameters. */
  abstract write(builder: Builder, tensors: UpdateTensors): void;
}

export function checkOptimizer(name: string, value: unknown): Optimizer {
  if (!(value instanceof Optimizer)) throw invalid(name, 'an optimizer such as new Adam()', value);
  return value;
}
