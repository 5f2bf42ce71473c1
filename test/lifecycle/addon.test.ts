import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { statuses } from '../../lib/backend/backend.js';
import type { Addon } from '../../lib/backend/native/addon.js';
import { encode, VERSION } from '../../lib/backend/native/encode.js';
import { dense, relu, Sgd } from '../../lib/index.js';
import { kernelNames, tableHash } from '../../lib/kernels/table.js';
import { describeNative } from '../api/support.js';
import { model, program } from '../program/support.js';
import { addonFile, reportOf, runFixture } from './child.js';

type Module = { initialize(...args: unknown[]): Addon };
// biome-ignore lint/suspicious/noExplicitAny: the point of these tests is to pass anything
type Any = any;

const shared = (bytes: number) => new SharedArrayBuffer(bytes);

describeNative('the addon, called directly', () => {
  const module = createRequire(import.meta.url)(addonFile) as Module;
  const addon = module.initialize('', tableHash) as Addon;
  const of = program(model([4], [dense(5), relu(), dense(3)]), 'train', 8, {}, new Sgd());
  const words = encode(of);
  const length = of.instructions.at(-1)?.arguments[3] as number;
  const segments = (): Any[] => [
    new Float32Array(shared(4 * length)),
    new Float32Array(shared(4 * length)),
    new Float32Array(shared(64)),
    new Float32Array(shared(64)),
    new Float32Array(shared(4 * of.workLength)),
    new Float64Array(shared(64)),
    new Float32Array(shared(4 * length)),
  ];
  const plan = () => new addon.Plan(words, segments());
  // As in the program's table: features, order, labels.
  const feeds = (): Any[] => [new Float32Array(shared(160)), null, new Int32Array(shared(40))];
  const numbers = () => Float64Array.of(10, 10, 8, 1, 1, 1, 0, 0, 1, 2, 1, 0, 1, 0, 1, 0);
  const scalars = () => new Float64Array(shared(8 * 4)).fill(0.1);
  const report = () => new Float64Array(shared(8 * 8));
  const control = () => new Int32Array(shared(64));

  function refused(call: () => unknown, message: RegExp): void {
    let error: Any;
    try {
      call();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(Error);
    expect(error.message).toMatch(message);
  }

  it('initialize takes the kernel table that it was built with, and no other', () => {
    for (const args of [[], [''], ['', 5], [5, tableHash], ['', [tableHash]], ['', tableHash, 1]])
      refused(() => module.initialize(...args), /expected simd and hash/);
    for (const hash of ['', tableHash.slice(1), `${tableHash}0`, tableHash.toUpperCase()])
      refused(() => module.initialize('', hash), /built for another version/);
    refused(() => module.initialize('sse9', tableHash), /no kernel set 'sse9'/);
  });

  it('a plan is made of words and seven blocks of shared memory', () => {
    expect(plan()).toBeInstanceOf(addon.Plan);
    const make =
      (...args: Any[]) =>
      () =>
        new (addon.Plan as Any)(...args);
    refused(() => (addon.Plan as Any)(words, segments()), /new|constructor/);
    refused(make(), /expected words and a list of segments/);
    refused(make(words), /expected words and a list/);
    refused(make(words, 5), /expected words and a list/);
    refused(make([...words], segments()), /words: expected a typed array/);
    refused(make(new Float32Array(words), segments()), /words: a typed array of another type/);
    refused(make(words, segments().slice(1)), /wrong number of segments/);
    for (let i = 0; i < 7; i++) {
      const replaced = (value: unknown) => segments().map((segment, at) => (at === i ? value : segment));
      refused(make(words, replaced(null)), /segment: expected a typed array/);
      refused(make(words, replaced(new Float32Array(1e4))), /shared memory/);
      refused(make(words, replaced(new Uint8Array(shared(1e5), 4))), /not aligned/);
    }
    for (const i of [0, 1, 4, 5]) {
      const replaced = segments().map((segment, at) => (at === i ? segment.subarray(0, 1) : segment));
      refused(make(words, replaced), /leaves its block|too short/);
    }
  });

  it('a truncated program is refused at every length', () => {
    for (let end = 0; end < words.length; end++)
      refused(() => new addon.Plan(words.slice(0, end), segments()), /^program: /);
    refused(() => new addon.Plan(Float64Array.of(...words, 0), segments()), /words after the last instruction/);
  });

  it('a run brings feeds, numbers, scalars and a report that fit', () => {
    const good = plan();
    const run = (changes: Record<number, unknown>) => () => {
      const args: Any[] = [feeds(), numbers(), scalars(), report()];
      for (const [at, value] of Object.entries(changes)) args[Number(at)] = value;
      return (good as Any).runSync(...args);
    };
    expect(run({})()).toBe(statuses.indexOf('done'));
    refused(() => (good as Any).runSync(), /expected feeds/);
    refused(run({ 0: null }), /expected feeds/);
    refused(run({ 0: [] }), /wrong number of feeds/);
    refused(run({ 0: [null, ...feeds().slice(1)] }), /too short/);
    refused(run({ 0: [feeds()[0].subarray(1), ...feeds().slice(1)] }), /too short/);
    refused(run({ 0: [5, ...feeds().slice(1)] }), /feed: expected a typed array/);
    refused(run({ 0: [...feeds(), null] }), /wrong number of feeds/);
    refused(run({ 0: feeds().with(2, new Float32Array(10)) }), /feed 2: its buffer is of another type/);
    refused(run({ 0: feeds().with(0, new Int16Array(80)) }), /feed: wrong type of array/);
    refused(run({ 1: [1, 2, 3] }), /numbers: expected a typed array/);
    for (const length of [0, 9, 10, 15, 17]) refused(run({ 1: new Float64Array(length) }), /wrong number of numbers/);
    refused(run({ 2: undefined }), /scalars/);
    refused(run({ 2: new Float64Array(1) }), /too few scalars/);
    refused(run({ 3: new Float64Array(3) }), /report is too short/);
    refused(run({ 3: new Float32Array(8) }), /report/);
    // All but scale and offset of the feeds.
    for (let at = 0; at < 10; at++) {
      for (const bad of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 33, 1e300]) {
        const changed = numbers();
        changed[at] = bad;
        refused(run({ 1: changed }), /out of range/);
      }
    }
    for (const batches of [1, 3]) refused(run({ 1: numbers().with(9, batches) }), /batches: they don't make up/);
    expect(run({ 1: numbers().with(9, 0) })()).toBe(statuses.indexOf('done'));
    refused(run({ 1: numbers().with(2, 9) }), /out of range/);
    refused(run({ 1: numbers().with(0, 11).with(1, 11) }), /too short/);
    for (const threads of [0, 257]) refused(run({ 1: numbers().with(8, threads) }), /threads: out of range/);
  });

  it('an asynchronous run wants shared memory, a control array and a callback', async () => {
    const good = plan() as Any;
    const done = () => {};
    refused(() => good.run(feeds(), numbers(), scalars(), report()), /control array and a callback/);
    refused(() => good.run(feeds(), numbers(), scalars(), report(), control()), /control array and a callback/);
    refused(() => good.run(feeds(), numbers(), scalars(), report(), control(), 5), /control array and a callback/);
    refused(
      () => good.run(feeds(), numbers(), scalars(), report(), new Int32Array(16), done),
      /control: expected shared memory/,
    );
    refused(
      () => good.run(feeds(), numbers(), scalars(), report(), control().subarray(15), done),
      /control: expected shared memory/,
    );
    refused(
      () => good.run([new Float32Array(40), ...feeds().slice(1)], numbers(), scalars(), report(), control(), done),
      /needs shared memory/,
    );
    refused(() => good.run(feeds(), numbers(), new Float64Array(4), report(), control(), done), /needs shared memory/);
    refused(() => good.run(feeds(), numbers(), scalars(), new Float64Array(8), control(), done), /needs shared memory/);
    // After all of this it still runs, and is busy while it does.
    const result = await new Promise((resolve) => {
      good.run(feeds(), numbers(), scalars(), report(), control(), (error: unknown, value: unknown) =>
        resolve(error ?? value),
      );
      refused(() => good.runSync(feeds(), numbers(), scalars(), report()), /running already/);
      refused(() => good.run(feeds(), numbers(), scalars(), report(), control(), done), /running already/);
    });
    expect(result).toMatchObject({ status: 'done', steps: 2 });
  });

  it('getters among the elements can not pull memory away from under a call', () => {
    const detach = (buffer: ArrayBufferLike) =>
      structuredClone(buffer as ArrayBuffer, { transfer: [buffer as ArrayBuffer] });
    const withGetter = (list: Any[], at: number, buffer: ArrayBufferLike) => {
      const value = list[at];
      return Object.defineProperty([...list], at, {
        get() {
          if (buffer.byteLength > 0) detach(buffer);
          return value;
        },
      });
    };
    const x = new Float32Array(40);
    refused(
      () => plan().runSync(withGetter([x, ...feeds().slice(1)], 1, x.buffer), numbers(), scalars(), report()),
      /too short/,
    );
    const copy = words.slice();
    refused(() => new addon.Plan(copy, withGetter(segments(), 3, copy.buffer)), /malformed header/);
    const [y, a] = [new Float32Array(1 << 16), new Float32Array(1 << 16)];
    const relu = kernelNames.indexOf('relu');
    refused(() => addon.callKernel(relu, withGetter([y, a, 1 << 16], 2, y.buffer) as Any), /too short/);
    const b = new Float32Array(1 << 16);
    const second = Object.defineProperty([relu, 0], 1, {
      get() {
        if (b.length > 0) detach(b.buffer);
        return [a, a, 4];
      },
    });
    refused(() => addon.repeatKernels([[relu, [b, a, 1 << 16]], second] as Any, 1), /too short/);
  });

  it('getters among the elements can not make a list longer after its length was checked', () => {
    const growing = (first: unknown, length: number, rest: unknown) => {
      const list: Any[] = [];
      Object.defineProperty(list, 0, {
        get() {
          while (list.length < length) list.push(rest);
          return first;
        },
      });
      return list;
    };
    const relu = kernelNames.indexOf('relu');
    // Each list is as long as it was when the call began.
    refused(() => addon.callKernel(0, growing(1, 100_000, 1.5)), /wrong number of arguments/);
    refused(() => addon.repeatKernels([[0, growing(1, 100_000, 1.5)]], 1), /wrong number of arguments/);
    const x = new Float32Array(4);
    expect(addon.repeatKernels(growing([relu, [x, x, 4]], 1000, 'never read') as Any, 1)).toBeGreaterThanOrEqual(0);
    refused(() => new addon.Plan(words, growing(null, 100_000, null)), /wrong number of segments/);
    refused(
      () => plan().runSync(growing(null, 100_000, null), numbers(), scalars(), report()),
      /wrong number of feeds/,
    );
    const sparse: Any[] = [];
    sparse.length = 2 ** 32 - 1;
    refused(() => addon.callKernel(0, sparse), /expected a kernel/);
    refused(() => addon.repeatKernels(sparse, 1), /expected a kernel/);
  });

  it('setters on prototypes can not take away what an object of the addon must hold', () => {
    const result = runFixture('setters', { args: [addonFile] });
    expect(reportOf(result)).toEqual({
      collected: 0,
      segments: 'frozen',
      code: 'INTERNAL',
      info: true,
      result: ['done', 2, true],
    });
  });

  it('methods know their receiver', () => {
    const { run, runSync } = addon.Plan.prototype as Any;
    for (const receiver of [
      undefined,
      null,
      5,
      {},
      [],
      addon,
      Object.create(addon.Plan.prototype),
      new Float32Array(4),
    ]) {
      for (const method of [run, runSync]) {
        refused(
          () => method.call(receiver, feeds(), numbers(), scalars(), report(), control(), () => {}),
          /Illegal invocation|Invalid argument/,
        );
      }
    }
  });

  it('other functions refuse what does not fit', () => {
    const raw = addon as Any;
    for (const args of [
      [],
      [0],
      [0, 5],
      [-1, []],
      [kernelNames.length, []],
      [0.5, []],
      [Number.NaN, []],
      ['relu', []],
      [0, [1, 2]],
    ]) {
      refused(() => raw.callKernel(...args), /callKernel|kernel: expected/);
    }
    for (const args of [[], [5, 1], [[5], 1], [[[]], 1], [[], -1], [[], 'x'], [[], Number.NaN]])
      refused(() => raw.repeatKernels(...args), /.+/);
    for (const value of [undefined, 5, new ArrayBuffer(8), new Float32Array(2)])
      refused(() => raw.adopt(value), /view/);
    for (const value of [undefined, 5, 'buffer']) refused(() => raw.count(value, 8), /buffer/);
    for (const value of [undefined, -1, Number.NaN, 2 ** 60, '8']) {
      refused(() => raw.count(new SharedArrayBuffer(8), value), /bytes/);
    }
    for (const value of [undefined, Number.NaN, 2 ** 60, -Number.POSITIVE_INFINITY, '8'])
      refused(() => raw.countMore(value), /bytes/);
    expect(raw.info(1, 2, 3).simd.set).toBeTypeOf('string');
    expect(raw.stop(5)).toBeUndefined();
  });
});

describeNative('the addon under random calls', () => {
  it.each([
    ['plans', '1', '6000'],
    ['plans', '2', '6000'],
    ['runs', '3', '4000'],
    ['kernels', '4', '40000'],
  ])('%s (seed %s): an error or a result each time, never a crash', (what, seed, rounds) => {
    const result = runFixture('hostile', { args: [addonFile, what, seed, rounds], timeout: 50 });
    const { refused, taken, wrong } = reportOf<{ refused: number; taken: number; wrong: string[] }>(result);
    expect(wrong).toEqual([]);
    expect(refused + taken).toBe(Number(rounds));
    expect(refused).toBeGreaterThan(Number(rounds) / 10);
    expect(taken).toBeGreaterThan(0);
  });
});

describe('the encoding', () => {
  it('has a header, three numbers for each feed, and each instruction as five and four for each argument', () => {
    const of = program(model([4], [dense(5), relu(), dense(3)]), 'predict', 8);
    const words = encode(of);
    expect([...words.subarray(0, 10)]).toEqual([VERSION, of.instructions.length, 8, 0, 1, 3, 0, 0, 0, 0]);
    // Features and order to pick from, output to write.
    expect([...words.subarray(10, 19)]).toEqual([1, 0, 4, 3, 2, 1, 2, 0, 3]);
    const total = of.instructions.reduce((sum, instruction) => sum + 5 + 4 * instruction.arguments.length, 19);
    expect(words.length).toBe(total);
    expect(words.every(Number.isFinite)).toBe(true);
  });
});
