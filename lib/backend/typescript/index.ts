import type { Backend } from '../backend.js';
import { TypeScriptExecutable } from './executor.js';
import { calls } from './kernels.js';

/** The backend in plain TypeScript: works everywhere, on one thread. */
export const typescriptBackend: Backend = {
  name: 'typescript',
  threads: 1,
  load: (program, memory) => new TypeScriptExecutable(program, memory),
  callKernel(kernel, args) {
    calls[kernel](...args);
  },
  repeatKernels(list, times) {
    const begin = performance.now();
    for (let i = 0; i < times; i++) {
      for (const [kernel, args] of list) this.callKernel(kernel, args);
    }
    return (performance.now() - begin) / 1000;
  },
  adopt: () => 0,
  info: () => ({
    backend: 'typescript',
    threads: 1,
    threadsReason: 'this backend runs on the thread that calls it',
    cpuFeatures: [],
    simd: { set: 'none', available: ['none'], reason: 'JavaScript engines offer no vector instructions' },
    float32: 'fma',
    bfloat16: 'float32',
    blas: { name: 'blasnet TypeScript', core: 'generic', config: 'blocked loops over typed arrays', threads: 1 },
    addon: undefined,
    passedOver: [],
  }),
};
