import type { RunResult } from '../backend/backend.js';
import type { BlasnetError } from '../errors.js';
import { movesState } from '../program/losses.js';
import { trainedGradients } from '../program/update.js';
import type { Job, Source } from '../runtime/engine.js';
import { newControl, sharedDoubles } from '../runtime/evaluate.js';
import { findNonFinite, otherRankError, spoiltError, stepError } from '../runtime/non-finite.js';
import { Snapshot } from '../runtime/snapshot.js';
import { BatchReader } from '../runtime/streams.js';
import { reportWidth, Tally } from '../runtime/tally.js';
import { stoppable } from '../runtime/waiting.js';
import { Accumulation } from './accumulation.js';
import { sameBatch } from './agreement.js';
import { checkCombining } from './group-options.js';
import type { EpochLog } from './history.js';
import { type Piece, piecesOf } from './pieces.js';
import type { Plan } from './plan.js';
import type { ProgressReporter } from './progress.js';
import type { Ranks } from './ranks.js';
import { batchRows } from './sampling.js';

/** The first step of a report whose mean loss is not finite. Needed if a program has no update that could stop. */
function firstNonFinite(report: Float64Array, width: number): number | undefined {
  for (let step = 0; width * step < report.length; step++) if (!Number.isFinite(report[width * step])) return step;
  return undefined;
}

/** Reusable shared memory for the scalars of a run. */
class Doubles {
  #block = sharedDoubles(0);

  take(length: number): Float64Array {
    if (this.#block.length !== length) this.#block = sharedDoubles(length);
    return this.#block;
  }
}

/** Runs the epochs of a plan. */
export class Trainer {
  readonly #plan: Plan;
  readonly #progress: ProgressReporter;
  readonly #snapshot: Snapshot;
  readonly #control = newControl();
  readonly #scalars = new Doubles();
  readonly #report = new Doubles();
  readonly #sums: 'gradients' | 'parameters';
  readonly #accumulation: Accumulation;
  /** The group was lost, and with it what the other ranks have updated. */
  #torn = false;
  /** Epochs that the latest run has ended, for one that is aborted. */
  #finished = 0;

  constructor(plan: Plan, progress: ProgressReporter) {
    const { engine, optimizer, accumulate, syncEvery, ranks } = plan;
    this.#plan = plan;
    this.#progress = progress;
    this.#snapshot = Snapshot.of(engine, optimizer);
    this.#sums = syncEvery === undefined ? 'gradients' : 'parameters';
    this.#accumulation = new Accumulation(syncEvery ?? accumulate, ranks && this.#sums);
  }

