import { invalid } from '../checks.js';
import { BlasnetError } from '../errors.js';
import { codeOf } from '../kernels/codes.js';
import { type ElementType, isBuffer } from '../kernels/signature.js';
import { type KernelName, signatureOf } from '../kernels/table.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { ancestors, type GraphBuilder, writeBackward, writeForward } from './graph.js';
import {
  type Argument,
  type FeedEntry,
  type Frozen,
  type Graph,
  type Instruction,
  isTensor,
  type MergePass,
  type Mode,
  type NamedArguments,
  rows,
  type Tensor,
  tensor,
} from './instructions.js';
import { frozenLayer, type Model, type ParameterEntry } from './model.js';

/** What is being written: names of new tensors begin with `prefix`, names of parameters with `owner`. */
interface Scope {
  readonly prefix: string;
  readonly owner: string;
  readonly index: number;
}

/** Collects the instructions of a program. */
export class ProgramBuilder implements GraphBuilder {
  readonly instructions: Instruction[] = [];
  readonly #model: Model;
  readonly #precision: number;
  /** Set only if the program's steps include the update. */
  readonly optimizer: Optimizer | undefined;
  readonly feeds: FeedEntry[] = [];
  readonly totals: Tensor[] = [];
  #scope: Scope;
  /** How many places still need each gradient. */
  readonly #holds = new Map<Tensor, number>();
  /** Parameter gradients that a shared layer's use has written, and those that the current node writes. */
  readonly #written = new Set<Tensor>();
  #gradients = new Map<ParameterEntry, Tensor>();

  constructor(model: Model, optimizer: Optimizer | undefined) {
    this.#model = model;
    this.#precision = codeOf('precision', model.precision);
    this.optimizer = optimizer;
    this.#scope = { prefix: 'loss', owner: 'loss', index: model.nodes.length };
  }

  get layerIndex(): number {
    return this.#scope.index;
  }

  get frozen(): Frozen {
    return frozenLayer(this.#model, this.#scope.index, this.optimizer);
  }

  get seed(): number {
    return this.#model.seed;
  }

  /** Runs `write` for node `index` of the model. */
  atNode<T>(index: number, write: () => T): T {
    const { name, owner } = this.#model.nodes[index];
    return this.#within({ prefix: name, owner: this.#model.nodes[owner].name, index }, write);
  }

  /** Runs `write` with `name` between the current prefix and the names of new tensors. */
  within<T>(name: string, write: () => T): T {
    const { prefix, owner, index } = this.#scope;
    return this.#within({ prefix: `${prefix}.${name}`, owner, index }, write);
  }

  #within<T>(scope: Scope, write: () => T): T {
    const outer = this.#scope;
    this.#scope = scope;
    try {
      return write();
    } finally {
      this.#scope = outer;
    }
  }

  emit<K extends KernelName>(kernel: K, named: NamedArguments<K>): void {
    const values = named as Readonly<Record<string, Argument>>;
    const { parameters } = signatureOf(kernel) ?? {};
    // User-defined layers call this, too.
    if (parameters === undefined) throw invalid('emit: kernel', "one of the kernel table's names", kernel);
    const list = parameters.map((parameter): Argument => {
      const argument = parameter.name === 'precision' ? this.#precision : values[parameter.name];
      const wanted = isBuffer(parameter)
        ? parameter.optional
          ? 'a tensor or null'
          : 'a tensor'
        : 'a number or a size';
      const fits = isBuffer(parameter)
        ? (argument === null && parameter.optional) || (argument !== undefined && isTensor(argument))
        : typeof argument === 'number' || (argument != null && !isTensor(argument));
      if (!fits) throw invalid(`emit: ${kernel}: ${parameter.name}`, wanted, argument);
      return argument;
    });
    this.instructions.push({ kernel, arguments: list, barrier: false, guard: false });
  }

  perRow(name: string, perRow: number, type: ElementType = 'f32'): Tensor {
    return tensor(`${this.#scope.prefix}.${name}`, 'work', { type, perRow });
  }

  fixed(name: string, fixed: number, type: ElementType = 'f32'): Tensor {
    return tensor(`${this.#scope.prefix}.${name}`, 'work', { type, fixed });
  }

  /** A feed; covers all rows for `source` and all that there is for `entries`, otherwise the batch's rows. */
  feed(name: string, role: FeedEntry['role'], type: ElementType, perRow: number): Tensor {
    let entry = this.feeds.find((other) => other.name === name);
    if (entry === undefined) {
      entry = { name, role, type, perRow };
      this.feeds.push(entry);
    }
    return tensor(name, 'feed', { type, perRow: role === 'source' || role === 'entries' ? 0 : perRow, feed: entry });
  }

