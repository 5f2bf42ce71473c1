/** The folder in which programs of the jobs run, and running one. */
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Dataset, mnist } from 'blasnet/data';
import { Table } from 'blasnet/tables';
import { lastLine, root, runText } from '../program.js';
import type { Outcome } from './jobs.js';
import { onnxRuntime } from './onnx-runtime.js';

async function writeDigits(folder: string, part: string, { features, labels }: Dataset): Promise<void> {
  await writeFile(join(folder, `${part}-images.bin`), features as Uint8Array);
  await writeFile(join(folder, `${part}-labels.bin`), Uint8Array.from(labels ?? []));
}

/** Writes a table's parts, with missing values as nothing; no value has a comma or a quote. */
async function writeTable(
  folder: string,
  name: string,
  source: string,
  columns: Record<string, string>,
): Promise<void> {
  const rows: Record<string, unknown>[] = JSON.parse(
    await readFile(join(root, 'node_modules/vega-datasets/data', source), 'utf8'),
  );
  const [target] = Object.keys(columns);
  const named = rows.map((row) => Object.fromEntries(Object.entries(columns).map(([to, from]) => [to, row[from]])));
  const table = Table.from(named as Parameters<typeof Table.from>[0]).dropMissing([target]);
  const { train, test } = table.split({ test: 0.25, seed: 1, stratify: target });
  for (const [part, rows] of Object.entries({ train, test })) {
    const lines = rows.rows().map((row) => rows.names.map((column) => row[column] ?? '').join(','));
    await writeFile(join(folder, `${name}-${part}.csv`), `${[rows.names.join(','), ...lines].join('\n')}\n`);
  }
}

/** Writes what the programs read into a folder. */
export async function writeData(folder: string): Promise<void> {
  const { train, test } = await mnist();
  await writeDigits(folder, 'train', train.take(4000));
  await writeDigits(folder, 'test', test.take(1000));
  await writeTable(folder, 'penguins', 'penguins.json', {
    species: 'Species',
    island: 'Island',
    beak_length: 'Beak Length (mm)',
    beak_depth: 'Beak Depth (mm)',
    flipper_length: 'Flipper Length (mm)',
    body_mass: 'Body Mass (g)',
    sex: 'Sex',
  });
  await writeTable(folder, 'cars', 'cars.json', {
    mpg: 'Miles_per_Gallon',
    cylinders: 'Cylinders',
    displacement: 'Displacement',
    horsepower: 'Horsepower',
    weight: 'Weight_in_lbs',
    acceleration: 'Acceleration',
    origin: 'Origin',
  });
}

/** The accuracy of an exported file in ONNX Runtime, if that is installed. */
async function accuracyInOnnxRuntime(folder: string): Promise<number | undefined> {
  if (!onnxRuntime.installed) return undefined;
  const { InferenceSession, Tensor } = createRequire(join(onnxRuntime.folder, 'package.json'))('onnxruntime-node');
  const session = await InferenceSession.create(join(folder, 'digits.onnx'));
  const [images, labels] = ['images', 'labels'].map((what) => readFileSync(join(folder, `test-${what}.bin`)));
  const x = new Tensor(
    'float32',
    Float32Array.from(images, (byte) => byte / 255),
    [labels.length, 784],
  );
  const outputs: Float32Array = (await session.run({ [session.inputNames[0]]: x }))[session.outputNames[0]].data;
  const right = Array.from(labels).filter((label, row) => {
    const values = outputs.subarray(10 * row, 10 * row + 10);
    return values.indexOf(Math.max(...values)) === label;
  });
  return right.length / labels.length;
}

/** Runs a program of a job; adds to its outcome what its files tell. */
export async function runJob(id: string, command: readonly string[], folder: string): Promise<Outcome> {
  const { stdout } = await runText(command[0], command.slice(1), { cwd: folder });
  const outcome = lastLine<Outcome>(stdout);
  if (id === 'stopping')
    return { ...outcome, lines: readFileSync(join(folder, 'log.jsonl'), 'utf8').split('"epoch":').length - 1 };
  const runtime = id === 'onnx' ? await accuracyInOnnxRuntime(folder) : undefined;
  return runtime === undefined ? outcome : { ...outcome, runtime };
}
