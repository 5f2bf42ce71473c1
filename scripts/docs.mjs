// `npm run docs`: the documentation as a static site in build/docs: README.md as the start page, the pages of docs, and
// TypeDoc's reference of all entry points of package.json. It fails where a link leads nowhere. TypeDoc, with the older
// TypeScript that it needs, is installed below build/documentation on first use. The pictures of docs/tutorials.md are
// drawn if `npm run pictures` has not drawn them yet; with `-- --check` they are omitted.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { pathToFileURL } from 'node:url';
import { installOnce, listFiles, readIfPresent, root } from './support.mjs';

const tools = 'build/documentation';
const target = 'build/docs';

const pictures = 'docs/pictures';
/** Whether a text tells of a picture that has not been drawn. */
const isAbsentPicture = (text) => !existsSync(join(root, pictures)) && /\bpictures\/[\w/.-]+\.svg/.test(text);

/** The pages by their group in the navigation. README.md names the guides in the order in which one would read them. */
function listPages() {
  const readme = readIfPresent('README.md');
  const listed = Array.from(readme.slice(readme.indexOf('\n## Documentation')).matchAll(/\]\((docs\/[\w-]+\.md)/g));
  const markdown = (folder) => listFiles(folder).filter((path) => path.endsWith('.md'));
  const guides = markdown('docs').filter((path) => dirname(path) === 'docs');
  return {
    Guides: [...new Set([...listed.map(([, path]) => path), ...guides])],
    Examples: markdown('examples'),
    Project: ['CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', ...markdown('bench/results')],
    Decisions: markdown('docs/decisions'),
  };
}

/** The public modules: their sources by the names that programs import. */
function listModules() {
  const { exports, name } = JSON.parse(readIfPresent('package.json'));
  const modules = Object.entries(exports).filter(([, { types }]) => types !== undefined);
  return new Map(
    modules.map(([path, { types }]) => [
      types.require.replace(/^\.\/dist\/types\/(.*)\.d\.ts$/, 'lib/$1.ts'),
      path.replace('.', name),
    ]),
  );
}

async function build() {
  const file = pathToFileURL(join(root, tools, 'node_modules/typedoc/dist/index.js')).href;
  const { Application, Converter, LogLevel, PageEvent, ReflectionKind } = await import(file);
  const pages = listPages();
  const modules = listModules();
  const application = await Application.bootstrap({
    name: 'blasnet',
    entryPoints: [...modules.keys()],
    tsconfig: 'tsconfig.json',
    readme: 'README.md',
    projectDocuments: Object.values(pages).flat(),
    out: target,
    customCss: 'scripts/docs/site.css',
    favicon: 'scripts/docs/icon.svg',
    highlightLanguages: ['ts', 'js', 'sh', 'json', 'html', 'python', 'dockerfile', 'cpp', 'yaml', 'csv'],
    // Only the compiler of the project checks types.
    skipErrorChecking: true,
    disableSources: true,
    githubPages: false,
    hideGenerator: true,
    sort: ['alphabetical'],
    sortEntryPoints: false,
    groupOrder: [...Object.keys(pages), '*'],
    navigation: { includeGroups: true, includeFolders: false },
    validation: { invalidLink: true, notExported: false, rewrittenLink: true },
  });

  // Titles are the pages' own, not their paths.
  application.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_, page) => {
    const path = `${page.name}.md`;
    page.frontmatter.group = Object.keys(pages).find((group) => pages[group].includes(path));
    page.name = /^# (.*)$/m.exec(readIfPresent(path))[1].replaceAll('`', '');
  });
  application.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.getReflectionsByKind(ReflectionKind.Module)) {
      const source = [...modules.keys()].find(
        (path) => path.replace(/^lib\/(.*?)(\/index)?\.ts$/, '$1') === module.name,
      );
      if (source !== undefined) module.name = modules.get(source);
    }
    // The page's header has the title.
    const [first] = project.readme;
    first.text = first.text.replace(/^# .*\n+/, '');
  });

  // The start page's address is that of a folder, which only a server completes.
  application.renderer.on(PageEvent.END, (page) => {
    page.contents = page.contents?.replaceAll(/(href="(?:\.\.?\/)+)(#[^"]*)?"/g, '$1index.html$2"');
  });
  let problems = 0;
  const log = application.logger.log.bind(application.logger);
  application.logger.log = (message, level) => {
    if (isAbsentPicture(message)) return;
    if (level >= LogLevel.Warn) problems++;
    log(message, level);
  };

  rmSync(join(root, target), { recursive: true, force: true });
  const project = await application.convert();
  if (project === undefined) throw new Error('TypeDoc could not read the sources');
  application.validate(project);
  await application.generateOutputs(project);
  return problems;
}

/** Links of the site's pages that lead nowhere, and what a page would load from elsewhere. */
function checkLinks() {
  const files = new Set(listFiles(target));
  const pages = new Map();
  for (const path of files) if (path.endsWith('.html')) pages.set(path, readFileSync(join(root, path), 'utf8'));
  const ids = new Map();
  for (const [path, text] of pages)
    ids.set(path, new Set(Array.from(text.matchAll(/\bid="([^"]*)"/g), ([, id]) => id)));
  const broken = new Set();
  let links = 0;
  for (const [path, text] of pages) {
    for (const [, tag, attribute, link] of text.matchAll(/<(\w+)\b[^>]*?\b(href|src)="([^"]*)"/g)) {
      links++;
      if (/^[a-z]+:/.test(link)) {
        if (tag !== 'a' && !link.startsWith('data:')) broken.add(`${path}: loads ${link}`);
        continue;
      }
      const [, address, anchor] = /^([^#?]*)(?:\?[^#]*)?(?:#(.*))?$/.exec(link.replaceAll('&amp;', '&'));
      const found = address === '' ? path : normalize(join(dirname(path), decodeURI(address))).replaceAll('\\', '/');
      const known = files.has(found) && (!anchor || !ids.has(found) || ids.get(found).has(decodeURIComponent(anchor)));
      if (!known && !isAbsentPicture(link)) broken.add(`${path}: ${attribute} ${link}`);
    }
  }
  console.log(`${pages.size} pages, ${links} links, ${broken.size} of them broken`);
  for (const each of broken) console.error(each);
  return broken.size;
}

process.chdir(root);
if (!installOnce('scripts/docs', tools)) process.exit(1);
const check = process.argv.includes('--check');
if (!check && !existsSync(join(root, pictures))) {
  if (spawnSync(process.execPath, ['scripts/pictures.mjs'], { stdio: 'inherit' }).status !== 0) process.exit(1);
}
const problems = await build();
const broken = checkLinks();
if (problems > 0 || broken > 0) process.exitCode = 1;
else console.log(`the documentation is in ${target}/index.html`);
