import { BlasnetError } from '../../errors.js';
import type { Program } from '../../program/compile.js';
import { type Argument, type Instruction, isTensor, metrics, type Symbolic, type Tensor } from '../../program/instructions.js';
import { type ElementType, signatureOf } from '../../program/signatures.js';
import { Stream } from '../../random.js';
import {
  type Control,
  control as controlWords,
  type Executable,
  type FeedArray,
  type Memory,
  type RunRequest,
  type RunResult,
} from '../backend.js';
import { kernels } from './kernels/index.js';

type Operand = FeedArray | Float64Array | number | null;
type KernelFunction = (...operands: Operand[]) => void;

/** Milliseconds that a run keeps the event loop to itself. */
const SLICE = 8;

type ViewConstructor = { new (buffer: ArrayBufferLike, offset: number, length: number): Operand; BYTES_PER_ELEMENT: number };
const constructors: Record<ElementType, ViewConstructor> = {
  f32: Float32Array,
  f64: Float64Array,
  i32: Int32Array,
  u8: Uint8Array,
};

/** A kernel call with its operands; `late` are those that only a run or a step can tell. */
interface Call {
  readonly run: KernelFunction;
  readonly operands: Operand[];
  readonly guard: boolean;
  readonly late: readonly { readonly at: number; readonly argument: Tensor | Symbolic }[];
}

/** What the operands of a step depend on. */
interface Step {
  readonly request: RunRequest;
  readonly order: Int32Array;
  /** First row of the batch in the order, and its rows. */
  readonly begin: number;
  readonly rows: number;
  /** Steps since the run began. */
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
      operands.push(view(argument.type, memory[argument.storage], argument.offset, argument.perRow * capacity + argument.fixed));
    } else {
      operands.push(null);
      late.push({ at, argument });
    }
  });
  return { run: kernels[instruction.kernel] as unknown as KernelFunction, operands, guard: instruction.guard, late };
}

function resolve(argument: Tensor | Symbolic, { request, order, begin, rows, index, scalarCount }: Step): Operand {
  if ('storage' in argument) {
    const source = argument.feed === 'order' ? order : request.feeds[argument.feed as keyof typeof request.feeds];
    if (source === undefined) throw new BlasnetError('INTERNAL', `nothing is bound to the feed ${argument.feed}`);
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
    default:
      return request[argument.symbol];
  }
}

/** Runs a program with the TypeScript kernels, on the thread that asks. */
export class TypeScriptExecutable implements Executable {
  readonly #calls: readonly Call[];
  readonly #memory: Memory;
  readonly #scalarCount: number;

  constructor(program: Program, memory: Memory) {
    for (const { kernel, arguments: list } of program.instructions) {
      if (list.length !== signatureOf(kernel).parameters.length)
        throw new BlasnetError('INTERNAL', `${kernel}: wrong number of arguments`);
    }
    this.#calls = program.instructions.map((instruction) => bind(instruction, memory, program.request.capacity));
    this.#memory = memory;
    this.#scalarCount = program.scalarCount;
  }

  runSync(request: RunRequest): RunResult {
    const run = this.#start(request);
    while (!run.finished) run.advance(Number.POSITIVE_INFINITY);
    return run.result();
  }

  async run(request: RunRequest, control: Control): Promise<RunResult> {
    const run = this.#start(request);
    while (!run.finished) {
      await new Promise<void>((done) => setImmediate(done));
      if (Atomics.load(control, controlWords.cancel) !== 0) run.cancel();
      else run.advance(SLICE);
      Atomics.store(control, controlWords.steps, run.steps);
    }
    return run.result();
  }

  #start(request: RunRequest): Run {
    return new Run(request, this.#calls, this.#memory.metric, this.#scalarCount);
  }
}

/** The state of one run between its slices. */
class Run {
  readonly #request: RunRequest;
  readonly #calls: readonly Call[];
  readonly #metric: Float64Array;
  readonly #scalarCount: number;
  readonly #order: Int32Array;
  readonly #stepsPerEpoch: number;
  readonly #totalSteps: number;
  #status: RunResult['status'] = 'done';
  #milliseconds = 0;
  steps = 0;
  finished: boolean;

  constructor(request: RunRequest, calls: readonly Call[], metric: Float64Array, scalarCount: number) {
    this.#request = request;
    this.#calls = calls;
    this.#metric = metric;
    this.#scalarCount = scalarCount;
    this.#order = new Int32Array(request.drawn);
    for (let i = 0; i < this.#order.length; i++) this.#order[i] = i;
    this.#stepsPerEpoch = Math.ceil(request.drawn / request.batchSize);
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

  /** Makes steps until `budget` milliseconds have passed or the run is over. */
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
    if (sampling === 'shuffle') kernels.permutation(this.#order, drawn, seed, Stream.shuffle, epoch + index);
    else if (sampling === 'withReplacement')
      kernels.drawWithReplacement(this.#order, drawn, rows, seed, Stream.shuffle, epoch + index);
  }

  #step(): void {
    const { drawn, batchSize, report, profile = null } = this.#request;
    const inEpoch = this.steps % this.#stepsPerEpoch;
    if (inEpoch === 0) this.#beginEpoch(this.steps / this.#stepsPerEpoch);
    const begin = inEpoch * batchSize;
    const step: Step = {
      request: this.#request,
      order: this.#order,
      begin,
      rows: Math.min(batchSize, drawn - begin),
      index: this.steps,
      scalarCount: this.#scalarCount,
    };
    for (const [i, call] of this.#calls.entries()) {
      for (const { at, argument } of call.late) call.operands[at] = resolve(argument, step);
      if (profile === null) call.run(...call.operands);
      else {
        const begin = performance.now();
        call.run(...call.operands);
        profile[2 * i] += (performance.now() - begin) / 1000;
      }
      if (call.guard && !Number.isFinite(this.#metric[metrics.meanLoss])) {
        this.#status = 'nonFinite';
        this.finished = true;
        return;
      }
    }
    if (report !== null) {
      report[2 * this.steps] = this.#metric[metrics.meanLoss];
      report[2 * this.steps + 1] = this.#metric[metrics.hitCount];
    }
    this.steps++;
    this.finished = this.steps === this.#totalSteps;
  }
}
