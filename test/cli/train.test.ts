import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dense, meanSquaredError, Network } from '../../lib/index.js';
import { importOnnx } from '../../lib/interop/onnx/index.js';
import { loadLayersModel } from '../../lib/interop/tfjs/index.js';
import { Encoder, type EncoderJson, encoder, readCsv } from '../../lib/tables/index.js';
import { addonFile, environment, projectFile } from '../lifecycle/child.js';
import { blasnet, onTerminal, withSmallFiles } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'blasnet-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string) => join(folder, name);
/** date,precipitation,temp_max,temp_min,wind,weather: no quotes, nothing missing. */
const weather = projectFile('node_modules/vega-datasets/data/seattle-weather.csv');
const cells = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => line.split(','));

function write(name: string, rows: readonly (readonly unknown[])[]): string {
  writeFileSync(file(name), `${rows.map((row) => row.join(',')).join('\n')}\n`);
  return name;
}

const run = (...args: string[]) => blasnet(args, { cwd: folder });

/** Runs the command, which must succeed; its JSON. */
function json(...args: string[]) {
  const { status, stdout, stderr } = run(...args, '--json');
  expect({ args, status, stderr }).toEqual({ args, status: 0, stderr: '' });
  return JSON.parse(stdout);
}

const WEATHER = ['train', weather, '--target', 'weather', '--out'];

