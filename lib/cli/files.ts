import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { checkReplaceable, resolveTarget } from '../formats/replace-file.js';
import { UsageError } from './command.js';

/** Paths by what the command line calls them, such as `--out` or `<data>`; undefined where there is none. */
export type Named = Readonly<Record<string, string | undefined>>;

/** The same text for two paths of one file, through links too, whether it exists or not. */
async function identity(path: string): Promise<string> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev} ${ino}`;
  } catch {
    // Where there is no file yet, a link may lead to its place.
    return resolveTarget(path).then(
      ({ target }) => target,
      () => resolve(path),
    );
  }
}

/** Throws `UsageError` if writing an output would destroy an input or another output. */
export async function checkApart(inputs: Named, outputs: Named): Promise<void> {
  const seen = new Map<string, string>();
  const identities = (named: Named) =>
    Promise.all(
      Object.entries(named).flatMap(([name, path]) =>
        path === undefined ? [] : [identity(path).then((id) => ({ id, text: `${name} ${path}` }))],
      ),
    );
  // Two inputs may be one file.
  for (const { id, text } of await identities(inputs)) seen.set(id, text);
  for (const { id, text } of await identities(outputs)) {
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
export async function checkWritable(path: string): Promise<void> {
  try {
    await checkReplaceable(path);
  } catch (error) {
    const { cause } = error as Error;
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error(`${path}: there is no such folder`, { cause });
  }
}
