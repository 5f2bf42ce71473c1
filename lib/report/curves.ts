import { BlasnetError } from '../errors.js';
import { colour, dash, type Look, SOLID } from './look.js';
import { type Curve, checkRange, extent, shorten } from './style.js';
import { LETTER, type Spec } from './vega.js';

/** Curves with at most this many points show each point. */
const FEW = 40;

/** A curve with its style. */
export interface Drawn extends Required<Curve> {
  colour: string;
  dash: number[];
}

/** Options of a pair of axes. */
export interface AxisOptions {
  xTitle?: string;
  yTitle?: string;
  /** Logarithmic y axis; all finite y must be above 0. Default false. */
  logScale?: boolean;
  /** [low, high] of the y axis. Default: the range of the curves. */
  yRange?: readonly [number, number];
}

/** Styles each curve by its position in the list. */
export function dress(look: Look, curves: readonly Required<Curve>[]): Drawn[] {
  return curves.map((curve, i) => ({ ...curve, colour: colour(look, i), dash: dash(i) }));
}

export function axisTitle(text: string | undefined): Spec {
  return text === undefined ? {} : { title: text };
}

/**
 * Scales `x` and `y` that contain all curves, over the group's width and height, with a margin as a fraction of the
 * range.
 */
export function scales(curves: readonly Drawn[], options: AxisOptions, margin = 0): [Spec, Spec] {
  const [xs, ys] = [curves.flatMap((curve) => Array.from(curve.x)), curves.flatMap((curve) => Array.from(curve.y))];
  const wrong = options.logScale ? [...ys, ...(options.yRange ?? [])].find((value) => value <= 0) : undefined;
  if (wrong !== undefined) {
    throw new BlasnetError(
      'INVALID_ARGUMENT',
      `logScale: expected numbers above 0 on a logarithmic axis, got ${wrong}`,
    );
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

/**
 * About `count` ticks on the scale `y`. Logarithmic scales have them at powers of ten, and over few decades also at
 * twice and five times these.
 */
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

/** The data tables of the marks for `curves`; names start with `prefix`. */
export function tables(prefix: string, curves: readonly Drawn[]): Spec[] {
  return curves.map((curve, i) => ({
    name: `${prefix}${i}`,
    values: Array.from(curve.y, (y, j) => ({ x: curve.x[j], y: Number.isFinite(y) ? y : null })),
  }));
}

/** A line per curve, clipped to the axes, and its points if there are few. */
export function marks(prefix: string, curves: readonly Drawn[], width = 2): Spec[] {
  const at = { x: { scale: 'x', field: 'x' }, y: { scale: 'y', field: 'y' }, defined: { signal: 'datum.y !== null' } };
  return curves.flatMap((curve, i) => {
    const from = { data: `${prefix}${i}` };
    const stroke = {
      stroke: { value: curve.colour },
      strokeWidth: { value: width },
      strokeDash: { value: curve.dash },
    };
    const line = {
      type: 'line',
      clip: true,
      from,
      encode: { enter: { ...at, ...stroke, strokeJoin: { value: 'round' } } },
    };
    if (curve.y.length > FEW) return [line];
    // Not clipped, as that would cut points on the edge in half; points outside the axes are skipped.
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

/** What a legend adds to a specification. */
export interface Legend {
  scales: Spec[];
  legends: Spec[];
  /** Names that were shortened. */
  full: ReadonlyMap<string, string>;
  /** Extra height in pixels, compared with one or two lines. */
  extra: number;
}

/** Height of a legend line in pixels. */
const LINE = 17;
/** Maximum fraction of the picture's height for the legend. */
const MOST_OF_HEIGHT = 0.35;
/** Names are not shortened below this many letters; instead, entries are omitted. */
const LEAST_LETTERS = 10;

/**
 * Scales and legend that name the curves, above a picture of the given width and height, or below it if long; nothing
 * for a single unnamed curve. Names are shortened if the legend would take too much of the picture; entries that still
 * don't fit are omitted.
 */
export function legend(curves: readonly Drawn[], width: number, height: number): Legend {
  if (curves.length === 0 || (curves.length === 1 && curves[0].name === ''))
    return { scales: [], legends: [], full: new Map(), extra: 0 };
  const mostRows = Math.max(2, Math.floor((MOST_OF_HEIGHT * height) / LINE));
  const { columns, letters } = legendGrid(
    curves.map(({ name }) => name),
    width,
    mostRows,
  );
  const capacity = columns * mostRows;
  const drawn = curves.length > capacity ? curves.slice(0, Math.max(1, capacity - 1)) : curves;
  const { shown, full } = shorten(
    drawn.map(({ name }) => name),
    letters,
  );
  const left = curves.length - drawn.length;
  const domain = left > 0 ? [...shown, `… and ${left} more`] : shown;
  const colours = [...drawn.map((curve) => curve.colour), ...(left > 0 ? ['transparent'] : [])];
  const dashes = [...drawn.map((curve) => curve.dash), ...(left > 0 ? [SOLID] : [])];
  const rows = Math.ceil(domain.length / columns);
  return {
    full,
    extra: Math.max(0, rows - 2) * LINE,
    scales: [
      { name: 'colour', type: 'ordinal', domain, range: colours },
      { name: 'dash', type: 'ordinal', domain, range: dashes },
    ],
    legends: [
      {
        stroke: 'colour',
        ...(dashes.some((pattern) => pattern !== SOLID) && { strokeDash: 'dash' }),
        symbolType: 'stroke',
        symbolSize: 300,
        symbolLimit: 0,
        orient: rows > 2 ? 'bottom' : 'top',
        direction: 'horizontal',
        columns,
        offset: 10,
      },
    ],
  };
}

/** Legend entries per line, and letters available per name. */
function legendGrid(names: readonly string[], width: number, mostRows: number): { columns: number; letters: number } {
  const letter = LETTER * 12;
  const free = width - 80;
  const longest = names.reduce((most, name) => Math.max(most, name.length), 0);
  const fitting = Math.floor(free / (longest * letter + 40));
  const most = Math.max(1, Math.floor(free / (LEAST_LETTERS * letter + 40)));
  const needed = Math.ceil(names.length / mostRows);
  const perLine = Math.max(1, Math.min(names.length, Math.max(fitting, Math.min(needed, most))));
  // Balances the line lengths.
  const columns = Math.ceil(names.length / Math.ceil(names.length / perLine));
  return { columns, letters: Math.max(LEAST_LETTERS, Math.floor((free / columns - 40) / letter)) };
}
