import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import type { Addon } from '../../lib/backend/native/addon.js';
import { type BufferParameter, GRAIN } from '../../lib/kernels/signature.js';
import { type KernelName, kernelNames, signatureOf, tableHash } from '../../lib/kernels/table.js';
import { describeNative } from '../api/support.js';
import { addonFile } from '../lifecycle/child.js';
import { share as boundaries } from '../program/threads.js';
import { buffersOf, compare, describeSample, lengthOf, parametersOf } from './call.js';
import { cases } from './cases/index.js';
import { arrayTypes, type TypedArray } from './memory.js';
import { toleranceOf } from './tolerances.js';
import type { Arguments, Sample, Vector } from './types.js';

/** A thread's part of a kernel: units of one axis, or the range of another size that a part of the work reads. */
interface Share {
  readonly axis: string;
  readonly begin: number;
  readonly end: number;
  readonly parts: number;
}

/** Whether an element of a buffer belongs to the share; undefined where the buffer is not divided. */
function membership(parameter: BufferParameter, a: Arguments, share: Share): ((index: number) => boolean) | undefined {
  if (parameter.whole) return undefined;
  const sizes = parameter.length.map((name) => Number(a[name]));
  const along = share.axis === 'parts' ? parameter.along : undefined;
  const position = parameter.length.indexOf(along ?? share.axis);
  if (position < 0) return undefined;
  let { begin, end } = share;
  if (along !== undefined) {
    const grain = along === 'rows' ? 1 : GRAIN;
    [begin, end] = boundaries(sizes[position], grain, share.begin, share.parts);
  }
  const stride = sizes.slice(position + 1).reduce((product, size) => product * size, 1);
  return (index) => {
    const at = Math.floor(index / stride) % sizes[position];
    return at >= begin && at < end;
  };
}

const poison: Record<BufferParameter['type'], number> = { f32: Number.NaN, f64: Number.NaN, i32: 0, u8: 255 };
const UNWRITTEN = 123;

/** The call's arguments; with a share, what lies outside it is poisoned. */
function prepare(kernel: KernelName, { arguments: a }: Sample, share?: Share): Map<string, TypedArray | null> {
  return new Map(
    buffersOf(kernel).map((parameter) => {
      if (a[parameter.name] === null) return [parameter.name, null];
      const array = new arrayTypes[parameter.type](lengthOf(parameter, a)).fill(UNWRITTEN);
      if (parameter.kind !== 'out') array.set(a[parameter.name] as Vector);
      const inside = share && membership(parameter, a, share);
      if (inside && parameter.kind !== 'out')
        array.forEach((_, i) => {
          if (!inside(i)) array[i] = poison[parameter.type];
        });
      return [parameter.name, array];
    }),
  );
}

/** Shares of an axis: halves for the thread that begins and the one that ends, and a lone unit in the middle. */
function sharesOf(axis: string, units: number): Share[] {
  const parts = (begin: number, end: number): Share => ({ axis, begin, end, parts: units });
  if (axis === 'parts') return Array.from({ length: units }, (_, part) => parts(part, part + 1));
  const half = units > GRAIN ? GRAIN * Math.ceil(units / 2 / GRAIN) : Math.ceil(units / 2);
  const middle = Math.floor(units / 2);
  return [parts(0, half), parts(half, units), parts(middle, middle + 1)];
}

describeNative('a share of a kernel', () => {
  const addon = createRequire(import.meta.url)(addonFile).initialize('', tableHash) as Addon;

  function call(kernel: KernelName, sample: Sample, buffers: Map<string, TypedArray | null>, share?: Share): void {
    const values = parametersOf(kernel).map((parameter) => {
      const value = buffers.has(parameter.name) ? buffers.get(parameter.name) : sample.arguments[parameter.name];
      return typeof value === 'boolean' ? Number(value) : value;
    }) as never[];
    const number = kernelNames.indexOf(kernel);
    if (share === undefined) addon.callKernel(number, values);
    else addon.callKernel(number, values, signatureOf(kernel).axes.indexOf(share.axis), share.begin, share.end);
  }

  /** Returns how many shares were compared. */
  function check(kernel: KernelName, sample: Sample): number {
    const whole = prepare(kernel, sample);
    call(kernel, sample, whole);
    let compared = 0;
    for (const axis of signatureOf(kernel).axes) {
      const units = Number(sample.arguments[axis]);
      if (units < 2) continue;
      for (const share of sharesOf(axis, units)) {
        const before = prepare(kernel, sample, share);
        const after = prepare(kernel, sample, share);
        call(kernel, sample, after, share);
        const where = `${describeSample(kernel, sample)}, ${axis} ${share.begin} to ${share.end}`;
        for (const parameter of buffersOf(kernel)) {
          const [got, was, want] = [after, before, whole].map((buffers) => buffers.get(parameter.name));
          if (!got || !was || !want) continue;
          const inside = parameter.kind === 'in' ? () => false : membership(parameter, sample.arguments, share);
          const expected = got.map((_, i) => (inside === undefined || inside(i) ? want[i] : was[i]));
          const tolerance = parameter.kind === 'in' ? 'bits' : toleranceOf(kernel, parameter.name);
          compare(where, parameter.name, got, expected, tolerance, sample.slack);
        }
        compared++;
      }
    }
    return compared;
  }

  const divided = kernelNames.filter((kernel) => signatureOf(kernel).axes.length > 0);
  it.each(divided)('%s: reads and writes no more than the table says', (kernel) => {
    const compared = cases[kernel].samples.reduce((sum, sample) => sum + check(kernel, sample), 0);
    expect(compared).toBeGreaterThan(0);
  });

  it('outside its axis is refused', () => {
    const relu = kernelNames.indexOf('relu');
    const x = new Float32Array(4);
    // biome-ignore lint/suspicious/noExplicitAny: the point is to pass anything
    const shares: [any, any, any][] = [
      [1, 0, 4],
      [-1, 0, 4],
      [0, 0, 5],
      [0, 3, 2],
      [0, -1, 2],
      [0, 0.5, 2],
      [Number.NaN, 0, 4],
    ];
    for (const share of shares)
      expect(() => addon.callKernel(relu, [x, x, 4], ...share)).toThrow(/no such axis|leaves its axis/);
    expect(() =>
      addon.callKernel(kernelNames.indexOf('squareSum'), [new Float64Array(1), null, x, 4], 0, 0, 0),
    ).toThrow('axis');
    expect(() => (addon.callKernel as (...args: unknown[]) => void)(relu, [x, x, 4], 0)).toThrow('expected a number');
  });
});
