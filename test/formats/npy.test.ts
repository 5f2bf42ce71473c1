import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { runInNewContext } from 'node:vm';
import { afterAll, describe, expect, it } from 'vitest';
import { decodeSafetensors } from '../../lib/formats/safetensors.js';
import {
  type NewArray,
  readNpy,
  readNpz,
  readSafetensors,
  writeNpy,
  writeNpz,
  writeSafetensors,
} from '../../lib/index.js';
import { expectRejection } from '../data/expect-error.js';

/** Written by `python3 arrays.py make fixtures`. */
const fixtures = fileURLToPath(new URL('npy/fixtures', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'blasnet-npy-'));
afterAll(() => rmSync(folder, { recursive: true }));

const fixture = (name: string) => join(fixtures, name);
const shape = [2, 3, 4];
const values = Array.from({ length: 24 }, (_, i) => i);
const path = join(folder, 'changed.npy');

describe('npy', () => {
  it.each<[string, string]>([
    ['f2', 'Float32Array'],
    ['f4', 'Float32Array'],
    ['f4-big', 'Float32Array'],
    ['f8', 'Float64Array'],
    ['f8-big', 'Float64Array'],
    ['i1', 'Int8Array'],
    ['i2', 'Int16Array'],
    ['i2-big', 'Int16Array'],
    ['i4', 'Int32Array'],
    ['i4-big', 'Int32Array'],
    ['i8', 'Int32Array'],
    ['i8-big', 'Int32Array'],
    ['u1', 'Uint8Array'],
    ['u2', 'Uint16Array'],
    ['u4', 'Uint32Array'],
    ['u8', 'Int32Array'],
  ])('reads %s as %s', async (name, kind) => {
    const { shape: sizes, data } = await readNpy(fixture(`${name}.npy`));
    expect(sizes).toEqual(shape);
    expect(data.constructor.name).toBe(kind);
    expect([...data]).toEqual(name.startsWith('u') ? values : values.map((i) => i - 5));
  });

  it('reads booleans, the order of Fortran, a single number, and nothing', async () => {
    expect([...(await readNpy(fixture('bool.npy'))).data]).toEqual(values.map((i) => Number(i % 3 === 1)));
    for (const name of ['fortran.npy', 'fortran-i8.npy']) {
      const array = await readNpy(pathToFileURL(fixture(name)));
      expect({ shape: array.shape, values: [...array.data] }).toEqual({ shape, values });
    }
    expect(await readNpy(fixture('scalar.npy'))).toEqual({ shape: [], data: Float32Array.of(2.5) });
    expect(await readNpy(fixture('empty.npy'))).toEqual({ shape: [3, 0], data: new Float32Array(0) });
  });

  it('writes the bytes that NumPy writes', async () => {
    const numbers = values.map((i) => i - 5);
    const classes = { f4: Float32Array, f8: Float64Array, i1: Int8Array, i2: Int16Array, i4: Int32Array };
    for (const [name, type] of Object.entries(classes)) {
      await writeNpy(path, { shape, data: new type(numbers) });
      expect(readFileSync(path).equals(readFileSync(fixture(`${name}.npy`))), name).toBe(true);
    }
    await writeNpy(path, { shape: [], data: Float32Array.of(2.5) });
    expect(readFileSync(path).equals(readFileSync(fixture('scalar.npy')))).toBe(true);
    await writeNpy(path, { shape: [3, 0], data: new Float32Array(0) });
    expect(readFileSync(path).equals(readFileSync(fixture('empty.npy')))).toBe(true);
  });

  it('writes a list, part of a buffer, and arrays of another realm', async () => {
    await writeNpy(path, { data: new Int16Array([9, 1, 2, 9]).subarray(1, 3) });
    expect(await readNpy(path)).toEqual({ shape: [2], data: Int16Array.of(1, 2) });
    await writeNpy(path, runInNewContext('({ data: new Float64Array([1, 2]), shape: [2, 1] })') as NewArray);
    expect(await readNpy(path)).toEqual({ shape: [2, 1], data: Float64Array.of(1, 2) });
  });

  it('says which eight-byte integer does not fit', async () => {
    await expectRejection(() => readNpy(fixture('wide.npy')), 'INVALID_ARGUMENT', /wide.npy: element 1 is 2147483648/);
  });

  const f4 = readFileSync(fixture('f4.npy'));
  const withHeader = (text: string, data = 96) => {
    const header = Buffer.alloc(10 + text.length);
    f4.copy(header, 0, 0, 8);
    header.writeUInt16LE(text.length, 8);
    header.write(text, 10, 'latin1');
    return Buffer.concat([header, Buffer.alloc(data)]);
  };
  const entry = (descr: string, size: string, order = 'False') =>
    `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${size}}`;
  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', Buffer.alloc(0), /byte 0: it must begin/],
    ['another magic', Buffer.concat([Buffer.of(0x92), f4.subarray(1)]), /byte 0: it must begin/],
    ['version 4', Buffer.concat([f4.subarray(0, 6), Buffer.of(4), f4.subarray(7)]), /byte 6: its version is 4/],
    ['a header beyond the end', f4.subarray(0, 60), /byte 8: the header ends at 128, the file at 60/],
    ['a short file', f4.subarray(0, 223), /takes 96 bytes, the data have 95/],
    ['a long file', Buffer.concat([f4, Buffer.of(0)]), /takes 96 bytes, the data have 97/],
    ['a huge header', withHeader(' '.repeat(9000)), /the header has 9000 bytes; at most 8192/],
    ['a huge shape', withHeader(entry("'<f4'", '(9007199254740991, 9007199254740991, 0)')), /takes 0 bytes/],
    ['a shape beyond numbers', withHeader(entry("'<f4'", `(${'9'.repeat(400)},)`)), /at most 64 sizes/],
    ['too many sizes', withHeader(entry("'<f4'", `(${'1,'.repeat(65)})`), 4), /at most 64 sizes/],
    ['a negative size', withHeader(entry("'<f4'", '(-1,)')), /must be a dictionary/],
    ['no shape', withHeader("{'descr': '<f4', 'fortran_order': False}"), /shape must be a tuple/],
    ['a shape that is none', withHeader(entry("'<f4'", "'(1,)'")), /shape must be a tuple/],
    ['no order', withHeader("{'descr': '<f4', 'shape': (24,)}"), /fortran_order must be/],
    ['a key twice', withHeader("{'descr': '<f4', 'descr': '<f4'}"), /must be a dictionary/],
    ['code', withHeader("__import__('os')"), /must be a dictionary/],
    ['complex numbers', withHeader(entry("'<c8'", '(12,)')), /the type "'<c8'" is not read/],
    ['objects', readFileSync(fixture('objects.npy')), /the type "'\|O'" is not read/],
    ['fields', readFileSync(fixture('structured.npy')), /must be a dictionary/],
  ])('refuses %s', async (_name, bytes, message) => {
    writeFileSync(path, bytes);
    await expectRejection(() => readNpy(path), 'FILE_CORRUPT', message);
  });

  it('checks what is to be written', async () => {
    const data = new Float32Array(6);
    await expectRejection(
      () => writeNpy(path, { data, shape: [2, 2] }),
      'SHAPE_MISMATCH',
      /has 4 elements, the data 6/,
    );
    await expectRejection(() => writeNpy(path, { data, shape: [-6] }), 'INVALID_ARGUMENT', /array: shape/);
    await expectRejection(() => writeNpy(path, { data, nonsense: 1 } as never), 'UNKNOWN_OPTION', /nonsense/);
    await expectRejection(() => writeNpy(path, data as never), 'INVALID_ARGUMENT', /array: expected an object/);
    const wide = { data: new BigInt64Array(1) } as never;
    await expectRejection(() => writeNpy(path, wide), 'INVALID_ARGUMENT', /array: data: expected one of Float32Array/);
    await expectRejection(() => writeNpy(join(folder, 'no/such'), { data }), 'FILE_NOT_WRITTEN', /no\/such/);
    await expectRejection(() => readNpy(join(folder, 'none.npy')), 'FILE_NOT_FOUND', /none.npy/);
  });
});

