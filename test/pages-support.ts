import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { projectFile } from './lifecycle/child.js';

/** A program of a page: a block of TypeScript that is a module of its own. */
export interface PageProgram {
  /** The nearest heading above it. */
  readonly heading: string;
  /** The compiled file. */
  readonly file: string;
}

/** The blocks of TypeScript of a page of `docs`, each with the nearest heading above it. */
export function blocksOf(page: string): { heading: string; code: string }[] {
  const text = readFileSync(projectFile(`docs/${page}.md`), 'utf8');
  const blocks: { heading: string; code: string }[] = [];
  let heading = '';
  for (const [, title, code] of text.matchAll(/^#+ (.*)$|^```ts\n([\s\S]*?)^```$/gm)) {
    if (title !== undefined) heading = title;
    if (code !== undefined) blocks.push({ heading, code });
  }
  return blocks;
}

/**
 * Compiles modules, in one run, against the built package, as users' compilers do. Within the package's own folder
 * `blasnet` means its built files. Returns the compiled files.
 *
 * @param name what they are, for the folder and the error
 * @param modules the texts
 * @param options of the compiler, further ones
 */
export function compileModules(name: string, modules: readonly string[], options: object = {}): string[] {
  const folder = projectFile(`build/pages/${name}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [i, code] of modules.entries()) writeFileSync(`${folder}/${i}.ts`, code);
  const configuration = {
    compilerOptions: {
      target: 'es2022',
      lib: ['es2023', 'esnext.disposable'],
      module: 'nodenext',
      strict: true,
      noUnusedLocals: true,
      skipLibCheck: true,
      types: ['node'],
      rootDir: '.',
      ...options,
    },
    include: ['*.ts'],
  };
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify(configuration));
  const compiler = projectFile('node_modules/typescript/bin/tsc');
  try {
    execFileSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8' });
  } catch (error) {
    throw new Error(`the code of ${name} does not compile:\n${(error as { stdout: string }).stdout}`);
  }
  return modules.map((_, i) => `${folder}/${i}.js`);
}

/** Compiles all blocks of TypeScript of a page of `docs`, which must be modules. */
export function compilePage(page: string): PageProgram[] {
  const blocks = blocksOf(page);
  const modules = blocks.map(({ code }) => code);
  return compileModules(page, modules).map((file, i) => ({ heading: blocks[i].heading, file }));
}
