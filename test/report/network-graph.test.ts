import { describe, expect, it } from 'vitest';
import {
  add,
  batchNorm,
  binaryCrossEntropy,
  concat,
  conv2d,
  dense,
  input,
  maxPool2d,
  meanSquaredError,
  metrics,
  Network,
  relu,
  shared,
  softmaxCrossEntropy,
  subtract,
  upsample2d,
} from '../../lib/index.js';
import { confusionMatrixPlot, networkGraph } from '../../lib/report/index.js';
import { expectRejection } from '../data/expect-error.js';
import { count, expectSvg, texts, titles } from './support.js';

const backend = 'typescript';

function siamese(): Network {
  const [left, right] = ['left', 'right'].map((name) => input([6], { name }));
  const tower = shared(dense(4, { name: 'tower' }), relu());
  const output = subtract(left.pipe(tower), right.pipe(tower));
  return new Network({ output, loss: meanSquaredError(), seed: 1, backend });
}

function unet() {
  const x = input([8, 8, 1], { name: 'scan' });
  const top = x.pipe(conv2d(3, { padding: 'same' }), batchNorm());
  const bottom = top.pipe(maxPool2d(2), conv2d(4, { padding: 'same' }), upsample2d(2));
  const mask = concat(bottom, top).pipe(conv2d(1, { window: 1, name: 'mask' }));
  const outputs = { mask, sum: add(mask, mask, { name: 'twice' }) };
  return new Network({ outputs, losses: { mask: binaryCrossEntropy() }, seed: 1, backend });
}

/** Rectangles of the nodes, besides that of the background. */
const boxes = (svg: string) =>
  [...svg.matchAll(/<g><rect x="([-\d.]+)" y="([-\d.]+)" width="(\d+)" height="(\d+)"/g)].map(([, ...numbers]) => {
    const [x, y, width, height] = numbers.map(Number);
    return { left: x, top: y, right: x + width, bottom: y + height };
  });
const heads = (svg: string) => count(svg, 'Z" fill=');

describe('network.nodes', () => {
  it('are the inputs and the layers: what they take and give', () => {
    const { nodes, layers } = siamese();
    expect(nodes.map(({ name, type, from }) => [name, type, from])).toEqual([
      ['left', 'input', []],
      ['right', 'input', []],
      ['tower', 'dense', [0]],
      ['relu_1', 'relu', [2]],
      ['tower_1', 'dense', [1]],
      ['relu_1_1', 'relu', [4]],
      ['subtract_1', 'subtract', [3, 5]],
    ]);
    expect(nodes.map(({ parameters }) => parameters)).toEqual([0, 0, 28, 0, 0, 0, 0]);
    expect(nodes.map(({ sharedWith }) => sharedWith)).toEqual([...new Array(4).fill(undefined), 2, 3, undefined]);
    expect(nodes.map(({ outputs }) => outputs.length)).toEqual([0, 0, 0, 0, 0, 0, 1]);
    expect(nodes.slice(2).map(({ type }) => type)).toEqual(layers.map(({ type }) => type));
    expect(nodes[0].shape).toEqual([6]);
    for (const part of [nodes, nodes[2], nodes[2].from, nodes[2].shape]) expect(Object.isFrozen(part)).toBe(true);
  });

  it('have no characters that XML can not hold', async () => {
    const plain = new Network({ input: [2], layers: [dense(1)], loss: meanSquaredError() });
    const title = 'a\u001bb\ufffe\ud800 \u{1f600}';
    const svg = await networkGraph(plain, { title });
    expect(svg).not.toMatch(/(?!\n)\p{Control}|\p{Surrogate}|[\ufffe\uffff]/u);
    expect(svg).toContain('\u{1f600}');
    const matrix = metrics.confusionMatrix([0, 1], [0, 1], { labelNames: ['a\u0008', 'b'] });
    expect(await confusionMatrixPlot(matrix)).not.toContain('\u0008');
  });

  it('of a chain have their indices as names, an input without a name none', () => {
    const layers = [dense(3), batchNorm({ name: 'norm' }), dense(2)];
    const { nodes } = new Network({ input: [4], layers, loss: softmaxCrossEntropy(), seed: 1, backend });
    expect(nodes.map(({ name }) => name)).toEqual([undefined, '0', 'norm', '2']);
    expect(nodes.map(({ parameters, state }) => [parameters, state])).toEqual([
      [0, 0],
      [15, 0],
      [6, 6],
      [8, 0],
    ]);
    expect(nodes[3].outputs).toEqual(['output']);
    expect(
      unet()
        .nodes.map(({ outputs }) => outputs)
        .filter(({ length }) => length > 0),
    ).toEqual([['mask'], ['sum']]);
  });
});

