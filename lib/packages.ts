import { readFileSync } from 'node:fs';
// Imported as a namespace: webpack replaces a named import of `createRequire` with its own `require`.
import * as nodeModule from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BlasnetError } from './errors.js';

/**
 * The file this code runs from: its module or the bundle that contains it. Undefined if a bundler provides neither
 * `import.meta.url` nor `__filename`, or sets them to a path of the build system.
 */
export function ownFile(): string | undefined {
  try {
    return fileURLToPath(import.meta.url);
  } catch {
    return typeof __filename === 'string' ? __filename : undefined;
  }
}

/**
 * The package folder of blasnet that contains `file`: the nearest parent with a package.json that has a name, if that
 * name is blasnet. Undefined in a bundle outside the package.
 */
export function packageFolder(file = ownFile()): string | undefined {
  if (file === undefined) return undefined;
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const name = packageName(folder);
    if (name !== undefined) return name === 'blasnet' ? folder : undefined;
    if (dirname(folder) === folder) return undefined;
  }
}

function packageName(folder: string): string | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).name;
  } catch {
    return undefined;
  }
}

/** The path of a package file, `name/package.json`, resolved from the module `from`; undefined if it does not exist. */
export function findInPackage(from: string, file: string): string | undefined {
  try {
    return nodeModule.createRequire(from).resolve(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    return undefined;
  }
}

/**
 * Loads an optional peer dependency, of type `T`, for `caller`. Throws `PACKAGE_MISSING` with the command to install
 * it, or with the reason why the installed one does not load.
 */
export async function loadPackage<T>(caller: string, name: string, load = importPackage): Promise<T> {
  try {
    return (await load(name)) as T;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const missing = /^(ERR_)?MODULE_NOT_FOUND$/.test(code ?? '') && message.includes(`'${name}'`);
    const reason = missing ? 'is not installed' : `does not load (${message.split('\n', 1)[0]})`;
    throw new BlasnetError('PACKAGE_MISSING', `${caller}: the package ${name} ${reason}; run \`npm install ${name}\``, {
      cause,
    });
  }
}

/** Imports a package by a name unknown to bundlers, which therefore keep the import and don't require the package. */
async function importPackage(name: string): Promise<unknown> {
  try {
    return await import(/* webpackIgnore: true */ /* @vite-ignore */ name);
  } catch (error) {
    // Jest runs CommonJS modules in a way that doesn't support import().
    const { code = '' } = error as NodeJS.ErrnoException;
    const from = ownFile();
    if (!code.startsWith('ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING') || from === undefined) throw error;
    const loaded = nodeModule.createRequire(from)(name);
    return 'default' in loaded ? loaded : { ...loaded, default: loaded };
  }
}
