/** The reference of the site consists of docstrings. */
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path/posix';
import { expect, it } from 'vitest';
import { projectFile } from './lifecycle/child.js';

/** The exports of a module by name, and whether each has a docstring; undefined for one that was not found. */
type Exports = ReadonlyMap<string, boolean | undefined>;

const found = new Map<string, Exports>();

function exportsOf(path: string): Exports {
  const known = found.get(path);
  if (known !== undefined) return known;
  const text = readFileSync(projectFile(path), 'utf8');
  const other = (specifier: string) => exportsOf(normalize(join(dirname(path), specifier.replace(/\.js$/, '.ts'))));
  const result = new Map<string, boolean | undefined>();

  const declaration =
    /^(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n(?:\/\/.*\n)*)?export (?:abstract |async )*(?:function\*?|class|const|interface|type) (\w+|\{[^}]*\} =)/gm;
  for (const [, docstring, declared] of text.matchAll(declaration))
    for (const name of declared.match(/\w+/g) ?? [])
      result.set(name, docstring !== undefined || result.get(name) === true); // of overloads, one is enough

  /** Where each imported name comes from. */
  const imported = new Map<string, boolean | undefined>();
  for (const [, kind, list, specifier] of text.matchAll(
    /^(import|export) (?:type )?\{([^}]*)\}(?: from '(\.[^']*)')?;/gm,
  )) {
    for (const [, name, alias = name] of list.matchAll(/(?:type )?(\w+)(?: as (\w+))?/g)) {
      const documented =
        specifier === undefined ? (imported.get(name) ?? result.get(name)) : other(specifier).get(name);
      (kind === 'import' ? imported : result).set(alias, documented);
    }
  }
  for (const [, namespace, specifier] of text.matchAll(/^export \* (?:as (\w+) )?from '(\.[^']*)';/gm))
    for (const [name, documented] of other(specifier))
      result.set(namespace === undefined ? name : `${namespace}.${name}`, documented);
  found.set(path, result);
  return result;
}

it('every export of the entry points has a docstring', () => {
  const { exports } = JSON.parse(readFileSync(projectFile('package.json'), 'utf8')) as {
    exports: Record<string, { types?: { require: string } }>;
  };
  const entryPoints = Object.values(exports).flatMap(({ types }) => (types === undefined ? [] : [types.require]));
  const all = entryPoints.flatMap((types) => {
    const path = types.replace(/^\.\/dist\/types\/(.*)\.d\.ts$/, 'lib/$1.ts');
    return [...exportsOf(path)].map(([name, documented]) => [`${path}: ${name}`, documented] as const);
  });
  expect(all.length).toBeGreaterThan(400);
  expect(all.filter(([, documented]) => documented !== true).map(([name]) => name)).toEqual([]);
});
