import { writeFile } from 'node:fs/promises';
import { checkOptions, invalid } from '../checks.js';
import { checkText } from './style.js';

export interface ReportTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

export interface ReportSection {
  readonly heading: string;
  /** Paragraphs, apart by empty lines. */
  readonly text?: string;
  /** What a function of `blasnet/report` drew, or several. */
  readonly svg?: string | readonly string[];
  readonly table?: ReportTable;
}

export interface Report {
  readonly title: string;
  readonly sections: readonly ReportSection[];
}

const STYLE = `
body { font: 16px/1.5 Helvetica, Arial, sans-serif; color: #222; background: white; max-width: 860px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.6em; } h2 { font-size: 1.2em; margin-top: 2em; }
img { display: block; max-width: 100%; height: auto; margin: 1em 0; }
table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25em 0.8em; border-bottom: 1px solid #ddd; text-align: left; }
td.number { text-align: right; }
pre { overflow-x: auto; }
`;

/**
 * One HTML file with everything in it: it loads nothing and runs no script. Text is escaped; pictures are embedded as images, so that
 * nothing in one acts on the page. Throws `INVALID_ARGUMENT` and `UNKNOWN_OPTION`.
 */
export function htmlReport(report: Report): string {
  const { title, sections } = checkOptions('htmlReport', report, ['title', 'sections']) as Partial<Report>;
  const heading = escapeHtml(checkText('title', title));
  if (!Array.isArray(sections)) throw invalid('sections', 'a list of sections { heading, text?, svg?, table? }', sections);
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>${heading}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${heading}</h1>
${sections.map((section, i) => sectionHtml(`sections[${i}]`, section)).join('\n')}
</body>
</html>
`;
}

/** Writes `htmlReport(report)` to a file. Throws what `htmlReport` does, and what the file system says. */
export async function writeReport(path: string, report: Report): Promise<void> {
  await writeFile(path, htmlReport(report));
}

function sectionHtml(name: string, section: ReportSection): string {
  if (typeof section !== 'object' || section === null) throw invalid(name, 'a section { heading, text?, svg?, table? }', section);
  const { heading, text = '', svg = [], table } = checkOptions(name, section, ['heading', 'text', 'svg', 'table']);
  const title = escapeHtml(checkText(`${name}.heading`, heading));
  const paragraphs = checkText(`${name}.text`, text)
    .split(/\n\s*\n/)
    .filter((paragraph) => paragraph.trim() !== '')
    .map((paragraph) => `<p>${escapeHtml(paragraph.trim())}</p>`);
  const pictures = (typeof svg === 'string' ? [svg] : svg).map((picture, i) => {
    if (typeof picture !== 'string' || !/^\s*(<\?xml[^>]*>\s*)?<svg[\s>]/.test(picture))
      throw invalid(`${name}.svg[${i}]`, 'SVG', picture);
    return `<img alt="${title}" src="data:image/svg+xml;base64,${Buffer.from(picture).toString('base64')}">`;
  });
  const parts = [
    `<h2>${title}</h2>`,
    ...paragraphs,
    ...pictures,
    ...(table === undefined ? [] : [tableHtml(`${name}.table`, table)]),
  ];
  return `<section>\n${parts.join('\n')}\n</section>`;
}

function tableHtml(name: string, table: ReportTable): string {
  const { columns, rows } = checkOptions(name, table, ['columns', 'rows']);
  if (!Array.isArray(columns) || !Array.isArray(rows)) throw invalid(name, 'a table { columns, rows }', table);
  const head = columns.map((column, i) => `<th>${escapeHtml(checkText(`${name}.columns[${i}]`, column))}</th>`);
  const body = rows.map((row, i) => {
    if (!Array.isArray(row) || row.length !== columns.length) throw invalid(`${name}.rows[${i}]`, `${columns.length} cells`, row);
    const cells = row.map((cell: unknown, j) => {
      if (typeof cell === 'number') return `<td class="number">${cell}</td>`;
      return `<td>${escapeHtml(checkText(`${name}.rows[${i}][${j}]`, cell))}</td>`;
    });
    return `<tr>${cells.join('')}</tr>`;
  });
  return `<table>\n<thead><tr>${head.join('')}</tr></thead>\n<tbody>\n${body.join('\n')}\n</tbody>\n</table>`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
