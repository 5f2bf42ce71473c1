import { movesState } from '../program/losses.js';
import { BatchReader } from '../runtime/streams.js';
import { bounded } from '../runtime/waiting.js';
import { meetAfter } from './agreement.js';
import { type Callbacks, tellFailure } from './callbacks.js';
import type { EpochLog } from './history.js';
import { type Plan, settingsOf } from './plan.js';
import { ProgressReporter } from './progress.js';
import { Trainer } from './trainer.js';
import { validate } from './validation.js';

/** Epochs shorter than this many milliseconds run together, unless something happens between them. */
const SHORT_RUN = 20;

/** Trains the epochs of a plan. */
export async function train(plan: Plan): Promise<void> {
  try {
    await trainEpochs(plan);
  } catch (error) {
    tellFailure(plan.callbacks, error);
    throw error;
  }
}

async function trainEpochs(plan: Plan): Promise<void> {
  const { engine, callbacks, epochs, firstEpoch, history, batches, ranks } = plan;
  const samples = plan.data instanceof BatchReader ? undefined : plan.data.rows;
  if (callbacks.some((each) => each.onTrainBegin !== undefined))
    await notify(plan, 'onTrainBegin', { epochs, initialEpoch: firstEpoch, samples, settings: settingsOf(plan) });
  const progress = new ProgressReporter(callbacks, engine.model, firstEpoch, epochs);
  const trainer = new Trainer(plan, progress);
  // Epochs run together only if nothing happens between them. The mean of the ranks' running statistics does.
  const averages = ranks !== undefined && movesState(engine.model, plan.optimizer);
  const watched = plan.validation !== undefined || callbacks.some((each) => each.onEpochBegin ?? each.onEpochEnd);
  let group = 1;
  try {
    let stop = false;
    for (let done = 0; done < epochs && !stop; ) {
      const epoch = firstEpoch + done;
      await notify(plan, 'onEpochBegin', epoch);
      let count = Math.min(group, epochs - done);
      // A rank whose callbacks watch each epoch runs them one by one.
      if (ranks !== undefined) ({ number: count } = await ranks.meet({ number: count }));
      const { logs, seconds } = await trainer.runEpochs(epoch, count, watched ? count : Math.min(count, plan.kept));
      if (!watched && batches !== undefined && !averages) {
        group = Math.max(1, Math.min(1000, Math.floor((SHORT_RUN / 1000 / seconds) * count)));
      }
      for (const log of logs) await endEpoch(plan, log);
      // With ranks, a stop that is requested after their exchange takes effect at the next one.
      stop = ranks === undefined ? plan.training.stopped : await meetAfter(plan, ranks);
      done += count;
    }
  } finally {
    progress.stop();
  }
  checkWanted(plan);
  await notify(plan, 'onTrainEnd', history);
  checkWanted(plan);
  if (ranks !== undefined) await meetAfter(plan, ranks);
}

/** Throws if training was aborted, or the network disposed, in a callback after which nothing else runs. */
function checkWanted({ engine, signal }: Plan): void {
  engine.checkUsable();
  signal?.throwIfAborted();
}

/** Evaluates, logs the epoch and calls the callbacks. */
async function endEpoch(plan: Plan, log: EpochLog): Promise<void> {
  const { history } = plan;
  const full: EpochLog = { ...log, ...(plan.validation && (await validate(plan, plan.validation))) };
  history.epochs.push(full);
  if (history.epochs.length > plan.kept) history.epochs.splice(0, history.epochs.length - plan.kept);
  await notify(plan, 'onEpochEnd', full, plan.training.handle);
}

type Hook = Exclude<keyof Callbacks, 'onProgress' | 'onTrainFail'>;

/** Calls a hook of all callbacks in turn, while training is paused. */
async function notify<H extends Hook>(
  plan: Plan,
  hook: H,
  ...args: Parameters<NonNullable<Callbacks[H]>>
): Promise<void> {
  const { engine, callbacks, signals, training } = plan;
  const listeners = callbacks.filter((each) => each[hook] !== undefined);
  if (listeners.length === 0) return;
  // The caller of `fit` must find the network busy first.
  await undefined;
  const call = async () => {
    for (const listener of listeners) {
      await bounded((listener[hook] as (...args: unknown[]) => void | Promise<void>).apply(listener, args), signals);
    }
  };
  training.waiting = hook === 'onEpochEnd' || hook === 'onTrainEnd';
  try {
    await engine.rest(call, signals);
  } finally {
    training.waiting = false;
  }
}
