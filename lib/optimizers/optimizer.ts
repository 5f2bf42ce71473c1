import { types } from 'node:util';
import { checkArity, checkBoolean, checkInteger, checkNumber, checkOptions, invalid, lock } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { Builder, Tensor, Value } from '../program/instructions.js';
import { resolveSchedule, type Schedule, type ScheduleTime } from '../schedules.js';
import { Groups, type ParameterGroup, type Settings } from './groups.js';

/** Options of all optimizers. */
export interface OptimizerOptions {
  learningRate?: number | Schedule;
  /**
   * L2 weight decay: adds weightDecay · p to the gradient after clipping, unless the optimizer decouples it. Default 0.
   */
  weightDecay?: number;
  /** Other settings for some of the parameters. Each parameter uses the first group that matches it. */
  groups?: readonly ParameterGroup[];
  /** Clamps each gradient element to −clipValue … clipValue. Default: no clipping. */
  clipValue?: number;
  /**
   * Scales all gradients down to this norm if theirs is larger (the root of the sum of squares over all trained
   * parameters, after `clipValue`). Default: no clipping.
   */
  clipNorm?: number;
  /** Keep an exponential moving average of the weights, for `network.useAverage`. Default: none. */
  averageWeights?: AverageOptions;
}

/** Options of the average of weights. */
export interface AverageOptions {
  /** average ← decay · average + (1 − decay) · p, after each step; default 0.999. The first step copies p. */
  decay?: number;
  /**
   * In step t use at most (t − 1) / (t + 8) as decay, so that the average of a short training follows the weights.
   * Default true.
   */
  warmUp?: boolean;
}

/** Names of {@link OptimizerOptions}. */
export const commonOptions = [
  'learningRate',
  'weightDecay',
  'groups',
  'clipValue',
  'clipNorm',
  'averageWeights',
] as const;

/** The tensors of one update: a range of parameters, with the gradient and the optimizer's moments of that range. */
export interface UpdateTensors {
  readonly p: Tensor;
  readonly g: Tensor;
  readonly n: number;
  /** Index of the range's settings in {@link Optimizer.settings}. */
  readonly group: number;
  readonly weightDecay: number;
  /** The size of the weight matrix p, if the optimizer updates {@link Optimizer.matrices} one by one and p is one. */
  readonly matrix: Matrix | undefined;
  /** A moment by name; each is as long as p. */
  moment(name: string): Tensor;
  /** A scalar of this step as written by {@link Optimizer.scalars}, by its position. */
  scalar(slot: number): Value;
}

/** A weight as a matrix: its last dimension has the outputs, the others together the inputs. */
export interface Matrix {
  readonly inputs: number;
  readonly outputs: number;
}

/** Name of the average of weights among the moments. */
export const WEIGHT_AVERAGE = 'weightAverage';

/** Everything an optimizer changes during training; see {@link Optimizer.save}. */
export interface OptimizerState {
  readonly steps: number;
  readonly rateFactor: number;
  /** By name; absent before the first use with a network, when all moments have their initial value. */
  readonly moments?: Readonly<Record<string, Float32Array>>;
}

/**
 * Base class of the optimizers. Holds the resolved hyper-parameters, the step count and the moments (float32, one
 * element per parameter). An optimizer belongs to the first network that it trains.
 */
export abstract class Optimizer {
  /** Name of the update rule, for listings. */
  abstract readonly kind: string;
  /** Names of the moments. */
  abstract readonly momentNames: readonly string[];
  /** Whether weight matrices are updated one by one, not together with the parameters beside them. */
  readonly matrices: boolean = false;
  /** With defaults filled in; undefined if no average is kept. */
  readonly averageWeights: Readonly<Required<AverageOptions>> | undefined;
  /** Limit of the magnitude of each element of the gradient; undefined: none. */
  readonly clipValue: number | undefined;
  /** Limit of the norm of the whole gradient; undefined: none. */
  readonly clipNorm: number | undefined;
  readonly #name: string;
  readonly #groups: Groups;
  readonly #givenGroups: readonly ParameterGroup[] | undefined;
  #learningRate: number | Schedule;
  #steps = 0;
  #rateFactor = 1;
  /** Views of its network's memory; before the first use, copies of restored moments, if any. */
  #moments: ReadonlyMap<string, Float32Array> | undefined;
  #attached = false;

