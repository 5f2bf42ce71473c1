// What the package carries binaries for. Each is one file, prebuilds/linux-<arch>/node.<libc>.node.

import { run } from '../support.mjs';

/** The oldest glibc that the binaries run on: the one that Node.js's own binaries need. */
export const oldestGlibc = '2.28';

// `triple` names GNU's tools for the architecture, `cores` are the tables of OpenBLAS beside the one that always is there.
const architectures = {
  x64: {
    triple: 'x86_64-linux-gnu',
    openblas: ['TARGET=GENERIC', 'DYNAMIC_LIST=NEHALEM SANDYBRIDGE HASWELL ZEN SKYLAKEX COOPERLAKE'],
    zig: 'x86_64-linux',
  },
  arm64: {
    triple: 'aarch64-linux-gnu',
    openblas: ['TARGET=ARMV8', 'DYNAMIC_LIST=CORTEXA53 CORTEXA76 NEOVERSEN1 NEOVERSEV1 NEOVERSEN2'],
    zig: 'aarch64-linux',
  },
};

export const targets = Object.entries(architectures).flatMap(([arch, { triple, openblas, zig }]) =>
  ['glibc', 'musl'].map((libc) => ({
    name: `linux-${arch}-${libc}`,
    arch,
    libc,
    triple,
    openblas,
    zig: libc === 'musl' ? `${zig}-musl` : `${zig}-gnu.${oldestGlibc}`,
    file: `prebuilds/linux-${arch}/node.${libc}.node`,
  })),
);

/** Asking for CPU features (__builtin_cpu_supports) takes a piece of g++'s library, which zig's has not: that library, to link. */
export function libgcc({ arch, triple }) {
  return arch === 'x64' ? [run(`${triple}-gcc`, ['-print-libgcc-file-name']).output.trim()] : [];
}
