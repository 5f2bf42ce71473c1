/** A newcomer's way, with the packed package in an empty folder: a CSV file, a network, its file, labels, ONNX. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onnxRuntime } from '../bench/jobs/onnx-runtime.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'blasnet-newcomer-'));

// Packed from a checkout, the package has no binary.
const addon = join(root, 'build/Release/blasnet.node');
const env = { ...(existsSync(addon) && { BLASNET_BINARY: addon }), ...process.env };

function npm(cwd: string, ...args: string[]): void {
  const quiet = ['--ignore-scripts', '--loglevel=error', '--no-audit', '--no-fund', '--offline'];
  execFileSync('npm', [...args, ...quiet], { cwd, stdio: 'pipe', shell: process.platform === 'win32' });
}

/** Runs a module in the folder, in a process of its own; returns the JSON that it prints. */
function run<T>(name: string, code: string): T {
  writeFileSync(join(folder, name), code);
  return JSON.parse(execFileSync(process.execPath, [name], { cwd: folder, env, encoding: 'utf8' })) as T;
}

const cli = (...args: string[]) =>
  execFileSync(process.execPath, ['node_modules/blasnet/dist/cli/main.js', ...args], {
    cwd: folder,
    env,
    encoding: 'utf8',
    stdio: 'pipe',
  });

beforeAll(() => {
  npm(root, 'pack', '--pack-destination', folder);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) as string;
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  npm(folder, 'install', `./${tarball}`);
  cpSync(join(root, 'node_modules/csv-parse'), join(folder, 'node_modules/csv-parse'), { recursive: true });
  copyFileSync(join(root, 'node_modules/vega-datasets/data/seattle-weather.csv'), join(folder, 'weather.csv'));
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Predicted {
  readonly rows: readonly Record<string, unknown>[];
  readonly labels: readonly string[];
  readonly predicted: readonly string[];
  readonly features: readonly number[][];
}

describe('from a CSV file', () => {
  let reloaded: Predicted;

  it('the command trains a network that another process loads and asks about plain objects', () => {
    const text = cli('train', 'weather.csv', '--target', 'weather', '--seed', '1', '--out', 'weather.safetensors');
    expect(Number(/accuracy ([0-9.]+)/.exec(text)?.[1]), text).toBeGreaterThan(0.75);
    reloaded = run<Predicted>(
      'reload.mjs',
      `
      import { Network } from 'blasnet';
      import { exportOnnx } from 'blasnet/onnx';
      import { Encoder, predictRows, readCsv } from 'blasnet/tables';
      const network = await Network.load('weather.safetensors');
      const rows = (await readCsv('weather.csv')).rows().slice(0, 200).map(({ weather, ...row }) => row);
      const predicted = predictRows(network, rows).map(({ label }) => label);
      await exportOnnx(network, 'weather.onnx');
      const encoder = Encoder.fromJSON(network.encoder);
      const { features } = encoder.features(rows);
      const width = encoder.shape[0];
      console.log(JSON.stringify({
        labels: encoder.labels,
        predicted,
        features: rows.map((_, i) => [...features.subarray(i * width, (i + 1) * width)]),
      }));`,
    );
    expect(reloaded.predicted).toHaveLength(200);
    expect(new Set(reloaded.predicted).size).toBeGreaterThan(1);
  }, 300_000);

  it.skipIf(!onnxRuntime.installed)(
    `ONNX Runtime gives the same labels${onnxRuntime.installed ? '' : ' (not installed; node scripts/onnxruntime.mjs)'}`,
    () => {
      const { features, labels } = reloaded;
      writeFileSync(join(folder, 'features.json'), JSON.stringify(features));
      const chosen = run<number[]>(
        'onnx.mjs',
        `
        import { readFileSync } from 'node:fs';
        import { createRequire } from 'node:module';
        const { InferenceSession, Tensor } = createRequire(${JSON.stringify(`${onnxRuntime.folder}/`)})('onnxruntime-node');
        const features = JSON.parse(readFileSync('features.json', 'utf8'));
        const session = await InferenceSession.create('weather.onnx');
        const input = new Tensor('float32', Float32Array.from(features.flat()), [features.length, features[0].length]);
        const { output } = await session.run({ input });
        const width = output.dims[1];
        console.log(JSON.stringify(features.map((_, i) => {
          const row = [...output.data.subarray(i * width, (i + 1) * width)];
          return row.indexOf(Math.max(...row));
        })));`,
      );
      expect(chosen.map((index) => labels[index])).toEqual(reloaded.predicted);
    },
    120_000,
  );
});
