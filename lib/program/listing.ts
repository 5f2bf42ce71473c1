import { alignColumns } from '../text.js';
import type { Program } from './compile.js';
import { describeInstruction, type ListedInstruction } from './work.js';

function count(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)}G`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)}M`;
  if (value >= 1e3) return `${(value / 1e3).toFixed(1)}k`;
  return String(value);
}

/** A human-readable compiled program. */
export class Listing {
  /** What the program does: 'train', 'predict' and the like. */
  readonly kind: string;
  /** Rows of the largest batch. */
  readonly batchSize: number;
  /** Shares into which threads divide the work: the backend's threads, or fewer where a step has little work. */
  readonly threads: number;
  /** In the order in which they run. */
  readonly instructions: readonly ListedInstruction[];
  /** Bytes of work memory: activations, their gradients and scratch. */
  readonly workBytes: number;
  /** Bytes of parameters, gradients, state and moments. */
  readonly modelBytes: number;

  constructor(program: Program, modelBytes: number) {
    this.kind = program.request.kind;
    this.batchSize = program.request.capacity;
    this.threads = program.threads;
    this.instructions = program.instructions.map((instruction) =>
      describeInstruction(instruction, program.request.capacity, program.request.ranks?.divided),
    );
    this.workBytes = program.workLength * 4;
    this.modelBytes = modelBytes;
  }

  toString(): string {
    const head = ['', 'kernel', 'buffers', 'bytes', 'FLOP'];
    const rows = this.instructions.map((line) => [
      line.barrier ? '|' : '',
      line.precision === 'bfloat16' ? `${line.kernel} in bfloat16` : line.kernel,
      line.buffers,
      count(line.bytes),
      count(line.flops),
    ]);
    const flops = this.instructions.reduce((sum, line) => sum + line.flops, 0);
    return [
      `${this.kind} program, batches of ${this.batchSize}: ${count(flops)} FLOP a batch, ` +
        `${count(this.workBytes)} bytes of work memory, ${count(this.modelBytes)} bytes of parameters, gradients, state and moments`,
      ...alignColumns([head, ...rows], (column) => column < 3),
      '| barrier: all threads wait before this instruction',
    ].join('\n');
  }
}
