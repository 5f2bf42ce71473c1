import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import type { Callbacks } from '../../lib/index.js';

/** The browser of the tests (Debian: apt-get install chromium). */
export const chromiumProgram = '/usr/bin/chromium';
export const chromiumFlags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];
chromiumFlags.push('--disable-background-networking', '--disable-component-update', '--disable-sync');

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** What a page asks: a path is sent as it is, without the cleaning that `fetch` does. */
export function ask(
  url: string,
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: OutgoingHttpHeaders } = {},
): Promise<{ status: number; headers: IncomingMessage['headers']; body: string }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request({ host: hostname, port, path, method, headers, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part) => {
        body += part;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

export interface Message {
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: what the page takes, field by field
  readonly data: any[];
  readonly time: number;
}

/** Listens to the events of a page, until `close`. */
export function listen(url: string): { messages: Message[]; opened: Promise<void>; close(): void } {
  const messages: Message[] = [];
  const { promise, resolve, reject } = withResolvers();
  const sent = request(`${url}events`, { agent: false }, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (part) => {
      text += part;
      const whole = text.split('\n\n');
      text = whole.pop() as string;
      for (const block of whole) {
        const data = /^data: (.*)$/m.exec(block)?.[1];
        const event = /^event: (.*)$/m.exec(block)?.[1] ?? 'message';
        if (data !== undefined) messages.push({ event, data: JSON.parse(data), time: performance.now() });
      }
      if (messages.length > 0) resolve();
    });
    response.on('error', () => {});
  });
  sent.on('error', reject);
  sent.end();
  return { messages, opened: promise, close: () => sent.destroy() };
}

function withResolvers() {
  let resolve = () => {};
  let reject = (_: unknown) => {};
  const promise = new Promise<void>((yes, no) => {
    [resolve, reject] = [yes, no];
  });
  return { promise, resolve, reject };
}

/** The points of the first run, put together from all messages as the page does it; few enough to be all there. */
export function pointsOf(messages: readonly Message[]): { epoch: number }[] {
  let points: { epoch: number }[] = [];
  for (const {
    data: [{ curve, added = [] }],
  } of messages) {
    if (curve) points = [...curve.points];
    points.push(...added);
  }
  return points;
}

/** A stream that keeps what is written. */
export function sink(): { text: string; write(text: string): void } {
  return {
    text: '',
    write(text) {
      this.text += text;
    },
  };
}

export const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Callbacks that make each epoch last so long. */
export const slowly = (milliseconds: number): Callbacks => ({
  onEpochEnd: async () => void (await pause(milliseconds)),
});

/** Waits until something holds. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  for (const end = performance.now() + 20_000; !holds(); await pause(10)) {
    if (performance.now() > end) throw new Error(`never: ${what}`);
  }
}
