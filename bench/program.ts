import { constants } from 'node:os';
import { stopping } from './processes.js';

/** Tells a program's error in a line; on SIGINT and SIGTERM ends the processes that it has started, and stops it. */
export async function runAsProgram(name: string, main: () => Promise<void>): Promise<void> {
  let stopped: 'SIGINT' | 'SIGTERM' | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      stopped = signal;
      stopping.abort();
    });
  }
  try {
    await main();
  } catch (error) {
    const reason = error instanceof Error ? error.message : error;
    console.error(`${name}: ${stopped === undefined ? reason : `stopped by ${stopped}`}`);
    process.exitCode = stopped === undefined ? 1 : 128 + constants.signals[stopped];
  }
}

/**
 * Measures one item after the other. After each, `record` keeps what was found so far and gives it as text, which is printed
 * in the end: where an error or a signal ends the run too.
 */
export async function measureInTurn<Item, Found>(
  items: readonly Item[],
  measure: (item: Item) => Promise<Found>,
  record: (found: readonly Found[], remaining: readonly Item[]) => string,
): Promise<Found[]> {
  const found: Found[] = [];
  let text: string | undefined;
  try {
    for (const item of items) {
      found.push(await measure(item));
      text = record(found, items.slice(found.length));
    }
  } finally {
    if (text !== undefined) console.log(text);
  }
  return found;
}
