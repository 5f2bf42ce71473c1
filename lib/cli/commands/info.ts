import { backendInfo } from 'blasnet';
import { type MpiInfo, mpiInfo } from 'blasnet/distributed';
import { native } from 'blasnet/kernels';
import { command } from '../command.js';
import { version } from '../version.js';

function launcherText({ launcher }: MpiInfo): string {
  if (launcher === undefined) return '';
  const { name, rank, size, ranksOnHost } = launcher;
  const local = ranksOnHost === undefined ? '' : `, ${ranksOnHost} on this host`;
  return `${name}, rank ${rank ?? '?'} of ${size ?? '?'}${local}`;
}

export const info = command({
  name: 'info',
  summary: 'what computes here: backend, kernels, BLAS, and the file of the native addon',
  operands: [],
  options: {},
  json: true,
  examples: [
    ['blasnet info', 'a line for each'],
    ['blasnet info --json', 'for a program, or for a report of a fault'],
  ],
  run() {
    // Without a name, a missing native backend would be warned of; the text says so.
    const found = native.available ? backendInfo() : backendInfo('typescript');
    const reason = native.available ? undefined : native.reason;
    const host = { node: process.versions.node, platform: process.platform, arch: process.arch };
    const mpi = mpiInfo();
    const lines: [string, string][] = [
      ['blasnet', `${version}, Node.js ${host.node}, ${host.platform}-${host.arch}`],
      ['backend', reason === undefined ? found.backend : `${found.backend}, because ${reason}`],
      ['threads', `${found.threads}: ${found.threadsReason}`],
      ['CPU', found.cpuFeatures.join(' ')],
      ['kernels', `${found.simd.set}: ${found.simd.reason} (available: ${found.simd.available.join(', ')})`],
      ['BLAS', `${found.blas.name}, ${found.blas.core}, threads: ${found.blas.threads} (${found.blas.config})`],
      ['addon', found.addon ?? ''],
      ['MPI', mpi.library ? `${mpi.library.file}: ${mpi.library.version}` : 'no library found'],
      ['launcher', launcherText(mpi)],
      ...found.passedOver.map((failure): [string, string] => ['passed over', failure]),
    ];
    const text = lines
      .filter(([, value]) => value !== '')
      .map(([heading, value]) => `${`${heading}:`.padEnd(13)}${value}`)
      .join('\n');
    return { text, json: { version, ...host, ...found, mpi, ...(reason !== undefined && { reason }) } };
  },
});
