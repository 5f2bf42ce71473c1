import { expect, it } from 'vitest';
import { BlasnetError } from '../../lib/errors.js';
import { decodeNetwork } from '../../lib/formats/network-file.js';
import { makeOptimizer } from '../../lib/formats/optimizer-state.js';
import {
  Adam,
  batchNorm,
  conv2d,
  cosine,
  dense,
  flatten,
  maxPool2d,
  Network,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import { RandomStream } from '../../lib/random.js';
import { fileOf, partsOf } from './support.js';

const rounds = 3000;
const layers = [conv2d(2), batchNorm(), maxPool2d(), flatten(), dense(3, { name: 'out' })];
const network = new Network({ input: [6, 6, 1], layers, loss: softmaxCrossEntropy(), seed: 5, backend: 'typescript' });
const optimizer = new Adam({
  learningRate: cosine({ initial: 0.1, epochs: 3 }),
  groups: [{ match: 'out', weightDecay: 0.1 }],
});
const valid = network.toBytes({ optimizer });

type Draw = (below: number) => number;

/** What a hostile file might contain instead of a value. */
const oddities: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  0.5,
  1e9,
  2 ** 31 - 1,
  2 ** 53,
  1e308,
  '',
  'x',
  '__proto__',
  'constructor',
  [],
  {},
  [
    [1, 2],
    [3, 4],
  ],
  Array(100).fill(1),
  { initializer: 'zeros' },
  { function: true },
  { schedule: { kind: 'cosine', argument: null } },
  { schedule: null },
];

/** Replaces, removes, doubles or adds something somewhere in a value. */
function mutateValue(value: unknown, draw: Draw): unknown {
  if (typeof value !== 'object' || value === null || draw(4) === 0) {
    if (typeof value === 'number' && draw(2) === 0) return value + draw(3) - 1;
    return oddities[draw(oddities.length)];
  }
  if (Array.isArray(value)) {
    if (value.length === 0 || draw(8) === 0) return [...value, oddities[draw(oddities.length)]];
    const at = draw(value.length);
    if (draw(6) === 0) return [...value.slice(0, at), ...value.slice(at + 1)];
    if (draw(6) === 0) return [...value, value[at]];
    return value.map((entry, i) => (i === at ? mutateValue(entry, draw) : entry));
  }
  const entries = Object.entries(value);
  if (entries.length === 0 || draw(10) === 0)
    return { ...value, [String(oddities[draw(14)])]: oddities[draw(oddities.length)] };
  const at = draw(entries.length);
  if (draw(6) === 0) return Object.fromEntries(entries.filter((_, i) => i !== at));
  return Object.fromEntries(entries.map(([key, entry], i) => [key, i === at ? mutateValue(entry, draw) : entry]));
}

const mutations: Record<string, (draw: Draw) => Uint8Array> = {
  'single bytes': (draw) => {
    const bytes = valid.slice();
    for (let count = 1 + draw(3); count > 0; count--) bytes[draw(draw(2) === 0 ? 16 : bytes.length)] = draw(256);
    return bytes;
  },
  'the length of the file': (draw) => {
    if (draw(2) === 0) return valid.slice(0, draw(valid.length));
    const longer = new Uint8Array(valid.length + 1 + draw(20));
    longer.set(valid);
    return longer;
  },
  'a stretch moved': (draw) => valid.slice().copyWithin(draw(valid.length), draw(valid.length), valid.length),
  'the header': (draw) => {
    const { header, data } = partsOf(valid);
    return fileOf(mutateValue(header, draw), data);
  },
  'the metadata': (draw) => {
    const { header, data } = partsOf(valid);
    const metadata = header.__metadata__ as Record<string, string>;
    const section = ['network', 'network', 'network', 'training', 'optimizer'][draw(5)];
    metadata[section] = JSON.stringify(mutateValue(JSON.parse(metadata[section]), draw));
    return fileOf(header, data);
  },
};

it.each(Object.keys(mutations))(
  'a file with a change in %s is refused, or is a network',
  { timeout: 120_000 },
  (name) => {
    const random = new RandomStream(7, Object.keys(mutations).indexOf(name));
    const draw: Draw = (below) => Math.floor(below * random.uniform());
    let refused = 0;
    for (let round = 0; round < rounds; round++) {
      const bytes = mutations[name](draw);
      try {
        const loaded = Network.fromBytes(bytes, { backend: 'typescript', optimizer: new Adam() });
        const { optimizer } = decodeNetwork(bytes, 'bytes', undefined);
        if (optimizer !== undefined) makeOptimizer('bytes', optimizer);
        expect(loaded.toBytes().length).toBeLessThan(2 * valid.length);
      } catch (error) {
        refused++;
        expect(error, `round ${round}: ${(error as Error).stack}`).toBeInstanceOf(BlasnetError);
        const { code, message } = error as BlasnetError;
        // A file of another network's optimizer, or with a loss of somebody's own, is no corrupt one.
        expect(['FILE_CORRUPT', 'INVALID_ARGUMENT'], message).toContain(code);
        if (code === 'INVALID_ARGUMENT') expect(message).toMatch(/^bytes: (it has|its (loss|optimizer))/);
      }
    }
    expect(refused).toBeGreaterThan(rounds / 10);
  },
);
