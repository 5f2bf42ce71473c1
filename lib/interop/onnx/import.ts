import { types } from 'node:util';
import {
  checkArity,
  checkChoice,
  checkOptions,
  checkPath,
  checkShape,
  checkStorage,
  invalid,
  isPlain,
  MAX_RANK,
} from '../../checks.js';
import { readShared } from '../../data/files.js';
import { BlasnetError } from '../../errors.js';
import { input, isInput, type Node } from '../../graph/node.js';
import { identity } from '../../layers/activation.js';
import { binaryCrossEntropy, softmaxCrossEntropy } from '../../losses/cross-entropy.js';
import type { Loss } from '../../losses/loss.js';
import { meanSquaredError } from '../../losses/regression.js';
import { memoryOf, Network } from '../../network.js';
import type { GraphOptions, OutputsOptions } from '../../network-options.js';
import { cut, listed, quote, shapeText } from '../../text.js';
import {
  asPlain,
  channelsFirst,
  type FileValue,
  GraphReader,
  NodeReading,
  type ParameterSource,
  plain,
} from './graph-reader.js';
import {
  decodeModel,
  FLOAT,
  INT32,
  INT64,
  type OnnxModel,
  type OnnxNode,
  type OnnxValue,
  UINT8,
  unsupported,
} from './model.js';
import { hasReader, isElementwise, isImage, readOperator } from './operators.js';
import { corrupt } from './wire.js';

/** `seed` and `backend` are those of `new Network`. */
export interface OnnxImportOptions extends Pick<GraphOptions, 'seed' | 'backend'> {
  /**
   * Dimensions of the file's inputs of four dimensions: [batch, channels, height, width] or [batch, height, width,
   * channels]. The network takes images with their channels last in either case. Default: as the file tells, or
   * by the layers that take the input.
   */
  inputLayout?: 'nchw' | 'nhwc';
  /** Shapes of a sample, in the file's order of dimensions, of inputs for which the file leaves sizes open, by name. */
  shapes?: Readonly<Record<string, readonly number[]>>;
  /**
   * The loss of the only output. Default: one with which `predict` gives what the file does: a cross-entropy with
   * `fromLogits: false` after a softmax or sigmoid, otherwise `meanSquaredError()`.
   */
  loss?: Loss;
  /** Losses of several outputs by name, with the same default. */
  losses?: Readonly<Record<string, Loss>>;
}

/** Types of inputs: numbers that blasnet feeds as float32. */
const INPUT_TYPES = [FLOAT, UINT8, 10, 11];
/** More types of indices. */
const INDEX_TYPES = [INT32, INT64];
/** What may stand between an input and its use as indices. */
const INDEX_OPERATORS = ['Cast', 'Identity', 'Flatten', 'Reshape', 'Squeeze', 'Unsqueeze'];
/** Inputs of a node, such as those of a Concat. */
const MOST_INPUTS = 1000;
/** Inputs of all nodes together. */
const MOST_LINKS = 100_000;

/** A name of the file as blasnet has them. */
function nameOf(name: string, taken: Set<string>): string {
  // No name is __proto__.
  const stem = cut(name.replace(/[^\w-]+/g, '_').replace(/^_{2,}/, '_'), 100).replace('…', '_');
  const first = /^[A-Za-z_]/.test(stem) ? stem : `_${stem}`;
  let own = first;
  for (let count = 2; taken.has(own); count++) own = `${first}_${count}`;
  taken.add(own);
  return own;
}

/** Whether an image comes with its channels last: its way leads to a Transpose to first before any other layer. */
function isChannelsLast(graph: GraphReader, name: string): boolean {
  const seen = new Set<string>();
  const names = [name];
  let found = false;
  for (let next = names.pop(); next !== undefined; next = names.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    for (const taker of graph.takers.get(next) ?? []) {
      if (taker === undefined) continue;
      const perm = taker.attributes.get('perm');
      // A Pad acts on any order of dimensions.
      if (isElementwise(taker.operator) || taker.operator === 'Pad') names.push(...taker.outputs);
      else if (taker.operator === 'Transpose' && Array.isArray(perm) && perm.join() === '0,3,1,2') found = true;
      else return false;
    }
  }
  return found;
}

