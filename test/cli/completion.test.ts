import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { blasnet } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'blasnet-completion-'));
afterAll(() => rmSync(folder, { recursive: true }));

const installed = (shell: string) => spawnSync(shell, ['-c', 'true']).error === undefined;

function script(shell: string): string {
  const { status, stdout, stderr } = blasnet(['completion', shell]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const file = join(folder, `blasnet.${shell}`);
  writeFileSync(file, stdout);
  return file;
}

/** What bash offers for the last of these words. */
function complete(words: readonly string[]): string[] {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
  const line = 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _blasnet; printf "%s\\n" "${COMPREPLY[@]}"';
  const run = spawnSync('bash', ['-c', line, script('bash'), 'blasnet', ...words], { encoding: 'utf8', cwd: folder });
  expect(run.stderr).toBe('');
  return run.stdout.split('\n').filter((word) => word !== '');
}

describe.skipIf(!installed('bash'))('completion in bash (where bash is installed)', () => {
  it.each([
    [['sh'], ['show']],
    [['--v'], ['--version']],
    [['show', '--l'], ['--listing']],
    [
      ['build', '--openblas', ''],
      ['static', 'dynamic'],
    ],
    [['build', '--f'], ['--force']],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['help', 'inf'], ['info']],
    [['show', 'a-mod'], ['a-model.safetensors']],
    [['build', '--openblas-lib', 'a-'], ['a-model.safetensors']],
    [['info', ''], []],
  ])('%j', (words, expected) => {
    writeFileSync(join(folder, 'a-model.safetensors'), '');
    expect(complete(words)).toEqual(expected);
  });
});

describe.skipIf(!installed('zsh'))('completion in zsh (where zsh is installed)', () => {
  it('the script is valid', () => {
    const run = spawnSync(
      'zsh',
      ['-f', '-c', 'autoload -U compinit; compinit -D; source "$0"; type _blasnet', script('zsh')],
      {
        encoding: 'utf8',
      },
    );
    expect({ status: run.status, stderr: run.stderr }).toEqual({ status: 0, stderr: '' });
    expect(run.stdout).toContain('_blasnet is a shell function');
  });
});

describe.skipIf(!installed('fish'))('completion in fish (where fish is installed)', () => {
  it.each([
    ['blasnet sh', ['show']],
    ['blasnet show --li', ['--listing']],
    ['blasnet build --openblas ', ['dynamic', 'static']],
    ['blasnet help inf', ['info']],
  ])('%s', (line, expected) => {
    const run = spawnSync('fish', ['-N', '-c', 'source $argv[1]; complete -C $argv[2]', script('fish'), line], {
      encoding: 'utf8',
      env: { ...process.env, HOME: folder },
    });
    expect(run.stderr).toBe('');
    expect(
      run.stdout
        .trim()
        .split('\n')
        .map((text) => text.split('\t')[0]),
    ).toEqual(expected);
  });
});
