// Feeds changed files to the readers, guided by which parts of them have run: an input that reaches something new is
// kept and changed further. A reader must refuse with a BlasnetError or give what agrees with the file; quickly, and
// without allocating much.
//   node test/fuzz/readers.mjs safetensors|idx|npy|npz|tfjs|onnx|csv|parquet [--seconds 60] [--seed 1] \
//     [--save <directory>]
// Starts from test/fuzz/corpus; `--save` writes there what reached something new. A failing input goes to build/fuzz,
// and is run alone with `--input <file>`. The input that runs is there too, as <target>-<seed>-running, and stays if
// the process ends within it, as it does when its heap is full.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { crc32, gunzipSync, gzipSync } from 'node:zlib';
import { parseIdx } from '../../dist/data/index.js';
import { BlasnetError } from '../../dist/errors.js';
import { decodeNpz } from '../../dist/formats/array-files.js';
import { decodeNetwork } from '../../dist/formats/network-file.js';
import { decodeNpy } from '../../dist/formats/npy.js';
import { decodeSafetensors } from '../../dist/formats/safetensors.js';
import { fromOnnx, toOnnx } from '../../dist/interop/onnx/index.js';
import { readModelJson } from '../../dist/interop/tfjs/files.js';
import { makeNetwork } from '../../dist/interop/tfjs/import.js';
import { RandomStream } from '../../dist/random.js';
import { readCsv, readParquet, streamCsv, streamParquet } from '../../dist/tables/index.js';

const MILLISECONDS = 2000;
/** What a reader may allocate beyond some times the size of its input: gzip expands 1032 times at most. */
const BYTES = 64 * 2 ** 20;
const LONGEST = 4096;
const BATCH = 32;

const root = fileURLToPath(new URL('../..', import.meta.url));
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    save: { type: 'string' },
    input: { type: 'string' },
  },
});

const random = new RandomStream(Number(options.seed), 1);
const below = (limit) => random.below(limit);
const pick = (list) => list[below(list.length)];

function agree(condition, what) {
  if (!condition) throw new Error(`what was read does not agree with the file: ${what}`);
}

const product = (shape) => shape.reduce((total, size) => total * BigInt(size), 1n);
const sizes = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  F8_E8M0: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
};
const wide = { U64: 8, I64: 8, F64: 8, C64: 8 };

/** A file that was accepted, held to the format's rules in another way than the reader does. */
function checkSafetensors(bytes, { tensors, metadata }) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  agree(length + 8n <= BigInt(bytes.length), 'the length of the header');
  const text = Buffer.from(bytes.subarray(8, 8 + Number(length))).toString();
  let at = 8 + Number(length);
  const inOrder = [...tensors.values()].sort((a, b) => a.offset - b.offset || a.bytes.length - b.bytes.length);
  for (const { offset, shape, dtype, bytes: content } of inOrder) {
    agree(offset === at, 'the place of a tensor');
    agree(product(shape) * BigInt({ ...sizes, ...wide }[dtype]) === BigInt(content.length), 'the size of a tensor');
    at += content.length;
  }
  agree(at === bytes.length, 'the end of the data');
  // A key that stands twice is gone when the header is written again. Escapes and unusual numbers can be written in
  // many ways.
  if (/\\|\d[.eE]|-0/.test(text)) return;
  const letters = (json) => [...json.replace(/\s/g, '')].sort().join('');
  agree(letters(JSON.stringify(JSON.parse(text))) === letters(text), 'the keys of the header');
  agree(
    [...metadata.values()].every((value) => typeof value === 'string'),
    'the metadata',
  );
}

function checkIdx(bytes, { shape, data, type }) {
  agree(product(shape) === BigInt(data.length), 'the number of elements');
  const content = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
  agree(content.length === 4 + 4 * shape.length + data.byteLength, 'the size of the content');
  const codes = { uint8: 8, int8: 9, int16: 11, int32: 12, float32: 13, float64: 14 };
  agree(content[2] === codes[type] && content[3] === shape.length, 'the header');
}

