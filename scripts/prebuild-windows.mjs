// Builds prebuilds/win32-x64/node.node on Linux, with the compiler of MinGW-w64 (Debian: g++-mingw-w64-x86-64-posix) and
// CMake, and build/windows/blasnet_tests.exe with it. OpenBLAS is compiled from its source first, once.
//   node scripts/prebuild-windows.mjs
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { dirname, join } from 'node:path';
import { root, run } from './support.mjs';

const prefix = 'x86_64-w64-mingw32';
const build = join(root, 'build/windows');
const jobs = `-j${os.availableParallelism()}`;

function must(command, args, options = {}) {
  const { ok, output } = run(command, args, options);
  if (!ok) {
    throw new Error(`\`${[command, ...args].join(' ')}\` failed:\n${output.trimEnd().split('\n').slice(-40).join('\n')}`);
  }
  return output;
}
