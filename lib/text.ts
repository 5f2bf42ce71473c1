/** Shortens values from callers and files for error messages. */

/** At most `most` characters of a text; longer ones are shortened in the middle. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const head = Math.ceil((most - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (most - 1 - head))}`;
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
