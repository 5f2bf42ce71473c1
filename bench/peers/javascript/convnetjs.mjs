import { imageAt, outputsOneByOne, shuffled } from './support.mjs';

function layersOf({ images, widths }) {
  const flat = images.length === 0;
  const [side, depth] = flat ? [1, widths[0]] : [28, 1];
  return [
    { type: 'input', out_sx: side, out_sy: side, out_depth: depth },
    ...images.flatMap(({ filters, window, pad, pool }) => [
      { type: 'conv', sx: window, filters, stride: 1, pad, activation: 'relu' },
      ...(pool ? [{ type: 'pool', sx: 2, stride: 2 }] : []),
    ]),
    ...widths.slice(1, -1).map((neurons) => ({ type: 'fc', num_neurons: neurons, activation: 'relu' })),
    { type: 'softmax', num_classes: widths[widths.length - 1] },
  ];
}

export async function load(packages) {
  const { Net, Trainer, Vol } = packages.require('convnetjs');
  return (workload) => {
    const network = new Net();
    network.makeLayers(layersOf(workload));
    const volume = workload.images.length === 0 ? new Vol(1, 1, workload.widths[0], 0) : new Vol(28, 28, 1, 0);
    const fill = (image) => {
      for (let i = 0; i < image.length; i++) volume.w[i] = image[i];
      return volume;
    };
    let trainer;
    return {
      train({ images, labels }, batchSize) {
        const options = { method: 'sgd', learning_rate: 0.01, momentum: 0.9, batch_size: batchSize, l2_decay: 0 };
        trainer ??= new Trainer(network, options);
        for (const i of shuffled(labels.length)) trainer.train(fill(imageAt(images, i)), labels[i]);
      },
      outputs: (images, rows) => outputsOneByOne(images, rows, (image) => network.forward(fill(image)).w),
    };
  };
}
