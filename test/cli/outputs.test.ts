import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dense, meanSquaredError, Network, softmaxCrossEntropy } from '../../lib/index.js';
import { encoder, predictRows, readCsv, Table } from '../../lib/tables/index.js';
import { blasnet, withSmallFiles } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'blasnet-outputs-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string) => join(folder, name);
const run = (line: string) => blasnet(line.split(' '), { cwd: folder });

beforeAll(async () => {
  writeFileSync(file('e.csv'), 'a,y\n1,2\n3,4\n5,7\n');
  const rows = [
    { a: 1, y: 2 },
    { a: 3, y: 4 },
  ];
  const fitted = encoder({ target: 'y' }).fit(Table.from(rows));
  const network = new Network<string>({ input: [1], layers: [dense(1)], loss: meanSquaredError() });
  network.encoder = fitted;
  await network.save(file('m.st'));
  for (const name of ['o.onnx', 'weights.bin']) writeFileSync(file(name), 'no model');
  writeFileSync(file('model.json'), JSON.stringify({ weightsManifest: [{ paths: ['weights.bin'], weights: [] }] }));
  symlinkSync('e.csv', file('soft.csv'));
  linkSync(file('e.csv'), file('hard.csv'));
  symlinkSync('.', file('here'));
});

describe('an output that is another file of the command is refused before any work', () => {
  it.each([
    ['train e.csv --target y --out e.csv', '--out e.csv and <data> e.csv'],
    ['train e.csv --target y --out ./soft.csv', '--out ./soft.csv and <data> e.csv'],
    ['train e.csv --target y --out hard.csv', '--out hard.csv and <data> e.csv'],
    ['train e.csv --target y --out new.st --report e.csv', '--report e.csv and <data> e.csv'],
    ['train e.csv --target y --out both --report both', '--report both and --out both'],
    ['train e.csv --target y --out both --report here/./both', '--report here/./both and --out both'],
    ['predict m.st e.csv --out e.csv', '--out e.csv and <rows> e.csv'],
    ['predict m.st e.csv --out m.st', '--out m.st and <model> m.st'],
    ['export m.st --onnx ./m.st', '--onnx ./m.st and <model> m.st'],
    ['export m.st --onnx web/model.json --tfjs web', '--tfjs: model.json: web/model.json and --onnx web/model.json'],
    ['import o.onnx --out o.onnx', '--out o.onnx and <model> o.onnx'],
    ['import model.json --out model.json', '--out model.json and <model> model.json'],
    ['import model.json --out weights.bin', "--out weights.bin and the model's weights weights.bin: weights.bin"],
  ])('%s', (line, both) => {
    const names = ['e.csv', 'm.st', 'o.onnx', 'model.json', 'weights.bin'];
    const before = names.map((name) => readFileSync(file(name)));
    const { status, stdout, stderr } = run(line);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(`${both} are the same file`);
    expect(names.map((name) => readFileSync(file(name)))).toEqual(before);
  });

  it('two outputs are one file through a link to where there is none yet', () => {
    symlinkSync('both.st', file('link.st'));
    const { status, stderr } = run('train e.csv --target y --out link.st --report both.st');
    expect({ status, stderr }).toMatchObject({ status: 2, stderr: expect.stringContaining('are the same file') });
  });

  it('an output may replace another file', () => {
    writeFileSync(file('p.csv'), 'old');
    expect(run('predict m.st e.csv --out p.csv')).toMatchObject({ status: 0 });
    expect(readFileSync(file('p.csv'), 'utf8').split('\n')).toHaveLength(5);
  });
});

it('a column can not be the target and be dropped', () => {
  const { status, stderr } = run('train e.csv --target y --drop a,y --out n.st');
  expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining('--drop: y is the target') });
});

it.skipIf(process.platform === 'win32')('predictions that can not be written leave the old ones', () => {
  writeFileSync(file('big.csv'), `a\n${'1.5\n'.repeat(2000)}`);
  writeFileSync(file('old.csv'), 'old\n');
  const { status, stderr } = withSmallFiles(8, 'predict m.st big.csv --out old.csv'.split(' '), folder);
  expect(status, stderr).toBe(1);
  expect(stderr).toMatch(/old\.csv: .*EFBIG/);
  expect(readFileSync(file('old.csv'), 'utf8')).toBe('old\n');
});

describe('an output that can not be written is found before any work', () => {
  it.each([
    ['train e.csv --target y --out new/', 'new/: it cannot be written (it names a directory)'],
    ['train e.csv --target y --out n.st --report rep/', 'rep/: it cannot be written (it names a directory)'],
    ['train e.csv --target y --out n.st --search 2 --search-log l/', 'l/: it cannot be written (it names a directory)'],
    ['train e.csv --target y --out e.csv/n.st', 'e.csv/n.st: it cannot be written (ENOTDIR'],
    ['train e.csv --target y --out n.st --report none/r.html', 'none/r.html: there is no such folder'],
    ['train e.csv --target y --out n.st --report .', '.: it cannot be written (it is a directory, not a regular file)'],
    [`train e.csv --target y --out ${'n'.repeat(300)}`, 'it cannot be written (ENAMETOOLONG'],
    ['predict m.st e.csv --out pr/', 'pr/: it cannot be written (it names a directory)'],
    ['predict m.st e.csv --out e.csv/p.csv', 'e.csv/p.csv: it cannot be written (ENOTDIR'],
    ['import o.onnx --out e.csv/o.st', 'e.csv/o.st: it cannot be written (ENOTDIR'],
  ])('%s', (line, message) => {
    const before = readdirSync(folder);
    const { status, stdout, stderr } = run(line);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(readdirSync(folder)).toEqual(before);
  });

  it.skipIf(process.getuid?.() !== 0)("another user's file in a folder with the sticky bit", () => {
    const shared = file('shared');
    mkdirSync(shared);
    chmodSync(folder, 0o755);
    chmodSync(shared, 0o1777);
    for (const name of ['n.st', 'own.csv']) writeFileSync(join(shared, name), 'old');
    const user = 65_534;
    chownSync(join(shared, 'own.csv'), user, user);
    const args = (out: string) => ['predict', file('m.st'), file('e.csv'), '--out', join(shared, out)];
    const { status, stderr } = blasnet(args('n.st'), { cwd: folder, uid: user });
    expect(status, stderr).toBe(1);
    expect(stderr).toContain("n.st: it cannot be written (it is another user's, in a directory with the sticky bit)");
    for (const name of ['own.csv', 'new.csv'])
      expect(blasnet(args(name), { cwd: folder, uid: user })).toMatchObject({ status: 0 });
    expect(readdirSync(shared).sort()).toEqual(['n.st', 'new.csv', 'own.csv']);
  });
});

