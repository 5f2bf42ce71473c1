import { BlasnetError } from '../errors.js';
import type { Spec } from './vega.js';

/** A rectangle in the plane, divided into cells. */
export interface Plane {
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
  readonly columns: number;
  readonly rows: number;
}

/** `resolution` cells across, and enough down to make them nearly square in a picture with the default proportions. */
export function plane(x: [number, number], y: [number, number], resolution: number): Plane {
  return { x, y, columns: resolution, rows: Math.round(0.7 * resolution) };
}

/** The centres of the cells, row by row from the top left: alternating x and y. */
export function centres({ x, y, columns, rows }: Plane): Float64Array {
  const points = new Float64Array(2 * rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = 2 * (row * columns + column);
      points[at] = x[0] + ((column + 0.5) / columns) * (x[1] - x[0]);
      points[at + 1] = y[1] - ((row + 0.5) / rows) * (y[1] - y[0]);
    }
  }
  return points;
}

/** Throws `NON_FINITE` for the first non-finite value, naming its point. */
export function checkField(name: string, values: ArrayLike<number>, points: ArrayLike<number>): void {
  const each = (2 * values.length) / points.length;
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) continue;
    const at = 2 * Math.floor(i / each);
    throw new BlasnetError(
      'NON_FINITE',
      `${name}: expected a finite number at (${points[at]}, ${points[at + 1]}), got ${values[i]}`,
    );
  }
}

/** The scales `x` and `y` of the plane. */
export function planeScales({ x, y }: Plane): Spec[] {
  return [
    { name: 'x', type: 'linear', domain: x, range: 'width', zero: false },
    { name: 'y', type: 'linear', domain: y, range: 'height', zero: false },
  ];
}

/**
 * A table of areas: for each field (one value per cell, named by `key`) and threshold, the area where the field is at
 * or above the threshold, interpolated between the cell centres.
 */
export function areas(
  name: string,
  { columns, rows }: Plane,
  fields: readonly { key: string; values: number[] }[],
  thresholds: readonly number[],
): Spec {
  const scale = { expr: `[width / ${columns}, height / ${rows}]` };
  return {
    name,
    values: fields.map(({ key, values }) => ({ key, field: { width: columns, height: rows, values } })),
    transform: [{ type: 'isocontour', field: 'field', thresholds, scale }],
  };
}

/** Draws a table of areas. */
export function areaMarks(name: string, look: Spec): Spec {
  return {
    type: 'path',
    clip: true,
    from: { data: name },
    encode: { enter: { strokeJoin: { value: 'round' }, ...look } },
    transform: [{ type: 'geopath', field: 'datum.contour' }],
  };
}