describe('train, predict and evaluate', () => {
  let trained: ReturnType<typeof json>;
  const [head, ...rows] = cells(readFileSync(weather, 'utf8'));
  const truth = rows.map((row) => row[5]);

  beforeAll(() => {
    trained = json(...WEATHER, 'weather.safetensors', '--report', 'weather.html');
  });

  it('a classification: the figures are those of the predictions', async () => {
    const labels = ['drizzle', 'fog', 'rain', 'snow', 'sun'];
    expect(trained).toMatchObject({ task: 'classification', target: 'weather', labels });
    expect(trained.rows).toEqual({ train: 877, validation: 292, test: 292 });
    expect(run('predict', 'weather.safetensors', weather, '--out', 'predictions.csv')).toEqual({
      status: 0,
      stdout: '',
      stderr: 'predictions.csv: 1461 predictions of weather\n',
    });
    const [names, ...predictions] = cells(readFileSync(file('predictions.csv'), 'utf8'));
    expect(names).toEqual(['weather', ...labels.map((label) => `weather=${label}`)]);
    expect(predictions.length).toBe(truth.length);
    for (const [label, ...probabilities] of predictions) {
      const numbers = probabilities.map(Number);
      expect(numbers.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
      expect(label).toBe(labels[numbers.indexOf(Math.max(...numbers))]);
    }
    const guesses = predictions.map(([label]) => label);
    const hits = guesses.filter((label, i) => label === truth[i]).length;
    const f1 = labels.map((label) => {
      const both = guesses.filter((guess, i) => guess === label && truth[i] === label).length;
      const either = [...guesses, ...truth].filter((other) => other === label).length;
      return either === 0 ? 0 : (2 * both) / either;
    });
    const evaluated = json('evaluate', 'weather.safetensors', weather);
    expect(evaluated.rows).toBe(1461);
    expect(evaluated.accuracy).toBeCloseTo(hits / truth.length, 12);
    expect(evaluated.f1).toBeCloseTo(
      f1.reduce((sum, value) => sum + value / 5, 0),
      12,
    );
    expect(evaluated.accuracy).toBeGreaterThan(0.8);
    expect(run('predict', 'weather.safetensors', weather).stdout).toBe(readFileSync(file('predictions.csv'), 'utf8'));
    const plain = run('evaluate', 'weather.safetensors', weather).stdout;
    expect(plain).toContain(`accuracy ${Number(evaluated.accuracy.toPrecision(4))}`);
    expect(plain).toMatch(/^truth \\ predicted/m);
  });

  it('the test part is of rows that neither training nor its encoder has seen', async () => {
    const { train, test } = (await readCsv(weather)).split({
      test: 0.2,
      validation: 0.2,
      seed: 0,
      stratify: 'weather',
    });
    write('test.csv', [
      head,
      ...test.rows().map((row) => [(row.date as Date).toISOString(), ...Object.values(row).slice(1)]),
    ]);
    const { encoder: kept } = await Network.load(file('weather.safetensors'));
    expect(kept).toEqual(JSON.parse(JSON.stringify(encoder({ target: 'weather' }).fit(train))));
    const { rows: count, accuracy, f1 } = json('evaluate', 'weather.safetensors', 'test.csv');
    expect({ count, accuracy, f1 }).toEqual({ count: 292, ...trained.test });
  });

  it('the best epoch is kept, and the same seed gives the same file', () => {
    const { epochs, bestEpoch } = trained;
    expect(epochs).toBe(bestEpoch + 21);
    const again = json(...WEATHER, 'again.safetensors', '--epochs', String(bestEpoch));
    expect(again).toMatchObject({ epochs: bestEpoch, bestEpoch, test: trained.test });
    const predictions = (model: string) => run('predict', model, weather).stdout;
    expect(predictions('again.safetensors')).toBe(predictions('weather.safetensors'));
    json(...WEATHER, 'other.safetensors', '--epochs', '3', '--seed', '1');
    expect(predictions('other.safetensors')).not.toBe(predictions('weather.safetensors'));
  });

  it('a regression, in the unit of the target', () => {
    const { task, labels, test } = json('train', weather, '--target', 'temp_max', '--out', 'heat.safetensors');
    expect({ task, labels }).toEqual({ task: 'regression', labels: null });
    expect(test.r2).toBeGreaterThan(0.8);
    const [[name], ...predictions] = cells(run('predict', 'heat.safetensors', weather).stdout);
    expect(name).toBe('temp_max');
    const pairs = rows.map((row, i) => [Number(row[2]), Number(predictions[i][0])]);
    const mean = pairs.reduce((sum, [y]) => sum + y / pairs.length, 0);
    const square = pairs.reduce((sum, [y, guess]) => sum + (y - guess) ** 2, 0);
    const spread = pairs.reduce((sum, [y]) => sum + (y - mean) ** 2, 0);
    const absolute = pairs.reduce((sum, [y, guess]) => sum + Math.abs(y - guess), 0);
    const evaluated = json('evaluate', 'heat.safetensors', weather);
    expect(evaluated.r2).toBeCloseTo(1 - square / spread, 10);
    expect(evaluated.rmse).toBeCloseTo(Math.sqrt(square / pairs.length), 10);
    expect(evaluated.mae).toBeCloseTo(absolute / pairs.length, 10);
  });

  it('the report has figures, pictures and settings', () => {
    const page = readFileSync(file('weather.html'), 'utf8');
    expect(page).toContain('<title>Prediction of weather</title>');
    expect(page).toContain(String(Number(trained.test.accuracy.toPrecision(4))));
    expect(page.match(/<img alt="[^"]+" src="data:image\/svg/g)).toHaveLength(3);
    for (const setting of ['batchSize', 'learningRate', 'rows.validation'])
      expect(page).toContain(`<td>${setting}</td>`);
  });

  it('show tells what it predicts, from which columns', () => {
    const { stdout, status } = run('show', 'weather.safetensors', '--listing');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^0 +dense +\[100\] +[\d,]+$/m);
    expect(stdout).toContain('predicts weather, one of drizzle, fog, rain, snow, sun, from\n  date (date)\n');
    expect(stdout).toMatch(/^gradients program, batches of 32/m);
    const shown = json('show', 'weather.safetensors');
    expect(shown.parameters).toBe(trained.parameters);
    expect(shown.nodes.map(({ type }: { type: string }) => type)).toEqual(['input', 'dense', 'relu', 'dense']);
    expect(shown.encoder.target.name).toBe('weather');
  });
});

