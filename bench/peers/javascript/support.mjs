// Shared by the adapters. Each adapter exports `load(packages, options)`, which returns a function that creates a model
// for a workload: `train({ images, labels }, batchSize)` passes once over the samples in a new random order,
// `outputs(images, rows)` returns ten logits for each image; both may return a promise.

export const PIXELS = 784;
export const CLASSES = 10;

/** The numbers below `count` in random order. */
export function shuffled(count) {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

export function imageAt(images, i) {
  return images.subarray(i * PIXELS, (i + 1) * PIXELS);
}

/** The images at `indices`, concatenated. */
export function gather(images, indices) {
  const rows = new Float32Array(indices.length * PIXELS);
  for (let i = 0; i < indices.length; i++) rows.set(imageAt(images, indices[i]), i * PIXELS);
  return rows;
}

/** The labels at `indices`, as one-hot rows. */
export function oneHot(labels, indices) {
  const rows = new Float32Array(indices.length * CLASSES);
  for (let i = 0; i < indices.length; i++) rows[i * CLASSES + labels[indices[i]]] = 1;
  return rows;
}

/** Normal numbers (Box and Muller) with variance 2 / fanIn, as He and others propose for ReLU. */
export function heNormal(count, fanIn) {
  const scale = Math.sqrt(2 / fanIn);
  const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  return Float32Array.from({ length: count }, () => scale * normal());
}
