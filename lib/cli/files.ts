import { accessSync, constants, readFileSync, realpathSync, statSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UsageError } from './command.js';

/** Paths by what the command line calls them, such as `--out` or `<data>`; undefined where there is none. */
export type Named = Readonly<Record<string, string | undefined>>;

/** The same text for two paths of one file, through links too, whether it exists or not. */
function identity(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false, bigint: true });
  if (stats !== undefined) return `${stats.dev} ${stats.ino}`;
  const absolute = resolve(path);
  try {
    return join(realpathSync(dirname(absolute)), basename(absolute));
  } catch {
    return absolute;
  }
}

/** Throws `UsageError` if writing an output would destroy an input or another output. */
export function checkApart(inputs: Named, outputs: Named): void {
  const seen = new Map<string, string>();
  const identities = (named: Named) =>
    Object.entries(named).flatMap(([name, path]) =>
      path === undefined ? [] : [{ id: identity(path), text: `${name} ${path}` }],
    );
  // Two inputs may be one file.
  for (const { id, text } of identities(inputs)) seen.set(id, text);
  for (const { id, text } of identities(outputs)) {
    const other = seen.get(id);
    if (other !== undefined) throw new UsageError(`${text} and ${other} are the same file`);
    seen.set(id, text);
  }
}

/** The files of weights that the model.json of a LayersModel names; none where it can't be read, which loading says. */
export function weightFiles(model: string): Named {
  try {
    const { weightsManifest } = JSON.parse(readFileSync(model, 'utf8')) as {
      weightsManifest: readonly { readonly paths: readonly string[] }[];
    };
    const paths = weightsManifest.flatMap((group) => group.paths);
    return Object.fromEntries(paths.map((path) => [`the model's weights ${path}:`, join(dirname(model), path)]));
  } catch {
    return {};
  }
}

/** Throws if a file can't be written there, before work is done for it. */
export function checkWritable(path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats !== undefined && !stats.isFile()) throw new Error(`${path}: it is not a regular file`);
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new Error(`${path}: ${missing ? 'there is no such folder' : 'the folder is not writable'}`, { cause });
  }
}

/** Replaces a file as a whole, so that an error leaves the old one; links are followed. */
export async function writeText(path: string, text: string): Promise<void> {
  const old = statSync(path, { throwIfNoEntry: false });
  const target = old === undefined ? path : realpathSync(path);
  const part = `${target}.${process.pid}.part`;
  try {
    await writeFile(part, text, { mode: old?.mode });
    await rename(part, target);
  } catch (cause) {
    await rm(part, { force: true });
    throw new Error(`${path}: it can't be written (${(cause as NodeJS.ErrnoException).code})`, { cause });
  }
}