describe('networkGraph', () => {
  it('has a box for each node and an arrow for each use', async () => {
    const network = unet();
    const svg = await networkGraph(network, { title: 'A small U-Net <1>' });
    await expectSvg(svg);
    expect(boxes(svg)).toHaveLength(network.nodes.length);
    expect(heads(svg)).toBe(network.nodes.reduce((sum, { from }) => sum + from.length, 0));
    for (const text of ['scan', 'input [8, 8, 1]', 'conv2d [8, 8, 3], 30 parameters', '→ output mask', '→ output sum'])
      expect(texts(svg)).toContain(text);
    expect(texts(svg)[0]).toBe('A small U-Net &lt;1&gt;');
    expect(await networkGraph(network, { title: 'A small U-Net <1>' })).toBe(svg);
  });

  it('puts boxes apart, in the direction asked for, inside the picture', async () => {
    for (const direction of ['down', 'right'] as const) {
      const network = unet();
      const svg = await networkGraph(network, { direction, theme: 'dark' });
      const { width, height } = await expectSvg(svg);
      const all = boxes(svg);
      for (const [i, a] of all.entries()) {
        expect(a.left >= 0 && a.top >= 0 && a.right <= width && a.bottom <= height).toBe(true);
        for (const b of all.slice(i + 1))
          expect(a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top).toBe(true);
        for (const source of network.nodes[i].from)
          expect(direction === 'down' ? all[source].bottom < a.top : all[source].right < a.left).toBe(true);
      }
    }
  });

  it('marks inputs, outputs and shared layers', async () => {
    const svg = await networkGraph(siamese());
    expect(count(svg, 'stroke="#0072B2"')).toBe(2);
    expect(count(svg, 'stroke="#D55E00"')).toBe(1);
    expect(count(svg, 'stroke-dasharray')).toBe(4);
    const edges = [...svg.matchAll(/stroke="([^"]*)" stroke-width="2" stroke-dasharray/g)].map(([, edge]) => edge);
    expect(new Set(edges).size).toBe(2);
    expect(texts(svg).filter((text) => text === 'shared')).toHaveLength(2);
    expect(texts(svg)).toContain('shared with tower');
  });

  it('cuts long names, whose titles are whole', async () => {
    const name = 'a'.repeat(50);
    const layers = [dense(3, { name }), dense(2, { name: `${name}b` })];
    const svg = await networkGraph(new Network({ input: [4], layers, loss: meanSquaredError(), seed: 1, backend }));
    expect(titles(svg)).toEqual([name, `${name}b`]);
    expect(Math.max(...texts(svg).map(({ length }) => length))).toBeLessThanOrEqual(32);
  });

  it('draws at most 500 nodes, and only networks', async () => {
    const node = { name: 'x', type: 'relu', shape: [1], from: [], parameters: 0, state: 0, outputs: [] } as const;
    const nodes = new Array(501).fill({ ...node, sharedWith: undefined });
    await expectRejection(
      () => networkGraph({ nodes }),
      'INVALID_ARGUMENT',
      /network: expected at most 500 nodes, got 501/,
    );
    await expectRejection(() => networkGraph({} as never), 'INVALID_ARGUMENT', /network: expected a Network/);
    for (const odd of [null, {}, { ...node, from: [5] }]) {
      const text = /^network: nodes\[0\]: expected a node of a Network, got /;
      await expectRejection(() => networkGraph({ nodes: [odd] } as never), 'INVALID_ARGUMENT', text);
    }
    const network = siamese();
    await expectRejection(
      () => networkGraph(network, { direction: 'up' as never }),
      'INVALID_ARGUMENT',
      /direction: expected .*down.*right/,
    );
    await expectRejection(() => networkGraph(network, { width: 3 } as never), 'UNKNOWN_OPTION', /networkGraph.*width/);
  });
});
