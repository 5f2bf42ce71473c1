/** A process whose peak memory is measured: it loads the data and, if a workload is named, trains on it. */
import { mnist } from 'blasnet/data';
import { findWorkload } from './workloads.js';

export interface MemoryRequest {
  /** Undefined for a process that only loads the data. */
  readonly workload?: string;
}

/** In MB. */
export interface MemoryReply {
  readonly peak: number;
}

const EPOCHS = 3;

const { workload: id } = JSON.parse(process.argv[2]) as MemoryRequest;
const { train } = await mnist();
if (id !== undefined) {
  const workload = findWorkload(id);
  const { createBlasnetModel } = await import('./blasnet-model.js');
  await createBlasnetModel(workload, 'native').train(train, workload.batchSize, EPOCHS);
}
// maxRSS is in units of 1024 bytes.
const reply: MemoryReply = { peak: (process.resourceUsage().maxRSS * 1024) / 1e6 };
process.stdout.write(`${JSON.stringify(reply)}\n`);
