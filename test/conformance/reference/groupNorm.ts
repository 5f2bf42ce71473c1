import type { Vector } from '../types.js';

type Sizes = { rows: number; positions: number; pixels: number; groups: number; width: number };

/** Where the values of a group of a unit (a position of a row) lie, and their channels. */
function placesOf({ pixels, groups, width }: Sizes, unit: number, group: number): { at: number; channel: number }[] {
  return Array.from({ length: pixels * width }, (_, i) => {
    const [pixel, channel] = [Math.floor(i / width), group * width + (i % width)];
    return { at: (unit * pixels + pixel) * groups * width + channel, channel };
  });
}

/** Calls visit(number, places) for the groups of all units, in the order of their statistics. */
function forEachGroup(sizes: Sizes, visit: (number: number, places: { at: number; channel: number }[]) => void): void {
  for (let number = 0; number < sizes.rows * sizes.positions * sizes.groups; number++) {
    visit(number, placesOf(sizes, Math.floor(number / sizes.groups), number % sizes.groups));
  }
}

export type GroupNormForwardArguments = Sizes & {
  x: Vector;
  gamma: Vector | null;
  beta: Vector | null;
  epsilon: number;
};

export function groupNormForward(a: GroupNormForwardArguments) {
  const { x, gamma, beta, rows, positions, groups, epsilon } = a;
  const y = new Float64Array(x.length);
  const statistics = () => new Float64Array(rows * positions * groups);
  const [mean, rest, inverseStd] = [statistics(), statistics(), statistics()];
  forEachGroup(a, (number, places) => {
    const average = (f: (value: number) => number) => places.reduce((sum, { at }) => sum + f(x[at]) / places.length, 0);
    const center = average((value) => value);
    const deviation = Math.sqrt(average((value) => (value - center) ** 2) + epsilon);
    mean[number] = Math.fround(center);
    rest[number] = center - Math.fround(center);
    inverseStd[number] = 1 / deviation;
    for (const { at, channel } of places) {
      y[at] = ((x[at] - center) / deviation) * (gamma?.[channel] ?? 1) + (beta?.[channel] ?? 0);
    }
  });
  return { y, mean, rest, inverseStd };
}

type Gradient = Sizes & { dy: Vector; x: Vector; mean: Vector; rest: Vector; inverseStd: Vector };

export type GroupNormBackwardInputArguments = Gradient & { gamma: Vector | null };

export function groupNormBackwardInput(a: GroupNormBackwardInputArguments) {
  const { dy, x, mean, rest, inverseStd, gamma } = a;
  const dx = new Float64Array(x.length);
  forEachGroup(a, (number, places) => {
    const values = places.map(({ at, channel }) => ({
      at,
      gradient: dy[at] * (gamma?.[channel] ?? 1),
      normalised: (x[at] - (mean[number] + rest[number])) * inverseStd[number],
    }));
    const g = values.reduce((sum, { gradient }) => sum + gradient, 0) / values.length;
    const gn = values.reduce((sum, { gradient, normalised }) => sum + gradient * normalised, 0) / values.length;
    for (const { at, gradient, normalised } of values) dx[at] = inverseStd[number] * (gradient - g - normalised * gn);
  });
  return { dx };
}

export type GroupNormBackwardPartsArguments = Gradient & { parts: number };

export function groupNormBackwardParts(a: GroupNormBackwardPartsArguments) {
  const { dy, x, mean, rest, inverseStd, rows, positions, groups, width, parts } = a;
  const dgammaParts = new Float64Array(parts * groups * width);
  const dbetaParts = new Float64Array(parts * groups * width);
  forEachGroup(a, (number, places) => {
    const row = Math.floor(number / (positions * groups));
    // The share with this row: the last one whose first row is not after it.
    let part = parts - 1;
    while (part > 0 && rows * part > row * parts) part--;
    for (const { at, channel } of places) {
      const into = part * groups * width + channel;
      dbetaParts[into] += dy[at];
      dgammaParts[into] += dy[at] * (x[at] - (mean[number] + rest[number])) * inverseStd[number];
    }
  });
  return { dgammaParts, dbetaParts };
}