describe('options of train', () => {
  it('layers, dropout, parts, columns', () => {
    const options = '--layers 8,4 --dropout 0.1 --test 0.1 --validation 0 --epochs 2 --batch-size 100'.split(' ');
    const { rows, epochs, batchSize, bestEpoch } = json(...WEATHER, 'a.safetensors', ...options, '--drop', 'date,wind');
    expect({ rows, epochs, batchSize, bestEpoch }).toEqual({
      rows: { train: 1315, validation: 0, test: 146 },
      epochs: 2,
      batchSize: 100,
      bestEpoch: 2,
    });
    const { nodes, encoder } = json('show', 'a.safetensors');
    const types = nodes.map(({ type, shape }: { type: string; shape: number[] }) => `${type} ${shape}`);
    expect(types).toEqual(['input 3', 'dense 8', 'relu 8', 'dropout 8', 'dense 4', 'relu 4', 'dropout 4', 'dense 5']);
    expect(encoder.columns.map(({ name }: { name: string }) => name)).toEqual([
      'precipitation',
      'temp_max',
      'temp_min',
    ]);
    const linear = json(...WEATHER, 'a.safetensors', '--layers', '', '--epochs', '1', '--test', '0');
    expect(linear).toMatchObject({ test: null, rows: { test: 0 } });
    expect(json('show', 'a.safetensors').nodes.length).toBe(2);
  });

  it('embed: columns whose values become vectors, also numbers that are codes', async () => {
    const shops = 16;
    const effect = (shop: number, article: number) => 3 * Math.sin(shop) + (article % 2);
    write('sales.csv', [
      ['shop', 'article', 'price', 'amount'],
      ...Array.from({ length: 640 }, (_, i) => [`s${i % shops}`, 100 + (i % 9), i % 7, effect(i % shops, i % 9)]),
    ]);
    const options = ['train', 'sales.csv', '--target', 'amount', '--layers', '16', '--learning-rate', '0.01'];
    const { test } = json(...options, '--embed', 'shop,article', '--out', 'sales.safetensors');
    expect(test.r2).toBeGreaterThan(0.98);
    const { nodes } = json('show', 'sales.safetensors');
    const shapes = nodes.map(({ type, shape }: { type: string; shape: number[] }) => `${type} ${shape}`);
    // 16 shops, 9 articles, and a place for others: vectors of ⌈√17⌉ and ⌈√10⌉ numbers beside the price.
    expect(shapes.slice(0, 6)).toEqual([
      ...['input 1', 'input 1', 'input 1', 'embedding 5', 'embedding 4', 'concat 10'],
    ]);
    expect(run(...options, '--embed', 'shop', '--out', 'x.st', '--epochs', '1').stdout).toMatch(/^network: 7-16-1,/m);

    const evaluated = json('evaluate', 'sales.safetensors', 'sales.csv');
    expect(evaluated.r2).toBeGreaterThan(0.98);
    const [, ...predictions] = cells(run('predict', 'sales.safetensors', 'sales.csv').stdout);
    const exported = run('export', 'sales.safetensors', '--onnx', 'sales.onnx', '--tfjs', 'sales');
    expect(exported).toMatchObject({ status: 0, stderr: expect.stringContaining('rows of 1 numbers and 2 indices') });
    const table = await readCsv(file('sales.csv'));
    const network = await Network.load(file('sales.safetensors'));
    const own = Encoder.fromJSON(network.encoder as unknown as EncoderJson);
    const features = own.features(table.rows());
    for (const other of [await importOnnx(file('sales.onnx')), await loadLayersModel(file('sales/model.json'))]) {
      const values = own.decode(other.predict(features), table.length).map((row) => (row as { value: number }).value);
      values.forEach((value, i) => expect(value).toBeCloseTo(Number(predictions[i][0]), 4));
    }
    // Without numbers, only vectors are left.
    json(...options, '--embed', 'shop', '--drop', 'price,article', '--epochs', '2', '--out', 'shops.safetensors');
    expect(json('show', 'shops.safetensors').nodes.map(({ type }: { type: string }) => type)).toEqual([
      ...['input', 'embedding', 'dense', 'relu', 'dense'],
    ]);
    write('new.csv', [['shop'], ['s3'], ['elsewhere']]);
    expect(cells(run('predict', 'shops.safetensors', 'new.csv').stdout).length).toBe(3);
  });

  it('numbers that are two are labels; the task can be told', () => {
    write('two.csv', [['x', 'y'], ...Array.from({ length: 60 }, (_, i) => [i, Number(i >= 30)])]);
    const options = ['train', 'two.csv', '--target', 'y', '--epochs', '2', '--out', 'two.safetensors'];
    expect(json(...options).labels).toEqual(['0', '1']);
    expect(json(...options, '--task', 'regression').task).toBe('regression');
    expect(cells(run('predict', 'two.safetensors', 'two.csv').stdout)[0]).toEqual(['y']);
    write('ten.csv', [['x', 'y'], ...Array.from({ length: 60 }, (_, i) => [i, i % 10])]);
    const ten = ['train', 'ten.csv', '--target', 'y', '--epochs', '1', '--out', 'ten.safetensors'];
    expect(json(...ten).task).toBe('regression');
    expect(json(...ten, '--task', 'classification').labels).toHaveLength(10);
  });

  it('rows without target, and with labels too rare, are left out with a note', () => {
    const labels = (i: number) => (i === 7 ? '' : i % 5 === 0 ? `once-${i}` : i < 25 ? 'low' : 'high');
    write('gaps.csv', [['x', 'y'], ...Array.from({ length: 50 }, (_, i) => [i, labels(i)])]);
    const trained = run('train', 'gaps.csv', '--target', 'y', '--epochs', '1', '--out', 'gaps.safetensors');
    expect(trained.status).toBe(0);
    const notes =
      /^gaps\.csv: left out: 1 row without a y\ngaps\.csv: left out: (\d) rows with labels too rare to be .*\n$/;
    expect(trained.stderr).toMatch(notes);
    const known = json('show', 'gaps.safetensors').encoder.target.labels as string[];
    expect(known.filter((label) => label.startsWith('once')).length + Number(notes.exec(trained.stderr)?.[1])).toBe(10);
    const { stdout, stderr } = run('predict', 'gaps.safetensors', 'gaps.csv');
    expect(stderr).toBe('');
    expect(cells(stdout).length).toBe(51);
  });

  it('labels of JSON lines with spaces are the same labels, and empty ones are missing', () => {
    const rows = Array.from({ length: 60 }, (_, x) => ({
      x,
      y: x === 5 ? '' : `${x % 2 ? 'pos' : 'neg'}${x % 3 ? '' : ' '}`,
    }));
    writeFileSync(file('spaces.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'));
    const options = ['--target', 'y', '--epochs', '1', '--out', 'spaces.safetensors'];
    const { status, stderr } = run('train', 'spaces.jsonl', ...options);
    expect({ status, stderr }).toEqual({ status: 0, stderr: 'spaces.jsonl: left out: 1 row without a y\n' });
    expect(json('show', 'spaces.safetensors').encoder.target.labels).toEqual(['neg', 'pos']);
  });

  it('reads JSON lines and TSV too', () => {
    const rows = Array.from({ length: 40 }, (_, i) => ({ x: i, 'a "b",c': i < 20 ? 'p,q' : 'r' }));
    writeFileSync(file('rows.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'));
    const options = ['--epochs', '1', '--out', 'rows.safetensors'];
    expect(json('train', 'rows.jsonl', '--target', 'a "b",c', ...options).labels).toEqual(['p,q', 'r']);
    expect(run('predict', 'rows.safetensors', 'rows.jsonl').stdout).toMatch(
      /^"a ""b"",c","a ""b"",c=p,q","a ""b"",c=r"\n(?:"p,q"|r),[\d.e-]+,[\d.e-]+\n/,
    );
    writeFileSync(
      file('rows.tsv'),
      rows
        .map((row) => `${row.x}\t${row['a "b",c'].length}`)
        .join('\n')
        .replace(/^/, 'x\ty\n'),
    );
    expect(json('train', 'rows.tsv', '--target', 'y', ...options).labels).toEqual(['1', '3']);
  });

  it.each([
    [
      ['--target', 'wether'],
      2,
      /^blasnet: --target: \S+seattle-weather\.csv has no column 'wether'; did you mean 'weather'\?$/m,
    ],
    [
      ['--target', 'weather', '--drop', 'datum'],
      2,
      /^blasnet: --drop: .* has no column 'datum'; did you mean 'date'\?$/m,
    ],
    [
      ['--target', 'weather', '--embed', 'datum'],
      2,
      /^blasnet: --embed: .* has no column 'datum'; did you mean 'date'\?$/m,
    ],
    [['--target', 'weather', '--embed', 'weather'], 2, /^blasnet: --embed: weather is the target$/m],
    [['--target', 'weather', '--embed', 'wind', '--drop', 'wind'], 2, /--embed: wind is dropped by --drop$/m],
    [['--target', 'weather', '--drop', 'weather'], 2, /^blasnet: --drop: weather is the target$/m],
    [
      ['--target', 'weather', '--layers', '64,x'],
      2,
      /--layers: expected integers at least 1 and below 1048576, separated/,
    ],
    [['--target', 'weather', '--epochs', '0'], 2, /--epochs: expected an integer at least 1 .*, got '0'$/m],
    [['--target', 'weather', '--epochs', '-5'], 2, /--epochs: expected an integer at least 1 .*, got '-5'$/m],
    [['--target', 'weather', '--test', '1'], 2, /--test: expected a number at least 0 and below 1, got '1'$/m],
    [['--target', 'weather', '--learning-rate', '0x1'], 2, /--learning-rate: expected a number above 0 /],
    [['--target', 'weather', '--task', 'both'], 2, /--task: expected one of classification, regression, got 'both'$/m],
    [
      ['--target', 'weather', '--task', 'regression'],
      2,
      /--task: a regression needs a target of numbers, and weather has others$/m,
    ],
    [['--target', 'date'], 1, /target/],
    [['--target', 'weather', '--test', '0.6', '--validation', '0.5'], 1, /split/],
    [
      ['--target', 'weather', '--out', 'nowhere/a.safetensors'],
      1,
      /^blasnet: nowhere\/a\.safetensors: there is no such folder$/m,
    ],
    [
      ['--target', 'weather', '--report', '.'],
      1,
      /^blasnet: \.: it cannot be written \(it is a directory, not a regular file\)$/m,
    ],
    [['--target', 'weather', '--epoch', '5'], 2, /train: unknown option '--epoch'; did you mean '--epochs'\?$/m],
    [[], 2, /train: expected --target <column>, the column to predict$/m],
  ])('%j', (options, code, message) => {
    const out = options.includes('--out') ? [] : ['--out', 'refused.safetensors'];
    const { status, stdout, stderr } = run('train', weather, ...out, ...options);
    expect({ status, stdout }).toEqual({ status: code, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(stderr.trim().split('\n')).toHaveLength(code);
    expect(existsSync(file('refused.safetensors'))).toBe(false);
  });

  it('files that are no tables', () => {
    writeFileSync(file('uneven.csv'), 'a,b\n1,2\n3\n');
    const refused = (name: string) => run('train', name, '--target', 'a', '--out', 'x.safetensors');
    expect(refused('uneven.csv')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^blasnet: uneven\.csv: .*3/),
    });
    expect(refused('missing.csv')).toMatchObject({
      status: 1,
      stderr: 'blasnet: missing.csv: there is no such file\n',
    });
    writeFileSync(file('head.csv'), 'a,b\n');
    expect(refused('head.csv')).toMatchObject({ status: 1, stderr: 'blasnet: head.csv: no row has a a\n' });
  });
});