/** Whether a value picks rows of a table of weights, maybe as another type. */
function isIndices(graph: GraphReader, name: string): boolean {
  const seen = new Set<string>();
  const names = [name];
  for (let next = names.pop(); next !== undefined; next = names.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    for (const taker of graph.takers.get(next) ?? []) {
      if (taker?.operator === 'Gather' && taker.inputs[1] === next) return true;
      if (taker !== undefined && INDEX_OPERATORS.includes(taker.operator)) names.push(...taker.outputs);
    }
  }
  return false;
}

/** Shape of an input's sample in the file, with the sizes that it leaves open from `given`. */
function sampleOf(file: string, { name, shape }: OnnxValue, given: readonly number[] | undefined): number[] {
  const label = `the input ${quote(name)}`;
  const sizes = shape.slice(1);
  if (sizes.length === 0) throw unsupported(file, `${label} has no dimension besides the batch`);
  const fits =
    given?.length === sizes.length && sizes.every((size, i) => typeof size === 'string' || size === given[i]);
  if (given !== undefined && !fits)
    throw unsupported(file, `${label} has samples of ${shapeText(sizes)}, which shapes can't make ${shapeText(given)}`);
  return (given ?? sizes).map((size, i) => {
    if (typeof size === 'number' && Number.isSafeInteger(size) && size > 0) return size;
    throw unsupported(file, `${label} has no fixed size in dimension ${i + 1}: give one by the option shapes`);
  });
}

function readInput(graph: GraphReader, value: OnnxValue, own: string, options: OnnxImportOptions): FileValue {
  const { name, type, channels: at } = value;
  const index = isIndices(graph, name);
  if (!INPUT_TYPES.includes(type) && !(index && INDEX_TYPES.includes(type)))
    throw unsupported(graph.file, `the input ${quote(name)} has the element type ${type}`);
  const { inputLayout, shapes = {} } = options;
  const given = Object.hasOwn(shapes, name) ? shapes[name] : undefined;
  // One index a row needs no dimension in the file.
  if (index && value.shape.length === 1 && given === undefined)
    return { node: input([1], { name: own, type: 'index' }), axes: [] };
  const sample = sampleOf(graph.file, value, given);
  if (index) return plain(input(sample, { name: own, type: 'index' }));
  const told = at === undefined ? isChannelsLast(graph, name) : at === 3;
  const last = inputLayout === undefined ? told : inputLayout === 'nhwc';
  if (sample.length !== 3 || last) return plain(input(sample, { name: own }));
  const [channels, height, width] = sample;
  return { node: input([height, width, channels], { name: own }), axes: channelsFirst(3) };
}

/** The nodes that the outputs need. A file may have others. */
function neededNodes({ nodes, outputs }: OnnxModel): Set<OnnxNode> {
  const wanted = new Set(outputs.map(({ name }) => name));
  const needed = new Set<OnnxNode>();
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((name) => name !== '' && wanted.has(name))) continue;
    needed.add(node);
    for (const name of node.inputs) wanted.add(name);
  }
  return needed;
}

/** What other operators, which blasnet does not read either, are there to prepare. */
const RECURRENT = ['LSTM', 'GRU', 'RNN'];

/** Throws for operators without a reader, before anything else in the file is refused. */
function checkOperators(graph: GraphReader, needed: ReadonlySet<OnnxNode>): void {
  const others = graph.model.nodes.filter((node) => needed.has(node) && !hasReader(node.operator));
  if (others.length === 0) return;
  const [first] = others;
  const cause = others.find(({ operator }) => RECURRENT.includes(operator)) ?? first;
  throw new NodeReading(graph, cause).unsupported('blasnet has no such layer');
}