  constructor(name: string, options: OptimizerOptions & { learningRate: number | Schedule }) {
    const schedule = resolveSchedule(`${name}: learningRate`, options.learningRate);
    this.#name = name;
    this.#learningRate = options.learningRate;
    const weightDecay = checkNumber(`${name}: weightDecay`, options.weightDecay ?? 0, { min: 0 });
    this.#groups = new Groups(name, { schedule, weightDecay, frozen: false }, options.groups);
    this.#givenGroups = options.groups && Object.freeze(options.groups.map((group) => Object.freeze({ ...group })));
    const limit = (option: 'clipValue' | 'clipNorm') =>
      options[option] === undefined ? undefined : checkNumber(`${name}: ${option}`, options[option], { above: 0 });
    this.clipValue = limit('clipValue');
    this.clipNorm = limit('clipNorm');
    this.averageWeights = resolveAverage(`${name}: averageWeights`, options.averageWeights);
  }

  /**
   * The learning rate as given. Can be set to a number or a schedule; the new value applies from the next step on (in
   * `fit`, from the next epoch on), also to groups without their own rate. `rateFactor` is unchanged. All other options
   * are read-only.
   */
  get learningRate(): number | Schedule {
    return this.#learningRate;
  }

  set learningRate(value: number | Schedule) {
    this.#groups.setSchedule(resolveSchedule(`${this.#name}: learningRate`, value));
    this.#learningRate = value;
  }

  /** The learning rate as a function of time, before {@link rateFactor}. */
  get schedule(): Schedule {
    return this.settings[0].schedule;
  }

  /** Weight decay of parameters whose group has none of its own; default 0. */
  get weightDecay(): number {
    return this.settings[0].weightDecay;
  }

  /** The options to create an equal optimizer, with defaults filled in: `new Adam(adam.options)`. */
  get options(): OptimizerOptions & Readonly<Record<string, unknown>> {
    const { learningRate, weightDecay, clipValue, clipNorm, averageWeights } = this;
    const groups = this.#givenGroups && { groups: this.#givenGroups };
    const clipping = { ...(clipValue !== undefined && { clipValue }), ...(clipNorm !== undefined && { clipNorm }) };
    const average = averageWeights && { averageWeights };
    return Object.freeze({ learningRate, ...groups, weightDecay, ...clipping, ...average, ...this.ownOptions() });
  }

  /** The options in addition to {@link OptimizerOptions}, with defaults filled in. */
  protected ownOptions(): Readonly<Record<string, unknown>> {
    return {};
  }

  /** The optimizer's own settings, then those of each group. */
  get settings(): readonly Settings[] {
    return this.#groups.settings;
  }

  /** Index in {@link settings} for a parameter. */
  groupOf(parameter: string): number {
    checkArity('groupOf', arguments, 1);
    return this.#groups.of(parameter);
  }

  /** Steps done; can be set to replay a run from the middle. */
  get steps(): number {
    return this.#steps;
  }

  set steps(value: number) {
    this.#steps = checkInteger('steps', value, { min: 0 });
  }

  /** Factor for all learning rates, including those of groups; can be set, initially 1. Callbacks lower it. */
  get rateFactor(): number {
    return this.#rateFactor;
  }

  set rateFactor(value: number) {
    this.#rateFactor = checkNumber('rateFactor', value, { min: 0 });
  }

  /** Names of all that is kept for each parameter: the moments, and the average of weights if there is one. */
  get blockNames(): readonly string[] {
    return this.averageWeights === undefined ? this.momentNames : [...this.momentNames, WEIGHT_AVERAGE];
  }

