import { describe, expect, it } from 'vitest';
import { elements, type Layer, type Merge, registerLayer, registerMerge, rows, spec } from '../../lib/extend.js';
import { merge } from '../../lib/graph/node.js';
import { glorotNormal, input, meanSquaredError, Network } from '../../lib/index.js';
import { expectError } from '../data/expect-error.js';

const weight = { name: 'w', shape: [3], initializer: glorotNormal(), fans: { fanIn: 3, fanOut: 3 }, weight: true };

/** A layer y = x that has a parameter and a state. */
const layer: Layer = {
  output: [3],
  parameters: [weight],
  state: [{ name: 's', shape: [2], initial: 1 }],
  forward: (_, x) => ({ y: x, backward: (dy) => dy }),
};
const parameter = (changes: object) => ({ parameters: [{ ...weight, ...changes }] });

let count = 0;
/** A network with a layer that a factory makes. */
function network(made: unknown): Network {
  const type = `own${count++}`;
  registerLayer(type, undefined, () => made as Layer);
  return new Network({ input: [3], layers: [spec({ type, name: undefined })], loss: meanSquaredError(), seed: 1 });
}

describe("what a layer's factory returns", () => {
  it('may be a layer', () => {
    const made = network(layer);
    expect(made.parameters.map(({ name, shape }) => [name, shape])).toEqual([['0.w', [3]]]);
    expect([...made.predict([1, 2, 3])]).toEqual([1, 2, 3]);
  });

  const wrong: readonly (readonly [name: string, made: unknown, message: RegExp])[] = [
    ['nothing', undefined, /: expected an object with output and forward, got undefined/],
    ['no output', { ...layer, output: undefined }, /: output/],
    ['a size below 0', { ...layer, output: [-1] }, /: output/],
    ['a part of a size', { ...layer, output: [1.5] }, /: output/],
    ['no forward', { ...layer, forward: undefined }, /: forward: expected a function/],
    ['no parameters', { ...layer, parameters: undefined }, /: parameters: expected a list/],
    ['no state', { ...layer, state: undefined }, /: state: expected a list/],
    ['a parameter that is none', { ...layer, parameters: [null] }, /: parameters\[0\]: expected an object/],
    ['no name', { ...layer, ...parameter({ name: undefined }) }, /: parameters\[0\]: name/],
    ['a name twice', { ...layer, parameters: [weight, weight] }, /: parameters\[1\]: name: expected unique names/],
    ['the name of a parameter for a state', { ...layer, state: [{ ...layer.state[0], name: 'w' }] }, /unique names/],
    ['no shape', { ...layer, ...parameter({ shape: undefined }) }, /: parameters\[0\]: shape/],
    ['a shape of a part', { ...layer, ...parameter({ shape: [2.5] }) }, /: parameters\[0\]: shape/],
    ['an initializer by name', { ...layer, ...parameter({ initializer: 'glorotNormal' }) }, /expected an initializer/],
    ['fans as a list', { ...layer, ...parameter({ fans: [3, 3] }) }, /: fans: fanIn: expected a finite number/],
    ['no fans', { ...layer, ...parameter({ fans: undefined }) }, /: fans: expected an object with fanIn and fanOut/],
    ['not said whether a weight', { ...layer, ...parameter({ weight: undefined }) }, /: weight: expected/],
    ['another regularizer', { ...layer, ...parameter({ regularizer: { l2: 1 } }) }, /: expected a regularizer/],
    ['a state of NaN', { ...layer, state: [{ ...layer.state[0], initial: Number.NaN }] }, /: initial/],
  ];
  it.each(wrong)('%s is refused', (_, made, message) => {
    expectError(() => network(made), 'INVALID_ARGUMENT', message);
    expectError(() => network(made), 'INVALID_ARGUMENT', /layer type "own\d+"/);
  });

  it.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /: forward: expected an object with y and backward/],
    ['no y', { backward: () => undefined }, /: forward: y: expected a tensor/],
    ['numbers', { y: [1, 2, 3], backward: () => undefined }, /: forward: y: expected a tensor/],
    ['no backward', undefined, /: forward/],
  ])('a pass that is %s is refused', (name, pass, message) => {
    const forward: unknown = name === 'no backward' ? (_: unknown, x: unknown) => ({ y: x }) : () => pass;
    const made = network({ ...layer, forward });
    expectError(() => made.predict([1, 2, 3]), 'INVALID_ARGUMENT', message);
  });

  it('for several inputs needs no parameters, and is checked as well', () => {
    const make = (made: unknown): Network<string> => {
      const type = `own${count++}`;
      registerMerge(type, undefined, () => made as Merge);
      const [a, b] = [input([3], { name: 'a' }), input([3], { name: 'b' })];
      return new Network<string>({
        output: merge(spec({ type, name: undefined }), [a, b]),
        loss: meanSquaredError(),
        seed: 1,
      });
    };
    const sum: Merge = {
      output: [3],
      forward(builder, [a, b]) {
        const y = builder.perRow('y', 3);
        builder.emit('binary', { y, a, b, n: rows(elements([3])), operation: 0 });
        return { y, backward: (dy) => [dy, dy] };
      },
    };
    expect(make(sum).predict({ a: [1, 2, 3], b: [4, 5, 6] })).toHaveLength(3);
    expectError(() => make({ ...sum, output: 3 }), 'INVALID_ARGUMENT', /: output/);
    const none = make({ ...sum, forward: () => undefined });
    expectError(() => none.predict({ a: [1, 2, 3], b: [4, 5, 6] }), 'INVALID_ARGUMENT', /: forward/);
  });
});
