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

describe('CSV as people have it', () => {
  const half = (i: number) => (i % 10 === 0 ? '?' : i % 7);
  const trained = (line: string) => JSON.parse(run(`train ${line} --target y --epochs 2 --json`).stdout);
  const typesIn = async (name: string) => {
    const { columns } = (await Network.load(file(name))).encoder as unknown as {
      columns: { name: string; type: string }[];
    };
    return Object.fromEntries(columns.map(({ name, type }) => [name, type]));
  };

  it('a text for missing values is noted, and --missing reads the column as numbers', async () => {
    const rows = lines(100, (i) => `${half(i)},${String(i).padStart(5, '0')},${i % 2 ? 'a' : 'b'}`);
    writeFileSync(file('half.csv'), ['half,zip,y\n', ...rows].join(''));
    const { status, stderr } = run('train half.csv --target y --out half.st --epochs 2');
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr:
        "half.csv: column half: 10 of 100 values are not numbers, such as '?'; it is read as text " +
        '(--missing tells what stands for a missing value)\n',
    });
    expect(run('train half.csv --target y --out drop.st --epochs 2 --drop half')).toMatchObject({ stderr: '' });
    const known = 'half.csv --target y --out known.st --epochs 2 --missing ?,-';
    expect(run(`train ${known}`)).toMatchObject({ status: 0, stderr: '' });
    expect(await typesIn('known.st')).toEqual({ half: 'number', zip: 'text' });
    expect(run('predict known.st half.csv')).toMatchObject({ status: 1, stderr: expect.stringContaining('got "?"') });
    expect(run('predict known.st half.csv --missing ?')).toMatchObject({ status: 0 });
    expect(run('evaluate known.st half.csv --missing ?')).toMatchObject({ status: 0 });
  });

  it('--header and --encoding', () => {
    const text = lines(60, (i) => `${i},${i % 2 ? 'gr\u00fcn' : 'rot'}`).join('');
    writeFileSync(file('bare.csv'), Buffer.from(text, 'latin1'));
    const { status, stderr } = run('train bare.csv --target y --out bare.st');
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/is its encoding latin1 or utf-16le\?/),
    });
    const { labels, rows } = trained('bare.csv --out bare.st --header x,y --encoding latin1');
    expect({ labels, train: rows.train }).toEqual({ labels: ['gr\u00fcn', 'rot'], train: 36 });
  });

  it('a column whose name has a comma or a quote', async () => {
    const rows = lines(60, (i) => `${i},${i},${i},${i % 2 ? 'a' : 'b'}`);
    writeFileSync(file('names.csv'), ['"a,b","say ""x""",c,y\n', ...rows].join(''));
    trained('names.csv --out names.st --drop "a,b",c');
    expect(await typesIn('names.st')).toEqual({ 'say "x"': 'number' });
    const quoted = 'train names.csv --target y --epochs 1 --out names.st --drop'.split(' ');
    expect(blasnet([...quoted, '"say ""x""", c'], { cwd: folder })).toMatchObject({ status: 0 });
    expect(await typesIn('names.st')).toEqual({ 'a,b': 'number' });
    for (const list of ['"a', 'a,', '"a"b', ',']) {
      const { status, stderr } = run(`train names.csv --target y --out names.st --drop ${list}`);
      expect({ status, stderr }).toEqual({
        status: 2,
        stderr: expect.stringContaining('those with a comma in quotes'),
      });
    }
  });

  it('a new code in a column of numbers that is embedded is an unseen value', () => {
    writeFileSync(file('codes.csv'), ['code,y\n', ...lines(60, (i) => `${i % 3},${i % 2 ? 'a' : 'b'}`)].join(''));
    trained('codes.csv --out codes.st --embed code');
    writeFileSync(file('new.csv'), 'code\n1\nB7\n2\n');
    const { status, stdout, stderr } = run('predict codes.st new.csv');
    expect({ status, stderr, lines: stdout.split('\n').length }).toEqual({ status: 0, stderr: '', lines: 5 });
    writeFileSync(file('old.csv'), 'code\n1\n2\n');
    const [, one, , two] = stdout.split('\n');
    expect(run('predict codes.st old.csv').stdout.split('\n').slice(1, 3)).toEqual([one, two]);
  });

  it('a column that is dropped or not needed may hold anything', () => {
    const object = (i: number) => JSON.stringify({ x: i, meta: { i: [i] }, y: i % 2 ? 'a' : 'b' });
    writeFileSync(file('meta.jsonl'), lines(60, object).join(''));
    expect(run('train meta.jsonl --target y --out meta.st')).toMatchObject({ status: 1 });
    trained('meta.jsonl --out meta.st --drop meta');
    expect(run('predict meta.st meta.jsonl')).toMatchObject({ status: 0 });
    expect(run('evaluate meta.st meta.jsonl')).toMatchObject({ status: 0 });
    writeFileSync(file('twice.csv'), ['id,x,id,y\n', ...lines(60, (i) => `7,${i},8,${i % 2 ? 'a' : 'b'}`)].join(''));
    expect(run('predict meta.st twice.csv')).toMatchObject({ status: 0 });
    expect(run('evaluate meta.st twice.csv')).toMatchObject({ status: 0 });
    trained('twice.csv --out twice.st --drop id');
    const { status, stderr } = run('train twice.csv --target y --out twice.st --drop id,ix');
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining("has no column 'ix'") });
  });

  it('one row and one column are named so', () => {
    writeFileSync(file('one.csv'), ['x,y\n', ...lines(60, (i) => `${i},${i % 2 ? 'a' : 'b'}`)].join(''));
    expect(run('train one.csv --target y --out one.st --epochs 1').stdout).toContain(
      '60 rows, classification of y from 1 column\n',
    );
    writeFileSync(file('row.csv'), 'x,y\n1,a\n');
    expect(run('evaluate one.st row.csv').stdout).toContain('row.csv: 1 row: ');
    expect(run('predict one.st row.csv --out row.p.csv').stderr).toBe('row.p.csv: 1 prediction of y\n');
  });

  it('a .json file is refused', () => {
    writeFileSync(file('rows.json'), '[{"x":1,"y":2}]\n');
    const { status, stderr } = run('train rows.json --target y --out rows.st');
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining('named .jsonl or .ndjson') });
  });
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
