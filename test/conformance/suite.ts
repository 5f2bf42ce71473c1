import { describe, it } from 'vitest';
import type { BufferParameter } from '../../lib/kernels/signature.js';
import { type KernelName, kernelNames } from '../../lib/kernels/table.js';
import { buffersOf, compare, compareAll, describeSample, outputsOf, referenceFor, run } from './call.js';
import { cases } from './cases/index.js';
import { checkGradients } from './gradients.js';
import { describePlacement, type Placement, placements } from './memory.js';
import { refusals } from './refusals.js';
import { toleranceOf } from './tolerances.js';
import type { Backend, Sample } from './types.js';

const plain: Placement = { offset: 0, storage: 'ordinary' };

function checkPlacement(backend: Backend, kernel: KernelName, placement: Placement): void {
  for (const sample of cases[kernel].samples) {
    const where = `${describeSample(kernel, sample)}, ${describePlacement(placement)}`;
    const results = run(backend, kernel, sample, placement);
    compareAll(kernel, sample, where, results, referenceFor(kernel, cases[kernel], sample));
    for (const [name, want] of Object.entries(sample.expected ?? {})) {
      const got = results.get(name);
      if (got !== undefined) compare(`${where}, by hand`, name, got, want, toleranceOf(kernel, name), sample.slack);
    }
  }
}

/** Every output with an alias list, in the storage of each input it names. */
function aliasings(kernel: KernelName): Record<string, string>[] {
  return outputsOf(kernel).flatMap((output) => output.alias.map((input) => ({ [output.name]: input })));
}

const isGiven = (sample: Sample, name: string) => sample.arguments[name] !== null;

/** In place must give the very numbers that separate buffers give: the arithmetic is the same. */
function checkInPlace(backend: Backend, kernel: KernelName): void {
  for (const sample of cases[kernel].samples) {
    const separate = run(backend, kernel, sample, plain);
    for (const alias of aliasings(kernel)) {
      if (
        !Object.entries(alias)
          .flat()
          .every((buffer) => isGiven(sample, buffer))
      )
        continue;
      const shared = run(backend, kernel, sample, plain, alias);
      const where = `${describeSample(kernel, sample)}, in place ${JSON.stringify(alias)}`;
      for (const [name, array] of shared) compare(where, name, array, separate.get(name) ?? [], 'bits');
    }
  }
}

/** Pairs of inputs of one type and shape. */
function twins(kernel: KernelName): [BufferParameter, BufferParameter][] {
  const inputs = buffersOf(kernel).filter((p) => p.kind === 'in' && p.below === undefined);
  const alike = (a: BufferParameter, b: BufferParameter) => a.type === b.type && a.length.join() === b.length.join();
  return inputs.flatMap((a, i) =>
    inputs
      .slice(i + 1)
      .filter((b) => alike(a, b))
      .map((b): [BufferParameter, BufferParameter] => [a, b]),
  );
}

/** Inputs may share storage among themselves. */
function checkSharedInputs(backend: Backend, kernel: KernelName): void {
  for (const [first, second] of twins(kernel)) {
    for (const { note = '', ...given } of cases[kernel].samples.slice(0, 20)) {
      if (!isGiven(given, first.name) || !isGiven(given, second.name)) continue;
      const sample = {
        ...given,
        note: `${note}, ${second.name} is ${first.name}`,
        arguments: { ...given.arguments, [second.name]: given.arguments[first.name] },
      };
      const separate = run(backend, kernel, sample, plain);
      const shared = run(backend, kernel, sample, plain, { [second.name]: first.name });
      for (const [name, array] of shared)
        compare(describeSample(kernel, sample), name, array, separate.get(name) ?? [], 'bits');
    }
  }
}

/** Holds a backend to docs/numerics.md and to the kernel table, kernel by kernel. */
export function conformance(backend: Backend): void {
  describe.each(kernelNames)(`${backend.name}: %s`, (kernel) => {
    it.each(placements.map((placement) => [describePlacement(placement), placement] as const))(
      'agrees with the reference, stays inside its outputs, leaves its inputs alone: %s',
      (_, placement) => checkPlacement(backend, kernel, placement),
    );
    if (aliasings(kernel).length > 0) it('gives the same numbers in place', () => checkInPlace(backend, kernel));
    if (twins(kernel).length > 0) it('takes one array as several inputs', () => checkSharedInputs(backend, kernel));
    if (cases[kernel].gradients !== undefined) {
      it('agrees with finite differences', () => checkGradients(backend, kernel, cases[kernel]));
    }
    describe('refuses, and writes nothing', () => {
      for (const refusal of refusals(kernel, cases[kernel])) it(refusal.what, () => refusal.check(backend));
    });
  });
}
