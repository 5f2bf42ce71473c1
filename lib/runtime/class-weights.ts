import { checkNumber, invalid, isPlain } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { elements } from '../program/instructions.js';
import { feedName, type Goal } from '../program/losses.js';
import { goalsOf, type Model } from '../program/model.js';
import { sharedFloats } from '../shared-memory.js';
import { listed, quote } from '../text.js';
import type { SampleSource } from '../types.js';
import { ownEntry } from './columns.js';
import type { Source } from './engine.js';

/**
 * Weights of the classes of one output: a number for each class in order; an object by the data's `labelNames`; or
 * 'balanced', n / (k · count of the class) for n rows and k classes, which gives every class the same share.
 */
export type ClassWeight = readonly number[] | Readonly<Record<string, number>> | 'balanced';
/** Weights of classes: of an only output, or by the outputs' names. */
export type ClassWeights = ClassWeight | Readonly<Record<string, ClassWeight>>;

/** Resolved weights, for each output with a loss; undefined where it has none. */
export type ResolvedWeights = readonly (readonly number[] | undefined)[];

function checkEach(label: string, weights: readonly unknown[], classes: number): readonly number[] {
  if (weights.length !== classes) throw invalid(label, `${classes} numbers, one for each class`, weights);
  return Array.from(weights, (weight, i) => checkNumber(`${label}[${i}]`, weight, { min: 0 }));
}

/** Rows of each class; a target row counts with its values. */
function countClasses(source: Source, goal: Goal, name: string | undefined, classes: number): number[] {
  const { values } = source.feeds[feedName(goal.target, name)];
  const counts = new Array<number>(classes).fill(0);
  const outputs = values.length / source.rows;
  for (let row = 0; row < source.rows; row++) {
    if (goal.target === 'labels') counts[values[row]]++;
    else if (outputs === 1) {
      counts[1] += values[row];
      counts[0] += 1 - values[row];
    } else for (let i = 0; i < outputs; i++) counts[i] += values[row * outputs + i];
  }
  return counts;
}

/**
 * Checks the option `classWeights` of `name`. 'balanced' takes the counts of `source`; undefined for a stream, which
 * has none. Throws `INVALID_ARGUMENT` for outputs whose rows don't have one class each.
 */
export function resolveClassWeights(
  name: string,
  model: Model,
  given: ClassWeights | undefined,
  data: unknown,
  source: Source | undefined,
): ResolvedWeights | undefined {
  if (given === undefined) return undefined;
  const label = `${name}: classWeights`;
  const outputs = goalsOf(model);
  const several = outputs.length > 1;
  if (several && (!isPlain(given) || Array.isArray(given)))
    throw invalid(label, `an object by the outputs' names (${listed(outputs.map((output) => output.name))})`, given);
  // An only output with a name has both forms: by label names, the values are numbers.
  const named = outputs.every((output) => output.name !== undefined) && isPlain(given) && !Array.isArray(given);
  const nests = named && (several || Object.values(given).some((value) => typeof value !== 'number'));
  const byName = nests ? (given as Readonly<Record<string, ClassWeight>>) : undefined;
  const unknown = Object.keys(byName ?? {}).find((key) => !outputs.some((output) => output.name === key));
  if (unknown !== undefined) throw invalid(label, `names of ${listed(outputs.map((output) => output.name))}`, unknown);
  return outputs.map((output, i) => {
    const weights = byName === undefined ? given : ownEntry(byName, output.name ?? '');
    if (weights === undefined) return undefined;
    const at = byName === undefined ? label : `${label}: ${output.name}`;
    const { writeHits, kind, activation } = output.loss;
    if (writeHits === undefined)
      throw new BlasnetError('INVALID_ARGUMENT', `${at}: the loss ${kind} is not one of a classification`);
    const count = elements(output.shape);
    if (activation === 'sigmoid' && count > 1) {
      const text = `a row of the loss ${kind} has any number of labels: give sampleWeights, or the loss's positiveWeight`;
      throw new BlasnetError('INVALID_ARGUMENT', `${at}: ${text}`);
    }
    const classes = count === 1 ? 2 : count;
    if (weights === 'balanced') {
      if (source === undefined) throw invalid(at, "numbers: 'balanced' needs a dataset, whose rows it counts", weights);
      const counts = countClasses(source, source.goals[i], output.name, classes);
      return counts.map((rows) => (rows === 0 ? 0 : source.rows / (classes * rows)));
    }
    if (Array.isArray(weights)) return checkEach(at, weights, classes);
    if (!isPlain(weights)) throw invalid(at, "numbers, an object by label names, or 'balanced'", weights);
    const names = (data as SampleSource & { labelNames?: readonly string[] }).labelNames;
    if (names === undefined) throw invalid(at, 'a list of numbers, as the data have no labelNames', weights);
    const wrong = Object.keys(weights).find((key) => !names.includes(key));
    if (wrong !== undefined)
      throw new BlasnetError(
        'INVALID_ARGUMENT',
        `${at}: ${quote(wrong)} is not one of the data's classes ${listed(names)}`,
      );
    return checkEach(
      at,
      names.map((key) => ownEntry(weights as Record<string, number>, key) ?? 1),
      classes,
    );
  });
}

/** The source with the weights of the rows' classes, times the rows' own weights if there are any. */
export function withClassWeights(model: Model, source: Source, resolved: ResolvedWeights | undefined): Source {
  if (resolved === undefined) return source;
  const feeds = { ...source.feeds };
  const goals = goalsOf(model).map(({ name }, i): Goal => {
    const goal = source.goals[i];
    const classes = resolved[i];
    if (classes === undefined) return goal;
    const own = feeds[feedName('weights', name)]?.values;
    const { values } = feeds[feedName(goal.target, name)];
    const outputs = values.length / source.rows;
    const weights = sharedFloats(source.rows);
    for (let row = 0; row < source.rows; row++) {
      let weight = 0;
      if (goal.target === 'labels') weight = classes[values[row]];
      else if (outputs === 1) weight = classes[1] * values[row] + classes[0] * (1 - values[row]);
      else for (let o = 0; o < outputs; o++) weight += classes[o] * values[row * outputs + o];
      weights[row] = weight * (own?.[row] ?? 1);
    }
    feeds[feedName('weights', name)] = { values: weights };
    return { ...goal, weighted: true };
  });
  return { ...source, feeds, goals };
}
