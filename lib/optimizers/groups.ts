import { types } from 'node:util';
import { checkBoolean, checkNumber, checkOptions, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { Frozen } from '../program/instructions.js';
import { resolveSchedule, type Schedule } from '../schedules.js';
import { listed, quote } from '../text.js';

/** Settings for some of a network's parameters; omitted ones are those of the optimizer. */
export interface ParameterGroup {
  /**
   * A parameter's full name (`<layer>.<parameter>`), a layer's name, a pattern for full names, or a predicate on them.
   * Must match at least one parameter.
   */
  match: string | RegExp | ((name: string) => boolean);
  learningRate?: number | Schedule;
  weightDecay?: number;
  /**
   * Keep the parameters and their moments unchanged. Also keeps the running statistics of a batch norm whose parameters
   * are all frozen. With 'evaluation', such a batch norm also normalises with them in training. Default false.
   */
  frozen?: Frozen;
}

/**
 * Groups that freeze the parameters of layers, nodes or single parameters by name, for an optimizer's `groups`:
 * `new Adam({ groups: freeze('stem', 'conv2d_1.bias') })`. With the option `evaluation`, their batch norms also use the
 * running statistics in training.
 */
export function freeze(...names: readonly (string | { evaluation: boolean })[]): ParameterGroup[] {
  const last = names.at(-1);
  const options = typeof last === 'object' ? last : undefined;
  const { evaluation = false } = checkOptions('freeze', options, ['evaluation']);
  const frozen = checkBoolean('freeze: evaluation', evaluation) ? 'evaluation' : true;
  const matches = options === undefined ? names : names.slice(0, -1);
  if (matches.length === 0) throw invalid('freeze', 'names of layers or parameters', names);
  return matches.map((match, i) => {
    if (typeof match !== 'string' || match === '') throw invalid(`freeze: argument ${i}`, 'a name', match);
    return { match, frozen };
  });
}

/** The settings for an update of some parameters. */
export interface Settings {
  readonly schedule: Schedule;
  readonly weightDecay: number;
  readonly frozen: Frozen;
}

const known = ['match', 'learningRate', 'weightDecay', 'frozen'] as const;

/** An optimizer's groups: assigns parameters to groups, and holds the settings of each. */
export class Groups {
  #settings: readonly Settings[];
  readonly #name: string;
  readonly #matches: readonly ParameterGroup['match'][];
  /** Whether a group has its own learning rate. */
  readonly #ownRate: readonly boolean[];

  constructor(optimizer: string, own: Settings, groups: readonly ParameterGroup[] | undefined) {
    this.#name = `${optimizer}: groups`;
    if (groups !== undefined && !Array.isArray(groups)) throw invalid(this.#name, 'a list of groups', groups);
    const list: readonly ParameterGroup[] = [...(groups ?? [])];
    this.#settings = [own, ...list.map((group, i) => resolveGroup(`${this.#name}[${i}]`, group, own))].map((settings) =>
      Object.freeze(settings),
    );
    this.#matches = list.map(({ match }) => match);
    this.#ownRate = list.map(({ learningRate }) => learningRate !== undefined);
  }

  /** The optimizer's own settings, then those of each group. */
  get settings(): readonly Settings[] {
    return this.#settings;
  }

  /** Sets the schedule of the optimizer and of the groups without their own rate. */
  setSchedule(schedule: Schedule): void {
    this.#settings = this.#settings.map((settings, i) =>
      i > 0 && this.#ownRate[i - 1] ? settings : Object.freeze({ ...settings, schedule }),
    );
  }

  /** Index in {@link settings} for a parameter: the first matching group, otherwise 0. */
  of(parameter: string): number {
    return 1 + this.#matches.findIndex((match, i) => this.#fits(match, i, parameter));
  }

  /** Throws if a group matches none of `parameters`. */
  check(parameters: readonly string[]): void {
    this.#matches.forEach((match, i) => {
      if (parameters.some((parameter) => this.#fits(match, i, parameter))) return;
      const what = typeof match === 'string' ? 'the name of a layer with parameters or' : 'what matches';
      const got = types.isRegExp(match) ? String(match) : match;
      throw invalid(`${this.#name}[${i}]: match`, `${what} one of ${listed(parameters)}`, got);
    });
  }

  #fits(match: ParameterGroup['match'], i: number, parameter: string): boolean {
    if (typeof match === 'string') {
      return parameter.startsWith(match) && (parameter.length === match.length || parameter[match.length] === '.');
    }
    // `search` ignores lastIndex, so a global pattern gives the same result each time.
    if (types.isRegExp(match)) return parameter.search(match) >= 0;
    return checkBoolean(`${this.#name}[${i}]: match(${quote(parameter)})`, match(parameter));
  }
}

function resolveGroup(name: string, group: ParameterGroup, own: Settings): Settings {
  if (typeof group !== 'object' || group === null) throw invalid(name, 'an object with match', group);
  const { match, learningRate, weightDecay, frozen = false } = checkOptions(name, group, known);
  if (typeof match !== 'string' && !types.isRegExp(match) && typeof match !== 'function') {
    throw invalid(`${name}: match`, 'a name, a pattern or a function of a name', match);
  }
  if (typeof frozen !== 'boolean' && frozen !== 'evaluation')
    throw invalid(`${name}: frozen`, "true or false, or 'evaluation'", frozen);
  if (frozen && (learningRate !== undefined || weightDecay !== undefined)) {
    const what = learningRate === undefined ? 'weightDecay' : 'learningRate';
    throw new BlasnetError('INVALID_ARGUMENT', `${name}: ${what} has no meaning for frozen parameters`);
  }
  return {
    schedule: learningRate === undefined ? own.schedule : resolveSchedule(`${name}: learningRate`, learningRate),
    weightDecay:
      weightDecay === undefined ? own.weightDecay : checkNumber(`${name}: weightDecay`, weightDecay, { min: 0 }),
    frozen,
  };
}
