import { BlasnetError } from '../../errors.js';
import type { ElementType } from '../../kernels/signature.js';
import { signatureOf } from '../../kernels/table.js';
import type { Program } from '../../program/compile.js';
import {
  type Argument,
  type FeedEntry,
  type Instruction,
  isTensor,
  type Symbolic,
  type Tensor,
} from '../../program/instructions.js';
import { Stream } from '../../random.js';
import { turn } from '../../timers.js';
import {
  type Control,
  control as controlWords,
  type Executable,
  type FeedArray,
  type Memory,
  type RunRequest,
  type RunResult,
} from '../backend.js';
import { calls, kernels } from './kernels.js';

type Operand = FeedArray | Float64Array | number | null;

/** Milliseconds that a run blocks the event loop at a time. */
const SLICE = 8;

type ViewConstructor = {
  new (buffer: ArrayBufferLike, offset: number, length: number): Operand;
  BYTES_PER_ELEMENT: number;
};
const constructors: Record<ElementType, ViewConstructor> = {
  f32: Float32Array,
  f64: Float64Array,
  i32: Int32Array,
  u8: Uint8Array,
};

/** A kernel call with its operands; `late` lists those that are known only in a run or a step. */
interface Call {
  readonly run: (...operands: Operand[]) => void;
  readonly operands: Operand[];
  readonly guard: boolean;
  readonly conditional: boolean;
  readonly late: readonly { readonly at: number; readonly argument: Tensor | Symbolic }[];
}

/** The values that a step's operands depend on. */
interface Step {
  readonly request: RunRequest;
  readonly order: Int32Array;
  /** First row of the batch in the order, and its number of rows. */
  readonly begin: number;
  readonly rows: number;
  /** Index of the step within the run. */
  readonly index: number;
  readonly scalarCount: number;
}

function view(type: ElementType, block: Float32Array | Float64Array, offset: number, length: number): Operand {
  const constructor = constructors[type];
  return new constructor(block.buffer, block.byteOffset + offset * constructor.BYTES_PER_ELEMENT, length);
}

function bind(instruction: Instruction, memory: Memory, capacity: number): Call {
  const operands: Operand[] = [];
  const late: { at: number; argument: Tensor | Symbolic }[] = [];
  instruction.arguments.forEach((argument: Argument, at) => {
    if (argument === null || typeof argument === 'number') operands.push(argument);
    else if (isTensor(argument) && argument.storage !== 'feed') {
      operands.push(
        view(argument.type, memory[argument.storage], argument.offset, argument.perRow * capacity + argument.fixed),
      );
    } else {
      operands.push(null);
      late.push({ at, argument });
    }
  });
  const { kernel, guard, conditional = false } = instruction;
  return { run: calls[kernel], operands, guard, conditional, late };
}

function resolve(argument: Tensor | Symbolic, { request, order, begin, rows, index, scalarCount }: Step): Operand {
  if ('storage' in argument) {
    const { name, role } = argument.feed as FeedEntry;
    const source = role === 'order' ? order : request.feeds[name]?.values;
    if (source === undefined) throw new BlasnetError('INTERNAL', `nothing is bound to the feed ${name}`);
    return argument.perRow === 0 ? source : source.subarray(begin * argument.perRow, (begin + rows) * argument.perRow);
  }
  switch (argument.symbol) {
    case 'rows':
      return rows * argument.times;
    case 'sourceRows':
      return request.rows;
    case 'scalar':
      return request.scalars[index * scalarCount + argument.slot];
    case 'step':
      return (request.step + index) >>> 0;
    case 'share':
      return 1;
    case 'scale':
      return request.feeds[argument.feed.name]?.scale ?? 1;
    case 'length':
      return request.feeds[argument.feed.name]?.values.length ?? 0;
    case 'offset':
      return request.feeds[argument.feed.name]?.offset ?? 0;
  }
}

/** Throws if a feed is too short for the run's rows: kernels would read undefined, and count it as a number. */
function checkFeeds({ feeds }: Program, request: RunRequest): void {
  for (const { name, role, perRow } of feeds) {
    if (role === 'order' || role === 'entries') continue;
    const needed = (role === 'source' ? request.rows : request.drawn) * perRow;
    if ((request.feeds[name]?.values.length ?? 0) < needed)
      throw new BlasnetError('INTERNAL', `run: feed ${name}: its buffer is too short`);
  }
}

/** Runs a program with the TypeScript kernels on the calling thread. */
export class TypeScriptExecutable implements Executable {
  readonly #calls: readonly Call[];
  readonly #memory: Memory;
  readonly #program: Program;

