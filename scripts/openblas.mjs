// Finds OpenBLAS for the builds. binding.gyp runs this script and reads its output:
//   node scripts/openblas.mjs include|libraries [static|dynamic] [path of the library]
import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const extraPrefixes = ['/opt/homebrew/opt/openblas', '/usr/local/opt/openblas'];

function output(command, args, input = '') {
  const result = spawnSync(command, args, { encoding: 'utf8', input, stdio: ['pipe', 'pipe', 'ignore'] });
  return result.status === 0 ? result.stdout.trim() : '';
}

export function compiler() {
  return process.env.CXX || (process.platform === 'linux' ? 'g++' : 'c++');
}

// The compiler command may contain flags (CXX="ccache g++").
function compilerOutput(args, input) {
  const [command, ...flags] = compiler().split(/\s+/);
  return output(command, [...flags, ...args], input);
}

/** The first line of the compiler's version, or '' if there is no compiler. */
export function compilerIdentity() {
  return compilerOutput(['--version']).split('\n')[0];
}

// The directory to add to the include path, '' if the compiler finds cblas.h itself, undefined if there is none. A
// given library may have its headers next to it, if installed with its own prefix.
function findInclude(library) {
  const candidates = [
    library && join(dirname(library), '../include'),
    output('pkg-config', ['--variable=includedir', 'openblas']),
    '/usr/include/openblas',
    ...extraPrefixes.map((prefix) => join(prefix, 'include')),
  ];
  const found = candidates.find((directory) => directory && existsSync(join(directory, 'cblas.h')));
  if (found) return found;
  return compilerOutput(['-E', '-x', 'c++', '-'], '#include <cblas.h>\n') ? '' : undefined;
}

function findFile(name) {
  const directories = [
    output('pkg-config', ['--variable=libdir', 'openblas']),
    ...extraPrefixes.map((prefix) => join(prefix, 'lib')),
  ];
  const path = directories
    .filter(Boolean)
    .map((directory) => join(directory, name))
    .find(existsSync);
  if (path) return path;
  // The compiler prints the bare name if its search path has no such file.
  const answer = compilerOutput([`-print-file-name=${name}`]);
  return answer.startsWith('/') && existsSync(answer) ? answer : undefined;
}

/** Finds OpenBLAS: { include, library, linkage }, or undefined if its development files are not installed. */
export function findOpenBlas(linkage = 'static', library = '') {
  if (linkage !== 'static' && linkage !== 'dynamic') {
    throw new Error(`openblas must be 'static' or 'dynamic', got '${linkage}'`);
  }
  const include = findInclude(library);
  if (include === undefined) return undefined;
  if (library) return existsSync(library) ? { include, library, linkage } : undefined;
  // Homebrew's archive needs another compiler's library for its threads; its shared library loads that itself.
  const archive = linkage === 'static' && process.platform !== 'darwin' ? findFile('libopenblas.a') : undefined;
  if (archive) return { include, library: archive, linkage: 'static' };
  const shared = findFile(process.platform === 'darwin' ? 'libopenblas.dylib' : 'libopenblas.so');
  return shared && { include, library: shared, linkage: 'dynamic' };
}

/** What the build needs and this system lacks: Debian's package of each, and what was not found. */
export function missingTools(linkage, library) {
  const needs = [
    ['g++', `the C++ compiler (${compiler()})`, () => compilerIdentity() !== ''],
    ['make', 'make', () => output('make', ['--version']) !== ''],
    ['python3', 'python3', () => output('python3', ['--version']) !== ''],
    ['libopenblas-dev', library || 'OpenBLAS', () => findOpenBlas(linkage, library) !== undefined],
  ];
  return needs.filter(([, , isThere]) => !isThere()).map(([name, what]) => ({ name, what }));
}

/** Identifies the exact linked file, so that a replaced library rebuilds the addon. */
export function openBlasIdentity({ include, library, linkage }) {
  const file = realpathSync(library);
  const { size, mtimeMs } = statSync(file);
  return [linkage, include, file, size, Math.round(mtimeMs)].join(' ');
}

// A path as gyp must read it: in quotes, which gyp removes, and with the characters escaped that a command in a makefile
// would not take literally.
function literal(path) {
  const inMakefile = path.replace(/[^\w@%+=:,./-]/g, '\\$&').replace(/\$/g, '$$$$');
  return `'${inMakefile.replace(/'/g, `'\\''`)}'`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , what, linkage, library] = process.argv;
  const found = findOpenBlas(linkage, library);
  if (!found) {
    console.error(library ? `no OpenBLAS library at ${library}` : 'OpenBLAS (cblas.h and libopenblas) was not found');
    process.exit(1);
  }
  if (what === 'include') console.log(found.include && literal(found.include));
  else console.log([literal(found.library), ...(process.platform === 'linux' ? ['-lpthread', '-lm'] : [])].join('\n'));
}
