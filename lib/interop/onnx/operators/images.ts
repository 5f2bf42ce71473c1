/** Operators on images: convolutions, pooling, upsampling. */
import * as merges from '../../../graph/functions.js';
import * as layers from '../../../layers/index.js';
import { permute } from '../../../layers/shape.js';
import type { Shape } from '../../../program/instructions.js';
import { cut, shapeText } from '../../../text.js';
import { BATCH, inShape, type NodeReading } from '../graph-reader.js';
import { image, readers } from './reader.js';

/** Integers of an attribute for the two dimensions of a window. */
function pair(reading: NodeReading, name: string, otherwise: number): [number, number] {
  const [a = otherwise, b = otherwise, ...more] = reading.ints(name) ?? [];
  if (more.length > 0) throw reading.unsupported(`${name} of more than two dimensions`);
  return [a, b];
}

type Margins = [[number, number], [number, number]];

/** Padding before and after, for rows and columns; 'same' as TensorFlow has it. */
function paddingOf(reading: NodeReading): 'same' | Margins {
  const auto = reading.string('auto_pad', 'NOTSET');
  if (auto === 'SAME_UPPER') return 'same';
  if (auto === 'SAME_LOWER') throw reading.unsupported('auto_pad SAME_LOWER');
  const pads = auto === 'VALID' ? [0, 0, 0, 0] : (reading.ints('pads') ?? [0, 0, 0, 0]);
  if (pads.length !== 4) throw reading.unsupported(`pads of ${pads.length} numbers`);
  return [
    [pads[0], pads[2]],
    [pads[1], pads[3]],
  ];
}

/** The window that the weights have, which an attribute may repeat. */
function windowOf(reading: NodeReading, shape: Shape): [number, number] {
  const window = reading.ints('kernel_shape') ?? shape.slice(2);
  if (shape.length !== 4 || window.join() !== shape.slice(2).join())
    throw reading.unsupported(`weights of ${shapeText(shape)} and a window of ${shapeText(window)}`);
  return [window[0], window[1]];
}

/** blasnet's place of each of ONNX's weights, [filters, channels, height, width]. */
function placeOf([filters, channels, height, width]: Shape) {
  const area = height * width;
  return (i: number) => {
    const [filter, channel] = [Math.floor(i / (channels * area)), Math.floor(i / area) % channels];
    return ((i % area) * channels + channel) * filters + filter;
  };
}

readers.set('Conv', (reading) => {
  const node = reading.image();
  const { shape = [] } = reading.constant(1) ?? {};
  const window = windowOf(reading, shape);
  const [filters] = shape;
  const groups = reading.int('group', 1);
  const [stride, dilation] = [pair(reading, 'strides', 1), pair(reading, 'dilations', 1)];
  const options = { window, stride, padding: paddingOf(reading), dilation, bias: reading.has(2) };
  const channels = node.shape[2];
  if (shape[1] * groups !== channels)
    throw reading.corrupt(`weights of ${shapeText(shape)} in ${groups} groups for ${channels} channels`);
  const weight = reading.parameter(1, shape, placeOf(shape));
  const sources = { weight, ...(reading.has(2) && { bias: reading.parameter(2, [filters]) }) };
  const isDepthwise = groups === channels && groups > 1 && filters % groups === 0;
  const make = (named: { name?: string }) =>
    isDepthwise
      ? layers.depthwiseConv2d({ ...options, multiplier: filters / groups, ...named })
      : layers.conv2d(filters, { ...options, groups, ...named });
  return image(reading.graph.layer(reading.node, node, make, sources));
});

readers.set('ConvTranspose', (reading) => {
  const node = reading.image();
  const { shape = [] } = reading.constant(1) ?? {};
  const window = windowOf(reading, shape);
  reading.only('group', 1);
  if (pair(reading, 'dilations', 1).some((step) => step !== 1)) throw reading.unsupported('dilations');
  if (reading.ints('output_shape') !== undefined) throw reading.unsupported('output_shape');
  const filters = shape[1];
  const [stride, padding] = [pair(reading, 'strides', 1), paddingOf(reading)];
  const outputPadding = pair(reading, 'output_padding', 0);
  if (padding === 'same' && (outputPadding.some((more) => more > 0) || window.some((size, i) => size < stride[i])))
    throw reading.unsupported('auto_pad SAME_UPPER with gaps between windows, or with output_padding');
  const options = { window, stride, padding, outputPadding, bias: reading.has(2) };
  const weight = reading.parameter(1, shape, placeOf(shape));
  if (shape[0] !== node.shape[2]) throw reading.corrupt(`weights of ${shapeText(shape)} for ${node.shape[2]} channels`);
  const sources = { weight, ...(reading.has(2) && { bias: reading.parameter(2, [filters]) }) };
  const make = (named: { name?: string }) => layers.convTranspose2d(filters, { ...options, ...named });
  return image(reading.graph.layer(reading.node, node, make, sources));
});

