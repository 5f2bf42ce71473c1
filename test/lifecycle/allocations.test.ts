import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { Adam, BlasnetError, Network, Sgd } from '../../lib/index.js';
import {
  classData,
  classifier,
  describeNative,
  expectSameBits,
  mixedLayers,
  onBackends,
  weights,
} from '../api/support.js';
import { addonFile, instrumented, projectFile, reportOf, runFixture } from './child.js';

const folder = mkdtempSync(join(tmpdir(), 'blasnet-allocations-'));
afterAll(() => rmSync(folder, { recursive: true }));

const storage = ['SharedArrayBuffer', 'Float32Array', 'Float64Array', 'Int32Array', 'Uint8Array'] as const;

/** Calls `task` while the n-th allocation of a kind fails as V8 makes it; says whether there was an n-th one. */
async function failing(
  kind: (typeof storage)[number],
  n: number,
  task: () => unknown,
): Promise<{ met: boolean; error: unknown }> {
  const scope = globalThis as unknown as Record<string, object>;
  const real = scope[kind];
  let seen = 0;
  scope[kind] = new Proxy(real, {
    construct(target, args, as) {
      if ((kind === 'SharedArrayBuffer' || typeof args[0] === 'number') && ++seen === n)
        throw new RangeError('Array buffer allocation failed');
      return Reflect.construct(target as new () => object, args, as);
    },
  });
  let error: unknown;
  try {
    await task();
  } catch (thrown) {
    error = thrown;
  } finally {
    scope[kind] = real;
  }
  return { met: seen >= n, error };
}

onBackends('an allocation that V8 refuses', (backend) => {
  const data = classData(30);
  const path = join(folder, `${backend}.safetensors`);
  const { features, labels } = data;
  const batches = [{ x: features as Float32Array, y: labels as Int32Array }];
  const operations: [string, (network: Network) => unknown][] = [
    ['new Network', () => classifier(backend, { layers: mixedLayers() })],
    ['a dataset', () => classData(30)],
    ['trainBatch', (network) => network.trainBatch(data, undefined, new Adam())],
    ['gradients', (network) => network.gradients(data)],
    ['forward', (network) => network.forward(data, { training: true })],
    ['predict', (network) => network.predict(data)],
    ['predictAsync', (network) => network.predictAsync(features as Float32Array)],
    ['fit', (network) => network.fit(data, { validation: data })],
    ['fit with a stream', (network) => network.fit(batches, { optimizer: new Sgd({ momentum: 0.9 }) })],
    ['evaluate', (network) => network.evaluate(data)],
    ['save', (network) => network.save(path)],
    ['load', () => Network.load(path, { backend })],
  ];

  it.each(operations)('leaves all as it was, and a second try works: %s', async (name, operation) => {
    const saved = classifier(backend, { layers: mixedLayers() });
    await saved.save(path);
    const file = readFileSync(path);
    // An epoch that was trained before its log could be written counts: weights are those from before or those of whole
    // epochs.
    const twin = classifier(backend, { layers: mixedLayers() });
    await operation(twin);
    const after = name.startsWith('fit') ? weights(twin) : undefined;
    let failures = 0;
    for (const kind of storage) {
      for (let n = 1; ; n++) {
        const network = classifier(backend, { layers: mixedLayers() });
        const before = weights(network);
        const { met, error } = await failing(kind, n, () => operation(network));
        if (!met) {
          expect(error).toBeUndefined();
          break;
        }
        failures++;
        const where = `${name}, ${kind} ${n}: ${String(error)}`;
        if (kind === 'SharedArrayBuffer') expect((error as BlasnetError).code, where).toBe('OUT_OF_MEMORY');
        else expect(error instanceof RangeError || error instanceof BlasnetError, where).toBe(true);
        const trained = after !== undefined && network.parameters[0].value[0] !== before[0][0];
        expectSameBits(weights(network), trained ? after : before);
        if (name !== 'save') expect(readFileSync(path).equals(file), where).toBe(true);
        expect(await operation(network), where).not.toBe(error);
      }
    }
    expect(failures).toBeGreaterThan(0);
    expect((await Network.load(path, { backend })).parameterCount).toBe(saved.parameterCount);
  });
});

