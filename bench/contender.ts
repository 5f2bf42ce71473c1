/** A contender's process: takes a request as JSON in its argument, and replies with JSON on standard output. */
import { setTimeout as delay } from 'node:timers/promises';
import { backendInfo } from 'blasnet';
import { createBlasnetModel } from './blasnet-model.js';
import { type Contender, type Equipment, findContender, type Job, type Reply, type Request } from './contenders.js';
import { gemmFloor } from './floor.js';
import { createReferenceModel } from './reference-model.js';
import { type CreateModel, perform } from './trainer.js';

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

async function answer({ contender, workload, job }: Request): Promise<Reply<Job>> {
  const { kind } = findContender(contender);
  const equipment = equipmentOf(kind);
  if (kind !== 'floor') return perform(creators[kind], workload, job, equipment);
  if (job.kind === 'learn') throw new Error('the GEMM floor learns nothing');
  const { seconds, at = 0 } = job;
  return { measurement: await gemmFloor(workload, seconds, () => delay(Math.max(0, at - Date.now()))), equipment };
}

process.stdout.write(`${JSON.stringify(await answer(JSON.parse(process.argv[2]) as Request))}\n`);
