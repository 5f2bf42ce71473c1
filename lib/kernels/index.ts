import { types } from 'node:util';
import type { Backend, BackendName, FeedArray, KernelArguments } from '../backend/backend.js';
import { tryNative, typescript as typescriptBackend } from '../backend/select.js';
import { checkArity, checkInteger, checkStorage, describe, invalid, MAX_SIZE } from '../checks.js';
import { BlasnetError } from '../errors.js';
import {
  type Arrays,
  type BufferParameter,
  type ElementType,
  isBuffer,
  type Parameter,
  type Signature,
  type ValueKind,
  type ValueParameter,
} from './signature.js';
import { type KernelName, kernelNames, signatureOf, type signatures } from './table.js';

type View = FeedArray | Float64Array;

type Operand<P extends Parameter> = P extends BufferParameter
  ? Arrays[ElementType] | null
  : P['kind'] extends 'flag'
    ? boolean | 0 | 1
    : number;
type Operands<P extends readonly Parameter[]> = { [I in keyof P]: Operand<P[I]> };

/** The kernels as functions; arguments in the order of the kernel table. */
export type Kernels = { readonly [K in KernelName]: (...args: Operands<(typeof signatures)[K]['parameters']>) => void };

/** One backend's kernels, as synchronous functions on typed arrays. */
export interface KernelBackend {
  readonly name: BackendName;
  /** Whether this backend can run here; `kernels` of an unavailable one throw `BACKEND_UNAVAILABLE`. */
  readonly available: boolean;
  /** Why it is unavailable; empty if it is available. */
  readonly reason: string;
  readonly kernels: Kernels;
  /**
   * Runs the calls in order, `times` times, checking the arguments once and crossing into native code once. Returns the
   * seconds taken. For benchmarking kernels; blocks until done.
   */
  repeat(calls: readonly KernelCall[], times: number): number;
}

/** A kernel's name and its arguments. */
export type KernelCall = {
  [K in KernelName]: readonly [K, ...Operands<(typeof signatures)[K]['parameters']>];
}[KernelName];

const arrays: { [E in ElementType]: { name: string; is(value: unknown): value is Arrays[E] } } = {
  f32: { name: 'Float32Array', is: types.isFloat32Array },
  f64: { name: 'Float64Array', is: types.isFloat64Array },
  i32: { name: 'Int32Array', is: types.isInt32Array },
  u8: { name: 'Uint8Array', is: types.isUint8Array },
};

const valueRules: Record<Exclude<ValueKind, 'code'>, { text: string; holds(value: number): boolean }> = {
  size: { text: 'an integer from 0 to 2^31 − 1', holds: (v) => Number.isInteger(v) && v >= 0 && v <= MAX_SIZE },
  word: { text: 'an integer from 0 to 2^32 − 1', holds: (v) => Number.isInteger(v) && v >= 0 && v < 2 ** 32 },
  flag: { text: 'true or false', holds: (v) => v === 0 || v === 1 },
  float: { text: 'a finite number', holds: Number.isFinite },
};

/** Codes are indices into a list of their own. */
function codeRule(codes: readonly string[]) {
  const most = codes.length - 1;
  return { text: `an integer from 0 to ${most}`, holds: (v: number) => Number.isInteger(v) && v >= 0 && v <= most };
}

function checkValue(label: string, parameter: ValueParameter, value: unknown): number {
  const rule = parameter.kind === 'code' ? codeRule(parameter.codes ?? []) : valueRules[parameter.kind];
  const number = parameter.kind === 'flag' && typeof value === 'boolean' ? Number(value) : value;
  if (typeof number !== 'number' || !rule.holds(number)) throw invalid(label, rule.text, value);
  return number;
}

