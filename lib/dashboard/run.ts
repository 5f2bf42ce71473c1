import { cut, errorText } from '../text.js';
import type { Progress, TrainingStart } from '../training/callbacks.js';
import { figuresOf } from '../training/figures.js';
import type { EpochLog } from '../training/history.js';
import { Curve } from './curve.js';
import type { Inside } from './inspect.js';

/** The figures of an epoch, as the page draws them. */
export interface Point {
  readonly epoch: number;
  readonly training: Readonly<Record<string, number>>;
  readonly validation: Readonly<Record<string, number>>;
}

/** Of a training: before the first epoch, running, asked to stop, over, over by an error or a signal. */
export type Status = 'waiting' | 'training' | 'stopping' | 'finished' | 'failed';

/** More new points than these are sent as the whole curve. */
const MOST_NEW = 200;

/** What the page knows about one training. */
export class Run {
  readonly id: number;
  readonly name: string;
  readonly canSave: boolean;
  #status: Status = 'waiting';
  #settings: object = {};
  #progress: object | undefined;
  #message: { text: string; failed: boolean } | undefined;
  #inside: Inside | undefined;
  readonly #curve = new Curve<Point>();
  /** Points and fields that have not been sent. */
  #added: Point[] = [];
  #changed = new Set(['name', 'canSave']);
  readonly #onChange: () => void;
  /** What the page asked for, until it is done. */
  stopAsked = false;
  saveAsked = false;

  constructor(id: number, name: string, canSave: boolean, onChange: () => void) {
    this.id = id;
    this.name = name;
    this.canSave = canSave;
    this.#onChange = onChange;
  }

  get status(): Status {
    return this.#status;
  }

  get active(): boolean {
    return this.#status === 'training' || this.#status === 'stopping';
  }

  begin({ epochs, initialEpoch, samples, settings }: TrainingStart): void {
    this.stopAsked = false;
    this.saveAsked = false;
    this.#status = 'training';
    this.#curve.cutAt(initialEpoch);
    const { parameters, backend, optimizer, batchSize } = settings;
    const last = initialEpoch + epochs;
    this.#settings = { epochs: last, samples, parameters, backend, optimizer: optimizer.kind, batchSize };
    this.#progress = undefined;
    this.#message = undefined;
    this.#mark('status', 'settings', 'progress', 'message', 'curve');
  }

  progress(progress: Progress): void {
    this.#progress = progress;
    this.#mark('progress');
  }

  addEpoch(log: EpochLog): void {
    const { epoch, learningRate, samplesPerSecond, validation, metrics = {} } = log;
    const point: Point = {
      epoch,
      training: Object.fromEntries([
        ...figuresOf(log),
        ['learning rate', learningRate],
        ['samples per second', samplesPerSecond],
      ]),
      validation:
        validation === undefined ? {} : Object.fromEntries([...figuresOf(validation), ...Object.entries(metrics)]),
    };
    this.#curve.add(point);
    if (this.#added.length < MOST_NEW) this.#added.push(point);
    else this.#changed.add('curve');
    this.#mark('added');
  }

  look(inside: Inside): void {
    this.#inside = inside;
    this.#mark('inside');
  }

  ask(what: 'stop' | 'save'): void {
    if (what === 'stop') {
      this.stopAsked = true;
      this.#status = 'stopping';
      this.#mark('status');
    } else {
      this.saveAsked = true;
      this.say('saving after this epoch', false);
    }
  }

  say(text: string, failed: boolean): void {
    this.#message = { text, failed };
    this.#mark('message');
  }

  end(): void {
    this.#status = 'finished';
    if (this.saveAsked) this.say('training ended before it could save', true);
    this.#mark('status');
  }

  /** Ends a training that an error has ended; one that is over stays so. */
  fail(error: unknown): void {
    if (!this.active) return;
    this.#status = 'failed';
    this.say(`training failed: ${cut(errorText(error), 300)}`, true);
    this.#mark('status');
  }

  #mark(...fields: string[]): void {
    for (const field of fields) this.#changed.add(field);
    this.#onChange();
  }

  get #whole(): Record<string, unknown> {
    const { points, stride, count, newest } = this.#curve;
    return {
      name: this.name,
      canSave: this.canSave,
      status: this.#status,
      settings: this.#settings,
      // JSON has no undefined: what is gone is null.
      progress: this.#progress ?? null,
      message: this.#message ?? null,
      inside: this.#inside ?? null,
      curve: { points, stride, count, newest },
    };
  }

  /** All of it, for a page that has just been opened. */
  snapshot(): object {
    return { id: this.id, ...this.#whole };
  }

  /** What has changed since the last call; undefined if nothing has. */
  changes(): object | undefined {
    if (this.#changed.size === 0) return undefined;
    const fields = Object.entries(this.#whole).filter(([name]) => this.#changed.has(name));
    const added = this.#changed.has('curve') ? [] : this.#added;
    this.#changed = new Set();
    this.#added = [];
    return { id: this.id, ...Object.fromEntries(fields), added };
  }
}