describe('predict and evaluate refuse', () => {
  beforeAll(() => {
    write('small.csv', [
      ['x', 'kind', 'y'],
      ...Array.from({ length: 40 }, (_, i) => [i, i % 2 ? 'odd' : 'even', i < 20 ? 'low' : 'high']),
    ]);
    json('train', 'small.csv', '--target', 'y', '--epochs', '1', '--out', 'small.safetensors');
  });

  it('networks without an encoder', async () => {
    await new Network({ input: [2], layers: [dense(1)], loss: meanSquaredError() }).save(file('plain.safetensors'));
    for (const command of ['predict', 'evaluate']) {
      const { status, stderr } = run(command, 'plain.safetensors', 'small.csv');
      expect(status).toBe(1);
      expect(stderr).toMatch(/^blasnet: plain\.safetensors: it was not trained on a table: .*\n$/);
    }
    expect(run('show', 'plain.safetensors').stdout).not.toContain('predicts');
  });

  it('tables without the columns, and values of another type', () => {
    write('other.csv', [
      ['x', 'z'],
      [1, 2],
    ]);
    expect(run('predict', 'small.safetensors', 'other.csv')).toEqual({
      status: 1,
      stdout: '',
      stderr: "blasnet: other.csv: the network needs the columns 'kind' too\n",
    });
    write('words.csv', [
      ['x', 'kind'],
      [1, 'odd'],
      ['many', 'odd'],
    ]);
    const { status, stderr } = run('predict', 'small.safetensors', 'words.csv');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^blasnet: words\.csv: line 3, .*"x".* number, got "many"/);
    write('new.csv', [
      ['kind', 'x'],
      ['neither', 1],
      ['', ''],
    ]);
    expect(cells(run('predict', 'small.safetensors', 'new.csv').stdout).length).toBe(3);
    expect(run('evaluate', 'small.safetensors', 'new.csv').stderr).toBe("blasnet: new.csv has no column 'y'\n");
    write('labels.csv', [
      ['x', 'kind', 'y'],
      [1, 'odd', 'middle'],
    ]);
    expect(run('evaluate', 'small.safetensors', 'labels.csv').stderr).toBe(
      "blasnet: labels.csv: no row has a label that the network knows, such as high, low; the first has 'middle'\n",
    );
  });

  it('a label is known however it is written, and the target that a table lacks is told from similar names', () => {
    write('truths.csv', [['x', 'truth'], ...Array.from({ length: 60 }, (_, i) => [i % 2, i % 2 === 0])]);
    expect(run('train', 'truths.csv', '--target', 'truth', '--out', 'truths.st', '--epochs', '1').status).toBe(0);
    write('spelt.csv', [
      ['x', 'truth'],
      [1, 'True'],
      [1, 'true'],
      [0, 'False'],
      [0, 'false'],
      [0, 'Maybe'],
    ]);
    const { status, stderr } = run('evaluate', 'truths.st', 'spelt.csv');
    const note = 'spelt.csv: left out: 1 row with labels that the network does not know\n';
    expect({ status, stderr }).toEqual({ status: 0, stderr: note });
    write('named.csv', [
      ['x', 'Truth'],
      [1, 'true'],
    ]);
    expect(run('evaluate', 'truths.st', 'named.csv').stderr).toMatch(
      /named\.csv has no column 'truth'; did you mean 'Truth'/,
    );
  });

  it('a bad value is told before any prediction is written, and a column may be named like a row', () => {
    const rows = Array.from({ length: 60 }, (_, i) => [i, 2 * i]);
    write('rowed.csv', [['row 3', 'y'], ...rows]);
    expect(run('train', 'rowed.csv', '--target', 'y', '--out', 'rowed.st', '--epochs', '1').status).toBe(0);
    write('bad.csv', [['row 3'], ...Array.from({ length: 5020 }, (_, i) => [i === 5010 ? '1e300' : 1])]);
    const { status, stdout, stderr } = run('predict', 'rowed.st', 'bad.csv');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^blasnet: bad\.csv: row 5011 of the data, column "row 3": /);
  });

  it('rows with labels that are not known are left out of the figures', () => {
    write('mixed.csv', [
      ['x', 'kind', 'y'],
      [1, 'odd', 'middle'],
      [1, 'odd', 'low'],
      [90, 'odd', 'high'],
      [3, 'odd', ''],
    ]);
    const { status, stdout, stderr } = run('evaluate', 'small.safetensors', 'mixed.csv', '--json');
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr:
        'mixed.csv: left out: 1 row without a y\n' +
        'mixed.csv: left out: 1 row with labels that the network does not know\n',
    });
    expect(JSON.parse(stdout)).toMatchObject({ rows: 2, unknownLabels: 1 });
  });

  it('values too large, with the file and the row', () => {
    const large = (x: number | string, at: number) =>
      write('large.csv', [
        ['x', 'kind', 'y'],
        ...Array.from({ length: 9000 }, (_, i) => [
          i === at ? x : i % 90,
          'odd',
          i === 3 ? '' : i % 2 ? 'high' : 'low',
        ]),
      ]);
    const where = /^blasnet: large\.csv: row 5011 of the data, column "x": the value is too large/m;
    large('1e150', 5010);
    expect(run('evaluate', 'small.safetensors', 'large.csv').stderr).toMatch(where);
    expect(run('predict', 'small.safetensors', 'large.csv').stderr).toMatch(where);
    const values = ['train', 'large.csv', '--target', 'x', '--out', 'large.st', '--epochs', '1'];
    large('1', 5010);
    expect(run(...values)).toMatchObject({ status: 0 });
    large('1e150', 5010);
    const target = /^blasnet: large\.csv: column "x": row 5011 of the data: the value is too large/m;
    expect(run('evaluate', 'large.st', 'large.csv').stderr).toMatch(target);
    // Wherever the row is: in the training part the spread overflows.
    for (const [x, seed] of [
      ['1e160', '1'],
      ['1e160', '2'],
      ['1e160', '3'],
    ]) {
      large(x, 5010);
      const { status, stderr } = run('train', 'large.csv', '--target', 'y', '--out', 'large.st', '--seed', seed);
      expect(status).toBe(1);
      expect(stderr).toMatch(/^blasnet: large\.csv: (row 5011 of the data, column|encoder: columns:) "x": /m);
    }
  });
});

