import { sharedBuffer } from '../shared-memory.js';
import type { Program } from './compile.js';
import { Listing } from './listing.js';
import type { ListedInstruction } from './work.js';

/** What one instruction cost over a run. */
export interface ProfiledInstruction extends ListedInstruction {
  /** Seconds that the first thread spent in the kernel, on its share; or any thread in what one does while the others wait. */
  readonly seconds: number;
  /** Seconds that the first thread waited for the others before it. */
  readonly waited: number;
  /** Part of all seconds, waiting included. */
  readonly share: number;
  /** Rate of the whole instruction, all threads together: FLOP/s of products, bytes/s of the others. */
  readonly rate: number;
  /** Whether `rate` counts operations; otherwise bytes. */
  readonly product: boolean;
}

/** Where the time of training went, kernel by kernel. */
export class Profile {
  #listing: Listing | undefined;
  #times: Float64Array = new Float64Array(0);
  /** Steps that were measured. */
  steps = 0;

  /** Storage for the times of a program's instructions: seconds and waiting of each, in turn. */
  timesFor(program: Program): Float64Array {
    const length = 2 * program.instructions.length;
    if (this.#listing === undefined || this.#times.length !== length) {
      this.#listing = new Listing(program, 0);
      this.#times = new Float64Array(sharedBuffer(8 * length));
      this.steps = 0;
    }
    return this.#times;
  }

  /** A line for each instruction, in the order of their execution. */
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
    const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
    const render = (row: string[]) =>
      row.map((text, column) => (column < 2 ? text.padEnd(widths[column]) : text.padStart(widths[column]))).join('  ');
    return [render(head), ...rows.map(render)].join('\n');
  }
}
