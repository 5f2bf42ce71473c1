import { describe, expect, it } from 'vitest';
import { BlasnetError } from '../../lib/errors.js';
import { JsonError, parseJson } from '../../lib/formats/json.js';
import { decodeSafetensors, encodeSafetensors } from '../../lib/formats/safetensors.js';
import { RandomStream } from '../../lib/random.js';
import { expectError } from '../data/expect-error.js';
import { fileOf } from './support.js';

const f32 = (shape: unknown, begin: unknown, end: unknown) => ({ dtype: 'F32', shape, data_offsets: [begin, end] });
const tensor = f32([2], 0, 8);
const text = JSON.stringify;

describe('valid files', () => {
  it.each<[string, Uint8Array, string[]]>([
    ['nothing', fileOf({}), []],
    ['a header behind which there are spaces', fileOf(`${text({ a: tensor })}   `, 8), ['a']],
    ['a scalar', fileOf({ a: f32([], 0, 4) }, 4), ['a']],
    ['tensors of no elements', fileOf({ a: f32([0, 5], 0, 0), b: tensor, c: f32([0], 8, 8) }, 8), ['a', 'b', 'c']],
    ['data in another order than the header', fileOf({ b: f32([1], 4, 8), a: f32([1], 0, 4) }, 8), ['b', 'a']],
    ['every size of element', fileOf({ a: { dtype: 'BF16', shape: [3], data_offsets: [0, 6] } }, 6), ['a']],
    ['metadata', fileOf({ __metadata__: { framework: 'pt' }, a: tensor }, 8), ['a']],
    [
      'names that mean something in JavaScript',
      fileOf({ constructor: tensor, toString: f32([0], 8, 8) }, 8),
      ['constructor', 'toString'],
    ],
  ])('%s', (_, bytes, names) => {
    expect([...decodeSafetensors(bytes, 'file').tensors.keys()]).toEqual(names);
  });

  it('may lie anywhere in memory', () => {
    const bytes = encodeSafetensors([{ name: 'a', shape: [2], value: Float32Array.of(1, 2) }], { k: 'é' });
    const shifted = new Uint8Array(bytes.length + 3).subarray(3);
    shifted.set(bytes);
    const { tensors, metadata } = decodeSafetensors(shifted, 'file');
    expect(metadata).toEqual(new Map([['k', 'é']]));
    expect([...(tensors.get('a')?.bytes ?? [])]).toEqual([0, 0, 128, 63, 0, 0, 0, 64]);
    expect((tensors.get('a')?.offset as number) % 8).toBe(0);
  });
});