describe('optional packages', () => {
  it('without vega a report has no pictures; without csv-parse no CSV is read; both say what to install', () => {
    const copy = mkdtempSync(join(tmpdir(), 'blasnet-package-'));
    try {
      for (const name of ['dist', 'package.json']) cpSync(projectFile(name), join(copy, name), { recursive: true });
      const env = environment({ BLASNET_BINARY: existsSync(addonFile) ? addonFile : 'none' });
      const start = (...args: string[]) => {
        const program = [join(copy, 'dist/cli/main.js'), ...args];
        return spawnSync(process.execPath, program, { env, cwd: folder, encoding: 'utf8' });
      };
      const rows = Array.from({ length: 40 }, (_, i) => JSON.stringify({ x: i, y: i < 20 ? 'low' : 'high' }));
      writeFileSync(file('lines.jsonl'), rows.join('\n'));
      const options = ['--target', 'y', '--epochs', '1', '--out', 'lines.safetensors', '--report', 'lines.html'];
      const { status, stderr } = start('train', 'lines.jsonl', ...options);
      expect({ status, stderr }).toEqual({
        status: 0,
        stderr: expect.stringMatching(/^lines\.html: without pictures: .*/),
      });
      expect(stderr).toContain('run `npm install vega`');
      expect(readFileSync(file('lines.html'), 'utf8')).not.toContain('<img');
      const refused = start('train', weather, '--target', 'weather', '--out', 'none.safetensors');
      expect(refused.status).toBe(1);
      expect(refused.stderr).toMatch(
        /^blasnet: readCsv: the package csv-parse is not installed; run `npm install csv-parse`$/m,
      );
    } finally {
      rmSync(copy, { recursive: true });
    }
  });
});

