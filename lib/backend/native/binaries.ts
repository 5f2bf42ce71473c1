import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export type Libc = 'glibc' | 'musl';

/**
 * The C library of a Linux process, by the files mapped into its memory (`/proc/self/maps`, undefined where it can't be read)
 * and, where these don't tell, by Node's report on the process.
 */
export function libcOf(maps: string | undefined, reportsGlibc: () => boolean): Libc {
  if (maps !== undefined && /\/ld-musl-[^/\n]*$/m.test(maps)) return 'musl';
  // Until 2.33 the files bore the version in their names: ld-2.28.so, libc-2.28.so.
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
  // Without this setting the report asks the network for names, which can take seconds.
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

/** The binary that the package carries for this system, below its root. */
export function prebuiltFile(): string {
  const libc = process.platform === 'linux' ? `.${libcOf(readMaps(), reportsGlibc)}` : '';
  return join('prebuilds', `${process.platform}-${process.arch}`, `node${libc}.node`);
}

/** Files of the addon to try, the preferred one first. */
export function candidates(root: string, chosen = process.env.BLASNET_BINARY): string[] {
  if (chosen) return [chosen];
  return [join(root, 'build', 'Release', 'blasnet.node'), join(root, prebuiltFile())];
}

/** Why none of the files could be loaded and what to do about it, in one sentence each. */
export function unavailable(root: string, failures: readonly string[]): string {
  const inClone = existsSync(join(root, 'lib'));
  const [command, place] = inClone ? ['npm run build:addon', ` in ${root}`] : ['npx blasnet build', ''];
  return (
    `the native addon could not be loaded (${failures.join('; ')}). To build it from source, run \`${command}\`${place}; ` +
    'it needs g++, make, python3 and OpenBLAS (Debian: apt-get install g++ make python3 libopenblas-dev)'
  );
}
