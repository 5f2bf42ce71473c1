import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dense, Network, softmaxCrossEntropy } from '../../lib/index.js';
import { encoder, Table } from '../../lib/tables/index.js';
import { blasnet } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'blasnet-fields-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string) => join(folder, name);
const run = (line: string) => blasnet(line.split(' '), { cwd: folder });
const lines = (count: number, line: (i: number) => string) => Array.from({ length: count }, (_, i) => `${line(i)}\n`);

describe('CSV with a decimal comma', () => {
  beforeAll(() => {
    // y = 1000 + x / 10, written as in 1.000,1; all different.
    const number = (i: number) => `1.${String(Math.floor(i / 10)).padStart(3, '0')},${i % 10}`;
    writeFileSync(file('comma.csv'), ['x;y\n', ...lines(100, (i) => `${i};${number(i)}`)].join(''));
  });

  it('train says which option reads it, instead of taking the numbers for labels', () => {
    const { status, stdout, stderr } = run('train comma.csv --target y --out comma.st');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/labels of y too rare.*such as '1\.00\d,\d'.*--decimal ,\n$/);
  });

  it('train, predict and evaluate read it with --decimal and --delimiter', () => {
    const trained = run('train comma.csv --target y --out comma.st --epochs 3 --decimal , --delimiter ; --json');
    expect(trained.stderr).toBe('');
    const rows = { train: 60, validation: 20, test: 20 };
    expect(JSON.parse(trained.stdout)).toMatchObject({ task: 'regression', rows });
    const predicted = run('predict comma.st comma.csv --decimal , --delimiter ;').stdout.trim().split('\n');
    expect(predicted).toHaveLength(101);
    const errors = predicted.slice(1).map((value, i) => Math.abs(Number(value) - 1000 - i / 10));
    const evaluated = JSON.parse(run('evaluate comma.st comma.csv --decimal , --json').stdout);
    expect(evaluated.mae).toBeCloseTo(
      errors.reduce((sum, error) => sum + error / 100, 0),
      8,
    );
  });

  it.each([
    ['--decimal x', "--decimal: expected '.' or ','"],
    ['--delimiter ab', '--delimiter: expected a character'],
  ])('train %s is a mistake', (options, message) => {
    const { status, stderr } = run(`train comma.csv --target y --out comma.st ${options}`);
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(message) });
  });

  it('the options are for CSV', () => {
    writeFileSync(file('rows.jsonl'), '{"x":1,"y":2}\n');
    const { status, stderr } = run('train rows.jsonl --target y --out comma.st --delimiter tab');
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining('--delimiter is for CSV') });
  });
});

it.each([
  [
    'labels of which hardly one recurs',
    lines(40, (i) => `${i},name ${i}`),
    '',
    /too rare.*such as 'name \d+'; if it should/,
  ],
  [
    'labels of which most are rare',
    lines(60, (i) => `${i},${i % 6 ? `name ${i}` : 'often'}`),
    '',
    /most rows.*'name \d+'/,
  ],
  ['a table that is too small', ['1,2\n', '3,4\n'], ' --task regression', /no row remains for validation/],
])('train refuses %s, unless no part is held out', (_, rows, options, message) => {
  writeFileSync(file('few.csv'), ['x,y\n', ...rows].join(''));
  const line = `train few.csv --target y --out few.st --epochs 1${options}`;
  const { status, stderr } = run(line);
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(message) });
  expect(run(`${line} --validation 0 --test 0`)).toMatchObject({ status: 0, stderr: '' });
});

it('evaluate reads the target as training did, whichever labels the file has', () => {
  const label = (i: number) => ['TRUE', 'FALSE', 'MAYBE'][i % 3];
  writeFileSync(file('three.csv'), ['x,y\n', ...lines(60, (i) => `${i % 3},${label(i)}`)].join(''));
  writeFileSync(file('two.csv'), 'x,y\n0,TRUE\n1,FALSE\n');
  expect(run('train three.csv --target y --out three.st --epochs 2')).toMatchObject({ status: 0 });
  const { status, stdout } = run('evaluate three.st two.csv --json');
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ rows: 2, confusion: { labels: ['FALSE', 'MAYBE', 'TRUE'] } });
});

it('control characters of a file are shown, not sent to the terminal', async () => {
  const bad = 'a\u001b]0;title\u0007';
  const rows = ['\u001b[2Jx', 'y'].map((label, i) => ({ [bad]: i, label }));
  const network = new Network<string>({ input: [1], layers: [dense(2)], loss: softmaxCrossEntropy() });
  network.encoder = encoder({ target: 'label' }).fit(Table.from(rows));
  await network.save(file('bad.st'));
  const shown = run('show bad.st').stdout;
  expect(shown).toContain('a\\x1b]0;title\\x07 (number)');
  expect(shown).toContain('one of \\x1b[2Jx, y');
  writeFileSync(file('bad.csv'), `"${bad}",label\n0,"\u001b[2Jx"\n`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are looked for.
  const controls = /[\0-\x08\x0b-\x1f\x7f-\x9f]/;
  for (const line of ['show bad.st', 'evaluate bad.st bad.csv', 'evaluate bad.st missing\u001b[2J.csv']) {
    const { stdout, stderr } = run(line);
    expect(stdout + stderr).toContain(line.startsWith('show') ? 'predicts' : '\\x1b[2J');
    expect(stdout + stderr).not.toMatch(controls);
  }
  // Data stay as they are.
  expect(run('predict bad.st bad.csv').stdout).toContain('label=\u001b[2Jx');
  expect(JSON.parse(run('show bad.st --json').stdout).encoder.columns[0].name).toBe(bad);
});
