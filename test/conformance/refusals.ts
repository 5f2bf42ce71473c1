import { BlasnetError, type ErrorCode } from '../../lib/errors.js';
import { type BufferParameter, isBuffer, type ValueKind, type ValueParameter } from '../../lib/kernels/signature.js';
import type { KernelName } from '../../lib/kernels/table.js';
import { buffersOf, invoke, parametersOf, prepare } from './call.js';
import { arrayTypes, type TypedArray, view } from './memory.js';
import type { Backend, KernelCases, Sample } from './types.js';

/** A bad call, made from a good one by `spoil`; it must throw, name what is wrong, and write nothing. */
interface BadCall {
  readonly what: string;
  readonly code: ErrorCode;
  /** The argument that the message must name; the kernel itself when undefined. */
  readonly names?: string;
  /** Changes the arguments (in table order) in place. */
  readonly spoil: (args: unknown[]) => void;
}

export interface Refusal {
  readonly what: string;
  readonly check: (backend: Backend) => void;
}

/** The first sample with every buffer present and every size 3 or more, so that each mistake can show. */
function ordinarySample(kernel: KernelName, { samples }: KernelCases): Sample {
  const sample = samples.find(({ arguments: a }) =>
    parametersOf(kernel).every((p) => a[p.name] !== null && (p.kind !== 'size' || Number(a[p.name]) >= 3)),
  );
  if (sample === undefined) throw new Error(`${kernel}: no sample has all buffers and sizes of 3 or more`);
  return sample;
}

const copyInto = (source: TypedArray, buffer: ArrayBufferLike, type: BufferParameter['type']): TypedArray => {
  const copy = view(type, buffer, 0, source.length);
  copy.set(source);
  return copy;
};

function detached(source: TypedArray, type: BufferParameter['type']): TypedArray {
  const buffer = new ArrayBuffer(source.byteLength);
  const copy = copyInto(source, buffer, type);
  structuredClone(buffer, { transfer: [buffer] });
  return copy;
}

type Resizable<T> = new (length: number, options: { maxByteLength: number }) => T;

/** Storage that may change its size; TypeScript's ES2023 library does not know the second argument. */
function resizable(
  source: TypedArray,
  type: BufferParameter['type'],
  storage: typeof ArrayBuffer | typeof SharedArrayBuffer,
): TypedArray {
  const constructor = storage as unknown as Resizable<ArrayBufferLike>;
  return copyInto(source, new constructor(source.byteLength, { maxByteLength: source.byteLength + 64 }), type);
}

function badBuffers(parameter: BufferParameter, i: number): BadCall[] {
  const { name, type } = parameter;
  const replaced = (what: string, code: ErrorCode, replacement: (good: TypedArray) => unknown): BadCall => ({
    what: `${name} ${what}`,
    code,
    names: name,
    spoil: (args) => {
      args[i] = replacement(args[i] as TypedArray);
    },
  });
  const others = (Object.keys(arrayTypes) as BufferParameter['type'][]).filter((other) => other !== type);
  const bad = [
    ...others.map((other) =>
      replaced(`of type ${other}`, 'INVALID_ARGUMENT', (good) => new arrayTypes[other](good.length)),
    ),
    replaced('of type Int16Array', 'INVALID_ARGUMENT', (good) => new Int16Array(good.length)),
    replaced('as an array of numbers', 'INVALID_ARGUMENT', (good) => Array.from(good)),
    replaced('as an ArrayBuffer', 'INVALID_ARGUMENT', (good) => new ArrayBuffer(good.byteLength)),
    replaced('as a DataView', 'INVALID_ARGUMENT', (good) => new DataView(new ArrayBuffer(good.byteLength))),
    replaced('undefined', 'INVALID_ARGUMENT', () => undefined),
    replaced('as an object that looks like an array', 'INVALID_ARGUMENT', (good) => ({
      length: good.length,
      buffer: good.buffer,
    })),
    replaced('too short by one', 'SHAPE_MISMATCH', (good) => good.subarray(0, good.length - 1)),
    replaced('too long by one', 'SHAPE_MISMATCH', (good) => new arrayTypes[type](good.length + 1)),
    replaced('empty', 'SHAPE_MISMATCH', () => new arrayTypes[type](0)),
    replaced('on detached storage', 'DETACHED_BUFFER', (good) => detached(good, type)),
    replaced('on resizable storage', 'RESIZABLE_BUFFER', (good) => resizable(good, type, ArrayBuffer)),
    replaced('on growable shared storage', 'RESIZABLE_BUFFER', (good) => resizable(good, type, SharedArrayBuffer)),
  ];
  return parameter.optional ? bad : [...bad, replaced('null', 'INVALID_ARGUMENT', () => null)];
}

