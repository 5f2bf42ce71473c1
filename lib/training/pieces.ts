import { type Batches, divide, shareBatches } from '../runtime/batches.js';
import type { Source } from '../runtime/engine.js';
import { BatchReader } from '../runtime/streams.js';
import { sameBatch } from './agreement.js';
import type { Plan } from './plan.js';

/** The data of one run: a whole dataset (for one or more epochs), or one batch of a stream. */
export interface Piece {
  readonly source: Source;
  readonly batches: Batches;
  /** Describes a step's position, for messages. */
  at(step: number): string;
}

/** The pieces of an epoch, or of several over a dataset. */
export async function* piecesOf({ data, batches, ranks }: Plan, epoch: number): AsyncGenerator<Piece> {
  if (batches !== undefined && !(data instanceof BatchReader)) {
    const at = (step: number) => `epoch ${epoch + Math.floor(step / batches.count)}, step ${step % batches.count}`;
    yield { source: data, batches, at };
  } else if (data instanceof BatchReader) {
    let batch = 0;
    for await (const source of data.read(epoch)) {
      const at = `epoch ${epoch}, batch ${batch++}`;
      const whole = divide(source.rows, source.rows);
      const batches = ranks === undefined ? whole : shareBatches(whole, ranks.rank, ranks.size);
      yield { source, batches, at: () => at };
    }
    await ranks?.meet(sameBatch(undefined));
  }
}
