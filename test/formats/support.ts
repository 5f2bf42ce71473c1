import { dense, Network, relu, softmaxCrossEntropy } from '../../lib/index.js';

/** A safetensors file of this header (an object, or its text) and data. */
export function fileOf(header: unknown, data: Uint8Array | number = 0, claimed?: bigint): Uint8Array {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const body = typeof data === 'number' ? new Uint8Array(data) : data;
  const bytes = new Uint8Array(8 + text.length + body.length);
  new DataView(bytes.buffer).setBigUint64(0, claimed ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(body, 8 + text.length);
  return bytes;
}

/** Header, as an object, and data of a file. */
export function partsOf(bytes: Uint8Array): { header: Record<string, Record<string, unknown>>; data: Uint8Array } {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  return { header: JSON.parse(Buffer.from(bytes.slice(8, 8 + length)).toString()), data: bytes.slice(8 + length) };
}

export function tinyNetwork(): Network {
  const layers = [dense(3), relu(), dense(2, { name: 'out' })];
  return new Network({ input: [4], layers, loss: softmaxCrossEntropy(), seed: 5, backend: 'typescript' });
}

/** A network's bytes with a section of its metadata, JSON within the JSON, changed. */
export function withSection(
  bytes: Uint8Array,
  name: string,
  change: (section: Record<string, unknown>) => unknown,
): Uint8Array {
  const { header, data } = partsOf(bytes);
  const metadata = header.__metadata__ as Record<string, string>;
  const section = JSON.parse(metadata[name]);
  metadata[name] = JSON.stringify(change(section));
  return fileOf(header, data);
}
