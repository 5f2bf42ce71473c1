// Inference only: it gets the network as a model file, written here in Protocol Buffers' wire format. The weights are
// random, which makes no difference to the speed.
import { heNormal } from './support.mjs';

function varint(value) {
  const bytes = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

const key = (field, wire) => varint((field << 3) | wire);
const number = (field, value) => Buffer.concat([key(field, 0), varint(value)]);
const bytes = (field, content) => {
  const buffer = Buffer.from(content);
  return Buffer.concat([key(field, 2), varint(buffer.length), buffer]);
};
const message = (field, parts) => bytes(field, Buffer.concat(parts));

const FLOAT = 1;

function initializer(name, shape, values) {
  const content = Buffer.from(values.buffer);
  return message(5, [...shape.map((size) => number(1, size)), number(2, FLOAT), bytes(8, name), bytes(9, content)]);
}

function node(operator, inputs, outputs) {
  return message(1, [
    ...inputs.map((name) => bytes(1, name)),
    ...outputs.map((name) => bytes(2, name)),
    bytes(4, operator),
  ]);
}

/** A matrix of `width` columns and any number of rows. */
function value(field, name, width) {
  const shape = message(2, [message(1, [bytes(2, 'rows')]), message(1, [number(1, width)])]);
  return message(field, [bytes(1, name), message(2, [message(1, [number(1, FLOAT), shape])])]);
}

function modelFile(widths) {
  const last = widths.length - 1;
  const parts = [];
  for (let i = 1; i <= last; i++) {
    const [input, output] = [i === 1 ? 'x' : `h${i - 1}`, i === last ? 'y' : `z${i}`];
    parts.push(node('Gemm', [input, `w${i}`, `b${i}`], [output]));
    if (i < last) parts.push(node('Relu', [`z${i}`], [`h${i}`]));
  }
  parts.push(bytes(2, 'perceptron'));
  for (let i = 1; i <= last; i++) {
    const [inputs, outputs] = [widths[i - 1], widths[i]];
    parts.push(initializer(`w${i}`, [inputs, outputs], heNormal(inputs * outputs, inputs)));
    parts.push(initializer(`b${i}`, [outputs], new Float32Array(outputs)));
  }
  parts.push(value(11, 'x', widths[0]), value(12, 'y', widths[last]));
  const operators = message(8, [bytes(1, ''), number(2, 13)]);
  return Buffer.concat([number(1, 8), message(7, parts), operators]);
}

export async function load(packages, { threads }) {
  const { InferenceSession, Tensor } = packages.require('onnxruntime-node');
  return ({ widths }) => {
    const session = InferenceSession.create(modelFile(widths), { intraOpNumThreads: threads, interOpNumThreads: 1 });
    return {
      train() {},
      async outputs(images, rows) {
        const { y } = await (await session).run({ x: new Tensor('float32', images, [rows, widths[0]]) });
        return y.data;
      },
    };
  };
}
