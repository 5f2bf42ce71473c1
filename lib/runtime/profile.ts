import type { Program } from '../program/compile.js';
import { Listing } from '../program/listing.js';
import type { ListedInstruction } from '../program/work.js';
import { sharedBuffer } from '../shared-memory.js';
import { alignColumns } from '../text.js';

/** What one instruction cost over a run. */
export interface ProfiledInstruction extends ListedInstruction {
  /** Seconds that the first thread spent in the kernel on its share; for serial instructions, that any thread spent. */
  readonly seconds: number;
  /** Seconds that the first thread waited for the others before this instruction. */
  readonly waited: number;
  /** Fraction of the total time, including waiting. */
  readonly share: number;
  /** Rate over all threads: FLOP/s of products, bytes/s of the others. */
  readonly rate: number;
  /** Whether `rate` counts operations; otherwise bytes. */
  readonly product: boolean;
}

/** Training time by kernel. */
export class Profile {
  #listing: Listing | undefined;
  #times: Float64Array = new Float64Array(0);
  /** Number of measured steps. */
  steps = 0;

  /** Storage for the times of a program's instructions: alternately the seconds and the wait of each. */
  timesFor(program: Program): Float64Array {
    const length = 2 * program.instructions.length;
    if (this.#listing === undefined || this.#times.length !== length) {
      this.#listing = new Listing(program, 0);
      this.#times = new Float64Array(sharedBuffer(8 * length));
      this.steps = 0;
    }
    return this.#times;
  }

  /** One entry per instruction, in execution order. */
  get instructions(): ProfiledInstruction[] {
    const total = this.#times.reduce((sum, seconds) => sum + seconds, 0);
    return (this.#listing?.instructions ?? []).map((line, i) => {
      const [seconds, waited] = [this.#times[2 * i], this.#times[2 * i + 1]];
      const amount = (line.product ? line.flops : line.bytes) * this.steps;
      return { ...line, seconds, waited, share: (seconds + waited) / total, rate: amount / seconds };
    });
  }

  toString(): string {
    const head = ['kernel', 'output', 'calls', 'µs a call', 'waited', 'share', 'rate'];
    const micro = (seconds: number) => ((1e6 * seconds) / this.steps).toFixed(2);
    const rows = this.instructions.map((line) => [
      line.kernel,
      line.output,
      String(this.steps),
      micro(line.seconds),
      micro(line.waited),
      `${(100 * line.share).toFixed(1)} %`,
      `${(line.rate / 1e9).toFixed(1)} ${line.product ? 'GFLOP/s' : 'GB/s'}`,
    ]);
    return alignColumns([head, ...rows], (column) => column < 2).join('\n');
  }
}
