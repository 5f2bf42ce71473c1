import { expect, it } from 'vitest';
import type { RunRequest } from '../../lib/backend/backend.js';
import { TypeScriptExecutable } from '../../lib/backend/typescript/executor.js';
import { dense, Sgd } from '../../lib/index.js';
import { model, program } from './support.js';

it('the TypeScript backend refuses a run with feeds too short for its rows', () => {
  const of = program(model([4], [dense(3)]), 'train', 8, {}, new Sgd());
  const floats = (length: number) => new Float32Array(length);
  const executable = new TypeScriptExecutable(of, {
    ...{ parameter: floats(100), gradient: floats(100), state: floats(8), moment: floats(8), accumulated: floats(100) },
    ...{ work: floats(of.workLength), metric: new Float64Array(8) },
  });
  const feeds = { features: { values: floats(40) }, labels: { values: new Int32Array(10) } };
  const request: RunRequest = {
    ...{ rows: 10, drawn: 10, batchSize: 8, epochs: 1, sampling: 'inOrder', seed: 1, epoch: 0, step: 0, threads: 1 },
    ...{ scalars: new Float64Array(8).fill(0.1), report: null, feeds },
  };
  expect(executable.runSync(request)).toMatchObject({ status: 'done', steps: 2 });
  for (const [name, { values }] of Object.entries(feeds)) {
    for (const feed of [undefined, { values: values.subarray(1) }, { values: values.subarray(0, 0) }]) {
      const short = () => executable.runSync({ ...request, feeds: { ...feeds, [name]: feed } });
      expect(short).toThrow(expect.objectContaining({ code: 'INTERNAL', message: expect.stringContaining(name) }));
    }
  }
});
