import { types } from 'node:util';
import {
  checkArity,
  checkChoice,
  checkInteger,
  checkOptions,
  checkPath,
  describe,
  invalid,
  isObject,
  isPlain,
} from '../checks.js';
import { replaceFile } from '../formats/replace-file.js';
import { errorText } from '../text.js';
import type { Theme } from './look.js';
import { checkText } from './style.js';

/** A table of a report. */
export interface ReportTable {
  readonly columns: readonly string[];
  /** Numbers are written with `digits` significant digits. */
  readonly rows: readonly (readonly (string | number)[])[];
  /** 1 to 17; default 4. Integers are always written in full. */
  readonly digits?: number;
}

/** A section of a report. */
export interface ReportSection {
  readonly heading: string;
  /** Paragraphs, separated by empty lines. */
  readonly text?: string;
  /** One or more pictures from functions of `blasnet/report`. */
  readonly svg?: string | readonly string[];
  readonly table?: ReportTable;
  /** Preformatted text, such as `network.summary()` or `String(matrix)`. */
  readonly preformatted?: string;
}

/** A hyper-parameter value: anything JSON can hold; settings may be nested. */
export type Hyperparameter = string | number | boolean | null | undefined | readonly Hyperparameter[] | object;

/** What {@link htmlReport} makes a page of. */
export interface Report {
  readonly title: string;
  readonly sections: readonly ReportSection[];
  /** 'light' (default), 'dark', or 'auto' to follow the reader's system. Pictures have their own theme. */
  readonly theme?: Theme | 'auto';
  /**
   * A table of settings, such as `{ epochs: 5, batchSize: 64, optimizer }`. Optimizers and losses are shown with their
   * options.
   */
  readonly hyperparameters?: Readonly<Record<string, Hyperparameter>>;
  /** Include the network's summary and a table of its layers with their options. */
  readonly network?: Described;
}

/** What a report shows of a network; satisfied by `Network`. */
export interface Described {
  readonly layers: readonly { readonly type: string; readonly name?: string }[];
  summary(): string;
}

const COLOURS = {
  light: 'color-scheme: light; --ink: #222; --ground: #fff; --line: #ddd; --soft: #f5f5f5;',
  dark: 'color-scheme: dark; --ink: #e8e8e8; --ground: #16181d; --line: #3a3f49; --soft: #20242b;',
};

const STYLE = `
body { font: 16px/1.5 Helvetica, Arial, sans-serif; color: var(--ink); background: var(--ground); max-width: 860px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.6em; } h2 { font-size: 1.2em; margin-top: 2em; }
img { display: block; max-width: 100%; height: auto; margin: 1em 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25em 0.8em; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th.number, td.number { text-align: right; }
pre { overflow-x: auto; background: var(--soft); padding: 0.8em; font-size: 0.85em; line-height: 1.35; }
`;

function styleOf(theme: Theme | 'auto'): string {
  if (theme !== 'auto') return `\n:root { ${COLOURS[theme]} }${STYLE}`;
  return `\n:root { ${COLOURS.light} }\n@media (prefers-color-scheme: dark) { :root { ${COLOURS.dark} } }${STYLE}`;
}

/**
 * A self-contained HTML file that loads nothing and runs no scripts. Text is escaped; pictures are embedded as images,
 * so they can't affect the page. Throws `INVALID_ARGUMENT` and `UNKNOWN_OPTION`.
 */
