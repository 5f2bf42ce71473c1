/** What docs/deploying.md says: its server under load, and folders that can't be written. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { Agent, type ClientRequest, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dense, Network, relu, softmaxCrossEntropy } from '../lib/index.js';
import { addonFile, environment, nodeProgram, projectFile } from './lifecycle/child.js';
import { compilePage } from './pages-support.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'blasnet-deploying-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function model(version: string, seed: number, inputs = 4): Network {
  // Wide enough that most models are replaced during a prediction.
  const layers = [dense(512), relu(), dense(512), relu(), dense(3)];
  const network = new Network({ input: [inputs], layers, loss: softmaxCrossEntropy(), seed });
  network.metadata = { version };
  return network;
}

interface Answer {
  readonly status: number;
  readonly body: { version?: string; predictions?: number[][]; error?: string };
}

class Server {
  readonly agent = new Agent({ keepAlive: true, maxSockets: 24 });
  readonly child: ChildProcess;
  output = '';
  #port = 0;

  constructor(program: string, file: string) {
    const env = environment({ MODEL: file, PORT: '0' });
    this.child = spawn(nodeProgram, [program], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
  }

  /** Waits until the server has printed a text `times` times. */
  async printed(text: string, times = 1): Promise<void> {
    for (let waited = 0; this.output.split(text).length <= times; waited += 20) {
      expect(waited, `${text}\n${this.output}`).toBeLessThan(20_000);
      expect(this.child.exitCode, this.output).toBeNull();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async start(): Promise<void> {
    await this.printed('listening on ');
    const address = JSON.parse(/listening on (.*)\n/.exec(this.output)?.[1] ?? '{}') as AddressInfo;
    expect(address.address).toBe('127.0.0.1');
    this.#port = address.port;
  }

  /** Waits until no connection is accepted. */
  async refused(): Promise<void> {
    for (let waited = 0; ; waited += 20) {
      const socket = connect(this.#port, '127.0.0.1');
      const refused = await new Promise((resolve) => {
        socket.on('connect', () => resolve(false)).on('error', () => resolve(true));
      });
      socket.destroy();
      if (refused) return;
      expect(waited).toBeLessThan(10_000);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Sends a body, or what `write` writes. */
  send(body: string | ((sent: ClientRequest) => unknown), path = '/predict', method = 'POST'): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = method === 'POST' ? { 'content-type': 'application/json' } : {};
      const options = { host: '127.0.0.1', port: this.#port, path, method, headers, agent: this.agent };
      const sent = request(options, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
        response.on('error', reject);
      });
      sent.on('error', reject);
      if (typeof body === 'string') sent.end(body);
      else body(sent);
    });
  }

  predict(rows: unknown): Promise<Answer> {
    return this.send(JSON.stringify({ rows }));
  }
}

describe('the server of docs/deploying.md', () => {
  const models = new Map<string, Network>();
  let server: Server;
  let file: string;
  beforeAll(async () => {
    const [program] = compilePage('deploying');
    expect(program.heading).toBe('A server');
    models.set('a', model('a', 1)).set('b', model('b', 2));
    file = join(folder, 'model.safetensors');
    await models.get('a')?.save(file);
    server = new Server(program.file, file);
    await server.start();
  });
  afterAll(() => server.child.kill('SIGKILL'));

  /** One to three rows of numbers. */
  const rowsOf = (n: number) =>
    Array.from({ length: 1 + (n % 3) }, (_, i) => Array.from({ length: 4 }, (_, j) => Math.sin(7 * n + 5 * i + j)));

  /** Checks an answer against the model of its version, and that the models' answers differ. */
  function check(rows: number[][], { status, body }: Answer): string {
    expect(status, body.error).toBe(200);
    const version = body.version as string;
    const predictions = body.predictions as number[][];
    expect(predictions.map((row) => row.length)).toEqual(rows.map(() => 3));
    const distance = (name: string) => {
      const expected = (models.get(name) as Network).predict(rows);
      return Math.max(...predictions.flat().map((value, i) => Math.abs(value - expected[i])));
    };
    expect(distance(version)).toBeLessThan(1e-6);
    expect(distance(version === 'a' ? 'b' : 'a')).toBeGreaterThan(1e-3);
    return version;
  }

  it('answers every request while the model is replaced, each from one of the models', async () => {
    const versions = new Map<string, number>();
    let over = false;
    let sent = 0;
    const client = async () => {
      while (!over) {
        const rows = rowsOf(sent++);
        const version = check(rows, await server.predict(rows));
        versions.set(version, (versions.get(version) ?? 0) + 1);
      }
    };
    const clients = Promise.all(Array.from({ length: 24 }, client));
    for (const [i, name] of ['b', 'a', 'b', 'a', 'b'].entries()) {
      await models.get(name)?.save(file);
      await Promise.race([server.printed('model replaced', i + 1), clients]);
    }
    over = true;
    await clients;
    expect(sent).toBeGreaterThan(200);
    expect(versions.get('a')).toBeGreaterThan(50);
    expect(versions.get('b')).toBeGreaterThan(50);
    expect(check(rowsOf(1), await server.predict(rowsOf(1)))).toBe('b');
  });

  it('keeps the old model where the new file is none, or one of other inputs', async () => {
    writeFileSync(file, 'not a model');
    await server.printed('FILE_CORRUPT');
    expect(check(rowsOf(2), await server.predict(rowsOf(2)))).toBe('b');
    await model('c', 3, 5).save(file);
    await server.printed('the new model has other inputs');
    expect(check(rowsOf(2), await server.predict(rowsOf(2)))).toBe('b');
  });

  it('refuses what it cannot predict, and goes on', async () => {
    const wrong: unknown[] = [undefined, [], 5, [[1, 2, 3]], [[1, 2, 3, '4']], [[1, 2, 3, null]], { length: 1 }];
    for (const rows of wrong) {
      const { status, body } = await server.predict(rows);
      expect(status, JSON.stringify(rows)).toBe(400);
      expect(body.error).toMatch(/rows: expected lists of 4 numbers/);
    }
    expect((await server.send('{')).status).toBe(400);
    const long = await server.send(`{"rows": [${'[1,2,3,4],'.repeat(2e5)}[1,2,3,4]]}`);
    expect([long.status, long.body.error]).toEqual([413, 'Request body is too large']);
    expect((await server.send('', '/other', 'GET')).status).toBe(404);
    expect((await server.send('', '/health', 'GET')).body).toEqual({ ready: true });
    expect(server.output).not.toContain('TypeError: rows');
    check(rowsOf(3), await server.predict(rowsOf(3)));
  });

  it.skipIf(process.platform === 'win32')('answers a request that has begun when it is told to end', async () => {
    const rows = rowsOf(4);
    const text = JSON.stringify({ rows });
    // On connections of their own.
    server.agent.destroy();
    let finish = () => {};
    const answer = server.send(async (sent) => {
      sent.setHeader('content-length', text.length);
      sent.write(text.slice(0, 10));
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      sent.end(text.slice(10));
    });
    // The server has the first request once it has answered a later one.
    expect((await server.send('', '/health', 'GET')).status).toBe(200);
    server.child.kill('SIGTERM');
    await server.refused();
    finish();
    check(rows, await answer);
    const begin = performance.now();
    if (server.child.exitCode === null) await once(server.child, 'exit');
    expect(server.child.exitCode).toBe(0);
    // Not after the five seconds that an idle connection may stay open.
    expect(performance.now() - begin).toBeLessThan(3000);
  });
});

const native = process.env.BLASNET_BINARY !== 'none';

/** Puts the built package, with its addon, into the `node_modules` of a folder. */
function install(app: string): void {
  const installed = join(app, 'node_modules/blasnet');
  cpSync(projectFile('dist'), join(installed, 'dist'), { recursive: true });
  cpSync(projectFile('package.json'), join(installed, 'package.json'));
  if (native) cpSync(addonFile, join(installed, 'build/Release/blasnet.node'));
}

/** The environment of a program that finds its addon by itself. */
function installedEnvironment(changes: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const { BLASNET_BINARY, ...rest } = environment(changes);
  return native ? rest : { ...rest, BLASNET_BINARY: 'none' };
}

/** Another user, if this one's rights don't depend on a file's mode. */
const NOBODY = 65_534;

const root = process.getuid?.() === 0;
const identity = root ? { uid: NOBODY, gid: NOBODY } : {};
/** Where Node.js is installed for one user, another can't run it. */
const probe = { ...identity, cwd: tmpdir() };
const runs = process.platform !== 'win32' && spawnSync(nodeProgram, ['-e', ''], probe).status === 0;

const unavailable = runs ? '' : ' (not on Windows, nor where another user can run no Node.js)';

describe.skipIf(!runs)(`a package folder that is read-only, and no writable home${unavailable}`, () => {
  /** Trains, predicts and saves in `folder`/app; prints what came of it. */
  const program = `
    import { existsSync, readdirSync, writeFileSync } from 'node:fs';
    import { tmpdir } from 'node:os';
    import { backendInfo, dense, meanSquaredError, Network } from 'blasnet';
    import { Dataset } from 'blasnet/data';
    const writable = (path) => {
      try { writeFileSync(path + '/probe', ''); return true; } catch { return false; }
    };
    const network = new Network({ input: [2], layers: [dense(1)], loss: meanSquaredError(), seed: 1 });
    const data = new Dataset({ features: [[1, 2], [3, 4]], targets: [[1], [2]] });
    await network.fit(data, { epochs: 2 });
    const expected = await network.predictAsync([[1, 2]]);
    const [actual] = Network.fromBytes(network.toBytes()).predict([[1, 2]]);
    const save = (path) => network.save(path).then(() => 'saved', ({ code }) => code);
    console.log(JSON.stringify({
      backend: backendInfo().backend,
      same: actual === expected[0],
      writable: { package: writable('.'), home: writable(process.env.HOME), temporary: writable(tmpdir()) },
      saved: { here: await save('model.safetensors'), temporary: await save(tmpdir() + '/model.safetensors') },
      left: existsSync(tmpdir()) ? readdirSync(tmpdir()).sort() : [],
    }));
  `;

  it.each([true, false])('computes; a writable TMPDIR (%s) is needed only to save there', (withTemporary) => {
    const own = join(folder, String(withTemporary));
    const app = join(own, 'app');
    const temporary = join(own, 'tmp');
    const home = join(own, 'home');
    for (const path of [app, home, temporary]) mkdirSync(path, { recursive: true });
    install(app);
    writeFileSync(join(app, 'main.mjs'), program);
    const everything = readdirSync(own, { recursive: true, encoding: 'utf8' }).map((path) => join(own, path));
    for (const path of [folder, own]) chmodSync(path, 0o755);
    for (const path of everything) chmodSync(path, 0o555);
    if (withTemporary) {
      chmodSync(temporary, 0o755);
      if (root) chownSync(temporary, NOBODY, NOBODY);
    }
    const env = installedEnvironment({ HOME: home, TMPDIR: temporary });
    const result = spawnSync(nodeProgram, ['main.mjs'], { ...identity, cwd: app, env, encoding: 'utf8' });
    // So that it can be deleted.
    for (const path of everything) chmodSync(path, 0o755);
    expect(result.status, result.stderr).toBe(0);
    expect(JSON.parse(result.stdout)).toEqual({
      backend: native ? 'native' : 'typescript',
      same: true,
      writable: { package: false, home: false, temporary: withTemporary },
      saved: { here: 'FILE_NOT_WRITTEN', temporary: withTemporary ? 'saved' : 'FILE_NOT_WRITTEN' },
      left: withTemporary ? ['model.safetensors', 'probe'] : [],
    });
    const after = readdirSync(own, { recursive: true, encoding: 'utf8' }).map((path) => join(own, path));
    expect(after.filter((path) => !path.startsWith(temporary))).toEqual(
      everything.filter((path) => !path.startsWith(temporary)),
    );
  });
});

describe('Vitest, whose tests may run in another realm', () => {
  const test = `
    import { expect, it } from 'vitest';
    import { Adam, backendInfo, BlasnetError, dense, meanSquaredError, Network } from 'blasnet';
    import { Dataset } from 'blasnet/data';
    it('trains and predicts', async () => {
      const x = new Float32Array([1, 2, 3, 4, 5, 6, 7, 8]);
      const data = new Dataset({ features: x, shape: [2], targets: new Float64Array([1, 2, 3, 4]), targetShape: [1] });
      const network = new Network({ input: [2], layers: [dense(1)], loss: meanSquaredError(), seed: 1 });
      const { signal } = new AbortController();
      await network.fit(data, { optimizer: new Adam({ learningRate: 0.1 }), epochs: 200, signal });
      const out = new Float32Array(4);
      await network.predictAsync(x, { out, signal });
      out.forEach((value, i) => expect(value).toBeCloseTo(i + 1, 0));
      expect(() => network.predict([[1]])).toThrow(BlasnetError);
      expect(Network.fromBytes(network.toBytes()).predict(new Uint8Array([7, 8]))[0]).toBeCloseTo(out[3], 5);
      expect(backendInfo().backend).toBe('${native ? 'native' : 'typescript'}');
    });
  `;

  it.each(['vmThreads', 'vmForks'])('pool %s', (pool) => {
    const app = join(folder, pool);
    mkdirSync(join(app, 'node_modules'), { recursive: true });
    install(app);
    symlinkSync(projectFile('node_modules/vitest'), join(app, 'node_modules/vitest'), 'junction');
    writeFileSync(join(app, 'realm.test.mjs'), test);
    writeFileSync(join(app, 'vitest.config.mjs'), 'export default {};');
    const vitest = projectFile('node_modules/vitest/vitest.mjs');
    const { VITEST, ...env } = installedEnvironment({});
    const result = spawnSync(nodeProgram, [vitest, 'run', '--pool', pool], { cwd: app, env, encoding: 'utf8' });
    expect(result.status, `${result.stdout}\n${result.stderr}`).toBe(0);
    expect(result.stdout).toContain('1 passed');
  });
});
