import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { type Metadata, Network } from '../../lib/index.js';
import { expectError } from '../data/expect-error.js';
import { tinyNetwork } from './support.js';

const nested = (depth: number): Metadata => (depth === 0 ? 0 : [nested(depth - 1)]);
const endless = (depth: number) => {
  let value: Metadata = [];
  for (let i = 1; i < depth; i++) value = [value];
  return value;
};
const round: Record<string, unknown> = { list: [] };
(round.list as unknown[]).push(round);
class Point {
  readonly x = 1;
}
class List extends Array<number> {}

describe('metadata', () => {
  it.each<[string, unknown, RegExp]>([
    ['Infinity', { mean: [0, Number.POSITIVE_INFINITY] }, / at metadata\.mean\[1\], got Infinity$/],
    ['NaN', Number.NaN, /^metadata: expected a value that JSON can hold, got NaN$/],
    ['undefined in a list', [undefined], / at metadata\[0\], got undefined$/],
    ['NaN as a property', { a: { 'b c': Number.NaN } }, / at metadata\.a\["b c"\], got NaN$/],
    ['a function', { f: Math.abs }, / at metadata\.f, got function abs$/],
    ['a symbol', [Symbol('s')], / at metadata\[0\], got Symbol\(s\)$/],
    ['a symbol as a key', { a: { [Symbol('s')]: 1 } }, / at metadata\.a, got/],
    ['a bigint', { a: 1n }, / at metadata\.a, got 1n$/],
    ['a Map', { a: new Map([[1, 2]]) }, / at metadata\.a, got object of class Map$/],
    ['a Set', new Set([1]), /got object of class Set$/],
    ['a Date', { at: new Date(0) }, / at metadata\.at, got object of class Date$/],
    ['a typed array', { mean: Float32Array.of(1) }, / at metadata\.mean, got Float32Array of length 1$/],
    ['an instance', [new Point()], / at metadata\[0\], got object of class Point$/],
    ['a boxed number', Object(1), /got object of class Number$/],
    ['a list of a class', List.of(1), /^metadata: expected a value that JSON can hold, got/],
    ['a list with more than entries', /a/.exec('a'), /^metadata: expected a value that JSON can hold, got/],
    ['a hole', new Array(2 ** 32 - 1), / at metadata\[0\], got undefined$/],
    ['what converts itself', { toJSON: () => 1 }, / at metadata\.toJSON, got function toJSON$/],
    ['a cycle', round, / at metadata\.list\[0\] \(it contains itself\), got/],
    ['65 levels', nested(65), / \(nested deeper than 64\), got/],
    ['very many levels', endless(200_000), / \(nested deeper than 64\), got/],
  ])('refuses %s, telling where', (_, value, message) => {
    const network = tinyNetwork();
    const set = () => Object.assign(network, { metadata: value });
    expectError(set, 'INVALID_ARGUMENT', message);
    expectError(set, 'INVALID_ARGUMENT', /^metadata: expected a value that JSON can hold/);
    expect(network.metadata).toBeUndefined();
  });

  it('refuses what throws when it is read', () => {
    const value = Object.defineProperty({}, 'a', { enumerable: true, get: () => expect.fail('read') });
    const set = () => Object.assign(tinyNetwork(), { metadata: value });
    expectError(set, 'INVALID_ARGUMENT', /^metadata: expected a value that JSON can hold \(read\)/);
  });

  it('a file gives back what is accepted', () => {
    const shared = [1];
    const bare = Object.assign(Object.create(null), { a: null });
    const foreign = runInNewContext('({ list: [1, { a: true }] })');
    const value = {
      bare,
      foreign,
      twice: [shared, shared],
      texts: ['', '\ud800', 'é'],
      least: 5e-324,
      deep: nested(63),
    };
    const network = tinyNetwork();
    network.metadata = value;
    expect(network.metadata).toEqual(JSON.parse(JSON.stringify(value)));
    expect(Network.fromBytes(network.toBytes()).metadata).toEqual(network.metadata);
  });

  it('−0 is 0 at once, as in a file', () => {
    const network = tinyNetwork();
    network.metadata = [-0];
    expect(network.metadata).toStrictEqual([0]);
    expect(Network.fromBytes(network.toBytes()).metadata).toStrictEqual([0]);
  });

  it('an encoder may convert itself, to such values', () => {
    const network = tinyNetwork();
    network.encoder = { toJSON: () => ({ a: 1 }) };
    expect(network.encoder).toEqual({ a: 1 });
    const set = (toJSON: () => unknown) => () => Object.assign(network, { encoder: { toJSON } });
    expectError(
      set(() => ({ a: Number.NaN })),
      'INVALID_ARGUMENT',
      /^encoder: .* at encoder\.a, got NaN/,
    );
    expectError(
      set(() => expect.fail('no')),
      'INVALID_ARGUMENT',
      /^encoder: .*\(no\)/,
    );
    expect(network.encoder).toEqual({ a: 1 });
  });
});
