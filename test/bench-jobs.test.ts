/** The programs of blasnet in bench/jobs, which docs/comparison.md shows beside those of other tools. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { jobs } from '../bench/jobs/jobs.js';
import { runJob, writeData } from '../bench/jobs/work.js';
import { nodeProgram, projectFile } from './lifecycle/child.js';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'blasnet-jobs-'));
  await writeData(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

it.each(jobs)('$id: $bar', async ({ id, passes }) => {
  const outcome = await runJob(id, [nodeProgram, projectFile(`build/tools/bench/jobs/blasnet/${id}.js`)], folder);
  // Without ONNX Runtime its accuracy is not known.
  const known = id === 'onnx' ? { runtime: outcome.accuracy, ...outcome } : outcome;
  expect(passes(known), JSON.stringify(outcome)).toBe(true);
});