const npySizes = { f2: 2, f4: 4, f8: 8, i1: 1, i2: 2, i4: 4, i8: 8, u1: 1, b1: 1, u2: 2, u4: 4, u8: 8 };

function checkNpy(bytes, { shape, data }) {
  agree(product(shape) === BigInt(data.length), 'the number of elements');
  const start = bytes[6] === 1 ? 10 : 12;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const begin = start + (start === 10 ? view.getUint16(8, true) : view.getUint32(8, true));
  const text = Buffer.from(bytes.subarray(start, begin)).toString('latin1');
  const size = npySizes[/descr['"]\s*:\s*['"][<>=|]?(..)['"]/.exec(text)[1]];
  agree(begin + size * data.length === bytes.length, 'the size of the data');
}

/** Numbers of a network that is made; larger ones are only checked. */
const MOST_WEIGHTS = 2 ** 16;

/** A model.json whose weights are all 0. */
function checkTfjs({ model, paths }) {
  for (const path of paths.flat()) agree(join('/folder', path).startsWith('/folder/'), 'the path of a file of weights');
  for (const { specs, bytes } of model.groups) {
    agree(
      specs.every(({ offset, bytes: own }) => offset + own <= bytes),
      'the places of the weights',
    );
  }
  for (const [{ shape }, { spec }] of model.places)
    agree(product(shape) === product(spec.shape), 'the size of a weight');
  const sizes = model.groups.map(({ bytes }) => bytes);
  const fixed = model.graph.wanted.reduce((sum, { shape }) => sum + product(shape), 0n);
  if (fixed > MOST_WEIGHTS || sizes.some((size) => size > 4 * MOST_WEIGHTS)) return;
  const network = makeNetwork(
    model,
    sizes.map((size) => new Uint8Array(size)),
    { backend: 'typescript', seed: 1 },
  );
  agree(network.outputs.length === model.graph.outputs.length, 'the outputs');
}

const oddNumbers = [
  0,
  1,
  2,
  7,
  8,
  9,
  100,
  255,
  256,
  65535,
  65536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 53 - 1,
  2 ** 53,
  1e20,
  1e300,
  -1,
  0.5,
];

/** Writes a number of 1, 2, 4 or 8 bytes in either order somewhere. */
function writeNumber(bytes) {
  const width = pick([1, 2, 4, 8]);
  if (bytes.length < width) return bytes;
  const copy = bytes.slice();
  const value = BigInt.asUintN(
    64,
    BigInt(Math.trunc(pick(oddNumbers))) + BigInt(below(3) - 1) - (below(4) === 0 ? 8n : 0n),
  );
  const number = Buffer.alloc(8);
  number.writeBigUInt64LE(value);
  const part = number.subarray(0, width);
  copy.set(below(2) === 0 ? part : part.toReversed(), below(2) === 0 ? 0 : below(bytes.length - width + 1));
  return copy;
}

function cut(bytes) {
  const begin = below(bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, begin), bytes.subarray(Math.min(bytes.length, begin + 1 + below(8)))]);
}

function insert(bytes, other) {
  const [begin, from] = [below(bytes.length + 1), below(other.length + 1)];
  const part = below(2) === 0 ? Buffer.alloc(1 + below(8), below(256)) : other.subarray(from, from + 1 + below(64));
  return Buffer.concat([bytes.subarray(0, begin), part, bytes.subarray(begin)]);
}

function changeByte(bytes) {
  const copy = bytes.slice();
  if (copy.length > 0)
    copy[below(copy.length)] = below(2) === 0 ? below(256) : pick([0x22, 0x2c, 0x3a, 0x5b, 0x5d, 0x7b, 0x7d, 0x5c]);
  return copy;
}

const changeBytes = (bytes, other) => pick([writeNumber, cut, insert, changeByte, changeByte])(bytes, other);

const jsonTokens = [
  /-?\d+/g,
  /"[^"]*"/g,
  /"[^"]*":(\{[^{}]*\}|\[[^[\]]*\]|"[^"]*"|\d+),?/g,
  /\{[^{}]*\}/g,
  /\[[^[\]]*\]/g,
];

