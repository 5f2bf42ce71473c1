import { expect, it } from 'vitest';
import {
  customLoss,
  dense,
  huber,
  input,
  type Loss,
  mean,
  meanSquaredError,
  Network,
  scale,
  square,
  subtract,
} from '../../lib/index.js';
import { expectError } from '../data/expect-error.js';

const own = (kind: string): Loss => ({ ...meanSquaredError(), kind });
const mine = own('mine');
const yours = own('yours');

/** The bytes of a network with the outputs a, b, … of these losses. */
function bytesOf(...given: readonly Loss[]): Uint8Array {
  const x = input([3]);
  const names = given.map((_, i) => 'abc'[i]);
  const outputs = Object.fromEntries(names.map((name) => [name, x.pipe(dense(2))]));
  const losses = Object.fromEntries(given.map((loss, i) => [names[i], loss]));
  return new Network({ outputs: { ...outputs, free: x.pipe(dense(1)) }, losses, seed: 1 }).toBytes();
}

it('a loss of one’s own takes its places alone, and the library’s are read', () => {
  const bytes = bytesOf(mine, huber({ delta: 0.5 }), mine);
  expect(Network.fromBytes(bytes, { loss: mine }).toBytes()).toEqual(bytes);
  expectError(
    () => Network.fromBytes(bytes),
    'INVALID_ARGUMENT',
    /^bytes: the loss of its output "a" is of kind "mine", which is not the library's: give that loss as `loss`$/,
  );
});

it('losses of the library keep their options, whatever loss is given', () => {
  const bytes = bytesOf(huber({ delta: 0.5 }), huber({ delta: 2 }));
  expect(Network.fromBytes(bytes, { loss: huber() }).toBytes()).toEqual(bytes);
});

it('a graph that is given takes the places of graphs', () => {
  const graph = () => customLoss((prediction, target) => mean(square(subtract(prediction, target))));
  const bytes = bytesOf(graph(), huber({ delta: 0.5 }));
  expect(Network.fromBytes(bytes, { loss: graph() }).toBytes()).toEqual(bytes);
  expect(Network.fromBytes(bytes).toBytes()).toEqual(bytes);
});

it('a loss that no output has is refused', () => {
  const bytes = bytesOf(huber({ delta: 0.5 }), meanSquaredError());
  expectError(
    () => Network.fromBytes(bytes, { loss: mine }),
    'INVALID_ARGUMENT',
    /^bytes: its losses are of the kinds "huber", "meanSquaredError", none of kind "mine": `loss` has no place$/,
  );
  expectError(() => Network.fromBytes(bytesOf(yours, huber()), { loss: mine }), 'INVALID_ARGUMENT', /"a".*"yours"/);
});

it('several of one’s own are given as a list, each for its kind', () => {
  const bytes = bytesOf(mine, huber({ delta: 0.5 }), yours);
  expect(Network.fromBytes(bytes, { loss: [yours, mine] }).toBytes()).toEqual(bytes);
});

it.each([
  ['a name', 'mse'],
  ['null', null],
  ['a list of others', [{}]],
])('refuses %s for a loss', (_, loss) => {
  const message = /^fromBytes: loss: expected a loss such as softmaxCrossEntropy\(\), got /;
  expectError(() => Network.fromBytes(bytesOf(mine), { loss: loss as never }), 'INVALID_ARGUMENT', message);
});

it('refuses two of one kind, of which one would be unused', () => {
  const [a, b] = [1, 2].map((factor) =>
    customLoss((prediction, target) => mean(scale(square(subtract(prediction, target)), factor))),
  );
  const pair = bytesOf(a, b);
  expect(Network.fromBytes(pair).toBytes()).toEqual(pair);
  expectError(
    () => Network.fromBytes(pair, { loss: [a, b] }),
    'INVALID_ARGUMENT',
    /^fromBytes: loss: expected losses of different kinds, got two of kind "custom" \(a file has their graphs/,
  );
  expectError(() => Network.fromBytes(bytesOf(mine), { loss: [mine, mine] }), 'INVALID_ARGUMENT', /kind "mine"$/);
});

it('refuses a loss of another kind than the only one, which is a graph', () => {
  const graph = customLoss((prediction, target) => mean(square(subtract(prediction, target))));
  const chain = new Network({ input: [3], layers: [dense(2)], loss: graph, seed: 1 }).toBytes();
  for (const bytes of [bytesOf(graph), chain]) {
    expect(Network.fromBytes(bytes, { loss: graph }).toBytes()).toEqual(bytes);
    expectError(
      () => Network.fromBytes(bytes, { loss: meanSquaredError() }),
      'INVALID_ARGUMENT',
      /^bytes: its loss is of kind "custom", not of kind "meanSquaredError": give that loss as `loss`, or none$/,
    );
  }
});
