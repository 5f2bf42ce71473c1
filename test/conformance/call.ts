import { type BufferParameter, isBuffer, type Parameter } from '../../lib/kernels/signature.js';
import { type KernelName, signatureOf } from '../../lib/kernels/table.js';
import { type Block, type BlockRequest, describePlacement, type Placement, place, type TypedArray } from './memory.js';
import { type Tolerance, toleranceOf } from './tolerances.js';
import type { Arguments, Backend, KernelCases, Results, Sample, Vector } from './types.js';

export const parametersOf = (kernel: KernelName): readonly Parameter[] => signatureOf(kernel).parameters;
export const buffersOf = (kernel: KernelName): BufferParameter[] => parametersOf(kernel).filter(isBuffer);
export const outputsOf = (kernel: KernelName): BufferParameter[] => buffersOf(kernel).filter((p) => p.kind !== 'in');

export function lengthOf(parameter: BufferParameter, a: Arguments): number {
  return parameter.length.reduce((product, size) => product * Number(a[size]), 1);
}

const isNull = (a: Arguments, name: string) => a[name] === null;

/** Sizes, settings and null buffers, for a failure's first line. */
export function describeSample(kernel: KernelName, sample: Sample): string {
  const parts = parametersOf(kernel)
    .filter((p) => !isBuffer(p) || isNull(sample.arguments, p.name))
    .map((p) => `${p.name}=${sample.arguments[p.name]}`);
  return `${kernel}(${parts.join(', ')})${sample.note === undefined ? '' : ` [${sample.note}]`}`;
}

export interface Call {
  readonly args: readonly unknown[];
  readonly blocks: ReadonlyMap<string, Block>;
}

/** Arguments in table order; `alias` maps a buffer to another one whose storage it takes. */
export function prepare(
  kernel: KernelName,
  sample: Sample,
  placement: Placement,
  alias: Readonly<Record<string, string>> = {},
): Call {
  const a = sample.arguments;
  const own = buffersOf(kernel).filter((p) => !isNull(a, p.name) && alias[p.name] === undefined);
  const requests = own.map((parameter): BlockRequest => {
    // Another buffer's owner is an output too when an output shares its storage.
    const written = Object.entries(alias).some(
      ([output, input]) => input === parameter.name && outputsOf(kernel).some((o) => o.name === output),
    );
    return {
      parameter: written ? { ...parameter, kind: 'inout' } : parameter,
      length: lengthOf(parameter, a),
      contents: parameter.kind === 'out' ? undefined : (a[parameter.name] as Vector),
    };
  });
  const blocks = new Map(place(requests, placement).map((block, i) => [own[i].name, block]));
  for (const [name, target] of Object.entries(alias)) {
    const block = blocks.get(target);
    if (block !== undefined) blocks.set(name, block);
  }
  const args = parametersOf(kernel).map((p) => (isBuffer(p) ? (blocks.get(p.name)?.array ?? null) : a[p.name]));
  return { args, blocks };
}

export function invoke(backend: Backend, kernel: KernelName, args: readonly unknown[]): void {
  (backend.kernels[kernel] as (...args: readonly unknown[]) => void)(...args);
}

/** Runs a sample and returns its outputs; throws where a guard was overwritten or an input has changed. */
export function run(
  backend: Backend,
  kernel: KernelName,
  sample: Sample,
  placement: Placement,
  alias: Readonly<Record<string, string>> = {},
): Map<string, TypedArray> {
  const where = `${describeSample(kernel, sample)}, ${describePlacement(placement)}`;
  const { args, blocks } = prepare(kernel, sample, placement, alias);
  try {
    invoke(backend, kernel, args);
  } catch (error) {
    throw new Error(`${where}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
  const outputs = outputsOf(kernel);
  const written = new Set(outputs.map((p) => blocks.get(p.name)));
  for (const [name, block] of blocks) {
    if (block.brokenGuard !== undefined) throw new Error(`${where}: ${name}: memory was written ${block.brokenGuard}`);
    if (!written.has(block) && block.changed) throw new Error(`${where}: ${name}: an input was changed`);
  }
  const results = new Map<string, TypedArray>();
  for (const { name } of outputs) {
    const block = blocks.get(name);
    if (block !== undefined) results.set(name, block.array);
  }
  return results;
}

function agrees(got: number, want: number, tolerance: Tolerance, slack: number): boolean {
  if (Object.is(got, want)) return true;
  if (tolerance === 'bits' || !Number.isFinite(want) || !Number.isFinite(got)) return false;
  return Math.abs(got - want) <= slack * (tolerance.absolute + tolerance.relative * Math.abs(want));
}

/** Throws at the first element that lies outside the tolerance. */
export function compare(
  where: string,
  name: string,
  got: TypedArray,
  want: Vector,
  tolerance: Tolerance,
  slack = 1,
): void {
  if (got.length !== want.length)
    throw new Error(`${where}: ${name}: ${want.length} elements expected, got ${got.length}`);
  for (let i = 0; i < got.length; i++) {
    // A float32 output can hold no more than the rounded reference.
    const wanted = got instanceof Float32Array ? Math.fround(want[i]) : want[i];
    if (!agrees(got[i], wanted, tolerance, slack)) {
      const allowed =
        tolerance === 'bits' ? 'exactly' : `within ${slack * tolerance.absolute} + ${slack * tolerance.relative} of it`;
      throw new Error(`${where}: ${name}[${i}]: expected ${show(wanted)} ${allowed}, got ${show(got[i])}`);
    }
  }
}

const show = (value: number) => (Object.is(value, -0) ? '-0' : String(value));

/** Throws unless every output that the call has agrees with `want`, and `want` names every one of them. */
export function compareAll(
  kernel: KernelName,
  sample: Sample,
  where: string,
  got: ReadonlyMap<string, TypedArray>,
  want: Results,
): void {
  for (const [name, array] of got) {
    if (want[name] === undefined) throw new Error(`${where}: ${name}: the reference gives no such output`);
    compare(where, name, array, want[name], toleranceOf(kernel, name), sample.slack);
  }
}

/** The sample with its float32 inputs rounded, as the kernel gets them. */
export function asStored(kernel: KernelName, sample: Sample): Arguments {
  const stored: Record<string, Arguments[string]> = { ...sample.arguments };
  for (const { name, type } of buffersOf(kernel)) {
    const given = stored[name];
    if (type === 'f32' && typeof given === 'object' && given !== null)
      stored[name] = Float64Array.from(Float32Array.from(given));
  }
  return stored;
}

const references = new WeakMap<Sample, Results>();

/** The reference's result for a sample; computed once, since every placement and backend needs it. */
export function referenceFor(kernel: KernelName, cases: KernelCases, sample: Sample): Results {
  let results = references.get(sample);
  if (results === undefined) {
    results = cases.reference(asStored(kernel, sample));
    references.set(sample, results);
  }
  return results;
}
