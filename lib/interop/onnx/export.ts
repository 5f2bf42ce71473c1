import {
  checkArity,
  checkBoolean,
  checkChoice,
  checkNumber,
  checkOptions,
  checkPath,
  invalid,
  isPlain,
} from '../../checks.js';
import { BlasnetError } from '../../errors.js';
import type { NetworkMemory } from '../../formats/network-file.js';
import { replaceFile } from '../../formats/replace-file.js';
import type { Loss } from '../../losses/loss.js';
import { type AnyNetwork, memoryOf, Network } from '../../network.js';
import { elements } from '../../program/instructions.js';
import type { ModelInput, ModelOutput, ParameterEntry, StateEntry } from '../../program/model.js';
import { listed, quote } from '../../text.js';
import {
  type Channels,
  fileShape,
  type GraphValue,
  GraphWriter,
  type LayerWriting,
  notExported,
} from './graph-writer.js';
import { layerWriter } from './layers.js';
import { encodeModel, FLOAT, type OnnxValue, UINT8 } from './model.js';

/** What the file does with the numbers of an input before the first layer. */
export interface Preprocessing {
  /** The network sees number · scale + offset. Default 1; of a dataset: `data.scale`. */
  scale?: number;
  /** Default 0. */
  offset?: number;
  /** Type of the input's numbers: 'float32' (default), or 'uint8' for bytes such as those of images. */
  type?: 'float32' | 'uint8';
}

/** Options of {@link toOnnx}. */
export interface OnnxExportOptions {
  /**
   * Dimensions of inputs that are images: [batch, height, width, channels] (default, as blasnet has them), or [batch,
   * channels, height, width]. Outputs keep their channels last.
   */
  inputLayout?: 'nhwc' | 'nchw';
  /** Preprocessing as a part of the file. Of several inputs: an object by their names. Default: none. */
  preprocessing?: Preprocessing | Readonly<Record<string, Preprocessing>>;
  /**
   * Whether the file gives what `predict` does: after a cross-entropy's sigmoid or softmax, or `poisson`'s exponential.
   * Default true; false: the raw outputs of `forward`.
   */
  probabilities?: boolean;
}

/** The name of the batch's dimension. */
const BATCH = 'batch';

function checkPreprocessing(label: string, given: unknown): Required<Preprocessing> {
  if (given !== undefined && (!isPlain(given) || Array.isArray(given)))
    throw invalid(label, 'an object with scale, offset and type', given);
  const known = ['scale', 'offset', 'type'] as const;
  const { scale = 1, offset = 0, type = 'float32' } = checkOptions<Preprocessing>(label, given as Preprocessing, known);
  return {
    scale: checkNumber(`${label}: scale`, scale),
    offset: checkNumber(`${label}: offset`, offset),
    type: checkChoice(`${label}: type`, type, ['float32', 'uint8']),
  };
}

/** The preprocessing of each input. */
function readPreprocessing(inputs: readonly ModelInput[], given: unknown): Required<Preprocessing>[] {
  const label = 'toOnnx: preprocessing';
  if (inputs.length === 1 || given === undefined) return inputs.map(() => checkPreprocessing(label, given));
  if (!isPlain(given)) throw invalid(label, 'an object by the names of the inputs', given);
  const names = inputs.map(({ name }) => name as string);
  for (const key of Object.keys(given))
    if (!names.includes(key)) throw invalid(label, `names of ${listed(names)}`, key);
  const own = new Map<string, unknown>(Object.entries(given));
  return names.map((name) => checkPreprocessing(`${label}: ${name}`, own.get(name)));
}

/** The input's description, and its value after preprocessing. */
function writeInput(
  graph: GraphWriter,
  { name = 'input', shape, vocabulary }: ModelInput,
  layout: 'nhwc' | 'nchw',
  { scale, offset, type }: Required<Preprocessing>,
): { input: OnnxValue; value: GraphValue } {
  // Indices have no channels.
  const isImage = shape.length === 3 && vocabulary === undefined;
  const channels: Channels = layout === 'nchw' && isImage ? 'first' : 'last';
  const input = {
    name,
    type: type === 'uint8' ? UINT8 : FLOAT,
    shape: [BATCH, ...fileShape(shape, channels)],
    channels: isImage ? (channels === 'first' ? 1 : 3) : undefined,
  };
  graph.begin(`/${name}`);
  let last = name;
  if (type === 'uint8') last = graph.operator('Cast', [last], { to: { int: FLOAT } });
  if (scale !== 1) last = graph.operator('Mul', [last, graph.number(scale)]);
  if (offset !== 0) last = graph.operator('Add', [last, graph.number(offset)]);
  return { input, value: { name: last, shape, channels } };
}

/** The operator of a loss's link, from raw outputs to what `predict` gives. */
function linkOf({ activation, kind, writeLink }: Loss): 'Sigmoid' | 'Softmax' | 'Exp' | undefined {
  if (writeLink === undefined) return undefined;
  if (activation !== undefined) return activation === 'softmax' ? 'Softmax' : 'Sigmoid';
  if (kind === 'poisson') return 'Exp';
  const text = `toOnnx: the loss ${quote(kind)} has a link that can't be exported; use probabilities: false`;
  throw new BlasnetError('INVALID_ARGUMENT', text);
}