const wrongValues: Record<ValueKind, readonly unknown[]> = {
  size: [-1, 1.5, Number.NaN, Infinity, 2 ** 53, '3', 3n, null, undefined, true],
  float: [Number.NaN, Infinity, -Infinity, '0.5', null, undefined, 1n],
  word: [-1, 2 ** 32, 0.5, Number.NaN, '1', null, undefined],
  flag: [2, -1, 0.5, Number.NaN, 'true', null, undefined],
  code: [-1, 0.5, Number.NaN, 'relu', null, undefined],
};

function badValues(kernel: KernelName, { name, kind, codes }: ValueParameter, i: number): BadCall[] {
  const text = (value: unknown) =>
    typeof value === 'string' ? `'${value}'` : `${String(value)}${typeof value === 'bigint' ? 'n' : ''}`;
  const tooLarge = codes === undefined ? [] : [codes.length];
  const bad = [...wrongValues[kind], ...tooLarge].map(
    (value): BadCall => ({
      what: `${name} = ${text(value)}`,
      code: 'INVALID_ARGUMENT',
      names: name,
      spoil: (args) => {
        args[i] = value;
      },
    }),
  );
  // A stride or a padding says nothing about the buffers.
  const ofBuffers = buffersOf(kernel).some(({ length }) => length.includes(name));
  if (kind !== 'size' || !ofBuffers) return bad;
  const resized = (what: string, change: (size: number) => number): BadCall => ({
    what: `${name} ${what} than the buffers' size`,
    code: 'SHAPE_MISMATCH',
    spoil: (args) => {
      args[i] = change(args[i] as number);
    },
  });
  return [
    ...bad,
    resized('greater by one', (v) => v + 1),
    resized('smaller by one', (v) => v - 1),
    resized('far greater', () => 2 ** 31 - 1),
  ];
}

/**
 * Puts arguments `i` and `j` into one buffer, `j` starting `shift` bytes after `i` (or before it); `j` keeps its
 * contents.
 */
function overlap(
  args: unknown[],
  first: [number, BufferParameter],
  second: [number, BufferParameter],
  shift: number,
): void {
  const [i, p] = first;
  const [j, q] = second;
  const mine = args[i] as TypedArray;
  const theirs = args[j] as TypedArray;
  const buffer = new ArrayBuffer(Math.abs(shift) + mine.byteLength + theirs.byteLength);
  args[i] = view(p.type, buffer, Math.max(0, -shift), mine.length);
  const moved = view(q.type, buffer, Math.max(0, shift), theirs.length);
  moved.set(theirs);
  args[j] = moved;
}

/** Overlaps of every output with every other buffer, but for the one that its alias list allows. */
function badOverlaps(kernel: KernelName, sample: Sample): BadCall[] {
  const parameters = parametersOf(kernel);
  const { args: good } = prepare(kernel, sample, { offset: 0, storage: 'ordinary' });
  const bad: BadCall[] = [];
  parameters.forEach((output, i) => {
    if (!isBuffer(output) || output.kind === 'in') return;
    parameters.forEach((other, j) => {
      if (i === j || !isBuffer(other)) return;
      const add = (what: string, shift: number) =>
        bad.push({
          what: `${output.name} overlapping ${other.name} ${what}`,
          code: 'ALIASED_BUFFERS',
          names: output.name,
          spoil: (args) => overlap(args, [i, output], [j, other], shift),
        });
      const mine = good[i] as TypedArray;
      const theirs = good[j] as TypedArray;
      const same = output.type === other.type && mine.length === theirs.length;
      if (!same || !(output.alias.includes(other.name) || (other.kind !== 'in' && other.alias.includes(output.name))))
        add('from its start', 0);
      // By one element only, at either end; offsets are multiples of 8 so that any element type can begin there.
      const last = Math.floor((mine.byteLength - 1) / 8) * 8;
      if (last > 0) add('with its last bytes', last);
      const first = Math.floor((theirs.byteLength - 1) / 8) * 8;
      if (first > 0) add('with its first bytes', -first);
    });
  });
  return bad;
}

