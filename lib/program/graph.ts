import type { Builder, Graph, MergePass, Mode, Tensor } from './instructions.js';

type Nodes = Pick<Graph, 'inputs' | 'nodes'>;
/** A builder that keeps account of who needs which gradient. */
export interface GraphBuilder extends Builder {
  /** Notes that a place needs the gradient `dy`. */
  hold(dy: Tensor): void;
  /** The sum of the gradients that a place has received, which it no longer holds; undefined if there is none. */
  collect(received: readonly Tensor[]): Tensor | undefined;
  /** Adds what a further use of a shared layer wrote to its parameters' gradients. */
  sumGradients(): void;
}

/** Calls `write` with names for the node `index`. */
type AtNode = <T>(index: number, write: () => T) => T;

/** For each place, whether one of `places` depends on it or is it. */
export function ancestors({ inputs, nodes }: Nodes, places: readonly number[]): boolean[] {
  const needed = new Array<boolean>(inputs.length + nodes.length).fill(false);
  for (const place of places) needed[place] = true;
  for (let index = nodes.length - 1; index >= 0; index--) {
    if (needed[inputs.length + index]) for (const place of nodes[index].from) needed[place] = true;
  }
  return needed;
}

/** Writes the forward pass of the needed nodes; returns the value of each place, and the pass of each node. */
export function writeForward(
  builder: GraphBuilder,
  { inputs, nodes }: Nodes,
  xs: readonly (Tensor | undefined)[],
  mode: Mode,
  needed: readonly boolean[],
  atNode: AtNode,
): { values: (Tensor | undefined)[]; passes: (MergePass | undefined)[] } {
  const values = [...xs];
  const passes = nodes.map(({ operation, from }, index) => {
    const sources = from.map((place) => values[place] as Tensor);
    const pass = needed[inputs.length + index]
      ? atNode(index, () => operation.forward(builder, sources, mode))
      : undefined;
    values.push(pass?.y);
    return pass;
  });
  return { values, passes };
}

/**
 * Writes the backward pass from the gradients `seeds` of some places. The gradient of a place with several users is the
 * sum of theirs. Gradients are computed for `wanted` places only, and a node's parameters where `trained`. Returns the
 * gradients of the inputs that are wanted and reached.
 */
export function writeBackward(
  builder: GraphBuilder,
  { inputs, nodes }: Nodes,
  passes: readonly (MergePass | undefined)[],
  seeds: readonly (readonly [place: number, gradient: Tensor])[],
  wanted: readonly boolean[],
  trained: (index: number) => boolean,
  atNode: AtNode,
): (Tensor | undefined)[] {
  const received = wanted.map((): Tensor[] => []);
  const give = (place: number, gradient: Tensor) => {
    received[place].push(gradient);
    builder.hold(gradient);
  };
  for (const [place, gradient] of seeds) give(place, gradient);
  for (let index = nodes.length - 1; index >= 0; index--) {
    const place = inputs.length + index;
    const { from } = nodes[index];
    const wants = from.map((source) => wanted[source]);
    const pass = passes[index];
    if (pass === undefined || received[place].length === 0 || !(trained(index) || wants.includes(true))) continue;
    atNode(index, () => {
      const dy = builder.collect(received[place]) as Tensor;
      const gradients = pass.backward(dy, wants);
      builder.sumGradients();
      from.forEach((source, i) => {
        const gradient = gradients[i];
        if (wants[i] && gradient !== undefined) give(source, gradient);
      });
    });
  }
  const gradients = inputs.map((_, place) => {
    const gradient = wanted[place] ? builder.collect(received[place]) : undefined;
    // The sum of the next input must not be made in this one's place.
    if (gradient !== undefined) builder.hold(gradient);
    return gradient;
  });
  for (const gradient of gradients) if (gradient !== undefined) builder.collect([gradient]);
  return gradients;
}
