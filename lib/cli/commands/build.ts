import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { choiceOption, command, fileOption, flag } from '../command.js';

export const build = command({
  name: 'build',
  summary: 'builds the native addon from source',
  text: [
    'The built addon is preferred to the one that came with the package. Building needs g++, make, python3 and ' +
      'OpenBLAS (Debian: apt-get install g++ make python3 libopenblas-dev).',
  ],
  operands: [],
  options: {
    force: flag('build even if nothing has changed'),
    openblas: choiceOption('kind', 'link OpenBLAS statically or dynamically: static or dynamic', ['static', 'dynamic']),
    'openblas-lib': fileOption('path', 'the library of OpenBLAS to link'),
  },
  examples: [
    ['blasnet build', 'builds, unless it is built already'],
    ['blasnet build --force --openblas dynamic', 'builds again, with the shared OpenBLAS of the system'],
  ],
  run(_operands, values, _context) {
    const script = fileURLToPath(new URL('../../../scripts/build-addon.mjs', import.meta.url));
    const given = [
      ...(values.force ? ['--force'] : []),
      ...(values.openblas === undefined ? [] : [`--openblas=${values.openblas}`]),
      ...(values['openblas-lib'] === undefined ? [] : [`--openblas-lib=${values['openblas-lib']}`]),
    ];
    const { status, error } = spawnSync(process.execPath, [script, '--strict', ...given], { stdio: 'inherit' });
    if (error !== undefined) throw error;
    return { status: status ?? 1 };
  },
});