function badIndices(parameter: BufferParameter, i: number, bound: number): BadCall[] {
  return [-1, bound, -(2 ** 31), 2 ** 31 - 1].flatMap((index) =>
    ['first', 'last'].map(
      (position): BadCall => ({
        what: `${parameter.name} with ${index} as its ${position} element, bound ${bound}`,
        code: 'LABEL_OUT_OF_RANGE',
        names: parameter.name,
        spoil: (args) => {
          const indices = args[i] as TypedArray;
          indices[position === 'first' ? 0 : indices.length - 1] = index;
        },
      }),
    ),
  );
}

const badCounts: readonly BadCall[] = [
  { what: 'one argument too few', code: 'INVALID_ARGUMENT', spoil: (args) => args.pop() },
  { what: 'one argument too many', code: 'INVALID_ARGUMENT', spoil: (args) => args.push(undefined) },
  { what: 'no arguments', code: 'INVALID_ARGUMENT', spoil: (args) => args.splice(0) },
];

const bytesOf = (array: TypedArray) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength).slice();

/** A snapshot of every typed array of the call that can still be read. */
const snapshot = (args: readonly unknown[]) =>
  args
    .filter((v): v is TypedArray => ArrayBuffer.isView(v) && !(v instanceof DataView) && v.byteLength > 0)
    .map((array) => ({ array, before: bytesOf(array) }));

function check(
  backend: Backend,
  kernel: KernelName,
  sample: Sample,
  { what, code, names = kernel, spoil }: BadCall,
): void {
  const where = `${kernel}, ${what}`;
  const { args: good } = prepare(kernel, sample, { offset: 0, storage: 'ordinary' });
  const args = [...good];
  spoil(args);
  const arrays = [...snapshot(good), ...snapshot(args)];
  let thrown: unknown;
  try {
    invoke(backend, kernel, args);
  } catch (error) {
    thrown = error;
  }
  if (!(thrown instanceof BlasnetError))
    throw new Error(`${where}: expected a BlasnetError, got ${thrown ?? 'no error'}`, { cause: thrown });
  if (thrown.code !== code) throw new Error(`${where}: expected code ${code}, got ${thrown.code}: ${thrown.message}`);
  if (!new RegExp(`\\b${names}\\b`).test(thrown.message))
    throw new Error(`${where}: the message does not name ${names}: ${thrown.message}`);
  for (const { array, before } of arrays) {
    if (Buffer.compare(bytesOf(array), before) !== 0) throw new Error(`${where}: an argument was written to`);
  }
}

/** Bad calls of a kernel, generated from its signature, in groups of one test each. */
export function refusals(kernel: KernelName, cases: KernelCases): Refusal[] {
  const sample = ordinarySample(kernel, cases);
  const parameters = parametersOf(kernel);
  const groups: [string, BadCall[]][] = [
    ['a wrong number of arguments', [...badCounts]],
    ['bad buffers', parameters.flatMap((p, i) => (isBuffer(p) ? badBuffers(p, i) : []))],
    ['bad sizes and settings', parameters.flatMap((p, i) => (isBuffer(p) ? [] : badValues(kernel, p, i)))],
    ['overlapping buffers', badOverlaps(kernel, sample)],
    [
      'indices outside their bound',
      buffersOf(kernel).flatMap((p) =>
        p.below === undefined ? [] : badIndices(p, parameters.indexOf(p), Number(sample.arguments[p.below])),
      ),
    ],
  ];
  return groups
    .filter(([, calls]) => calls.length > 0)
    .map(([what, calls]) => ({
      what,
      check: (backend) => {
        for (const call of calls) check(backend, kernel, sample, call);
      },
    }));
}
