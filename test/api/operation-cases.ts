import { merge, type Node } from '../../lib/graph/node.js';
import {
  abs,
  clip,
  exp,
  type LayerSpec,
  log,
  logSumExp,
  max,
  mean,
  pad,
  permute,
  power,
  reshape,
  scale,
  slice,
  sqrt,
  square,
  sum,
  upsample2d,
} from '../../lib/index.js';
import {
  addSpec,
  averageSpec,
  concatSpec,
  divideSpec,
  dotSpec,
  matmulSpec,
  maximumSpec,
  minimumSpec,
  multiplySpec,
  subtractSpec,
} from '../../lib/layers/merge.js';
import type { Shape } from '../../lib/program/instructions.js';

/** An operation on nodes: its inputs' shapes, the result's shape, and whether its inputs must be positive. */
export interface OperationCase {
  readonly inputs: readonly Shape[];
  readonly output: Shape;
  readonly positive?: boolean;
  readonly layer: LayerSpec;
}

const of = (inputs: readonly Shape[], output: Shape, layer: LayerSpec, positive = false): OperationCase => {
  return { inputs, output, layer, positive };
};
const one = (input: Shape, output: Shape, layer: LayerSpec, positive = false) => of([input], output, layer, positive);

/** Also those of test/torch/operations.py, under the same names. */
export const operationCases: Readonly<Record<string, OperationCase>> = {
  add: of(
    [
      [3, 4],
      [3, 4],
    ],
    [3, 4],
    addSpec(),
  ),
  'add three, broadcast': of([[3, 4], [4], [3, 1]], [3, 4], addSpec()),
  subtract: of(
    [
      [3, 4],
      [3, 4],
    ],
    [3, 4],
    subtractSpec(),
  ),
  'subtract, broadcast': of([[4], [3, 4]], [3, 4], subtractSpec()),
  multiply: of(
    [
      [3, 4],
      [3, 4],
    ],
    [3, 4],
    multiplySpec(),
  ),
  'multiply three': of([[5], [5], [5]], [5], multiplySpec()),
  'multiply, broadcast': of(
    [
      [2, 3, 4],
      [1, 1, 4],
    ],
    [2, 3, 4],
    multiplySpec(),
  ),
  'multiply by a number': of([[2, 3], [1]], [2, 3], multiplySpec()),
  'outer product': of(
    [
      [3, 1],
      [1, 5],
    ],
    [3, 5],
    multiplySpec(),
  ),
  divide: of(
    [
      [3, 4],
      [3, 4],
    ],
    [3, 4],
    divideSpec(),
    true,
  ),
  'divide, broadcast': of(
    [
      [3, 4],
      [3, 1],
    ],
    [3, 4],
    divideSpec(),
    true,
  ),
  maximum: of([[7], [7]], [7], maximumSpec()),
  minimum: of([[7], [7]], [7], minimumSpec()),
  average: of(
    [
      [3, 2],
      [3, 2],
      [3, 2],
    ],
    [3, 2],
    averageSpec(),
  ),
  concat: of(
    [
      [2, 3],
      [2, 1],
      [2, 5],
    ],
    [2, 9],
    concatSpec(),
  ),
  'concat, first dimension': of(
    [
      [2, 3],
      [1, 3],
    ],
    [3, 3],
    concatSpec({ axis: 0 }),
  ),
  'concat, middle dimension': of(
    [
      [2, 3, 4],
      [2, 2, 4],
    ],
    [2, 5, 4],
    concatSpec({ axis: -2 }),
  ),
  matmul: of(
    [
      [3, 4],
      [4, 5],
    ],
    [3, 5],
    matmulSpec(),
  ),
  'matmul, first transposed': of(
    [
      [4, 3],
      [4, 5],
    ],
    [3, 5],
    matmulSpec({ transposeA: true }),
  ),
  'matmul, second transposed': of(
    [
      [3, 4],
      [5, 4],
    ],
    [3, 5],
    matmulSpec({ transposeB: true }),
  ),
  'matmul, both transposed': of(
    [
      [4, 3],
      [5, 4],
    ],
    [3, 5],
    matmulSpec({ transposeA: true, transposeB: true }),
  ),
  'matmul of several': of(
    [
      [2, 3, 4],
      [2, 4, 5],
    ],
    [2, 3, 5],
    matmulSpec(),
  ),
  dot: of([[6], [6]], [1], dotSpec()),
  'dot of several': of(
    [
      [2, 6],
      [2, 6],
    ],
    [2],
    dotSpec(),
  ),
  exp: one([2, 3], [2, 3], exp()),
  log: one([2, 3], [2, 3], log(), true),
  sqrt: one([2, 3], [2, 3], sqrt(), true),
  square: one([2, 3], [2, 3], square()),
  abs: one([2, 3], [2, 3], abs()),
  power: one([2, 3], [2, 3], power(3)),
  'power of a fraction': one([2, 3], [2, 3], power(-0.7), true),
  clip: one([4, 4], [4, 4], clip(-0.5, 0.8)),
  'clip at its limits': one([9], [9], clip(-1, 1)),
  scale: one([2, 3], [2, 3], scale(2.5, -0.5)),
  sum: one([2, 3, 4], [1], sum()),
  'sum, kept': one([2, 3, 4], [2, 1, 4], sum({ axis: 1, keepDimension: true })),
  mean: one([2, 3, 4], [3], mean({ axis: [-1, 0] })),
  'mean of the last': one([2, 3, 4], [2, 3], mean({ axis: -1 })),
  max: one([4, 5], [4], max({ axis: 1 })),
  'max of the first': one([4, 5], [5], max({ axis: 0 })),
  logSumExp: one([4, 5], [4], logSumExp({ axis: 1 })),
  'logSumExp of the first': one([4, 5], [5], logSumExp({ axis: 0 })),
  reshape: one([2, 6], [3, 4], reshape([3, -1])),
  permute: one([2, 3, 4], [4, 2, 3], permute([2, 0, 1])),
  'permute four': one([2, 3, 2, 3], [3, 3, 2, 2], permute([3, 1, 2, 0])),
  slice: one([4, 5], [2, 3], slice({ begin: [1, 2], end: [3, 5] })),
  'slice from the end': one([4, 5, 2], [3, 4, 1], slice({ begin: [-3, 0, 0], end: [4, -1, 1] })),
  pad: one(
    [2, 3],
    [6, 5],
    pad(
      [
        [1, 3],
        [2, 0],
      ],
      { value: 0.5 },
    ),
  ),
  upsample2d: one([2, 3, 2], [4, 9, 2], upsample2d([2, 3])),
};

/** The node of a case on these nodes. */
export function applied({ layer }: OperationCase, nodes: readonly Node[]): Node {
  return nodes.length === 1 ? nodes[0].pipe(layer) : merge(layer, nodes);
}
