import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { Dataset } from '../../lib/data/index.js';
import {
  Adam,
  binaryCrossEntropy,
  concat,
  dense,
  embedding,
  input,
  meanSquaredError,
  Network,
  relu,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import { Encoder, type EncoderJson, encoder, predictRows, readCsv, streamCsv, Table } from '../../lib/tables/index.js';
import { expectError, expectRejection } from '../data/expect-error.js';
import { fileOf, partsOf, withSection } from '../formats/support.js';
import { fileWriter, WEATHER } from './support.js';

const write = fileWriter();

describe('from a CSV to predictions in another process', () => {
  it('weather in Seattle: labels by name', async () => {
    const table = await readCsv(WEATHER);
    const { train, test } = table.split({ stratify: 'weather', seed: 1 });
    const fitted = encoder({ target: 'weather' }).fit(train);
    expect(fitted.labels).toEqual(['drizzle', 'fog', 'rain', 'snow', 'sun']);
    const network = new Network({
      input: fitted.shape,
      layers: [dense(32), relu(), dense(5)],
      loss: softmaxCrossEntropy(),
      seed: 1,
    });
    const optimizer = new Adam({ learningRate: 0.01 });
    await network.fit(fitted.dataset(train), { optimizer, epochs: 30, batchSize: 32 });
    const { accuracy } = await network.evaluate(fitted.dataset(test));
    // Of the test's 292 days, 128 have rain, the most frequent label.
    expect(accuracy).toBeGreaterThan(0.75);
    network.encoder = fitted;
    const path = write('');
    await network.save(path, { optimizer });

    const predictions = predictRows(network, test);
    const truth = test.column('weather').values;
    const right = predictions.filter(({ label }, row) => label === truth[row]).length;
    expect(right / test.length).toBeCloseTo(accuracy as number, 6);
    for (const { label, probability, probabilities } of predictions) {
      const values = Object.values(probabilities ?? {});
      expect(Object.keys(probabilities ?? {})).toEqual(fitted.labels);
      expect(probability).toBe(Math.max(...values));
      expect(probabilities?.[label as string]).toBe(probability);
      expect(Math.abs(values.reduce((sum, value) => sum + value, 0) - 1)).toBeLessThan(1e-5);
    }

    const rows = write(JSON.stringify(test.rows()));
    const lib = (name: string) => JSON.stringify(new URL(`../../dist/${name}`, import.meta.url).href);
    const script = `
      import { readFileSync } from 'node:fs';
      import { Network } from ${lib('index.js')};
      import { predictRows } from ${lib('tables/index.js')};
      const network = await Network.load(process.argv[1]);
      const rows = JSON.parse(readFileSync(process.argv[2], 'utf8'));
      console.log(JSON.stringify(predictRows(network, rows)));
    `;
    const args = ['--input-type=module', '--eval', script, path, rows];
    const output = execFileSync(process.execPath, args, { encoding: 'utf8' });
    expect(JSON.parse(output)).toEqual(JSON.parse(JSON.stringify(predictions)));
  });

  it('temperatures: values in degrees, near those of a least-squares line', async () => {
    const table = await readCsv(WEATHER);
    const { train, test } = table.split({ time: 'date', test: 0.25 });
    const fitted = encoder({ target: 'temp_max', ignore: ['date', 'weather', 'wind', 'precipitation'] }).fit(train);
    const network = new Network({ input: fitted.shape, layers: [dense(1)], loss: meanSquaredError(), seed: 1 });
    await network.fit(fitted.dataset(train), {
      optimizer: new Adam({ learningRate: 0.05 }),
      epochs: 300,
      batchSize: 2000,
    });
    network.encoder = fitted;
    // The line through the training days by its formula: slope = Σ (x − x̄)(y − ȳ) / Σ (x − x̄)².
    const [x, y] = ['temp_min', 'temp_max'].map((name) => train.column(name).values as Float64Array);
    const mean = (list: Float64Array) => list.reduce((sum, value) => sum + value, 0) / list.length;
    const [mx, my] = [mean(x), mean(y)];
    const slope =
      x.reduce((sum, value, i) => sum + (value - mx) * (y[i] - my), 0) /
      x.reduce((sum, value) => sum + (value - mx) ** 2, 0);
    const predictions = predictRows(network, [{ temp_min: 0 }, { temp_min: 10 }, { temp_min: 17.5 }]);
    predictions.forEach(({ value }, i) => {
      const line = my + slope * ([0, 10, 17.5][i] - mx);
      expect(Math.abs((value as number) - line), `${value}, ${line}`).toBeLessThan(0.01);
    });
    expect(predictRows(network, test).length).toBe(test.length);
  });
});

describe('categories as indices', () => {
  const places = ['Bern', 'Chur', 'Thun', 'Sion', null];
  const rent = [30, 12, 20, 8, 16];
  const table = Table.from(
    Array.from({ length: 200 }, (_, i) => ({
      size: (i * 7) % 11,
      // Two rare ones.
      city: i < 2 ? `village ${i}` : places[i % 5],
      price: rent[i % 5] + ((i * 7) % 11),
    })),
  );
  const fitted = encoder({ target: 'price', columns: { city: { encoding: 'index' } } }).fit(table);
  const make = () => {
    const { numbers, city } = fitted.inputs();
    const vectors = city.pipe(embedding(fitted.vocabularies.city.length, 2, { name: 'cities' }));
    const output = concat(numbers, vectors).pipe(dense(fitted.outputs, { name: 'price' }));
    return new Network({ output, loss: meanSquaredError(), seed: 1 });
  };
  const optimizer = () => new Adam({ learningRate: 0.03 });

  it('a network whose input has no name', async () => {
    const chain = new Network({ input: fitted.shape, layers: [dense(1)], loss: meanSquaredError(), seed: 1 });
    const message =
      /features: the network's only input has no name, and the data are for inputs named .*numbers.*city.*; inputs\(\) of/;
    await expectRejection(
      () => chain.fit(fitted.dataset(table), { optimizer: optimizer(), epochs: 1 }),
      'INVALID_ARGUMENT',
      message,
    );
    chain.encoder = fitted;
    expectError(() => predictRows(chain, [{ size: 3, city: 'Bern' }]), 'INVALID_ARGUMENT', message);
  });

  it('an encoder too large for a file is refused when it is set', async () => {
    const network = make();
    // A JSON string in a JSON string: six characters of quotes and their escapes.
    const largest = 'x'.repeat(7 * 2 ** 20 - 6);
    network.encoder = largest;
    const path = write('');
    await network.save(path);
    expect((await Network.load(path)).encoder === largest).toBe(true);
    expectError(
      () => {
        network.encoder = `${largest}x`;
      },
      'INVALID_ARGUMENT',
      /^encoder: 7340033 bytes in a file, at most 7340032; lower `most` or raise `minimum` of its columns$/,
    );
    expect(network.encoder === largest).toBe(true);
  });

  it('trains, travels in the file, and predicts rows with unseen and missing values', async () => {
    const network = make();
    await network.fit(fitted.dataset(table), { optimizer: optimizer(), epochs: 120, batchSize: 50 });
    network.encoder = fitted;
    const path = write('');
    await network.save(path);
    const loaded = await Network.load(path);
    const rows = [...['Bern', 'Chur', null, 'Zug', 'village 0'].map((city) => ({ size: 3, city })), { size: 5 }];
    const predictions = predictRows(loaded, rows);
    // The same sums from the parameters.
    const values = new Map(loaded.parameters.map(({ name, value }) => [name, value]));
    const [cities, w, [b]] = ['cities.weight', 'price.weight', 'price.bias'].map((name) => [
      ...(values.get(name) ?? []),
    ]);
    const [, x] = fitted
      .toJSON()
      .columns.map((column) => column as Record<string, number>)
      .reverse();
    const goal = fitted.toJSON().target as Record<string, number>;
    const expected = (size: number, index: number) =>
      (((size - x.center) / x.spread) * w[0] + cities[2 * index] * w[1] + cities[2 * index + 1] * w[2] + b) *
        goal.spread +
      goal.center;
    const names = fitted.vocabularies.city;
    expect(names).toEqual(
      ['other', 'Bern', 'Chur', 'Sion', 'Thun', 'missing'].map((name, i) =>
        i % 5 === 0 ? `city (${name})` : `city=${name}`,
      ),
    );
    [
      [3, 1],
      [3, 2],
      [3, 5],
      [3, 0],
      [3, 0],
      [5, 5],
    ].forEach(([size, index], row) => {
      expect(predictions[row].value).toBeCloseTo(expected(size, index), 4);
    });
    for (const [row, price] of [33, 15, 19].entries())
      expect(Math.abs((predictions[row].value ?? 0) - price)).toBeLessThan(1);
    expect(predictRows(loaded, table).length).toBe(200);
    const outputs = await loaded.predictAsync(fitted.features(rows));
    expect(fitted.decode(outputs, rows.length)).toEqual(predictions);
  });

  it('trains on batches and on pieces of a file', async () => {
    const path = write(['size,city,price', ...table.rows().map((row) => Object.values(row).join(','))].join('\n'));
    const rows = streamCsv(path, { rows: 64 });
    const learnt = await encoder({ target: 'price', columns: { city: { encoding: 'index' } } }).fitStream(rows);
    expect(learnt.vocabularies).toEqual(fitted.vocabularies);
    for (const data of [fitted.batches(table, { batchSize: 20 }), learnt.stream(rows, { batchSize: 20 })]) {
      const network = make();
      const { loss } = await network.fit(data, { optimizer: optimizer(), epochs: 60 });
      expect(loss[59]).toBeLessThan(loss[0] / 20);
    }
  });

  it('other networks are refused', async () => {
    const network = new Network({ input: fitted.shape, layers: [dense(1)], loss: meanSquaredError() });
    await expect(network.fit(fitted.dataset(table))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    network.encoder = fitted;
    expectError(() => predictRows(network, table), 'INVALID_ARGUMENT', /numbers/);
    // A vocabulary that is too small.
    const { numbers, city } = fitted.inputs();
    const small = concat(numbers, city.pipe(embedding(3, 2))).pipe(dense(1));
    const narrow = new Network({ output: small, loss: meanSquaredError() });
    await expect(narrow.fit(fitted.dataset(table))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('predictRows', () => {
  const table = Table.from([
    { x: 1, y: 'no' },
    { x: 2, y: 'yes' },
    { x: 3, y: 'yes' },
  ]);
  const fitted = encoder({ target: 'y' }).fit(table);
  const make = (outputs: number, loss = softmaxCrossEntropy()) =>
    new Network({ input: [1], layers: [dense(outputs)], loss, seed: 1, backend: 'typescript' });

  it('one output and binary cross-entropy: the probability of the second label', async () => {
    const network = make(1, binaryCrossEntropy());
    const { labels } = fitted.dataset(table);
    const data = fitted.features(table);
    await network.fit({ ...data, labels }, { optimizer: new Adam({ learningRate: 0.1 }), epochs: 50 });
    network.encoder = fitted;
    const [output] = network.predict(fitted.features([{ x: 3 }]));
    expect(predictRows(network, [{ x: 3 }])).toEqual([
      { label: 'yes', probability: output, probabilities: { no: 1 - output, yes: output } },
    ]);
  });

  it('no rows, a missing value, a table', () => {
    const network = make(2);
    network.encoder = fitted;
    expect(predictRows(network, [])).toEqual([]);
    expect(predictRows(network, [{ x: null }])).toEqual(predictRows(network, [{ x: 2 }]));
    expect(predictRows(network, table.select(['x']))).toEqual(predictRows(network, [{ x: 1 }, { x: 2 }, { x: 3 }]));
  });

  it('rows so wide that they are encoded in several parts; a batch at a time in training', async () => {
    const topics = [
      ['the striker scored a late goal', 'sport'],
      ['parliament votes on the new budget', 'politics'],
      ['the keeper saved the penalty', 'sport'],
      ['ministers and members of parliament meet', 'politics'],
    ];
    const rows = Array.from({ length: 200 }, (_, i) => ({ text: `${topics[i % 4][0]} ${i}`, topic: topics[i % 4][1] }));
    const texts = Table.from(rows);
    const wide = encoder({ target: 'topic', columns: { text: { as: 'text', size: 2 ** 16 } } }).fit(texts);
    const network = new Network({ input: wide.shape, layers: [dense(2)], loss: softmaxCrossEntropy(), seed: 1 });
    await network.fit(wide.batches(texts, { batchSize: 20 }), {
      optimizer: new Adam({ learningRate: 0.01 }),
      epochs: 5,
    });
    expect((await network.evaluate(wide.batches(texts))).accuracy).toBe(1);
    network.encoder = wide;
    const labels = predictRows(network, rows).map(({ label }) => label);
    expect(labels).toEqual(rows.map(({ topic }) => topic));
    expect(predictRows(network, texts)).toEqual(predictRows(network, rows));
    const all = wide.decode(network.predict(wide.features(texts)), texts.length);
    expect(predictRows(network, texts).map(({ label }) => label)).toEqual(all.map(({ label }) => label));
  });

  it('wide rows are checked as those of one table', async () => {
    const rows = Array.from({ length: 12 }, (_, i) => ({
      x: i,
      text: `word${i}`,
      code: ['10', '11', 'A'][i % 3],
      y: 'ab'[i % 2],
    }));
    const columns = { text: { as: 'text', size: 2 ** 20 }, code: { minimum: 1 } } as const;
    const parts = encoder({ target: 'y', columns }).fit(Table.from(rows));
    const network = { encoder: parts.toJSON(), predict: ({ length }: Dataset) => new Float32Array(2 * length) };
    // Four rows of 2^20 numbers are encoded at a time: no other row is in the last part.
    const codes = await readCsv(write('x,text,code\n1,w,10\n2,w,10\n3,w,10\n4,w,10\n5,w,77\n'));
    expect(codes.column('code').type).toBe('number');
    expect(predictRows(network, codes)).toHaveLength(5);
    const far = rows.map((row, i) => ({ ...row, x: i === 7 ? 1e300 : i }));
    const mixed = rows.map((row, i) => ({ ...row, x: i === 7 ? 'seven' : i }));
    for (const of of [(list: object[]) => list, (list: object[]) => Table.from(list)]) {
      expectError(() => predictRows(network, of(far)), 'NON_FINITE', /^predictRows: rows: row 7, column "x"/);
      expectError(() => predictRows(network, of(mixed)), 'INVALID_ARGUMENT', /^predictRows: rows: row 7, column "x"/);
    }
  });

  it('errors', () => {
    const network = make(2);
    expectError(() => predictRows(network, [{ x: 1 }]), 'INVALID_ARGUMENT', /a network with an encoder/);
    expectError(() => predictRows({} as Network, []), 'INVALID_ARGUMENT', /network: expected a Network/);
    network.encoder = { version: 3 };
    expectError(() => predictRows(network, [{ x: 1 }]), 'INVALID_ARGUMENT', /Encoder: version/);
    network.encoder = fitted;
    expectError(() => predictRows(network, [{ z: 1 }]), 'INVALID_ARGUMENT', /^predictRows: rows: .*the key "x"/);
    expectError(
      () => predictRows(network, table.select(['y'])),
      'INVALID_ARGUMENT',
      /^predictRows: rows: expected a column "x", got y$/,
    );
    expectError(() => predictRows(network, [1] as never), 'INVALID_ARGUMENT', /^predictRows: rows: row 0: expected/);
    const three = make(3);
    three.encoder = fitted;
    expectError(() => predictRows(three, [{ x: 1 }]), 'SHAPE_MISMATCH', /expected 2 numbers a row, got 3/);
    const wide = new Network({ input: [2], layers: [dense(2)], loss: softmaxCrossEntropy(), backend: 'typescript' });
    wide.encoder = fitted;
    expectError(() => predictRows(wide, [{ x: 1 }]), 'SHAPE_MISMATCH', /x/);
    const node = input([1], { name: 'x' }).pipe(dense(2));
    const named = new Network({ outputs: { y: node }, losses: { y: softmaxCrossEntropy() }, backend: 'typescript' });
    named.encoder = fitted;
    expectError(() => predictRows(named, [{ x: 1 }]), 'INVALID_ARGUMENT', /one output without a name/);
  });
});

describe('network.encoder', () => {
  const fitted = encoder({ target: 'y' }).fit(
    Table.from([
      { x: 'a', y: 1 },
      { x: 'a', y: 2 },
    ]),
  );
  const network = new Network({
    input: [1],
    layers: [dense(1)],
    loss: meanSquaredError(),
    seed: 1,
    backend: 'typescript',
  });
  const load = (bytes: Uint8Array) => Network.fromBytes(bytes, { backend: 'typescript' });

  it('is plain frozen data that files, clones and the metadata of the user leave apart', () => {
    expect(network.encoder).toBeUndefined();
    expect(load(network.toBytes()).encoder).toBeUndefined();
    network.encoder = fitted;
    network.metadata = { mine: 1 };
    const again = load(network.toBytes());
    expect(again.encoder).toEqual(fitted.toJSON());
    expect(again.metadata).toEqual({ mine: 1 });
    expect(Object.isFrozen((again.encoder as unknown as EncoderJson).columns[0])).toBe(true);
    expect(Encoder.fromJSON(again.encoder as unknown as EncoderJson).toJSON()).toEqual(fitted.toJSON());
    expect(network.clone().encoder).toEqual(fitted.toJSON());
    network.encoder = undefined;
    expect(load(network.toBytes()).encoder).toBeUndefined();
  });

  it('refuses what JSON can not hold', () => {
    expectError(
      () => (network.encoder = (() => 1) as never),
      'INVALID_ARGUMENT',
      /encoder: expected a value that JSON/,
    );
  });

  it('a broken one in a file is FILE_CORRUPT at loading, a wrong one an error of predictRows', () => {
    network.encoder = fitted;
    const bytes = network.toBytes();
    const { header, data } = partsOf(bytes);
    (header.__metadata__ as Record<string, string>).encoder += '}';
    expectError(() => load(fileOf(header, data)), 'FILE_CORRUPT', /metadata: encoder: /);
    const more = withSection(bytes, 'encoder', (json) => ({ ...json, more: 1 }));
    expectError(() => predictRows(load(more), [{ x: 'a' }]), 'UNKNOWN_OPTION', /Encoder: unknown option "more"/);
    const polluting = withSection(bytes, 'encoder', () => JSON.parse('{"__proto__": 1}'));
    expectError(() => load(polluting), 'FILE_CORRUPT', /metadata: encoder: .*__proto__/);
  });
});
