// Finds OpenBLAS for the builds. binding.gyp runs it as a command and reads its output:
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

// The compiler's command line may hold flags (CXX="ccache g++").
function compilerOutput(args, input) {
  const [command, ...flags] = compiler().split(/\s+/);
  return output(command, [...flags, ...args], input);
}

/** What the compiler says of itself, or '' when there is none. */
export function compilerIdentity() {
  return compilerOutput(['--version']).split('\n')[0];
}

// The directory to add to the include path, '' when the compiler finds cblas.h by itself, undefined when there is none.
// A library given may have its headers beside it, as installed below a prefix of its own.
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
  // The compiler answers with the bare name when its search path has no such file.
  const answer = compilerOutput([`-print-file-name=${name}`]);
  return answer.startsWith('/') && existsSync(answer) ? answer : undefined;
}

/** Where OpenBLAS is: { include, library, linkage }, or undefined when it is not installed for development. */
export function findOpenBlas(linkage = 'static', library = '') {
  if (linkage !== 'static' && linkage !== 'dynamic') {
    throw new Error(`openblas must be 'static' or 'dynamic', got '${linkage}'`);
  }
  const include = findInclude(library);
  if (include === undefined) return undefined;
  if (library) return existsSync(library) ? { include, library, linkage } : undefined;
  const archive = linkage === 'static' ? findFile('libopenblas.a') : undefined;
  if (archive) return { include, library: archive, linkage: 'static' };
  const shared = findFile(process.platform === 'darwin' ? 'libopenblas.dylib' : 'libopenblas.so');
  return shared && { include, library: shared, linkage: 'dynamic' };
}

/** Names the very file that is linked, so that an exchanged library rebuilds the addon. */
export function openBlasIdentity({ include, library, linkage }) {
  const file = realpathSync(library);
  const { size, mtimeMs } = statSync(file);
  return [linkage, include, file, size, Math.round(mtimeMs)].join(' ');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , what, linkage, library] = process.argv;
  const found = findOpenBlas(linkage, library);
  if (!found) {
    console.error(library ? `no OpenBLAS library at ${library}` : 'OpenBLAS (cblas.h and libopenblas) was not found');
    process.exit(1);
  }
  if (what === 'include') console.log(found.include);
  else console.log([found.library, ...(process.platform === 'linux' ? ['-lpthread', '-lm'] : [])].join('\n'));
}
