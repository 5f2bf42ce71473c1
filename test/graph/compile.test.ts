import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  add,
  batchNorm,
  concat,
  conv2d,
  dense,
  dropout,
  flatten,
  globalAvgPool2d,
  input,
  meanSquaredError,
  multiply,
  relu,
  reshape,
  Sgd,
  shared,
  softmaxCrossEntropy,
  tanh,
} from '../../lib/index.js';
import { codeOf } from '../../lib/kernels/codes.js';
import { isBuffer } from '../../lib/kernels/signature.js';
import { signatureOf } from '../../lib/kernels/table.js';
import { layerTypes } from '../../lib/layers/layer.js';
import type { Optimizer } from '../../lib/optimizers/optimizer.js';
import { ProgramBuilder } from '../../lib/program/builder.js';
import { compile, hasUpdate, type Program, type ProgramKind, type ProgramRequest } from '../../lib/program/compile.js';
import { type Argument, type Instruction, isTensor, type Tensor } from '../../lib/program/instructions.js';
import { goalsOf, type Model } from '../../lib/program/model.js';
import { operationCases } from '../api/operation-cases.js';
import { elementwiseLayers, flatLayers, imageLayers } from '../interop/onnx/cases.js';
import { sharing } from '../program/lifetimes.js';
import { argumentOf, hasLoss, kernelsOf, kinds, request } from '../program/support.js';
import { findRace } from '../program/threads.js';
import { graphOf, modelOf, randomGraph } from './support.js';

/** A program of a graph, unchanged by rewrite rules and schedules unless asked for. */
function compiled(
  model: Model,
  kind: ProgramKind,
  { optimizer, capacity = 8, ...changes }: Partial<ProgramRequest> & { optimizer?: Optimizer } = {},
): Program {
  const updates = hasUpdate(kind);
  const goals = goalsOf(model).map(({ loss }) => ({ target: loss.targets[0], weighted: false }));
  const plain = { threading: undefined, rewrite: false, features: model.inputs.map(() => 'f32' as const) };
  const given = { ...plain, goals: hasLoss(kind) ? goals : [], ...changes };
  return compile(model, request(kind, capacity, given), updates ? (optimizer ?? new Sgd()) : undefined);
}

const frozen = (match: string | RegExp) => new Sgd({ groups: [{ match, frozen: true }] });
const count = ({ instructions }: Program, kernel: string) =>
  kernelsOf(instructions).filter((other) => other === kernel).length;
const isSum = ({ kernel, arguments: list }: Instruction) =>
  kernel === 'binary' && list.includes(codeOf('binary', 'add'));
const sums = ({ instructions }: Program) =>
  instructions.filter(isSum).map((instruction) => (argumentOf(instruction, 'y') as Tensor).name);
const backward = ({ instructions }: Program) =>
  kernelsOf(instructions)
    .filter((kernel) => kernel.includes('Backward'))
    .sort();

/**
 * Numbers for what a program computes: equal for values that come from the same kernels on the same values, wherever
 * they are stored. Sums count as equal whatever the order of their terms.
 */
class Values {
  readonly #numbers = new Map<string, number>();
  readonly #terms = new Map<number, readonly number[]>();

