import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BlasnetError } from '../errors.js';
import { systemReason } from '../system.js';
import { clearInterval, clearTimeout, setInterval, setTimeout } from '../timers.js';
import { page, policy } from './page.js';
import { Run } from './run.js';

/** Only programs on this machine can reach it. */
const HOST = '127.0.0.1';
/** Milliseconds between updates, and between signs of life, by which a dead connection is noticed. */
const INTERVAL = 300;
const ALIVE = 15_000;
const MOST_PAGES = 16;
/** Bytes that may wait for a page that does not read; then its connection ends, and it requests everything again. */
const MOST_WAITING = 8 << 20;
/** Runs that are kept; the oldest that are over go first. */
const MOST_RUNS = 50;

const HEADERS = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
};

const PAGE_HEADERS = { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': policy };

interface Reply {
  /** Or that the connection stays open for events. */
  readonly status: number | 'events';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

function refusal(status: number, headers: Readonly<Record<string, string>> = {}): Reply & { status: number } {
  return { status, headers: { 'Content-Type': 'text/plain', ...headers }, body: `${status}\n` };
}

/** The hosts by which browsers address a port: they leave out the default one. */
export function hostsAt(port: number): string[] {
  const names = [HOST, 'localhost'];
  return [...names.map((name) => `${name}:${port}`), ...(port === 80 ? names : [])];
}

/** The page of a port, with all runs of this process that are shown there. */
export class Site {
  readonly #server: Server;
  readonly #token = randomBytes(16).toString('base64url');
  readonly #pages = new Set<ServerResponse>();
  readonly #runs = new Map<number, Run>();
  /** Runs that are no longer kept, which the open pages still show. */
  #gone: number[] = [];
  readonly #alive: NodeJS.Timeout;
  readonly #onClose: () => void;
  #timer: NodeJS.Timeout | undefined;
  #next = 1;
  #closed = false;

  private constructor(onClose: () => void) {
    this.#onClose = onClose;
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.maxConnections = 4 * MOST_PAGES;
    // Neither the server nor a page that is open keeps the process alive.
    this.#server.on('connection', (socket) => socket.unref());
    this.#alive = setInterval(() => this.#send(':\n\n'), ALIVE).unref();
  }

  /** Listens on a port, 0 for any. Throws `INVALID_ARGUMENT` if that is not possible. */
  static async open(port: number, onClose: () => void): Promise<Site> {
    const site = new Site(onClose);
    try {
      await new Promise<void>((resolve, reject) => {
        site.#server.once('error', reject);
        site.#server.listen(port, HOST, resolve);
      });
    } catch (cause) {
      clearInterval(site.#alive);
      const text = `dashboard: port: ${port} can't be listened on (${systemReason(cause)})`;
      throw new BlasnetError('INVALID_ARGUMENT', text, { cause });
    }
    site.#server.on('error', () => {});
    site.#server.unref();
    return site;
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://${HOST}:${this.#port}/${this.#token}/`;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether somebody looks at the page. */
  get watched(): boolean {
    return this.#pages.size > 0;
  }

  newRun(name: string | undefined, canSave: boolean): Run {
    const id = this.#next++;
    const run = new Run(id, name ?? `run ${id}`, canSave, () => this.#soon());
    this.#runs.set(id, run);
    for (const { id: old, status } of this.#runs.values()) {
      const isOver = status === 'finished' || status === 'failed';
      if (this.#runs.size <= MOST_RUNS || !isOver) continue;
      this.#runs.delete(old);
      if (this.watched) this.#gone.push(old);
    }
    return run;
  }

  /** Whether the page shows a run: not after it closed, or dropped the run for newer ones. */
  has(run: Run): boolean {
    return !this.#closed && this.#runs.get(run.id) === run;
  }

  /** From now on the process lives until `close`. */
  keepOpen(): void {
    if (!this.#closed) this.#server.ref();
  }

  /** Sends what has not been sent. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const gone = this.#gone.map((id) => ({ id, gone: true }));
    this.#gone = [];
    if (this.#pages.size === 0) return;
    const changes = [...gone, ...Array.from(this.#runs.values()).flatMap((run) => run.changes() ?? [])];
    if (changes.length > 0) this.#send(`data: ${JSON.stringify(changes)}\n\n`);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.flush();
    this.#closed = true;
    this.#onClose();
    clearInterval(this.#alive);
    for (const page of this.#pages) page.end();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  #soon(): void {
    if (this.#closed || this.#pages.size === 0) return;
    this.#timer ??= setTimeout(() => this.flush(), INTERVAL).unref();
  }

  #send(text: string): void {
    for (const page of this.#pages) {
      page.write(text);
      if (page.writableLength > MOST_WAITING) page.destroy();
    }
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    // Nothing that is asked for has a body.
    request.resume();
    const reply = this.#reply(request);
    if (reply.status === 'events') this.#openPage(response);
    else response.writeHead(reply.status, { ...HEADERS, ...reply.headers }).end(reply.body);
  }

  /** Carries out a request. */
  #reply({ method = '', headers, url = '' }: IncomingMessage): Reply {
    // A foreign name for this address: another site, whose name was made to lead here.
    const hosts = hostsAt(this.#port);
    if (!hosts.includes(headers.host ?? '')) return refusal(403);
    // A browser sends the origin of all that a script posts.
    const own = hosts.some((host) => headers.origin === `http://${host}`);
    if (!own && (headers.origin !== undefined || method === 'POST')) return refusal(403);
    const [, token = '', path = '?'] = /^\/([\w-]+)\/(.*)$/.exec(url) ?? [];
    if (!this.#isToken(token)) return refusal(404);
    const [, id, what] = /^runs\/(\d{1,9})\/(stop|save)$/.exec(path) ?? [];
    if (path !== '' && path !== 'events' && id === undefined) return refusal(404);
    const allowed = id === undefined ? 'GET' : 'POST';
    if (method !== allowed) return refusal(405, { Allow: allowed });
    if (path === '') return { status: 200, headers: PAGE_HEADERS, body: page };
    if (path === 'events') return this.#pages.size < MOST_PAGES ? { status: 'events' } : refusal(503);
    return this.#ask(Number(id), what as 'stop' | 'save');
  }

  #ask(id: number, what: 'stop' | 'save'): Reply {
    const run = this.#runs.get(id);
    if (run === undefined) return refusal(404);
    if (!run.active || (what === 'save' && !run.canSave)) return refusal(409);
    run.ask(what);
    this.flush();
    return { status: 204 };
  }

  #openPage(response: ServerResponse): void {
    // What the others lack goes to them first: the new page has it already.
    this.flush();
    response.writeHead(200, { ...HEADERS, 'Content-Type': 'text/event-stream' });
    const runs = Array.from(this.#runs.values(), (run) => {
      run.changes();
      return run.snapshot();
    });
    response.write(`retry: 1000\nevent: all\ndata: ${JSON.stringify(runs)}\n\n`);
    this.#pages.add(response);
    for (const event of ['close', 'error']) response.on(event, () => this.#pages.delete(response));
  }

  #isToken(given: string): boolean {
    const [a, b] = [Buffer.from(given), Buffer.from(this.#token)];
    return a.length === b.length && timingSafeEqual(a, b);
  }
}
