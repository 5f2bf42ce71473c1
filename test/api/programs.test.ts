import { expect, it } from 'vitest';
import { selectBackend } from '../../lib/backend/select.js';
import { Adam, dense, meanSquaredError, Sgd } from '../../lib/index.js';
import { buildModel } from '../../lib/program/model.js';
import { Engine } from '../../lib/runtime/engine.js';
import { onBackends } from './support.js';

onBackends('compiled programs', (name) => {
  it('are kept for each optimizer that trains a network', () => {
    const { backend } = selectBackend(name);
    let loads = 0;
    const load = (...args: Parameters<typeof backend.load>) => {
      loads++;
      return backend.load(...args);
    };
    const counting = { ...backend, load };
    const model = buildModel({
      input: [2],
      layers: [dense(2)],
      loss: meanSquaredError(),
      regularizer: undefined,
      seed: 1,
    });
    const engine = new Engine(model, counting);
    const feeds = { features: { values: new Float32Array(4) }, targets: { values: new Float32Array(4) } };
    const source = { rows: 2, feeds, goals: [{ target: 'targets', weighted: false }] } as const;
    const train = (optimizer: Adam | Sgd) => {
      engine.attach(optimizer);
      const scalars = new Float64Array(optimizer.scalarCount);
      engine.runSync({ kind: 'train', source, batchSize: 2, optimizer, scalars });
    };
    const optimizers = [new Adam(), new Sgd(), new Adam()];
    for (let i = 0; i < 4; i++) optimizers.forEach(train);
    expect(loads).toBe(3);
    // Optimizers that come and go take nothing from one that stays.
    for (let i = 0; i < 20; i++) train(new Sgd());
    train(optimizers[0]);
    expect(loads).toBe(23);
  });
});
