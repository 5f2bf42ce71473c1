import { checkArity, checkChoice, checkOptions, invalid } from '../checks.js';
import { loadPackage } from '../packages.js';
import type { NetworkNode } from '../summary.js';
import { shapeText } from '../text.js';
import { colour, type Look, lookOf } from './look.js';
import { checkText, lines, type PictureOptions, shorten } from './style.js';
import { escaped, FONT, valid } from './vega.js';

/** Options of {@link networkGraph}. */
export interface NetworkGraphOptions extends Pick<PictureOptions, 'title' | 'theme'> {
  /** Where the nodes go from the inputs: 'down' (default) or 'right'. */
  direction?: 'down' | 'right';
}

/** What `networkGraph` draws; satisfied by `Network`. */
export interface Drawable {
  readonly nodes: readonly NetworkNode[];
}

type Point = { readonly x: number; readonly y: number };

/** More nodes take minutes to lay out. */
const MOST_NODES = 500;
const MARGIN = 16;
/** Most letters of a name. */
const LETTERS = 32;
const SIZES = { name: 13, detail: 11 };
/** Widths of letters as fractions of the font size: generous means for bold and for regular ones. */
const WIDTHS = { name: 0.64, detail: 0.58 };
const LINE = 16;
const PADDING = { x: 12, y: 8 };
const TITLE = { size: 16, line: 20 };

interface Line {
  readonly kind: keyof typeof SIZES;
  readonly text: string;
  /** The whole name, where the text has a part of it. */
  readonly full?: string | undefined;
  readonly fill: string;
}

/** A node as it is drawn. */
interface Box {
  readonly lines: readonly Line[];
  readonly width: number;
  readonly height: number;
  readonly stroke: string;
  readonly strokeWidth: number;
  readonly dash: string;
  /** Opacity of the stroke's colour inside. */
  readonly tint: number;
  readonly radius: number;
}

/**
 * A network's graph: a box for each node with its name, type, shape of one sample and number of parameters, and an
 * arrow from each node to those that take it. Inputs and outputs have colours of their own; all uses of a shared layer
 * have a dashed edge of the same colour. Rejects with `PACKAGE_MISSING` without the package `@dagrejs/dagre`, and with
 * `INVALID_ARGUMENT` for more than 500 nodes.
 */
export async function networkGraph(network: Drawable, options?: NetworkGraphOptions): Promise<string> {
  checkArity('networkGraph', arguments, 2);
  const given = checkOptions('networkGraph', options, ['title', 'theme', 'direction']);
  const look = lookOf(given.theme);
  const title = given.title === undefined ? undefined : checkText('title', given.title);
  const direction = checkChoice('direction', given.direction ?? 'down', ['down', 'right']);
  if (!Array.isArray(network?.nodes)) throw invalid('network', 'a Network', network);
  const { nodes } = network;
  nodes.forEach(checkNode);
  if (nodes.length > MOST_NODES) throw invalid('network', `at most ${MOST_NODES} nodes`, nodes.length);

  const { Graph, layout } = await loadPackage<typeof import('@dagrejs/dagre')>('networkGraph', '@dagrejs/dagre');
  const graph = new Graph({ multigraph: true });
  graph.setGraph({ rankdir: direction === 'down' ? 'TB' : 'LR', nodesep: 28, ranksep: 34, edgesep: 14 });
  const boxes = boxesOf(nodes, look);
  for (const [index, { width, height }] of boxes.entries()) graph.setNode(String(index), { width, height });
  for (const [index, { from }] of nodes.entries())
    for (const [i, source] of from.entries()) graph.setEdge(String(source), String(index), {}, String(i));
  layout(graph);

  const arrows = graph
    .edges()
    .map((edge: { v: string; w: string; name?: string }) => arrow(graph.edge(edge).points as Point[], look));
  const drawn = boxes.map((box, index) => boxSvg(box, graph.node(String(index)) as Point));
  const { width = 0, height = 0 } = graph.graph();
  return picture(look, title, Math.max(200, Math.ceil(width)), Math.ceil(height), [...arrows, ...drawn]);
}

function checkNode(node: NetworkNode, index: number, { length }: readonly NetworkNode[]): void {
  const { type, shape, from, parameters, outputs } = node ?? {};
  const lists = [shape, from, outputs].every((list) => Array.isArray(list));
  const known = lists && from.every((source) => Number.isInteger(source) && source >= 0 && source < length);
  if (typeof type !== 'string' || typeof parameters !== 'number' || !known)
    throw invalid(`network: nodes[${index}]`, 'a node of a Network', node);
}

