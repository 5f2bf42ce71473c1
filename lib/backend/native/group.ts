import type { NativeGroup } from '../backend.js';
import type { AddonGroup } from './addon.js';

function ended(call: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => (error === null ? resolve() : reject(error)));
  });
}

/** The addon's group, with promises instead of callbacks. */
export function wrapGroup(handle: AddonGroup): NativeGroup {
  return {
    version: handle.version,
    interface: handle.interface,
    handle,
    async join() {
      await ended((done) => handle.join(done));
      return handle.state();
    },
    sum: (values) => ended((done) => handle.sum(values, done)),
    broadcast: (bytes, root) => ended((done) => handle.broadcast(bytes, root, done)),
    barrier: () => ended((done) => handle.barrier(done)),
    leave: () => ended((done) => handle.leave(done)),
    close: () => handle.close(),
    abort: (code) => handle.abort(code),
  };
}
