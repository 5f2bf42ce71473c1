/** Normalisations, and PRelu, with numbers for each channel. */
import type { Node } from '../../../graph/node.js';
import * as layers from '../../../layers/index.js';
import { asPlain, channelsFirst, type NodeReading, type ParameterSource, plain, withAxes } from '../graph-reader.js';
import { dimensionOf, endingWith, imageAgain, readers, repeated } from './reader.js';

/** A value with its channels, the first dimension of its samples in the file, last; and the axes of the result. */
function withChannelsLast(reading: NodeReading): { node: Node; axes: readonly number[]; channels: number } {
  const value = reading.value();
  if (value.axes.length === 0) throw reading.unsupported('values without a dimension besides the batch');
  const axes = channelsFirst(value.axes.length);
  const node = withAxes(value, axes);
  return { node, axes, channels: node.shape[node.shape.length - 1] };
}

readers.set('BatchNormalization', (reading) => {
  reading.only('training_mode', 0);
  const { node, axes, channels } = withChannelsLast(reading);
  const names = ['gamma', 'beta', 'runningMean', 'runningVariance'];
  const sources = Object.fromEntries(names.map((own, i) => [own, reading.parameter(i + 1, [channels])]));
  const options = { epsilon: reading.float('epsilon', 1e-5), momentum: reading.float('momentum', 0.9) };
  const make = (named: { name?: string }) => layers.batchNorm({ ...options, ...named });
  return { node: reading.graph.layer(reading.node, node, make, sources), axes };
});

readers.set('InstanceNormalization', (reading) => {
  const { node, axes, channels } = withChannelsLast(reading);
  const sources = { gamma: reading.parameter(1, [channels]), beta: reading.parameter(2, [channels]) };
  const epsilon = reading.float('epsilon', 1e-5);
  const make = (named: { name?: string }) => layers.instanceNorm({ epsilon, ...named });
  return { node: reading.graph.layer(reading.node, node, make, sources), axes };
});

readers.set('LayerNormalization', (reading) => {
  const value = reading.value();
  const rank = value.axes.length;
  if (reading.axis(reading.int('axis', -1), rank) !== rank - 1)
    throw reading.unsupported('over more than the last dimension');
  const node = asPlain(value);
  const features = node.shape[rank - 1];
  const zeros: ParameterSource = { from: '0', length: features, make: () => new Float32Array(features) };
  const beta = reading.has(2) ? reading.parameter(2, [features]) : zeros;
  const epsilon = reading.float('epsilon', 1e-5);
  const make = (named: { name?: string }) => layers.layerNorm({ epsilon, ...named });
  return plain(reading.graph.layer(reading.node, node, make, { gamma: reading.parameter(1, [features]), beta }));
});

readers.set('LRN', (reading) => {
  const { node, axes } = withChannelsLast(reading);
  const size = reading.int('size', 1);
  if (size % 2 !== 1) throw reading.unsupported('a window of an even number of channels');
  const options = {
    radius: (size - 1) / 2,
    alpha: reading.float('alpha', 1e-4) / size,
    beta: reading.float('beta', 0.75),
    bias: reading.float('bias', 1),
  };
  return { node: node.pipe(layers.localResponseNorm(options)), axes };
});

readers.set('PRelu', (reading) => {
  const value = reading.value();
  const { shape = [] } = reading.constant(1) ?? {};
  const isOne = shape.every((size) => size === 1);
  const axes = endingWith(value, isOne ? 0 : dimensionOf(reading, shape, value));
  const node = withAxes(value, axes);
  const slope = isOne ? repeated(reading, 1, node.shape[node.shape.length - 1]) : reading.parameter(1, shape);
  const made = reading.graph.layer(reading.node, node, (named) => layers.prelu(named), { slope });
  return imageAgain({ node: made, axes }, value);
});
