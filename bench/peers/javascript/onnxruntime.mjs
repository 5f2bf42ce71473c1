// Inference only: it gets the network as a model file, which blasnet writes. The weights are untrained, which makes no
// difference to the speed.
import { dense, Network, relu, softmaxCrossEntropy } from 'blasnet';
import { toOnnx } from 'blasnet/onnx';

function modelFile([inputs, ...widths]) {
  const layers = widths.flatMap((units, i) => (i === 0 ? [dense(units)] : [relu(), dense(units)]));
  const network = new Network({ input: [inputs], layers, loss: softmaxCrossEntropy(), backend: 'typescript' });
  return toOnnx(network, { probabilities: false });
}

export async function load(packages, { threads }) {
  const { InferenceSession, Tensor } = packages.require('onnxruntime-node');
  return ({ widths }) => {
    const session = InferenceSession.create(modelFile(widths), { intraOpNumThreads: threads, interOpNumThreads: 1 });
    return {
      train() {},
      async outputs(images, rows) {
        const { output } = await (await session).run({ input: new Tensor('float32', images, [rows, widths[0]]) });
        return output.data;
      },
    };
  };
}
