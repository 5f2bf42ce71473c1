// The targets of the package's prebuilt binaries. Each is one file, prebuilds/linux-<arch>/node.<libc>.node.

import { run } from '../support.mjs';

/** The oldest glibc that the binaries support: the one that Node.js's own binaries need. */
export const oldestGlibc = '2.28';

// `triple` names the architecture's GNU tools; `cores` are OpenBLAS's kernel tables besides the one that is always
// included.
const architectures = {
  x64: {
    triple: 'x86_64-linux-gnu',
    openblas: ['TARGET=GENERIC', 'DYNAMIC_LIST=NEHALEM SANDYBRIDGE HASWELL SKYLAKEX COOPERLAKE'],
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

/**
 * Querying CPU features (__builtin_cpu_supports) needs a part of g++'s runtime library that zig's lacks: the library to
 * link.
 */
export function libgcc({ arch, triple }) {
  return arch === 'x64' ? [run(`${triple}-gcc`, ['-print-libgcc-file-name']).output.trim()] : [];
}