  constructor(program: Program, memory: Memory) {
    for (const { kernel, arguments: list } of program.instructions) {
      if (list.length !== signatureOf(kernel).parameters.length)
        throw new BlasnetError('INTERNAL', `${kernel}: wrong number of arguments`);
    }
    this.#calls = program.instructions.map((instruction) => bind(instruction, memory, program.request.capacity));
    this.#memory = memory;
    this.#program = program;
  }

  runSync(request: RunRequest): RunResult {
    const run = this.#start(request);
    while (!run.finished) run.advance(Number.POSITIVE_INFINITY);
    return run.result();
  }

  async run(request: RunRequest, control: Control): Promise<RunResult> {
    const run = this.#start(request);
    while (!run.finished) {
      await turn();
      if (Atomics.load(control, controlWords.cancel) !== 0) run.cancel();
      else run.advance(SLICE);
      Atomics.store(control, controlWords.steps, run.steps);
    }
    return run.result();
  }

  #start(request: RunRequest): Run {
    checkFeeds(this.#program, request);
    return new Run(request, this.#calls, this.#memory.metric, this.#program);
  }
}

/** The state of one run between its slices. */
class Run {
  readonly #request: RunRequest;
  readonly #calls: readonly Call[];
  readonly #metric: Float64Array;
  readonly #program: Program;
  readonly #order: Int32Array;
  readonly #stepsPerEpoch: number;
  readonly #totalSteps: number;
  #status: RunResult['status'] = 'done';
  #milliseconds = 0;
  steps = 0;
  finished: boolean;

  constructor(request: RunRequest, calls: readonly Call[], metric: Float64Array, program: Program) {
    this.#request = request;
    this.#calls = calls;
    this.#metric = metric;
    this.#program = program;
    // An epoch uses the first rows of a permutation of all rows.
    this.#order = new Int32Array(request.sampling === 'shuffle' ? request.rows : request.drawn);
    for (let i = 0; i < this.#order.length; i++) this.#order[i] = i;
    this.#stepsPerEpoch = request.batches ?? Math.ceil(request.drawn / request.batchSize);
    this.#totalSteps = this.#stepsPerEpoch * request.epochs;
    this.finished = this.#totalSteps === 0;
  }

  cancel(): void {
    this.#status = 'cancelled';
    this.finished = true;
  }

  result(): RunResult {
    return { status: this.#status, steps: this.steps, seconds: this.#milliseconds / 1000 };
  }

  /** Runs steps until `budget` milliseconds have passed or the run ends. */
  advance(budget: number): void {
    const start = performance.now();
    let now = start;
    while (!this.finished && now - start < budget) {
      this.#step();
      now = performance.now();
    }
    this.#milliseconds += now - start;
  }

  #beginEpoch(index: number): void {
    const { rows, drawn, sampling, seed, epoch } = this.#request;
    if (sampling === 'shuffle') kernels.permutation(this.#order, rows, seed, Stream.shuffle, epoch + index);
    else if (sampling === 'withReplacement')
      kernels.drawWithReplacement(this.#order, drawn, rows, seed, Stream.shuffle, epoch + index);
  }

  #step(): void {
    const { drawn, batchSize, report, profile = null } = this.#request;
    const { scalarCount, condition, loss, reported } = this.#program;
    const inEpoch = this.steps % this.#stepsPerEpoch;
    if (inEpoch === 0) this.#beginEpoch(this.steps / this.#stepsPerEpoch);
    const begin = inEpoch * batchSize;
    const step: Step = {
      request: this.#request,
      order: this.#order,
      begin,
      rows: inEpoch === this.#stepsPerEpoch - 1 ? drawn - begin : batchSize,
      index: this.steps,
      scalarCount,
    };
    const complete = condition === undefined || this.#request.scalars[this.steps * scalarCount + condition] !== 0;
    for (const [i, call] of this.#calls.entries()) {
      if (call.conditional && !complete) continue;
      for (const { at, argument } of call.late) call.operands[at] = resolve(argument, step);
      if (profile === null) call.run(...call.operands);
      else {
        const begin = performance.now();
        call.run(...call.operands);
        profile[2 * i] += (performance.now() - begin) / 1000;
      }
      if (call.guard && !Number.isFinite(this.#metric[loss])) {
        this.#status = 'nonFinite';
        this.finished = true;
        return;
      }
    }
    report?.set(this.#metric.subarray(0, reported), reported * this.steps);
    this.steps++;
    this.finished = this.steps === this.#totalSteps;
  }
}