  /**
   * Trains `count` epochs starting at number `epoch`; one for a stream. Returns the logs of the last `logged` of them.
   */
  async runEpochs(epoch: number, count: number, logged: number): Promise<{ logs: EpochLog[]; seconds: number }> {
    const { engine, network, optimizer, ranks } = this.#plan;
    await this.#snapshot.take();
    this.#finished = 0;
    try {
      const result = await this.#runEpochs(epoch, count, logged);
      network.epochs += count;
      return result;
    } catch (error) {
      this.#progress.stop();
      // What ranks have trained alone is averaged first, so that either all ranks restore or none.
      await ranks?.fail(error, engine.parameters, engine.attach(optimizer));
      if (!(await this.#snapshot.restore(this.#torn))) network.epochs += this.#finished;
      throw error;
    }
  }

  async #runEpochs(epoch: number, count: number, logged: number): Promise<{ logs: EpochLog[]; seconds: number }> {
    const { engine, optimizer, batches, ranks } = this.#plan;
    const skipped = count - logged;
    const tallies = Array.from({ length: logged }, () => new Tally(engine.model));
    let rates: number[] = [];
    const begin = performance.now();
    this.#progress.beginEpoch(epoch, batches?.count);
    for await (const piece of piecesOf(this.#plan, epoch)) {
      const { goals } = piece.source;
      const steps = piece.batches.count;
      const report = this.#report.take(reportWidth(engine.model, goals) * count * steps);
      rates = await this.#run(piece, epoch, count, report);
      for (const [i, tally] of tallies.entries())
        tally.add(report, goals, piece.batches, (skipped + i) * steps, (skipped + i + 1) * steps, 0);
    }
    if (this.#accumulation.open) await this.#finish(epoch);
    const seconds = (performance.now() - begin) / 1000;
    if (ranks !== undefined && movesState(engine.model, optimizer)) await ranks.averageState(engine.state);
    if (await this.#snapshot.restore()) {
      this.#finished = 0;
      throw spoiltError(`in epoch ${epoch + count - 1}`);
    }
    this.#progress.endEpoch();
    const perEpoch = seconds / count;
    const logs = tallies.map(({ rows, means, losses }, i): EpochLog => {
      const speed = { seconds: perEpoch, samplesPerSecond: rows / perEpoch };
      const number = { epoch: epoch + skipped + i, learningRate: rates[skipped + i] };
      return { ...number, ...means, ...speed, batchLosses: new Float64Array(losses) };
    });
    return { logs, seconds };
  }

  /** One run: `count` epochs over a piece. Returns the learning rate of each epoch's last step. */
  async #run(piece: Piece, epoch: number, count: number, report: Float64Array): Promise<number[]> {
    const { source, batches } = piece;
    const accumulation = this.#accumulation;
    const { engine, optimizer, history, network, rowChoice, augment, data, ranks, signals } = this.#plan;
    const stream = data instanceof BatchReader;
    if (stream) checkCombining(this.#plan, engine.model, source.goals);
    const scalars = this.#scalars.take(count * batches.count * accumulation.scalarCount(optimizer));
    // Whether a batch of a stream ends the epoch is not known yet.
    const span = [epoch, count] as const;
    const rates = await accumulation.writeScalars(scalars, optimizer, span, batches, !stream, signals);
    // Over a network, the gather after the update would not overlap with the backward pass. Moments are gathered after
    // each run, which is a single batch of a stream.
    const divided = ranks?.oneHost === true && !stream ? ranks.size : 1;
    const word = stream ? sameBatch(source) : undefined;
    const first = network.epochs;
    const job = {
      kind: 'train',
      source,
      batchSize: batches.size,
      augment,
      exact: !stream,
      drawn: batches.rows,
      batches: batches.count,
      epochs: count,
      sampling: stream ? 'inOrder' : rowChoice.sampling,
      epoch: first,
      optimizer,
      accumulate: accumulation.accumulates,
      scalars,
      report,
      ranks: batches.parts && ranks?.job(batches.parts, { sums: this.#sums, divided }, word),
      ...(history.profile && { profile: history.profile }),
    } as const;
    this.#progress.follow(this.#control, report, source.goals, batches);
    const { status, steps } = await this.#execute(job, ({ status, steps }) => {
      optimizer.steps += accumulation.stepsIn(steps, optimizer, scalars);
      if (!stream) this.#finished = Math.floor(steps / batches.count);
      if (ranks === undefined || this.#sums === 'gradients') return;
      // The last step before all stop ends with a mean.
      ranks.alone =
        status === 'cancelled' ? 0 : accumulation.aloneAfter(steps, optimizer, scalars, batches, ranks.alone);
    });
    this.#progress.ended();
    // Another rank stopped and reports the reason.
    if (status === 'cancelled') await ranks?.meet();
    ranks?.see(batches, count);
    const width = reportWidth(engine.model, source.goals);
    const bad = status === 'nonFinite' ? steps : firstNonFinite(report, width);
    if (bad === undefined) return rates;
    const rows = batchRows(engine, source, job.sampling, batches, first, bad, this.#plan.sharded);
    const loss = status === 'nonFinite' ? engine.metric[0] : report[width * bad];
    throw await this.#refused(source, rows, loss, piece.at(bad));
  }

  /** The error for a step whose loss is not finite. */
  async #refused(source: Source, rows: Int32Array, loss: number, at: string): Promise<BlasnetError> {
    const { engine, ranks, sharded } = this.#plan;
    const found = findNonFinite(source, rows);
    // Each rank has looked for it in its own rows.
    const finder = sharded ? await ranks?.finder(found !== undefined) : undefined;
    if (found === undefined && finder !== undefined) return otherRankError(finder, loss, at);
    return stepError(engine.state, found, loss, at);
  }

  /** The end of a stream's last batches, which still wait for it: that they are the last shows only at the end. */
  async #finish(epoch: number): Promise<void> {
    const { engine, optimizer, ranks } = this.#plan;
    const { weight } = this.#accumulation;
    this.#accumulation.close();
    if (ranks !== undefined && this.#sums === 'parameters') {
      await ranks.meet();
      for (const block of [engine.parameters, engine.attach(optimizer)]) await ranks.average(block, weight);
      ranks.alone = 0;
      return;
    }
    const scalars = this.#scalars.take(optimizer.scalarCount + (ranks === undefined ? 0 : 1));
    optimizer.writeScalars(scalars, 0, { step: optimizer.steps, epoch });
    scalars.fill(weight, optimizer.scalarCount);
    // Without trained parameters the ranks have nothing to sum.
    const trains = trainedGradients(engine.model, optimizer).length > 0;
    // One row for each rank, with no content.
    const parts = ranks && { drawn: 1, capacity: 1, table: Int32Array.of(0, 1, ranks.rank, ranks.size) };
    const source: Source = { rows: 1, feeds: {}, goals: [] };
    const inGroup = trains ? parts && ranks?.job(parts, { sums: 'gradients', divided: 1 }) : undefined;
    const job = { kind: 'update', source, batchSize: 1, batches: 1, optimizer, scalars, ranks: inGroup } as const;
    const { status } = await this.#execute(job, ({ steps }) => {
      optimizer.steps += steps;
    });
    if (status === 'nonFinite') throw spoiltError(`in epoch ${epoch}`);
  }

  /** Runs a job; `count` counts what was done, also if the run was aborted. */
  async #execute(job: Job, count: (ended: RunResult) => void): Promise<RunResult> {
    const { engine, signal, ranks } = this.#plan;
    this.#control.fill(0);
    return stoppable(signal, this.#control, async () => {
      const ended = await engine.run(job, this.#control);
      count(ended);
      if (ended.status !== 'groupFailed') return ended;
      // Of a divided update this rank has only its share.
      this.#torn = job.ranks !== undefined && job.ranks.divided > 1;
      throw (ranks as Ranks).lost(ended.reason);
    });
  }
}
