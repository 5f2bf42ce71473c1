import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './processes.js';

/** Writes results as JSON and as the report; says where. */
export function keep(stem: string, results: unknown, report: string): string {
  const file = `bench/results/${stem}`;
  mkdirSync(join(root, 'bench/results'), { recursive: true });
  writeFileSync(join(root, `${file}.json`), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(join(root, `${file}.md`), `${report}\n`);
  return `${file}.{json,md}`;
}
