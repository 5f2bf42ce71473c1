/**
 * A JavaScript peer's process: takes a request as JSON in its argument, and replies with JSON on the last line of its
 * output.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Dataset, mnist } from 'blasnet/data';
import type { Learned } from '../contenders.js';
import { root } from '../program.js';
import { type CreateModel, labelsOf, type Model, perform, scaledFeatures } from '../trainer.js';
import type { Workload } from '../workloads.js';
import { peerFolder } from './installation.js';
import { findPeer, type JavaScriptPeer } from './peers.js';
import type { PeerRequest } from './requests.js';

interface Samples {
  readonly images: Float32Array;
  readonly labels: Int32Array;
}

interface PeerModel {
  train(samples: Samples, batchSize: number): void | Promise<void>;
  outputs(images: Float32Array, rows: number): ArrayLike<number> | Promise<ArrayLike<number>>;
}

interface Packages {
  require(name: string): unknown;
  /** A file of a package, such as `name/dist/index.js`. */
  import(file: string): Promise<unknown>;
}

interface Adapter {
  load(packages: Packages, options: Record<string, string | number>): Promise<(workload: Workload) => PeerModel>;
}

const CLASSES = 10;
const EVALUATION_BATCH = 1000;

function packagesOf(peer: JavaScriptPeer): Packages {
  const folder = peerFolder(peer);
  return {
    require: createRequire(join(folder, 'package.json')),
    import: (file) => import(pathToFileURL(join(folder, 'node_modules', file)).href),
  };
}

/** The mean cross-entropy of the outputs, which are logits, and the share of rows whose largest is the label's. */
async function evaluate(model: PeerModel, data: Dataset): Promise<Learned> {
  const [images, labels, width] = [scaledFeatures(data), labelsOf(data), data.featureCount];
  let [loss, hits] = [0, 0];
  for (let begin = 0; begin < data.length; begin += EVALUATION_BATCH) {
    const batch = labels.subarray(begin, begin + EVALUATION_BATCH);
    const rows = images.slice(begin * width, (begin + batch.length) * width);
    const outputs = await model.outputs(rows, batch.length);
    batch.forEach((label, row) => {
      const logits = Array.from({ length: CLASSES }, (_, i) => outputs[row * CLASSES + i]);
      const largest = Math.max(...logits);
      if (logits.indexOf(largest) === label) hits++;
      loss += Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0)) + largest - logits[label];
    });
  }
  return { loss: loss / data.length, accuracy: hits / data.length };
}

/** Creates models over the first of the training images, which are scaled once. */
async function creator(peer: JavaScriptPeer, options: PeerRequest['options']): Promise<CreateModel> {
  const { train } = await mnist();
  const images = scaledFeatures(train);
  const labels = Int32Array.from(labelsOf(train));
  const file = join(root, 'bench/peers/javascript', `${peer.adapter}.mjs`);
  const adapter = (await import(pathToFileURL(file).href)) as Adapter;
  const create = await adapter.load(packagesOf(peer), options);
  return (workload): Model => {
    const model = create(workload);
    return {
      async train({ length, featureCount }, batchSize, epochs) {
        const samples = { images: images.subarray(0, length * featureCount), labels: labels.subarray(0, length) };
        for (let epoch = 0; epoch < epochs; epoch++) await model.train(samples, batchSize);
      },
      predict(rows) {
        const pending = model.outputs(rows, workload.batchSize);
        return pending instanceof Promise ? pending.then(() => {}) : undefined;
      },
      evaluate: (data) => evaluate(model, data),
    };
  };
}

const { peer: id, options, workload, job, threads } = JSON.parse(process.argv[2]) as PeerRequest;
const peer = findPeer(id);
if (peer.language !== 'javascript') throw new Error(`${id} is not written in JavaScript`);
const reply = await perform(await creator(peer, options), workload, job, { threads });
// Some peers keep handles open.
process.stdout.write(`\n${JSON.stringify(reply)}\n`, () => process.exit(0));
