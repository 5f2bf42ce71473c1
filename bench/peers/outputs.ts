/** Sum of the cross-entropies of a batch (NaN for scores), and how many labels have the first of the largest outputs of their row. */
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
