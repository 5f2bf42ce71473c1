/** Number of letters to insert, remove, replace or exchange with their neighbour to make one word of the other. */
function distance(a: string, b: string): number {
  // The rows of the table for the last two prefixes of `a`.
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      row[j] = Math.min(row[j - 1] + 1, last[j] + 1, last[j - 1] + Number(a[i - 1] !== b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j], before[j - 2] + 1);
    }
    [before, last] = [last, row];
  }
  return last[b.length];
}

/** `; did you mean '…'?` for the most similar of the known words, or nothing if none is similar. */
export function didYouMean(word: string, known: readonly string[]): string {
  // Long words are refused before the table, which is as large as both lengths' product.
  if (word === '' || word.length > 40) return '';
  let best: { name: string; cost: number } | undefined;
  for (const name of known) {
    const longer = Math.max(word.length, name.length);
    // A prefix is an abbreviation.
    const cost = name.startsWith(word) ? 1 : distance(word, name);
    const similar = cost < longer && cost <= Math.ceil(longer / 3);
    if (similar && cost < (best?.cost ?? Number.POSITIVE_INFINITY)) best = { name, cost };
  }
  return best === undefined ? '' : `; did you mean '${best.name}'?`;
}
