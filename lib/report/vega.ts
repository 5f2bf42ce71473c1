import { createHash } from 'node:crypto';
import type { LoggerInterface } from 'vega';
import { BlasnetError } from '../errors.js';
import { loadPackage } from '../packages.js';
import { cut, errorText } from '../text.js';
import type { Look } from './look.js';

/** A Vega specification: plain data, https://vega.github.io/vega/docs/specification. */
export type Spec = { readonly [key: string]: unknown };

export const FONT = 'Helvetica, Arial, sans-serif';

/** Estimated width of a letter where Vega lays out text, as a fraction of the font size. */
export const LETTER = 0.8;

/** Settings common to all pictures. */
const config = ({ ink, axis, grid }: Look) => ({
  title: { font: FONT, fontSize: 16, color: ink, anchor: 'start', frame: 'bounds', offset: 12 },
  axis: {
    labelFont: FONT,
    labelFontSize: 12,
    labelColor: ink,
    labelLimit: 0,
    labelOverlap: true,
    titleFont: FONT,
    titleFontSize: 13,
    titleFontWeight: 'normal',
    titleColor: ink,
    titlePadding: 8,
    domainColor: axis,
    tickColor: axis,
    gridColor: grid,
  },
  legend: {
    labelFont: FONT,
    labelFontSize: 12,
    labelColor: ink,
    labelLimit: 0,
    titleFont: FONT,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    titleColor: ink,
    symbolStrokeWidth: 2.5,
  },
  text: { font: FONT, fontSize: 12, fill: ink },
});

/**
 * Draws a specification. Texts in `full` are shortened names; their full names become tooltips. Throws
 * `PACKAGE_MISSING` without the package `vega`.
 */
export async function draw(
  caller: string,
  look: Look,
  spec: Spec,
  full: ReadonlyMap<string, string> = new Map(),
): Promise<string> {
  const vega = await loadPackage<typeof import('vega')>(caller, 'vega');
  const complete = { background: look.background, padding: 12, config: config(look), ...spec };
  const failures: unknown[] = [];
  const ignored = () => logger;
  // By default errors are printed, and the picture is empty.
  const logger = {
    level: ignored,
    error(...parts: unknown[]) {
      failures.push(...parts);
      return logger;
    },
    ...{ warn: ignored, info: ignored, debug: ignored },
  } as unknown as LoggerInterface;
  let svg = '';
  try {
    const view = new vega.View(vega.parse(marked(complete) as Parameters<typeof vega.parse>[0]), {
      renderer: 'none',
      logger,
    });
    svg = await view.toSVG().finally(() => view.finalize());
  } catch (error) {
    failures.push(error);
  }
  if (failures.length > 0) {
    const [cause] = failures;
    throw new BlasnetError('INTERNAL', `${caller}: vega can't draw it (${cut(errorText(cause), 200)})`, { cause });
  }
  return valid(ownIds(withTitles(svg.replace(MARKED, '$1'), full)));
}

/** Texts that every object has a property of: Vega looks texts up in objects, as names of signals, for one. */
const TAKEN = Object.getOwnPropertyNames(Object.prototype);
const MARK = '\u200b';
const MARKED = new RegExp(`(${TAKEN.join('|')})${MARK}`, 'g');

/** Plain data in which such texts have a mark, which `draw` takes out of the picture. */
function marked(value: unknown): unknown {
  if (typeof value === 'string') return TAKEN.includes(value) ? value + MARK : value;
  if (Array.isArray(value)) return value.map(marked);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, marked(item)]));
}

/** A picture whose texts have no characters that XML can't hold. */
export const valid = (svg: string): string =>
  svg.replace(/(?![\t\n\r])\p{Control}|\p{Surrogate}|[\ufffe\uffff]/gu, '\ufffd');

/** Text for an SVG document. */
export const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function withTitles(svg: string, full: ReadonlyMap<string, string>): string {
  if (full.size === 0) return svg;
  const titles = new Map(Array.from(full, ([shown, name]) => [escaped(shown), escaped(name)]));
  return svg.replace(/(<text[^>]*>)([^<]*)(?=<\/text>)/g, (whole, tag: string, text: string) => {
    const title = titles.get(text);
    return title === undefined ? whole : `${tag}<title>${title}</title>${text}`;
  });
}

/**
 * Vega numbers clip paths across the process. IDs derived from the content make the output reproducible, and unique if
 * several pictures are embedded in one document.
 */
function ownIds(svg: string): string {
  const numbers = new Map<string, number>();
  const id = /(id="|url\(#)(clip|gradient)_?(\d+)(?=["_)])/g;
  const counted = svg.replace(id, (_, before: string, kind: string, number: string) => {
    const key = kind + number;
    if (!numbers.has(key)) numbers.set(key, numbers.size);
    return `${before}@-${numbers.get(key)}`;
  });
  const hash = createHash('sha256').update(counted).digest('hex').slice(0, 8);
  return counted.replaceAll(/(id="|url\(#)@-/g, `$1c${hash}-`);
}
