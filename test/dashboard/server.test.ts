import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type Dashboard, dashboard } from '../../lib/dashboard/index.js';
import { hostsAt } from '../../lib/dashboard/site.js';
import { Dataset } from '../../lib/data/index.js';
import { type Callbacks, Network } from '../../lib/index.js';
import { classData, classifier, expectError, expectRejection } from '../api/support.js';
import { builtLibrary } from '../lifecycle/child.js';
import { ask, freePort, listen, pause, pointsOf, sink, slowly, until } from './support.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'blasnet-dashboard-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

let open: Dashboard[] = [];
afterEach(async () => {
  for (const board of open) await board.close();
  open = [];
});
function show(options: Parameters<typeof dashboard>[0] = {}) {
  const stream = sink();
  const board = dashboard({ stream, ...options });
  open.push(board);
  return { board, stream };
}

const data = classData(40);
const train = (callbacks: Callbacks[], epochs = 1) =>
  classifier('typescript').fit(data, { epochs, validation: data, callbacks });

/** A board after a short training, and its address. */
async function ready() {
  const { board } = show();
  await train([board]);
  const url = board.url as string;
  return { board, url, path: new URL(url).pathname };
}

it('prints the address of its page once, for all runs', async () => {
  const stream = sink();
  const [first, second] = [show({ stream, name: 'a' }).board, show({ stream }).board];
  expect(first.url).toBeUndefined();
  await Promise.all([train([first]), train([second])]);
  expect(first.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[\w-]{22}\/$/);
  expect(second.url).toBe(first.url);
  expect(stream.text).toBe(`dashboard: ${first.url}\n`);
  const { messages, opened, close } = listen(first.url as string);
  await opened;
  expect(messages[0].data.map(({ name, status }) => [name, status])).toEqual([
    ['a', 'finished'],
    ['run 2', 'finished'],
  ]);
  close();
});

it('serves a page that loads nothing and runs only its own script', async () => {
  const { url, path } = await ready();
  const { status, headers, body } = await ask(url, path);
  expect(status).toBe(200);
  expect(headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
  });
  expect(headers['access-control-allow-origin']).toBeUndefined();
  const policy = headers['content-security-policy'] as string;
  for (const tag of ['script', 'style']) {
    const text = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(body)?.[1] as string;
    const hash = createHash('sha256').update(text).digest('base64');
    expect(policy).toContain(`${tag}-src 'sha256-${hash}'`);
  }
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toContain('unsafe');
  expect(body).not.toMatch(/\b(?:src|href)="(?!data:)|@import|url\(|innerHTML|insertAdjacentHTML/);
});

it('knows only its own paths', async () => {
  const { url, path } = await ready();
  const origin = { origin: new URL(url).origin };
  const token = path.slice(1, -1);
  for (const wrong of [
    '/',
    '/index.html',
    '/favicon.ico',
    `/${token}`,
    `/${token.slice(0, -1)}/`,
    `/${token}x/`,
    `/${token.toLowerCase() === token ? token.toUpperCase() : token.toLowerCase()}/`,
    '//',
    '/../../../../etc/passwd',
    `${path}../`,
    `${path}../../etc/passwd`,
    `${path}%2e%2e/%2e%2e/etc/passwd`,
    `${path}..%2f..%2fetc%2fpasswd`,
    `${path}events/`,
    `${path}events?x=1`,
    `${path}?`,
    `${path}__proto__`,
    `http://127.0.0.1${path}`,
  ]) {
    expect((await ask(url, wrong)).status, wrong).toBe(404);
  }
  for (const wrong of ['runs/99/stop', 'runs/1/delete', 'runs/-1/stop', 'runs/1/stop/', 'runs/constructor/stop']) {
    expect((await ask(url, `${path}${wrong}`, { method: 'POST', headers: origin })).status, wrong).toBe(404);
  }
});

