import { basename, join } from 'node:path';
import { Network } from 'blasnet';
import { exportOnnx } from 'blasnet/onnx';
import { saveLayersModel } from 'blasnet/tfjs';
import { choiceOption, command, fileOption, UsageError } from '../command.js';
import { checkApart } from '../files.js';
import { encoderOf } from '../tables.js';

export const exportCommand = command({
  name: 'export',
  summary: 'writes a network for other programs: as ONNX or as a LayersModel of TensorFlow.js',
  text: [
    'The files give what predict does for numbers. The encoder of columns, which networks that were trained on a ' +
      'table have, is not a part of them: encoder.features of blasnet/tables makes the numbers of rows.',
  ],
  operands: [{ name: 'model', text: 'a network, as save and train write it', completion: 'files' }],
  options: {
    onnx: fileOption('file', 'write an ONNX file (operator set 17), for batches of any size'),
    tfjs: fileOption('folder', 'write model.json and weights.bin into this folder, which is made if it is missing'),
    'input-layout': choiceOption('layout', 'of images in the ONNX file: nhwc (default) or nchw', ['nhwc', 'nchw']),
  },
  json: true,
  examples: [
    ['blasnet export digits.safetensors --onnx digits.onnx --input-layout nchw', 'for onnxruntime and others'],
    ['blasnet export digits.safetensors --tfjs web/digits', "for tf.loadLayersModel('web/digits/model.json')"],
  ],
  async run([path], { onnx, tfjs, 'input-layout': inputLayout }, { note }) {
    if (onnx === undefined && tfjs === undefined)
      throw new UsageError('export: expected --onnx <file> or --tfjs <folder>');
    if (onnx === undefined && inputLayout !== undefined) throw new UsageError('export: --input-layout is for --onnx');
    const parts = tfjs === undefined ? [] : ['model.json', 'weights.bin'].map((name) => join(tfjs, name));
    const folder = Object.fromEntries(parts.map((part) => [`--tfjs: ${basename(part)}:`, part]));
    await checkApart({ '<model>': path }, { '--onnx': onnx, ...folder });
    const network = await Network.load<string>(path);
    if (onnx !== undefined) await exportOnnx(network, onnx, inputLayout && { inputLayout });
    if (tfjs !== undefined) await saveLayersModel(network, tfjs);
    if (network.encoder !== undefined) {
      const { shape, vocabularies } = encoderOf(network, path);
      const indices = Object.keys(vocabularies).length;
      const input = `rows of ${shape[0]} numbers${indices > 0 ? ` and ${indices} ${indices === 1 ? 'index' : 'indices'}` : ''}`;
      note(`${path}: the encoder of columns is not exported: the input is ${input}`);
    }
    const written = [...(onnx === undefined ? [] : [onnx]), ...(tfjs === undefined ? [] : [tfjs])];
    return { text: `written: ${written.join(', ')}`, json: { written } };
  },
});
