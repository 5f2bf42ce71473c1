/** The golden values are copies of a shared collection: nothing may be lost on the way, and nothing go unused. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checked } from './files.js';

const data = new URL('./data/', import.meta.url);
const shared = new URL('../../../shared/golden/', import.meta.url);

function jsonFiles(directory: URL): string[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();
}

describe('the golden files', () => {
  it('are the ones listed', () => expect(jsonFiles(data)).toEqual([...checked].sort()));

  it('are each used by a test', () => {
    const directory = new URL('./', import.meta.url);
    const tests = readdirSync(directory).filter((file) => file.endsWith('.test.ts'));
    const source = tests.map((file) => readFileSync(new URL(file, directory), 'utf8')).join();
    expect(checked.filter((name) => !source.includes(`'${name}'`))).toEqual([]);
  });
});

if (existsSync(shared)) {
  describe('the shared collection of golden files', () => {
    it('holds what is carried here', () => expect(jsonFiles(shared)).toEqual([...checked].sort()));

    it.each(checked)('%s is the same, byte for byte', (name) => {
      const [copy, original] = [data, shared].map((directory) => readFileSync(new URL(`${name}.json`, directory)));
      expect(copy.equals(original)).toBe(true);
    });
  });
} else {
  const reason = 'there is no shared/golden beside the project';
  console.warn(`comparison of the golden files with their originals skipped: ${reason}`);
  describe.skip(`the shared collection of golden files (${reason})`, () => it('is the same', () => {}));
}