it('refuses foreign hosts, foreign origins and other methods', async () => {
  const { url, path } = await ready();
  const { port, origin } = new URL(url);
  for (const host of [
    'example.org',
    `example.org:${port}`,
    '127.0.0.1',
    '127.0.0.1:1',
    `127.0.0.1.example.org:${port}`,
  ]) {
    for (const part of ['', 'events']) {
      expect((await ask(url, `${path}${part}`, { headers: { host } })).status, host).toBe(403);
    }
  }
  expect((await ask(url, path, { headers: { host: `localhost:${port}` } })).status).toBe(200);
  const stop = `${path}runs/1/stop`;
  for (const foreign of [
    'http://example.org',
    'null',
    `https://127.0.0.1:${port}`,
    'http://127.0.0.1:1',
    `${origin}/`,
  ]) {
    expect((await ask(url, path, { headers: { origin: foreign } })).status, foreign).toBe(403);
    expect((await ask(url, stop, { method: 'POST', headers: { origin: foreign } })).status, foreign).toBe(403);
  }
  expect((await ask(url, stop, { method: 'POST' })).status, 'no origin').toBe(403);
  for (const [method, part, allowed] of [
    ['HEAD', '', 'GET'],
    ['PUT', '', 'GET'],
    ['DELETE', 'events', 'GET'],
    ['OPTIONS', 'events', 'GET'],
    ['POST', 'events', 'GET'],
    ['GET', 'runs/1/stop', 'POST'],
    ['PUT', 'runs/1/save', 'POST'],
  ]) {
    const { status, headers } = await ask(url, `${path}${part}`, { method, headers: { origin } });
    expect(status, `${method} ${part}`).toBe(405);
    expect(headers.allow).toBe(allowed);
  }
});

