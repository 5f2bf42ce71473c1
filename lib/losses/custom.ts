import { checkArity } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { checkNode, input, isInput, type Node, sortNodes } from '../graph/node.js';
import { placeNodes } from '../graph/place.js';
import { elements, type Graph, rows, type Shape } from '../program/instructions.js';
import { shapeText } from '../text.js';
import { freeze, type Loss, type LossGraph, type TargetKind } from './loss.js';

type Build = (prediction: Node, target: Node) => Node;

/** Fields of a loss besides those that its graph determines. */
type Traits = Omit<Loss, 'write' | 'targets' | 'checkShape' | 'graph'> & { readonly targets?: readonly TargetKind[] };

/** Checks that a graph computes one value a sample from the prediction and the target alone. */
function checkGraph(kind: string, { prediction, target, value }: LossGraph): Graph {
  const refuse = (text: string) => new BlasnetError('INVALID_ARGUMENT', `${kind}: ${text}`);
  const { inputs, others } = sortNodes([value]);
  if (inputs.some((node) => node !== prediction && node !== target))
    throw refuse('its value depends on an input that is neither the prediction nor the target');
  if (!inputs.includes(prediction)) throw refuse('its value does not depend on the prediction');
  if (isInput(value) || elements(value.shape) !== 1) {
    throw new BlasnetError(
      'SHAPE_MISMATCH',
      `${kind}: expected one value a sample, of shape [1], got ${shapeText(value.shape)} for predictions of shape ${shapeText(prediction.shape)}`,
    );
  }
  const { nodes, places } = placeNodes(others, [prediction, target], false);
  const trained = nodes.find(({ operation: { parameters, state } }) => parameters.length + state.length > 0);
  if (trained !== undefined) throw refuse(`${trained.label}: a loss can't have parameters or state`);
  return { inputs: [prediction, target], nodes, output: places.get(value) as number };
}

/** A loss that is a graph of nodes; labels are taken as one-hot targets. */
export function graphLoss({ targets = ['targets'], ...traits }: Traits, build: Build | LossGraph): Loss {
  const { kind } = traits;
  const built = new Map<string, { readonly nodes: LossGraph; readonly graph: Graph }>();
  const graphFor = (shape: Shape) => {
    const key = shape.join();
    let found = built.get(key);
    if (found === undefined) {
      let nodes: LossGraph;
      if (typeof build === 'function') {
        const [prediction, target] = ['prediction', 'target'].map((name) => input(shape, { name }));
        nodes = { prediction, target, value: checkNode(`${kind}: its result`, build(prediction, target)) };
      } else {
        nodes = build;
        const wanted = build.prediction.shape;
        if (wanted.join() !== key) {
          const text = `expected predictions of shape ${shapeText(wanted)}, got ${shapeText(shape)}`;
          throw new BlasnetError('SHAPE_MISMATCH', `${kind}: ${text}`);
        }
      }
      found = { nodes, graph: checkGraph(kind, nodes) };
      built.set(key, found);
    }
    return found;
  };
  return freeze({
    ...traits,
    targets,
    checkShape: graphFor,
    graph: (shape) => graphFor(shape).nodes,
    write(builder, targetKind, { loss, dprediction, prediction, target, outputs, shape }) {
      let goal = target;
      if (targetKind === 'labels') {
        goal = builder.perRow('oneHot', outputs);
        builder.emit('oneHot', { y: goal, labels: target, rows: rows(), classes: outputs });
      }
      const pass = builder.graph(graphFor(shape).graph, [prediction, goal], 'training');
      builder.emit('identity', { y: loss, x: pass.y, n: rows() });
      if (dprediction === null) return;
      const dloss = builder.perRow('dloss', 1);
      builder.emit('meanGradient', { dloss, rows: rows() });
      const [dx] = pass.backward(dloss, [true, false]);
      if (dx === undefined) throw new BlasnetError('INTERNAL', `${kind}: no gradient`);
      builder.emit('identity', { y: dprediction, x: dx, n: rows(outputs) });
    },
  });
}

/**
 * A loss of one's own: `build` is called once for a network and gives, from the nodes of prediction and target (of the
 * output's shape), a node of one value a sample, such as `mean(square(subtract(prediction, target)))`. It is compiled
 * like the network, runs natively, and is saved in files. The loss of a batch is the mean of the values. Throws, when a
 * network is made with it, `SHAPE_MISMATCH` if the value is more than one number a sample and `INVALID_ARGUMENT` if it
 * has parameters or does not depend on the prediction.
 */
export function customLoss(build: Build): Loss {
  checkArity('customLoss', arguments, 1);
  if (typeof build !== 'function') {
    throw new BlasnetError('INVALID_ARGUMENT', 'customLoss: expected a function of the nodes (prediction, target)');
  }
  return graphLoss({ kind: CUSTOM }, build);
}

/** Kind of user-defined losses. */
export const CUSTOM = 'custom';
