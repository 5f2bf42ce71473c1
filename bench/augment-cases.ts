import { type KernelCase, type Operands, on } from './operands.js';

/** A batch of CIFAR-10, the seed, stream and step of its draws, and a classifier's targets. */
const [ROWS, SIDE, CHANNELS] = [128, 32, 3];
const FEATURES = SIDE * SIDE * CHANNELS;
const N = ROWS * FEATURES;
const draws = [1, 2, 3] as const;
const images = (o: Operands) => [...o.floats(N, N), ROWS, SIDE, SIDE, CHANNELS] as const;

export const augmentCases: readonly KernelCase[] = [
  ...on(`${ROWS} × ${SIDE}×${SIDE}×${CHANNELS}`, [
    (o) => ['shiftImages', ...images(o), 4, 4, 0, ...draws],
    (o) => ['flipImages', ...images(o), false, 0.5, ...draws],
    (o) => ['rotateImages', ...images(o), Math.PI / 18, 0, ...draws],
    (o) => ['cutImages', ...images(o), 8, 8, 0, ...draws],
    (o) => ['mixRows', ...o.floats(N, N), ROWS, FEATURES, 0.2, ...draws],
  ]),
];
