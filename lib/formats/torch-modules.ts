import { BlasnetError } from '../errors.js';
import { quote } from '../text.js';
import type { StoredTensor } from './safetensors.js';

/**
 * The modules of a state dict, which has the tensors of a module under `<module>.<tensor>`. Files are in alphabetical
 * order, not in that of the modules. But names show part of it: `conv1` comes before `conv2`, and all of `layers.2`
 * before all of `layers.10`. Of `encoder` and `decoder` nothing is known.
 */

/** Modules around a module. */
const MAX_DEPTH = 64;

/** A module of a file: its name and its tensors by their own names. */
export interface FileModule {
  readonly name: string;
  readonly tensors: Map<string, StoredTensor>;
  /** The names of the modules around it, and its own. */
  readonly path: readonly string[];
  isUsed: boolean;
}

/** A part of the tree of names. */
interface Branch {
  readonly children: Map<string, Branch>;
  /** Children whose names differ by numbers only, in their order; by the name without its numbers. */
  readonly rows: Map<string, string[]>;
  /** Modules at and below it that are not used. */
  left: number;
}

const newBranch = (): Branch => ({ children: new Map(), rows: new Map(), left: 0 });

/** The name without its numbers: `conv` of `conv`, `conv1` and `conv12`. */
const stemOf = (name: string) => name.replace(/\d+$/, '').replace(/\d+/g, '#');

/** Compares names of one stem by their numbers, of any length; a name that lacks the last number comes first. */
function compareNumbers(a: string, b: string): number {
  const [first, second] = [a, b].map((name) => name.match(/\d+/g) ?? []);
  for (let i = 0; i < Math.max(first.length, second.length); i++) {
    const [one, other] = [first[i] ?? '', second[i] ?? ''].map((digits) => digits.replace(/^0+(?=\d)/, ''));
    if (one.length !== other.length) return one.length - other.length;
    if (one !== other) return one < other ? -1 : 1;
  }
  return 0;
}

/** The modules of a file, and which of them may come next. */
export class ModuleTree {
  readonly modules: ReadonlyMap<string, FileModule>;
  readonly #root = newBranch();

  /** `tensors` by their names. Throws `SHAPE_MISMATCH` if modules are nested too deep. */
  constructor(tensors: ReadonlyMap<string, StoredTensor>) {
    const modules = new Map<string, FileModule>();
    for (const [full, tensor] of tensors) {
      const at = full.lastIndexOf('.');
      const name = full.slice(0, Math.max(0, at));
      const path = name.split('.', MAX_DEPTH + 1);
      if (path.length > MAX_DEPTH) {
        const text = `the module of ${quote(full)} is nested deeper than ${MAX_DEPTH}`;
        throw new BlasnetError('SHAPE_MISMATCH', text);
      }
      const module = modules.get(name) ?? { name, tensors: new Map(), path, isUsed: false };
      module.tensors.set(full.slice(at + 1), tensor);
      modules.set(name, module);
    }
    this.modules = modules;
    for (const { path } of modules.values()) this.#count(path, 1);
    this.#sortRows();
  }

  /** Adds to the counts of all branches of a path. */
  #count(path: readonly string[], change: number): void {
    let branch = this.#root;
    for (const part of path) {
      const child = branch.children.get(part) ?? newBranch();
      branch.children.set(part, child);
      child.left += change;
      branch = child;
    }
  }

  #sortRows(): void {
    const branches = [this.#root];
    for (let branch = branches.pop(); branch !== undefined; branch = branches.pop()) {
      for (const [name, child] of branch.children) {
        const stem = stemOf(name);
        const row = branch.rows.get(stem);
        if (row === undefined) branch.rows.set(stem, [name]);
        else row.push(name);
        branches.push(child);
      }
      for (const row of branch.rows.values()) row.sort(compareNumbers);
    }
  }

  use(module: FileModule): void {
    module.isUsed = true;
    this.#count(module.path, -1);
  }

  /** Whether a module is not used, and no other that is not used is known to come before it. */
  isNext({ path, isUsed }: FileModule): boolean {
    if (isUsed) return false;
    let branch = this.#root;
    for (const part of path) {
      const row = branch.rows.get(stemOf(part)) as string[];
      while (branch.children.get(row[0])?.left === 0) row.shift();
      if (row[0] !== part) return false;
      branch = branch.children.get(part) as Branch;
    }
    return true;
  }
}

/** Steps through the tree from the module around one to the module around the other. */
export function distance(a: FileModule, b: FileModule): number {
  const [first, second] = [a.path.slice(0, -1), b.path.slice(0, -1)];
  let common = 0;
  while (common < Math.min(first.length, second.length) && first[common] === second[common]) common++;
  return first.length + second.length - 2 * common;
}
