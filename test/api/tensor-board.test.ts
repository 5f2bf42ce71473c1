import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { dense, input, meanSquaredError, Network, Sgd, tensorBoard } from '../../lib/index.js';
import { classData, classifier, expectError, expectRejection } from './support.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'blasnet-events-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

// A second reader, from the definitions: bit by bit, no table, and any message as a list of its fields.

/** CRC-32C as division of polynomials: 1EDC6F41, bits of each byte lowest first (RFC 3720, appendix B.4). */
function crc32c(bytes: Uint8Array): number {
  let remainder = 0xffffffffn;
  for (const byte of bytes) {
    for (let bit = 0n; bit < 8n; bit++) {
      const carry = (remainder >> 31n) ^ ((BigInt(byte) >> bit) & 1n);
      remainder = (remainder << 1n) & 0xffffffffn;
      if (carry === 1n) remainder ^= 0x1edc6f41n;
    }
  }
  const reversed = [...remainder.toString(2).padStart(32, '0')].reverse().join('');
  return ~Number.parseInt(reversed, 2) >>> 0;
}

function unmask(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}

function records(bytes: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(data).toHaveLength(length);
    expect(unmask(bytes.readUInt32LE(at + 8))).toBe(crc32c(bytes.subarray(at, at + 8)));
    expect(unmask(bytes.readUInt32LE(at + 12 + length))).toBe(crc32c(data));
    found.push(data);
    at += 16 + length;
  }
  return found;
}

type Field = number | Buffer;
/** Values by field number. Four bytes are floats, eight are doubles. */
function fields(message: Buffer): Map<number, Field[]> {
  const found = new Map<number, Field[]>();
  let at = 0;
  const varint = () => {
    let [value, factor, byte] = [0, 1, 0];
    do {
      byte = message[at++];
      value += (byte & 127) * factor;
      factor *= 128;
    } while (byte > 127);
    return value;
  };
  const read = (type: number): Field => {
    if (type === 0) return varint();
    const length = type === 1 ? 8 : type === 5 ? 4 : varint();
    at += length;
    expect(at).toBeLessThanOrEqual(message.length);
    const part = message.subarray(at - length, at);
    return type === 1 ? part.readDoubleLE() : type === 5 ? part.readFloatLE() : part;
  };
  while (at < message.length) {
    const key = varint();
    const value = read(key % 8);
    found.set(Math.floor(key / 8), [...(found.get(Math.floor(key / 8)) ?? []), value]);
  }
  return found;
}
const doubles = (packed: Field) =>
  Array.from({ length: (packed as Buffer).length / 8 }, (_, i) => (packed as Buffer).readDoubleLE(8 * i));

/** The steps of a folder's files, in the order of the files: values by tag. */
function readRun(directory: string) {
  return readdirSync(directory)
    .sort()
    .map((name) => {
      expect(name).toMatch(/^events\.out\.tfevents\.\d{10}\.[\w.-]+\.\d+\.\d+$/);
      const [version, start, ...events] = records(readFileSync(join(directory, name))).map(fields);
      expect(String(version.get(3)?.[0])).toBe('brain.Event:2');
      expect(fields(start.get(7)?.[0] as Buffer).get(1)).toEqual([1]);
      const steps = events.map((event) => {
        expect(Math.abs((event.get(1)?.[0] as number) - Date.now() / 1000)).toBeLessThan(60);
        const [summary] = event.get(5) as Buffer[];
        const values = (fields(summary).get(1) as Buffer[]).map(fields);
        const tags = values.map((value) => [
          String(value.get(1)?.[0]),
          value.has(2) ? value.get(2)?.[0] : fields(value.get(5)?.[0] as Buffer),
        ]);
        return { step: event.get(2)?.[0], values: Object.fromEntries(tags) as Record<string, unknown> };
      });
      return { start: start.get(2)?.[0], steps };
    });
}

it('the checksum of the second reader gives the values that RFC 3720 lists', () => {
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
});

