import { describe, expect, it } from 'vitest';
import {
  Adam,
  batchNorm,
  conv2d,
  dense,
  flatten,
  input,
  type LayerSpec,
  maxPool2d,
  relu,
  Sgd,
  softmaxCrossEntropy,
} from '../../lib/index.js';
import { Listing } from '../../lib/program/listing.js';
import { modelOf } from '../graph/support.js';
import { kernelsOf, model, program } from './support.js';

const hidden = (units: number) => [dense(units), relu()];
const normed = (units: number) => [dense(units), batchNorm(), relu()];
const convolution = (filters: number, window: number, padding: number) => [
  conv2d(filters, { window, padding }),
  relu(),
];

/** The benchmark's chains, by name: input, layers, batch, optimizer. */
const chains: Record<string, [number[], () => LayerSpec[], number, () => Adam | Sgd]> = {
  M1: [[784], () => [...hidden(100), ...hidden(100), dense(10)], 64, () => new Adam()],
  M1bn: [[784], () => [...normed(100), ...normed(100), dense(10)], 64, () => new Adam()],
  M2L: [[784], () => [...hidden(2048), ...hidden(2048), dense(10)], 256, () => new Adam()],
  M3: [
    [28, 28, 1],
    () => [
      ...convolution(6, 5, 2),
      maxPool2d(),
      ...convolution(16, 5, 0),
      maxPool2d(),
      flatten(),
      ...hidden(120),
      ...hidden(84),
      dense(10),
    ],
    64,
    () => new Sgd({ momentum: 0.9 }),
  ],
  M4: [
    [28, 28, 1],
    () => [
      ...convolution(32, 3, 1),
      ...convolution(32, 3, 1),
      maxPool2d(),
      ...convolution(64, 3, 1),
      ...convolution(64, 3, 1),
      maxPool2d(),
      flatten(),
      ...hidden(128),
      dense(10),
    ],
    64,
    () => new Adam(),
  ],
};

const lines = (listing: Listing) =>
  listing.instructions.map(({ barrier, kernel, buffers }) => `${barrier ? '|' : ' '} ${kernel} ${buffers}`);

describe.each(Object.entries(chains))('the program of the chain %s', (name, [shape, layers, batch, optimizer]) => {
  // What graphs add to the compiler must change nothing here; a wanted change shows in the stored file.
  it.each([1, 2])('on %i threads stays as it is', async (threads) => {
    const compiled = program(model(shape, layers()), 'train', batch, { features: ['u8'], threads }, optimizer());
    const text = `${lines(new Listing(compiled, 0)).join('\n')}\n${compiled.workLength} elements of work memory\n`;
    await expect(text).toMatchFileSnapshot(`listings/${name}-${threads}.txt`);
  });

  it('is that of the same layers as a graph', () => {
    const options = { features: ['u8'], threads: 2 } as const;
    const chain = program(model(shape, layers()), 'train', batch, options, optimizer());
    const graph = program(
      modelOf(input(shape).pipe(...layers()), softmaxCrossEntropy()),
      'train',
      batch,
      options,
      optimizer(),
    );
    expect(kernelsOf(graph.instructions)).toEqual(kernelsOf(chain.instructions));
    expect(graph.workLength).toBe(chain.workLength);
  });
});