/** Reads a node, once those before it have been read. */
function readNode(graph: GraphReader, node: OnnxNode): void {
  if (graph.done.has(node)) return;
  const reading = new NodeReading(graph, node);
  if (node.inputs.length > MOST_INPUTS) throw reading.unsupported(`it has more than ${MOST_INPUTS} inputs`);
  if (node.outputs.every((output) => output === '')) throw reading.corrupt('it has no output');
  for (const output of node.outputs) {
    if (output !== '' && (graph.values.has(output) || graph.constants.has(output)))
      throw reading.corrupt(`its output ${quote(output)} is not new`);
  }
  let result: ReturnType<typeof readOperator>;
  try {
    result = readOperator(reading);
  } catch (cause) {
    if (!(cause instanceof BlasnetError) || cause.message.startsWith(graph.file)) throw cause;
    // A layer that does not take such an input or such options.
    throw reading.unsupported(cause.message);
  }
  if ('shape' in result) {
    graph.compute(node, result);
    return;
  }
  const values: readonly FileValue[] = 'axes' in result ? [result] : result;
  values.forEach((value, i) => {
    const name = node.outputs[i];
    if (value.axes.length > MAX_RANK) throw reading.unsupported(`samples of more than ${MAX_RANK} dimensions`);
    // One that the file does not use.
    if (name === '') return;
    if (graph.values.has(name)) throw reading.corrupt(`its output ${quote(name)} is not new`);
    graph.values.set(name, value);
  });
}

/** Reads the whole graph; `repeated` are the layers that several nodes have, from an earlier reading. */
function readGraph(
  model: OnnxModel,
  file: string,
  options: OnnxImportOptions,
  repeated: ReadonlyMap<string, number>,
): GraphReader {
  const inputs = model.inputs.filter(({ name }) => !model.tensors.has(name));
  const fixed = inputs.map(({ shape }) => shape[0]).filter((size) => typeof size === 'number');
  const unknown = Object.keys(options.shapes ?? {}).find((key) => !inputs.some(({ name }) => name === key));
  if (unknown !== undefined)
    throw invalid('fromOnnx: shapes', `names of ${listed(inputs.map(({ name }) => name))}`, unknown);
  const graph = new GraphReader(model, file, fixed[0], repeated);
  const needed = neededNodes(model);
  checkOperators(graph, needed);
  const names = new Set<string>();
  for (const value of inputs) {
    if (graph.values.has(value.name)) throw corrupt(file, 0, `the input ${quote(value.name)} stands twice in it`);
    graph.values.set(value.name, readInput(graph, value, nameOf(value.name, names), options));
  }
  if (Array.from(needed).reduce((sum, node) => sum + node.inputs.length, 0) > MOST_LINKS)
    throw unsupported(file, `its nodes have more than ${MOST_LINKS} inputs together`);
  // Constants stand anywhere before their use; a layer may take one that only the node after it adds.
  const isConstant = ({ operator }: OnnxNode) => operator === 'Constant';
  const inOrder = [...model.nodes.filter(isConstant), ...model.nodes.filter((node) => !isConstant(node))];
  for (const node of inOrder) if (needed.has(node)) readNode(graph, node);
  return graph;
}

/** A loss with which `predict` gives the node's values. */
function lossFor(node: Node): Loss {
  let last = node;
  while (last.spec.type === 'flatten' || last.spec.type === 'identity') last = last.inputs[0];
  if (last.spec.type === 'softmax') return softmaxCrossEntropy({ fromLogits: false });
  if (last.spec.type === 'sigmoid') return binaryCrossEntropy({ fromLogits: false });
  return meanSquaredError();
}

/** The nodes of the outputs, by name. Images have their channels last. */
function outputNodes({ model, file, values }: GraphReader): [string, Node][] {
  const names = new Set<string>();
  if (model.outputs.length === 0) throw corrupt(file, 0, 'its graph has no outputs');
  return model.outputs.map(({ name, channels }) => {
    const value = values.get(name);
    if (value === undefined) throw corrupt(file, 0, `there is no value for its output ${quote(name)}`);
    if (value.gelu !== undefined) throw unsupported(file, `its output ${quote(name)} is a part of a gelu`);
    const node = channels !== 3 && isImage(value) ? value.node : asPlain(value);
    return [nameOf(name, names), isInput(node) ? node.pipe(identity()) : node];
  });
}

