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

/**
 * Compiles all blocks of TypeScript of a page of `docs`, which must be modules, against the built package, as users'
 * compilers do. Within the package's own folder `blasnet` means its built files.
 */
export function compilePage(page: string): PageProgram[] {
  const text = readFileSync(projectFile(`docs/${page}.md`), 'utf8');
  const folder = projectFile(`build/pages/${page}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const programs: PageProgram[] = [];
  let heading = '';
  for (const [, title, code] of text.matchAll(/^#+ (.*)$|^```ts\n([\s\S]*?)^```$/gm)) {
    if (title !== undefined) heading = title;
    if (code === undefined) continue;
    const name = `${folder}/${programs.length}`;
    writeFileSync(`${name}.ts`, code);
    programs.push({ heading, file: `${name}.js` });
  }
  const options = {
    compilerOptions: {
      target: 'es2022',
      lib: ['es2023', 'esnext.disposable'],
      module: 'nodenext',
      strict: true,
      noUnusedLocals: true,
      skipLibCheck: true,
      types: ['node'],
      rootDir: '.',
    },
    include: ['*.ts'],
  };
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify(options));
  const compiler = projectFile('node_modules/typescript/bin/tsc');
  try {
    execFileSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8' });
  } catch (error) {
    throw new Error(`docs/${page}.md does not compile:\n${(error as { stdout: string }).stdout}`);
  }
  return programs;
}
