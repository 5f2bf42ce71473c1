import { expect, it } from 'vitest';
import { input } from '../../lib/graph/node.js';
import { halfSquaredError, Network } from '../../lib/index.js';
import { applied, operationCases } from '../api/operation-cases.js';
import { onBackends } from '../api/support.js';
import { expectNear, floats, read } from './support.js';

onBackends("PyTorch's operations", (backend) => {
  const data = read('operations.safetensors');

  it('are all here', () => {
    const names = [...data.keys()].flatMap((key) =>
      key.endsWith(': output') ? [key.slice(0, -': output'.length)] : [],
    );
    expect(Object.keys(operationCases)).toEqual(expect.arrayContaining(names));
    expect(names.length).toBeGreaterThan(40);
  });

  it.each(Object.entries(operationCases))('%s', (name, operation) => {
    const nodes = operation.inputs.map((shape, i) => input(shape, { name: `x${i}` }));
    const output = applied(operation, nodes);
    expect(output.shape).toEqual(operation.output);
    const network = new Network({ output, loss: halfSquaredError(), backend, seed: 1 });
    const x = Object.fromEntries(nodes.map((_, i) => [`x${i}`, floats(data, `${name}: x${i}`)]));
    const features = nodes.length === 1 ? x.x0 : x;
    expectNear(network.predict(features), floats(data, `${name}: output`), 2e-6);
    const { inputGradient } = network.gradients(features, { outputGradient: floats(data, `${name}: gradient`) });
    const gradients = (nodes.length === 1 ? { x0: inputGradient } : inputGradient) as Record<string, Float32Array>;
    nodes.forEach((_, i) => {
      expectNear(gradients[`x${i}`], floats(data, `${name}: dx${i}`), 5e-6);
    });
    network.dispose();
  });
});