function readOptions(name: string, options: OnnxImportOptions | undefined): OnnxImportOptions {
  const given = checkOptions(name, options, ['inputLayout', 'shapes', 'loss', 'losses', 'seed', 'backend']);
  if (given.inputLayout !== undefined) checkChoice(`${name}: inputLayout`, given.inputLayout, ['nchw', 'nhwc']);
  if (given.shapes !== undefined) {
    if (!isPlain(given.shapes)) throw invalid(`${name}: shapes`, 'an object by the names of inputs', given.shapes);
    for (const [key, shape] of Object.entries(given.shapes)) checkShape(`${name}: shapes: ${key}`, shape);
  }
  return given;
}

function decode<K extends string>(bytes: Uint8Array, file: string, options: OnnxImportOptions): Network<K> {
  const { inputLayout: _layout, shapes: _shapes, loss, losses, ...common } = options;
  const model = decodeModel(bytes, file);
  let graph = readGraph(model, file, options, new Map());
  // A tensor that several layers have is trained as one.
  if ([...graph.uses.values()].some((count) => count > 1)) graph = readGraph(model, file, options, graph.uses);
  const outputs = outputNodes(graph);
  const [[, only]] = outputs;
  const wrong = outputs.length === 1 ? losses : loss;
  if (wrong !== undefined) {
    const [given, wanted] = outputs.length === 1 ? ['losses', 'loss'] : ['loss', 'losses'];
    throw invalid(`fromOnnx: ${given}`, `none: the file has ${outputs.length} outputs; use ${wanted}`, wrong);
  }
  const made =
    outputs.length === 1
      ? ({ output: only, loss: loss ?? lossFor(only), ...common } satisfies GraphOptions)
      : ({
          outputs: Object.fromEntries(outputs),
          losses: { ...Object.fromEntries(outputs.map(([name, node]) => [name, lossFor(node)])), ...losses },
          ...common,
        } satisfies OutputsOptions<string>);
  const network = new Network<string>(made);
  fill(network, graph);
  return network as unknown as Network<K>;
}

/** Gives the parameters and the state their numbers. */
function fill(network: Network<string>, graph: GraphReader): void {
  const { nodes } = memoryOf(network).model;
  const names = new Map(nodes.map(({ node, owner }) => [node, nodes[owner].name]));
  const found = new Map<string, ParameterSource>();
  for (const { node, sources } of graph.fills) {
    const name = names.get(node);
    // A layer that no output needs.
    if (name === undefined) continue;
    for (const [own, source] of Object.entries(sources)) found.set(`${name}.${own}`, source);
  }
  for (const { name, value } of [...network.parameters, ...network.state])
    value.set((found.get(name) as ParameterSource).make());
}

/**
 * A network from the bytes of an ONNX file, ready for `predict` and for training. It takes images with their channels
 * last, and gives them so. Inputs and outputs keep their names, as far as blasnet has such names; so do layers. Throws
 * `FILE_CORRUPT` for what is no ONNX file, and `INVALID_ARGUMENT`, naming the node, for what blasnet has no layer for.
 */
export function fromOnnx<K extends string = ''>(bytes: Uint8Array, options?: OnnxImportOptions): Network<K> {
  checkArity('fromOnnx', arguments, 2);
  if (!types.isUint8Array(bytes)) throw invalid('fromOnnx: bytes', 'a Uint8Array', bytes);
  checkStorage('fromOnnx: bytes', bytes);
  return decode(bytes, 'bytes', readOptions('fromOnnx', options));
}

/** A network from such a file (a path or file: URL). Rejects as {@link fromOnnx} throws, and with `FILE_NOT_FOUND`. */
export async function importOnnx<K extends string = ''>(
  path: string | URL,
  options?: OnnxImportOptions,
): Promise<Network<K>> {
  checkArity('importOnnx', arguments, 2);
  const file = checkPath('importOnnx: path', path);
  const given = readOptions('importOnnx', options);
  return decode(await readShared(file), file, given);
}
