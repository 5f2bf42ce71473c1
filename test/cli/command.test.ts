import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { backendInfo } from '../../lib/index.js';
import { blasnet, onTerminal, version } from './support.js';

describe('blasnet info', () => {
  it('says what computes here', () => {
    const { BLASNET_BINARY = '' } = process.env;
    const { status, stdout, stderr } = blasnet(['info'], { env: { BLASNET_BINARY } });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(
      `blasnet:     ${version}, Node.js ${process.versions.node}, ${process.platform}-${process.arch}\n`,
    );
    const info = backendInfo();
    expect(stdout).toMatch(new RegExp(`^backend: +${info.backend}`, 'm'));
    expect(stdout).toContain(`${info.blas.name}, ${info.blas.core}, threads: ${info.blas.threads}`);
    expect(stdout).toMatch(new RegExp(`^kernels: +${info.simd.set}`, 'm'));
    if (info.addon !== undefined) expect(stdout).toContain(info.addon);
    const { stdout: json } = blasnet(['info', '--json'], { env: { BLASNET_BINARY } });
    // What is undefined has no place in JSON.
    const expected = JSON.parse(JSON.stringify({ version, node: process.versions.node, ...info }));
    expect(JSON.parse(json)).toMatchObject(expected);
  });

  it('tells why the native backend is not used, without a warning besides', () => {
    const env = { BLASNET_BINARY: '/nowhere/blasnet.node' };
    const { status, stdout, stderr } = blasnet(['info'], { env });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^backend: +typescript, because .*\/nowhere\/blasnet\.node: no such file/m);
    expect(stdout).not.toMatch(/^addon/m);
    const { backend, reason } = JSON.parse(blasnet(['info', '--json'], { env }).stdout);
    expect(backend).toBe('typescript');
    expect(reason).toContain('/nowhere/blasnet.node: no such file');
  });
});

/** The commands that `blasnet --help` lists. */
function listedCommands(): string[] {
  const [, list] = /Commands\n((?: {2}.*\n)+)/.exec(blasnet(['--help']).stdout) as RegExpExecArray;
  return Array.from(list.matchAll(/^ {2}(\w+)/gm), ([, name]) => name);
}

describe('help', () => {
  it('--version and --help', () => {
    expect(blasnet(['--version'])).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
    const { status, stdout, stderr } = blasnet(['--help']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const word of ['show', 'info', 'build', 'completion', '--help', '--version']) expect(stdout).toContain(word);
    expect(blasnet(['-h']).stdout).toBe(stdout);
    expect(blasnet(['help']).stdout).toBe(stdout);
  });

  it('each command has a help with its options and examples, whatever else is given', () => {
    for (const name of listedCommands()) {
      const { status, stdout, stderr } = blasnet([name, '--unknown', '--help']);
      expect({ name, status, stderr }).toEqual({ name, status: 0, stderr: '' });
      expect(stdout).toMatch(new RegExp(`^Usage: blasnet ${name}\\b`));
      expect(stdout).toMatch(/^Options\n {2}--/m);
      expect(stdout).toMatch(new RegExp(`^Examples\n.*blasnet ${name}\\b`, 'm'));
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    }
    expect(blasnet(['help', 'show']).stdout).toBe(blasnet(['show', '-h']).stdout);
  });

  it('headings are bold on a terminal, unless NO_COLOR is set', () => {
    expect(onTerminal(['--help']).stdout).toContain('\x1b[1mCommands\x1b[0m');
    for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }] as Record<string, string>[])
      expect(onTerminal(['--help'], { env }).stdout).not.toContain('\x1b');
    expect(blasnet(['--help']).stdout).not.toContain('\x1b');
  });
});

describe('mistakes in the command line', () => {
  it.each([
    [[], 'expected a command'],
    [['shwo'], "unknown command 'shwo'; did you mean 'show'?"],
    [['comp'], "unknown command 'comp'; did you mean 'completion'?"],
    [[''], "unknown command ''"],
    [['xyzzy'], "unknown command 'xyzzy'"],
    [['x'.repeat(100_000)], `unknown command '${'x'.repeat(100_000)}'`],
    [['--hlep'], "unknown option '--hlep'; did you mean '--help'?"],
    [['--version', 'x'], "unexpected after --version: 'x'"],
    [['info', '--all'], "info: unknown option '--all'"],
    [['info', '-j'], "info: unknown option '-j'"],
    [['info', 'all'], "info: unexpected 'all'"],
    [['info', '--', '--help'], "info: unexpected '--help'"],
    [['info', '--json=yes'], "--json takes no value, got 'yes'"],
    [['info', '--constructor'], "info: unknown option '--constructor'"],
    [['show'], 'show: expected <model>, a network, as save and train write it'],
    [['build', '--openblas=shared'], "--openblas: expected one of static, dynamic, got 'shared'"],
    [['build', '--openblas'], '--openblas needs a value: --openblas <kind>'],
    [['build', '--openblas', '--force'], '--openblas needs a value: --openblas <kind>'],
    [
      ['predict', 'm', 'r', '--missing', '-,?'],
      '--missing needs a value: --missing <texts>, or --missing=-,? if it begins with -',
    ],
    [['build', '--forced'], "build: unknown option '--forced'; did you mean '--force'?"],
    [['build', '--json'], "build: unknown option '--json'"],
    [['completion', 'tcsh'], "completion: expected one of bash, zsh, fish, got 'tcsh'"],
    [['help', 'inof'], "unknown command 'inof'; did you mean 'info'?"],
  ])('%j: refused with exit code 2', (args, message) => {
    const { status, stdout, stderr } = blasnet(args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^blasnet: .*\nUsage: see `blasnet .*--help`\n$/);
    expect(stderr.slice('blasnet: '.length, stderr.indexOf('\n'))).toBe(message);
  });
});

describe('failures', () => {
  it('one line and exit code 1; where it was thrown with --verbose', () => {
    const { status, stdout, stderr } = blasnet(['show', 'nowhere.safetensors']);
    expect({ status, stdout, stderr }).toEqual({
      status: 1,
      stdout: '',
      stderr: 'blasnet: nowhere.safetensors: there is no such file\n',
    });
    const verbose = blasnet(['show', 'nowhere.safetensors', '--verbose']);
    expect(verbose.status).toBe(1);
    expect(verbose.stderr).toMatch(/^blasnet: BlasnetError: nowhere\.safetensors: there is no such file\n {4}at /);
    const coloured = onTerminal(['show', 'nowhere.safetensors']).stdout;
    expect(coloured).toContain('\x1b[31mblasnet:\x1b[0m nowhere.safetensors: there is no such file');
  });

  it('a reader that ends early is none', () => {
    const { status, stderr } = pipe('--help', 'true');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

/** Pipes the command's output into another program; the status is the command's. */
function pipe(args: string, reader: string) {
  const line = `node dist/cli/main.js ${args} | ${reader}; exit \${PIPESTATUS[0]}`;
  return spawnSync('bash', ['-c', line], { encoding: 'utf8' });
}
