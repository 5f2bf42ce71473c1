import { command } from '../command.js';
import { find } from '../find.js';
import { commandHelp, overview } from '../help.js';
import { heading } from '../terminal.js';

export const help = command({
  name: 'help',
  summary: 'prints the commands, or the options and examples of one',
  operands: [{ name: 'command', text: 'one of the commands', optional: true, completion: 'commands' }],
  options: {},
  examples: [['blasnet help train', 'the same as blasnet train --help']],
  run([name], _values, { commands }) {
    return {
      exact: true,
      text: name === undefined ? overview(commands, heading) : commandHelp(find(commands, name), heading),
    };
  },
});
