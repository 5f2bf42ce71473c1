/** A contender's process: takes a request as JSON in its argument, answers with JSON on standard output. */
import { setTimeout as delay } from 'node:timers/promises';
import { backendInfo } from 'blasnet';
import { createBlasnetModel } from './blasnet-model.js';
import { type Contender, type Equipment, findContender, type Reply, type Request } from './contenders.js';
import { gemmFloor } from './floor.js';
import { measure } from './measure.js';
import { createReferenceModel } from './reference-model.js';
import { type CreateModel, createTask, learn } from './trainer.js';
import { findWorkload } from './workloads.js';

const creators: Record<Exclude<Contender['kind'], 'floor'>, CreateModel> = {
  native: (workload) => createBlasnetModel(workload, 'native'),
  typescript: (workload) => createBlasnetModel(workload, 'typescript'),
  reference: createReferenceModel,
};

function equipmentOf(kind: Contender['kind']): Equipment {
  if (kind === 'reference' || kind === 'typescript') return { threads: 1 };
  const { threads, simd, blas } = backendInfo('native');
  const core = `${blas.name} ${blas.core}`;
  return kind === 'floor' ? { threads: 1, blas: core } : { threads, blas: core, simd: simd.set };
}

async function answer({ contender, workload: id, task }: Request): Promise<Reply> {
  const workload = findWorkload(id);
  const { kind } = findContender(contender);
  const equipment = equipmentOf(kind);
  if (kind === 'floor') {
    if (task.kind === 'learn') throw new Error('the GEMM floor learns nothing');
    const { at = 0 } = task;
    const measurement = await gemmFloor(workload, task.seconds, () => delay(Math.max(0, at - Date.now())));
    return { kind: 'speed', measurement, equipment };
  }
  const create = creators[kind];
  if (task.kind === 'learn') return { kind: 'learn', learned: await learn(create, workload, task.samples) };
  return { kind: 'speed', measurement: await measure(await createTask(create, workload), task.seconds), equipment };
}

const reply = await answer(JSON.parse(process.argv[2]) as Request);
process.stdout.write(`${JSON.stringify(reply)}\n`);
