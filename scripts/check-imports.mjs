// Checks every import and include against the table of modules below, which docs/architecture.md explains, and rejects
// import cycles among the TypeScript files (type imports count). Prints each violation as `file:line: what`.
import { existsSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, normalize } from 'node:path/posix';
import { listFiles, root } from './support.mjs';

// A file belongs to the first module whose pattern it matches. It may import its own module and the listed ones.
const base = ['base'];
const parts = ['base', 'kernel table', 'instructions', 'parts'];
const program = [...parts, 'program'];
const backend = ['base', 'kernel table', 'instructions', 'program', 'backend interface'];
const runtime = [...program, 'backend interface', 'backend selection'];
const modules = [
  {
    name: 'base',
    files: /^lib\/(types|errors|checks|packages|random|shared-memory|numbers|system|text|timers|launcher)\.ts$/,
    imports: [],
  },
  {
    name: 'kernel table',
    files: /^lib\/kernels\/(codes|share|signature|table)\.ts$/,
    imports: [...base, 'kernel families'],
  },
  // Declarations, which the table hands on, and implementations, which are for the TypeScript backend alone.
  { name: 'kernel families', files: /^lib\/kernels\/(?!index\.ts$)/, imports: [...base, 'kernel table'] },
  { name: 'instructions', files: /^lib\/program\/instructions\.ts$/, imports: [...base, 'kernel table'] },
  { name: 'program', files: /^lib\/program\//, imports: parts },
  {
    name: 'parts',
    files: /^lib\/(graph|layers|optimizers|losses|initializers|regularizers|schedules|augmentations)(\.ts|\/.*)$/,
    imports: [...base, 'kernel table', 'instructions'],
  },
  { name: 'backend interface', files: /^lib\/backend\/backend\.ts$/, imports: program },
  { name: 'native backend', files: /^lib\/backend\/native\//, imports: backend },
  {
    name: 'typescript backend',
    files: /^lib\/backend\/typescript\//,
    imports: [...backend, 'kernel families'],
  },
  {
    name: 'backend selection',
    files: /^lib\/backend\/select\.ts$/,
    imports: [...backend, 'native backend', 'typescript backend'],
  },
  { name: 'data', files: /^lib\/data\//, imports: base },
  { name: 'tables', files: /^lib\/tables\//, imports: [...base, 'data', 'parts'] },
  { name: 'command', files: /^lib\/cli\//, imports: ['entry points', 'formats', 'tables'] },
  { name: 'formats', files: /^lib\/formats\//, imports: [...program, 'backend interface', 'data'] },
  { name: 'runtime', files: /^lib\/runtime\//, imports: runtime },
  {
    name: 'networks',
    files: /^lib\/(training|report|kernels)\/|^lib\/[^/]+\.ts$/,
    imports: [...runtime, 'runtime', 'data', 'formats', 'distributed'],
  },
  { name: 'distributed', files: /^lib\/distributed\//, imports: [...runtime, 'runtime', 'data'] },
  {
    name: 'interop',
    files: /^lib\/interop\//,
    imports: [...runtime, 'data', 'formats', 'networks'],
  },
  // A user of callbacks and pictures; nothing imports it.
  { name: 'dashboard', files: /^lib\/dashboard\//, imports: ['base', 'networks'] },
  {
    name: 'search',
    files: /^lib\/search\//,
    imports: ['base', 'data', 'formats', 'runtime', 'networks'],
  },
  { name: 'examples', files: /^examples\//, imports: ['entry points'] },
  { name: 'bench', files: /^bench\//, imports: ['entry points'] },
  { name: 'kernels', files: /^native\/kernels\//, imports: [] },
  { name: 'executor', files: /^native\/executor\//, imports: ['kernels', 'host'] },
  { name: 'host', files: /^native\/host\//, imports: ['kernels'] },
  { name: 'binding', files: /^native\/binding\//, imports: ['kernels', 'executor', 'host'] },
  { name: 'native tests', files: /^native\/(test|fuzz)\//, imports: ['kernels', 'executor', 'host'] },
];

// Headers and packages that only some files may import. Any other package needs an entry in `dependencies` or, if it is
// optional, in `peerDependencies`.
const reserved = [
  { import: /^(napi|node_api|js_native_api|node|uv|v8)\b.*\.h$/, files: /^native\/binding\// },
  { import: /^(cblas|openblas_config)\.h$/, files: /^native\/(kernels\/products\/blas|fuzz\/blas)\.cc$/ },
];
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const entryPoints = new Set(Object.keys(manifest.exports).map((path) => join(manifest.name, path)));

const violations = [];
const report = (file, line, what) => violations.push(`${file}:${line}: ${what}`);
const moduleOf = (file) => modules.find((module) => module.files.test(file));

// Replaces comments by blanks to preserve offsets. Strings are matched first, because they may contain comment markers.
function withoutComments(text) {
  const token = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  return text.replace(token, (match) => (match.startsWith('/') ? match.replace(/[^\n]/g, ' ') : match));
}

/** The imports of a TypeScript file or the includes of a C++ one: { specifier, quoted, line }. */
function importsOf(file) {
  const text = withoutComments(readFileSync(join(root, file), 'utf8'));
  const patterns = file.endsWith('.ts')
    ? [
        /^[ \t]*(?:import|export)\b(?:[^;'"()=]*?\bfrom)?\s*(['"])([^'"\n]+)['"]/gm,
        /\bimport\s*\(\s*(['"])([^'"\n]+)['"]/g,
      ]
    : [/^[ \t]*#[ \t]*include[ \t]*(["<])([^">\n]+)[">]/gm];
  return patterns.flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => ({
      quoted: match[1] !== '<',
      specifier: match[2],
      line: text.slice(0, match.index + match[0].length).split('\n').length,
    })),
  );
}

// The project file that an import refers to, or undefined for external imports.
function resolveImport(file, { specifier, quoted }) {
  if (file.endsWith('.ts')) {
    if (!specifier.startsWith('.')) return undefined;
    return normalize(join(dirname(file), specifier)).replace(/\.js$/, '.ts');
  }
  const candidates = [join(dirname(file), specifier), join('native', specifier)].map(normalize);
  return candidates.find((path) => existsSync(join(root, path))) ?? (quoted ? candidates[0] : undefined);
}

function checkOutside(file, module, { specifier, line }) {
  for (const rule of reserved) {
    if (rule.import.test(specifier) && !rule.files.test(file))
      report(file, line, `${specifier} is not for ${module.name}`);
  }
  if (!file.endsWith('.ts')) return;
  const packageName = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  if (packageName === manifest.name) {
    if (!module.imports.includes('entry points'))
      report(file, line, `${module.name} must not import the package itself`);
    else if (!entryPoints.has(specifier)) report(file, line, `${specifier} is not an entry point`);
  } else if (packageName.startsWith('node:')) {
    if (!builtinModules.includes(specifier.slice(5)))
      report(file, line, `${specifier} is not a built-in module of Node.js`);
  } else if (file.startsWith('lib/') && !(packageName in { ...manifest.dependencies, ...manifest.peerDependencies })) {
    report(file, line, `${specifier} is not among the dependencies`);
  }
}

function checkFile(file, edges) {
  const module = moduleOf(file);
  if (!module) return report(file, 1, 'belongs to no module');
  for (const found of importsOf(file)) {
    const target = resolveImport(file, found);
    if (target === undefined) {
      checkOutside(file, module, found);
      continue;
    }
    if (!existsSync(join(root, target))) {
      report(file, found.line, `${found.specifier} does not exist`);
      continue;
    }
    if (target.endsWith('.ts')) edges.push({ target, line: found.line });
    const targetModule = moduleOf(target);
    if (!targetModule) {
      report(file, found.line, `${found.specifier} is in no module`);
    } else if (targetModule !== module && !module.imports.includes(targetModule.name)) {
      report(file, found.line, `${module.name} must not import ${targetModule.name} (${target})`);
    }
  }
}

// Depth-first search; an edge to a file that is still open closes a cycle.
function checkCycles(graph) {
  const state = new Map();
  const path = [];
  const visit = (file) => {
    state.set(file, 'open');
    path.push(file);
    for (const { target, line } of graph.get(file) ?? []) {
      if (state.get(target) === 'open') {
        report(file, line, `import cycle: ${[...path.slice(path.indexOf(target)), target].join(' > ')}`);
      } else if (!state.has(target)) visit(target);
    }
    path.pop();
    state.set(file, 'done');
  };
  for (const file of graph.keys()) if (!state.has(file)) visit(file);
}

const graph = new Map();
const sources = ['lib', 'examples', 'bench', 'native']
  .flatMap((path) => listFiles(path, ['native/build', 'native/napi', 'bench/results']))
  .filter((file) => /\.(ts|cc|h|inc)$/.test(file));
for (const file of sources) {
  const edges = [];
  checkFile(file, edges);
  if (file.endsWith('.ts')) graph.set(file, edges);
}
checkCycles(graph);

for (const violation of violations) console.error(violation);
console.log(`${sources.length} files, ${violations.length} violations of the import rules`);
if (violations.length > 0 || sources.length === 0) process.exitCode = 1;
