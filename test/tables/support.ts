import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { Table } from '../../lib/tables/index.js';

/** 1461 days of weather in Seattle (NOAA), from the package vega-datasets. */
export const WEATHER = fileURLToPath(
  new URL('../../node_modules/vega-datasets/data/seattle-weather.csv', import.meta.url),
);

/** A function that writes files into a folder of the test file, which is removed afterwards. */
export function fileWriter(): (content: string | Uint8Array) => string {
  const folder = mkdtempSync(join(tmpdir(), 'blasnet-tables-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  let files = 0;
  return (content) => {
    const path = join(folder, String(files++));
    writeFileSync(path, content);
    return path;
  };
}

/** Names and types of a table's columns. */
export function typesOf(table: Table): Record<string, string> {
  return Object.fromEntries(table.names.map((name) => [name, table.column(name).type]));
}

/** A table of one column of numbers, 0 to length − 1, and others. */
export function numbered(length: number, others: (row: number) => Record<string, unknown> = () => ({})): Table {
  return Table.from(Array.from({ length }, (_, id) => ({ id, ...others(id) })));
}

/** Values of the column `id`. */
export function idsOf(table: Table): number[] {
  return [...table.column('id').values] as number[];
}
