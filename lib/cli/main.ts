#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { backendInfo } from 'blasnet';
import { native } from 'blasnet/kernels';

const { version } = createRequire(import.meta.url)('blasnet/package.json') as { version: string };

const help = `Usage: blasnet <command>

  info            what computes here: backend, kernels, BLAS, and the file of the native addon
  build [--force] [--openblas=static|dynamic] [--openblas-lib=<path>]
                  builds the native addon from source; it is preferred to the one that came with the package.
                  Needs g++, make, python3 and OpenBLAS (Debian: apt-get install g++ make python3 libopenblas-dev)
  --help          this text
  --version       blasnet's version`;

/** The lines of `info`: pairs of a heading and its text. */
function describe(): string {
  const info = backendInfo(native.available ? 'native' : 'typescript');
  const reason = native.available ? '' : native.reason;
  const lines: [string, string][] = [
    ['blasnet', `${version}, Node.js ${process.versions.node}, ${process.platform}-${process.arch}`],
    ['backend', reason === '' ? info.backend : `${info.backend}, because ${reason}`],
    ['threads', `${info.threads}: ${info.threadsReason}`],
    ['CPU', info.cpuFeatures.join(' ')],
    ['kernels', `${info.simd.set}: ${info.simd.reason} (available: ${info.simd.available.join(', ')})`],
    ['BLAS', `${info.blas.name}, ${info.blas.core}, threads: ${info.blas.threads} (${info.blas.config})`],
    ['addon', info.addon ?? ''],
    ...info.passedOver.map((failure): [string, string] => ['passed over', failure]),
  ];
  return lines
    .filter(([, text]) => text !== '')
    .map(([heading, text]) => `${`${heading}:`.padEnd(13)}${text}`)
    .join('\n');
}

function build(options: readonly string[]): number {
  const script = fileURLToPath(new URL('../../scripts/build-addon.mjs', import.meta.url));
  const { status, error } = spawnSync(process.execPath, [script, '--strict', ...options], { stdio: 'inherit' });
  if (error !== undefined) throw error;
  return status ?? 1;
}

function refuse(message: string): number {
  console.error(`blasnet: ${message}\n\n${help}`);
  return 2;
}

function main([command, ...rest]: readonly string[]): number {
  const unknown = rest.find(
    (word) => command !== 'build' || !/^--(force|openblas=(static|dynamic)|openblas-lib=.+)$/.test(word),
  );
  if (unknown !== undefined) return refuse(`unexpected after ${command}: '${unknown}'`);
  switch (command) {
    case 'info':
      console.log(describe());
      return 0;
    case 'build':
      return build(rest);
    case '--help':
      console.log(help);
      return 0;
    case '--version':
      console.log(version);
      return 0;
    case undefined:
      return refuse('expected a command');
    default:
      return refuse(`unknown command '${command}'`);
  }
}

process.exitCode = main(process.argv.slice(2));
