/** Two hosts: network namespaces that a cable joins. Needs root, iproute2 and Open MPI. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, type TestContext } from 'vitest';
import { findMpis } from '../../bench/distributed/launch.js';
import { betweenHosts, ip, type NetworkHost } from '../../bench/distributed/namespaces.js';
import { reasonOf } from '../../bench/program.js';
import { type Job, missing, mpis, processRuns, startJob } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'blasnet-hosts-'));
afterAll(() => rmSync(folder, { recursive: true }));

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const values = (where: string) =>
  (JSON.parse(readFileSync(join(where, 'parameters.json'), 'utf8')) as { values: number[] }).values;

const mpi = mpis.find(({ name }) => name === 'Open MPI');
const reason = missing ?? 'Open MPI is not installed';
/** Faults of a network take their time: `npm run test:long -- network-faults`. */
const long = process.env.BLASNET_NETWORK_FAULTS === '1';

/** Its daemons look for each other every second, when two have passed in silence, and give up after three. */
const attentive = ['time', '2', 'intvl', '1', 'probes', '3'].flatMap((word, i, all) =>
  i % 2 === 0 ? ['--mca', `oob_tcp_keepalive_${word}`, all[i + 1]] : [],
);
/** Seconds in which they notice, at most. */
const NOTICE = 7;

/** A training of two ranks, one on each host. */
async function onHosts(
  { skip }: TestContext,
  epochs: number,
  work: (job: Job, folder: string, hosts: readonly NetworkHost[]) => Promise<void>,
  prepare: (hosts: readonly NetworkHost[]) => void = () => {},
): Promise<void> {
  const own = mkdtempSync(join(folder, 'job-'));
  const [bench] = findMpis().filter(({ name }) => name === 'Open MPI');
  let made = false;
  try {
    await betweenHosts(bench, undefined, async ({ prefix, options, environment }, _wire, hosts) => {
      made = true;
      prepare(hosts);
      const launcher = { ...mpi!, options: [...mpi!.options, ...options, ...attentive] };
      const env = { BLASNET_THREADS: '1', ...environment };
      const args = [join(own, 'checkpoint.safetensors'), String(epochs)];
      const job = startJob(launcher, 2, 'trains', own, args, { env, prefix: prefix ?? [] });
      try {
        await work(job, own, hosts);
      } finally {
        for (const pid of job.processes()) if (pid !== undefined && processRuns(pid)) process.kill(pid, 'SIGKILL');
        await job.ended;
      }
    });
  } catch (error) {
    if (made) throw error;
    skip(`no network namespaces here: ${reasonOf(error)}`);
  }
}

/** The parameters of one process after so many epochs. */
async function alone(epochs: number): Promise<number[]> {
  const own = mkdtempSync(join(folder, 'alone-'));
  const job = startJob({ ...mpi!, options: mpi!.options }, 1, 'trains', own, [join(own, 'c'), String(epochs)]);
  expect(await job.ended).toMatchObject({ status: 0 });
  return values(own);
}

const EPOCHS = 20;

async function expectWhole(job: Job, own: string): Promise<void> {
  const { status, signal, output } = await job.ended;
  expect({ status, signal }, output).toEqual({ status: 0, signal: null });
  const expected = await alone(EPOCHS);
  const found = values(own);
  expect(Math.max(...found.map((value, i) => Math.abs(value - expected[i])))).toBeLessThan(1e-4);
}

it.skipIf(mpi === undefined)(`two hosts train as one process${mpi === undefined ? `: ${reason}` : ''}`, (context) =>
  onHosts(context, EPOCHS, expectWhole),
);

const fault = it.skipIf(mpi === undefined || !long);

const iptables = (namespace: string, ...words: string[]) => ip('netns', 'exec', namespace, 'iptables', ...words);

/** About every 20th packet that arrives is lost, on both hosts. Dropped on the way out, the sender would be told. */
function losePackets(hosts: readonly NetworkHost[]): void {
  const rule = ['-m', 'statistic', '--mode', 'random', '--probability', '0.05', '-j', 'DROP'];
  for (const { namespace, device } of hosts) iptables(namespace, '-A', 'INPUT', '-i', device, ...rule);
}

/** Packets that the rule has dropped. */
function lost({ namespace }: NetworkHost): number {
  const [, packets] = /^ *(\d+) +\d+ +DROP/m.exec(iptables(namespace, '-L', 'INPUT', '-v', '-x', '-n')) ?? [];
  return Number(packets);
}

fault('5 % of the packets lost: the same', async (context) => {
  const work = async (job: Job, own: string, hosts: readonly NetworkHost[]) => {
    const begin = performance.now();
    await job.ended;
    const [seconds, packets] = [(performance.now() - begin) / 1000, hosts.map(lost)];
    console.log(`${packets.join(' and ')} packets lost: ${seconds.toFixed(1)} s`);
    for (const count of packets) expect(count).toBeGreaterThan(10);
    await expectWhole(job, own);
  };
  await onHosts(context, EPOCHS, work, losePackets);
});

fault('a cable that is pulled ends the job on both hosts', async (context) => {
  await onHosts(context, 1e6, async (job, _own, [, second]) => {
    await job.printed('epoch', 20);
    ip('-n', second.namespace, 'link', 'set', second.device, 'down');
    const pulled = performance.now();
    const { status, signal, output } = await job.ended;
    const noticed = (performance.now() - pulled) / 1000;
    expect(signal, 'no hang').toBeNull();
    expect(status).not.toBe(0);
    expect(output).toMatch(/lost communication with a remote daemon|ORTE was unable|connection/i);
    expect(noticed).toBeLessThan(NOTICE + 5);
    const processes = job.processes() as number[];
    while (processes.some(processRuns) && performance.now() - pulled < 60_000) await wait(50);
    const gone = (performance.now() - pulled) / 1000;
    console.log(`the launcher ended after ${noticed.toFixed(1)} s, all ranks after ${gone.toFixed(1)} s`);
    expect(gone - noticed).toBeLessThan(5);
  });
});

fault('a cable that is pulled for two seconds: the training goes on', async (context) => {
  await onHosts(context, 400, async (job, _own, [, second]) => {
    await job.printed('epoch', 20);
    ip('-n', second.namespace, 'link', 'set', second.device, 'down');
    await wait(2000);
    ip('-n', second.namespace, 'link', 'set', second.device, 'up');
    const { status, signal, output } = await job.ended;
    expect({ status, signal }, output).toEqual({ status: 0, signal: null });
    expect(output).toContain('epoch 399');
  });
});