it('a second reader finds the log of each epoch, checksums right', async () => {
  const directory = join(folder, 'run');
  const data = classData(20);
  const network = classifier('typescript');
  const weights: Float32Array[] = [];
  const history = await network.fit(data, {
    optimizer: new Sgd({ learningRate: 0.05 }),
    epochs: 2,
    validation: data,
    metrics: { f: ({ length }: ArrayLike<number>) => length },
    callbacks: [
      tensorBoard({ directory, histograms: network }),
      { onEpochEnd: () => void weights.push(network.parameters[0].value.slice()) },
    ],
  });
  const [{ start, steps }] = readRun(join(directory, 'train'));
  expect(start).toBe(0);
  expect(steps.map(({ step }) => step)).toEqual([0, 1]);
  for (const [i, { values }] of steps.entries()) {
    const { loss, accuracy, samplesPerSecond } = history.epochs[i];
    const { histograms, scalars } = split(values);
    expect(scalars).toEqual({
      loss: Math.fround(loss),
      accuracy: Math.fround(accuracy as number),
      'learning rate': Math.fround(0.05),
      'samples per second': Math.fround(samplesPerSecond),
    });
    expect(Object.keys(histograms)).toEqual(network.parameters.map(({ name }) => `parameters/${name}`));
    const histogram = histograms['parameters/0.weight'];
    const sorted = [...weights[i]].sort((a, b) => a - b);
    const [min, max, count, sum, squares] = [1, 2, 3, 4, 5].map((field) => histogram.get(field)?.[0]);
    expect([min, max, count]).toEqual([sorted[0], sorted.at(-1), sorted.length]);
    expect(sum).toBeCloseTo(
      sorted.reduce((total, x) => total + x, 0),
      9,
    );
    expect(squares).toBeCloseTo(
      sorted.reduce((total, x) => total + x * x, 0),
      9,
    );
    const [limits, counts] = [6, 7].map((field) => doubles(histogram.get(field)?.[0] as Field));
    expect(limits).toHaveLength(30);
    expect(limits.at(-1)).toBe(max);
    // A number on the edge of two bins may be in either.
    let below = 0;
    for (const [bin, limit] of limits.entries()) {
      below += counts[bin];
      expect(below).toBeGreaterThanOrEqual(sorted.filter((x) => x < limit - 1e-9).length);
      expect(below).toBeLessThanOrEqual(sorted.filter((x) => x <= limit + 1e-9).length);
    }
  }
  const [validation] = readRun(join(directory, 'validation'));
  expect(validation.steps[1].values).toEqual({
    loss: Math.fround(history.validationLoss[1]),
    accuracy: Math.fround(history.validationAccuracy[1]),
    f: history.metric('f')[1],
  });
});

type Message = Map<number, Field[]>;
function split(values: Record<string, unknown>) {
  const entries = Object.entries(values);
  return {
    scalars: Object.fromEntries(entries.filter(([, value]) => typeof value === 'number')),
    histograms: Object.fromEntries(entries.filter(([, value]) => typeof value !== 'number')) as Record<string, Message>,
  };
}

it('a resumed training has files of its own that start at its first epoch', async () => {
  const directory = join(folder, 'resumed');
  const network = classifier('typescript');
  const optimizer = new Sgd({ learningRate: 0.05 });
  const callbacks = tensorBoard({ directory });
  await network.fit(classData(20), { optimizer, epochs: 2, callbacks });
  await network.fit(classData(20), { optimizer, epochs: 1, initialEpoch: 200, callbacks });
  expect(readRun(join(directory, 'train')).map(({ start, steps }) => [start, steps.length])).toEqual([
    [0, 2],
    [200, 1],
  ]);
  expect(readdirSync(directory)).toEqual(['train']);
});

it('has files whose names are in the order in which they were begun', async () => {
  const directory = join(folder, 'order');
  for (let i = 0; i < 12; i++)
    await classifier('typescript').fit(classData(20), { initialEpoch: i, callbacks: tensorBoard({ directory }) });
  expect(readRun(join(directory, 'train')).map(({ start }) => start)).toEqual([...Array(12).keys()]);
});

it('has the figures of several outputs by name', async () => {
  const x = input([2]);
  const network = new Network({
    outputs: { a: x.pipe(dense(1)), b_1: x.pipe(dense(1)) },
    losses: { a: meanSquaredError(), b_1: meanSquaredError() },
    backend: 'typescript',
  });
  const stream = (async function* () {
    yield { x: [1, 2, 3, 4], y: { a: Float32Array.of(1, 2), b_1: Float32Array.of(3, 4) } };
  })();
  const directory = join(folder, 'outputs');
  const { epochs } = await network.fit(stream as never, { callbacks: tensorBoard({ directory }) });
  const [{ values }] = readRun(join(directory, 'train'))[0].steps;
  expect(Object.keys(values)).toEqual(['loss', 'a/loss', 'b_1/loss', 'learning rate', 'samples per second']);
  expect(values['b_1/loss']).toBe(Math.fround(epochs[0].outputs?.b_1.loss as number));
});

it('ends training with a typed error if the files cannot be written', async () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const attempt = (directory: string) => () =>
    classifier('typescript').fit(classData(5), { callbacks: tensorBoard({ directory }) });
  await expectRejection(attempt(file), 'FILE_NOT_WRITTEN', /the folder cannot be made/);
});

it('checks its arguments', () => {
  expectError(() => tensorBoard({} as never), 'INVALID_ARGUMENT', /^tensorBoard: directory: expected a path/);
  expectError(() => tensorBoard({ logdir: 'a' } as never), 'UNKNOWN_OPTION', /"logdir"/);
  expectError(
    () => tensorBoard({ directory: 'a', histograms: true as never }),
    'INVALID_ARGUMENT',
    /^tensorBoard: histograms: expected a Network/,
  );
});
