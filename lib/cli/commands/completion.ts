import { command, UsageError } from '../command.js';
import { bashCompletion, fishCompletion, zshCompletion } from '../completion.js';

const scripts = new Map([
  ['bash', bashCompletion],
  ['zsh', zshCompletion],
  ['fish', fishCompletion],
]);
const shells = [...scripts.keys()];

export const completion = command({
  name: 'completion',
  summary: 'prints a script that completes commands and options in a shell',
  operands: [{ name: 'shell', text: shells.join(', '), completion: shells }],
  options: {},
  examples: [
    ['source <(blasnet completion bash)', 'for this shell; in ~/.bashrc, for all'],
    ['source <(blasnet completion zsh)', 'in ~/.zshrc, after compinit'],
    ['blasnet completion fish > ~/.config/fish/completions/blasnet.fish', 'for all shells to come'],
  ],
  run([shell], _values, { commands }) {
    const script = scripts.get(shell);
    if (script === undefined) throw new UsageError(`completion: expected one of ${shells.join(', ')}, got '${shell}'`);
    return { text: script(commands) };
  },
});