it('listens on one address of the loopback interface alone', async () => {
  const { url } = await ready();
  const { port } = new URL(url);
  // Whoever listens on all addresses would answer here.
  for (const host of process.platform === 'linux' ? ['127.0.0.2', '::1'] : ['::1']) {
    const reached = new Promise((resolve) => {
      const socket = connect(Number(port), host, () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    expect(await reached, host).toBe(false);
  }
});

it('tells a page all that was, then what changes, a few times a second', async () => {
  const { board } = show({ name: 'fast' });
  await train([board], 3);
  const { messages, opened, close } = listen(board.url as string);
  await opened;
  expect(messages[0].event).toBe('all');
  expect(messages[0].data[0].curve.points.map(({ epoch }: { epoch: number }) => epoch)).toEqual([0, 1, 2]);
  const begin = performance.now();
  const network = classifier('typescript');
  const history = await network.fit(data, {
    initialEpoch: 3,
    epochs: 90,
    validation: data,
    metrics: { seven: () => 7 },
    callbacks: [board, slowly(15)],
  });
  const seconds = (performance.now() - begin) / 1000;
  await until(() => messages.at(-1)?.data[0].status === 'finished', 'the end is told');
  const updates = messages.slice(1);
  expect(updates.length).toBeGreaterThan(2);
  expect(updates.length).toBeLessThanOrEqual(seconds / 0.3 + 2);
  expect(pointsOf(messages).slice(3)).toEqual(
    history.epochs.map(({ epoch, loss, accuracy, learningRate, samplesPerSecond, validation }) => {
      const training = { loss, accuracy, 'learning rate': learningRate, 'samples per second': samplesPerSecond };
      return { epoch, training, validation: { ...validation, seven: 7 } };
    }),
  );
  expect(updates.some(({ data: [{ progress }] }) => progress?.epochs === 93)).toBe(true);
  close();
}, 30_000);

it('sends a curve anew where there is too much to add', async () => {
  const { board } = show();
  await train([board]);
  const { messages, opened, close } = listen(board.url as string);
  await opened;
  await classifier('typescript').fit(data, { epochs: 1500, callbacks: [board] });
  // The training before it had finished, too, and may be all that was told until now.
  const newest = () => messages.flatMap(({ data: [{ curve, added = [] }] }) => [curve?.newest, ...added]).at(-1)?.epoch;
  await until(() => newest() === 1499, 'the last epoch is told');
  const epochs = pointsOf(messages).map(({ epoch }) => epoch);
  expect(epochs.length).toBeLessThanOrEqual(1000);
  // In order, without repetitions.
  expect(epochs.every((epoch, i) => i === 0 || epoch > epochs[i - 1])).toBe(true);
  close();
}, 30_000);

it('stops a training after its epoch', async () => {
  const { board } = show();
  const training = train([board, slowly(20)], 1000);
  await until(() => board.url !== undefined, 'it has an address');
  const url = board.url as string;
  const { messages, opened, close } = listen(url);
  await opened;
  const headers = { origin: new URL(url).origin };
  const path = `${new URL(url).pathname}runs/1/`;
  expect((await ask(url, `${path}save`, { method: 'POST', headers })).status, 'without a path').toBe(409);
  expect((await ask(url, `${path}stop`, { method: 'POST', headers })).status).toBe(204);
  const { epochs } = await training;
  expect(epochs.length).toBeLessThan(900);
  await until(() => messages.at(-1)?.data[0].status === 'finished', 'the end is told');
  expect(messages.some(({ data: [{ status }] }) => status === 'stopping')).toBe(true);
  expect((await ask(url, `${path}stop`, { method: 'POST', headers })).status, 'after its end').toBe(409);
  close();
}, 30_000);

it('tells that a training failed, which then can not be stopped', async () => {
  const { board } = show();
  const failing = {
    onEpochEnd: ({ epoch }: { epoch: number }) => {
      if (epoch === 2) throw new Error('of the caller');
    },
  };
  await expect(train([board, slowly(20), failing], 10)).rejects.toThrow('of the caller');
  const url = board.url as string;
  const { messages, opened, close } = listen(url);
  await opened;
  const [run] = messages[0].data;
  expect(run.status).toBe('failed');
  expect(run.message).toEqual({ text: 'training failed: of the caller', failed: true });
  const headers = { origin: new URL(url).origin };
  for (const what of ['stop', 'save']) {
    const { status } = await ask(url, `${new URL(url).pathname}runs/1/${what}`, { method: 'POST', headers });
    expect(status).toBe(409);
  }
  await train([board]);
  await until(() => messages.at(-1)?.data[0].status === 'finished', 'the next one ends well');
  close();
}, 30_000);

it('saves a file that training can go on from, and tells when it cannot', async () => {
  const good = show({ name: 'good', save: join(folder, 'net-{epoch}.safetensors') }).board;
  const bad = show({ name: 'bad', save: join(folder, 'missing', 'net.safetensors') }).board;
  const trainings = [train([good, slowly(20)], 60), train([bad, slowly(20)], 60)];
  await until(() => bad.url !== undefined && good.url !== undefined, 'it has an address');
  const url = good.url as string;
  const { messages, opened, close } = listen(url);
  await opened;
  const headers = { origin: `http://127.0.0.1:${new URL(url).port}` };
  for (const id of [1, 2]) {
    const { status } = await ask(url, `${new URL(url).pathname}runs/${id}/save`, { method: 'POST', headers });
    expect(status).toBe(204);
  }
  const histories = await Promise.all(trainings);
  expect(histories.map(({ epochs }) => epochs.length)).toEqual([60, 60]);
  const files = readdirSync(folder);
  expect(files).toHaveLength(1);
  const [, epoch] = /^net-(\d+)\.safetensors$/.exec(files[0]) as RegExpExecArray;
  const saved = await Network.loadCheckpoint(join(folder, files[0]), { backend: 'typescript' });
  expect(saved.epoch).toBe(Number(epoch) + 1);
  const said = () => messages.flatMap(({ data: runs }) => runs.flatMap(({ message }) => message ?? []));
  await until(() => said().filter(({ text }) => !text.startsWith('saving')).length === 2, 'both are told');
  expect(said()).toContainEqual({ text: `saved ${join(folder, files[0])} after epoch ${saved.epoch}`, failed: false });
  expect(said().some(({ text, failed }) => failed && /missing.*it cannot be written/.test(text))).toBe(true);
  close();
}, 30_000);

it('lets only so many pages watch', async () => {
  const { url } = await ready();
  const pages = Array.from({ length: 16 }, () => listen(url));
  await Promise.all(pages.map(({ opened }) => opened));
  expect((await ask(url, `${new URL(url).pathname}events`)).status).toBe(503);
  for (const { close } of pages) close();
  await pause(50);
  const { opened, close } = listen(url);
  await opened;
  close();
});

it('closes, and opens at another address for the next training', async () => {
  const { board, url } = await ready();
  const { opened, close } = listen(url);
  await opened;
  await board.close();
  expect(board.url).toBeUndefined();
  await expect(ask(url, '/')).rejects.toThrow(/ECONNREFUSED/);
  close();
  await train([board]);
  expect(board.url).not.toBe(url);
  expect((await ask(board.url as string, new URL(board.url as string).pathname)).status).toBe(200);
});

it('listens on the port that is asked for, if nobody else does', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  const { board } = show({ port });
  await expectRejection(
    () => train([board]),
    'INVALID_ARGUMENT',
    /^dashboard: port: \d+ can't be listened on \(.*EADDRINUSE/,
  );
  await new Promise((resolve) => other.close(resolve));
  await train([board]);
  expect(board.url).toContain(`:${port}/`);
});

/** A program that trains with a board and an open page, and prints what `after` does. */
const program = (options: string, after: string) => `
  import { request } from 'node:http';
  import { dense, meanSquaredError, Network } from '${builtLibrary()}';
  import { dashboard } from '${builtLibrary('dashboard/index.js')}';
  const network = new Network({ input: [1], layers: [dense(1)], loss: meanSquaredError(), backend: 'typescript' });
  const board = dashboard({ network, ${options} });
  let text = '';
  const watch = { onTrainBegin: () => new Promise((resolve) => {
    const page = request(board.url + 'events', (response) => response.on('data', (part) => {
      text += part;
      // From now on only the board could keep the process alive.
      page.socket.unref();
      resolve();
    }));
    page.end();
  }) };
  const { Dataset } = await import('${builtLibrary('data/index.js')}');
  const data = new Dataset({ features: [1, 2], shape: [1], targets: [1, 2] });
  await network.fit(data, { epochs: 3, callbacks: [board, watch] });
  ${after}
`;

it('does not keep the process alive after training, even if somebody looks', () => {
  const args = ['--input-type=module', '-e', program('', "console.log('trained');")];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 20_000 });
  expect(status, stderr).toBe(0);
  expect(stdout).toMatch(/^dashboard: http:.*\ntrained\n$/);
});

