import { Adam, dense, Network, relu, softmaxCrossEntropy } from 'blasnet';

/** A small problem of three classes, and a network for it. */
export function task({ rows = 600, width = 32, backend = 'auto' } = {}) {
  const features = new Float32Array(rows * 8);
  const labels = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    labels[row] = row % 3;
    for (let i = 0; i < 8; i++) features[row * 8 + i] = Math.sin(row * 7.1 + i) + (i % 3 === labels[row] ? 1 : 0);
  }
  const network = new Network({
    input: [8],
    layers: [dense(width), relu(), dense(width), relu(), dense(3)],
    loss: softmaxCrossEntropy(),
    seed: 1,
    backend,
  });
  const data = { length: rows, shape: [8], features, labels, scale: 1, offset: 0 };
  return { network, data, optimizer: new Adam({ learningRate: 3e-3 }) };
}
