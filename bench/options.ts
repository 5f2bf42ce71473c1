import { parseArgs } from 'node:util';
import { defaultWorkloads, findWorkload, workloads } from './workloads.js';

export interface Options {
  readonly workloads: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly quick: boolean;
  readonly check: boolean;
  /** Name of the machine under which the results are kept; without one they go to latest.*. */
  readonly name: string | undefined;
}

export const help = `npm run bench -- [options]
  --workloads M1,M2  what to measure (default ${defaultWorkloads.join(',')}; there are ${workloads.map(({ id }) => id).join(', ')}; or all)
  --rounds N         rounds of all contenders (default 5)
  --seconds S        timing of a contender in a round (default 3)
  --quick            one round of 0.5 s: shows that the benchmark works
  --check            exit with status 1 when a bar is missed
  --name NAME        keep the results as bench/results/<date>-NAME.{json,md}, not latest.{json,md};
                     NAME is the kind of machine, such as amd-zen5-2c`;

export function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < 1e6)) throw new Error(`--${option}: expected a positive number, got ${text}`);
  return value;
}

export function positiveInteger(option: string, text: string): number {
  const value = positive(option, text);
  if (!Number.isInteger(value)) throw new Error(`--${option}: expected an integer, got ${text}`);
  return value;
}

export function machineName(name: string | undefined): string | undefined {
  if (name !== undefined && !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) {
    throw new Error(`--name: expected lower-case words joined by hyphens, got ${name}`);
  }
  return name;
}

/** Ids of the workloads that a list with commas names, or of all. */
export function workloadIds(list: string): string[] {
  return list === 'all' ? workloads.map(({ id }) => id) : list.split(',').map((id) => findWorkload(id).id);
}

/** Undefined when help is asked for; throws for anything that makes no sense. */
export function parseOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      workloads: { type: 'string', default: defaultWorkloads.join(',') },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      name: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const { quick, check } = values;
  return {
    workloads: workloadIds(values.workloads),
    rounds: positiveInteger('rounds', values.rounds ?? (quick ? '1' : '5')),
    seconds: positive('seconds', values.seconds ?? (quick ? '0.5' : '3')),
    quick,
    check,
    name: machineName(values.name),
  };
}

export interface KernelOptions {
  readonly seconds: number;
  readonly name: string | undefined;
}

export const kernelHelp = `npm run bench:kernels -- [options]
  --seconds S        timing of a kernel (default 0.2)
  --name NAME        keep the results as bench/results/<date>-NAME-kernels.{json,md}, not latest.kernels.{json,md}`;

/** As {@link parseOptions}, for the kernels alone. */
export function parseKernelOptions(args: readonly string[]): KernelOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: { seconds: { type: 'string', default: '0.2' }, name: { type: 'string' }, help: { type: 'boolean', default: false } },
  });
  if (values.help) return undefined;
  return { seconds: positive('seconds', values.seconds), name: machineName(values.name) };
}

export interface ScalingOptions {
  readonly seconds: number;
  readonly quick: boolean;
  readonly name: string | undefined;
}

export const scalingHelp = `npm run bench:scaling -- [options]
  --seconds S        timing of a network (default 1)
  --quick            a few small networks, 0.1 s each: shows that the benchmark works
  --name NAME        keep the results as bench/results/<date>-NAME-scaling.{json,md}, not latest.scaling.{json,md}`;

/** As {@link parseOptions}, for networks of many sizes. */
export function parseScalingOptions(args: readonly string[]): ScalingOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      name: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const { quick } = values;
  return { seconds: positive('seconds', values.seconds ?? (quick ? '0.1' : '1')), quick, name: machineName(values.name) };
}
