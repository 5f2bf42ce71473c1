import { elements } from './program/instructions.js';
import type { Model } from './program/model.js';
import { alignColumns } from './text.js';
import type { Shape } from './types.js';

const group = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ',');

/** Size of this many float32 numbers, to three digits. */
function size(count: number): string {
  const megabytes = (4 * count) / 1e6;
  return megabytes >= 0.01 ? `${Number(megabytes.toPrecision(3))} MB` : `${group(4 * count)} bytes`;
}

/** An input or a layer of a network, in the list {@link Network.nodes}. */
export interface NetworkNode {
  /** Undefined for an only input without a name. */
  readonly name: string | undefined;
  /** `input`, or the layer's type. */
  readonly type: string;
  /** Shape of the value for one sample. */
  readonly shape: Shape;
  /** Indices, in the list, of the nodes that it takes; empty for inputs. */
  readonly from: readonly number[];
  /** Number of trainable parameters; 0 for further uses of a shared layer. */
  readonly parameters: number;
  /** Numbers of state that is kept but not trained; 0 for further uses of a shared layer. */
  readonly state: number;
  /** Of an input of indices: they are below this number. Undefined for all else. */
  readonly vocabulary?: number | undefined;
  /** Index, in the list, of the first use of the shared layer of which this is a further one. */
  readonly sharedWith: number | undefined;
  /** Names of the network's outputs that this node gives; `output` for one without a name. */
  readonly outputs: readonly string[];
}

/** The inputs of a model followed by its nodes. */
export function describeNodes({ inputs, nodes, outputs }: Model): readonly NetworkNode[] {
  const sum = (list: readonly { shape: Shape }[]) => list.reduce((all, part) => all + elements(part.shape), 0);
  const outputsOf = (place: number) =>
    outputs.filter((output) => output.place === place).map(({ name }) => name ?? 'output');
  const described = [
    ...inputs.map(({ name, shape, vocabulary }) => ({
      name,
      type: 'input',
      shape,
      from: [],
      parameters: 0,
      state: 0,
      sharedWith: undefined,
      ...(vocabulary !== undefined && { vocabulary }),
    })),
    ...nodes.map(({ name, spec, operation, from, owner }, i) => ({
      name,
      type: spec.type,
      shape: operation.output,
      from,
      ...(owner === i
        ? { parameters: sum(operation.parameters), state: sum(operation.state), sharedWith: undefined }
        : { parameters: 0, state: 0, sharedWith: inputs.length + owner }),
    })),
  ];
  return Object.freeze(
    described.map((node, place) =>
      Object.freeze({
        ...node,
        shape: Object.freeze([...node.shape]),
        from: Object.freeze([...node.from]),
        outputs: Object.freeze(outputsOf(place)),
      }),
    ),
  );
}

/**
 * The text of `network.summary()`: a line a layer. For graphs, each line also names the nodes that the layer takes; a
 * shared layer's further uses have no parameters of their own.
 */
export function summarize(model: Model): string {
  const { chain } = model;
  const nodes = describeNodes(model);
  const shapeText = (sizes: Shape) => `[${sizes.join(', ')}]`;
  const [parameters, state] = (['parameters', 'state'] as const).map((kind) =>
    nodes.reduce((all, node) => all + node[kind], 0),
  );
  const withState = (cell: string) => (state > 0 ? [cell] : []);
  const withFrom = (cell: string) => (chain ? [] : [cell]);
  const names = nodes.map(({ name }) => name ?? 'input');
  const note = ({ from, sharedWith, outputs }: NetworkNode) => {
    const parts = from.length > 0 ? [from.map((source) => names[source]).join(', ')] : [];
    if (sharedWith !== undefined) parts.push(`(shared with ${names[sharedWith]})`);
    if (outputs.length > 0) parts.push(`→ ${['output', ...outputs.filter((name) => name !== 'output')].join(' ')}`);
    return parts.join(' ');
  };
  const lines = [
    [chain ? 'layer' : 'node', 'type', 'output', 'parameters', ...withState('state'), ...withFrom('from')],
    ...nodes.map((node) => {
      const counts = [node.parameters, node.state].map((count) => (node.type === 'input' ? '' : group(count)));
      const type = node.vocabulary === undefined ? node.type : `input, index < ${group(node.vocabulary)}`;
      const cells = [node.name ?? '', type, shapeText(node.shape), counts[0]];
      return [...cells, ...withState(counts[1]), ...withFrom(note(node))];
    }),
  ];
  const text = alignColumns(lines, (i) => i < 3 || (!chain && i === lines[0].length - 1));
  const rule = '-'.repeat(Math.max(...text.map(({ length }) => length)));
  const totals = [`${group(parameters)} parameters (${size(parameters)})`];
  if (state > 0) totals.push(`${group(state)} numbers of state, not trained (${size(state)})`);
  return [text[0], rule, ...text.slice(1), rule, ...totals].join('\n');
}
