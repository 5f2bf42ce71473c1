import { BlasnetError } from '../errors.js';
import { type Curve, checkRange, colour, DASHED, dash, extent, SOLID } from './style.js';
import type { Spec } from './vega.js';

/** Curves with as many points or fewer show each point. */
const FEW = 40;

/** A curve with its look. */
export interface Drawn extends Required<Curve> {
  colour: string;
  dash: number[];
}

/** What a pair of axes needs to know. */
export interface AxisOptions {
  xTitle?: string;
  yTitle?: string;
  /** Logarithmic y axis; all finite y must be above 0. Default false. */
  logScale?: boolean;
  /** [low, high] of the y axis. Default: what the curves take. */
  yRange?: readonly [number, number];
}

/** Gives each curve the look of its place in the list. */
export function dress(curves: readonly Required<Curve>[], dashed: (index: number) => boolean = () => false): Drawn[] {
  return curves.map((curve, i) => ({ ...curve, colour: colour(i), dash: dashed(i) ? DASHED : dash(i) }));
}

export function axisTitle(text: string | undefined): Spec {
  return text === undefined ? {} : { title: text };
}

/** The scales `x` and `y` that hold all curves, over the group's width and height, with a margin of that share of the extent. */
export function scales(curves: readonly Drawn[], options: AxisOptions, margin = 0): [Spec, Spec] {
  const [xs, ys] = [curves.flatMap((curve) => Array.from(curve.x)), curves.flatMap((curve) => Array.from(curve.y))];
  const wrong = options.logScale ? [...ys, ...(options.yRange ?? [])].find((value) => value <= 0) : undefined;
  if (wrong !== undefined) {
    throw new BlasnetError('INVALID_ARGUMENT', `logScale: expected numbers above 0 on a logarithmic axis, got ${wrong}`);
  }
  const [low, high] = options.yRange
    ? checkRange('yRange', options.yRange)
    : extent('curves: y', ys, options.logScale ? 0 : margin);
  const domain = options.logScale && !options.yRange ? [low / 1.15, high * 1.15] : [low, high];
  return [
    { name: 'x', type: 'linear', domain: extent('curves: x', xs, margin), range: 'width', zero: false },
    {
      name: 'y',
      type: options.logScale ? 'log' : 'linear',
      domain,
      nice: !options.logScale && !options.yRange,
      range: 'height',
      zero: false,
    },
  ];
}

/** About `count` ticks on the scale `y`; on a logarithmic one at powers of ten, over few decades also at twice and five times these. */
export function yTicks(scale: Spec, count: number): Spec {
  if (scale.type !== 'log') return { tickCount: count };
  const [low, high] = scale.domain as [number, number];
  const decades = Math.log10(high / low);
  const digits = decades < 2.5 ? [1, 2, 5] : [1];
  const step = Math.max(1, Math.ceil(decades / count));
  const values: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    if (power % step !== 0) continue;
    values.push(...digits.map((digit) => Number(`${digit}e${power}`)).filter((value) => value >= low && value <= high));
  }
  return values.length < 2 ? { tickCount: count, format: '~g' } : { values, format: '~g' };
}

/** The tables that the marks of `curves` read, named after `prefix`. */
export function tables(prefix: string, curves: readonly Drawn[]): Spec[] {
  return curves.map((curve, i) => ({
    name: `${prefix}${i}`,
    values: Array.from(curve.y, (y, j) => ({ x: curve.x[j], y: Number.isFinite(y) ? y : null })),
  }));
}

/** A line for each curve, clipped to the axes, and its points where they are few. */
export function marks(prefix: string, curves: readonly Drawn[], width = 2): Spec[] {
  const at = { x: { scale: 'x', field: 'x' }, y: { scale: 'y', field: 'y' }, defined: { signal: 'datum.y !== null' } };
  return curves.flatMap((curve, i) => {
    const from = { data: `${prefix}${i}` };
    const stroke = { stroke: { value: curve.colour }, strokeWidth: { value: width }, strokeDash: { value: curve.dash } };
    const line = { type: 'line', clip: true, from, encode: { enter: { ...at, ...stroke, strokeJoin: { value: 'round' } } } };
    if (curve.y.length > FEW) return [line];
    // Not clipped, as a point on the edge would be halved: one outside the axes is left out.
    const inside = "datum.y !== null && inrange(datum.y, domain('y')) ? 1 : 0";
    const look = {
      fill: { value: curve.colour },
      size: { value: curve.y.length === 1 ? 60 : 8 * width },
      opacity: { signal: inside },
    };
    const points = { type: 'symbol', from, encode: { enter: { ...at, ...look } } };
    return [line, points];
  });
}

/** The scales and the legend that name the curves, above a picture of `width`; nothing for a single unnamed one. */
export function legend(curves: readonly Drawn[], width: number): { scales: Spec[]; legends: Spec[] } {
  if (curves.length === 0 || (curves.length === 1 && curves[0].name === '')) return { scales: [], legends: [] };
  const domain = curves.map((curve) => curve.name);
  const dashes = curves.map((curve) => curve.dash);
  return {
    scales: [
      { name: 'colour', type: 'ordinal', domain, range: curves.map((curve) => curve.colour) },
      { name: 'dash', type: 'ordinal', domain, range: dashes },
    ],
    legends: [
      {
        stroke: 'colour',
        ...(dashes.some((pattern) => pattern !== SOLID) && { strokeDash: 'dash' }),
        symbolType: 'stroke',
        symbolSize: 300,
        orient: 'top',
        direction: 'horizontal',
        columns: legendColumns(domain, width),
        offset: 10,
      },
    ],
  };
}

/** How many entries of a legend fit beside each other. */
export function legendColumns(names: readonly string[], width: number): number {
  const longest = names.reduce((most, name) => Math.max(most, name.length), 0);
  return Math.max(1, Math.min(names.length, Math.floor((width - 80) / (longest * 9.6 + 40))));
}
