/**
 * Convolution, pooling and local response normalisation against golden values, which have channels and filters first.
 */
import { expect, it } from 'vitest';
import { conv2d, halfSquaredError, type LayerSpec, localResponseNorm, maxPool2d, Network } from '../../lib/index.js';
import type { KernelBackend } from '../../lib/kernels/index.js';
import { elements } from '../../lib/program/instructions.js';
import { eachBackend } from './backends.js';
import { Golden } from './golden.js';
import { alexNet, modelOf } from './models.js';

/** Reorders an array of `shape` so that dimension d of the result is dimension order[d] of the source. */
function permute(values: ArrayLike<number>, shape: readonly number[], order: readonly number[]): Float32Array {
  const strides = shape.map((_, d) => elements(shape.slice(d + 1)));
  const result: number[] = [];
  const visit = (depth: number, at: number) => {
    if (depth === order.length) result.push(values[at]);
    else for (let i = 0; i < shape[order[depth]]; i++) visit(depth + 1, at + i * strides[order[depth]]);
  };
  visit(0, 0);
  return Float32Array.from(result);
}

/** Images [n, c, h, w] as [n, h, w, c], and back. */
const channelsLast = (values: ArrayLike<number>, [n, c, h, w]: number[]) => permute(values, [n, c, h, w], [0, 2, 3, 1]);
const channelsFirst = (values: ArrayLike<number>, [n, c, h, w]: number[]) =>
  permute(values, [n, h, w, c], [0, 3, 1, 2]);
/** Filters [f, c, h, w] as [h, w, c, f], and back. */
const filtersLast = (values: ArrayLike<number>, [f, c, h, w]: number[]) => permute(values, [f, c, h, w], [2, 3, 1, 0]);
const filtersFirst = (values: ArrayLike<number>, [f, c, h, w]: number[]) => permute(values, [h, w, c, f], [3, 2, 0, 1]);

function convolution(backend: KernelBackend): void {
  const golden = new Golden('001_conv2d');
  const [images, filters] = [
    [2, 3, 7, 7],
    [4, 3, 3, 3],
  ];
  const x = channelsLast(golden.numbers('inputs.x'), images);
  for (const index of golden.keys('hyperparameters.cases')) {
    const stride = golden.number(`hyperparameters.cases.${index}.stride`);
    const padding = golden.number(`hyperparameters.cases.${index}.pad`);
    const name = `stride${stride}_pad${padding}`;
    const network = new Network({
      input: [7, 7, 3],
      layers: [conv2d(4, { stride, padding, name: 'conv' })],
      loss: halfSquaredError(),
      backend: backend.name,
    });
    network.parameter('conv.weight').value.set(filtersLast(golden.numbers('inputs.w'), filters));
    network.parameter('conv.bias').value.set(golden.floats('inputs.b'));
    const y = network.forward(x);
    const shape = [2, 4, network.output[0], network.output[1]];
    golden.near(`${name}.y`, channelsFirst(y, shape));

    const dy = channelsLast(golden.numbers(`inputs.dy.${name}`), shape);
    // Half the squared distance to y − rows · dy has the gradient dy.
    const { inputGradient } = network.gradients(
      x,
      y.map((value, i) => value - 2 * dy[i]),
    );
    golden.near(`${name}.dx`, channelsFirst(inputGradient, images));
    golden.near(`${name}.dw`, filtersFirst(network.parameter('conv.weight').gradient, filters));
    golden.near(`${name}.db`, network.parameter('conv.bias').gradient);
  }
  golden.complete();
}

function poolingAndNorm(backend: KernelBackend): void {
  const golden = new Golden('001_maxpool_lrn');
  const compare = (layer: LayerSpec, input: string, gradient: string, output: string, shape: number[]) => {
    const [, channels, height, width] = shape;
    const network = new Network({
      input: [height, width, channels],
      layers: [layer],
      loss: halfSquaredError(),
      backend: backend.name,
    });
    const x = channelsLast(golden.numbers(`inputs.${input}`), shape);
    const y = network.forward(x);
    const outputs = [2, channels, network.output[0], network.output[1]];
    golden.near(output, channelsFirst(y, outputs));
    const dy = channelsLast(golden.numbers(`inputs.${gradient}`), outputs);
    const { inputGradient } = network.gradients(
      x,
      y.map((value, i) => value - 2 * dy[i]),
    );
    golden.near(`${output}_dx`, channelsFirst(inputGradient, shape));
  };
  const [size, stride] = ['size', 'stride'].map((name) => golden.number(`hyperparameters.pool.${name}`));
  compare(maxPool2d(size, { stride }), 'x', 'dy', 'pool', [2, 3, 7, 7]);
  const [n, bias, alpha, beta] = ['n', 'k', 'alpha', 'beta'].map((name) =>
    golden.number(`hyperparameters.lrn.${name}`),
  );
  compare(localResponseNorm({ radius: (n - 1) / 2, bias, alpha, beta }), 'x_lrn', 'dy_lrn', 'lrn', [2, 8, 3, 3]);
  golden.complete();
}

eachBackend((backend) => {
  it('convolution: output and gradients for four strides and paddings', () => convolution(backend));
  it('overlapping max pooling and local response normalisation', () => poolingAndNorm(backend));
});

it('sizes and parameters of AlexNet, and four convolutions of digits', () => {
  const golden = new Golden('001_conv_sizes');
  const side = golden.number('inputs.input');
  const model = modelOf([side, side, 3], alexNet());
  const windows = alexNet().flatMap(({ type }, i) =>
    type === 'conv2d' || type === 'maxPool2d' ? [model.nodes[i].operation.output] : [],
  );
  expect(windows.every(([height, width]) => height === width)).toBe(true);
  golden.exact(
    'alexnet_sizes',
    windows.map(([height]) => height),
  );
  const counts = model.nodes.flatMap(({ operation: { parameters } }) =>
    parameters.length === 0 ? [] : [parameters.reduce((sum, { shape }) => sum + elements(shape), 0)],
  );
  golden.exact('alexnet_conv_parameters', counts.slice(0, 5));
  golden.exact('alexnet_fc_parameters', counts.slice(5));
  golden.exact(
    'alexnet_parameters_total',
    counts.reduce((sum, count) => sum + count, 0),
  );
  golden.exact('alexnet_fc_input', elements(windows[windows.length - 1]));
  const digits = golden.keys('inputs.mnist_cases').map((index) => {
    const [size, window, stride, padding] = golden.numbers(`inputs.mnist_cases.${index}`);
    return modelOf([size, size, 1], [conv2d(1, { window, stride, padding })]).outputs[0].shape[0];
  });
  golden.exact('mnist_examples', digits);
  golden.complete();
});
