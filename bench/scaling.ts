/** `npm run bench:scaling`: what threads gain with networks and batches from small to large. */
import { native } from 'blasnet/kernels';
import { keep } from './keep.js';
import { describeMachine, readLoad } from './machine.js';
import { parseScalingOptions, type ScalingOptions, scalingHelp } from './options.js';
import { environmentWith, runProgram } from './processes.js';
import { measureInTurn, runAsProgram } from './program.js';
import type { ScalingReply, ScalingRequest } from './scaling-contender.js';
import { renderScaling, type ScalingResults, type ScalingSpeed } from './scaling-report.js';

const THREADS = [1, 2, 4, 8, 16];
const SIZES = { batches: [16, 64, 256, 1024, 4096], widths: [32, 128, 512, 2048, 4096] };
const QUICK_SIZES = { batches: [16, 256], widths: [32, 512] };

async function main({ seconds, quick, name }: ScalingOptions): Promise<void> {
  if (!native.available) throw new Error(`blasnet's native backend is missing: ${native.reason}`);
  const before = readLoad();
  const machine = describeMachine([before, before]);
  const threads = THREADS.filter((count) => count <= machine.cores);
  const date = new Date().toISOString().slice(0, 10);
  const { batches, widths } = quick ? QUICK_SIZES : SIZES;
  const networks = batches.flatMap((batchSize) => widths.map((width) => ({ batchSize, width })));

  const measure = async ({ batchSize, width }: (typeof networks)[number]): Promise<ScalingSpeed> => {
    console.error(`batch ${batchSize}, width ${width}`);
    const request: ScalingRequest = { batchSize, width, seconds };
    const replies: ScalingReply[] = [];
    for (const count of threads) {
      const environment = environmentWith({ BLASNET_THREADS: String(count) });
      replies.push(await runProgram<ScalingReply>('scaling-contender', request, environment));
    }
    const rates = replies.map(({ measurement }) => measurement.samplesPerSecond);
    return { batchSize, width, blas: replies[0].blas, rates };
  };

  await measureInTurn(networks, measure, (speeds, remaining) => {
    const sizes = { threads, batches, widths };
    const stopped = remaining.map(({ batchSize, width }) => `batch ${batchSize} and width ${width}`);
    const load = [before, readLoad()] as const;
    const results: ScalingResults = { date, machine: { ...machine, load }, seconds, quick, sizes, speeds, remaining: stopped };
    const report = renderScaling(results);
    return `${report}\n\nKept in ${keep(name === undefined ? 'latest.scaling' : `${date}-${name}-scaling`, results, report)}`;
  });
}

await runAsProgram('bench:scaling', async () => {
  const options = parseScalingOptions(process.argv.slice(2));
  if (options === undefined) console.log(scalingHelp);
  else await main(options);
});