function writeLink(graph: GraphWriter, value: GraphValue, operator: string): GraphValue {
  const { name, shape } = value;
  if (operator !== 'Softmax') return { ...value, name: graph.operator(operator, [name]) };
  // A softmax is over all numbers of a row.
  const flat = shape.length === 1 ? name : graph.reshaped(name, [elements(shape)]);
  const y = graph.operator('Softmax', [flat], { axis: { int: -1 } });
  return { ...value, name: shape.length === 1 ? y : graph.reshaped(y, shape) };
}

/** Writes the nodes of the network; returns the value of each place. */
function writeNodes(graph: GraphWriter, memory: NetworkMemory, inputs: readonly GraphValue[]): GraphValue[] {
  const { model, parameters, state } = memory;
  const values = [...inputs];
  for (const node of model.nodes) {
    const write = layerWriter(node.spec.type);
    if (write === undefined) throw notExported(node, 'ONNX has no operator for it here');
    const owner = model.nodes[node.owner].name;
    const find = (own: string): [ParameterEntry | StateEntry, Float32Array] | undefined => {
      const parameter = model.parameters.get(`${owner}.${own}`);
      if (parameter !== undefined) return [parameter, parameters];
      const entry = model.state.get(`${owner}.${own}`);
      return entry && [entry, state];
    };
    const writing: LayerWriting = {
      graph,
      node,
      inputs: node.from.map((place) => values[place]),
      has: (own) => find(own) !== undefined,
      parameter(own, form) {
        const [{ spec, tensor }, block] = find(own) as [ParameterEntry | StateEntry, Float32Array];
        return graph.tensor(`${owner}.${own}${form?.suffix ?? ''}`, form?.shape ?? spec.shape, () =>
          Float32Array.from({ length: tensor.fixed }, (_, i) => block[tensor.offset + (form?.place(i) ?? i)]),
        );
      },
    };
    graph.begin(node.name);
    values.push(write(writing));
  }
  return values;
}

function writeOutput(
  graph: GraphWriter,
  values: readonly GraphValue[],
  { name = 'output', shape, place, logits, loss }: ModelOutput,
  probabilities: boolean,
): OnnxValue {
  const link = probabilities && loss !== undefined ? linkOf(loss) : undefined;
  graph.begin(`/${name}`);
  const raw = graph.as(values[link === undefined ? place : logits], 'last');
  const value = link === undefined ? raw : writeLink(graph, raw, link);
  graph.operator('Identity', [value.name], {}, name);
  return { name, type: FLOAT, shape: [BATCH, ...shape], channels: shape.length === 3 ? 3 : undefined };
}

function encode(network: AnyNetwork, options: OnnxExportOptions | undefined): Uint8Array {
  if (!(network instanceof Network)) throw invalid('toOnnx: network', 'a Network', network);
  const known = ['inputLayout', 'preprocessing', 'probabilities'] as const;
  const { inputLayout = 'nhwc', preprocessing, probabilities = true } = checkOptions('toOnnx', options, known);
  checkChoice('toOnnx: inputLayout', inputLayout, ['nhwc', 'nchw']);
  checkBoolean('toOnnx: probabilities', probabilities);
  const memory = memoryOf(network);
  memory.checkIdle();
  const { model } = memory;
  const before = readPreprocessing(model.inputs, preprocessing);
  const inputNames = model.inputs.map(({ name = 'input' }) => name);
  for (const { name = 'output' } of model.outputs) {
    if (inputNames.includes(name))
      throw invalid('toOnnx: network', 'inputs and outputs with different names, as a file has one list', name);
  }
  const graph = new GraphWriter();
  const inputs = model.inputs.map((input, i) => writeInput(graph, input, inputLayout, before[i]));
  const values = writeNodes(
    graph,
    memory,
    inputs.map(({ value }) => value),
  );
  const outputs = model.outputs.map((output) => writeOutput(graph, values, output, probabilities));
  const { nodes, tensors } = graph;
  return encodeModel('toOnnx', { nodes, tensors, inputs: inputs.map(({ input }) => input), outputs });
}

/**
 * The bytes of an ONNX file (operator set 17, IR version 8) that gives what the network's `predict` does, for batches
 * of any size. Inputs and outputs are float32 and have the names of the network's, otherwise `input` and `output`.
 * Layers that act in training only are omitted. Throws `INVALID_ARGUMENT`, naming the node, for a layer that ONNX can't
 * express, and for a network of 2 GiB or more.
 */
export function toOnnx(network: AnyNetwork, options?: OnnxExportOptions): Uint8Array {
  checkArity('toOnnx', arguments, 2);
  return encode(network, options);
}

/**
 * Writes such a file (a path or file: URL), atomically. Rejects as {@link toOnnx} throws, and with `FILE_NOT_WRITTEN`.
 */
export async function exportOnnx(network: AnyNetwork, path: string | URL, options?: OnnxExportOptions): Promise<void> {
  checkArity('exportOnnx', arguments, 3);
  const file = checkPath('exportOnnx: path', path);
  await replaceFile(file, encode(network, options));
}
