// MNIST on two processes, which mpirun starts; on one where there is no MPI.
//   npm run example mnist-distributed
//   npm run example mnist-distributed -- --quick         a tenth of the images, two epochs
//   mpirun -n 4 node build/tools/examples/mnist-distributed/main.js   the same script on four processes
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Adam, dense, Network, progressBar, relu, softmaxCrossEntropy } from 'blasnet';
import { mnist } from 'blasnet/data';
import { joinGroup, mpiInfo } from 'blasnet/distributed';
import { metricCurves } from 'blasnet/report';
import { check, present, quick, seed } from '../support.js';

const least = quick ? 0.85 : 0.97;
/** Set in the processes that this one has started. */
const STARTED = 'MNIST_DISTRIBUTED_STARTED';

/** Starts this script twice with mpirun; returns the exit code, undefined if that is not possible here. */
function startRanks(): number | undefined {
  const { launcher, library } = mpiInfo();
  if (launcher !== undefined || library === undefined || process.env[STARTED] !== undefined) return undefined;
  const mpich = !library.version.startsWith('Open MPI');
  const names = mpich ? ['mpirun.mpich', 'mpirun'] : ['mpirun.openmpi', 'mpirun'];
  const command = names.find((name) => spawnSync(name, ['--version']).status === 0);
  if (command === undefined) return undefined;
  const script = [process.execPath, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  const options = mpich ? ['-n', '2'] : ['--oversubscribe', '-n', '2'];
  const allowRoot = { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' };
  const env = { ...process.env, ...allowRoot, [STARTED]: '1' };
  return spawnSync(command, [...options, ...script], { stdio: 'inherit', env }).status ?? 1;
}

async function train(): Promise<void> {
  const group = await joinGroup();
  const first = group.rank === 0;
  if (first) console.log(`${group.size} rank${group.size === 1 ? '' : 's'}; ${group.library?.version ?? 'no MPI'}`);
  const data = await mnist();
  const [images, test] = quick ? [data.train.take(6000), data.test.take(1000)] : [data.train, data.test];
  const layers = [dense(256), relu(), dense(128), relu(), dense(10)];
  const network = new Network({ input: [784], layers, loss: softmaxCrossEntropy(), seed });
  const optimizer = new Adam();
  const [epochs, batchSize] = [quick ? 2 : 5, 128];
  const callbacks = progressBar();
  const history = await network.fit(images, { group, optimizer, epochs, batchSize, validation: test, callbacks });
  if (first) {
    const accuracy = history.epochs.at(-1)?.validation?.accuracy ?? 0;
    check(`a test accuracy of ${accuracy.toFixed(4)}, above ${least}`, accuracy > least);
    present('mnist-distributed', {
      title: `MNIST on ${group.size} ranks`,
      network,
      hyperparameters: { ranks: group.size, epochs, batchSize, optimizer, seed },
      sections: [{ heading: 'Training', svg: await metricCurves(history) }],
    });
  }
  await group.leave();
}

const status = startRanks();
if (status === undefined) await train();
else process.exitCode = status;