  total(name: string): Tensor {
    let found = this.totals.find((other) => other.name === name);
    if (found === undefined) {
      found = tensor(name, 'metric', { type: 'f64', fixed: 1, offset: this.totalLength });
      this.totals.push(found);
    }
    return found;
  }

  /** Totals in the metric block. */
  get totalLength(): number {
    return this.totals.reduce((sum, { fixed }) => sum + fixed, 0);
  }

  /** Neighbouring arrays of `n` doubles in the metric block, and all of them as one. */
  totalArrays(names: readonly string[], n: number): { readonly arrays: Tensor[]; readonly all: Tensor } {
    const offset = this.totalLength;
    const all = tensor(names.join(' and '), 'metric', { type: 'f64', fixed: names.length * n, offset });
    this.totals.push(all);
    const arrays = names.map((name, i) => tensor(name, 'metric', { type: 'f64', fixed: n, offset: offset + i * n }));
    return { arrays, all };
  }

  #entry(name: string): ParameterEntry {
    const full = `${this.#scope.owner}.${name}`;
    const entry = this.#model.parameters.get(full);
    if (entry === undefined) throw new BlasnetError('INTERNAL', `no parameter ${full}`);
    return entry;
  }

  parameter(name: string): Tensor {
    return this.#entry(name).tensor;
  }

  /** Where to write a parameter's gradient: for the further uses of a shared layer, memory that is added to it. */
  gradient(name: string): Tensor {
    const entry = this.#entry(name);
    const { gradient } = entry;
    const known = this.#gradients.get(entry);
    if (known !== undefined) return known;
    const place = this.#written.has(gradient) ? this.fixed(`d${name}`, gradient.fixed) : gradient;
    this.#gradients.set(entry, place);
    return place;
  }

  sumGradients(): void {
    for (const [{ gradient }, place] of this.#gradients) {
      if (place === gradient) this.#written.add(gradient);
      else this.add(gradient, gradient, place, gradient.fixed);
    }
    this.#gradients.clear();
  }

  state(name: string): Tensor {
    const full = `${this.#scope.owner}.${name}`;
    const entry = this.#model.state.get(full);
    if (entry === undefined) throw new BlasnetError('INTERNAL', `no state ${full}`);
    return entry.tensor;
  }

  /** y = a + b; y may be one of them. */
  add(y: Tensor, a: Tensor, b: Tensor, n: Argument): void {
    this.emit('binary', { y, a, b, n: n as number, operation: codeOf('binary', 'add') });
  }

  hold(dy: Tensor): void {
    this.#holds.set(dy, (this.#holds.get(dy) ?? 0) + 1);
  }

  #held(dy: Tensor): boolean {
    return (this.#holds.get(dy) ?? 0) > 0;
  }

  reuse(dy: Tensor): Tensor {
    return this.#held(dy) ? this.perRow('dx', dy.perRow) : dy;
  }

  collect(received: readonly Tensor[]): Tensor | undefined {
    for (const dy of received) this.#holds.set(dy, (this.#holds.get(dy) as number) - 1);
    if (received.length < 2) return received[0];
    // Added in place where nothing else needs one of them.
    const once = (dy: Tensor) => received.indexOf(dy) === received.lastIndexOf(dy);
    const own = received.find((dy) => !this.#held(dy) && once(dy));
    const { perRow } = received[0];
    const sum = own ?? this.perRow('dy', perRow);
    const [first, ...others] = own === undefined ? received : [own, ...received.filter((dy) => dy !== own)];
    others.forEach((dy, i) => {
      this.add(sum, i === 0 ? first : sum, dy, rows(perRow));
    });
    return sum;
  }

  graph(graph: Graph, xs: readonly Tensor[], mode: Mode): MergePass {
    const { inputs, nodes, output } = graph;
    const at = <T>(index: number, write: () => T) => this.within(nodes[index].name, write);
    const { values, passes } = writeForward(this, graph, xs, mode, ancestors(graph, [output]), at);
    return {
      y: values[output] as Tensor,
      backward: (dy, wanted) => {
        const wants = inputs.map((_, place) => wanted[place]);
        for (const { from } of nodes) wants.push(from.some((place) => wants[place]));
        return writeBackward(this, graph, passes, [[output, dy]], wants, () => false, at);
      },
    };
  }
}
