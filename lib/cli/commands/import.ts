import { extname } from 'node:path';
import type { Network } from 'blasnet';
import { importOnnx } from 'blasnet/onnx';
import { loadLayersModel } from 'blasnet/tfjs';
import { choiceOption, command, fileOption, UsageError } from '../command.js';
import { checkApart, checkWritable, weightFiles } from '../files.js';

export const importCommand = command({
  name: 'import',
  summary: 'reads an ONNX file or a LayersModel of TensorFlow.js and keeps it as a network',
  text: ['The network predicts what the model does, and can be trained further.'],
  operands: [{ name: 'model', text: 'an ONNX file (.onnx), or the model.json of a LayersModel', completion: 'files' }],
  options: {
    out: fileOption('model', 'where to keep the network, such as model.safetensors', { required: true }),
    'input-layout': choiceOption(
      'layout',
      'of images in the ONNX file: nhwc or nchw; default: inferred from its layers',
      ['nhwc', 'nchw'],
    ),
  },
  json: true,
  examples: [
    ['blasnet import digits.onnx --out digits.safetensors', 'what PyTorch and others have written'],
    ['blasnet import web/digits/model.json --out digits.safetensors', 'what tfjs and its converter have written'],
  ],
  async run([path], { out, 'input-layout': inputLayout }) {
    if (out === undefined) throw new UsageError('import: expected --out');
    const format = extname(path).toLowerCase();
    if (format !== '.onnx' && format !== '.json')
      throw new UsageError(`import: expected a file whose name ends with .onnx or .json, got '${path}'`);
    if (format === '.json' && inputLayout !== undefined)
      throw new UsageError('import: --input-layout is for ONNX files');
    await checkApart({ '<model>': path, ...(format === '.json' && weightFiles(path)) }, { '--out': out });
    await checkWritable(out);
    const network: Network<string> =
      format === '.onnx'
        ? await importOnnx<string>(path, inputLayout && { inputLayout })
        : await loadLayersModel<string>(path);
    await network.save(out);
    const { inputs, outputs, parameterCount } = network;
    return {
      text: `${network.summary()}\n\nwritten: ${out}`,
      json: { model: out, inputs, outputs, parameters: parameterCount },
    };
  },
});
