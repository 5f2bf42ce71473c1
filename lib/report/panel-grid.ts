import { checkBoolean, checkInteger, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { type AxisOptions, dress, legend, marks, scales, tables, yTicks } from './curves.js';
import { type Curve, checkCurves, checkText, lines, type PictureOptions, readOptions } from './style.js';
import { draw, type Spec } from './vega.js';

/** One small chart. */
export interface Panel {
  readonly title: string;
  readonly curves: readonly Curve[];
}

export interface PanelGridOptions extends PictureOptions, AxisOptions {
  /** Panels beside each other. Default: as near to a square as the number allows, 4 at most. */
  columns?: number;
  /** One range of x and y for all panels, written at the left and below only. Default true. */
  sharedAxes?: boolean;
}

const GAP = 18;
/** Room for the labels of an axis. */
const LABELS = { x: 34, y: 52 };
/** A panel's title. */
const LINE = 15;
const HEAD = { fontSize: { value: 12 }, fontWeight: { value: 'bold' } };

/**
 * Small charts in a grid, for comparing runs: `panelGrid([{ title: 'ReLU', curves: [{ name: 'test', y: accuracies }] }, …])`. A curve has
 * the same colour in all panels that have one of its name. Returns SVG. `height` is that of all panels together, by default
 * three quarters of a panel's width for each row. Throws `PACKAGE_MISSING`, `INVALID_ARGUMENT`, `UNKNOWN_OPTION`,
 * `SHAPE_MISMATCH` and `EMPTY_DATA`: no panels, or no finite number in what shares an axis.
 */
export async function panelGrid(panels: readonly Panel[], options?: PanelGridOptions): Promise<string> {
  if (!Array.isArray(panels)) throw invalid('panels', 'a list of panels { title, curves }', panels);
  if (panels.length === 0) throw new BlasnetError('EMPTY_DATA', 'panels: expected at least one, got none');
  const others = ['columns', 'sharedAxes', 'xTitle', 'yTitle', 'logScale', 'yRange', 'height'];
  const given = readOptions('panelGrid', options, others);
  const shared = checkBoolean('sharedAxes', given.sharedAxes ?? true);
  checkBoolean('logScale', given.logScale ?? false);
  const columns = checkInteger('columns', given.columns ?? Math.min(4, Math.ceil(Math.sqrt(panels.length))), { min: 1, max: 20 });
  const rows = Math.ceil(panels.length / columns);

  const read = panels.map((panel: Partial<Panel> | null, i) => {
    if (typeof panel !== 'object' || panel === null) throw invalid(`panels[${i}]`, 'a panel { title, curves }', panel);
    return { title: checkText(`panels[${i}].title`, panel.title), curves: checkCurves(`panels[${i}].curves`, panel.curves) };
  });
  const names = [...new Set(read.flatMap(({ curves }) => curves.map((curve) => curve.name)))];
  const looks = dress(names.map((name) => ({ name, x: [], y: [] })));
  const drawn = read.map(({ curves }) => curves.map((curve) => ({ ...looks[names.indexOf(curve.name)], ...curve })));

  const xTitle = checkText('xTitle', given.xTitle ?? '');
  const yTitle = checkText('yTitle', given.yTitle ?? '');
  const between = { x: GAP + (shared ? 0 : LABELS.y), y: shared ? 0 : LABELS.x };
  // 36: the margins, and half a label beyond the last panel.
  const free = given.width - 36 - LABELS.y - (yTitle === '' ? 0 : 24) - (columns - 1) * between.x;
  const width = Math.max(40, Math.floor(free / columns));
  const heads = read.map(({ title }) => lines(title, width, 12));
  const head = 8 + LINE * Math.max(...heads.map((text) => text.length));
  const height =
    options?.height === undefined ? Math.round(0.75 * width) : Math.max(30, Math.floor(given.height / rows) - head - between.y);

  const common = shared ? scales(drawn.flat(), given) : undefined;
  const groups = drawn.map((curves, i): Spec => {
    const [column, row] = [i % columns, Math.floor(i / columns)];
    const [x, y] = common ?? scales(curves, given);
    const labels = (written: boolean) => ({ labels: !shared || written, ticks: !shared || written, labelFontSize: 11 });
    const place = {
      x: { value: column * (width + between.x) },
      y: { value: head + row * (head + height + between.y) },
      width: { value: width },
      height: { value: height },
    };
    return {
      type: 'group',
      name: `panel${i}`,
      encode: { enter: { ...place, stroke: { value: '#ccc' } } },
      signals: [
        { name: 'width', value: width },
        { name: 'height', value: height },
      ],
      data: tables('curve', curves),
      scales: [x, y],
      axes: [
        { scale: 'x', orient: 'bottom', tickCount: Math.max(2, Math.round(width / 60)), ...labels(i + columns >= panels.length) },
        { scale: 'y', orient: 'left', grid: true, ...yTicks(y, Math.max(2, Math.round(height / 35))), ...labels(column === 0) },
      ],
      marks: [
        ...marks('curve', curves, 1.5),
        ...heads[i].map((text, line) => caption(text, width / 2, -6 - LINE * (heads[i].length - 1 - line), HEAD)),
      ],
    };
  });
  const full = { width: columns * (width + between.x) - between.x, height: rows * (head + height + between.y) - between.y };
  const keys = legend(looks, given.width);
  return draw('panelGrid', {
    ...full,
    autosize: 'pad',
    ...(given.title && { title: given.title }),
    ...keys,
    marks: [
      ...groups,
      ...(xTitle === '' ? [] : [caption(xTitle, full.width / 2, full.height + LABELS.x + 12, {})]),
      ...(yTitle === '' ? [] : [caption(yTitle, -LABELS.y, (head + full.height) / 2, { angle: { value: -90 } })]),
    ],
  });
}

function caption(text: string, x: number, y: number, look: Spec): Spec {
  const place = { x: { value: x }, y: { value: y }, align: { value: 'center' } };
  return { type: 'text', encode: { enter: { text: { value: text }, fontSize: { value: 13 }, ...place, ...look } } };
}
