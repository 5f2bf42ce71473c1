/** ONNX's messages as plain data, to and from bytes. Numbers of fields and types are those of the public onnx.proto. */
import { MAX_RANK } from '../../checks.js';
import { BlasnetError } from '../../errors.js';
import { cut, quote, shapeText } from '../../text.js';
import { MessageReader, MessageWriter, MOST_INTEGERS } from './wire.js';

export const FLOAT = 1;
export const UINT8 = 2;
export const INT32 = 6;
export const INT64 = 7;
export const BOOL = 9;
/** Types whose values become float32: float, float16, double. */
export const FLOATING: readonly number[] = [FLOAT, 10, 11];

/** What is written: operators of set 17, which ONNX Runtime 1.12 and later run. */
const IR_VERSION = 8;
const OPSET = 17;
/** What is read. Sets change operators; the readers of operators know these. */
const OPSETS = { min: 7, max: 22 };
const MAX_NODES = 10_000;
const MAX_TENSORS = 30_000;
/** A file is one message, whose length is a signed 32-bit number for most readers. */
const MAX_BYTES = 2 ** 31 - 1;

/** A tensor of a file: its numbers are float32 or, for shapes and axes, integers. */
export interface OnnxTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array | readonly number[];
}

export type OnnxAttribute = number | string | readonly number[] | OnnxTensor;

export function isTensor(attribute: OnnxAttribute | undefined): attribute is OnnxTensor {
  return typeof attribute === 'object' && !Array.isArray(attribute);
}

export interface OnnxNode {
  readonly name: string;
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
}

/** An input or an output of the graph; a dimension may have a name instead of a size. */
export interface OnnxValue {
  readonly name: string;
  readonly type: number;
  readonly shape: readonly (number | string)[];
  /** The dimension of the channels, if the file tells (dimensions can have denotations). */
  readonly channels?: number | undefined;
}

export interface OnnxModel {
  readonly opset: number;
  readonly nodes: readonly OnnxNode[];
  readonly tensors: ReadonlyMap<string, OnnxTensor>;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

/** Attributes to write, with their kinds: ONNX distinguishes 1 and 1.0. */
export type NewAttribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly ints: readonly number[] }
  | { readonly string: string };

export interface NewNode extends Omit<OnnxNode, 'attributes'> {
  readonly attributes: Readonly<Record<string, NewAttribute>>;
}

function writeNode(message: MessageWriter, { name, operator, inputs, outputs, attributes }: NewNode): void {
  for (const input of inputs) message.string(1, input);
  for (const output of outputs) message.string(2, output);
  message.string(3, name);
  message.string(4, operator);
  for (const [key, value] of Object.entries(attributes)) {
    message.message(5, (attribute) => {
      attribute.string(1, key);
      if ('float' in value) attribute.float(2, value.float);
      else if ('int' in value) attribute.integer(3, value.int);
      else if ('string' in value) attribute.string(4, value.string);
      else attribute.integers(8, value.ints);
      const type = 'float' in value ? 1 : 'int' in value ? 2 : 'string' in value ? 3 : 7;
      attribute.integer(20, type);
    });
  }
}

function writeTensor(message: MessageWriter, name: string, { shape, values }: OnnxTensor): void {
  message.integers(1, shape);
  message.integer(2, values instanceof Float32Array ? FLOAT : INT64);
  message.string(8, name);
  const raw = values instanceof Float32Array ? values : BigInt64Array.from(values, BigInt);
  message.bytes(9, new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength));
}

/** ONNX's denotation of the dimension of channels. */
const CHANNEL = 'DATA_CHANNEL';

function writeValue(message: MessageWriter, { name, type, shape, channels }: OnnxValue): void {
  message.string(1, name);
  message.message(2, (value) =>
    value.message(1, (tensor) => {
      tensor.integer(1, type);
      tensor.message(2, (dimensions) => {
        shape.forEach((size, i) => {
          dimensions.message(1, (dimension) => {
            if (typeof size === 'number') dimension.integer(1, size);
            else dimension.string(2, size);
            if (i === channels) dimension.string(3, CHANNEL);
          });
        });
      });
    }),
  );
}

