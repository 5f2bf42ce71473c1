import { spawn } from 'node:child_process';
import { expect, it } from 'vitest';
import { describeNative, onBackends } from '../api/support.js';
import { builtLibrary, environment, instrumented, nodeProgram, projectFile, reportOf, runFixture } from './child.js';

interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
  /** From the moment that the end began, in milliseconds. */
  readonly milliseconds: number;
  readonly output: string;
}

/** Runs the endless training and waits for its end; `kill` is sent when it says that it is ending. */
function endless(backend: string, how: string, kill?: NodeJS.Signals): Promise<Ending> {
  const child = spawn(nodeProgram, [projectFile('test/lifecycle/fixtures/endless.mjs'), builtLibrary(), backend, how], {
    env: environment({ BLASNET_THREADS: '2' }),
  });
  return new Promise((resolve) => {
    let output = '';
    let begin = Number.NaN;
    const listen = (chunk: Buffer) => {
      output += chunk.toString();
      if (!Number.isNaN(begin) || !/ending \d+\n/.test(output)) return;
      begin = Number(/ending (\d+)\n/.exec(output)?.[1]);
      if (kill !== undefined) child.kill(kill);
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    const timeout = setTimeout(() => child.kill('SIGKILL'), 20_000);
    child.on('close', (code, signal) => {
      clearTimeout(timeout);
      resolve({ code, signal, milliseconds: Date.now() - begin, output });
    });
  });
}

onBackends('a process that ends while a network trains', (backend) => {
  it.each<[string, string, NodeJS.Signals | undefined, Partial<Ending>]>([
    ['by process.exit', 'exit', undefined, { code: 7, signal: null }],
    ['by process.exit in an exit handler', 'exit-twice', undefined, { code: 8, signal: null }],
    ['by an uncaught error', 'throw', undefined, { code: 1, signal: null }],
    ['by an unhandled rejection', 'reject', undefined, { code: 1, signal: null }],
    ['by SIGTERM', 'wait', 'SIGTERM', { code: null, signal: 'SIGTERM' }],
    ['by SIGINT', 'wait', 'SIGINT', { code: null, signal: 'SIGINT' }],
  ])('%s: at once, with the right status', async (_, how, kill, expected) => {
    let ending = await endless(backend, how, kill);
    // A busy machine may be slow to end a process: once more before it counts.
    if (ending.milliseconds >= 1000) ending = await endless(backend, how, kill);
    expect(ending, ending.output).toMatchObject(expected);
    expect(ending.milliseconds, ending.output).toBeLessThan(1000);
    expect(ending.output).not.toMatch(/terminate called|core dumped|Segmentation|FATAL/);
  });
});

// Steps of a training that take seconds each, of which nobody needs the rest.
describeNative('a long step', () => {
  const env = { BLASNET_THREADS: '2' };

  it.skipIf(instrumented)('does not hold up process.exit', () => {
    let milliseconds = Number.NaN;
    for (let attempt = 0; attempt < 2 && !(milliseconds < 1000); attempt++) {
      const { status, stdout, stderr } = runFixture('long-step', { args: ['dense', 'main'], env });
      const ended = Date.now();
      expect(status, stderr).toBe(7);
      milliseconds = ended - Number(/ending (\d+)/.exec(stdout)?.[1]);
    }
    expect(milliseconds).toBeLessThan(1000);
  });

  it.skipIf(instrumented)('does not hold up worker.terminate', () => {
    const terminate = () =>
      reportOf<{ milliseconds: number }>(runFixture('long-step', { args: ['dense', 'worker'], env }));
    let { milliseconds } = terminate();
    if (milliseconds >= 1000) milliseconds = terminate().milliseconds;
    expect(milliseconds).toBeLessThan(1000);
  });
});

onBackends('worker threads', (backend) => {
  const env = { BLASNET_THREADS: '2' };

  it('train at the same time as the main thread, each with the result that it has alone', () => {
    expect(reportOf(runFixture('workers', { args: [backend, 'together'], env }))).toEqual({ same: true, different: 4 });
  });

  const terminations = Number(process.env.BLASNET_TERMINATIONS ?? 20);

  it('may be terminated while they train, time and again', { timeout: 30_000 + 1000 * terminations }, () => {
    const args = [backend, 'terminate', String(terminations)];
    const result = runFixture('workers', { args, env, timeout: 30 + terminations });
    const { terminated, codes, slowest } = reportOf<{ terminated: number; codes: number[]; slowest: number }>(result);
    console.log(`${terminated} workers terminated (${backend}), the slowest in ${slowest} ms`);
    expect(terminated).toBe(terminations);
    expect(codes).toEqual([1]);
    expect(slowest).toBeLessThan(1000);
  });

  it('may end themselves in the middle of an epoch, in good order or not', () => {
    expect(reportOf(runFixture('workers', { args: [backend, 'end'], env }))).toEqual({
      exit: 3,
      error: 'in a worker',
      after: 64,
    });
  });

  it('do not hold up the end of the process', () => {
    const begin = Date.now();
    const result = runFixture('workers', { args: [backend, 'exit'], env });
    expect([result.status, result.signal], result.stderr).toEqual([9, null]);
    expect(Date.now() - begin).toBeLessThan(5000);
  });

  it('keep the process alive until they are done', () => {
    expect(reportOf(runFixture('workers', { args: [backend, 'main'], env }))).toEqual({ digest: 64 });
  });
});

describeNative('memory', () => {
  it('of networks that nobody holds is given back, also while they train', () => {
    const { megabytes } = reportOf<{ megabytes: number }>(runFixture('garbage', { timeout: 60 }));
    // 60 networks of 16 MB each: held, they would take about 1000 MB.
    expect(megabytes).toBeLessThan(500);
  });
});
