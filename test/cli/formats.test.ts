import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { conv2d, dense, flatten, Network, relu, softmaxCrossEntropy } from '../../lib/index.js';
import { projectFile } from '../lifecycle/child.js';
import { blasnet } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'blasnet-formats-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string) => join(folder, name);
const run = (...args: string[]) => blasnet(args, { cwd: folder });
const x = Float32Array.from({ length: 3 * 48 }, (_, i) => Math.sin(i));

/** Differences of the predictions of two networks' files. */
async function difference(a: string, b: string): Promise<number> {
  const [first, second] = await Promise.all([a, b].map((name) => Network.load(file(name))));
  expect(first.parameterCount).toBe(second.parameterCount);
  const other = second.predict(x);
  return first.predict(x).reduce((most, value, i) => Math.max(most, Math.abs(value - other[i])), 0);
}

beforeAll(async () => {
  const layers = [conv2d(3), relu(), flatten(), dense(5)];
  await new Network({ input: [4, 4, 3], layers, loss: softmaxCrossEntropy(), seed: 1 }).save(
    file('images.safetensors'),
  );
});

describe('export and import', () => {
  it.each([
    [['--onnx', 'images.onnx'], 'images.onnx', []],
    [['--onnx', 'nchw.onnx', '--input-layout', 'nchw'], 'nchw.onnx', ['--input-layout', 'nchw']],
    [['--tfjs', 'web/images'], 'web/images/model.json', []],
  ])('%j and back: the same predictions', async (options, written, back) => {
    expect(run('export', 'images.safetensors', ...options)).toEqual({
      status: 0,
      stdout: `written: ${options[1]}\n`,
      stderr: '',
    });
    const imported = run('import', written, '--out', 'back.safetensors', ...back);
    expect(imported).toMatchObject({ status: 0, stderr: '' });
    expect(imported.stdout).toMatch(/conv2d[\s\S]*written: back\.safetensors\n$/);
    expect(await difference('images.safetensors', 'back.safetensors')).toBeLessThan(1e-6);
  });

  it('networks trained on tables go without their encoder, and a note says so', () => {
    const weather = projectFile('node_modules/vega-datasets/data/seattle-weather.csv');
    const options = ['--target', 'weather', '--epochs', '1', '--out', 'table.safetensors'];
    expect(run('train', weather, ...options).status).toBe(0);
    const { status, stdout, stderr } = run('export', 'table.safetensors', '--onnx', 'a.onnx', '--tfjs', 'a', '--json');
    expect({ status, stdout: JSON.parse(stdout) }).toEqual({ status: 0, stdout: { written: ['a.onnx', 'a'] } });
    expect(stderr).toMatch(/^table\.safetensors: the encoder of columns is not exported: .* rows of \d+ numbers\n$/);
    const imported = JSON.parse(run('import', 'a.onnx', '--out', 'b.safetensors', '--json').stdout);
    expect(imported).toMatchObject({ model: 'b.safetensors', outputs: [{ shape: [5] }] });
    expect(run('predict', 'b.safetensors', weather)).toMatchObject({ status: 1 });
  });

  it.each([
    [['export', 'images.safetensors'], 2, 'export: expected --onnx <file> or --tfjs <folder>'],
    [
      ['export', 'images.safetensors', '--tfjs', 'x', '--input-layout', 'nchw'],
      2,
      'export: --input-layout is for --onnx',
    ],
    [['export', 'images.safetensors', '--onnx', 'x', '--input-layout', 'nhcw'], 2, 'expected one of nhwc, nchw'],
    [['export', 'images.safetensors', '--onnx', 'nowhere/x.onnx'], 1, 'nowhere/x.onnx'],
    [['import', 'images.safetensors', '--out', 'x'], 2, "ends with .onnx or .json, got 'images.safetensors'"],
    [['import', 'x.onnx'], 2, 'import: expected --out <model>'],
    [['import', 'x.onnx', '--out', 'x'], 1, 'x.onnx: there is no such file'],
    [['import', 'text.onnx', '--out', 'x'], 1, 'text.onnx'],
    [['import', 'text.json', '--out', 'x'], 1, 'text.json'],
    [['import', 'text.json', '--out', 'x', '--input-layout', 'nchw'], 2, 'import: --input-layout is for ONNX files'],
  ])('%j', (args, code, message) => {
    for (const name of ['text.onnx', 'text.json']) writeFileSync(file(name), 'not a model');
    const { status, stdout, stderr } = run(...args);
    expect({ status, stdout }).toEqual({ status: code, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n')).toHaveLength(code);
    expect(existsSync(file('x'))).toBe(false);
  });
});