  /**
   * The moments by name, and as `weightAverage` the average of weights if one is kept: views of the memory the kernels
   * use, in the layout of the network's parameter block, so writing to one changes the optimizer. Throws
   * `INVALID_ARGUMENT` before the first use with a network; use `restore` there.
   */
  get moments(): ReadonlyMap<string, Float32Array> {
    if (!this.#attached || this.#moments === undefined) {
      throw new BlasnetError(
        'INVALID_ARGUMENT',
        `${this.kind}: the optimizer has no moments before its first use with a network`,
      );
    }
    return this.#moments;
  }

  /** A copy of everything that training changes, for `restore`. */
  save(): OptimizerState {
    checkArity('save', arguments, 0);
    const numbers = { steps: this.#steps, rateFactor: this.#rateFactor };
    if (this.#moments === undefined) return numbers;
    return {
      ...numbers,
      moments: Object.fromEntries([...this.#moments].map(([name, values]) => [name, values.slice()])),
    };
  }

  /**
   * Restores a saved state, before or after the first use with a network; training then continues as it did after the
   * save. Throws `INVALID_ARGUMENT` if the state is from an optimizer of a different kind or with different options,
   * and `SHAPE_MISMATCH` if it is from a network with different parameters (before the first use: when first used).
   * Nothing is changed then.
   */
  restore(state: OptimizerState): void {
    checkArity('restore', arguments, 1);
    if (typeof state !== 'object' || state === null) throw invalid('restore: state', 'what save() returned', state);
    const { steps, rateFactor, moments } = checkOptions('restore: state', state, ['steps', 'rateFactor', 'moments']);
    checkInteger('restore: steps', steps, { min: 0 });
    checkNumber('restore: rateFactor', rateFactor, { min: 0 });
    const restored = moments === undefined ? undefined : this.#checkMoments(moments);
    if (this.#attached) {
      for (const [name, values] of this.moments) checkLength(name, restored, values.length);
      for (const [name, values] of this.moments) {
        // The first step replaces the average of weights.
        if (restored === undefined) values.fill(name === WEIGHT_AVERAGE ? 0 : this.initialMoment(name));
        else values.set(restored.get(name) as Float32Array);
      }
    } else this.#moments = restored;
    this.#steps = steps as number;
    this.#rateFactor = rateFactor as number;
  }

  /** Makes the fields read-only; call last in a constructor. `derived`: whether it runs for a derived class. */
  protected seal(derived: boolean): void {
    Object.freeze(this.momentNames);
    lock(this, derived);
  }

  /** Copies a saved state's moments after checking that they match this optimizer. */
  #checkMoments(moments: Readonly<Record<string, Float32Array>>): Map<string, Float32Array> {
    const names = typeof moments === 'object' && moments !== null ? Object.keys(moments) : [];
    const same =
      names.length === this.blockNames.length && this.blockNames.every((name) => types.isFloat32Array(moments[name]));
    if (!same) throw invalid('restore: moments', `a Float32Array for each of: ${this.blockNames.join(', ')}`, moments);
    return new Map(this.blockNames.map((name) => [name, moments[name].slice()]));
  }

  /** Initial value of a moment. */
  initialMoment(_name: string): number {
    return 0;
  }

  /**
   * Throws `INVALID_ARGUMENT` if it already belongs to a network or a group matches none of these parameter names, and
   * `SHAPE_MISMATCH` if restored moments are not `length` long.
   */
  checkFits(parameters: readonly string[], length: number): void {
    if (this.#attached) {
      throw new BlasnetError(
        'INVALID_ARGUMENT',
        'optimizer: it already belongs to another network; make a new one for this network',
      );
    }
    this.#groups.check(parameters);
    for (const name of this.blockNames) checkLength(name, this.#moments, length);
  }

  /**
   * Moves the moments to the network's memory (by name, all zeros) and writes their initial values there; that of the
   * average of weights is `parameters`.
   */
  useMoments(moments: ReadonlyMap<string, Float32Array>, parameters: Float32Array): void {
    for (const [name, values] of moments) {
      const restored = this.#moments?.get(name);
      const initial = this.initialMoment(name);
      if (restored !== undefined) values.set(restored);
      else if (name === WEIGHT_AVERAGE) values.set(parameters);
      // New memory should be touched first by the threads that work on it.
      else if (initial !== 0) values.fill(initial);
    }
    this.#moments = moments;
    this.#attached = true;
  }

  /** Number of scalars {@link scalars} writes per step and group. */
  protected abstract readonly scalarsPerGroup: number;

  /** Number of scalars {@link writeScalars} writes per step. */
  get scalarCount(): number {
    return this.firstScalar(this.settings.length);
  }

  /** Position of a group's first scalar among those of a step. */
  firstScalar(group: number): number {
    // The first of all is the intake of the average of weights, if one is kept.
    return (this.averageWeights === undefined ? 0 : 1) + group * this.scalarsPerGroup;
  }

  /**
   * Writes the scalars of the step after `time.step` steps into `out`, starting at `at`. Returns the optimizer's own
   * learning rate.
   */
  writeScalars(out: Float64Array, at: number, time: ScheduleTime): number {
    let own = 0;
    if (this.averageWeights !== undefined) out[at] = intake(this.averageWeights, time.step + 1);
    for (const [group, { schedule, weightDecay, frozen }] of this.settings.entries()) {
      if (frozen) continue;
      const learningRate = schedule(time) * this.#rateFactor;
      if (group === 0) own = learningRate;
      this.scalars(out, at + this.firstScalar(group), time.step + 1, learningRate, weightDecay);
    }
    return own;
  }

  /**
   * Writes a group's scalars for step `t` (from 1) into `out`, starting at `at`: those that depend on the rate and the
   * step count.
   */
  protected abstract scalars(out: Float64Array, at: number, t: number, learningRate: number, weightDecay: number): void;

  /** Emits the update of a range of parameters. */
  abstract write(builder: Builder, tensors: UpdateTensors): void;
}

function resolveAverage(
  name: string,
  options: AverageOptions | undefined,
): Readonly<Required<AverageOptions>> | undefined {
  if (options === undefined) return undefined;
  const { decay = 0.999, warmUp = true } = checkOptions(name, options, ['decay', 'warmUp']);
  return Object.freeze({
    decay: checkNumber(`${name}: decay`, decay, { min: 0, below: 1 }),
    warmUp: checkBoolean(`${name}: warmUp`, warmUp),
  });
}

/** The weight of step `t` (from 1) in the average of weights; 1 for the first step. */
function intake({ decay, warmUp }: Required<AverageOptions>, t: number): number {
  if (t === 1) return 1;
  return 1 - (warmUp ? Math.min(decay, (t - 1) / (t + 8)) : decay);
}

function checkLength(name: string, restored: ReadonlyMap<string, Float32Array> | undefined, length: number): void {
  const given = restored?.get(name)?.length ?? length;
  if (given !== length) {
    throw new BlasnetError('SHAPE_MISMATCH', `restore: moments: ${name}: expected ${length} elements, got ${given}`);
  }
}

/** A class of optimizers, made from its options. */
export type OptimizerClass = new (options: never) => Optimizer;

const classes = new Map<string, OptimizerClass>();

/** Registers an optimizer class for loading its state from files; the class checks the options. */
export function registerOptimizer(kind: string, type: OptimizerClass): void {
  classes.set(kind, type);
}

/** The library's class of a kind; undefined for a user-defined kind. */
export function optimizerClass(kind: string): OptimizerClass | undefined {
  return classes.get(kind);
}

/** The kinds registered so far. */
export function optimizerKinds(): ReadonlySet<string> {
  return new Set(classes.keys());
}

export function checkOptimizer(name: string, value: unknown): Optimizer {
  if (!(value instanceof Optimizer)) throw invalid(name, 'an optimizer such as new Adam()', value);
  return value;
}
