import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export type Libc = 'glibc' | 'musl';

/**
 * The C library of a Linux process, found from the files mapped into its memory (`/proc/self/maps`, undefined if
 * unreadable) or, if these don't show it, from Node's process report.
 */
export function libcOf(maps: string | undefined, reportsGlibc: () => boolean): Libc {
  if (maps !== undefined && /\/ld-musl-[^/\n]*$/m.test(maps)) return 'musl';
  // Before 2.33 the file names contained the version: ld-2.28.so, libc-2.28.so.
  if (maps !== undefined && /\/(ld-linux[^/\n]*|(ld|libc)-2\.\d+\.so|libc\.so\.6)$/m.test(maps)) return 'glibc';
  return reportsGlibc() ? 'glibc' : 'musl';
}

function readMaps(): string | undefined {
  try {
    return readFileSync('/proc/self/maps', 'utf8');
  } catch {
    return undefined;
  }
}

function reportsGlibc(): boolean {
  // Otherwise the report resolves host names over the network, which can take seconds.
  const report = process.report as typeof process.report & { excludeNetwork: boolean };
  const before = report.excludeNetwork;
  report.excludeNetwork = true;
  try {
    const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
    return header?.glibcVersionRuntime !== undefined;
  } finally {
    report.excludeNetwork = before;
  }
}

/** The package's prebuilt binary for this system, relative to its root. */
export function prebuiltFile(): string {
  const libc = process.platform === 'linux' ? `.${libcOf(readMaps(), reportsGlibc)}` : '';
  return join('prebuilds', `${process.platform}-${process.arch}`, `node${libc}.node`);
}

/** Addon files to try, in order of preference. Without the package's folder, only an explicitly chosen file. */
export function candidates(root: string | undefined, chosen = process.env.BLASNET_BINARY): string[] {
  if (chosen) return [chosen];
  if (root === undefined) return [];
  return [join(root, 'build', 'Release', 'blasnet.node'), join(root, prebuiltFile())];
}

const needs: Partial<Record<NodeJS.Platform, string>> = {
  linux: 'g++, make, python3 and OpenBLAS (Debian: apt-get install g++ make python3 libopenblas-dev)',
  darwin: "Xcode's command line tools and OpenBLAS (brew install openblas)",
};

/** Why a file can't be read, or undefined if it can: it may be missing, or blocked by Node's permission model. */
export function unreadable(path: string): string | undefined {
  try {
    statSync(path);
    return undefined;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'no such file' : message;
  }
}

/** One sentence on why no file could be loaded, and one on how to fix it. */
export function unavailable(
  root: string | undefined,
  failures: readonly string[],
  platform = process.platform,
): string {
  const tried = failures.length > 0 ? ` (${failures.join('; ')})` : '';
  const reason = `the native addon could not be loaded${tried}. `;
  if (root === undefined) {
    return (
      `${reason}This is a bundle, away from blasnet's package: copy node_modules/blasnet/${prebuiltFile()} to where the bundle runs ` +
      'and set the environment variable BLASNET_BINARY to its path, or keep blasnet out of the bundle (docs/bundlers.md)'
    );
  }
  if (platform === 'win32') return `${reason}On Windows it is not built from source: the package carries it for x64`;
  if ((process as { permission?: object }).permission !== undefined) {
    const files = candidates(root).map((path) => `--allow-fs-read=${path}`);
    return `${reason}Under the permission model of Node.js it needs --allow-addons and ${files.join(' or ')}`;
  }
  const inClone = unreadable(join(root, 'lib')) === undefined;
  const [command, place] = inClone ? ['npm run build:addon', ` in ${root}`] : ['npx blasnet build', ''];
  return `${reason}To build it from source, run \`${command}\`${place}; it needs ${needs[platform] ?? needs.linux}`;
}