/** What {@link encodeModel} writes. */
export interface NewModel extends Omit<OnnxModel, 'opset' | 'nodes'> {
  readonly nodes: readonly NewNode[];
}

/** The bytes of an ONNX file. Throws `INVALID_ARGUMENT` if they would be 2 GiB or more. */
export function encodeModel(name: string, { nodes, tensors, inputs, outputs }: NewModel): Uint8Array {
  const message = new MessageWriter();
  message.integer(1, IR_VERSION);
  message.string(2, 'blasnet');
  message.message(7, (graph) => {
    for (const node of nodes) graph.message(1, (inner) => writeNode(inner, node));
    graph.string(2, 'network');
    for (const [key, tensor] of tensors) graph.message(5, (inner) => writeTensor(inner, key, tensor));
    for (const input of inputs) graph.message(11, (inner) => writeValue(inner, input));
    for (const output of outputs) graph.message(12, (inner) => writeValue(inner, output));
  });
  message.message(8, (set) => {
    set.string(1, '');
    set.integer(2, OPSET);
  });
  if (message.length > MAX_BYTES) {
    const text = `the network takes ${message.length} bytes; an ONNX file has at most ${MAX_BYTES}`;
    throw new BlasnetError('INVALID_ARGUMENT', `${name}: ${text}`);
  }
  return message.finish();
}

/** The error for a file that is well-formed but has what blasnet does not. */
export function unsupported(file: string, what: string): BlasnetError {
  return new BlasnetError('INVALID_ARGUMENT', `${file}: ${what}`);
}

/** Bytes of an element in `raw_data`, by type; and how it is read. */
const elements = new Map<number, readonly [size: number, read: (view: DataView, at: number) => number]>([
  [FLOAT, [4, (view, at) => view.getFloat32(at, true)]],
  [UINT8, [1, (view, at) => view.getUint8(at)]],
  [3, [1, (view, at) => view.getInt8(at)]],
  [INT32, [4, (view, at) => view.getInt32(at, true)]],
  [INT64, [8, (view, at) => Number(view.getBigInt64(at, true))]],
  [BOOL, [1, (view, at) => view.getUint8(at)]],
  [10, [2, (view, at) => halfFloat(view.getUint16(at, true))]],
  [11, [8, (view, at) => view.getFloat64(at, true)]],
]);

