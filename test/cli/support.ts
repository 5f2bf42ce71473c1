import { type SpawnSyncReturns, type StdioOptions, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { environment, projectFile } from '../lifecycle/child.js';

const manifest = JSON.parse(readFileSync(projectFile('package.json'), 'utf8'));
export const { version } = manifest as { version: string };

function program(): string {
  const file = projectFile(manifest.bin.blasnet);
  if (!existsSync(file)) throw new Error(`${file} is missing: run \`node scripts/setup.mjs\` first`);
  return file;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Of another user, as root. */
  readonly uid?: number;
  /** Files for the standard output and the standard error, which are then not in the result. */
  readonly stdio?: StdioOptions;
}

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const result = ({ status, stdout, stderr }: SpawnSyncReturns<string>): Ran => ({ status, stdout, stderr });

/** Runs the command in a process of its own. */
export function blasnet(args: readonly string[], { env = {}, ...rest }: RunOptions = {}): Ran {
  const options = { env: environment(env), encoding: 'utf8', timeout: 60_000, ...rest } as const;
  return result(spawnSync(process.execPath, [program(), ...args], options));
}

/** The same, where a file may have `blocks` of 512 bytes. */
export function withSmallFiles(blocks: number, args: readonly string[], cwd: string): Ran {
  const command = ['-c', `ulimit -f ${blocks} && exec "$@"`, 'sh', process.execPath, program(), ...args];
  return result(spawnSync('sh', command, { env: environment(), encoding: 'utf8', timeout: 60_000, cwd }));
}

// What the child writes to its terminal goes to standard output; its exit code is passed on, as a shell has it for a
// signal. Ctrl-C is typed each time that a text of the first argument, separated by bars, has been written.
const PTY = `
import os, pty, sys
texts = [text for text in sys.argv[1].encode().split(b'|') if text]
written = b''
def read(fd):
    global written
    data = os.read(fd, 1 << 16)
    written += data
    while texts and texts[0] in written:
        written = written.split(texts.pop(0), 1)[1]
        os.write(fd, bytes([3]))
    return data
status = os.waitstatus_to_exitcode(pty.spawn(sys.argv[2:], read, lambda fd: b''))
sys.exit(status if status >= 0 else 128 - status)
`;

export interface OnTerminal extends RunOptions {
  /** Ctrl-C is typed after each of these texts. */
  readonly interrupts?: readonly string[];
}

/** Runs the command on a pseudo-terminal: both its outputs are the terminal, in `stdout`. */
export function onTerminal(args: readonly string[], { env = {}, cwd, interrupts = [] }: OnTerminal = {}): Ran {
  const kept = { ...environment({ TERM: 'xterm-256color', ...env }) };
  // These would decide about colours; the tests do.
  for (const name of ['FORCE_COLOR', 'NODE_DISABLE_COLORS', 'CI', ...(env.NO_COLOR === undefined ? ['NO_COLOR'] : [])])
    delete kept[name];
  const options = { env: kept, encoding: 'utf8', timeout: 60_000, ...(cwd && { cwd }) } as const;
  return result(spawnSync('python3', ['-c', PTY, interrupts.join('|'), process.execPath, program(), ...args], options));
}
