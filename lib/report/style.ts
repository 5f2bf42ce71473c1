import { checkInteger, checkOptions, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import type { Spec } from './vega.js';

/** What all pictures take. */
export interface PictureOptions {
  /** Stands above the picture. */
  title?: string;
  /** Pixels, 200 to 4000; grids of panels or images come close to it. Default 800. */
  width?: number;
  /** Pixels of the whole picture, 150 to 4000. Each picture has its own default. */
  height?: number;
}

/** A line through points (x, y). A y that is not finite leaves a gap. */
export interface Curve {
  /** What the legend calls it; each curve of a picture has another name. */
  readonly name: string;
  /** Default: 1, 2, 3, … */
  readonly x?: ArrayLike<number>;
  readonly y: ArrayLike<number>;
}

/**
 * Colours that remain apart with the common colour deficiencies: those of Okabe and Ito without the yellow, which is faint
 * on white, and three of Tol's. Curves beyond ten are dashed, classes have shapes as well.
 */
const PALETTE = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000', '#882255', '#999933', '#332288'];
const SHAPES = ['circle', 'square', 'triangle-up', 'diamond', 'cross', 'triangle-down', 'triangle-right', 'triangle-left'];

export const SOLID = [1, 0];
export const DASHED = [6, 4];

export function colour(index: number): string {
  return PALETTE[index % PALETTE.length];
}

export function shape(index: number): string {
  return SHAPES[index % SHAPES.length];
}

/** Solid for the first ten curves, then ever finer dashes. */
export function dash(index: number): number[] {
  const round = Math.floor(index / PALETTE.length);
  return round === 0 ? SOLID : [8 / round, 4];
}

/** Checks the options that all pictures take and refuses unknown ones; `title` and `frame` are parts of a specification. */
export function readOptions<T extends PictureOptions>(
  caller: string,
  options: T | undefined,
  others: readonly string[],
  defaultHeight = 400,
) {
  const given = checkOptions(caller, options, ['title', 'width', ...others]);
  const width = checkInteger('width', given.width ?? 800, { min: 200, max: 4000 });
  const height = checkInteger('height', given.height ?? defaultHeight, { min: 150, max: 4000 });
  const title = given.title === undefined ? undefined : { text: lines(checkText('title', given.title), width - 24, 16) };
  const frame: Spec = { width, height, autosize: { type: 'fit', contains: 'padding' } };
  return { ...given, width, height, title, frame };
}

export function checkText(name: string, value: unknown): string {
  if (typeof value !== 'string') throw invalid(name, 'a string', value);
  return value;
}

/** Breaks text between words into at most three lines that fit `width`, by the mean width of bold letters. */
export function lines(text: string, width: number, fontSize: number): string[] {
  const most = Math.max(8, Math.floor(width / (0.61 * fontSize)));
  const broken: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (longer.length > most && line !== '') broken.push(line);
    line = longer.length > most ? word : longer;
  }
  broken.push(line);
  if (broken.length > 3) broken.splice(2, Infinity, `${broken[2]} …`);
  return broken.map((part) => (part.length > most ? `${part.slice(0, most - 1)}…` : part));
}

/** A list of curves with names of their own, as many x as y, and x that are finite. */
export function checkCurves(name: string, value: unknown): Required<Curve>[] {
  if (!Array.isArray(value)) throw invalid(name, 'a list of curves { name, x?, y }', value);
  const names = new Set<string>();
  return value.map((curve: Partial<Curve> | null, i) => {
    const at = `${name}[${i}]`;
    if (typeof curve !== 'object' || curve === null) throw invalid(at, 'a curve { name, x?, y }', curve);
    const label = checkText(`${at}.name`, curve.name);
    if (names.has(label)) throw invalid(`${at}.name`, 'a name that no other curve has', label);
    names.add(label);
    const y = checkNumbers(`${at}.y`, curve.y);
    const x = curve.x === undefined ? Array.from(y, (_, j) => j + 1) : checkNumbers(`${at}.x`, curve.x, { finite: true });
    if (x.length !== y.length) {
      throw new BlasnetError('SHAPE_MISMATCH', `${at}.x: expected ${y.length} numbers, as many as y, got ${x.length}`);
    }
    return { name: label, x, y };
  });
}

export function checkNumbers(name: string, value: unknown, { finite = false } = {}): number[] {
  if (!Array.isArray(value) && !ArrayBuffer.isView(value)) throw invalid(name, 'an array of numbers', value);
  const numbers = Array.from(value as ArrayLike<number>);
  const wrong = numbers.findIndex((item) => typeof item !== 'number' || (finite && !Number.isFinite(item)));
  if (wrong >= 0) throw invalid(`${name}[${wrong}]`, finite ? 'a finite number' : 'a number', numbers[wrong]);
  return numbers;
}

/** Smallest and largest of the finite numbers, made wider by `margin` of the extent; throws `EMPTY_DATA` where there are none. */
export function extent(name: string, values: Iterable<number>, margin = 0): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) throw new BlasnetError('EMPTY_DATA', `${name}: expected at least one finite number, found none`);
  if (low === high) {
    const room = Math.abs(low) / 10 || 1;
    return [low - room, high + room];
  }
  const room = margin * (high - low);
  return [low - room, high + room];
}

/** Two finite numbers, the second above the first. */
export function checkRange(name: string, value: unknown): [number, number] {
  const [low, high] = checkNumbers(name, value, { finite: true });
  if ((value as ArrayLike<number>).length !== 2 || !(low < high)) throw invalid(name, 'two numbers [low, high]', value);
  return [low, high];
}