describe('a report that fails', () => {
  it('of more labels than a picture can show lacks it, and a note says so', () => {
    const rows = Array.from({ length: 1500 }, (_, i) => [i, `l${i % 210}`]);
    write('labels.csv', [['x', 'label'], ...rows]);
    const options = ['--out', 'labels.st', '--epochs', '1', '--report', 'labels.html', '--json'];
    const { status, stdout, stderr } = run('train', 'labels.csv', '--target', 'label', ...options);
    expect(status, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ model: 'labels.st', test: { accuracy: expect.any(Number) } });
    expect(stderr).toMatch(/^labels\.html: without the picture of the test: matrix: expected at most 200 classes.*\n$/);
    expect(readFileSync(file('labels.html'), 'utf8').match(/<img alt="[^"]+" src="data:image\/svg/g)).toHaveLength(2);
  });

  it.skipIf(process.platform === 'win32')('leaves the result, and is an error after it', () => {
    write('few.csv', [
      ['x', 'y'],
      [1, 2],
      [2, 3],
      [3, 5],
    ]);
    const options = '--layers 1 --test 0 --validation 0 --epochs 1 --out few.st --report few.html --json'.split(' ');
    const { status, stdout, stderr } = withSmallFiles(8, ['train', 'few.csv', '--target', 'y', ...options], folder);
    expect(status, stderr).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ model: 'few.st', epochs: 1 });
    expect(stderr).toMatch(/^blasnet: few\.html: it cannot be written \(EFBIG: .*\n$/);
  });
});

