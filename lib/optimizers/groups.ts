import { checkBoolean, checkNumber, checkOptions, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { resolveSchedule, type Schedule } from '../schedules.js';

/** Settings for some of a network's parameters; what is left out is as the optimizer has it. */
export interface ParameterGroup {
  /** A parameter's full name (`<layer>.<parameter>`), a layer's name, a pattern for full names, or a test of one. */
  match: string | RegExp | ((name: string) => boolean);
  learningRate?: number | Schedule;
  weightDecay?: number;
  /** The parameters and their moments stay as they are. */
  frozen?: boolean;
}

/** What an update of some parameters is made with. */
export interface Settings {
  readonly schedule: Schedule;
  readonly weightDecay: number;
  readonly frozen: boolean;
}

const known = ['match', 'learningRate', 'weightDecay', 'frozen'];

/** An optimizer's groups: which one a parameter belongs to, and the settings of each. */
export class Groups {
  /** The optimizer's own settings, then those of each group. */
  readonly settings: readonly Settings[];
  readonly #name: string;
  readonly #matches: readonly ParameterGroup['match'][];

  constructor(optimizer: string, own: Settings, groups: readonly ParameterGroup[] | undefined) {
    this.#name = `${optimizer}: groups`;
    if (groups !== undefined && !Array.isArray(groups)) throw invalid(this.#name, 'a list of groups', groups);
    const list: readonly ParameterGroup[] = groups ?? [];
    this.settings = [own, ...list.map((group, i) => resolveGroup(`${this.#name}[${i}]`, group, own))];
    this.#matches = list.map(({ match }) => match);
  }

  /** Position in {@link settings} of those for a parameter: of the first group that matches, else 0. */
  of(parameter: string): number {
    return 1 + this.#matches.findIndex((match, i) => this.#fits(match, i, parameter));
  }

  /** Throws when a group names a parameter or layer that is not among `parameters`. */
  check(parameters: readonly string[]): void {
    this.#matches.forEach((match, i) => {
      if (typeof match === 'string' && !parameters.some((parameter) => this.#fits(match, i, parameter))) {
        throw invalid(
          `${this.#name}[${i}]: match`,
          `the name of a layer with parameters or one of ${parameters.join(', ')}`,
          match,
        );
      }
    });
  }

  #fits(match: ParameterGroup['match'], i: number, parameter: string): boolean {
    if (typeof match === 'string') return parameter === match || parameter.startsWith(`${match}.`);
    // `search` knows no lastIndex: a global pattern gives the same answer each time.
    if (match instanceof RegExp) return parameter.search(match) >= 0;
    return checkBoolean(`${this.#name}[${i}]: match(${JSON.stringify(parameter)})`, match(parameter));
  }
}

function resolveGroup(name: string, group: ParameterGroup, own: Settings): Settings {
  if (typeof group !== 'object' || group === null) throw invalid(name, 'an object with match', group);
  const { match, learningRate, weightDecay, frozen = false } = checkOptions(name, group, known);
  if (typeof match !== 'string' && !(match instanceof RegExp) && typeof match !== 'function') {
    throw invalid(`${name}: match`, 'a name, a pattern or a function of a name', match);
  }
  if (checkBoolean(`${name}: frozen`, frozen) && (learningRate !== undefined || weightDecay !== undefined)) {
    const what = learningRate === undefined ? 'weightDecay' : 'learningRate';
    throw new BlasnetError('INVALID_ARGUMENT', `${name}: ${what} has no meaning for frozen parameters`);
  }
  return {
    schedule: learningRate === undefined ? own.schedule : resolveSchedule(`${name}: learningRate`, learningRate),
    weightDecay: weightDecay === undefined ? own.weightDecay : checkNumber(`${name}: weightDecay`, weightDecay, { min: 0 }),
    frozen,
  };
}