function checkBuffer(label: string, parameter: BufferParameter, value: unknown, length: number): View | null {
  if (value === null && parameter.optional) return null;
  const { name, is } = arrays[parameter.type];
  if (!is(value)) throw invalid(label, `a ${name}${parameter.optional ? ' or null' : ''}`, value);
  checkStorage(label, value);
  if (value.length !== length) {
    const formula = parameter.length.length === 0 ? '1' : parameter.length.join(' × ');
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `${label}: expected ${formula} = ${length} elements, got ${describe(value)}`,
    );
  }
  return value;
}

/** Checks that every element of an index buffer lies in [0, bound). */
function checkIndices(label: string, indices: View, bound: number): void {
  for (let i = 0; i < indices.length; i++) {
    if (indices[i] < 0 || indices[i] >= bound) {
      throw new BlasnetError(
        'LABEL_OUT_OF_RANGE',
        `${label}[${i}]: expected an index from 0 to ${bound - 1}, got ${indices[i]}`,
      );
    }
  }
}

/** The rows of a convolution's weight, computed from its window. */
function checkPatch(kernel: string, parameters: readonly Parameter[], size: (name: string) => number): void {
  if (!parameters.some(({ name }) => name === 'patch')) return;
  const rows = size('windowHeight') * size('windowWidth') * size('channels');
  if (size('patch') !== rows) {
    const text = `expected windowHeight × windowWidth × channels = ${rows}, got ${size('patch')}`;
    throw new BlasnetError('SHAPE_MISMATCH', `${kernel}: patch: ${text}`);
  }
}

/** Most shares of an output that has no part for each: more than there are threads would be empty. */
const MOST_PARTS = 256;

/** The shares of an output along another size, which no buffer's length restricts. */
function checkParts(kernel: string, parameters: readonly Parameter[], size: (name: string) => number): void {
  const isShared = (each: Parameter) => isBuffer(each) && each.kind === 'out' && each.along !== undefined;
  if (!parameters.some(isShared) || !parameters.some(({ name }) => name === 'parts')) return;
  const parts = size('parts');
  if (parts < 1 || parts > MOST_PARTS) throw invalid(`${kernel}: parts`, `an integer from 1 to ${MOST_PARTS}`, parts);
}

/**
 * Checks that the elements of a strided copy lie in their rows, and that y has space for all of them at different
 * places.
 */
function checkStrides(kernel: string, parameters: readonly Parameter[], size: (name: string) => number): void {
  if (!parameters.some(({ name }) => name === 'yStride0')) return;
  const places = [0, 1, 2, 3, 4];
  const count = places.reduce((product, i) => product * size(`dim${i}`), 1);
  if (count === 0) return;
  const mismatch = (name: string, text: string) => new BlasnetError('SHAPE_MISMATCH', `${kernel}: ${name}: ${text}`);
  for (const name of ['y', 'x']) {
    const last = places.reduce(
      (sum, i) => sum + (size(`dim${i}`) - 1) * size(`${name}Stride${i}`),
      size(`${name}Offset`),
    );
    const perRow = size(`${name}PerRow`);
    if (last >= perRow) throw mismatch(`${name}PerRow`, `expected more than ${last}, the last address, got ${perRow}`);
  }
  if (count > size('yPerRow'))
    throw mismatch('yPerRow', `expected at least ${count}, as many as are copied, got ${size('yPerRow')}`);
}

/** Checks that outputs overlap nothing, except an identical input where the table allows it. */
function checkAliases(kernel: string, signature: Signature, values: readonly (View | number | null)[]): void {
  signature.parameters.forEach((parameter, i) => {
    const mine = values[i];
    if (!isBuffer(parameter) || parameter.kind === 'in' || mine === null || typeof mine === 'number') return;
    signature.parameters.forEach((other, j) => {
      const theirs = values[j];
      if (i === j || !isBuffer(other) || theirs === null || typeof theirs === 'number' || mine.buffer !== theirs.buffer)
        return;
      const overlap =
        mine.byteOffset < theirs.byteOffset + theirs.byteLength &&
        theirs.byteOffset < mine.byteOffset + mine.byteLength;
      const same = mine.byteOffset === theirs.byteOffset && mine.byteLength === theirs.byteLength;
      if (overlap && !(same && parameter.alias.includes(other.name))) {
        throw new BlasnetError(
          'ALIASED_BUFFERS',
          `${kernel}: ${parameter.name} overlaps ${other.name}${parameter.alias.includes(other.name) ? ' without being the same storage' : ''}`,
        );
      }
    });
  });
}