  #number(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    this.#numbers.set(text, this.#numbers.size);
    return this.#numbers.size - 1;
  }

  #sum(numbers: readonly number[]): number {
    const terms = numbers.flatMap((number) => this.#terms.get(number) ?? [number]).sort((a, b) => a - b);
    const sum = this.#number(`sum ${terms.join()}`);
    this.#terms.set(sum, terms);
    return sum;
  }

  /** What is in each gradient, result and total at the end of a program. */
  of({ instructions }: Program): Record<string, number> {
    const work = new Map<Tensor, number>();
    const named = new Map<string, number>();
    const key = ({ storage, name }: Tensor) => `${storage} ${name}`;
    const read = (tensor: Tensor, changed = false) => {
      const found = tensor.storage === 'work' ? work.get(tensor) : named.get(key(tensor));
      if (found !== undefined) return found;
      if (tensor.storage !== 'work') return this.#number(key(tensor));
      // What a kernel changes only in part, such as one of the parts of a concatenation, may be new.
      if (changed) return this.#number('nothing');
      throw new Error(`${tensor.name} is read before it is written`);
    };
    const text = (argument: Argument, changed: boolean) =>
      isTensor(argument) ? read(argument, changed) : JSON.stringify(argument);
    for (const instruction of instructions) {
      const { parameters } = signatureOf(instruction.kernel);
      const given = parameters.flatMap((parameter, i) =>
        isBuffer(parameter) && parameter.kind === 'out'
          ? []
          : [text(instruction.arguments[i], parameter.kind === 'inout')],
      );
      const results = parameters.flatMap((parameter, i): [Tensor, number][] => {
        const tensor = instruction.arguments[i];
        if (!isBuffer(parameter) || parameter.kind === 'in' || !isTensor(tensor)) return [];
        if (isSum(instruction)) {
          return [
            [
              tensor,
              this.#sum([argumentOf(instruction, 'a'), argumentOf(instruction, 'b')].map((a) => read(a as Tensor))),
            ],
          ];
        }
        return [[tensor, this.#number(`${instruction.kernel}.${parameter.name}(${given.join()})`)]];
      });
      for (const [tensor, number] of results) {
        if (tensor.storage === 'work') work.set(tensor, number);
        else named.set(key(tensor), number);
      }
    }
    return Object.fromEntries([...named].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a node with several users', () => {
  it('has the sum of their gradients', () => {
    const stem = input([4]).pipe(dense(4, { name: 'stem' }));
    const users = [stem.pipe(tanh()), stem.pipe(dense(4)), stem.pipe(dropout(0.5))];
    const program = compiled(modelOf(add(users[0], users[1], users[2])), 'gradients');
    // Two sums forward, two backward.
    expect(sums(program).length).toBe(4);
    const [weight, input1] = ['denseBackwardWeight', 'denseBackwardInput'].map((kernel) =>
      program.instructions.findLastIndex((other) => other.kernel === kernel),
    );
    const last = program.instructions.findLastIndex(isSum);
    expect(last).toBeLessThan(Math.min(weight, input1));
    const sum = argumentOf(program.instructions[last], 'y');
    expect(argumentOf(program.instructions[weight], 'dy')).toBe(sum);
    expect(argumentOf(program.instructions[input1], 'dy')).toBe(sum);
  });

  it('is added up once for a node that takes it twice', () => {
    const stem = input([4]).pipe(dense(4));
    // x + x: both gradients are dy.
    const twice = compiled(modelOf(add(stem, stem)), 'train');
    expect(sums(twice).length).toBe(2);
    const product = compiled(modelOf(multiply(stem, stem)), 'train');
    expect(sums(product).length).toBe(1);
  });

  it('and an output of its own has the gradient of that loss too', () => {
    const stem = input([4]).pipe(dense(4));
    const program = compiled(
      graphOf({
        a: { node: stem, loss: meanSquaredError() },
        b: { node: stem.pipe(tanh()), loss: meanSquaredError() },
        c: { node: stem, loss: softmaxCrossEntropy() },
      }),
      'train',
    );
    expect(sums(program).length).toBe(2);
    expect(count(program, 'denseBackwardWeight')).toBe(1);
  });

  it('is computed once', () => {
    const stem = input([4]).pipe(dense(4), tanh());
    const program = compiled(modelOf(concat(stem, stem.pipe(tanh()), stem)), 'predict');
    expect(count(program, 'denseForward')).toBe(1);
    expect(count(program, 'tanh')).toBe(2);
  });
});

/** The program whose gradients all go into memory of their own. */
function compiledApart(model: Model, kind: ProgramKind): Program {
  const hold = ProgramBuilder.prototype.hold;
  // Held twice, a gradient is needed for ever.
  const spy = vi.spyOn(ProgramBuilder.prototype, 'hold').mockImplementation(function (this: ProgramBuilder, dy) {
    hold.call(this, dy);
    hold.call(this, dy);
  });
  const program = compiled(model, kind);
  spy.mockRestore();
  return program;
}

describe('a gradient that another place needs', () => {
  const layers = [
    ...Object.entries({ ...elementwiseLayers, ...imageLayers, reshape: reshape([4, 64]) }).map(
      ([name, layer]) => [name, layer, [8, 8, 4]] as const,
    ),
    ...Object.entries(flatLayers).map(([name, layer]) => [name, layer, [6]] as const),
  ];
  it.each(layers)('is not overwritten by the layer: %s', (_, layer, shape) => {
    const model = modelOf(input(shape).pipe(layer));
    const inPlace = compiledApart(model, 'gradients').instructions.filter(({ kernel, arguments: list }) => {
      const { parameters } = signatureOf(kernel);
      const tensors = (kind: string) =>
        list.filter((argument, i) => isTensor(argument) && parameters[i].kind === kind) as Tensor[];
      return tensors('out').some((tensor) => tensors('in').includes(tensor));
    });
    expect(inPlace).toEqual([]);
  });

  it('has a case for every layer that has one input of numbers', () => {
    const tested = new Set(layers.map(([, { type }]) => type));
    const others = new Set([...Object.values(operationCases).map(({ layer }) => layer.type), 'embedding']);
    expect([...layerTypes()].filter((type) => !tested.has(type) && !others.has(type))).toEqual([]);
  });

  it('is never overwritten, in any of 300 random graphs', () => {
    const kinds = ['gradients', 'backward'] as const;
    let reused = 0;
    for (let seed = 0; seed < 300; seed++) {
      const model = graphOf(randomGraph(seed).outputs);
      for (const kind of kinds) {
        const values = new Values();
        const program = compiled(model, kind);
        const apart = compiledApart(model, kind);
        expect(values.of(program), `graph ${seed}, ${kind}`).toEqual(values.of(apart));
        const tensors = (of: Program) =>
          new Set(of.instructions.flatMap(({ arguments: list }) => list.filter(isTensor))).size;
        if (tensors(program) < tensors(apart)) reused++;
      }
    }
    // Else the test would compare programs with themselves.
    expect(reused).toBeGreaterThan(200);
  });

  it('is overwritten where nothing else needs it', () => {
    const program = compiled(modelOf(input([4]).pipe(dense(4), relu(), dense(4), tanh())), 'train');
    const backward = program.instructions.filter(({ kernel }) => /^(relu|tanh)Backward$/.test(kernel));
    expect(backward.map((each) => argumentOf(each, 'dx') === argumentOf(each, 'dy'))).toEqual([true, true]);
  });

  it('stays whole for the other branch of a sum', () => {
    const stem = input([4]).pipe(dense(4));
    const program = compiled(modelOf(add(stem.pipe(relu()), stem.pipe(tanh()))), 'train');
    const backward = program.instructions.filter(({ kernel }) => /^(relu|tanh)Backward$/.test(kernel));
    // The first to go backward leaves dy to the other one, which may overwrite it.
    expect(backward.map((each) => argumentOf(each, 'dx') === argumentOf(each, 'dy'))).toEqual([false, true]);
  });
});

describe('work that nobody needs', () => {
  const x = input([4], { name: 'x' });
  const other = input([4], { name: 'other' });

  it('is omitted for outputs without a loss', () => {
    const stem = x.pipe(dense(4));
    const model = graphOf({
      kind: { node: stem.pipe(dense(3)), loss: softmaxCrossEntropy() },
      code: other.pipe(dense(5), batchNorm()),
    });
    for (const kind of ['train', 'evaluate', 'gradients'] as const) {
      const program = compiled(model, kind);
      expect(count(program, 'denseForward'), kind).toBe(2);
      expect(count(program, 'batchNormInference'), kind).toBe(0);
      expect(
        program.feeds.map(({ name }) => name),
        kind,
      ).not.toContain('features.other');
    }
    expect(count(compiled(model, 'predict'), 'denseForward')).toBe(3);
    const hidden = compiled(model, 'predict', { outputs: ['dense_1'] });
    expect(kernelsOf(hidden.instructions)).toEqual(['gatherFloats', 'denseForward', 'identity']);
  });

  it('is omitted backward for branches without parameters', () => {
    const program = compiled(modelOf(add(x.pipe(tanh()), other.pipe(tanh(), dense(4, { bias: false })))), 'train');
    expect(backward(program)).toEqual(['denseBackwardWeight']);
    const given = compiled(modelOf(add(x.pipe(tanh()), other.pipe(tanh(), dense(4, { bias: false })))), 'gradients');
    expect(backward(given)).toEqual(['denseBackwardInput', 'denseBackwardWeight', 'tanhBackward', 'tanhBackward']);
  });

  it('is omitted backward for what the optimizer freezes, and before it', () => {
    const stem = x.pipe(dense(4, { name: 'stem', bias: false }), tanh(), dense(4, { name: 'next', bias: false }));
    const model = modelOf(stem.pipe(tanh(), dense(4, { name: 'head', bias: false })));
    const all = ['denseBackwardInput', 'denseBackwardInput', ...new Array(3).fill('denseBackwardWeight')];
    expect(backward(compiled(model, 'train'))).toEqual([...all, 'tanhBackward', 'tanhBackward']);
    expect(backward(compiled(model, 'train', { optimizer: frozen(/stem|next/) }))).toEqual(['denseBackwardWeight']);
    expect(backward(compiled(model, 'train', { optimizer: frozen('stem') }))).toEqual([
      'denseBackwardInput',
      'denseBackwardWeight',
      'denseBackwardWeight',
      'tanhBackward',
    ]);
    // What lies before frozen layers needs the gradients that go through them.
    expect(backward(compiled(model, 'train', { optimizer: frozen('next') }))).toEqual([
      'denseBackwardInput',
      'denseBackwardInput',
      'denseBackwardWeight',
      'denseBackwardWeight',
      'tanhBackward',
      'tanhBackward',
    ]);
    expect(backward(compiled(model, 'train', { optimizer: frozen(/./) }))).toEqual([]);
  });

  it('is omitted backward for a frozen branch, but not for the others', () => {
    const [a, b] = [x.pipe(dense(4, { name: 'a' }), tanh()), other.pipe(dense(4, { name: 'b' }), relu())];
    const program = compiled(modelOf(add(a, b)), 'train', { optimizer: frozen('a') });
    expect(backward(program)).toEqual(['denseBackwardBias', 'denseBackwardWeight', 'reluBackward']);
  });

  it('updates only what a loss reaches', () => {
    const model = graphOf({
      kind: { node: x.pipe(dense(3, { name: 'head' })), loss: softmaxCrossEntropy() },
      code: x.pipe(dense(5, { name: 'spare' })),
    });
    expect([...model.untrained]).toEqual(['spare.weight', 'spare.bias']);
    for (const kind of ['train', 'update'] as const) {
      const names = compiled(model, kind).instructions.flatMap(({ kernel, arguments: list }) =>
        kernel === 'sgd' ? [(list[0] as Tensor).name] : [],
      );
      expect(names, kind).toEqual(['parameters of head.weight to head.bias']);
    }
  });
});

describe('shared layers', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => input([4], { name }));

  it('have the sum of the gradients of their uses', () => {
    const encoder = shared(dense(3, { name: 'encoder' }), tanh());
    const program = compiled(modelOf(concat(a.pipe(encoder), b.pipe(encoder), c.pipe(encoder))), 'train');
    const written = (kernel: string, name: string) =>
      program.instructions
        .filter((other) => other.kernel === kernel)
        .map((other) => (argumentOf(other, name) as Tensor).storage);
    expect(written('denseBackwardWeight', 'dw')).toEqual(['gradient', 'work', 'work']);
    expect(written('denseBackwardBias', 'db')).toEqual(['gradient', 'work', 'work']);
    expect([...sums(program)].sort()).toEqual(['encoder.bias', 'encoder.bias', 'encoder.weight', 'encoder.weight']);
    // The update follows the sums.
    const lastSum = program.instructions.findLastIndex(isSum);
    expect(program.instructions.findIndex(({ kernel }) => kernel === 'sgd')).toBeGreaterThan(lastSum);
  });

  it('used once have nothing to add up', () => {
    expect(sums(compiled(modelOf(a.pipe(shared(dense(3)))), 'train'))).toEqual([]);
  });

  it('used on a branch that gives no gradient have those of the others', () => {
    const encoder = shared(dense(4, { name: 'encoder' }));
    const model = graphOf({ p: { node: a.pipe(encoder), loss: meanSquaredError() }, q: b.pipe(encoder) });
    const program = compiled(model, 'train');
    expect(sums(program)).toEqual([]);
    expect(count(program, 'denseBackwardWeight')).toBe(1);
    const reversed = graphOf({ q: b.pipe(encoder), p: { node: a.pipe(encoder), loss: meanSquaredError() } });
    expect([...reversed.untrained]).toEqual([]);
    expect(count(compiled(reversed, 'train'), 'sgd')).toBe(1);
  });

  it('one after the other are as many layers', () => {
    const step = shared(dense(4, { name: 'step' }), tanh());
    const program = compiled(modelOf(a.pipe(step, step, step)), 'train');
    expect(count(program, 'denseForward')).toBe(3);
    expect(count(program, 'denseBackwardInput')).toBe(2);
    expect([...sums(program)].sort()).toEqual(['step.bias', 'step.bias', 'step.weight', 'step.weight']);
  });

  it('on images share windows', () => {
    const [left, right] = ['left', 'right'].map((name) => input([5, 5, 2], { name }));
    const eye = shared(conv2d(3, { name: 'eye' }), globalAvgPool2d());
    const program = compiled(modelOf(concat(left.pipe(eye), right.pipe(eye)).pipe(dense(2))), 'train');
    expect(count(program, 'conv2dBackwardWeight')).toBe(2);
    expect([...sums(program)].sort()).toEqual(['eye.bias', 'eye.weight']);
    expect(left.pipe(flatten()).shape).toEqual([50]);
  });
});