it('keeps it alive where that is asked for, until it is closed', () => {
  const after = `
    const timer = setTimeout(() => console.log('alive'), 1000).unref();
    setTimeout(() => { console.log('closing'); board.close(); }, 1500).unref();`;
  const args = ['--input-type=module', '-e', program('keepOpen: true', after)];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 20_000 });
  expect(status, stderr).toBe(0);
  expect(stdout).toMatch(/alive\nclosing\n$/);
});

it('tells that the inside can not be shown, and goes on training', async () => {
  const network = classifier('typescript');
  const samples = new Dataset({
    features: data.features,
    shape: [2, 3],
    labels: data.labels as Int32Array,
    classes: 3,
  });
  const inspected = {
    inputs: [{ name: undefined, shape: [2, 3] }],
    outputs: [{ name: undefined, shape: [3] }],
    parameters: network.parameters,
    predict() {
      throw new Error('of the network');
    },
  };
  const { board } = show({ network: inspected, samples, keepOpen: true });
  const history = await train([board], 3);
  expect(history.epochs).toHaveLength(3);
  const { messages, opened, close } = listen(board.url as string);
  await opened;
  const text = "the network's inside can't be shown: of the network";
  expect(messages[0].data[0]).toMatchObject({ status: 'finished', message: { text, failed: true } });
  close();
});

it('shows a board that is used again after many others', async () => {
  const port = await freePort();
  const first = show({ port, name: 'again' }).board;
  await train([first]);
  for (let i = 0; i < 50; i++) await train([show({ port }).board]);
  const names = async () => {
    const { messages, opened, close } = listen(first.url as string);
    await opened;
    close();
    return messages[0].data.map(({ name }) => name);
  };
  expect(await names()).not.toContain('again');
  await train([first]);
  expect((await names()).at(-1)).toBe('again');
}, 60_000);

it('tells an open page the names of new runs, and one that comes back that nothing is said any more', async () => {
  const port = await freePort();
  const { board } = show({ port, name: 'first' });
  await train([board]);
  const { messages, opened, close } = listen(board.url as string);
  await opened;
  expect(messages[0].data[0]).toMatchObject({ progress: null, message: null, inside: null });
  await train([show({ port, name: 'second' }).board]);
  const told = () => messages.slice(1).flatMap(({ data: runs }) => runs);
  await until(() => told().some(({ id }) => id === 2), 'the second is told');
  expect(told().find(({ id }) => id === 2)).toMatchObject({ name: 'second', canSave: false });
  close();
});

it('answers to the names that browsers give a port', () => {
  expect(hostsAt(8080)).toEqual(['127.0.0.1:8080', 'localhost:8080']);
  expect(hostsAt(80)).toEqual(['127.0.0.1:80', 'localhost:80', '127.0.0.1', 'localhost']);
});

it('checks its options', () => {
  expectError(() => dashboard({ host: '0.0.0.0' } as never), 'UNKNOWN_OPTION', /"host"/);
  expectError(() => dashboard({ port: 70000 }), 'INVALID_ARGUMENT', /^dashboard: port: expected an integer/);
  expectError(() => dashboard({ name: '' }), 'INVALID_ARGUMENT', /^dashboard: name/);
  expectError(() => dashboard({ network: {} as never }), 'INVALID_ARGUMENT', /^dashboard: network: expected a Network/);
  expectError(() => dashboard({ save: 5 as never }), 'INVALID_ARGUMENT', /^dashboard: save/);
  expectError(() => dashboard({ keepOpen: 1 as never }), 'INVALID_ARGUMENT', /^dashboard: keepOpen/);
  expectError(() => dashboard({ stream: {} as never }), 'INVALID_ARGUMENT', /^dashboard: stream/);
});
