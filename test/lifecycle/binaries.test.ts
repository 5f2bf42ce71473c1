import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadAddon } from '../../lib/backend/native/addon.js';
import { candidates, libcOf, prebuiltFile, unavailable } from '../../lib/backend/native/binaries.js';
import { tableHash } from '../../lib/kernels/table.js';
import { describeNative } from '../api/support.js';
import { addonFile, instrumented } from './child.js';

const fail = () => {
  throw new Error('the report is not needed');
};
const line = (path: string) => `7f0000000000-7f0000001000 r-xp 00000000 fe:00 1234                       ${path}\n`;

describe('the C library of the process', () => {
  it.each([
    ['glibc', '/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2'],
    ['glibc', '/lib/ld-linux-aarch64.so.1'],
    ['glibc', '/usr/lib64/libc.so.6'],
    ['glibc', '/usr/lib64/ld-2.28.so'],
    ['glibc', '/usr/lib64/libc-2.28.so'],
    ['musl', '/lib/ld-musl-x86_64.so.1'],
    ['musl', '/lib/ld-musl-aarch64.so.1'],
  ])('%s: %s', (libc, file) => {
    expect(libcOf(line('/usr/bin/node') + line(file) + line('[stack]'), fail)).toBe(libc);
  });

  it('is musl where a layer for glibc programs is loaded as well', () => {
    expect(libcOf(line('/lib/ld-linux-x86-64.so.2') + line('/lib/ld-musl-x86_64.so.1'), fail)).toBe('musl');
  });

  it('is what the report says where the files do not tell', () => {
    for (const maps of [undefined, '', line('/usr/bin/node'), line('/data/ld-linuxes.so/../libcrypto.so.3')]) {
      expect(libcOf(maps, () => true)).toBe('glibc');
      expect(libcOf(maps, () => false)).toBe('musl');
    }
  });
});

describe('the files to try', () => {
  it('the one built from source before the one that came with the package', () => {
    const root = join('somewhere', 'blasnet');
    expect(candidates(root, '')).toEqual([join(root, 'build/Release/blasnet.node'), join(root, prebuiltFile())]);
  });

  it('only BLASNET_BINARY where that is set', () => {
    expect(candidates('somewhere', 'other.node')).toEqual(['other.node']);
  });

  it('the prebuilt one is named by platform, architecture and C library', () => {
    const libc = process.platform === 'linux' ? '\\.(glibc|musl)' : '';
    expect(prebuiltFile()).toMatch(new RegExp(`^prebuilds.${process.platform}-${process.arch}.node${libc}\\.node$`));
  });
});

describeNative('the addon that is loaded', () => {
  it.skipIf(instrumented)(
    'comes with what is preferred to it and broken; a place where nothing was built is not told of',
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'blasnet-'));
      const [built, prebuilt] = candidates(folder, '');
      for (const file of [built, prebuilt]) mkdirSync(dirname(file), { recursive: true });
      try {
        copyFileSync(addonFile, prebuilt);
        expect(loadAddon(tableHash, folder)).toMatchObject({ path: prebuilt, failures: [] });
        writeFileSync(built, 'not a library');
        const { path, failures } = loadAddon(tableHash, folder);
        expect(path).toBe(prebuilt);
        expect(failures).toEqual([expect.stringContaining(`${built}: `)]);
        rmSync(prebuilt);
        expect(() => loadAddon(tableHash, folder)).toThrow(`${prebuilt}: no such file`);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});

describe('the error', () => {
  it('lists the failures and the command that builds, in a clone and in an installed package', () => {
    const root = mkdtempSync(join(tmpdir(), 'blasnet-'));
    try {
      const installed = unavailable(root, ['a.node: no such file', 'b.node: broken'], 'linux');
      expect(installed).toContain('(a.node: no such file; b.node: broken)');
      expect(installed).toContain('`npx blasnet build`');
      expect(installed).toContain('apt-get install');
      expect(unavailable(root, [], 'darwin')).toMatch(/`npx blasnet build`; .*brew install openblas/);
      expect(unavailable(root, ['a.node: broken'], 'win32')).toMatch(
        /\(a\.node: broken\)\. On Windows it is not built/,
      );
      mkdirSync(join(root, 'lib'));
      expect(unavailable(root, [], 'linux')).toContain(`\`npm run build:addon\` in ${root}`);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});
