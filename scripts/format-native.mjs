// Formats native/ with clang-format. With --check it changes nothing and fails if a file is not formatted.
import { listFiles, run } from './support.mjs';

const files = listFiles('native', ['native/build', 'native/napi']).filter((file) => /\.(cc?|h)$/.test(file));
const check = process.argv.includes('--check');
const { ok, output } = run('clang-format', [...(check ? ['--dry-run', '--Werror'] : ['-i']), ...files]);
if (output) console.error(output.trimEnd());
if (!ok) {
  if (check) console.error('run `npm run format` (it needs clang-format)');
  process.exitCode = 1;
}
