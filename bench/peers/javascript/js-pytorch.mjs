import { CLASSES, imageAt, shuffled } from './support.mjs';

export async function load(packages) {
  const { torch } = packages.require('js-pytorch');
  const { nn, optim, tensor } = torch;
  class Perceptron extends nn.Module {
    constructor(widths) {
      super();
      this.depth = widths.length - 1;
      for (let i = 0; i < this.depth; i++) this[`layer${i}`] = new nn.Linear(widths[i], widths[i + 1], 'cpu');
      this.relu = new nn.ReLU();
    }
    forward(x) {
      let y = x;
      for (let i = 0; i < this.depth; i++) {
        y = this[`layer${i}`].forward(y);
        if (i < this.depth - 1) y = this.relu.forward(y);
      }
      return y;
    }
  }
  return ({ widths }) => {
    const network = new Perceptron(widths);
    const loss = new nn.CrossEntropyLoss();
    const adam = new optim.Adam(network.parameters(), 1e-3, 0, [0.9, 0.999], 1e-8);
    const rowsOf = (images, indices) => tensor(Array.from(indices, (i) => Array.from(imageAt(images, i))));
    return {
      train({ images, labels }, batchSize) {
        const order = shuffled(labels.length);
        for (let begin = 0; begin < order.length; begin += batchSize) {
          const indices = order.subarray(begin, begin + batchSize);
          const targets = tensor(Array.from(indices, (i) => labels[i]));
          loss.forward(network.forward(rowsOf(images, indices)), targets).backward();
          adam.step();
          adam.zero_grad();
        }
      },
      outputs(images, rows) {
        const { data } = network.forward(rowsOf(images, Array.from({ length: rows }).keys()));
        return Float32Array.from({ length: rows * CLASSES }, (_, i) => data[Math.floor(i / CLASSES)][i % CLASSES]);
      },
    };
  };
}
