import { describe, expect, it } from 'vitest';
import { relu, tanh } from '../../lib/index.js';
import { RandomStream } from '../../lib/random.js';
import { rungsOf } from '../../lib/search/halving.js';
import { choice, type Dimension, integer, logUniform, uniform } from '../../lib/search/index.js';
import { drawParams, readSpace } from '../../lib/search/space.js';
import { expectError } from '../data/expect-error.js';

/** Many values of a dimension. */
function draws(dimension: Dimension, count = 4000): unknown[] {
  const random = new RandomStream(5, 99);
  const space = readSpace('space', { x: dimension });
  return Array.from({ length: count }, () => drawParams(space, random).x);
}

describe('a space', () => {
  it('uniform: within the bounds, a quarter of them in each quarter', () => {
    const values = draws(uniform(-1, 3)) as number[];
    expect(values.every((value) => value >= -1 && value <= 3)).toBe(true);
    for (const quarter of [-1, 0, 1, 2])
      expect(values.filter((value) => value >= quarter && value < quarter + 1).length / values.length).toBeCloseTo(
        0.25,
        1,
      );
  });

  it('logUniform: of bounds whose ratio is no number, too', () => {
    for (const [min, max] of [
      [1e-200, 1e200],
      [1e-310, 1],
    ] as const) {
      const values = draws(logUniform(min, max)) as number[];
      const middle = (Math.log10(min) + Math.log10(max)) / 2;
      const below = values.filter((value) => Math.log10(value) < middle).length / values.length;
      expect(below).toBeGreaterThan(0.4);
      expect(below).toBeLessThan(0.6);
    }
  });

  it('logUniform: as many in each decade', () => {
    const values = draws(logUniform(1e-4, 1e-1)) as number[];
    expect(values.every((value) => value >= 1e-4 && value <= 1e-1)).toBe(true);
    for (const low of [1e-4, 1e-3, 1e-2])
      expect(values.filter((value) => value >= low && value < 10 * low).length / values.length).toBeCloseTo(1 / 3, 1);
  });

  it('integer: both bounds and all between them, equally often', () => {
    const values = draws(integer(-2, 2)) as number[];
    for (const value of [-2, -1, 0, 1, 2])
      expect(values.filter((drawn) => drawn === value).length / values.length).toBeCloseTo(0.2, 1);
    expect(new Set(values).size).toBe(5);
  });

  it('choice: any JSON value, frozen, equally often', () => {
    const widths = choice([[64], [64, 32], 'none', null, true]);
    const values = draws(widths).map((value) => JSON.stringify(value));
    for (const value of widths.values)
      expect(values.filter((drawn) => drawn === JSON.stringify(value)).length / values.length).toBeCloseTo(0.2, 1);
    expect(Object.isFrozen(widths.values) && Object.isFrozen(widths.values[0])).toBe(true);
  });

  it('draws its dimensions in order, so that a further one changes nothing of those before it', () => {
    const draw = (space: Record<string, Dimension>) => drawParams(readSpace('space', space), new RandomStream(1, 2));
    const { a, b } = draw({ a: uniform(0, 1), b: integer(1, 9), c: choice(['x', 'y']) });
    expect(draw({ a: uniform(0, 1), b: integer(1, 9) })).toEqual({ a, b });
  });

  it('is plain data', () => {
    const made = { rate: logUniform(1e-4, 1), units: integer(1, 8), kind: choice(['a', 'b']) };
    const copied = JSON.parse(JSON.stringify(made));
    expect(copied).toEqual(made);
    expect(readSpace('space', copied)).toEqual(readSpace('space', made));
  });

  it.each([
    ['bounds in the wrong order', () => uniform(2, 1), /uniform: max: expected a finite number > 2, got 1/],
    ['equal bounds', () => integer(3, 3), /integer: max: .* > 3 and .* got 3/],
    ['a logarithm of zero', () => logUniform(0, 1), /logUniform: min: .* > 0, got 0/],
    ['a range beyond all numbers', () => uniform(-1e308, 1e308), /max − min/],
    ['fractions', () => integer(0.5, 2), /integer: min: expected an integer/],
    ['too many integers', () => integer(0, 2 ** 32), /integer: max/],
    ['no values', () => choice([]), /choice: values: expected a list of values/],
    ['what JSON cannot hold', () => choice([1n as never]), /choice: values/],
    ['functions', () => choice([relu, tanh] as never), /^choice: values: .* at values\[0\], got function relu$/],
    ['infinities', () => choice([1, Number.POSITIVE_INFINITY]), /^choice: values: .* at values\[1\], got Infinity$/],
    [
      'undefined in plain data',
      () => readSpace('space', { x: { type: 'choice', values: [{ a: [undefined as never] }] } }),
      /^space: "x": values: .* at values\[0\]\.a\[0\], got undefined$/,
    ],
    ['no dimension', () => readSpace('space', {}), /space: expected at least one dimension/],
    ['a list', () => readSpace('space', []), /space: expected an object of dimensions/],
    ['a number', () => readSpace('space', { x: 3 }), /space: "x": expected uniform\(…\), .* got 3/],
    ['bounds of plain data', () => readSpace('space', { x: { type: 'uniform', min: 1, max: 0 } }), /"x": max/],
    ['a prototype', () => readSpace('space', JSON.parse('{"__proto__": 1}')), /expected another name/],
  ])('refuses %s', (_, make, message) => {
    expectError(make, 'INVALID_ARGUMENT', message);
  });

  it('refuses fields that it does not know', () => {
    const wrong = { type: 'uniform', min: 0, max: 1, log: true };
    expectError(() => readSpace('space', { x: wrong }), 'UNKNOWN_OPTION', /"x": unknown option "log"/);
  });
});

