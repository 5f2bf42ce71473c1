import { types } from 'node:util';
import type { BackendName } from '../../backend/backend.js';
import { checkArity, checkOptions, invalid, isPlain } from '../../checks.js';
import { BlasnetError } from '../../errors.js';
import type { Node } from '../../graph/node.js';
import { binaryCrossEntropy, type Loss, meanSquaredError, softmaxCrossEntropy } from '../../losses/index.js';
import { Network } from '../../network.js';
import { quote, shapeText } from '../../text.js';
import type { Shape } from '../../types.js';
import { Fields, malformed } from './fields.js';
import { type ImportedGraph, importGraph, type Wanted } from './import-graph.js';
import { decodeWeight, readGroup, type WeightGroup, type WeightSpec } from './weights.js';

/** Options of {@link fromLayersModel} and `loadLayersModel`. */
export interface ImportOptions {
  /**
   * The loss of a model with one output. Default: the cross-entropy of the softmax or sigmoid at its end, with
   * `fromLogits: false`; for other ends `meanSquaredError()`.
   */
  loss?: Loss;
  /** The losses of a model with several outputs, by the names of its output layers; for the others the default. */
  losses?: Readonly<Record<string, Loss>>;
  /** As in `NetworkOptions`: for shuffles and masks of later trainings. */
  seed?: number;
  /** As in `NetworkOptions`. */
  backend?: 'auto' | BackendName;
}

/** A model in memory, as tfjs's handlers (`tf.io`) pass it: the fields that are read and written. */
export interface ModelArtifacts {
  /** The layers: what `model.json` has under this name. */
  modelTopology?: object | ArrayBuffer;
  /** Name, shape and dtype of each weight, in the order of the data. */
  weightSpecs?: readonly object[];
  /** The data of the weights, one after the other; or the same in several pieces. */
  weightData?: ArrayBuffer | readonly ArrayBuffer[];
  format?: string;
  generatedBy?: string;
  convertedBy?: string | null;
}

export function checkImport(name: string, options: ImportOptions | undefined): ImportOptions {
  const given = checkOptions(name, options, ['loss', 'losses', 'seed', 'backend']);
  const { losses } = given;
  if (losses !== undefined && (!isPlain(losses) || Array.isArray(losses)))
    throw invalid(`${name}: losses`, 'an object of losses by output', losses);
  return given;
}

/** A tensor in the data of a group. */
export interface Placed {
  readonly spec: WeightSpec;
  readonly group: number;
}

/** A model that was read and checked, but for the data of its weights. */
export interface CheckedModel {
  readonly graph: ImportedGraph;
  readonly groups: readonly WeightGroup[];
  /** Where the values of each wanted tensor are. */
  readonly places: ReadonlyMap<Wanted, Placed>;
}

/** Names of weights begin with those of their layers; Keras puts those of models around before them. */
function findWeight(
  { layer, weights }: Wanted,
  exact: ReadonlyMap<string, Placed>,
  byEnd: ReadonlyMap<string, readonly Placed[]>,
): Placed {
  const wanted = weights.map((weight) => `${layer}/${weight}`);
  for (const name of wanted) {
    const found = exact.get(name);
    if (found !== undefined) return found;
    const [first, ...others] = byEnd.get(name) ?? [];
    if (first !== undefined && others.length === 0) return first;
  }
  throw new BlasnetError('SHAPE_MISMATCH', `there is no weight ${quote(wanted[0])}`);
}

/** Whether a weight has the shape that a layer needs; either may begin with more dimensions of 1. */
function isOfShape(weight: Shape, wanted: Shape): boolean {
  const [longer, shorter] = weight.length > wanted.length ? [weight, wanted] : [wanted, weight];
  const more = longer.length - shorter.length;
  return longer.every((size, i) => size === (i < more ? 1 : shorter[i - more]));
}

/** Pairs the tensors that the layers need with those of the groups. */
function placeWeights({ wanted }: ImportedGraph, groups: readonly WeightGroup[]): Map<Wanted, Placed> {
  const all = groups.flatMap(({ specs }, group) => specs.map((spec): Placed => ({ spec, group })));
  const exact = new Map(all.map((placed) => [placed.spec.name, placed]));
  if (exact.size < all.length) throw malformed('two weights have the same name');
  const byEnd = new Map<string, Placed[]>();
  for (const placed of all) {
    const parts = placed.spec.name.split('/');
    // The layer, and the cell of the layer that newer versions name between it and the weight.
    const ends = new Set([parts.slice(-2).join('/'), [...parts.slice(-3, -2), ...parts.slice(-1)].join('/')]);
    for (const end of ends) byEnd.set(end, [...(byEnd.get(end) ?? []), placed]);
  }
  const places = new Map<Wanted, Placed>();
  const used = new Set<Placed>();
  for (const each of wanted) {
    const found = findWeight(each, exact, byEnd);
    if (!isOfShape(found.spec.shape, each.shape)) {
      const shapes = `${shapeText(found.spec.shape)}, the layer needs ${shapeText(each.shape)}`;
      throw new BlasnetError('SHAPE_MISMATCH', `weight ${quote(found.spec.name)} has the shape ${shapes}`);
    }
    places.set(each, found);
    used.add(found);
  }
  const unused = all.find((placed) => !used.has(placed));
  if (unused !== undefined)
    throw new BlasnetError('SHAPE_MISMATCH', `no layer has the weight ${quote(unused.spec.name)}`);
  return places;
}

