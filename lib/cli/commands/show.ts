import { Network } from 'blasnet';
import type { Encoder } from 'blasnet/tables';
import { command, flag } from '../command.js';
import { encoderOf } from '../tables.js';

/** What the network predicts, and from which columns. */
function describe(encoder: Encoder): string {
  const { target, labels } = encoder;
  const columns = encoder.toJSON().columns.map(({ name, type }) => `  ${name} (${type})`);
  const what = labels === undefined ? `the value of ${target}` : `${target}, one of ${labels.join(', ')},`;
  return [`predicts ${what} from`, ...columns].join('\n');
}

export const show = command({
  name: 'show',
  summary: 'what a saved network is: its layers, parameters and the metadata in its file',
  operands: [{ name: 'model', text: 'a network, as save and train write it', completion: 'files' }],
  options: { listing: flag('also list the kernel calls of a training step, with the bytes and operations of each') },
  json: true,
  examples: [
    ['blasnet show iris.safetensors', 'layers with their shapes and numbers of parameters'],
    ['blasnet show iris.safetensors --json', 'the same for a program'],
  ],
  async run([path], { listing }) {
    const network = await Network.load<string>(path);
    const { inputs, outputs, nodes, parameterCount, metadata, seed } = network;
    const program = listing ? network.program : undefined;
    const encoder = network.encoder === undefined ? undefined : encoderOf(network, path);
    const text = [
      network.summary(),
      ...(encoder === undefined ? [] : [describe(encoder)]),
      ...(metadata === undefined ? [] : [`metadata: ${JSON.stringify(metadata, undefined, 2)}`]),
      ...(program === undefined ? [] : [String(program)]),
    ];
    const json = {
      inputs,
      outputs,
      nodes,
      parameters: parameterCount,
      seed,
      metadata: metadata ?? null,
      encoder: encoder ?? null,
      ...(program && { program }),
    };
    return { text: text.join('\n\n'), json };
  },
});
