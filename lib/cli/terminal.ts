import type { WriteStream } from 'node:tty';

/** Whether a stream is a terminal that shows colours; NO_COLOR and TERM=dumb turn them off. */
function coloured(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && (stream as unknown as WriteStream).hasColors();
}

export const heading = (text: string) => (coloured(process.stdout) ? `\x1b[1m${text}\x1b[0m` : text);

/** The word that begins an error. */
export const errorName = () => (coloured(process.stderr) ? '\x1b[31mblasnet:\x1b[0m' : 'blasnet:');
