import { createHash } from 'node:crypto';
import { loadPackage } from '../packages.js';

/** A Vega specification: plain data, https://vega.github.io/vega/docs/specification. */
export type Spec = { readonly [key: string]: unknown };

const FONT = 'Helvetica, Arial, sans-serif';
const INK = '#222';

/** The look that all pictures share. */
const config = {
  title: { font: FONT, fontSize: 16, color: INK, anchor: 'start', frame: 'bounds', offset: 12 },
  axis: {
    labelFont: FONT,
    labelFontSize: 12,
    labelColor: INK,
    labelLimit: 0,
    labelOverlap: true,
    titleFont: FONT,
    titleFontSize: 13,
    titleFontWeight: 'normal',
    titleColor: INK,
    titlePadding: 8,
    domainColor: '#777',
    tickColor: '#777',
    gridColor: '#e4e4e4',
  },
  legend: {
    labelFont: FONT,
    labelFontSize: 12,
    labelColor: INK,
    labelLimit: 0,
    titleFont: FONT,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    titleColor: INK,
    symbolStrokeWidth: 2.5,
  },
  text: { font: FONT, fontSize: 12, fill: INK },
};

/** Draws a specification. Throws `PACKAGE_MISSING` without the package `vega`. */
export async function draw(caller: string, spec: Spec): Promise<string> {
  const vega = await loadPackage(caller, 'vega', () => import('vega'));
  const complete = { background: 'white', padding: 12, config, ...spec };
  const view = new vega.View(vega.parse(complete as Parameters<typeof vega.parse>[0]), { renderer: 'none' });
  try {
    return ownIds(await view.toSVG());
  } finally {
    view.finalize();
  }
}

/**
 * Vega numbers clip paths through the whole process. Ids made of the picture's own content keep it the same each time, and
 * pictures that stand in one document apart.
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
