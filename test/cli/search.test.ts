import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Network } from '../../lib/index.js';
import { RandomStream, Stream } from '../../lib/random.js';
import { Encoder, type EncoderJson, readCsv } from '../../lib/tables/index.js';
import { projectFile } from '../lifecycle/child.js';
import { blasnet, onTerminal } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'blasnet-cli-search-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string) => join(folder, name);
const weather = projectFile('node_modules/vega-datasets/data/seattle-weather.csv');
const WEATHER = ['train', weather, '--target', 'weather', '--epochs', '40'];
const SEARCH = [...WEATHER, '--search', '4', '--seed', '3'];
const run = (...args: string[]) => blasnet(args, { cwd: folder });

function json(...args: string[]) {
  const { status, stdout, stderr } = run(...args, '--json');
  expect({ args, status, stderr }).toEqual({ args, status: 0, stderr: '' });
  return JSON.parse(stdout);
}

/** The lines of a log: the settings of the search, then its trials. */
const logged = (name: string) =>
  readFileSync(file(name), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('train --search', () => {
  let found: ReturnType<typeof json>;

  beforeAll(() => {
    found = json(...SEARCH, '--search-log', 'log.jsonl', '--out', 'best.safetensors', '--report', 'best.html');
  });

  it('keeps the network with the least validation loss', async () => {
    const [, ...trials] = logged('log.jsonl');
    expect(trials.map(({ trial, epochs }) => [trial, epochs])).toEqual([0, 1, 2, 3].map((trial) => [trial, 40]));
    const least = trials.reduce((best, trial) => (trial.value < best.value ? trial : best));
    // Whoever knows the seed can train the network again.
    const networkSeed = new RandomStream(3, Stream.search + least.trial).word();
    expect(found.search).toEqual({
      ...{ trials: 4, failed: 0, best: least.trial, validationLoss: least.value, seconds: expect.any(Number) },
      ...{ networkSeed, ...least.params },
    });
    expect(found).toMatchObject({ batchSize: least.params.batchSize, epochs: least.trained });
    // The network in the file is that of the trial: its loss on the same validation part is.
    const network = await Network.load(file('best.safetensors'));
    const own = Encoder.fromJSON(network.encoder as unknown as EncoderJson);
    const { validation } = (await readCsv(weather)).split({
      test: 0.2,
      validation: 0.2,
      seed: 3,
      stratify: 'weather',
    });
    const { loss } = await network.evaluate(own.dataset(validation));
    expect(loss).toBeCloseTo(least.value, 5);
    const { nodes } = json('show', 'best.safetensors');
    const sizes = nodes.filter(({ type }: { type: string }) => type === 'dense');
    expect(sizes.map(({ shape }: { shape: number[] }) => shape[0])).toEqual([...least.params.layers, 5]);
    const page = readFileSync(file('best.html'), 'utf8');
    for (const name of ['validationLoss', 'networkSeed']) expect(page).toContain(`<td>search.${name}</td>`);
  });

  it('goes on from a log, and trains only what it lacks', () => {
    // The best is given away to another trial, which shows that the log is believed.
    const lines = readFileSync(file('log.jsonl'), 'utf8').trim().split('\n');
    const other = JSON.parse(lines[1 + ((found.search.best + 1) % 4)]);
    const kept = [lines[0], JSON.stringify({ ...other, value: 0.01 })];
    writeFileSync(file('half.jsonl'), `${kept.join('\n')}\n`);
    const resumed = json(...SEARCH, '--search-log', 'half.jsonl', '--out', 'resumed.safetensors');
    expect(resumed.search).toMatchObject({ best: other.trial, validationLoss: 0.01, ...other.params });
    const again = logged('half.jsonl').slice(1);
    expect(again.map(({ trial }) => trial).sort((a, b) => a - b)).toEqual([0, 1, 2, 3]);
    // The rest is as it was in one go.
    const values = new Map(logged('log.jsonl').map(({ trial, value }) => [trial, value]));
    for (const { trial, value } of again.slice(1)) expect(value).toBe(values.get(trial));
  });

  it('searches only what no option gives', () => {
    const fixed = ['--layers', '8', '--dropout', '0', '--batch-size', '64'];
    const { search } = json(...SEARCH, ...fixed, '--search-log', 'rates.jsonl', '--out', 'rates.safetensors');
    expect(search).toMatchObject({ layers: [8], dropout: 0, batchSize: 64 });
    const rates = logged('rates.jsonl').slice(1);
    expect(new Set(rates.map(({ params }) => params.learningRate)).size).toBe(4);
    for (const { params } of rates)
      expect({ ...params, learningRate: 0 }).toMatchObject({ layers: [8], batchSize: 64 });
    // With another setting it is another search, and its log stays as it is.
    copyFileSync(file('rates.jsonl'), file('kept.jsonl'));
    const changed = fixed.map((word) => (word === '8' ? '9' : word));
    const { status, stderr } = run(...SEARCH, ...changed, '--search-log', 'kept.jsonl', '--out', 'no.safetensors');
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^blasnet: log: kept\.jsonl: it is of another search: its space\.layers\..* is .*, here .*\n$/,
    );
    expect(readFileSync(file('kept.jsonl'))).toEqual(readFileSync(file('rates.jsonl')));
    expect(existsSync(file('no.safetensors'))).toBe(false);
  });

  it('shows the best as text, and progress on a terminal', () => {
    const { status, stdout } = onTerminal([...SEARCH, '--out', 'text.safetensors'], { cwd: folder });
    expect(status).toBe(0);
    const drawings = stdout.split('\r\x1b[K').filter((drawing) => drawing.startsWith('search: '));
    expect(drawings[0]).toMatch(/^search: 0 of 4 {2}epoch \d+\/40 \[=* *\]/);
    const settings = /layers [\d,]+, dropout [\d.]+, learning rate [\d.]+, batches of \d+/;
    expect(stdout).toMatch(
      new RegExp(`search: 4 trials in \\d+\\.\\d s; best: ${settings.source} \\(validation loss [\\d.]+\\)\\r?$`, 'm'),
    );
  });

  it('shows how far a resumed search is, and the time of all its trials', () => {
    const [header, ...trials] = readFileSync(file('log.jsonl'), 'utf8').trim().split('\n');
    const kept = [1, 0, 3].map((trial) => JSON.stringify({ ...JSON.parse(trials[trial]), seconds: 1000 }));
    writeFileSync(file('most.jsonl'), `${[header, ...kept].join('\n')}\n`);
    const resumed = [...SEARCH, '--search-log', 'most.jsonl', '--out', 'most.safetensors'];
    const { status, stdout } = onTerminal(resumed, { cwd: folder });
    expect(status).toBe(0);
    const drawings = stdout.split('\r\x1b[K').filter((drawing) => drawing.startsWith('search: '));
    expect(drawings[0]).toMatch(/^search: 2 of 4 {2}epoch/);
    expect(stdout).toMatch(/search: 4 trials in 30\d\d\.\d s; best: /);
  });

  it.each([
    [['--search', '0'], /--search: expected an integer at least 1 .*, got '0'$/m],
    [['--search', '100001'], /--search: expected an integer at least 1 and below 100001, got '100001'$/m],
    [['--search', '2', '--validation', '0'], /--search: it compares networks by the validation part/],
    [['--search-log', 'x.jsonl'], /--search-log: it is for --search$/m],
    [
      '--search 2 --layers 8 --dropout 0 --learning-rate 0.1 --batch-size 8'.split(' '),
      /--search: --layers, .* leave nothing to search$/m,
    ],
    [['--search', '2', '--search-log', 'refused.safetensors'], /--search-log .* are the same file$/m],
  ])('%j', (options, message) => {
    const { status, stdout, stderr } = run(...WEATHER, '--out', 'refused.safetensors', ...options);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(existsSync(file('refused.safetensors'))).toBe(false);
  });

  it('tells why no trial succeeded', () => {
    // Weights near 10^6 in each of nine layers overflow.
    const rate = ['--learning-rate', '999999', '--layers', '32,32,32,32,32,32,32,32'];
    const { status, stderr } = run(...SEARCH, ...rate, '--out', 'refused.safetensors');
    expect({ status, lines: stderr.trim().split('\n').length }).toEqual({ status: 1, lines: 1 });
    expect(stderr).toMatch(/^blasnet: search: build: all 4 trials failed; the first: /);
  });
});
