import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { encodeSafetensors } from '../../lib/formats/safetensors.js';
import { Sgd } from '../../lib/index.js';
import { onBackends, randomFloats } from '../api/support.js';
import { channelsFirst, channelsLast, expectNear, fixtures, floats, models, networkOf, read } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'blasnet-torch-'));
afterAll(() => rmSync(folder, { recursive: true }));

onBackends("a Sequential's state from PyTorch", (backend) => {
  it.each(Object.keys(models))('%s: the network computes what PyTorch computed', async (name) => {
    const network = networkOf(name, backend);
    await network.loadTorchState(join(fixtures, `${name}.safetensors`));
    const data = read(`${name}.data.safetensors`);
    expectNear(network.forward(channelsLast(floats(data, 'x'), network.input)), floats(data, 'output'), 2e-6);
  });

  it.each(Object.keys(models))('%s: what is exported is what was imported, tensor for tensor', async (name) => {
    const network = networkOf(name, backend);
    await network.loadTorchState(join(fixtures, `${name}.safetensors`));
    const path = join(folder, `${name}.safetensors`);
    await network.saveTorchState(path);
    const again = networkOf(name, backend);
    await again.loadTorchState(path);
    expect([...again.parameters, ...again.state]).toEqual([...network.parameters, ...network.state]);
  });
});

const python = process.env.BLASNET_TORCH_PYTHON;

const unavailable =
  python === undefined ? ' (not available here: `npm run test:long -- torch` names a Python with PyTorch)' : '';

describe.skipIf(python === undefined)(`a network's state in PyTorch${unavailable}`, () => {
  it('computes there what it computes here', async () => {
    for (const name of Object.keys(models)) {
      const network = networkOf(name, 'typescript');
      const random = randomFloats(24 * network.input.reduce((product, n) => product * n, 1), 5);
      const x = name === 'words' ? random.map((_, i) => (i * i) % 7) : random;
      const y = randomFloats(24 * network.output[0], 6);
      const optimizer = new Sgd({ learningRate: 0.1 });
      for (let step = 0; step < 20; step++) network.trainBatch(x, y, optimizer);
      await network.saveTorchState(join(folder, `${name}.safetensors`));
      const tensors = [
        {
          name: 'x',
          shape: [24, ...[...network.input].slice(-1), ...network.input.slice(0, -1)],
          value: channelsFirst(x, network.input),
        },
        { name: 'output', shape: [24, ...network.output], value: network.forward(x) },
      ];
      writeFileSync(join(folder, `${name}.data.safetensors`), encodeSafetensors(tensors, { format: 'pt' }));
    }
    const script = fileURLToPath(new URL('sequentials.py', import.meta.url));
    const { status, stdout, stderr } = spawnSync(python as string, [script, 'check', folder], { encoding: 'utf8' });
    expect(status, stdout + stderr).toBe(0);
    console.log(stdout.trimEnd());
  });
});
