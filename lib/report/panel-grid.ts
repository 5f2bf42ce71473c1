import { checkArity, checkBoolean, checkInteger, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { type AxisOptions, type Drawn, dress, legend, marks, scales, tables, yTicks } from './curves.js';
import type { Look } from './look.js';
import { type Curve, checkCurves, checkText, lines, type PictureOptions, readOptions } from './style.js';
import { draw, type Spec } from './vega.js';

/** One small chart. */
export interface Panel {
  readonly title: string;
  readonly curves: readonly Curve[];
}

/** Options of {@link panelGrid}. */
export interface PanelGridOptions extends PictureOptions, AxisOptions {
  /** Panels per row. Default: as close to a square as the number allows, at most 4. */
  columns?: number;
  /** Use one range of x and y for all panels, labelled at the left and bottom only. Default true. */
  sharedAxes?: boolean;
}

const GAP = 18;
/** Space for the labels of an axis. */
const LABELS = { x: 34, y: 52 };
/** Height of a panel's title. */
const LINE = 15;
const HEAD = { fontSize: { value: 12 }, fontWeight: { value: 'bold' } };

/**
 * Small charts in a grid, for comparing runs:
 * `panelGrid([{ title: 'ReLU', curves: [{ name: 'test', y: accuracies }] }, …])`. Curves of the same name have the same
 * colour in all panels. Returns SVG. `height` is the height of all panels together, by default three quarters of a
 * panel's width per row. Throws `PACKAGE_MISSING`, `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `SHAPE_MISMATCH`, and
 * `EMPTY_DATA` if there are no panels or an axis has no finite number.
 */
export async function panelGrid(panels: readonly Panel[], options?: PanelGridOptions): Promise<string> {
  checkArity('panelGrid', arguments, 2);
  if (!Array.isArray(panels)) throw invalid('panels', 'a list of panels { title, curves }', panels);
  if (panels.length === 0) throw new BlasnetError('EMPTY_DATA', 'panels: expected at least one, got none');
  const others = ['columns', 'sharedAxes', 'xTitle', 'yTitle', 'logScale', 'yRange', 'height'] as const;
  const given = readOptions('panelGrid', options, others);
  const shared = checkBoolean('sharedAxes', given.sharedAxes ?? true);
  checkBoolean('logScale', given.logScale ?? false);
  const columns = checkInteger('columns', given.columns ?? Math.min(4, Math.ceil(Math.sqrt(panels.length))), {
    min: 1,
    max: 20,
  });
  const read = panels.map((panel: Partial<Panel> | null, i) => {
    if (typeof panel !== 'object' || panel === null) throw invalid(`panels[${i}]`, 'a panel { title, curves }', panel);
    return {
      title: checkText(`panels[${i}].title`, panel.title),
      curves: checkCurves(`panels[${i}].curves`, panel.curves),
    };
  });
  const names = [...new Set(read.flatMap(({ curves }) => curves.map((curve) => curve.name)))] as const;
  const looks = dress(
    given.look,
    names.map((name) => ({ name, x: [], y: [] })),
  );
  const drawn = read.map(({ title, curves }) => ({
    title,
    curves: curves.map((curve) => ({ ...looks[names.indexOf(curve.name)], ...curve })),
  }));
  return drawPanels('panelGrid', drawn, looks, { ...given, columns, shared, full: options?.height !== undefined });
}

/** A panel with styled curves. */
export interface DrawnPanel {
  readonly title: string;
  readonly curves: readonly Drawn[];
}

interface Layout extends AxisOptions {
  readonly width: number;
  readonly height: number;
  /** `height` is the requested one. */
  readonly full: boolean;
  readonly title: { text: string[] } | undefined;
  readonly look: Look;
  readonly columns: number;
  readonly shared: boolean;
}

/** Draws panels, with a legend for the curves `named`. */
export function drawPanels(
  caller: string,
  panels: readonly DrawnPanel[],
  named: readonly Drawn[],
  given: Layout,
): Promise<string> {
  const { columns, shared } = given;
  const rows = Math.ceil(panels.length / columns);
  const xTitle = checkText('xTitle', given.xTitle ?? '');
  const yTitle = checkText('yTitle', given.yTitle ?? '');
  const between = { x: GAP + (shared ? 0 : LABELS.y), y: shared ? 0 : LABELS.x };
  // 36: the margins, plus half a label beyond the last panel.
  const free = given.width - 36 - LABELS.y - (yTitle === '' ? 0 : 24) - (columns - 1) * between.x;
  const width = Math.max(40, Math.floor(free / columns));
  const heads = panels.map(({ title }) => lines(title, width, 12));
  const head = 8 + LINE * Math.max(...heads.map((text) => text.length));
  const height = given.full
    ? Math.max(30, Math.floor(given.height / rows) - head - between.y)
    : Math.round(0.75 * width);

  const common = shared
    ? scales(
        panels.flatMap(({ curves }) => curves),
        given,
      )
    : undefined;
  const groups = panels.map(({ curves }, i): Spec => {
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
      encode: { enter: { ...place, stroke: { value: given.look.edge } } },
      signals: [
        { name: 'width', value: width },
        { name: 'height', value: height },
      ],
      data: tables('curve', curves),
      scales: [x, y],
      axes: [
        {
          scale: 'x',
          orient: 'bottom',
          tickCount: Math.max(2, Math.round(width / 60)),
          ...labels(i + columns >= panels.length),
        },
        {
          scale: 'y',
          orient: 'left',
          grid: true,
          ...yTicks(y, Math.max(2, Math.round(height / 35))),
          ...labels(column === 0),
        },
      ],
      marks: [
        ...marks('curve', curves, 1.5),
        ...heads[i].map((text, line) => caption(text, width / 2, -6 - LINE * (heads[i].length - 1 - line), HEAD)),
      ],
    };
  });
  const full = {
    width: columns * (width + between.x) - between.x,
    height: rows * (head + height + between.y) - between.y,
  };
  const { scales: keyScales, legends, full: cut } = legend(named, given.width, Math.max(given.height, full.height));
  const spec = {
    ...full,
    autosize: 'pad',
    ...(given.title && { title: given.title }),
    scales: keyScales,
    legends,
    marks: [
      ...groups,
      ...(xTitle === '' ? [] : [caption(xTitle, full.width / 2, full.height + LABELS.x + 12, {})]),
      ...(yTitle === '' ? [] : [caption(yTitle, -LABELS.y, (head + full.height) / 2, { angle: { value: -90 } })]),
    ],
  };
  return draw(caller, given.look, spec, cut);
}

function caption(text: string, x: number, y: number, look: Spec): Spec {
  const place = { x: { value: x }, y: { value: y }, align: { value: 'center' } };
  return { type: 'text', encode: { enter: { text: { value: text }, fontSize: { value: 13 }, ...place, ...look } } };
}
