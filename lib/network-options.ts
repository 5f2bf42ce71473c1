/** What a network is made of: the options of its constructor, checked. */
import { randomBytes } from 'node:crypto';
import type { BackendName } from './backend/backend.js';
import { checkChoice, checkNumber, checkOptions, checkSeed, invalid, isPlain } from './checks.js';
import { checkNode, type Node } from './graph/node.js';
import { codes, type Precision } from './kernels/codes.js';
import { checkName, type LayerSpec } from './layers/layer.js';
import { checkLoss, type Loss } from './losses/loss.js';
import type { Shape } from './program/instructions.js';
import type { GraphSpec, ModelSpec, OutputSpec } from './program/model.js';
import { type Regularizer, resolveRegularizer } from './regularizers.js';
import { listed, quote } from './text.js';

export interface CommonOptions {
  /** Penalty on all weights that have no penalty of their own. */
  regularizer?: Regularizer;
  /**
   * What the operands of products (dense layers, convolutions without groups or dilation, `matmul`) are rounded to;
   * sums and all else are in float32. Default 'float32'. 'bfloat16' has 8 significant bits. On processors with
   * instructions for it (`backendInfo().bfloat16`) wide layers are faster with it; elsewhere it is slower. Most
   * convolutions are faster only with AMX.
   */
  precision?: Precision;
  /** Unsigned 32-bit integer; determines initial weights, shuffles and dropout masks. Default: drawn at random. */
  seed?: number;
  /** Default 'auto': native where the addon loads, otherwise TypeScript (with a warning). */
  backend?: 'auto' | BackendName;
}

/** A network that is a list of layers. */
export interface NetworkOptions extends CommonOptions {
  output?: never;
  outputs?: never;
  /** Shape of one sample, such as [784] or [28, 28, 1] (height, width, channels). */
  input: Shape;
  /** The layers, first to last. */
  layers: readonly LayerSpec[];
  /**
   * What training minimises. The last layer must give what the loss expects: logits for the cross-entropies, unless
   * their `fromLogits` is false.
   */
  loss: Loss;
}

/** A graph with one output. */
export interface GraphOptions extends CommonOptions {
  layers?: never;
  outputs?: never;
  /** The node whose value the network gives; the network consists of the nodes that it reaches. */
  output: Node;
  loss: Loss;
}

/** A graph with several outputs. */
export interface OutputsOptions<K extends string> extends CommonOptions {
  layers?: never;
  output?: never;
  /** The outputs by name. */
  outputs: Readonly<Record<K, Node>>;
  /** The losses by the outputs' names, at least one. Outputs without a loss are predicted only. */
  losses: Readonly<Partial<Record<K, Loss>>>;
  /** Factors of the losses in the total by the outputs' names, ≥ 0; default 1. */
  lossWeights?: Readonly<Partial<Record<K, number>>>;
}

export type AnyOptions = NetworkOptions | GraphOptions | OutputsOptions<string>;

const common = ['regularizer', 'precision', 'seed', 'backend'] as const;

/** Columns by name: an object whose keys are names. */
function checkRecord(name: string, value: unknown, known?: readonly string[]): [string, unknown][] {
  if (!isPlain(value) || Array.isArray(value)) throw invalid(name, 'an object by name', value);
  const entries = Object.entries(value);
  for (const [key] of entries) {
    checkName(`${name}: ${quote(key)}`, key);
    if (known !== undefined && !known.includes(key)) throw invalid(name, `names of ${listed(known)}`, key);
  }
  return entries;
}

function readOutputs({ outputs, losses, lossWeights }: OutputsOptions<string>): OutputSpec[] {
  const nodes = checkRecord('outputs', outputs);
  const names = nodes.map(([name]) => name);
  const kinds = new Map(checkRecord('losses', losses, names));
  const weights = new Map(lossWeights === undefined ? [] : checkRecord('lossWeights', lossWeights, names));
  const list = nodes.map(([name, node]): OutputSpec => {
    const loss = kinds.get(name);
    const weight = checkNumber(`lossWeights: ${name}`, weights.get(name) ?? 1, { min: 0 });
    if (loss === undefined && weights.has(name)) throw invalid(`lossWeights: ${name}`, 'none without a loss', weight);
    return {
      name,
      node: checkNode(`outputs: ${name}`, node),
      loss: loss === undefined ? undefined : checkLoss(`losses: ${name}`, loss),
      weight,
    };
  });
  if (!list.some(({ loss }) => loss !== undefined)) throw invalid('losses', 'a loss for at least one output', losses);
  return list;
}

/** Checks what makes the network: a list of layers, a node or several. */
export function readSpec(name: string, options: AnyOptions, seed: number, names?: GraphSpec['names']): ModelSpec {
  if (typeof options !== 'object' || options === null)
    throw invalid(name, 'an object with input, layers and loss', options);
  const form =
    'outputs' in options
      ? ['outputs', 'losses', 'lossWeights']
      : 'output' in options
        ? ['output', 'loss']
        : ['input', 'layers', 'loss'];
  checkOptions(name, options as object as Readonly<Record<string, unknown>>, [...form, ...common]);
  const { precision = 'float32' } = options;
  checkChoice('precision', precision, codes.precision);
  const rest = { regularizer: resolveRegularizer('regularizer', options.regularizer), precision, seed };
  const graph = (outputs: OutputSpec[]) => ({ outputs, ...(names && { names }), ...rest });
  if ('outputs' in options) return graph(readOutputs(options as OutputsOptions<string>));
  const { loss } = options as NetworkOptions | GraphOptions;
  const checked = checkLoss('loss', loss);
  if ('output' in options)
    return graph([{ name: undefined, node: checkNode('output', options.output), loss: checked }]);
  const { input, layers } = options as NetworkOptions;
  return { input, layers, loss: checked, ...rest };
}

export function readSeed(seed: number | undefined): number {
  return checkSeed('seed', seed ?? randomBytes(4).readUInt32LE());
}