function boxesOf(nodes: readonly NetworkNode[], look: Look): Box[] {
  const names = shorten(
    nodes.map(({ name }) => name ?? 'input'),
    LETTERS,
  );
  const groups = [...new Set(nodes.flatMap(({ sharedWith }) => (sharedWith === undefined ? [] : [sharedWith])))];
  return nodes.map((node, index) => {
    const { type, shape, parameters, sharedWith, outputs } = node;
    const name = names.shown[index];
    const head = { kind: 'name', text: name, full: names.full.get(name), fill: look.ink } as const;
    const count = parameters === 0 ? '' : `, ${parameters.toLocaleString('en')} parameters`;
    const list: Line[] = [head, { kind: 'detail', text: `${type} ${shapeText(shape)}${count}`, fill: look.ink }];
    const group = groups.indexOf(sharedWith ?? index);
    const shared = group < 0 ? undefined : colour(look, 3 + group);
    if (shared !== undefined) {
      const text = sharedWith === undefined ? 'shared' : `shared with ${names.shown[sharedWith]}`;
      list.push({ kind: 'detail', text, fill: look.ink });
    }
    if (outputs.length > 0) {
      const own = outputs.filter((output) => output !== 'output');
      list.push({ kind: 'detail', text: `→ ${['output', ...own].join(' ')}`, fill: look.ink });
    }
    const role = type === 'input' ? colour(look, 0) : outputs.length > 0 ? colour(look, 1) : undefined;
    const widths = list.map(({ kind, text }) => Array.from(text).length * SIZES[kind] * WIDTHS[kind]);
    return {
      lines: list,
      width: Math.ceil(Math.max(...widths) + 2 * PADDING.x),
      height: list.length * LINE + 2 * PADDING.y,
      stroke: shared ?? role ?? look.outline,
      strokeWidth: (role ?? shared) === undefined ? 1 : 2,
      dash: shared === undefined ? '' : ' stroke-dasharray="6 3"',
      tint: (role ?? shared) === undefined ? 0.06 : 0.16,
      radius: role === undefined ? 4 : 14,
    };
  });
}

const round = (value: number): string => String(Math.round(10 * value) / 10);
const at = ({ x, y }: Point): string => `${round(x)},${round(y)}`;

/** A line through the points, rounded between them, with a head at its end. */
function arrow(points: readonly Point[], { axis }: Look): string {
  const [tip, before] = [points[points.length - 1], points[points.length - 2]];
  const length = Math.hypot(tip.x - before.x, tip.y - before.y) || 1;
  const [dx, dy] = [(tip.x - before.x) / length, (tip.y - before.y) / length];
  const foot = { x: tip.x - 8 * dx, y: tip.y - 8 * dy };
  const path = [`M${at(points[0])}`];
  for (let i = 1; i < points.length - 1; i++) {
    const [point, next] = [points[i], i === points.length - 2 ? foot : points[i + 1]];
    const end = i === points.length - 2 ? foot : { x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 };
    path.push(`Q${at(point)} ${at(end)}`);
  }
  if (points.length === 2) path.push(`L${at(foot)}`);
  const [left, right] = [1, -1].map((side) => ({ x: foot.x - 4 * side * dy, y: foot.y + 4 * side * dx }));
  const line = `<path d="${path.join('')}" fill="none" stroke="${axis}" stroke-width="1.5"/>`;
  return `${line}<path d="M${at(tip)}L${at(left)}L${at(right)}Z" fill="${axis}"/>`;
}

function boxSvg({ lines, width, height, stroke, strokeWidth, dash, tint, radius }: Box, { x, y }: Point): string {
  const [left, top] = [x - width / 2, y - height / 2];
  const place = `x="${round(left)}" y="${round(top)}" width="${width}" height="${height}" rx="${radius}"`;
  const edge = `stroke="${stroke}" stroke-width="${strokeWidth}"${dash} fill="${stroke}" fill-opacity="${tint}"`;
  const texts = lines.map(({ kind, text, full, fill }, i) => {
    const weight = kind === 'name' ? ' font-weight="bold"' : '';
    const title = full === undefined ? '' : `<title>${escaped(full)}</title>`;
    const base = top + PADDING.y + LINE * i + 12;
    return `<text x="${round(x)}" y="${round(base)}" font-size="${SIZES[kind]}px"${weight} fill="${fill}">${title}${escaped(text)}</text>`;
  });
  return `<g><rect ${place} ${edge}/>${texts.join('')}</g>`;
}

/** The document: the title above the graph, a margin around both. */
function picture(look: Look, title: string | undefined, width: number, height: number, parts: readonly string[]) {
  const heading = title === undefined ? [] : lines(title, width, TITLE.size);
  const above = heading.length === 0 ? 0 : heading.length * TITLE.line + 8;
  const [wide, high] = [width + 2 * MARGIN, height + above + 2 * MARGIN];
  const titles = heading.map(
    (text, i) =>
      `<text x="${MARGIN}" y="${MARGIN + TITLE.line * i + 14}" font-size="${TITLE.size}px" font-weight="bold" fill="${look.ink}">${escaped(text)}</text>`,
  );
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${wide}" height="${high}" viewBox="0 0 ${wide} ${high}" font-family="${FONT}">`,
    `<rect width="${wide}" height="${high}" fill="${look.background}"/>`,
    ...titles,
    `<g transform="translate(${MARGIN},${MARGIN + above})" text-anchor="middle">`,
    ...parts,
    '</g></svg>',
  ];
  return valid(svg.join('\n'));
}