function pool(operator: string, layer: typeof layers.maxPool2d, includes: (reading: NodeReading) => boolean): void {
  readers.set(operator, (reading) => {
    const node = reading.image();
    const window = pair(reading, 'kernel_shape', 1);
    const stride = pair(reading, 'strides', 1);
    if (pair(reading, 'dilations', 1).some((step) => step !== 1)) throw reading.unsupported('dilations');
    if (reading.node.outputs.length > 1) throw reading.unsupported('its second output');
    const padding = paddingOf(reading);
    const isPadded = padding === 'same' || padding.flat().some((pixels) => pixels > 0);
    const isWhole = isPadded && includes(reading);
    if (isWhole && padding === 'same') throw reading.unsupported('count_include_pad with auto_pad');
    const padded = isWhole ? node.pipe(merges.pad([...(padding as Margins), [0, 0]])) : node;
    const pooled = padded.pipe(layer(window, { stride, ...(!isWhole && { padding }) }));
    // Rounding up is the same where nothing is left over.
    if (reading.int('ceil_mode', 0) !== 0) {
      const isExact = [0, 1].every((axis) => {
        if (padding === 'same') return true;
        const [before, after] = padding[axis];
        return (node.shape[axis] + before + after - window[axis]) % stride[axis] === 0;
      });
      if (!isExact) throw reading.unsupported('ceil_mode, with a window that goes beyond the image');
    }
    return image(pooled);
  });
}

pool('MaxPool', layers.maxPool2d, () => false);
pool('AveragePool', layers.avgPool2d, (reading) => reading.int('count_include_pad', 0) !== 0);

function globalPool(operator: string, layer: typeof layers.globalAvgPool2d): void {
  readers.set(operator, (reading) => {
    const pooled = reading.image().pipe(layer());
    return image(inShape(pooled, [1, 1, pooled.shape[0]]));
  });
}

globalPool('GlobalAveragePool', layers.globalAvgPool2d);
globalPool('GlobalMaxPool', layers.globalMaxPool2d);

function upsample(operator: string): void {
  readers.set(operator, (reading) => {
    const node = reading.image();
    reading.only('mode', 'nearest');
    // The first Resize is as Upsample: asymmetric and floor.
    const isNew = operator === 'Resize' && reading.graph.model.opset >= 11;
    if (isNew) {
      const place = reading.string('coordinate_transformation_mode', 'half_pixel');
      const nearest = reading.string('nearest_mode', 'round_prefer_floor');
      // By whole factors, both repeat each pixel; other pairs do not.
      if (!['asymmetric, floor', 'half_pixel, round_prefer_floor'].includes(`${place}, ${nearest}`))
        throw reading.unsupported(`${place} with ${nearest}`);
    }
    const [height, width, channels] = node.shape;
    const sizes = isNew && reading.has(3) ? reading.integers(3) : undefined;
    if (sizes !== undefined && sizes[0] !== BATCH && sizes[0] !== reading.graph.batch)
      throw reading.unsupported('sizes that change the batch');
    const at = isNew ? 2 : 1;
    // The oldest Upsample has an attribute.
    const given = reading.has(at) ? reading.constant(at)?.values : reading.node.attributes.get('scales');
    const scales: ArrayLike<number> = given instanceof Float32Array || Array.isArray(given) ? given : [];
    const [batch, of, ...factor] =
      sizes === undefined ? Array.from(scales) : [1, sizes[1] / channels, sizes[2] / height, sizes[3] / width];
    if (factor.length !== 2 || batch !== 1 || of !== 1 || !factor.every((x) => Number.isInteger(x) && x > 0))
      throw reading.unsupported('other scales than whole ones of height and width');
    return image(node.pipe(merges.upsample2d([factor[0], factor[1]])));
  });
}

upsample('Resize');
upsample('Upsample');

/** Channels become blocks of pixels: which of them, in the order of `mode`. */
readers.set('DepthToSpace', (reading) => {
  const node = reading.image();
  const [height, width, channels] = node.shape;
  const size = reading.int('blocksize', 0);
  const mode = reading.string('mode', 'DCR');
  const depth = channels / size ** 2;
  if (!(size > 0 && Number.isInteger(depth))) throw reading.corrupt(`blocks of ${size} for ${channels} channels`);
  if (mode !== 'DCR' && mode !== 'CRD') throw reading.corrupt(`the mode ${cut(mode, 40)}`);
  const [parts, order] =
    mode === 'DCR'
      ? [
          [size, size, depth],
          [0, 2, 1, 3, 4],
        ]
      : [
          [depth, size, size],
          [0, 3, 1, 4, 2],
        ];
  const blocks = inShape(node, [height, width, ...parts]).pipe(permute(order));
  return image(inShape(blocks, [height * size, width * size, depth]));
});

readers.set('SpaceToDepth', (reading) => {
  const node = reading.image();
  const [height, width, channels] = node.shape;
  const size = reading.int('blocksize', 0);
  const [rows, columns] = [height / size, width / size];
  if (!(size > 0 && Number.isInteger(rows) && Number.isInteger(columns)))
    throw reading.corrupt(`blocks of ${size} for ${height} x ${width} pixels`);
  const blocks = inShape(node, [rows, size, columns, size, channels]).pipe(permute([0, 2, 1, 3, 4]));
  return image(inShape(blocks, [rows, columns, size * size * channels]));
});
