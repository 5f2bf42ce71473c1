// jax-js has neither layers nor optimizers: the step is a compiled function of arrays, with Adam or momentum
// implemented here. Arrays are reference-counted: `.ref` keeps one that an operation would otherwise consume.
import { CLASSES, gather, heNormal, oneHot, PIXELS, shuffled } from './support.mjs';

export async function load(packages) {
  const jax = await packages.import('@jax-js/jax/dist/index.js');
  await jax.init('wasm');
  jax.defaultDevice('wasm');
  const compiled = new Map();
  return (workload) => createModel(jax, workload, compiled);
}

function initialParameters({ numpy: np }, { images: layers, widths, batchNorm }) {
  const parameters = [];
  const add = (shape, values) => {
    parameters.push(np.array(values).reshape(shape));
  };
  const weights = (shape, fanIn) =>
    add(
      shape,
      heNormal(
        shape.reduce((a, b) => a * b, 1),
        fanIn,
      ),
    );
  let channels = 1;
  for (const { filters, window } of layers) {
    weights([filters, channels, window, window], channels * window * window);
    add([filters, 1, 1], new Float32Array(filters));
    channels = filters;
  }
  for (let i = 1; i < widths.length; i++) {
    weights([widths[i - 1], widths[i]], widths[i - 1]);
    add([widths[i]], new Float32Array(widths[i]));
    if (batchNorm && i < widths.length - 1) {
      add([widths[i]], new Float32Array(widths[i]).fill(1));
      add([widths[i]], new Float32Array(widths[i]));
    }
  }
  return parameters;
}

function maxPool(np, x, rows, channels, side) {
  const half = Math.floor(side / 2);
  return np.max(np.max(x.reshape([rows, channels, half, 2, half, 2]), 5), 3);
}

function forward({ numpy: np, nn, lax }, { images: layers, widths, batchNorm }, parameters, images, rows) {
  let next = 0;
  const take = () => parameters[next++];
  let x = images;
  let side = 28;
  if (layers.length > 0) x = x.reshape([rows, 1, side, side]);
  for (const { filters, window, pad, pool } of layers) {
    const padding = [
      [pad, pad],
      [pad, pad],
    ];
    x = nn.relu(lax.convGeneralDilated(x, take(), [1, 1], padding).add(take()));
    side += 2 * pad - window + 1;
    if (pool) {
      x = maxPool(np, x, rows, filters, side);
      side = Math.floor(side / 2);
    }
  }
  if (layers.length > 0) x = x.reshape([rows, widths[0]]);
  for (let i = 1; i < widths.length; i++) {
    x = np.matmul(x, take()).add(take());
    if (i === widths.length - 1) break;
    if (batchNorm) {
      const centred = x.ref.sub(np.mean(x, 0));
      const variance = np.mean(np.square(centred.ref), 0);
      x = centred
        .div(np.sqrt(variance.add(1e-3)))
        .mul(take())
        .add(take());
    }
    x = nn.relu(x);
  }
  return x;
}

function compileStep(jax, workload) {
  const { numpy: np, nn, jit, valueAndGrad } = jax;
  const rows = workload.task === 'predict' ? 64 : workload.batchSize;
  const loss = (parameters, x, y) =>
    nn
      .logSoftmax(forward(jax, workload, parameters, x, rows), -1)
      .mul(y)
      .sum()
      .mul(-1 / rows);
  const gradient = valueAndGrad(loss);
  const adam = workload.optimizer === 'adam';
  return jit((parameters, means, squares, rate, x, y) => {
    const [value, gradients] = gradient(
      parameters.map((p) => p.ref),
      x,
      y,
    );
    const updated = [[], [], []];
    for (let i = 0; i < parameters.length; i++) {
      const g = gradients[i];
      if (adam) {
        const mean = means[i].mul(0.9).add(g.ref.mul(0.1));
        const square = squares[i].mul(0.999).add(np.square(g).mul(0.001));
        updated[0].push(parameters[i].sub(mean.ref.mul(rate.ref).div(np.sqrt(square.ref).add(1e-8))));
        updated[1].push(mean);
        updated[2].push(square);
      } else {
        const velocity = means[i].mul(0.9).add(g);
        updated[0].push(parameters[i].sub(velocity.ref.mul(rate.ref)));
        updated[1].push(velocity);
      }
    }
    rate.dispose();
    return [...updated, value];
  });
}

function createModel(jax, workload, compiled) {
  const { numpy: np, jit } = jax;
  const adam = workload.optimizer === 'adam';
  const once = (key, make) => compiled.get(key) ?? compiled.set(key, make()).get(key);
  let parameters = initialParameters(jax, workload);
  const zeros = () => parameters.map((p) => np.zeros(p.shape));
  let [means, squares] = [zeros(), adam ? zeros() : []];
  let steps = 0;
  return {
    async train({ images, labels }, batchSize) {
      const step = once('step', () => compileStep(jax, workload));
      const order = shuffled(labels.length);
      // Compiled code has a fixed batch size, so a smaller last batch is skipped.
      for (let begin = 0; begin + batchSize <= order.length; begin += batchSize) {
        const indices = order.subarray(begin, begin + batchSize);
        steps++;
        const rate = adam ? (1e-3 * Math.sqrt(1 - 0.999 ** steps)) / (1 - 0.9 ** steps) : 0.01;
        const x = np.array(gather(images, indices)).reshape([batchSize, PIXELS]);
        const y = np.array(oneHot(labels, indices)).reshape([batchSize, CLASSES]);
        let value;
        [parameters, means, squares, value] = step(parameters, means, squares, np.array(rate), x, y);
        // Without this, pending work accumulates: it takes gigabytes, and thirty times as long.
        await value.data();
      }
    },
    outputs(images, rows) {
      const infer = once(`infer ${rows}`, () => jit((p, x) => forward(jax, workload, p, x, rows)));
      const x = np.array(images.slice()).reshape([rows, PIXELS]);
      return infer(
        parameters.map((p) => p.ref),
        x,
      ).data();
    },
  };
}