/** Checks the arguments of a kernel call against its signature. All kernel functions use it. */
export function checkKernelArguments(kernel: KernelName, args: readonly unknown[]): KernelArguments {
  checkArity('checkKernelArguments', arguments, 2);
  const signature = signatureOf(kernel);
  const { parameters } = signature;
  if (args.length !== parameters.length) {
    const list = parameters.map((parameter) => parameter.name).join(', ');
    throw new BlasnetError(
      'INVALID_ARGUMENT',
      `${kernel}: expected ${parameters.length} arguments (${list}), got ${args.length}`,
    );
  }
  const label = (i: number) => `${kernel}: ${parameters[i].name}`;
  const values = parameters.map((parameter, i) =>
    isBuffer(parameter) ? null : checkValue(label(i), parameter, args[i]),
  );
  const size = (name: string) => values[parameters.findIndex((parameter) => parameter.name === name)] as number;
  const checked: (View | number | null)[] = parameters.map((parameter, i) => {
    if (!isBuffer(parameter)) return values[i];
    const length = parameter.length.reduce((product, name) => product * size(name), 1);
    return checkBuffer(label(i), parameter, args[i], length);
  });
  checkPatch(kernel, parameters, size);
  checkParts(kernel, parameters, size);
  checkStrides(kernel, parameters, size);
  checkAliases(kernel, signature, checked);
  parameters.forEach((parameter, i) => {
    if (isBuffer(parameter) && parameter.below !== undefined)
      checkIndices(label(i), checked[i] as View, size(parameter.below));
  });
  return checked;
}

/** Whether a call writes anything. If one size is 0 and others are huge, a kernel would loop for hours over nothing. */
function writes(kernel: KernelName, args: KernelArguments): boolean {
  return signatureOf(kernel).parameters.some((parameter, i) => {
    return isBuffer(parameter) && parameter.kind !== 'in' && (args[i] as View | null)?.length !== 0;
  });
}

function kernelTable(backend: () => Backend): Kernels {
  const entries = kernelNames.map((kernel) => [
    kernel,
    (...args: unknown[]) => {
      const checked = checkKernelArguments(kernel, args);
      const chosen = backend();
      if (writes(kernel, checked)) chosen.callKernel(kernel, checked);
    },
  ]);
  return Object.freeze(Object.fromEntries(entries)) as Kernels;
}

function repeatWith(backend: () => Backend) {
  return function repeat(calls: readonly KernelCall[], times: number): number {
    checkArity('repeat', arguments, 2);
    const checked = calls.map(([kernel, ...args]) => [kernel, checkKernelArguments(kernel, args)] as const);
    const some = checked.filter(([kernel, args]) => writes(kernel, args));
    return backend().repeatKernels(some, checkInteger('times', times, { min: 0, below: 2 ** 32 }));
  };
}

function nativeBackend(): Backend {
  const result = tryNative();
  if ('error' in result) throw result.error;
  return result.backend;
}

/** The kernels in plain TypeScript. */
export const typescript: KernelBackend = Object.freeze({
  name: 'typescript',
  available: true,
  reason: '',
  kernels: kernelTable(typescriptBackend),
  repeat: repeatWith(typescriptBackend),
});

/** The kernels in C++; unavailable if the addon can't be loaded. */
export const native: KernelBackend = Object.freeze({
  name: 'native',
  get available() {
    return 'backend' in tryNative();
  },
  get reason() {
    const result = tryNative();
    return 'error' in result ? result.error.message : '';
  },
  kernels: kernelTable(nativeBackend),
  repeat: repeatWith(nativeBackend),
});

export { BlasnetError } from '../errors.js';
