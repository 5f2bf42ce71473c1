import type { Evaluation } from '../runtime/tally.js';

/**
 * Loss and accuracy by name; those of outputs with names as `<output>/loss` and `<output>/accuracy`. A list, because an
 * output may have any name.
 */
export function figuresOf({ loss, accuracy, outputs = {} }: Evaluation, prefix = ''): [name: string, value: number][] {
  const own: [string, number][] = [[`${prefix}loss`, loss]];
  if (accuracy !== undefined) own.push([`${prefix}accuracy`, accuracy]);
  return [...own, ...Object.entries(outputs).flatMap(([name, figures]) => figuresOf(figures, `${name}/`))];
}