describe('files that break a rule', () => {
  it.each<[string, Uint8Array, RegExp]>([
    ['shorter than the length', new Uint8Array(7), /byte 0: expected 8 bytes/],
    ['empty', new Uint8Array(0), /byte 0: expected 8 bytes/],
    ['an empty header', fileOf(''), /byte 8: the header must begin with '\{'/],
    ['a header beyond the end', fileOf('{}', 0, 3n), /byte 0: a header of 3 bytes reaches beyond the file's 10/],
    [
      'a header above the limit',
      fileOf('{}', 0, 8_388_609n),
      /byte 0: a header of 8388609 bytes is longer than 8388608.*: it is not a safetensors file, or/,
    ],
    ['a length that wraps around', fileOf('{}', 0, 2n ** 64n - 1n), /byte 0: a header of 18446744073709551615 bytes/],
    ['a length that wraps to a valid one', fileOf('{}', 0, 2n ** 64n - 8n), /byte 0: a header of/],
    ['space before the header', fileOf(' {}'), /byte 8: the header must begin/],
    ['a byte-order mark', fileOf('\ufeff{}'), /byte 8: the header must begin/],
    ['a list', fileOf('[]'), /byte 8: the header must begin/],
    ['not JSON', fileOf('{"a":}'), /byte 8: the header must be JSON/],
    ['something behind the JSON', fileOf('{}{}'), /byte 8: the header must be JSON/],
    [
      'not UTF-8',
      fileOf('{"a\xff":1}').map((byte, i) => (i === 10 + 1 ? 0xff : byte)),
      /byte 8: the header must be UTF-8/,
    ],
    ['a name twice', fileOf(`{"a":${text(tensor)},"a":${text(tensor)}}`, 8), /byte 62: .*duplicate key "a"/],
    [
      'a name twice, spelt differently',
      fileOf(`{"a":${text(tensor)},"\\u0061" :${text(tensor)}}`, 8),
      /duplicate key "a"/,
    ],
    [
      'a key of a tensor twice',
      fileOf('{"a":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}}', 4),
      /duplicate key "dtype"/,
    ],
    ['a key of the metadata twice', fileOf('{"__metadata__":{"a":"b","a":"c"}}'), /duplicate key "a"/],
    ['__proto__ as a tensor', fileOf(`{"__proto__":${text(tensor)}}`, 8), /"__proto__" is not allowed/],
    ['__proto__ in a tensor', fileOf(`{"a":{"__proto__":${text(tensor)}}}`, 8), /"__proto__" is not allowed/],
    ['metadata that are a string', fileOf({ __metadata__: 'x' }), /__metadata__ must be an object of strings/],
    ['metadata that are a list', fileOf({ __metadata__: ['x'] }), /__metadata__ must be an object of strings/],
    ['metadata with a number', fileOf({ __metadata__: { a: 1 } }), /__metadata__ must be an object of strings/],
    ['a tensor that is null', fileOf({ a: null }), /tensor "a": expected an object/],
    ['a tensor without shape', fileOf({ a: { dtype: 'F32', data_offsets: [0, 0] } }), /tensor "a": expected an object/],
    ['a tensor with something more', fileOf({ a: { ...tensor, more: 1 } }, 8), /tensor "a": expected an object/],
    ['an unknown dtype', fileOf({ a: { ...tensor, dtype: 'F31' } }, 8), /the dtype must be one of/],
    [
      'a dtype that every object has',
      fileOf({ a: { ...tensor, dtype: 'constructor' } }, 8),
      /the dtype must be one of/,
    ],
    ['a dtype that is a number', fileOf({ a: { ...tensor, dtype: 32 } }, 8), /the dtype must be one of/],
    ['a shape that is a number', fileOf({ a: f32(2, 0, 8) }, 8), /the shape must be a list/],
    ['a negative size', fileOf({ a: f32([-2], 0, 8) }, 8), /the shape must be a list/],
    ['a size that is not whole', fileOf({ a: f32([0.5, 4], 0, 8) }, 8), /the shape must be a list/],
    [
      'a size above 2^53',
      fileOf(`{"a":{"dtype":"F32","shape":[1e300],"data_offsets":[0,8]}}`, 8),
      /the shape must be a list/,
    ],
    ['a product above 2^53', fileOf({ a: f32([2 ** 32, 2 ** 32], 0, 8) }, 8), /the product of its shape is too large/],
    [
      'a product that wraps to 0 in 64 bits',
      fileOf({ a: f32([2 ** 31, 2 ** 31, 4], 0, 0) }),
      /the product of its shape is too large/,
    ],
    [
      'a product above 2^53, then 0',
      fileOf({ a: f32([2 ** 32, 2 ** 32, 0], 0, 0) }),
      /the product of its shape is too large/,
    ],
    ['one offset', fileOf({ a: { ...tensor, data_offsets: [8] } }, 8), /data_offsets must be two/],
    ['three offsets', fileOf({ a: { ...tensor, data_offsets: [0, 8, 8] } }, 8), /data_offsets must be two/],
    ['a negative offset', fileOf({ a: f32([2], -8, 0) }, 8), /data_offsets must be two/],
    ['offsets in words', fileOf({ a: f32([2], '0', '8') }, 8), /data_offsets must be two/],
    ['an end before the begin', fileOf({ a: f32([0], 8, 0) }, 8), /it ends \(0\) before it begins \(8\)/],
    ['fewer bytes than the shape', fileOf({ a: f32([3], 0, 8) }, 8), /its shape takes 12 bytes, its offsets 8/],
    ['more bytes than the shape', fileOf({ a: f32([1], 0, 8) }, 8), /its shape takes 4 bytes, its offsets 8/],
    ['a hole at the begin', fileOf({ a: f32([1], 4, 8) }, 8), /leaves a hole after the one before it, which ends at 0/],
    ['a hole', fileOf({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12), /tensor "b" leaves a hole/],
    ['two at one place', fileOf({ a: tensor, b: tensor }, 8), /tensor "b" overlaps/],
    ['an overlap', fileOf({ a: tensor, b: f32([2], 4, 12) }, 12), /tensor "b" overlaps/],
    ['an end beyond the file', fileOf({ a: f32([4], 0, 16) }, 8), /tensor "a" ends at 16, the data at 8/],
    ['a tensor of 2^52 bytes', fileOf({ a: f32([2 ** 50], 0, 2 ** 52) }, 8), /tensor "a" ends at/],
    ['bytes behind the last tensor', fileOf({ a: tensor }, 9), /1 bytes belong to no tensor/],
    ['bytes and no tensor', fileOf({}, 1), /1 bytes belong to no tensor/],
  ])('%s', (_, bytes, message) => {
    expectError(() => decodeSafetensors(bytes, 'some.safetensors'), 'FILE_CORRUPT', /^some\.safetensors: byte \d+: /);
    expectError(() => decodeSafetensors(bytes, 'some.safetensors'), 'FILE_CORRUPT', message);
  });
});

describe('parseJson', () => {
  const limits = { objects: 100, members: 100 };
  const parse = (text: string) => parseJson(text, limits);

  it('knows keys from other strings, and escapes', () => {
    const valid = [
      '{"a":"a","b":["a","a",{"a":1}],"c":"\\\\"}',
      '["a","a"]',
      '{"a":{"a":{"a":1}}}',
      '"\\"{"',
      ' {"a" \n: 1 } ',
      '3',
    ];
    for (const json of valid) expect(parse(json)).toEqual(JSON.parse(json));
    for (const json of [
      '{"a":1,"b":{},"a":2}',
      `{"a":1,"a"${' '.repeat(1000)}:2}`,
      '[{"x\\n":1,"x\\u000a":1}]',
      '{"\\\\":1,"\\\\":1}',
    ]) {
      expect(() => parse(json), json).toThrow(/duplicate key/);
    }
  });

  it('refuses deep nesting without running out of stack', () => {
    expect(() => parse('['.repeat(200_000) + ']'.repeat(200_000))).toThrow(JsonError);
    expect(() => parse(`${'{"a":'.repeat(65)}1${'}'.repeat(65)}`)).toThrow(/nested deeper/);
    expect(parse(`"${'a\\n'.repeat(1_000_000)}"`)).toHaveLength(2_000_000);
  });

  it('counts what would be made before it makes it', () => {
    const objects = (count: number) =>
      `[${Array(count - 1)
        .fill('{}')
        .join()}]`;
    const members = (count: number) => `{${Array.from({ length: count }, (_, i) => `"k${i}": "{:[,"`).join()}}`;
    expect(parse(objects(100))).toHaveLength(99);
    expect(() => parse(objects(101))).toThrow(/more than 100 objects and lists/);
    expect(Object.keys(parse(members(100)) as object)).toHaveLength(100);
    expect(() => parse(members(101))).toThrow(/more than 100 members of objects/);
    expect(parse(`[${Array(500_001).fill('0').join()}]`)).toHaveLength(500_001);
    expect(() => parse(`[${Array(500_002).fill('0').join()}]`)).toThrow(/more than 500000 entries/);
    expect(() => parse('{"a":1,"__proto__":2}')).toThrow(/"__proto__" is not allowed/);
    for (const text of ['{"a":', '"', '"\\', '}{', '', '[1,]', '{"a":1,"a":2'])
      expect(() => parse(text)).toThrow(JsonError);
  });
});

it('what is written is read again, for any tensors', () => {
  const random = new RandomStream(1, 2);
  const below = (n: number) => Math.floor(n * random.uniform());
  for (let round = 0; round < 200; round++) {
    const tensors = Array.from({ length: below(6) }, (_, i) => {
      const shape = Array.from({ length: below(4) }, () => below(5));
      const value = new Float32Array(shape.reduce((product, size) => product * size, 1)).map(() => random.uniform());
      return { name: `${'é"\\\n'.slice(0, below(5))}${i}`, shape, value };
    });
    const decoded = decodeSafetensors(encodeSafetensors(tensors, { round: String(round) }), 'file');
    expect(decoded.metadata.get('round')).toBe(String(round));
    expect(decoded.tensors.size).toBe(tensors.length);
    for (const { name, shape, value } of tensors) {
      const found = decoded.tensors.get(name);
      expect(found?.shape).toEqual(shape);
      expect(new Float32Array(new Uint8Array(found?.bytes ?? []).buffer)).toEqual(value);
    }
  }
});

it('random bytes are refused, or are a valid file', () => {
  const random = new RandomStream(2, 2);
  for (let round = 0; round < 20_000; round++) {
    const bytes = Uint8Array.from({ length: Math.floor(60 * random.uniform()) }, () =>
      Math.floor(256 * random.uniform()),
    );
    // Mostly with a length that fits, so that what follows is looked at.
    if (bytes.length > 8 && round % 4 > 0)
      bytes.set([Math.floor(random.uniform() * (bytes.length - 7)), 0, 0, 0, 0, 0, 0, 0, 0x7b]);
    try {
      decodeSafetensors(bytes, 'file');
    } catch (error) {
      expect(error).toBeInstanceOf(BlasnetError);
      expect((error as BlasnetError).code).toBe('FILE_CORRUPT');
    }
  }
});
