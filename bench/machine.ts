import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, platform, totalmem, type } from 'node:os';

/** What the results depend on, without anything that identifies the machine. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  readonly architecture: string;
  readonly node: string;
  /** Running processes, averaged over a minute: before the measurements and after them. */
  readonly load: readonly [before: number, after: number];
  /** Environment variables that affect BLAS, threads or blasnet. */
  readonly environment: Readonly<Record<string, string>>;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Virtual machines hide a model's name but not its family. */
function cpuName(): string {
  const facts = textOf('/proc/cpuinfo');
  const fact = (name: string) => new RegExp(`^${name}\\s*:\\s*(.+)$`, 'm').exec(facts)?.[1];
  const name = cpus()[0]?.model.trim() ?? 'unknown';
  const [family, model] = [fact('cpu family'), fact('model')];
  return family === undefined || model === undefined ? name : `${name} (family ${family}, model ${model})`;
}

function systemName(): string {
  const distribution = /^PRETTY_NAME="?([^"\n]+)"?$/m.exec(textOf('/etc/os-release'))?.[1];
  return platform() === 'linux' && distribution !== undefined ? distribution : type();
}

const NOTEWORTHY = /^(OPENBLAS|GOTO|OMP|MKL|BLASNET)_/;

export function readLoad(): number {
  return loadavg()[0];
}

export function describeMachine(load: readonly [number, number]): Machine {
  // The path of an addon would reveal the machine's directories.
  const variables = Object.entries(process.env).filter(([name]) => NOTEWORTHY.test(name));
  const environment = variables.map(([name, value = '']) => [name, /[/\\]/.test(value) ? '(a path)' : value]);
  return {
    cpu: cpuName(),
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: systemName(),
    architecture: process.arch,
    node: process.version,
    load,
    environment: Object.fromEntries(environment),
  };
}
