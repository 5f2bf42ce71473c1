/** A page in the browser that shows a training as it runs: the public entry point `blasnet/dashboard`. */
import { checkArity, checkBoolean, checkInteger, checkOptions, checkPath, invalid } from '../checks.js';
import { cut, errorText } from '../text.js';
import { type Callbacks, onFirstRank } from '../training/callbacks.js';
import { type Inspected, inspector, type LabelledImages } from './inspect.js';
import type { Run } from './run.js';
import { Site } from './site.js';

export type { Inspected, LabelledImages } from './inspect.js';

/** Options of {@link dashboard}. */
export interface DashboardOptions {
  /** Port on 127.0.0.1; default 0: any that is free. All runs of a process with the same `port` share one page. */
  port?: number;
  /** Name of the run on the page; default: `run 1`, `run 2`, … */
  name?: string;
  /** The network that is trained. The page then has histograms of its parameters and their last gradients. */
  network?: Inspected;
  /**
   * Labelled images, such as the validation data: the page shows those that the network misreads (of the first 500).
   */
  samples?: LabelledImages;
  /**
   * File for the button "save now", a path or file: URL; `{epoch}` is replaced by the epoch's number. It is written as
   * `checkpoint` does, when the epoch ends. Default: no such button.
   */
  save?: string | URL;
  /** Keep the process, and the page, alive after training, until `close()` or a signal. Default false. */
  keepOpen?: boolean;
  /** Where the page's address is printed, once; default process.stdout. */
  stream?: { write(text: string): unknown };
}

/** Callbacks for `fit`, with the page's address. */
export interface Dashboard extends Callbacks {
  /** Undefined before training begins, and after `close`. Who knows it can watch and stop the runs. */
  readonly url: string | undefined;
  /** Closes the page, for all runs that share it. */
  close(): Promise<void>;
}

const known = ['port', 'name', 'network', 'samples', 'save', 'keepOpen', 'stream'] as const;

/** Pages by the port that was asked for. */
const sites = new Map<number, Promise<Site>>();

/** At least so long between two looks inside, and so many times as long as a look takes. */
const LEAST_PAUSE = 1500;
const PAUSE_FACTOR = 100;

/** The page of a port, opened for the first training that wants it. */
function siteAt(port: number, stream: { write(text: string): unknown }): Promise<Site> {
  const open = sites.get(port);
  if (open !== undefined) return open;
  const forget = () => void sites.delete(port);
  const opening = Site.open(port, forget).then((site) => {
    stream.write(`dashboard: ${site.url}\n`);
    return site;
  });
  opening.catch(forget);
  sites.set(port, opening);
  return opening;
}

/**
 * Callbacks for `fit` that show the training on a page in the browser, whose address they print: curves of all figures,
 * learning rate, throughput, time left, histograms, misread images, and buttons that stop or save. The page is served
 * on 127.0.0.1 alone, under a random address. It gets at most a few updates a second, and what costs time is computed
 * only while somebody looks, in at most 1 % of it. The page does not keep the process alive unless `keepOpen` is set.
 *
 * Throws `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, and `SHAPE_MISMATCH` if the samples are not images or don't
 * fit the network. `fit` rejects with `INVALID_ARGUMENT` if the port can't be listened on. That a file can't be saved,
 * or the inside not be shown, is said on the page; training goes on.
 */
export function dashboard(options?: DashboardOptions): Dashboard {
  checkArity('dashboard', arguments, 1);
  const given = checkOptions('dashboard', options, known);
  const { name, network, samples, stream = process.stdout } = given;
  const port = checkInteger('dashboard: port', given.port ?? 0, { min: 0, max: 65535 });
  if (name !== undefined && (typeof name !== 'string' || name === '' || name.length > 80))
    throw invalid('dashboard: name', 'a text of 1 to 80 characters', name);
  const save = given.save === undefined ? undefined : checkPath('dashboard: save', given.save);
  const keepOpen = checkBoolean('dashboard: keepOpen', given.keepOpen ?? false);
  if (typeof stream?.write !== 'function') throw invalid('dashboard: stream', 'a stream with write()', stream);
  const inspect = inspector(network, samples);
  let site: Site | undefined;
  let run: Run | undefined;
  let nextLook = 0;
  const look = () => {
    if (inspect === undefined || nextLook === Infinity) return;
    const begin = performance.now();
    try {
      run?.look(inspect());
    } catch (error) {
      // Training goes on, without further looks.
      nextLook = Infinity;
      run?.say(`the network's inside can't be shown: ${cut(errorText(error), 300)}`, true);
      return;
    }
    const end = performance.now();
    nextLook = end + Math.max(LEAST_PAUSE, PAUSE_FACTOR * (end - begin));
  };
  return onFirstRank({
    get url() {
      return site?.closed === false ? site.url : undefined;
    },
    async close() {
      checkArity('close', arguments, 0);
      await site?.close();
    },
    async onTrainBegin(start) {
      if (site === undefined || run === undefined || !site.has(run)) {
        site = await siteAt(port, stream);
        run = site.newRun(name, save !== undefined);
      }
      run.begin(start);
      nextLook = 0;
    },
    onProgress(progress) {
      run?.progress(progress);
    },
    async onEpochEnd(log, training) {
      if (run === undefined) return;
      run.addEpoch(log);
      if (site?.watched === true && performance.now() >= nextLook) look();
      if (run.stopAsked) training.stop();
      if (!run.saveAsked || save === undefined) return;
      run.saveAsked = false;
      const file = save.replaceAll('{epoch}', String(log.epoch));
      await training.save(file).then(
        () => run?.say(`saved ${file} after epoch ${log.epoch + 1}`, false),
        (error: unknown) => run?.say((error as Error).message, true),
      );
    },
    onTrainEnd() {
      if (site?.watched === true || keepOpen) look();
      run?.end();
      site?.flush();
      if (keepOpen) site?.keepOpen();
    },
    onTrainFail(error) {
      run?.fail(error);
      site?.flush();
      if (keepOpen) site?.keepOpen();
    },
  });
}