describe('programs of random graphs', () => {
  const requests = Array.from({ length: 120 }, (_, seed) => {
    const model = graphOf(randomGraph(seed).outputs);
    return { seed, model, kind: kinds[seed % kinds.length] };
  });
  const threading = request('train', 1).threading;

  it('put no two tensors that are alive at once into the same memory', () => {
    let inTurn = 0;
    for (const { model, kind, seed } of requests) {
      for (const rewrite of [false, true]) {
        const found = sharing(compiled(model, kind, { capacity: 300_000, rewrite, ...(rewrite && { threading }) }));
        expect(found.atOnce, `graph ${seed}, ${kind}`).toEqual([]);
        inTurn += found.inTurn;
      }
    }
    expect(inTurn).toBeGreaterThan(100);
  });

  it('let no thread touch what another one writes before a barrier', () => {
    for (const { model, kind, seed } of requests) {
      const program = compiled(model, kind, { capacity: 40, rewrite: true, threading, threads: 2 });
      const race = findRace(program, 2, [40, 40, 13]);
      expect(race, `graph ${seed}, ${kind}: ${kernelsOf(program.instructions).join(' ')}`).toBeUndefined();
    }
  });

  it('read nothing that was not written before', () => {
    for (const { model, kind, seed } of requests) {
      const program = compiled(model, kind, { rewrite: true, threading, threads: 2, capacity: 1000 });
      expect(() => new Values().of(program), `graph ${seed}, ${kind}`).not.toThrow();
    }
  });

  it('end in the same places with and without rewrite rules', () => {
    for (const { model, kind } of requests) {
      const ends = (program: Program) =>
        Object.keys(new Values().of(program)).filter((name) => /^(gradient|feed)/.test(name));
      expect(ends(compiled(model, kind, { rewrite: true, threading }))).toEqual(ends(compiled(model, kind)));
    }
  });

  it('with several losses report each, and the total first', () => {
    const x = input([4]);
    const model = graphOf({
      a: { node: x.pipe(dense(3)), loss: softmaxCrossEntropy(), weight: 0.5 },
      b: { node: x.pipe(dense(3)), loss: meanSquaredError() },
    });
    const goals = [
      { target: 'labels', weighted: true },
      { target: 'targets', weighted: false },
    ] as const;
    const program = compiled(model, 'train', { goals });
    expect(program.reported).toBe(6);
    const totals = program.instructions.filter(({ kernel }) => kernel === 'addTotal');
    expect(totals.map((each) => argumentOf(each, 'factor'))).toEqual([0.5, 1]);
    expect(totals.map((each) => (argumentOf(each, 'total') as Tensor).offset)).toEqual([0, 0]);
    const weighed = program.instructions.filter(({ kernel }) => kernel === 'weighRows');
    expect(weighed.map((each) => [(argumentOf(each, 'y') as Tensor).name, argumentOf(each, 'scale')])).toEqual([
      ['loss.a.loss', 1],
      ['loss.a.dprediction', 0.5],
    ]);
    expect(program.feeds.map(({ name }) => name).sort()).toEqual([
      'features',
      'labels.a',
      'order',
      'targets.b',
      'weights.a',
    ]);
  });
});