describe('npz', () => {
  const archive = join(folder, 'changed.npz');

  it.each(['stored', 'deflated'])('reads one that is %s', async (name) => {
    const arrays = await readNpz(fixture(`${name}.npz`));
    expect([...arrays.keys()]).toEqual(['x', 'y', '__proto__']);
    expect(arrays.get('x')).toEqual({ shape, data: Float32Array.from(values) });
    expect(arrays.get('y')).toEqual({ shape: [3], data: Int32Array.of(1, 0, 2) });
    expect(arrays.get('__proto__')).toEqual({ shape: [1], data: Float64Array.of(1.5) });
  });

  it('reads again what it has written, objects and maps, and the same bytes for the same arrays', async () => {
    const arrays = { a: { data: Float32Array.of(1, 2) }, 'b/ü': { shape: [1, 1], data: Uint8Array.of(3) } };
    await writeNpz(archive, arrays);
    const expected = new Map([
      ['a', { shape: [2], data: Float32Array.of(1, 2) }],
      ['b/ü', { shape: [1, 1], data: Uint8Array.of(3) }],
    ]);
    expect(await readNpz(archive)).toEqual(expected);
    const bytes = readFileSync(archive);
    await writeNpz(pathToFileURL(archive), new Map(Object.entries(arrays)));
    expect(readFileSync(archive).equals(bytes)).toBe(true);
    await writeNpz(archive, {});
    expect((await readNpz(archive)).size).toBe(0);
  });

  const stored = readFileSync(fixture('stored.npz'));
  const deflated = readFileSync(fixture('deflated.npz'));
  const changed = (bytes: Buffer, at: number, value: number, width = 1) => {
    const copy = Buffer.from(bytes);
    copy.writeUIntLE(value, at, width);
    return copy;
  };
  const directory = stored.readUInt32LE(stored.length - 6);
  const packed = deflated.readUInt32LE(deflated.length - 6);
  it.each<[string, Buffer, RegExp]>([
    ['nothing', Buffer.alloc(0), /must end with the directory/],
    ['an end cut off', stored.subarray(0, -1), /must end with the directory/],
    ['a directory elsewhere', changed(stored, stored.length - 6, 0, 4), /byte 0: entry 0 of the directory/],
    ['more entries than there are', changed(stored, stored.length - 12, 4, 2), /entry 3 of the directory/],
    ['encryption', changed(stored, directory + 8, 1, 2), /without encryption/],
    ['another method', changed(stored, directory + 10, 12, 2), /must be stored or deflated/],
    ['another checksum', changed(stored, directory + 16, 1, 4), /does not have its checksum/],
    ['a size of 64 bits', changed(stored, directory + 24, 0xffffffff, 4), /larger than 4 GiB/],
    ['another size', changed(stored, directory + 24, 5, 4), /has 224 bytes, its directory says 5/],
    ['data beyond the end', changed(stored, directory + 20, 5000, 4), /goes beyond the end of the file/],
    ['a header beyond the end', changed(stored, directory + 42, 5000, 4), /the header of "x.npy" must be here/],
    [
      'a huge size',
      changed(deflated, packed + 24, 0xfffffff0, 4),
      /its arrays take 4294967\d{3} bytes; at most 67108864/,
    ],
    ['less data than said', changed(deflated, packed + 24, 5000, 4), /its directory says 5000/],
    ['broken data', changed(deflated, 60, 0xff), /checksum|broken deflate data|directory says/],
  ])('refuses %s', async (_name, bytes, message) => {
    writeFileSync(archive, bytes);
    await expectRejection(() => readNpz(archive), 'FILE_CORRUPT', message);
  });

  it('inflates no more than it may, and checks what is to be written', async () => {
    const file = fixture('deflated.npz');
    await expectRejection(() => readNpz(file, { maxBytes: 500 }), 'FILE_CORRUPT', /at most 500 are read/);
    expect((await readNpz(file, { maxBytes: 1000 })).size).toBe(3);
    await expectRejection(() => readNpz(file, { maxBytes: 0 }), 'INVALID_ARGUMENT', /maxBytes/);
    await expectRejection(
      () => writeNpz(archive, [] as never),
      'INVALID_ARGUMENT',
      /arrays: expected an object or a Map/,
    );
    await expectRejection(() => writeNpz(archive, new Map([[1, {}]]) as never), 'INVALID_ARGUMENT', /key/);
    await expectRejection(() => writeNpz(archive, { '': { data: values as never } }), 'INVALID_ARGUMENT', /name/);
    await expectRejection(() => writeNpz(archive, { a: { data: values as never } }), 'INVALID_ARGUMENT', /"a": data/);
  });
});

