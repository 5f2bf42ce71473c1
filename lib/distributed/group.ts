import { types } from 'node:util';
import type { NativeGroup } from '../backend/backend.js';
import { checkArity, checkInteger, checkStorage, invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { Slices } from '../runtime/slices.js';
import { sharedBuffer } from '../shared-memory.js';
import type { GroupState } from './exit.js';
import type { MpiLibrary } from './libraries.js';

/** Where a rank runs. */
export interface Host {
  readonly name: string;
  /** Among the hosts of the group, in the order of their first ranks. */
  readonly index: number;
  /** Hosts of the group. */
  readonly count: number;
}

type Floats = Float32Array | Float64Array;
type Integers = Int8Array | Uint8Array | Uint8ClampedArray | Int16Array | Uint16Array | Int32Array | Uint32Array;
type AnyArray = Floats | Integers | BigInt64Array | BigUint64Array;

/** The processes that were started together; see {@link joinGroup}. */
export interface Group {
  /** Number of this process, from 0. */
  readonly rank: number;
  /** Number of processes. */
  readonly size: number;
  readonly host: Host;
  /** Processes of the group on this host, including this one. */
  readonly ranksOnHost: number;
  /** The MPI library; undefined for a group of one that needs none. */
  readonly library: MpiLibrary | undefined;
  readonly reduction: 'library' | 'ordered';
  /**
   * Overwrites the elements of `array` on all ranks with the elements of rank `root` (default 0). All must give arrays
   * of the same number of bytes. Returns the array.
   */
  broadcast<T extends AnyArray>(array: T, root?: number): Promise<T>;
  /**
   * Overwrites each element of `array` with its sum over all ranks. All must give arrays of the same type and length.
   * All get the same bits. Returns the array.
   */
  allReduce<T extends Floats>(array: T): Promise<T>;
  /** Waits until all ranks have called it. */
  barrier(): Promise<void>;
  /** Ends the group, on all ranks together, after the calls made before. No call is possible afterwards. */
  leave(): Promise<void>;
}

/** The addon's group for each group of several processes. */
const natives = new WeakMap<Group, NativeGroup>();

/** The addon's group; undefined for a group of one, whose sums need no other process. */
export function nativeGroup(group: Group): NativeGroup | undefined {
  return natives.get(group);
}

/** Groups that train: other ranks wait for this one, also between two calls. */
const occupied = new WeakSet<Group>();

/** Takes a group for a training, until `release`; false if it is taken. */
export function occupy(group: Group): boolean {
  if (occupied.has(group)) return false;
  occupied.add(group);
  return true;
}

export function release(group: Group): void {
  occupied.delete(group);
}

/** Whether a value is a group that `joinGroup` returned. */
export function isGroup(value: unknown): value is Group {
  return value instanceof JoinedGroup;
}

function lost(what: string, group: JoinedGroup, reason: string): BlasnetError {
  return new BlasnetError('GROUP_FAILED', `${what}: ${group}: ${reason}`);
}

export class JoinedGroup implements Group {
  readonly rank: number;
  readonly size: number;
  readonly host: Host;
  readonly ranksOnHost: number;
  readonly library: MpiLibrary | undefined;
  readonly reduction: 'library' | 'ordered';
  readonly #native: NativeGroup | undefined;
  /** Each call begins when the previous one has ended. */
  #last: Promise<unknown> = Promise.resolve();
  #pending = 0;
  #left: Promise<void> | undefined;

  /** `hosts`: the host of each rank. */
  constructor(
    rank: number,
    hosts: readonly string[],
    reduction: Group['reduction'],
    mpi?: { readonly native: NativeGroup; readonly library: MpiLibrary },
  ) {
    const distinct = [...new Set(hosts)];
    this.rank = rank;
    this.size = hosts.length;
    this.host = Object.freeze({
      name: hosts[rank],
      index: distinct.indexOf(hosts[rank]),
      count: distinct.length,
    });
    this.ranksOnHost = hosts.filter((name) => name === hosts[rank]).length;
    this.library = mpi && Object.freeze(mpi.library);
    this.reduction = reduction;
    this.#native = mpi?.native;
    if (mpi !== undefined) natives.set(this, mpi.native);
    Object.freeze(this);
  }

  /** For the end of the process. */
  get state(): GroupState {
    if (this.#pending > 0 || occupied.has(this)) return 'busy';
    return this.#left === undefined ? 'idle' : 'over';
  }

  toString(): string {
    return `rank ${this.rank} of ${this.size} on ${this.host.name}`;
  }

  async broadcast<T extends AnyArray>(array: T, root = 0): Promise<T> {
    checkArity('Group.broadcast', arguments, 2);
    if (!types.isTypedArray(array)) throw invalid('array', 'a typed array', array);
    checkInteger('root', root, { min: 0, max: this.size - 1 });
    await this.#withShared('broadcast', array, (native, bytes) => native.broadcast(bytes, root));
    return array;
  }

  async allReduce<T extends Floats>(array: T): Promise<T> {
    checkArity('Group.allReduce', arguments, 1);
    const single = types.isFloat32Array(array);
    if (!single && !types.isFloat64Array(array)) throw invalid('array', 'a Float32Array or Float64Array', array);
    await this.#withShared('allReduce', array, (native, { buffer, byteOffset }) =>
      native.sum(
        single
          ? new Float32Array(buffer, byteOffset, array.length)
          : new Float64Array(buffer, byteOffset, array.length),
      ),
    );
    return array;
  }

  async barrier(): Promise<void> {
    checkArity('Group.barrier', arguments, 0);
    await this.#inTurn('barrier', (native) => native.barrier());
  }

  async leave(): Promise<void> {
    checkArity('Group.leave', arguments, 0);
    this.#left ??= this.#inTurn('leave', (native) => native.leave());
    await this.#left;
  }

  /**
   * Makes a call with the bytes of an array in shared memory, which JavaScript can't take away from the thread that
   * makes it. Other storage is copied.
   */
  async #withShared(
    name: string,
    array: AnyArray,
    call: (native: NativeGroup, bytes: Uint8Array<SharedArrayBuffer>) => Promise<void>,
  ): Promise<void> {
    checkStorage('array', array);
    const own = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    await this.#inTurn(name, async (native) => {
      if (types.isSharedArrayBuffer(own.buffer)) return call(native, own as Uint8Array<SharedArrayBuffer>);
      const slices = new Slices();
      const shared = new Uint8Array(sharedBuffer(own.length));
      await slices.copy<Uint8Array>('array', shared, own);
      await call(native, shared);
      await slices.copy<Uint8Array>('array', own, shared);
    });
  }

  /** Makes a call after those before it. */
  #inTurn(name: string, call: (native: NativeGroup) => Promise<void>): Promise<void> {
    if (this.#left !== undefined) throw lost(name, this, 'the group was left');
    const native = this.#native;
    if (native === undefined) return Promise.resolve();
    this.#pending += 1;
    const result = this.#last
      .then(() => call(native))
      .catch((error) => {
        throw error instanceof BlasnetError ? error : lost(name, this, error.message);
      })
      .finally(() => {
        this.#pending -= 1;
      });
    this.#last = result.catch(() => {});
    return result;
  }
}