export function htmlReport(report: Report): string {
  checkArity('htmlReport', arguments, 1);
  const known = ['title', 'sections', 'theme', 'hyperparameters', 'network'] as const;
  const { title, sections, theme, hyperparameters, network } = checkOptions('htmlReport', report, known);
  const heading = escapeHtml(checkText('title', title));
  const style = styleOf(checkChoice('theme', theme ?? 'light', ['light', 'dark', 'auto']));
  if (!Array.isArray(sections))
    throw invalid('sections', 'a list of sections { heading, text?, svg?, table? }', sections);
  const parts = [
    ...(hyperparameters === undefined ? [] : [settingsHtml(hyperparameters)]),
    ...(network === undefined ? [] : [networkHtml(network)]),
    ...sections.map((section, i) => sectionHtml(`sections[${i}]`, section)),
  ];
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>${heading}</title>
<style>${style}</style>
</head>
<body>
<h1>${heading}</h1>
${parts.join('\n')}
</body>
</html>
`;
}

/**
 * Writes `htmlReport(report)` to a file (a path or file: URL), atomically. Throws the errors of `htmlReport`, and
 * `FILE_NOT_WRITTEN`.
 */
export async function writeReport(path: string | URL, report: Report): Promise<void> {
  checkArity('writeReport', arguments, 2);
  const file = checkPath('writeReport: path', path);
  await replaceFile(file, Buffer.from(htmlReport(report)));
}

function settingsHtml(settings: unknown): string {
  if (!isObject(settings)) {
    throw invalid('hyperparameters', 'an object of settings by name', settings);
  }
  const rows = Object.entries(settings).flatMap(([name, value]) => flatten(name, value, 0));
  return sectionHtml('hyperparameters', {
    heading: 'Hyper-parameters',
    table: { columns: ['setting', 'value'], rows },
  });
}

/** Maximum nesting depth of settings. */
const MOST_NESTED = 4;

/** Most items of a list that are shown. */
const MOST_ITEMS = 100;

/** Table rows: a setting, or its nested settings by path. */
function flatten(path: string, value: unknown, depth: number): (string | number)[][] {
  if (typeof value === 'number') return [[path, value]];
  const items = itemsOf(value);
  if (items !== undefined && !items.some((item) => settingsOf(item) !== undefined)) return [[path, listText(items)]];
  const settings = settingsOf(value);
  if (settings === undefined) return [[path, text(value)]];
  const { kind, own } = settings;
  const given = own.filter(([, item]) => item !== undefined);
  if (given.length > 0 && depth === MOST_NESTED) return [[path, '…']];
  const rows = given.flatMap(([name, item]) => flatten(`${path}.${name}`, item, depth + 1));
  if (kind !== undefined) return [[path, kind], ...rows];
  return rows.length > 0 ? rows : [[path, '{}']];
}

/** The items of an array, a typed array or a Set. */
function itemsOf(value: unknown): unknown[] | undefined {
  if (Array.isArray(value)) return value;
  if (types.isTypedArray(value)) return Array.from<unknown>(value);
  return types.isSet(value) ? [...value] : undefined;
}

/** What a setting has by name: a described object its options, a plain one its fields, a Map its entries, a list its items. */
function settingsOf(value: unknown): { kind?: string; own: [string, unknown][] } | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (types.isMap(value)) return { own: Array.from(value, ([key, item]) => [text(key), item]) };
  const items = itemsOf(value);
  if (items !== undefined) return { own: Object.entries(items) };
  const { kind, options } = value as { kind?: unknown; options?: unknown };
  if (typeof kind === 'string')
    return { kind, own: typeof options === 'object' && options !== null ? Object.entries(options) : [] };
  return isPlain(value) ? { own: Object.entries(value) } : undefined;
}

function listText(items: readonly unknown[]): string {
  const shown = items.slice(0, MOST_ITEMS).map(text).join(', ');
  return items.length > MOST_ITEMS ? `${shown} and ${items.length - MOST_ITEMS} more` : shown;
}

/** A setting as text: numbers shortened, functions by name, times in ISO 8601. */
function text(value: unknown): string {
  if (typeof value === 'number') return formatNumber(value);
  if (typeof value === 'function') return value.name === '' ? 'a function' : value.name;
  if (types.isDate(value)) return Number.isNaN(value.getTime()) ? 'an invalid date' : value.toISOString();
  if (typeof value !== 'object' || value === null) return String(value);
  // What has no text of its own is told by its class.
  const own = errorText(value);
  return own.startsWith('[object ') ? describe(value) : own;
}

function networkHtml(network: Described): string {
  if (typeof network?.summary !== 'function' || !Array.isArray(network.layers))
    throw invalid('network', 'a Network', network);
  for (const [i, layer] of network.layers.entries()) {
    if (typeof layer?.type !== 'string') throw invalid(`network: layers[${i}]`, 'a layer', layer);
  }
  const rows = network.layers.map(({ type, name, ...options }, i) => {
    const settings = Object.entries(options)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key}: ${optionText(value)}`);
    return [name ?? String(i), type, settings.join(', ')];
  });
  return sectionHtml('network', {
    heading: 'Network',
    preformatted: network.summary(),
    table: { columns: ['layer', 'type', 'options'], rows },
  });
}

