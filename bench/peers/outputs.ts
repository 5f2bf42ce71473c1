/**
 * Sum of the cross-entropies of a batch (NaN for scores), and the number of rows whose first largest output is that of
 * the label.
 */
export function crossEntropy(
  outputs: ArrayLike<number>,
  labels: Int32Array,
  classes: number,
  kind: 'logits' | 'probabilities' | 'scores',
): { loss: number; hits: number } {
  let [loss, hits] = [0, 0];
  labels.forEach((label, row) => {
    const values = Array.from({ length: classes }, (_, i) => outputs[row * classes + i]);
    const largest = Math.max(...values);
    if (values.indexOf(largest) === label) hits++;
    if (kind === 'scores') loss = Number.NaN;
    else if (kind === 'probabilities') loss -= Math.log(Math.max(values[label], 1e-30));
    else loss += Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0)) + largest - values[label];
  });
  return { loss, hits };
}
