import { describe, expect, it } from 'vitest';
import { dense, meanSquaredError, Network } from '../../lib/index.js';
import { expectError, expectSameBits, weights } from './support.js';

const make = () =>
  new Network({
    input: [3],
    layers: [dense(3, { name: 'a' }), dense(3, { name: 'b' }), dense(3, { name: 'c' })],
    loss: meanSquaredError(),
    seed: 1,
    backend: 'typescript',
  });

describe('copyParameters', () => {
  it('within a network reads all before it writes', () => {
    const network = make();
    const [a, b, c] = ['a', 'b', 'c'].map((name) => network.parameter(`${name}.weight`).value.slice());
    const next: Readonly<Record<string, string>> = {
      'a.weight': 'b.weight',
      'b.weight': 'c.weight',
      'c.weight': 'a.weight',
    };
    expect(network.copyParameters(network, (name) => next[name])).toEqual(Object.keys(next));
    expectSameBits(
      ['a', 'b', 'c'].map((name) => network.parameter(`${name}.weight`).value),
      [b, c, a],
    );
  });

  it('refuses a map that gives no name', () => {
    const network = make();
    const before = weights(network);
    expectError(
      () => network.copyParameters(make(), () => undefined),
      'INVALID_ARGUMENT',
      /^map: expected a name for at least one parameter or state here, got undefined/,
    );
    expectSameBits(weights(network), before);
  });
});
