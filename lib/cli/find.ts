import { type Command, UsageError } from './command.js';
import { didYouMean } from './nearest.js';

/** The command of this name. Throws `UsageError`, with the nearest name. */
export function find(commands: readonly Command[], name: string): Command {
  const found = commands.find((command) => command.name === name);
  if (found !== undefined) return found;
  const hint = didYouMean(
    name,
    commands.map((command) => command.name),
  );
  throw new UsageError(`unknown command '${name}'${hint}`);
}