/** Reads topology and specifications of weights, and checks that they fit. Allocates nothing by their sizes. */
export function checkModel(topology: unknown, groupEntries: readonly (readonly unknown[])[]): CheckedModel {
  const graph = importGraph(topology);
  const groups = groupEntries.map(readGroup);
  return { graph, groups, places: placeWeights(graph, groups) };
}

/** The loss of an output if none is given. */
function lossOf(node: Node): Loss {
  if (node.spec.type === 'softmax') return softmaxCrossEntropy({ fromLogits: false });
  if (node.spec.type === 'sigmoid') return binaryCrossEntropy({ fromLogits: false });
  return meanSquaredError();
}

/** The network of a checked model; `data` has the bytes of each group. */
export function makeNetwork<K extends string>(
  { graph, groups, places }: CheckedModel,
  data: readonly Uint8Array[],
  { loss, losses, seed, backend }: ImportOptions,
): Network<K> {
  for (const [i, { bytes }] of groups.entries()) {
    if (data[i].length !== bytes)
      throw malformed(`the data of the weights have ${data[i].length} bytes, their specifications ${bytes}`);
  }
  const common = { ...(seed !== undefined && { seed }), ...(backend !== undefined && { backend }) };
  const { outputs } = graph;
  if (outputs.length === 1 && losses !== undefined) throw invalid('losses', 'loss for a model with one output', losses);
  if (outputs.length > 1 && loss !== undefined) throw invalid('loss', 'losses for a model with several outputs', loss);
  const network =
    outputs.length === 1
      ? new Network({ output: outputs[0].node, loss: loss ?? lossOf(outputs[0].node), ...common })
      : new Network<string>({
          outputs: Object.fromEntries(outputs.map(({ name, node }) => [name, node])),
          losses: { ...Object.fromEntries(outputs.map(({ name, node }) => [name, lossOf(node)])), ...losses },
          ...common,
        });
  const views = new Map([...network.parameters, ...network.state].map((view) => [view.name, view]));
  for (const [{ name }, { spec, group }] of places) views.get(name)?.value.set(decodeWeight(spec, data[group]));
  return network as Network<string> as Network<K>;
}

/** Calls `read`; its errors begin with the name of the model and are plain ones. */
export function inModel<T>(model: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof BlasnetError)) throw cause;
    throw new BlasnetError(cause.code, `${model}: ${cause.message}`, { cause });
  }
}

function joined(name: string, value: unknown): Uint8Array {
  const pieces = Array.isArray(value) ? value : [value];
  if (!pieces.every((piece) => types.isAnyArrayBuffer(piece)))
    throw invalid(name, 'an ArrayBuffer or a list of them', value);
  return Buffer.concat(pieces.map((piece) => new Uint8Array(piece)));
}

/**
 * A network of a tfjs LayersModel in memory, as `model.save(tf.io.withSaveHandler(async (artifacts) => …))` gives it.
 * `predict` gives what the model's does; `K` are the names of its output layers if there are several. Throws
 * `INVALID_ARGUMENT`, naming the layer, for what has no counterpart here; `FILE_CORRUPT` for what is not a model;
 * `SHAPE_MISMATCH` if layers or weights don't fit together.
 */
export function fromLayersModel<K extends string = ''>(artifacts: ModelArtifacts, options?: ImportOptions): Network<K> {
  checkArity('fromLayersModel', arguments, 2);
  const given = checkImport('fromLayersModel', options);
  if (!isPlain(artifacts) || Array.isArray(artifacts))
    throw invalid('fromLayersModel: artifacts', 'an object with modelTopology, weightSpecs and weightData', artifacts);
  const { modelTopology, weightSpecs = [], weightData = [] } = artifacts;
  if (!Array.isArray(weightSpecs)) throw invalid('fromLayersModel: weightSpecs', 'a list', weightSpecs);
  const data = joined('fromLayersModel: weightData', weightData);
  const model = inModel('model', () => {
    checkFormat(new Fields('artifacts', artifacts).text('format', 'layers-model'));
    return checkModel(modelTopology, [weightSpecs]);
  });
  return inModel('model', () => makeNetwork(model, [data], given));
}

function checkFormat(format: string): void {
  if (format !== 'layers-model')
    throw malformed(
      `it is a ${quote(format)}, not a layers-model; convert the original with --output_format=tfjs_layers_model`,
    );
}

/** The fields of the text of a model.json: its topology, and for each group of weights their files and entries. */
export function readModelFields(value: unknown) {
  const fields = new Fields('model.json', value);
  checkFormat(fields.text('format', 'layers-model'));
  const manifest = fields.get('weightsManifest') ?? [];
  if (!Array.isArray(manifest)) throw malformed('weightsManifest must be a list');
  const groups = manifest.map((entry) => {
    const group = new Fields('a group of weightsManifest', entry);
    return { paths: group.list('paths'), entries: group.list('weights') };
  });
  return { topology: fields.get('modelTopology'), groups };
}