const python = process.env.BLASNET_TORCH_PYTHON;
const unavailable =
  python === undefined ? ' (not available here: `npm run test:long -- torch` names one with NumPy)' : '';

it.skipIf(python === undefined)(`NumPy reads what is written${unavailable}`, async () => {
  const classes = [Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Uint8Array, Uint16Array, Uint32Array];
  const arrays: Record<string, NewArray> = { scalar: { shape: [], data: Float32Array.of(7) } };
  for (const type of classes) arrays[type.name.toLowerCase().replace('array', '')] = { shape, data: new type(values) };
  await writeNpz(join(folder, 'ours.npz'), arrays);
  await writeNpy(join(folder, 'ours.npy'), arrays.float32);
  const script = fileURLToPath(new URL('npy/arrays.py', import.meta.url));
  const { stdout, stderr } = spawnSync(python as string, [script, 'check', folder], { encoding: 'utf8' });
  expect(stdout, stderr).toBe('read\n');
});

describe('safetensors', () => {
  const file = join(folder, 'tensors.safetensors');

  it('gives back every type that it writes, with names and metadata', async () => {
    const tensors = {
      constructor: { data: Uint8Array.of(1, 2, 3) },
      i8: { data: Int8Array.of(-1, 5) },
      i16: { data: Int16Array.of(-300) },
      u16: { data: Uint16Array.of(60000) },
      i32: { data: Int32Array.of(-70000), shape: [1, 1] },
      u32: { data: Uint32Array.of(4e9) },
      i64: { data: BigInt64Array.of(-(2n ** 60n)) },
      u64: { data: BigUint64Array.of(2n ** 63n) },
      f32: { data: Float32Array.of(0.5, Number.NaN), shape: [2] },
      f64: { data: Float64Array.of(0.1), shape: [] },
    };
    await writeSafetensors(file, tensors, { metadata: { format: 'pt' } });
    const read = await readSafetensors(file);
    expect(read.metadata).toEqual(new Map([['format', 'pt']]));
    expect(new Set(read.tensors.keys())).toEqual(new Set(Object.keys(tensors)));
    for (const [name, tensor] of Object.entries(tensors)) {
      const shape = 'shape' in tensor ? tensor.shape : [tensor.data.length];
      const dtype = name === 'constructor' ? 'U8' : name.toUpperCase();
      expect(read.tensors.get(name), name).toEqual({ dtype, shape, data: tensor.data });
    }
    // Other readers map the tensors into memory: each begins at a multiple of its element's size.
    for (const { offset, dtype } of decodeSafetensors(readFileSync(file), file).tensors.values())
      expect(offset % (Number(dtype.slice(1)) / 8), dtype).toBe(0);
    await writeSafetensors(file, new Map());
    expect((await readSafetensors(pathToFileURL(file))).tensors.size).toBe(0);
  });

  it('reads halves and bfloat16 as float32', async () => {
    const header = JSON.stringify({
      h: { dtype: 'F16', shape: [6], data_offsets: [0, 12] },
      b: { dtype: 'BF16', shape: [3], data_offsets: [12, 18] },
      l: { dtype: 'BOOL', shape: [2], data_offsets: [18, 20] },
    });
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x7c00, 0x0001, 0x7e00, 0x8000, 0x3f80, 0xc049, 0x7f80);
    writeFileSync(file, Buffer.concat([length, Buffer.from(header), Buffer.from(halves.buffer), Buffer.of(1, 0)]));
    const { tensors } = await readSafetensors(file);
    const { POSITIVE_INFINITY, NaN: nan } = Number;
    expect(tensors.get('h')?.data).toEqual(Float32Array.of(1, -2, POSITIVE_INFINITY, 2 ** -24, nan, -0));
    expect(tensors.get('b')?.data).toEqual(Float32Array.of(1, -3.140625, POSITIVE_INFINITY));
    expect(tensors.get('l')?.data).toEqual(Uint8Array.of(1, 0));
  });

  it('checks what is to be written', async () => {
    const data = new Float32Array(1);
    const proto = JSON.parse('{"__proto__":{"data":1}}');
    await expectRejection(() => writeSafetensors(file, proto), 'INVALID_ARGUMENT', /does not take for itself/);
    await expectRejection(() => writeSafetensors(file, { __metadata__: { data } }), 'INVALID_ARGUMENT', /for itself/);
    await expectRejection(
      () => writeSafetensors(file, { a: { data, shape: [2] } }),
      'SHAPE_MISMATCH',
      /"a": the shape/,
    );
    const metadata = { a: 1 } as never;
    await expectRejection(() => writeSafetensors(file, {}, { metadata }), 'INVALID_ARGUMENT', /object of strings/);
    await expectRejection(() => writeSafetensors(file, {}, { nonsense: 1 } as never), 'UNKNOWN_OPTION', /nonsense/);
    writeFileSync(file, 'short');
    await expectRejection(() => readSafetensors(file), 'FILE_CORRUPT', /byte 0/);
  });
});
