import { Data, matricesAndEmpty } from '../data.js';
import {
  type CutArguments,
  cutImages,
  type FlipArguments,
  flipImages,
  type MixArguments,
  mixRows,
  type RotateArguments,
  rotateImages,
  type ShiftArguments,
  shiftImages,
  wordsOf,
} from '../reference/augment.js';
import { type CaseTable, defineCases } from '../types.js';

const WORD_MAX = 2 ** 32 - 1;

/** Seeds, streams and steps that reach both halves of a word. */
const keys = [
  { seed: 1, stream: 0x30000, step: 0 },
  { seed: WORD_MAX, stream: WORD_MAX, step: WORD_MAX },
  { seed: 0, stream: 0, step: 1 },
  { seed: 0x9e3779b9, stream: 0x30003, step: 77 },
];

/** Rows, height, width, channels: more rows than random words come at a time, lines around vector widths, one pixel. */
const shapes: readonly (readonly [number, number, number, number])[] = [
  [5, 6, 7, 3],
  [0, 4, 4, 3],
  [1, 1, 1, 1],
  [33, 3, 4, 1],
  [3, 28, 28, 1],
  [4, 9, 5, 2],
  [2, 5, 17, 4],
  [3, 1, 16, 1],
  [3, 15, 1, 5],
  [17, 2, 3, 17],
  [2, 8, 8, 16],
  [3, 4, 4, 0],
  [2, 3, 0, 2],
];

function images(seed: number, [rows, height, width, channels]: (typeof shapes)[number]) {
  const x = new Data(seed).normal(rows * height * width * channels);
  return { x, rows, height, width, channels, ...keys[seed % 4] };
}

const fills = [0, -1, 0.1, 2];
const spoiled = { ...images(40, [4, 5, 6, 3]), x: new Data(41).normal(4 * 90) };
for (const i of [3, 100, 101, 359]) spoiled.x[i] = Number.NaN;
const first = images(0, shapes[0]);
/** The first random word of row 2 as a share of all: the row is not flipped there, but by any greater probability. */
const shareOfRow2 = wordsOf(first, 2)[0] / 2 ** 32;

export const augmentCases = {
  shiftImages: defineCases<ShiftArguments>({
    samples: [
      ...shapes.flatMap((shape, i) =>
        [3, 0, 1, 5].map((most, j) => ({
          arguments: { ...images(4 * i + j, shape), vertical: most, horizontal: 3 + ((most * 7) % 5), fill: fills[j] },
        })),
      ),
      { note: 'nothing moves', arguments: { ...first, vertical: 0, horizontal: 0, fill: 7 }, expected: { y: first.x } },
      {
        note: 'far outside',
        arguments: { ...first, vertical: 2 ** 31 - 1, horizontal: 2 ** 31 - 1, fill: 0.5 },
        expected: { y: first.x.map(() => 0.5) },
      },
      { note: 'NaN', arguments: { ...spoiled, vertical: 2, horizontal: 1, fill: 0 } },
    ],
    reference: shiftImages,
  }),

  flipImages: defineCases<FlipArguments>({
    samples: [
      ...shapes.flatMap((shape, i) =>
        [true, false].map((vertical, j) => ({
          arguments: { ...images(2 * i + j, shape), vertical, probability: [0.5, 0.9][i % 2] },
        })),
      ),
      { note: 'never', arguments: { ...first, vertical: false, probability: 0 }, expected: { y: first.x } },
      { note: 'always', arguments: { ...first, vertical: true, probability: 1 } },
      ...[shareOfRow2, shareOfRow2 + 2 ** -33].map((probability) => ({
        note: 'at the word of a row',
        arguments: { ...first, vertical: false, probability },
      })),
      { note: 'NaN', arguments: { ...spoiled, vertical: false, probability: 0.5 } },
    ],
    reference: flipImages,
  }),

  rotateImages: defineCases<RotateArguments>({
    samples: [
      ...shapes.flatMap((shape, i) =>
        [0.1, Math.PI, 1].map((angle, j) => ({
          arguments: { ...images(3 * i + j, shape), angle, fill: fills[(i + j) % 4] },
        })),
      ),
      { note: 'no turn', arguments: { ...first, angle: 0, fill: 7 }, expected: { y: first.x } },
      { note: 'a huge angle', arguments: { ...first, angle: 1e15, fill: 0 } },
      { note: 'NaN', arguments: { ...spoiled, angle: 0.5, fill: 0 } },
    ],
    reference: rotateImages,
  }),

  cutImages: defineCases<CutArguments>({
    samples: [
      ...shapes.flatMap((shape, i) =>
        [3, 1, 4, 8].map((cutHeight, j) => ({
          arguments: { ...images(4 * i + j, shape), cutHeight, cutWidth: 3 + ((cutHeight * 7) % 5), fill: fills[j] },
        })),
      ),
      { note: 'nothing', arguments: { ...first, cutHeight: 3, cutWidth: 0, fill: 7 }, expected: { y: first.x } },
      {
        note: 'everything',
        arguments: { ...first, cutHeight: 2 ** 31 - 1, cutWidth: 2 ** 31 - 1, fill: 0.5 },
        expected: { y: first.x.map(() => 0.5) },
      },
      { note: 'NaN', arguments: { ...spoiled, cutHeight: 2, cutWidth: 3, fill: 0 } },
    ],
    reference: cutImages,
  }),

  mixRows: defineCases<MixArguments>({
    samples: [
      ...[...matricesAndEmpty, [3, 0] as const].flatMap(([rows, features], i) => ({
        arguments: {
          x: new Data(i).normal(rows * features),
          rows,
          features,
          alpha: [0.2, 1, 0.01, 40][i % 4],
          ...keys[(i + 1) % 4],
        },
      })),
      ...[1e-6, 1e-3, 1e6].map((alpha, i) => ({
        note: 'extreme distributions',
        arguments: { x: new Data(60 + i).normal(40 * 3), rows: 40, features: 3, alpha, ...keys[i] },
      })),
      {
        note: 'a row alone stays as it is',
        arguments: { x: [1, 2, 3], rows: 1, features: 3, alpha: 1, ...keys[0] },
        expected: { y: [1, 2, 3] },
      },
    ],
    reference: mixRows,
  }),
} satisfies CaseTable;
