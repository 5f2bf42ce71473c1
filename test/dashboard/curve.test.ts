import { expect, it } from 'vitest';
import { Curve, MOST_POINTS } from '../../lib/dashboard/curve.js';

it('keeps all points while they are few', () => {
  const curve = new Curve<{ epoch: number }>();
  for (let epoch = 0; epoch < MOST_POINTS; epoch++) curve.add({ epoch });
  expect(curve.points.map(({ epoch }) => epoch)).toEqual([...Array(MOST_POINTS).keys()]);
});

it('stays bounded, evenly spaced from the first point on, and knows the newest', () => {
  const curve = new Curve<{ epoch: number }>();
  let most = 0;
  for (let epoch = 0; epoch < 100_000; epoch++) {
    curve.add({ epoch });
    most = Math.max(most, curve.points.length);
  }
  expect(most).toBe(MOST_POINTS);
  expect(curve.newest?.epoch).toBe(99_999);
  expect(curve.points.length).toBeGreaterThan(MOST_POINTS / 4);
  expect(curve.points.every(({ epoch }, i) => epoch === i * curve.stride)).toBe(true);
});

it('is cut where a resumed training begins', () => {
  const curve = new Curve<{ epoch: number }>();
  for (let epoch = 0; epoch < 10; epoch++) curve.add({ epoch });
  curve.cutAt(4);
  for (let epoch = 4; epoch < 6; epoch++) curve.add({ epoch });
  expect(curve.points.map(({ epoch }) => epoch)).toEqual([0, 1, 2, 3, 4, 5]);
  curve.cutAt(0);
  expect(curve).toMatchObject({ points: [], newest: undefined });
});

it.each([0, 20, 3000])('keeps as many points of a training from epoch %i on as of a new one', (from) => {
  const [curve, fresh] = [new Curve<{ epoch: number }>(), new Curve<{ epoch: number }>()];
  for (let epoch = 0; epoch < 50_000; epoch++) curve.add({ epoch });
  curve.cutAt(from);
  for (let epoch = 0; epoch < from + 40; epoch++) {
    fresh.add({ epoch });
    if (epoch >= from) curve.add({ epoch });
  }
  const newer = ({ points }: Curve<{ epoch: number }>) => points.filter(({ epoch }) => epoch >= from);
  expect(newer(curve).length).toBe(newer(fresh).length);
  expect(curve.points.length).toBeLessThanOrEqual(MOST_POINTS);
});