// OpenBLAS would ask again for ever for the 128 MB that it wants for each thread.
describeNative('a process without room for the buffers of BLAS', () => {
  interface Outcomes {
    fit: string;
    unchanged: boolean;
    trainBatch: string;
    predict: string;
    aborted: string | number;
  }
  // A core whose products all need a buffer, where this machine has it.
  const env = { BLASNET_THREADS: '2', ...(process.arch === 'x64' && { BLASNET_CORETYPE: 'Haswell' }) };

  it.skipIf(process.platform !== 'linux' || instrumented)(
    'is told so: OUT_OF_MEMORY, nothing is changed, the process can end',
    () => {
      // How much Node.js itself takes depends on its version: from too little for any buffer to enough for all.
      const seen = new Set<string>();
      for (let megabytes = 900; megabytes <= 3300 && !seen.has('done'); megabytes += 150) {
        const result = runFixture('little-memory', {
          args: ['native'],
          env,
          addressSpace: megabytes * 1024,
          timeout: 20,
        });
        expect(result.error, `${megabytes} MB: ${result.stderr}`).toBeUndefined();
        // Too little to load the addon, or for V8's own heap, which ends the process.
        if (result.status !== 0) {
          expect(result.signal, `${megabytes} MB: ${result.stdout}${result.stderr}`).not.toBe('SIGSEGV');
          expect(result.stderr, `${megabytes} MB`).toMatch(
            /out of memory|BACKEND_UNAVAILABLE|Fatal|RangeError: Array buffer/i,
          );
          continue;
        }
        const outcomes = reportOf<Outcomes>(result);
        seen.add(outcomes.fit);
        expect(outcomes.unchanged).toBe(outcomes.fit !== 'done');
        for (const outcome of Object.values(outcomes)) {
          expect(['done', 'OUT_OF_MEMORY', 'RangeError: Array buffer allocation failed', true, false, 23]).toContain(
            outcome,
          );
        }
        if (outcomes.fit === 'done')
          expect(outcomes).toEqual({ fit: 'done', unchanged: false, trainBatch: 'done', predict: 'done', aborted: 23 });
      }
      expect(seen).toContain('OUT_OF_MEMORY');
      expect(seen).toContain('done');
    },
    120_000,
  );
});

// The stack of the first thread grows as it is used, and what it is refused ends the process.
describeNative('a process whose memory is full', () => {
  const canLimit = process.platform === 'linux' && !instrumented && spawnSync('prlimit', ['--version']).status === 0;

  it.runIf(canLimit)('computes on its first thread, or says that there is no memory', () => {
    const outcomes = [0, 10, 20, 40, 60, 80, 100, 150, 8000].map((kilobytes) => {
      const { signal, stderr } = runFixture('full-memory', { args: [String(kilobytes)] });
      expect(signal, `${kilobytes} kB: ${stderr}`).not.toBe('SIGSEGV');
      // Node.js itself may find no memory for what it does next.
      return /^(done|OUT_OF_MEMORY)$/m.exec(stderr)?.[0] ?? 'ended by Node.js';
    });
    expect(outcomes.filter((outcome) => outcome !== 'ended by Node.js').length).toBeGreaterThan(3);
    expect(outcomes.at(-1)).toBe('done');
  });
});

describeNative('an allocation that the addon is refused', () => {
  const canInject =
    process.platform === 'linux' &&
    !instrumented &&
    ['cc', 'nm'].every((tool) => spawnSync(tool, ['--version']).status === 0);

  it.runIf(canInject)(
    'is an error with a code; nothing is lost, nothing leaks, and a second try works',
    { timeout: 900_000 },
    () => {
      const rounds = process.env.BLASNET_ALLOCATION_ROUNDS ?? '1';
      const library = join(folder, 'fail-malloc.so');
      const source = projectFile('test/lifecycle/fixtures/fail-malloc.c');
      const built = spawnSync('cc', ['-O1', '-shared', '-fPIC', source, '-o', library], { encoding: 'utf8' });
      expect(built.status, built.stderr).toBe(0);
      const symbols = spawnSync('nm', ['-S', addonFile], { encoding: 'utf8', maxBuffer: 1 << 26 }).stdout;
      const [, begin, size] = /^([0-9a-f]+) ([0-9a-f]+) . _Znwm$/m.exec(symbols) ?? [];
      expect(begin, 'operator new in the addon').toBeDefined();
      const orders = join(folder, 'orders');
      writeFileSync(orders, new Uint8Array(12));
      const env = {
        LD_PRELOAD: library,
        FAIL_MALLOC_FILE: orders,
        FAIL_MALLOC_FROM: `${begin} ${size}`,
        BLASNET_THREADS: '2',
      };
      const result = runFixture('native-memory', { args: [orders, rounds], env, timeout: 120 * Number(rounds) });
      const { growth, ...counts } = reportOf<Record<string, number>>(result);
      console.log(
        `allocations that failed in turn: ${JSON.stringify(counts)}; growth in ${rounds} rounds: ${growth} kB`,
      );
      for (const name of ['load the addon in a worker', 'call a kernel', 'trainBatch', 'fit', 'evaluate', 'predict']) {
        expect(counts[name], name).toBeGreaterThan(3);
      }
      expect(growth).toBeLessThan(1000);
    },
  );
});
