import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { describe as describeValue } from '../../lib/checks.js';
import * as data from '../../lib/data/index.js';
import { BlasnetError } from '../../lib/errors.js';
import { registerLayer, registerLoss, registerOptimizer } from '../../lib/extend.js';
import * as blasnet from '../../lib/index.js';
import * as kernels from '../../lib/kernels/index.js';
import * as report from '../../lib/report/index.js';
import * as search from '../../lib/search/index.js';
import { cut, listed, quote } from '../../lib/text.js';

const folder = mkdtempSync(join(tmpdir(), 'blasnet-messages-'));
afterAll(() => rmSync(folder, { recursive: true }));

const long = 'x'.repeat(2 ** 17);

function named(name: string): object {
  return new (Object.defineProperty(class {}, 'name', { value: name }))();
}

/** What may come instead of an argument: each would be long, endless or an error when shown as it is. */
const values: Record<string, () => unknown> = {
  'a long string': () => long,
  'control characters': () => '\u0001'.repeat(2 ** 17),
  'a long path': () => join(folder, `${'d/'.repeat(2 ** 16)}file`),
  'a long URL': () => new URL(`https://example.org/${long}`),
  'a long file: URL': () => new URL(`file:///${long}`),
  'a long option': () => ({ [long]: 1 }),
  'options with long values': () =>
    Object.fromEntries(
      ['path', 'monitor', 'seed', 'learningRate', 'name', 'labelNames', 'title', 'label', 'images', 'test'].map(
        (key) => [key, long],
      ),
    ),
  'many options': () => Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`option${i}`, 1])),
  'a function with a long name': () => Object.defineProperty(() => 1, 'name', { value: long }),
  'an object of a class with a long name': () => named(long),
  'an object whose constructor is odd': () => ({ constructor: { name: Symbol(long) } }),
  'a symbol': () => Symbol(long),
  'a big integer': () => 10n ** 30_000n,
  'a big negative integer': () => -(10n ** 30_000n),
  'a long array': () => Array(2 ** 13).fill(long),
  'an array of long strings': () => [long, long],
  'long labels': () => [{ type: long }, { type: 'relu', name: long }],
  'a nested array': () => Array.from({ length: 7 }, () => 1).reduce<unknown>((inner) => [inner], long),
  'an object that throws': () =>
    new Proxy(
      {},
      {
        get() {
          throw new Error(long);
        },
      },
    ),
  'a revoked proxy': () => {
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    return proxy;
  },
  'an object without a prototype': () => Object.assign(Object.create(null), { [long]: long }),
};

const input = new Float32Array(4);
const network = new blasnet.Network({
  input: [4],
  layers: [blasnet.dense(3), blasnet.dense(2, { name: `n${long}` })],
  loss: blasnet.softmaxCrossEntropy(),
  backend: 'typescript',
});
const dataset = new data.Dataset({ features: [[1, 2, 3, 4]], labels: [0] });
const make = (name: string, Class: unknown) => [
  name,
  (...given: unknown[]) => new (Class as new (...given: unknown[]) => unknown)(...given),
];

type Call = (...given: never[]) => unknown;
const isClass = (value: unknown) =>
  typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value));
const exported = [blasnet, blasnet.metrics, data, report, kernels, search].flatMap((module) =>
  Object.entries(module)
    .filter(([, value]) => typeof value === 'function' && value !== BlasnetError)
    .map(([name, value]) => (isClass(value) ? make(name, value) : [name, value])),
);
const methods = (name: string, object: object) => {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(object)).filter(
    (key) =>
      key !== 'constructor' &&
      key !== 'dispose' &&
      typeof Object.getOwnPropertyDescriptor(Object.getPrototypeOf(object), key)?.value === 'function',
  );
  return names.map((key) => [
    `${name}.${key}`,
    (...given: unknown[]) => (object as Record<string, (...given: unknown[]) => unknown>)[key](...given),
  ]);
};
const calls = Object.fromEntries([
  ...exported,
  ...methods('network', network),
  ...methods('dataset', dataset),
  ...methods('optimizer', new blasnet.Adam()),
  ['Network.load', blasnet.Network.load],
  ['Network.fromBytes', blasnet.Network.fromBytes],
]) as Record<string, Call>;

/** Arguments with the value in the place of each of the first three. */
const places = (value: unknown): unknown[][] => [
  [value],
  [input, value],
  [dataset, value],
  [join(folder, 'none'), value],
  [dataset, dataset, value],
];

describe('messages are short', () => {
  it.each(Object.entries(values))('for %s', { timeout: 120_000 }, async (_, make) => {
    for (const [name, call] of Object.entries(calls)) {
      for (const given of places(make())) {
        let error: unknown;
        try {
          const result = call(...(given as never[]));
          if (result instanceof Promise) await result;
        } catch (thrown) {
          error = thrown;
        }
        // Not every call refuses each of these, and what throws in a caller's object is passed on.
        if (!(error instanceof BlasnetError)) continue;
        expect(error.message.length, `${name}: ${error.message.slice(0, 200)}`).toBeLessThan(1000);
      }
    }
  });

  it('whatever they are made of', () => {
    expect(new BlasnetError('INTERNAL', `begin${long}end`).message).toMatch(/^beginx+…x+end$/);
    expect(new BlasnetError('INTERNAL', `begin${long}end`).message.length).toBe(2000);
    for (const make of Object.values(values)) expect(describeValue(make()).length).toBeLessThanOrEqual(240);
  });

  it('what a name can be, whatever it names', () => {
    const rule = /: name: expected a name of letters, digits, _ and -, beginning with a letter or _, got "2d"$/;
    const make = (() => undefined) as never;
    expect(() => registerLayer('2d', undefined, make)).toThrow(rule);
    expect(() => registerLoss('2d', make)).toThrow(rule);
    expect(() => registerOptimizer('2d', make)).toThrow(rule);
    expect(() => blasnet.dense(2, { name: '2d' })).toThrow(rule);
  });

  it('where the names in a list are many, they are counted', () => {
    const layers = Array.from({ length: 200 }, () => blasnet.dense(4));
    const many = new blasnet.Network({ input: [4], layers, loss: blasnet.meanSquaredError(), backend: 'typescript' });
    expect(() => many.parameter('none')).toThrow(
      /^name: expected one of 0\.weight, .*, 4\.bias and 390 more, got "none"$/,
    );
  });
});

describe('text', () => {
  it('is cut in the middle', () => {
    expect([cut('abcdef', 6), cut('abcdefg', 6), cut('abcdefgh', 5)]).toEqual(['abcdef', 'abc…fg', 'ab…gh']);
    expect(quote(long)).toMatch(/^"x{40}…x{39}"$/);
    expect([listed([1, 2]), listed([1, 2, 3], 2)]).toEqual(['1, 2', '1, 2 and 1 more']);
  });
});