/** The number of an IEEE 754 binary16. */
function halfFloat(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

function readTensor(message: MessageReader): { name: string; tensor: OnnxTensor } {
  const { file } = message;
  const shape: number[] = [];
  const numbers: number[] = [];
  let [type, name]: [number, string] = [0, ''];
  let raw: Uint8Array | undefined;
  for (let field = message.next(); field !== undefined; field = message.next()) {
    if (field.number === 1) message.integers(field, shape);
    else if (field.number === 2) type = message.integer(field);
    else if (field.number === 3) throw unsupported(file, 'it has a tensor in segments');
    else if (field.number === 4) message.floats(field, numbers);
    else if (field.number === 5 || field.number === 7) message.integers(field, numbers);
    else if (field.number === 8) name = message.string(field);
    else if (field.number === 9) raw = message.bytes(field);
    else if (field.number === 10) message.doubles(field, numbers);
    else if (field.number === 13 || (field.number === 14 && message.integer(field) !== 0))
      throw unsupported(file, 'it has a tensor in another file (external data): save the model as one file');
    else if (field.number !== 14) message.skip(field);
  }
  const label = `the tensor ${quote(name)}`;
  const kind = elements.get(type);
  if (kind === undefined) throw unsupported(file, `${label} has the element type ${type}`);
  if (shape.length > MAX_RANK || !shape.every((size) => Number.isSafeInteger(size) && size >= 0))
    throw message.corrupt(`${label} has the shape ${shapeText(shape)}`);
  const [size, read] = kind;
  const wanted = shape.reduce((product, each) => product * each, 1);
  const given = raw === undefined ? numbers.length : raw.length / size;
  if (wanted !== given) throw message.corrupt(`${label} has the shape ${shapeText(shape)} but ${given} numbers`);
  const view = raw && new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  // float16 without raw data is in int32_data, as bits.
  const at = (i: number): number => {
    if (view !== undefined) return read(view, i * size);
    return type === 10 ? halfFloat(numbers[i]) : numbers[i];
  };
  if (!FLOATING.includes(type) && wanted > MOST_INTEGERS)
    throw unsupported(file, `${label} has ${wanted} integers; quantised networks are not read`);
  // A copy is aligned. The method `slice` of a Buffer makes none.
  if (type === FLOAT && raw !== undefined)
    return { name, tensor: { shape, values: new Float32Array(new Uint8Array(raw).buffer) } };
  const values = FLOATING.includes(type)
    ? Float32Array.from({ length: wanted }, (_, i) => at(i))
    : Array.from({ length: wanted }, (_, i) => at(i));
  return { name, tensor: { shape, values } };
}

function readAttribute(message: MessageReader, node: string): [string, OnnxAttribute] {
  const { file } = message;
  let [name, type] = ['', 0];
  let value: OnnxAttribute | undefined;
  const [ints, floats]: [number[], number[]] = [[], []];
  for (let field = message.next(); field !== undefined; field = message.next()) {
    if (field.number === 1) name = message.string(field);
    else if (field.number === 2) value = message.float(field);
    else if (field.number === 3) value = message.integer(field);
    else if (field.number === 4) value = message.string(field);
    else if (field.number === 5) value = readTensor(message.message(field)).tensor;
    else if (field.number === 7) message.floats(field, floats);
    else if (field.number === 8) message.integers(field, ints);
    else if (field.number === 6 || field.number === 11)
      throw unsupported(file, `the node ${node} has a graph within it`);
    else if (field.number === 20) type = message.integer(field);
    else message.skip(field);
  }
  // Some writers omit numbers that are 0 and empty texts.
  return [name, value ?? (type === 3 ? '' : type === 1 || type === 2 ? 0 : floats.length > 0 ? floats : ints)];
}

function readNode(message: MessageReader, index: number): OnnxNode {
  const { file } = message;
  const [inputs, outputs]: [string[], string[]] = [[], []];
  let [name, operator, domain] = ['', '', ''];
  const attributes = new Map<string, OnnxAttribute>();
  const label = () => (name === '' ? `number ${index}` : quote(name));
  for (let field = message.next(); field !== undefined; field = message.next()) {
    if (field.number === 1) inputs.push(message.string(field));
    else if (field.number === 2) outputs.push(message.string(field));
    else if (field.number === 3) name = message.string(field);
    else if (field.number === 4) operator = message.string(field);
    else if (field.number === 5) attributes.set(...readAttribute(message.message(field), label()));
    else if (field.number === 7) domain = message.string(field);
    else message.skip(field);
  }
  if (domain !== '' && domain !== 'ai.onnx')
    throw unsupported(file, `the node ${label()} is of the domain ${quote(domain)}`);
  return { name: name === '' ? `${operator}_${index}` : name, operator, inputs, outputs, attributes };
}

function readDimension(message: MessageReader): { size: number | string; isChannel: boolean } {
  let size: number | string = '?';
  let isChannel = false;
  for (let field = message.next(); field !== undefined; field = message.next()) {
    if (field.number === 1) size = message.integer(field);
    else if (field.number === 2) size = message.string(field);
    else if (field.number === 3) isChannel = message.string(field) === CHANNEL;
    else message.skip(field);
  }
  return { size, isChannel };
}

function readValue(message: MessageReader): OnnxValue {
  const { file } = message;
  const shape: (number | string)[] = [];
  let [name, type] = ['', 0];
  let channels: number | undefined;
  const readShape = (inner: MessageReader) => {
    for (let field = inner.next(); field !== undefined; field = inner.next()) {
      if (field.number !== 1) inner.skip(field);
      else {
        const { size, isChannel } = readDimension(inner.message(field));
        if (isChannel) channels = shape.length;
        shape.push(size);
        if (shape.length > MAX_RANK) throw inner.corrupt(`${quote(name)} has more than ${MAX_RANK} dimensions`);
      }
    }
  };
  const readTensorType = (inner: MessageReader) => {
    for (let field = inner.next(); field !== undefined; field = inner.next()) {
      if (field.number === 1) type = inner.integer(field);
      else if (field.number === 2) readShape(inner.message(field));
      else inner.skip(field);
    }
  };
  const readType = (inner: MessageReader) => {
    for (let field = inner.next(); field !== undefined; field = inner.next()) {
      if (field.number === 1) readTensorType(inner.message(field));
      else throw unsupported(file, `${quote(name)} is no tensor`);
    }
  };
  for (let field = message.next(); field !== undefined; field = message.next()) {
    if (field.number === 1) name = message.string(field);
    else if (field.number === 2) readType(message.message(field));
    else message.skip(field);
  }
  return { name, type, shape, channels };
}

interface Graph {
  readonly nodes: OnnxNode[];
  readonly tensors: Map<string, OnnxTensor>;
  readonly inputs: OnnxValue[];
  readonly outputs: OnnxValue[];
}

function readGraph(message: MessageReader): Graph {
  const { file } = message;
  const graph: Graph = { nodes: [], tensors: new Map(), inputs: [], outputs: [] };
  for (let field = message.next(); field !== undefined; field = message.next()) {
    if (field.number === 1) graph.nodes.push(readNode(message.message(field), graph.nodes.length));
    else if (field.number === 5) {
      const { name, tensor } = readTensor(message.message(field));
      if (graph.tensors.has(name)) throw message.corrupt(`the tensor ${quote(name)} stands twice in it`);
      graph.tensors.set(name, tensor);
    } else if (field.number === 11) graph.inputs.push(readValue(message.message(field)));
    else if (field.number === 12) graph.outputs.push(readValue(message.message(field)));
    else if (field.number === 14 || field.number === 15) throw unsupported(file, 'it has quantised or sparse tensors');
    else message.skip(field);
    if (graph.nodes.length > MAX_NODES) throw unsupported(file, `it has more than ${MAX_NODES} nodes`);
    if (graph.tensors.size + graph.inputs.length + graph.outputs.length > MAX_TENSORS)
      throw unsupported(file, `it has more than ${MAX_TENSORS} tensors`);
  }
  return graph;
}

/** Version of the standard operators; undefined for another set. */
function readOpset(message: MessageReader): number | undefined {
  let [domain, version] = ['', 0];
  for (let field = message.next(); field !== undefined; field = message.next()) {
    if (field.number === 1) domain = message.string(field);
    else if (field.number === 2) version = message.integer(field);
    else message.skip(field);
  }
  return domain === '' || domain === 'ai.onnx' ? version : undefined;
}

/**
 * Reads an ONNX file. Throws `FILE_CORRUPT` for bytes that are none, and `INVALID_ARGUMENT` for one with graphs within
 * nodes, sparse or external tensors, or operators of another version. Nothing is allocated by a size that the file only
 * claims.
 */
export function decodeModel(bytes: Uint8Array, file: string): OnnxModel {
  const message = new MessageReader(bytes, file);
  let graph: Graph | undefined;
  let opset: number | undefined;
  for (let field = message.next(); field !== undefined; field = message.next()) {
    if (field.number === 7) {
      if (graph !== undefined) throw message.corrupt('it has two graphs');
      graph = readGraph(message.message(field));
    } else if (field.number === 8) opset = readOpset(message.message(field)) ?? opset;
    else if (field.number === 25) throw unsupported(file, 'it has functions of its own');
    else message.skip(field);
  }
  if (graph === undefined) throw message.corrupt('it is no ONNX file: it has no graph');
  if (opset === undefined) throw message.corrupt('it does not tell the version of its operators');
  if (opset < OPSETS.min || opset > OPSETS.max) {
    const text = `its operators are of version ${cut(String(opset), 20)}; read are ${OPSETS.min} to ${OPSETS.max}`;
    throw unsupported(file, text);
  }
  return { opset, ...graph };
}
