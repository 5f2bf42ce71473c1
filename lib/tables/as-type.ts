import { describe } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { quote } from '../text.js';
import { ColumnBuilder } from './builder.js';
import {
  asStrings,
  type Column,
  type ColumnType,
  firstMissing,
  holdsStrings,
  valueAt,
  withoutColumn,
} from './column.js';
import type { Table } from './table.js';

/** The type that a column had whose values became strings. */
export type From = 'number' | 'boolean' | 'date' | undefined;

export function fromOf(own: ColumnType, type: ColumnType): From {
  return holdsStrings(type) && !holdsStrings(own) ? own : undefined;
}

/** A column of a table as one of the given type. */
export function columnAs(label: string, table: Table, name: string, type: ColumnType, from: From): Column {
  if (!table.has(name)) throw withoutColumn(label, table.names, name);
  const column = table.column(name);
  if (holdsStrings(type)) return asStrings(column, type, from);
  if (column.type === type) return column;
  return readColumn(label, table.length, name, type, (row) => valueAt(column, row));
}

/** A column of the given type of values that may have other ones. */
export function readColumn(
  label: string,
  rows: number,
  name: string,
  type: ColumnType,
  valueOf: (row: number) => unknown,
): Column {
  const builder = new ColumnBuilder(type);
  for (let row = 0; row < rows; row++) {
    const value = valueOf(row);
    const expected = builder.add(value);
    if (expected === undefined) continue;
    const text = `expected ${expected}, got ${describe(value)}`;
    throw new BlasnetError('INVALID_ARGUMENT', `${label}: row ${row}, column ${quote(name)}: ${text}`);
  }
  return builder.finish();
}

/** The target's column, in which no value may be missing. */
export function targetColumn(label: string, table: Table, name: string, type: ColumnType, from: From): Column {
  const column = columnAs(label, table, name, type, from);
  const row = firstMissing(column);
  if (row < 0) return column;
  const hint = `leave such rows out with dropMissing([${quote(name)}])`;
  throw new BlasnetError('INVALID_ARGUMENT', `${label}: row ${row}: the target ${quote(name)} is missing; ${hint}`);
}