describe('docs/cli.md', () => {
  it('its first commands work as they stand there', () => {
    const page = readFileSync(projectFile('docs/cli.md'), 'utf8');
    const [, block] = /^```sh\n(npm install[\s\S]*?)^```$/m.exec(page) as RegExpExecArray;
    const lines = block
      .trim()
      .split('\n')
      .filter((line) => line.startsWith('npx blasnet '));
    expect(lines.length).toBe(4);
    copyFileSync(weather, file('seattle-weather.csv'));
    for (const line of lines) expect({ line, ...run(...line.split(' ').slice(2)) }).toMatchObject({ line, status: 0 });
  });

  it('lists the commands', () => {
    const page = readFileSync(projectFile('docs/cli.md'), 'utf8');
    const rows = Array.from(page.matchAll(/^\| `(\w+)` \|/gm), ([, name]) => name);
    expect(new Set(rows)).toEqual(new Set(run('--help').stdout.match(/(?<=^ {2})\w+/gm)));
  });
});

describe('progress', () => {
  const options = [...WEATHER, 'progress.safetensors', '--epochs', '60'];

  it('is drawn on a terminal, on one line, and taken away', () => {
    const { status, stdout } = onTerminal(options, { cwd: folder });
    expect(status).toBe(0);
    const drawings = stdout.split('\r\x1b[K').slice(1);
    expect(drawings.length).toBeGreaterThan(1);
    expect(drawings[0]).toMatch(/^epoch \d+\/60 \[=* *\]/);
    for (const drawing of drawings.slice(0, -1)) expect(drawing).not.toContain('\n');
    expect(drawings.at(-1)).toMatch(/^\S+seattle-weather\.csv: 1461 rows, /);
  });

  const endless = (...options: string[]) => [
    'train',
    weather,
    '--target',
    'weather',
    '--epochs',
    '1000000',
    ...options,
  ];

  it.each([
    ['the last epoch', ['--validation', '0']],
    ['the best epoch', []],
  ])('Ctrl-C keeps %s', (_, options) => {
    rmSync(file('stopped.st'), { force: true });
    const args = endless('--out', 'stopped.st', ...options);
    const { status, stdout } = onTerminal(args, { cwd: folder, interrupts: ['epoch 2/'] });
    expect(status, stdout).toBe(130);
    expect(stdout).toContain('\r\x1b[Kinterrupted: training ends after this epoch, and the network is kept');
    const [, epochs, kept] = /^training: (\d+) epochs .*; kept: epoch (\d+)\r$/m.exec(stdout) as RegExpExecArray;
    expect(Number(epochs)).toBeGreaterThan(1);
    if (options.length > 0) expect(kept).toBe(epochs);
    expect(stdout).toMatch(/^test: accuracy .*\r\nwritten: stopped\.st\r$/m);
    expect(run('predict', 'stopped.st', weather)).toMatchObject({ status: 0 });
  });

  it('a second Ctrl-C ends the process, and so does the first one in a search', () => {
    rmSync(file('stopped.st'), { force: true });
    // An epoch that lasts.
    const large = ['--layers', '4000,4000', '--batch-size', '8', '--out', 'stopped.st'];
    const twice = onTerminal(endless(...large), { cwd: folder, interrupts: ['epoch 1/', 'interrupted: '] });
    expect(twice.status, twice.stdout).toBe(130);
    expect(twice.stdout).not.toContain('written');
    const searching = endless('--out', 'stopped.st', '--search', '1000');
    const searched = onTerminal(searching, { cwd: folder, interrupts: ['search: 1'] });
    expect(searched.status, searched.stdout).toBe(130);
    expect(searched.stdout.endsWith('\r\x1b[K')).toBe(true);
    expect(existsSync(file('stopped.st'))).toBe(false);
  });

  it('is not written elsewhere', () => {
    expect(run(...options)).toMatchObject({ status: 0, stderr: '' });
  });
});
