/** What the examples write: tables and claims to the console, pictures and a report to files. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { htmlReport, type Report, type ReportTable } from 'blasnet/report';

/** The folder that an example writes to: build/examples/<name>, created if it is missing. */
export function outputFolder(name: string): string {
  const folder = fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Prints a table in aligned columns. */
export function printTable({ columns, rows }: ReportTable): void {
  const cells = [columns, ...rows].map((row) => row.map(String));
  const widths = columns.map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  for (const row of cells)
    console.log(row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '));
}

/**
 * Prints the tables of a report. Writes its pictures, each named after its section, and report.html with all of it. The
 * last line that the program prints is the path of the report.
 */
export function present(name: string, report: Report): void {
  const files: Record<string, string> = {};
  for (const { heading, table, svg = [] } of report.sections) {
    if (table !== undefined) {
      console.log(`\n${heading}`);
      printTable(table);
    }
    const slug = heading
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, ' ')
      .trim()
      .replaceAll(' ', '-');
    const pictures = typeof svg === 'string' ? [svg] : svg;
    for (const [i, picture] of pictures.entries())
      files[pictures.length === 1 ? `${slug}.svg` : `${slug}-${i + 1}.svg`] = picture;
  }
  const folder = relative(process.cwd(), outputFolder(name)) || '.';
  for (const [file, content] of Object.entries(files)) writeFileSync(join(folder, file), content);
  if (Object.keys(files).length > 0) console.log(`\nwrote ${Object.keys(files).join(', ')} to ${folder}`);
  const path = join(folder, 'report.html');
  writeFileSync(path, htmlReport(report));
  process.once('exit', () => console.log(`report: ${path}`));
}

/** Prints whether a claim holds; when it does not, the process ends with status 1. */
export function check(claim: string, holds: boolean): void {
  console.log(`${holds ? 'holds' : 'FAILS'}: ${claim}`);
  if (!holds) process.exitCode = 1;
}

export const mean = (numbers: readonly number[]): number =>
  numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
export const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
