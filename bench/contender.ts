/** A contender's process: takes a request as JSON in its argument, and replies with JSON on standard output. */
import { setTimeout as delay } from 'node:timers/promises';
import { backendInfo } from 'blasnet';
import { createBlasnetModel } from './blasnet-model.js';
import {
  type Contender,
  type Equipment,
  findContender,
  type Job,
  multipliesOnly,
  type Reply,
  type Request,
} from './contenders.js';
import { gemmFloor, gemmPeak } from './floor.js';
import { createReferenceModel } from './reference-model.js';
import { type CreateModel, perform } from './trainer.js';

function creatorOf(kind: Exclude<Contender['kind'], 'floor' | 'peak'>, { precision }: Contender): CreateModel {
  return kind === 'reference' ? createReferenceModel : (workload) => createBlasnetModel(workload, kind, precision);
}

function equipmentOf({ kind, precision }: Contender): Equipment {
  if (kind === 'reference' || kind === 'typescript') return { threads: 1 };
  const { threads, simd, blas, bfloat16, float32 } = backendInfo('native');
  const core = `${blas.name} ${blas.core}`;
  return multipliesOnly(kind)
    ? { threads: 1, blas: core }
    : { threads, blas: core, simd: simd.set, products: precision ? bfloat16 : float32 };
}

async function answer({ contender, workload, job }: Request): Promise<Reply<Job>> {
  const found = findContender(contender);
  const { kind } = found;
  const equipment = equipmentOf(found);
  if (!multipliesOnly(kind)) return perform(creatorOf(kind, found), workload, job, equipment);
  if (job.kind === 'learn') throw new Error('products alone learn nothing');
  const { seconds, at = 0 } = job;
  if (kind === 'peak') return { measurement: await gemmPeak(workload, seconds), equipment };
  return { measurement: await gemmFloor(workload, seconds, () => delay(Math.max(0, at - Date.now()))), equipment };
}

process.stdout.write(`${JSON.stringify(await answer(JSON.parse(process.argv[2]) as Request))}\n`);
