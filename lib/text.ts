/** Values from callers and files, shortened for error messages, and tables as text. */

/** At most `most` characters of a text; longer ones are shortened in the middle. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const head = Math.ceil((most - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (most - 1 - head))}`;
}

/** What an error says, whatever was thrown. */
export function errorText(error: unknown): string {
  try {
    const text: unknown = error instanceof Error ? error.message : String(error);
    if (typeof text === 'string') return text;
  } catch {
    // It can't be made into a text.
  }
  return 'an error without a text';
}

/** A path, shortened only if unreasonably long. */
export function pathText(path: string): string {
  return cut(path, 500);
}

/** A quoted text. */
export function quote(text: string): string {
  return JSON.stringify(cut(text, 80));
}

/** The first `most` entries of a list, separated by commas, and the number of further ones. */
export function listed(entries: readonly unknown[], most = 10): string {
  const shown = entries.slice(0, most).map((entry) => cut(String(entry), 40));
  const rest = entries.length - shown.length;
  return rest > 0 ? `${shown.join(', ')} and ${rest} more` : shown.join(', ');
}

/** A shape, as in `[28, 28, 1]`. */
export function shapeText(shape: readonly (number | string)[]): string {
  return `[${listed(shape, 16)}]`;
}

/** The lines of a table whose columns are aligned: text to the left, the others to the right. */
export function alignColumns(rows: readonly (readonly string[])[], isText: (column: number) => boolean): string[] {
  const widths = rows[0].map((_, column) => rows.reduce((most, row) => Math.max(most, row[column].length), 0));
  const align = (cell: string, i: number) => (isText(i) ? cell.padEnd(widths[i]) : cell.padStart(widths[i]));
  return rows.map((row) => row.map(align).join('  ').trimEnd());
}