/** Changes JSON: replaces, doubles, swaps or removes tokens, members, lists and numbers. */
function changeJson(bytes, other) {
  const text = bytes.toString();
  const matches = [...text.matchAll(pick(jsonTokens))];
  const others = [...other.toString().matchAll(pick(jsonTokens))];
  if (matches.length === 0 || others.length === 0) return bytes;
  const { index, 0: found } = pick(matches);
  const replacement = pick([
    `${found},${found}`,
    '',
    pick(matches)[0],
    pick(others)[0],
    pick(classNames),
    pick(words),
    String(pick(oddNumbers)),
    String(Number(found) + below(3) - 1),
  ]);
  return Buffer.from(text.slice(0, index) + replacement + text.slice(index + found.length));
}

/** Changes the header of a npy file, whose length follows. */
function changeDictionary(bytes, other) {
  if (bytes.length < 10) return bytes;
  const begin = Math.min(bytes.length, 10 + bytes.readUInt16LE(8));
  const text = bytes.toString('latin1', 10, begin);
  const matches = [...text.matchAll(pick([/\d+/g, /'[^']*'/g, /\([^()]*\)/g, /True|False/g, /'\w+': [^,]*,/g]))];
  if (matches.length === 0) return changeBytes(bytes, other);
  const { index, 0: found } = pick(matches);
  const kind = `'${pick(['<', '>', '|'])}${pick(Object.keys(npySizes))}'`;
  const tokens = [found + found, '', kind, 'True', '()', `(${below(5)}, ${below(5)})`, String(pick(oddNumbers))];
  const changed = Buffer.from(text.slice(0, index) + pick(tokens) + text.slice(index + found.length), 'latin1');
  const start = Buffer.from(bytes.subarray(0, 10));
  start.writeUInt16LE(changed.length, 8);
  return Buffer.concat([start, changed, bytes.subarray(begin)]);
}

/** Changes an archive of one stored file, and makes sizes and checksum right again. */
function changeStored(bytes, other) {
  if (bytes.length < 30 + 46 + 22 || bytes.readUInt16LE(8) !== 0) return changeBytes(bytes, other);
  const begin = 30 + bytes.readUInt16LE(26) + bytes.readUInt16LE(28);
  const at = bytes.readUInt32LE(bytes.length - 6);
  if (begin >= at || at + 46 > bytes.length) return changeBytes(bytes, other);
  const content = pick([changeBytes, changeDictionary])(Buffer.from(bytes.subarray(begin, at)), other);
  const directory = Buffer.from(bytes.subarray(at));
  directory.writeUInt32LE(crc32(content), 16);
  directory.writeUInt32LE(content.length, 20);
  directory.writeUInt32LE(content.length, 24);
  directory.writeUInt32LE(begin + content.length, directory.length - 6);
  return Buffer.concat([bytes.subarray(0, begin), content, directory]);
}

const classNames = [
  'Dense',
  'Conv2D',
  'Model',
  'Sequential',
  'InputLayer',
  'Add',
  'Dot',
  'Reshape',
  'Softmax',
  'PReLU',
].map((name) => `"${name}"`);

const words = [
  '"F32"',
  '"I64"',
  '"BOOL"',
  '"F8_E4M3"',
  '"shape"',
  '"dtype"',
  '"data_offsets"',
  '"__metadata__"',
  '"__proto__"',
  '"a"',
  '"\\u0061"',
  '[]',
  '{}',
  'null',
  '[0,8]',
];

/**
 * Changes the header of a safetensors file as JSON: replaces, doubles, swaps or removes tokens, members and numbers.
 */
function changeHeader(bytes, other) {
  if (bytes.length < 8) return bytes;
  const length = Math.min(bytes.length - 8, bytes.readUInt32LE(0));
  let text = bytes.toString('utf8', 8, 8 + length);
  const matches = [
    ...text.matchAll(pick([/-?\d+/g, /"[^"]*"/g, /"[^"]*":(\{[^{}]*\}|\[[^\]]*\]|"[^"]*"),?/g, /\{[^{}]*\}/g])),
  ];
  if (matches.length > 0) {
    const { index, 0: found } = pick(matches);
    const replacement = pick([
      found + found,
      `${found},${found}`,
      '',
      pick(matches)[0],
      pick(words),
      String(pick(oddNumbers)),
      String(Number(found) + below(3) - 1),
    ]);
    text = text.slice(0, index) + replacement + text.slice(index + found.length);
  }
  const header = Buffer.from(text);
  const data = bytes.subarray(8 + length);
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(header.length));
  const body = below(4) === 0 ? changeBytes(data, other) : data;
  return Buffer.concat([start, header, body]);
}

const isGzip = (bytes) => bytes[0] === 0x1f && bytes[1] === 0x8b;

/** Changes the content of a gzipped file, where it has any. */
function changeInflated(bytes, other) {
  let content = bytes;
  try {
    if (isGzip(bytes)) content = gunzipSync(bytes, { maxOutputLength: LONGEST });
  } catch {
    return bytes;
  }
  return gzipSync(changeBytes(content, other));
}

/** Messages within messages of an ONNX file, by field. */
const tensor = {};
const dimension = { 1: {} };
const value = { 2: { 1: { 2: { 1: dimension } } } };
const attribute = { 5: tensor };
const messages = { 7: { 1: { 5: attribute }, 5: tensor, 11: value, 12: value }, 8: {} };

/** The fields of a message as [field, wire type, value]; undefined if they are malformed. */
function fieldsOf(bytes, schema) {
  const fields = [];
  let at = 0;
  const varint = () => {
    let number = 0n;
    for (let shift = 0n; at < bytes.length && shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      number |= BigInt(byte & 127) << shift;
      if (byte < 128) return number;
    }
    return undefined;
  };
  while (at < bytes.length) {
    const key = varint();
    if (key === undefined) return undefined;
    const [field, wire] = [Number(key >> 3n), Number(key & 7n)];
    if (![0, 1, 2, 5].includes(wire)) return undefined;
    const length = wire === 2 ? Number(varint() ?? bytes.length + 1) : { 0: 0, 1: 8, 5: 4 }[wire];
    if (at + length > bytes.length) return undefined;
    const part = bytes.subarray(at, at + length);
    at += length;
    const inner = wire === 2 && schema[field] !== undefined ? fieldsOf(part, schema[field]) : undefined;
    const content = wire === 0 ? varint() : (inner ?? part);
    if (content === undefined) return undefined;
    fields.push([field, wire, content]);
  }
  return fields;
}

function varintBytes(number) {
  const bytes = [];
  let rest = BigInt.asUintN(64, number);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}

function messageBytes(fields) {
  return Buffer.concat(
    fields.flatMap(([field, wire, content]) => {
      const key = varintBytes(BigInt(field * 8 + wire));
      if (wire === 0) return [key, varintBytes(content)];
      const bytes = Array.isArray(content) ? messageBytes(content) : content;
      return wire === 2 ? [key, varintBytes(BigInt(bytes.length)), bytes] : [key, bytes];
    }),
  );
}

const operators =
  'Add Sub Mul Div Conv ConvTranspose Gemm MatMul Reshape Transpose Concat Relu Clip Pow Erf PRelu Softmax MaxPool AveragePool GlobalAveragePool BatchNormalization InstanceNormalization LayerNormalization LRN Flatten Squeeze Unsqueeze Shape Gather Constant Cast Identity Dropout ReduceMean ReduceSum Slice Pad Resize Sum Max HardSigmoid Elu'.split(
    ' ',
  );

/** Changes fields of an ONNX file: other numbers, names, operators; some doubled, removed or exchanged. */
function changeFields(bytes, other) {
  const fields = fieldsOf(bytes, messages);
  if (fields === undefined || fields.length === 0) return changeBytes(bytes, other);
  const lists = [fields];
  for (const list of lists) for (const [, , content] of list) if (Array.isArray(content)) lists.push(content);
  const list = pick(lists.filter(({ length }) => length > 0));
  const at = below(list.length);
  const [field, wire, content] = list[at];
  const alike = lists.flat().filter((one) => one[1] === wire && Array.isArray(one[2]) === Array.isArray(content));
  // As bytes, so that no message gets into itself.
  const another = () => {
    const [number, , part] = pick(alike);
    return [number, wire, Array.isArray(part) ? messageBytes(part) : part];
  };
  const action = below(6);
  if (action === 0) list.splice(at, 1);
  else if (action === 1) list.splice(at, 0, another());
  else if (action === 2) list[at] = [field, wire, another()[2]];
  else if (wire === 0) list[at] = [field, wire, BigInt(Math.trunc(pick(oddNumbers))) + BigInt(below(3) - 1)];
  else if (wire === 2 && !Array.isArray(content) && action < 5) list[at] = [field, wire, Buffer.from(pick(operators))];
  else if (!Array.isArray(content)) list[at] = [field, wire, wire === 2 ? changeBytes(content, other) : pick(alike)[2]];
  return messageBytes(fields);
}

/** A network that was read runs, and is written and read again with the same inputs and outputs. */
function checkOnnx(network) {
  const sizes = network.nodes.map(({ shape }) => shape.reduce((product, size) => product * size, 1));
  if (sizes.reduce((sum, size) => sum + size, 0) > 1e5) return;
  const values = network.inputs.map(({ name, shape }) => [name, new Float32Array(Number(product(shape)))]);
  const given = network.predict(values.length === 1 ? values[0][1] : Object.fromEntries(values));
  const outputs = given instanceof Float32Array ? [given] : Object.values(given);
  network.outputs.forEach(({ shape }, i) => agree(outputs[i].length === Number(product(shape)), 'the outputs'));
  const again = fromOnnx(toOnnx(network), { backend: 'typescript' });
  const shapes = (ports) => JSON.stringify(ports.map(({ shape }) => shape));
  agree(shapes(again.inputs) === shapes(network.inputs), 'the inputs of what was written again');
  agree(shapes(again.outputs) === shapes(network.outputs), 'the outputs of what was written again');
}

const csvTokens = [
  '"',
  '""',
  ',',
  ';',
  '\t',
  '|',
  '\n',
  '\r\n',
  '\r',
  ' ',
  'NA',
  '',
  '1e3',
  '-0',
  '007',
  'true',
  '2020-02-30',
];

/** Changes a file of values: replaces, removes or puts in signs, lines and values. */
function changeCsv(bytes, other) {
  const text = bytes.toString('latin1');
  const matches = [...text.matchAll(pick([/[",;\t|\r\n]/g, /[^",;\t|\r\n]+/g, /[^\n]*\n/g]))];
  if (matches.length === 0) return changeBytes(bytes, other);
  const { index, 0: found } = pick(matches);
  const replacement = pick([found + found, '', pick(matches)[0], pick(csvTokens), found + pick(csvTokens)]);
  return Buffer.from(text.slice(0, index) + replacement + text.slice(index + found.length), 'latin1');
}

/** Changes the metadata of a Parquet file, whose length follows it, and leaves the pages as they are. */
function changeMetadata(bytes, other) {
  const metadata = (file) => {
    const end = Math.max(0, file.length - 8);
    return [Math.max(0, end - (file.length < 8 ? 0 : file.readUInt32LE(end))), end];
  };
  const [begin, end] = metadata(bytes);
  const changed = changeBytes(bytes.subarray(begin, end), other.subarray(...metadata(other)));
  const tail = Buffer.from(bytes.subarray(end));
  if (tail.length === 8) tail.writeUInt32LE(changed.length);
  return Buffer.concat([bytes.subarray(0, begin), changed, tail]);
}

/** Changes the pages of a Parquet file, without moving them. */
function changePages(bytes) {
  const end = Math.max(0, bytes.length - 8 - (bytes.length < 8 ? 0 : bytes.readUInt32LE(bytes.length - 8)));
  const changed = pick([writeNumber, changeByte])(Buffer.from(bytes.subarray(0, end)));
  return Buffer.concat([changed, bytes.subarray(end)]);
}

/** A file of its own for readers that take a path. */
const folder = mkdtempSync(join(tmpdir(), 'blasnet-fuzz-'));
process.on('exit', () => rmSync(folder, { recursive: true }));
const file = join(folder, 'input');

/** In pieces, with the types of the whole table, come the same rows. */
async function checkPieces(read, stream, bytes) {
  writeFileSync(file, bytes);
  const table = await read(file);
  const types = Object.fromEntries(table.names.map((name) => [name, table.column(name).type]));
  let row = 0;
  for await (const piece of stream(file, { rows: 3, types })) {
    agree(String(piece.names) === String(table.names), 'the names of the columns');
    for (const values of piece.rows())
      agree(row < table.length && JSON.stringify(values) === JSON.stringify(table.row(row++)), `row ${row}`);
  }
  agree(row === table.length, 'the number of rows');
  return table;
}

/** Where no quotes are, each line that has more than spaces is a row of the file or its header. */
async function checkCsv(bytes) {
  const { length } = await checkPieces(readCsv, streamCsv, bytes);
  const text = Buffer.from(bytes).toString();
  if (!text.includes('"')) agree(length <= text.split(/[\r\n]+/).length - 1, 'the number of lines');
}

const targets = {
  safetensors: {
    changes: [changeBytes, changeHeader, changeHeader, changeHeader],
    run(bytes) {
      checkSafetensors(bytes, decodeSafetensors(bytes, 'input'));
      try {
        decodeNetwork(bytes, 'input', undefined);
      } catch (error) {
        if (!(error instanceof BlasnetError)) throw error;
      }
    },
  },
  onnx: {
    changes: [changeFields, changeFields, changeFields, changeBytes],
    run: (bytes) => checkOnnx(fromOnnx(bytes, { backend: 'typescript' })),
  },
  csv: {
    changes: [changeCsv, changeCsv, changeCsv, changeBytes],
    run: checkCsv,
  },
  parquet: {
    changes: [changeMetadata, changePages],
    run: (bytes) => checkPieces(readParquet, streamParquet, bytes),
  },
  idx: {
    changes: [changeBytes, changeBytes, changeInflated],
    run: (bytes) => checkIdx(bytes, parseIdx(bytes, 'input')),
  },
  npy: {
    changes: [changeBytes, changeDictionary, changeDictionary],
    run: (bytes) => checkNpy(bytes, decodeNpy(bytes, 'input')),
  },
  npz: {
    changes: [changeBytes, changeStored, changeStored],
    run(bytes) {
      for (const { shape, data } of decodeNpz(bytes, 'input').values())
        agree(product(shape) === BigInt(data.length), 'the number of elements');
    },
  },
  tfjs: {
    changes: [changeBytes, changeJson, changeJson, changeJson],
    run: (bytes) => checkTfjs(readModelJson(bytes, 'input')),
  },
};

/** Runs a reader; throws when it does what no reader may do. Returns whether it took the input. */
async function attempt(target, bytes) {
  // Memory of its own, in which a read or a view beyond the end would be none of it.
  const input = Uint8Array.from(bytes);
  const before = process.memoryUsage().arrayBuffers;
  // Of this process: other ones may take the processor meanwhile.
  const begin = process.cpuUsage();
  let taken = true;
  try {
    await target.run(input);
  } catch (error) {
    if (!(error instanceof BlasnetError)) throw error;
    taken = false;
  }
  const { user, system } = process.cpuUsage(begin);
  const milliseconds = (user + system) / 1000;
  if (milliseconds > MILLISECONDS) throw new Error(`it took ${Math.round(milliseconds)} ms`);
  const allocated = process.memoryUsage().arrayBuffers - before;
  if (allocated > BYTES) throw new Error(`it allocated ${allocated} bytes for an input of ${bytes.length}`);
  return taken;
}

const session = new Session();
session.connect();
function profiler(method, parameters) {
  let result;
  session.post(`Profiler.${method}`, parameters, (error, value) => {
    if (error) throw new Error(`${method}: ${error.message}`);
    result = value;
  });
  return result;
}

/** The blocks of the library that have run since the last call, as numbers. */
const blockNumbers = new Map();
function blocksRun() {
  const blocks = [];
  for (const { url, functions } of profiler('takePreciseCoverage').result) {
    if (!url.includes('/dist/')) continue;
    for (const { ranges } of functions) {
      for (const { startOffset, endOffset, count } of ranges) {
        const key = `${url}:${startOffset}:${endOffset}:${count > 0}`;
        if (!blockNumbers.has(key)) blockNumbers.set(key, blockNumbers.size);
        blocks.push(blockNumbers.get(key));
      }
    }
  }
  return blocks;
}

async function fuzz(name, seconds, save) {
  const target = targets[name];
  const folder = join(root, 'test/fuzz/corpus', name);
  const files = readdirSync(folder).map((file) => readFileSync(join(folder, file)));
  const corpus = [];
  const seen = new Set();
  let [runs, taken] = [0, 0];
  const inBuild = (what) => join(root, 'build/fuzz', `${name}-${options.seed}-${what}`);
  mkdirSync(join(root, 'build/fuzz'), { recursive: true });
  const execute = async (bytes) => {
    writeFileSync(inBuild('running'), bytes);
    try {
      if (await attempt(target, bytes)) taken++;
    } catch (error) {
      const file = inBuild(runs);
      writeFileSync(file, bytes);
      throw new Error(`seed ${options.seed}, run ${runs}: the input is in ${file}`, { cause: error });
    }
    runs++;
  };
  const reachesNew = async (bytes) => {
    await execute(bytes);
    const fresh = blocksRun().filter((block) => !seen.has(block));
    for (const block of fresh) seen.add(block);
    return fresh.length > 0;
  };
  const change = () => {
    let bytes = pick(corpus);
    for (let changes = 1 + below(4); changes > 0; changes--)
      bytes = pick(target.changes)(Buffer.from(bytes), pick(corpus));
    return bytes.subarray(0, LONGEST);
  };
  // Loading the packages that read tables is no reader's time.
  if (name === 'csv' || name === 'parquet') await attempt(target, files[0]).catch(() => {});
  profiler('enable');
  profiler('startPreciseCoverage', { callCount: true, detailed: true });
  for (const bytes of files) {
    await reachesNew(bytes);
    corpus.push(bytes);
  }
  const known = corpus.length;
  const end = performance.now() + 1000 * seconds;
  while (performance.now() < end) {
    // Asking what has run takes longer than a reader: the inputs of a batch are run one by one where it reached
    // something new.
    const batch = Array.from({ length: BATCH }, change);
    for (const bytes of batch) await execute(bytes);
    if (blocksRun().some((block) => !seen.has(block)))
      for (const bytes of batch) if (await reachesNew(bytes)) corpus.push(bytes);
    // zlib gives back what a refused stream has taken when the event loop turns.
    await turn();
  }
  rmSync(inBuild('running'));
  const found = corpus.slice(known);
  if (save !== undefined) {
    mkdirSync(save, { recursive: true });
    for (const [i, bytes] of found.entries()) writeFileSync(join(save, `${options.seed}-${i}`), bytes);
  }
  console.log(
    `${name}: seed ${options.seed}, ${runs} inputs, ${taken} taken, ${seen.size} blocks, ${found.length} new inputs`,
  );
}

const [name] = positionals;
if (!(name in targets)) throw new Error(`expected one of ${Object.keys(targets).join(', ')}, got ${name}`);
if (options.input !== undefined)
  console.log((await attempt(targets[name], readFileSync(options.input))) ? 'taken' : 'refused');
else await fuzz(name, Number(options.seconds), options.save);
