import { linkSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dense, meanSquaredError, Network } from '../../lib/index.js';
import { encoder, Table } from '../../lib/tables/index.js';
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
