import type { WriteStream } from 'node:tty';

/** Whether a stream is a terminal that shows colours; NO_COLOR and TERM=dumb turn them off. */
function coloured(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && (stream as unknown as WriteStream).hasColors();
}

export const heading = (text: string) => (coloured(process.stdout) ? `\x1b[1m${text}\x1b[0m` : text);

/** The word that begins an error. */
export const errorName = () => (coloured(process.stderr) ? '\x1b[31mblasnet:\x1b[0m' : 'blasnet:');

/**
 * A text with control characters, tabs and ends of lines apart, as escapes: names in files could command a terminal.
 */
export const visible = (text: string) =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
  text.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
