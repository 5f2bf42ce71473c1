import { checkChoice, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { listed, quote } from '../text.js';
import { columnAs, type From, fromOf, targetColumn } from './as-type.js';
import { COLUMN_TYPES, type ColumnType, isEmpty, missingColumn } from './column.js';
import { CATEGORY_OPTIONS } from './encoders/category.js';
import { checkGiven, type Given, type Learner } from './encoders/kind.js';
import { kinds } from './encoders/kinds.js';
import type { Table } from './table.js';
import { LabelTarget, type TargetLearner, ValueTarget } from './target.js';

/** What an encoder is to learn; checked. */
export interface Plan {
  readonly target: string;
  readonly task: 'classification' | 'regression' | undefined;
  readonly options: ReadonlyMap<string, Given>;
  readonly ignored: ReadonlySet<string>;
}

/** A column that is being learnt. */
interface Begun<L> {
  readonly type: ColumnType;
  readonly from: From;
  readonly learner: L;
}

/** Learns an encoder from a table, or from its pieces one after the other. */
export class Fitting {
  readonly #plan: Plan;
  readonly #columns = new Map<string, Begun<Learner>>();
  #target: Begun<TargetLearner> | undefined;
  /** Of all columns; some may begin in a later piece. */
  readonly #names = new Set<string>();
  #rows = 0;

  constructor(plan: Plan) {
    this.#plan = plan;
  }

  get rows(): number {
    return this.#rows;
  }

  add(label: string, table: Table): void {
    for (const name of table.names) this.#names.add(name);
    if (table.length === 0) return;
    const { target, ignored } = this.#plan;
    if (!table.has(target)) throw invalid('encoder: target', `one of ${listed(table.names)}`, target);
    for (const name of table.names) if (name !== target && !ignored.has(name)) this.#add(label, table, name);
    this.#target ??= this.#beginTarget(label, table);
    const { type, from, learner } = this.#target;
    learner.add(targetColumn(label, table, target, type, from));
    this.#rows += table.length;
  }

  /** Plain data of the encoder. */
  finish(label: string): { version: 1; target: Given; columns: readonly Given[] } {
    if (this.#target === undefined)
      throw new BlasnetError('EMPTY_DATA', `${label}: expected one row or more, got none`);
    const { options, ignored } = this.#plan;
    for (const [option, names] of Object.entries({ columns: options.keys(), ignore: ignored })) {
      for (const name of names)
        if (!this.#names.has(name)) throw invalid(`encoder: ${option}`, `one of ${listed([...this.#names])}`, name);
    }
    if (this.#columns.size === 0)
      throw new BlasnetError('EMPTY_DATA', `${label}: expected a column with values besides the target, got none`);
    const typed = <L>(name: string, { type, from }: Begun<L>) => ({ name, type, ...(from && { from }) });
    const columns = [...this.#names].flatMap((name) => {
      const begun = this.#columns.get(name);
      return begun === undefined ? [] : [{ ...typed(name, begun), ...begun.learner.finish().toJSON() }];
    });
    const { target } = this.#plan;
    return {
      version: 1,
      target: { ...typed(target, this.#target), ...this.#target.learner.finish().toJSON() },
      columns,
    };
  }

  #optionsOf(name: string): [label: string, as: ColumnType | undefined, options: Given] {
    const label = `encoder: columns: ${quote(name)}`;
    const { as, ...rest } = this.#plan.options.get(name) ?? {};
    return [label, as === undefined ? undefined : checkChoice(`${label}: as`, as, COLUMN_TYPES), rest];
  }

  #add(label: string, table: Table, name: string): void {
    const begun = this.#columns.get(name);
    if (begun !== undefined) {
      begun.learner.add(columnAs(label, table, name, begun.type, begun.from));
      return;
    }
    const [where, as, options] = this.#optionsOf(name);
    const held = table.column(name).type;
    // Whether strings look like text depends on how many rows there are; such options say what they are.
    const isCategory = held === 'text' && CATEGORY_OPTIONS.some((option) => options[option] !== undefined);
    const type = as ?? (isCategory ? 'category' : held);
    const from = fromOf(held, type);
    const column = columnAs(label, table, name, type, from);
    // Nothing can be learnt of a column without values.
    if (isEmpty(column)) return;
    const learner = kinds.get(type)?.learn(where, name, options) as Learner;
    // Pieces before this one had no value.
    if (this.#rows > 0) learner.add(missingColumn(type));
    learner.add(column);
    this.#columns.set(name, { type, from, learner });
  }

  #beginTarget(label: string, table: Table): Begun<TargetLearner> {
    const { target, task } = this.#plan;
    const [where, as, options] = this.#optionsOf(target);
    const held = table.column(target).type;
    if (as !== undefined) throw invalid(`${where}: as`, 'none for the target, but task', as);
    const wanted = task ?? (held === 'number' ? 'regression' : 'classification');
    if (held === 'date') throw invalid('encoder: target', 'a column of another type than date', target);
    const type = wanted === 'regression' ? 'number' : 'category';
    const from = fromOf(held, type);
    // What is wrong with the values is said before what is wrong with the options.
    targetColumn(label, table, target, type, from);
    if (wanted === 'regression') return { type, from, learner: ValueTarget.learn(where, options) };
    checkGiven(where, options, []);
    return { type, from, learner: LabelTarget.learn(`${label}: column ${quote(target)}`) };
  }
}