it('predict writes where a dangling link leads', () => {
  mkdirSync(file('there'));
  symlinkSync('there/p.csv', file('link.csv'));
  expect(run('predict m.st e.csv --out link.csv')).toMatchObject({ status: 0 });
  expect(lstatSync(file('link.csv')).isSymbolicLink()).toBe(true);
  expect(readFileSync(file('there/p.csv'), 'utf8').split('\n')).toHaveLength(5);
});

it.skipIf(!existsSync('/dev/full'))('a standard output that is full is an error in one line', () => {
  const full = openSync('/dev/full', 'w');
  for (const args of [['--help'], ['predict', 'm.st', 'e.csv'], ['predict', 'm.st', 'e.csv', '--json']]) {
    const { status, stderr } = blasnet(args, { cwd: folder, stdio: ['ignore', full, 'pipe'] });
    expect({ args, status, stderr }).toEqual({
      args,
      status: 1,
      stderr: expect.stringMatching(/^blasnet: standard output: ENOSPC: .*\n$/),
    });
  }
});

it.skipIf(process.getuid?.() !== 0)('build without the permission to write says so in a line', () => {
  const { status, stdout, stderr } = blasnet(['build'], { cwd: folder, uid: 65_534 });
  expect(status).toBe(1);
  const text = stdout + stderr;
  expect(text).toMatch(/the native backend was not built: .*addon\.lock can't be written \(EACCES\)/);
  expect(text).not.toMatch(/^ +at /m);
});

describe('predictions for many labels', () => {
  const labels = Array.from({ length: 1000 }, (_, i) => `l;|;${i}`);

  beforeAll(async () => {
    const fitted = encoder({ target: 'y' }).fit(Table.from(labels.map((y, a) => ({ a, y }))));
    const network = new Network<string>({ input: [1], layers: [dense(1000)], loss: softmaxCrossEntropy() });
    network.encoder = fitted;
    await network.save(file('many.st'));
    writeFileSync(file('many.csv'), `a\n${Array.from({ length: 1500 }, (_, i) => i).join('\n')}\n`);
    writeFileSync(file('few.csv'), 'a\n1\n2\n3\n');
    writeFileSync(file('none.csv'), 'a\n');
  });

  it('take little memory', () => {
    const env = { NODE_OPTIONS: '--max-old-space-size=80' };
    const { status, stderr } = blasnet('predict many.st many.csv --out many.p.csv'.split(' '), { env, cwd: folder });
    expect({ status, stderr }).toEqual({ status: 0, stderr: 'many.p.csv: 1500 predictions of y\n' });
    expect(readFileSync(file('many.p.csv'), 'utf8').split('\n')).toHaveLength(1502);
    const written = openSync(file('many.json'), 'w');
    const args = 'predict many.st many.csv --json'.split(' ');
    expect(blasnet(args, { env, cwd: folder, stdio: ['ignore', written, 'pipe'] })).toMatchObject({ status: 0 });
    const all = JSON.parse(readFileSync(file('many.json'), 'utf8'));
    expect(all).toHaveLength(1500);
    const lines = readFileSync(file('many.p.csv'), 'utf8').split('\n');
    expect(lines[1500].startsWith(`"${all[1499].label}",`)).toBe(true);
  });

  it('are JSON as a whole, also none', async () => {
    const network = await Network.load<string>(file('many.st'));
    const expected = predictRows(network, [{ a: 1 }, { a: 2 }, { a: 3 }]);
    expect(run('predict many.st few.csv --json').stdout).toBe(`${JSON.stringify(expected, undefined, 2)}\n`);
    expect(run('predict many.st none.csv --json')).toMatchObject({ status: 0, stdout: '[]\n' });
  });

  it('can be read again, whatever their labels', async () => {
    expect(run('predict many.st few.csv --out few.p.csv')).toMatchObject({ status: 0 });
    const { names, length } = await readCsv(file('few.p.csv'));
    expect(names).toEqual(['y', ...[...labels].sort().map((label) => `y=${label}`)]);
    expect(length).toBe(3);
  });
});

describe('an option that is given twice', () => {
  it.each([
    ['train e.csv --target y --out n.st --drop id --drop c', '--drop is given more than once: several values are'],
    ['train e.csv --target y --out n.st --layers 8 --layers 4', 'separated by commas, as in --layers 64,32'],
    ['train e.csv --target y --out n.st --seed 1 --seed=2', '--seed is given more than once\n'],
    ['predict m.st e.csv --json --json', '--json is given more than once\n'],
  ])('%s', (line, message) => {
    const { status, stdout, stderr } = run(line);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toContain(message);
  });
});
