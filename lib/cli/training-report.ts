import { BlasnetError, type History, type Network } from 'blasnet';
import { type Hyperparameter, learningCurves, type ReportSection, writeReport } from 'blasnet/report';
import { type Scores, titled } from './scores.js';
import { counted } from './tables.js';

export interface Trained {
  readonly target: string;
  readonly settings: Readonly<Record<string, Hyperparameter>>;
  readonly network: Network<string>;
  readonly history: History;
  /** Undefined without a test part. */
  readonly scores: Scores | undefined;
  note(text: string): void;
}

/**
 * Writes an HTML page about a training. It lacks pictures that can't be drawn, such as those of very many labels or
 * without the package that draws, and notes say so.
 */
export async function writeTrainingReport(path: string, trained: Trained): Promise<void> {
  const { target, settings, network, history, scores, note } = trained;
  const missing = new Set<string>();
  const drawn = async (what: string, picture: Promise<string>): Promise<string[]> => {
    try {
      return [await picture];
    } catch (error) {
      if (!(error instanceof BlasnetError)) throw error;
      missing.add(`${path}: without ${error.code === 'PACKAGE_MISSING' ? 'pictures' : what}: ${error.message}`);
      return [];
    }
  };
  const sections: ReportSection[] = [];
  if (scores !== undefined) {
    const { rows, baseline, matrix } = scores;
    sections.push({
      heading: `Test: ${counted(rows, 'row')} that training has not seen`,
      text: `For comparison: ${baseline}.`,
      table: { columns: ['figure', 'value'], rows: titled(scores) },
      ...(matrix && { preformatted: String(matrix) }),
      svg: await drawn('the picture of the test', scores.picture()),
    });
  }
  const shown = history.accuracy.some(Number.isFinite) ? (['loss', 'accuracy'] as const) : (['loss'] as const);
  const curves = [];
  for (const show of shown)
    curves.push(...(await drawn(`the curve of the ${show}`, learningCurves(history, { show }))));
  if (curves.length > 0) sections.push({ heading: 'Training', svg: curves });
  for (const text of missing) note(text);
  await writeReport(path, {
    title: `Prediction of ${target}`,
    sections,
    hyperparameters: settings,
    network,
    theme: 'auto',
  });
}
