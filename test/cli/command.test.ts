import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { backendInfo } from '../../lib/index.js';
import { environment, projectFile } from '../lifecycle/child.js';

const { version, bin } = JSON.parse(readFileSync(projectFile('package.json'), 'utf8'));

function blasnet(args: string[], env: Record<string, string> = {}) {
  const program = projectFile(bin.blasnet);
  if (!existsSync(program)) throw new Error(`${program} is missing: run \`node scripts/setup.mjs\` first`);
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    env: environment(env),
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

describe('blasnet info', () => {
  it('says what computes here', () => {
    const { BLASNET_BINARY = '' } = process.env;
    const { status, stdout, stderr } = blasnet(['info'], { BLASNET_BINARY });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(
      `blasnet:     ${version}, Node.js ${process.versions.node}, ${process.platform}-${process.arch}\n`,
    );
    const info = backendInfo();
    expect(stdout).toMatch(new RegExp(`^backend: +${info.backend}`, 'm'));
    expect(stdout).toContain(`${info.blas.name}, ${info.blas.core}, threads: ${info.blas.threads}`);
    expect(stdout).toMatch(new RegExp(`^kernels: +${info.simd.set}`, 'm'));
    if (info.addon !== undefined) expect(stdout).toContain(info.addon);
  });

  it('tells why the native backend is not used, without a warning besides', () => {
    const { status, stdout, stderr } = blasnet(['info'], { BLASNET_BINARY: '/nowhere/blasnet.node' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^backend: +typescript, because .*\/nowhere\/blasnet\.node: no such file/m);
    expect(stdout).not.toMatch(/^addon/m);
  });
});

describe('the blasnet command', () => {
  it('--version and --help', () => {
    expect(blasnet(['--version'])).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
    const { status, stdout, stderr } = blasnet(['--help']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const word of ['info', 'build', '--force', '--openblas', '--help', '--version'])
      expect(stdout).toContain(word);
  });

  it.each([
    [[], 'expected a command'],
    [['train'], "unknown command 'train'"],
    [['--hlep'], "unknown command '--hlep'"],
    [['info', '--all'], "unexpected after info: '--all'"],
    [['--version', 'x'], "unexpected after --version: 'x'"],
    [['build', '--openblas=shared'], "unexpected after build: '--openblas=shared'"],
    [['build', '--forced'], "unexpected after build: '--forced'"],
  ])('%j: refused with status 2', (args, message) => {
    const { status, stdout, stderr } = blasnet(args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(`blasnet: ${message}\n`);
    expect(stderr).toContain('Usage');
  });
});