describe('rungs, by hand', () => {
  it.each([
    ['random search is one rung', 10, 20, undefined, [[10, 20]]],
    [
      '27 by 3',
      27,
      27,
      {},
      [
        [27, 1],
        [9, 3],
        [3, 9],
        [1, 27],
      ],
    ],
    [
      '81 epochs, at least 3',
      27,
      81,
      { minimumEpochs: 3 },
      [
        [27, 3],
        [9, 9],
        [3, 27],
        [1, 81],
      ],
    ],
    // 20 / 9 = 2.2 and 20 / 3 = 6.7 epochs; a fourth rung would begin below two.
    [
      'rounded epochs',
      30,
      20,
      { minimumEpochs: 2 },
      [
        [30, 2],
        [10, 7],
        [3, 20],
      ],
    ],
    // 16 trials, 8 epochs: three halvings, as a fourth would begin below one epoch.
    [
      'by 2',
      16,
      8,
      { factor: 2 },
      [
        [16, 1],
        [8, 2],
        [4, 4],
        [2, 8],
      ],
    ],
    // 2 trials can't be divided by 3.
    ['few trials', 2, 27, {}, [[2, 27]]],
    ['one epoch', 9, 1, {}, [[9, 1]]],
  ] as const)('%s', (_, trials, epochs, halving, expected) => {
    expect(rungsOf('halving', trials, epochs, halving).map((rung) => [rung.trials, rung.epochs])).toEqual(expected);
  });

  it('refuses factors and epochs that make no rungs', () => {
    expectError(() => rungsOf('halving', 9, 9, { factor: 1 }), 'INVALID_ARGUMENT', /halving: factor: .* ≥ 2/);
    expectError(() => rungsOf('halving', 9, 9, { minimumEpochs: 10 }), 'INVALID_ARGUMENT', /minimumEpochs: .* ≤ 9/);
    expectError(() => rungsOf('halving', 9, 9, { eta: 3 } as never), 'UNKNOWN_OPTION', /"eta"/);
  });
});
