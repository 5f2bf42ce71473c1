/** A contender's process: takes a request as JSON in its argument, answers with JSON on standard output. */
import { backendInfo } from 'blasnet';
import { mnist } from 'blasnet/data';
import type { ContenderId, Equipment, Reply, Request } from './contenders.js';
import { gemmFloor } from './floor.js';
import { measure } from './measure.js';
import { blasnetTrainer, referenceTrainer } from './training.js';
import { findWorkload } from './workloads.js';

function equipmentOf(contender: ContenderId): Equipment {
  if (contender === 'reference' || contender === 'typescript') return { threads: 1 };
  const { threads, simd, blas } = backendInfo('native');
  const equipment = { threads: contender === 'floor' ? 1 : threads, blas: `${blas.name} ${blas.core}` };
  return contender === 'floor' ? equipment : { ...equipment, simd: simd.set };
}

function trainerOf(contender: ContenderId) {
  if (contender === 'reference') return referenceTrainer;
  return blasnetTrainer(contender === 'typescript' ? 'typescript' : 'native');
}

async function answer({ contender, workload: id, task }: Request): Promise<Reply> {
  const workload = findWorkload(id);
  if (contender === 'floor') {
    if (task.kind === 'learn') throw new Error('the GEMM floor learns nothing');
    return { kind: 'speed', measurement: await gemmFloor(workload, task.seconds), equipment: equipmentOf(contender) };
  }
  const { train, test } = await mnist();
  const trainer = trainerOf(contender);
  if (task.kind === 'learn') return { kind: 'learn', learned: await trainer.learn(workload, train.take(task.samples), test) };
  const measurement = await measure(trainer.task(workload, train), task.seconds);
  return { kind: 'speed', measurement, equipment: equipmentOf(contender) };
}

const reply = await answer(JSON.parse(process.argv[2]) as Request);
process.stdout.write(`${JSON.stringify(reply)}\n`);
