import type { KernelName } from '../../lib/kernels/table.js';
import { compare, describeSample, run } from './call.js';
import { gradientTolerance, referenceGradientTolerance, type Tolerance } from './tolerances.js';
import type { Backend, GradientCase, KernelCases, Results, Vector } from './types.js';

const STEP = 1e-6;

/** Central differences of the case's function by one of its variables. */
function differences(gradient: GradientCase, variable: string): Float64Array {
  const at = gradient.variables[variable];
  const moved = at.slice();
  const variables = { ...gradient.variables, [variable]: moved };
  return at.map((value, i) => {
    moved[i] = value + STEP;
    const above = gradient.value(variables);
    moved[i] = value - STEP;
    const below = gradient.value(variables);
    moved[i] = value;
    return (above - below) / (2 * STEP);
  });
}

const computed = new WeakMap<GradientCase, Results>();

/** Finite differences for every output of the case. */
function expectedOf(gradient: GradientCase): Results {
  let expected = computed.get(gradient);
  if (expected === undefined) {
    expected = Object.fromEntries(
      Object.entries(gradient.gradients).map(([output, variable]) => [output, differences(gradient, variable)]),
    );
    computed.set(gradient, expected);
  }
  return expected;
}

function compareGradients(
  where: string,
  got: (output: string) => Vector,
  gradient: GradientCase,
  tolerance: Tolerance,
): void {
  for (const [output, want] of Object.entries(expectedOf(gradient))) {
    compare(where, output, Float64Array.from(got(output)), want, tolerance);
  }
}

/** The kernel's gradients against finite differences of the reference forward function. */
export function checkGradients(backend: Backend, kernel: KernelName, { gradients = [] }: KernelCases): void {
  for (const gradient of gradients) {
    const sample = { note: `gradient, ${gradient.note}`, arguments: gradient.arguments };
    const results = run(backend, kernel, sample, { offset: 0, storage: 'ordinary' });
    compareGradients(
      describeSample(kernel, sample),
      (output) => results.get(output) ?? [],
      gradient,
      gradientTolerance,
    );
  }
}

/** The reference's own gradients against finite differences, so that the suite's measure is measured too. */
export function checkReferenceGradients(kernel: KernelName, { gradients = [], reference }: KernelCases): void {
  for (const gradient of gradients) {
    const sample = { note: `reference gradient, ${gradient.note}`, arguments: gradient.arguments };
    const results = reference(gradient.arguments);
    compareGradients(describeSample(kernel, sample), (output) => results[output], gradient, referenceGradientTolerance);
  }
}