/** A layer option: initialisers and regularisers by kind. */
function optionText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(optionText).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return text(value);
  const { kind, ...rest } = value as Record<string, unknown>;
  const numbers = Object.entries(rest).filter(([, item]) => typeof item === 'number');
  const own = numbers.map(([key, item]) => `${key} ${text(item)}`).join(', ');
  return [typeof kind === 'string' ? kind : '', own].filter((part) => part !== '').join(' ');
}

function sectionHtml(name: string, section: ReportSection): string {
  if (typeof section !== 'object' || section === null)
    throw invalid(name, 'a section { heading, text?, svg?, table? }', section);
  const known = ['heading', 'text', 'svg', 'table', 'preformatted'] as const;
  const { heading, text: body = '', svg = [], table, preformatted } = checkOptions(name, section, known);
  const title = escapeHtml(checkText(`${name}.heading`, heading));
  const paragraphs = checkText(`${name}.text`, body)
    .split(/\n\s*\n/)
    .filter((paragraph) => paragraph.trim() !== '')
    .map((paragraph) => `<p>${escapeHtml(paragraph.trim())}</p>`);
  const list: unknown = typeof svg === 'string' ? [svg] : svg;
  if (!Array.isArray(list)) throw invalid(`${name}.svg`, 'SVG or a list of it', svg);
  const pictures = list.map((picture: unknown, i) => {
    if (typeof picture !== 'string' || !/^\s*(<\?xml[^>]*>\s*)?<svg[\s>]/.test(picture))
      throw invalid(`${name}.svg[${i}]`, 'SVG', picture);
    return `<img alt="${title}" src="data:image/svg+xml;base64,${Buffer.from(picture).toString('base64')}">`;
  });
  const parts = [
    `<h2>${title}</h2>`,
    ...paragraphs,
    ...(preformatted === undefined
      ? []
      : [`<pre>${escapeHtml(checkText(`${name}.preformatted`, preformatted))}</pre>`]),
    ...pictures,
    ...(table === undefined ? [] : [tableHtml(`${name}.table`, table)]),
  ];
  return `<section>\n${parts.join('\n')}\n</section>`;
}

const DIGITS = 4;

/**
 * A number rounded to this many significant digits, in the shortest form; digits before the decimal point are always
 * kept.
 */
export function formatNumber(value: number, digits: number = DIGITS): string {
  if (!Number.isFinite(value) || Number.isInteger(value)) return String(value);
  if (Math.abs(value) >= 10 ** digits) return value.toFixed(0);
  const rounded = Number(value.toPrecision(digits));
  // Small numbers as 1.5e-5, to avoid a row of zeros.
  return Math.abs(rounded) < 1e-4 ? rounded.toExponential() : String(rounded);
}

function tableHtml(name: string, table: ReportTable): string {
  const { columns, rows, digits = DIGITS } = checkOptions(name, table, ['columns', 'rows', 'digits']);
  checkInteger(`${name}.digits`, digits, { min: 1, max: 17 });
  if (!Array.isArray(columns) || !Array.isArray(rows)) throw invalid(name, 'a table { columns, rows }', table);
  const body = rows.map((row, i) => {
    if (!Array.isArray(row) || row.length !== columns.length)
      throw invalid(`${name}.rows[${i}]`, `${columns.length} cells`, row);
    const cells = row.map((cell: unknown, j) => {
      if (typeof cell === 'number') return `<td class="number">${formatNumber(cell, digits)}</td>`;
      return `<td>${escapeHtml(checkText(`${name}.rows[${i}][${j}]`, cell))}</td>`;
    });
    return `<tr>${cells.join('')}</tr>`;
  });
  const head = columns.map((column, j) => {
    // Headings of number columns are right-aligned too.
    const numbers = rows.length > 0 && rows.every((row) => typeof row[j] === 'number');
    return `<th${numbers ? ' class="number"' : ''}>${escapeHtml(checkText(`${name}.columns[${j}]`, column))}</th>`;
  });
  return `<div class="scroll"><table>\n<thead><tr>${head.join('')}</tr></thead>\n<tbody>\n${body.join('\n')}\n</tbody>\n</table></div>`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
