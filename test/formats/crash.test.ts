import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { dense, meanSquaredError, Network } from '../../lib/index.js';
import { RandomStream } from '../../lib/random.js';
import { builtLibrary, environment, projectFile } from '../lifecycle/child.js';

const rounds = Number(process.env.BLASNET_CRASH_ROUNDS ?? 30);
const folder = mkdtempSync(join(tmpdir(), 'blasnet-crash-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Starts a child that saves over `file` without end, and kills it so many milliseconds after its first word. */
function saveUntilKilled(file: string, first: number, milliseconds: number): Promise<string | null> {
  const script = projectFile('test/lifecycle/fixtures/endless-saving.mjs');
  const child = spawn(process.execPath, [script, builtLibrary(), file, String(first)], { env: environment() });
  child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), milliseconds));
  return new Promise((resolve) => child.on('close', (_, signal) => resolve(signal)));
}

it('a process killed while it saves leaves the old file or the new one, whole', {
  timeout: 20_000 + 2000 * rounds,
}, async () => {
  const file = join(folder, 'network.safetensors');
  const random = new RandomStream(1, 1);
  const start = new Network({
    input: [500],
    layers: [dense(500)],
    loss: meanSquaredError(),
    seed: 1,
    backend: 'typescript',
  });
  for (const { value } of start.parameters) value.fill(0);
  await start.save(file);
  let last = 0;
  let unfinished = 0;
  for (let round = 0; round < rounds; round++) {
    const signal = await saveUntilKilled(file, 1000 * (round + 1), 40 * random.uniform());
    expect(signal).toBe('SIGKILL');
    const network = await Network.load(file, { backend: 'typescript' });
    const [value] = network.parameters[0].value;
    for (const parameter of network.parameters) expect(parameter.value.every((other) => other === value)).toBe(true);
    // What was there before this child, or something that it saved.
    expect(value === last || value >= 1000 * (round + 1), `${value} after ${last}`).toBe(true);
    last = value;
    unfinished += readdirSync(folder).filter((name) => name.endsWith('.tmp')).length;
    for (const name of readdirSync(folder)) if (name.endsWith('.tmp')) rmSync(join(folder, name));
  }
  // The kills must have left both files half written and files complete.
  expect(last).toBeGreaterThan(0);
  expect(unfinished).toBeGreaterThan(0);
});
