import { describe, expect, it } from 'vitest';
import { blobs, Dataset } from '../../lib/data/index.js';
import { metrics } from '../../lib/index.js';
import {
  confusionMatrixPlot,
  decisionRegions,
  type Epochs,
  fittedCurve,
  imageGrid,
  learningCurves,
  lossSurface,
  metricCurves,
  panelGrid,
  precisionRecallPlot,
  predictionPlot,
  residualPlot,
  rocPlot,
  type Theme,
} from '../../lib/report/index.js';
import { lookOf } from '../../lib/report/look.js';
import { shorten } from '../../lib/report/style.js';
import { draw } from '../../lib/report/vega.js';
import { expectRejection } from '../data/expect-error.js';
import { count, expectSvg, lineCount, texts, titles } from './support.js';

function history(epochs: number, own: Record<string, number> = { f1: 0.5 }): Epochs {
  return {
    epochs: Array.from({ length: epochs }, (_, epoch) => ({
      epoch,
      loss: 1 / (1 + epoch),
      accuracy: 1 - 0.5 / (1 + epoch),
      learningRate: 0.1,
      seconds: 1,
      samplesPerSecond: 1,
      batchLosses: Float64Array.of(1),
      validation: { loss: 1.2 / (1 + epoch), accuracy: 1 - 0.6 / (1 + epoch) },
      metrics: own,
    })),
  };
}

/** Pixels of the plot itself: the rectangle that the axes span. */
function plotSize(svg: string): { width: number; height: number } {
  const [, width, height] = svg.match(/class="background"[^>]*d="M0,0h([\d.]+)v([\d.]+)h-/) as RegExpMatchArray;
  return { width: Number(width), height: Number(height) };
}

const longName = (i: number) => `resnet-style-network-with-batch-norm-and-dropout, learning rate 0.00${i}, seed ${i}`;
const runs = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, i) => [longName(i), history(5)]));

describe('legends', () => {
  it('leave room for the plot: eight runs with long names', async () => {
    const svg = await learningCurves(runs(8));
    const { width, height } = await expectSvg(svg);
    expect(width).toBe(800);
    expect(height).toBeGreaterThan(420);
    expect(plotSize(svg).height).toBeGreaterThan(200);
    expect(plotSize(svg).width).toBeGreaterThan(650);
    const keys = texts(svg).filter((text) => text.includes('…'));
    expect(keys).toHaveLength(16);
    expect(new Set(keys).size).toBe(16);
    expect(titles(svg)).toContain(`${longName(3)}, validation`);
  });

  it('leave room in a picture of a fixed size, and omit what has none', async () => {
    const svg = await learningCurves(runs(60), { width: 500, height: 300, validation: false });
    expect(await expectSvg(svg)).toEqual({ width: 500, height: 300 });
    expect(plotSize(svg).height).toBeGreaterThan(100);
    expect(lineCount(svg)).toBe(60);
    expect(texts(svg).some((text) => /^… and \d+ more$/.test(text))).toBe(true);
    const many = await learningCurves(Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`r${i}`, history(2)])), {
      validation: false,
    });
    expect(texts(many).filter((text) => /^r\d+$/.test(text))).toHaveLength(40);
  });

  it('keep the words of names that fit', async () => {
    const svg = await learningCurves({ SGD: history(3), Adam: history(3) });
    expect(texts(svg)).toEqual(expect.arrayContaining(['SGD, training', 'Adam, validation']));
    expect(titles(svg)).toEqual([]);
  });

  it('escape the titles of names that are cut', async () => {
    const svg = await learningCurves({ [`<b> & ${'x'.repeat(200)}`]: history(3) });
    expect(titles(svg)).toContain(`&lt;b&gt; &amp; ${'x'.repeat(200)}, training`);
  });

  it('of classes and axes are cut, too', async () => {
    const names = Array.from({ length: 4 }, (_, i) => `${'a name of a class '.repeat(6)}${i}`);
    const { features, labels } = blobs({ samples: 40, classes: 4, seed: 1 });
    const points = new Dataset({ features, shape: [2], labels, labelNames: names });
    const predict = (x: Float32Array) => Float32Array.from({ length: x.length * 2 }, (_, i) => ((i * 7) % 11) / 11);
    const regions = await decisionRegions(predict, points, { resolution: 10 });
    expect(plotSize(regions).width).toBeGreaterThan(450);
    expect(titles(regions)).toEqual(names);
    const matrix = metrics.confusionMatrix([0, 1, 2, 3], [0, 1, 2, 3], { labelNames: names });
    const plot = await confusionMatrixPlot(matrix);
    expect(plotSize(plot).width).toBeGreaterThan(300);
    expect(titles(plot)).toEqual([...names, ...names]);
  });
});

describe('shorten', () => {
  it('cuts in the middle, else to where names differ, else numbers them', () => {
    expect(shorten(['short', 'a much longer name'], 9)).toMatchObject({ shown: ['short', 'a mu…name'] });
    expect(shorten(['run 1 of a search', 'run 2 of a search'], 9).shown).toEqual(['…n 1 of …', '…n 2 of …']);
    expect(shorten(['aaaaaaXaaaaaaaYaaaaaa', 'aaaaaaXaaaaaaaZaaaaaa', 'baaaaaXaaaaaaaZaaaaaa'], 8).shown).toEqual([
      'aa…a (1)',
      'aa…a (2)',
      'ba…a (3)',
    ]);
    const { shown, full } = shorten(['a much longer name'], 9);
    expect(full.get(shown[0])).toBe('a much longer name');
    for (const name of shown) expect(name.length).toBeLessThanOrEqual(9);
  });
});

describe('metrics of one’s own', () => {
  it('are curves by name', async () => {
    const svg = await learningCurves({ a: history(4), b: history(4, { f1: 0.7, recall: 0.2 }) }, { show: 'f1' });
    await expectSvg(svg);
    expect(lineCount(svg)).toBe(2);
    expect(texts(svg)).toEqual(expect.arrayContaining(['a', 'b', 'f1']));
    await expectRejection(
      () => learningCurves(history(2), { show: 'auc' }),
      'INVALID_ARGUMENT',
      /show: expected one of 'loss', 'accuracy', 'learningRate', 'batchLoss', 'f1'/,
    );
  });

  it('get a panel each, with the loss and the accuracy', async () => {
    const svg = await metricCurves({ SGD: history(4, { f1: 0.5, recall: 0.6 }), Adam: history(4) }, { title: 'All' });
    await expectSvg(svg);
    const written = texts(svg);
    expect(written).toEqual(expect.arrayContaining(['loss', 'accuracy', 'f1', 'recall', 'SGD, training', 'epoch']));
    expect(lineCount(svg)).toBe(4 + 4 + 2 + 1);
    expect(written.filter((text) => text.startsWith('SGD'))).toHaveLength(2);
    expect(count(svg, /mark-line role-mark[^>]*><path[^>]*stroke="#0072B2"/)).toBe(6);
    expect(count(svg, /mark-line role-mark[^>]*><path[^>]*stroke-dasharray="6,4"/)).toBe(2 + 2 + 2 + 1); // of validation, as own metrics are
    expect(await metricCurves({ SGD: history(4), Adam: history(4) })).toBe(
      await metricCurves({ SGD: history(4), Adam: history(4) }),
    );
    const alone = await metricCurves(history(1, { f1: Number.NaN }), { validation: false });
    expect(texts(alone)).not.toContain('f1');
    await expectRejection(() => metricCurves({ epochs: [] }), 'EMPTY_DATA', /at least one finite number/);
  });
});

describe('ROC and precision-recall', () => {
  const labels = [0, 0, 1, 1];
  const scores = [0.1, 0.4, 0.35, 0.8];

  it('draw curves with their areas', async () => {
    const roc = await rocPlot(metrics.rocCurve(scores, labels), { title: 'ROC' });
    expect(await expectSvg(roc)).toEqual({ width: 800, height: 560 });
    expect(texts(roc)).toEqual(expect.arrayContaining(['AUC 0.750', 'false positive rate', 'true positive rate']));
    expect(count(roc, 'class="mark-rule role-mark"')).toBe(1);
    const curve = metrics.precisionRecallCurve(scores, labels);
    const svg = await precisionRecallPlot({ Adam: curve, SGD: curve });
    await expectSvg(svg);
    expect(texts(svg)).toEqual(expect.arrayContaining(['Adam (AP 0.833)', 'SGD (AP 0.833)', 'recall', 'precision']));
  });

  it('thin long curves', async () => {
    const many = Array.from({ length: 20_000 }, (_, i) => Math.sin(i * 1.7) + (i % 2));
    const svg = await rocPlot(
      metrics.rocCurve(
        many,
        Array.from(many, (_, i) => i % 2),
      ),
    );
    await expectSvg(svg);
    expect(svg.length).toBeLessThan(60_000);
  });

  it('refuse what is no curve', async () => {
    await expectRejection(
      () => rocPlot({ a: 1 } as never),
      'INVALID_ARGUMENT',
      /curves\.a: expected a curve \{ falsePositiveRate/,
    );
    await expectRejection(() => rocPlot([] as never), 'INVALID_ARGUMENT', /curves: expected a curve/);
    await expectRejection(() => rocPlot({}), 'EMPTY_DATA', /at least one/);
    const short = { falsePositiveRate: [0], truePositiveRate: [0, 1], thresholds: [] };
    await expectRejection(() => rocPlot(short as never), 'SHAPE_MISMATCH', /got 1 and 2/);
  });
});

describe('predictionPlot and residualPlot', () => {
  const truth = [1, 2, 3, 4];
  const predictions = [1.1, 1.9, 3.2, NaN];

  it('draw a point for each finite pair', async () => {
    for (const plot of [predictionPlot, residualPlot]) {
      const svg = await plot(predictions, truth, { title: 'Fit' });
      expect(await expectSvg(svg)).toEqual({ width: 800, height: 480 });
      const points = svg.match(/class="mark-symbol role-mark"[\s\S]*?<\/g>/)?.[0] ?? '';
      expect(count(points, '<path')).toBe(3);
      expect(count(svg, 'class="mark-rule role-mark"')).toBe(1);
    }
    expect(texts(await residualPlot(predictions, truth))).toEqual(
      expect.arrayContaining(['predicted', 'true − predicted']),
    );
  });

  it('take datasets, several outputs with names, and many rows', async () => {
    const data = new Dataset({
      features: new Float32Array(2),
      shape: [1],
      targets: [
        [1, 2],
        [3, 4],
      ],
    });
    const svg = await predictionPlot(
      [
        [1, 2],
        [3, 5],
      ],
      data,
      { outputNames: ['height', 'weight'] },
    );
    expect(texts(svg)).toEqual(expect.arrayContaining(['height', 'weight']));
    const many = Float32Array.from({ length: 50_000 }, (_, i) => Math.sin(i));
    const points = (await residualPlot(many, many)).match(/class="mark-symbol role-mark"[\s\S]*?<\/g>/)?.[0] ?? '';
    expect(count(points, '<path')).toBeLessThanOrEqual(4000);
    expect(count(points, '<path')).toBeGreaterThan(3000);
  });

  it('refuse what they cannot draw', async () => {
    await expectRejection(() => predictionPlot([NaN], [1]), 'EMPTY_DATA', /at least one finite number/);
    await expectRejection(() => predictionPlot([1, 2], [1]), 'SHAPE_MISMATCH', /as many as the truth, got 2/);
    await expectRejection(
      () => residualPlot([1], [1], { outputNames: ['a', 'b'] }),
      'SHAPE_MISMATCH',
      /each of 1 outputs, got 2/,
    );
    await expectRejection(
      () => residualPlot([[1, 2]], [[1, 2]], { outputs: 1 }),
      'SHAPE_MISMATCH',
      /outputs: expected 2/,
    );
    await expectRejection(() => residualPlot([1], [1], { colour: 1 } as never), 'UNKNOWN_OPTION', /"colour"/);
  });
});

describe('image grids with long names', () => {
  const labelNames = Array.from({ length: 3 }, (_, i) => `an animal with a long name ${i}`);
  const features = Uint8Array.from({ length: 12 * 4 }, (_, i) => i * 5);
  const data = new Dataset({
    features,
    shape: [2, 2],
    labels: Array.from({ length: 12 }, (_, i) => i % 3),
    labelNames,
  });

  it('have captions that can be read', async () => {
    const svg = await imageGrid(data, {
      predictions: Array.from({ length: 12 }, (_, i) => (i + (i === 0 ? 1 : 0)) % 3),
      columns: 12,
    });
    await expectSvg(svg);
    const sizes = [...svg.matchAll(/font-size="([\d.]+)px"/g)].map((match) => Number(match[1]));
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(11);
    expect(texts(svg).filter((text) => text.startsWith('✗'))).toHaveLength(1);
    expect(titles(svg)).toEqual(expect.arrayContaining([`✗ ${labelNames[1]}`, `(${labelNames[0]})`, labelNames[2]]));
  });

  it('have fewer columns where nobody says how many', async () => {
    const svg = await imageGrid(data);
    expect(texts(svg).every((text) => !text.includes('…'))).toBe(true);
  });
});

describe('confusionMatrixPlot', () => {
  it('draws a hundred classes and tells its bound', async () => {
    const cells = Array.from({ length: 100 }, (_, i) => ({ truth: i, predicted: i, count: 3 }));
    const svg = await confusionMatrixPlot(new metrics.ConfusionMatrix({ classes: 100, cells }));
    await expectSvg(svg);
    const drawn = svg.match(/class="mark-rect role-mark"[\s\S]*?<\/g>/)?.[0] ?? '';
    expect(count(drawn, '<path')).toBe(100);
    await expectRejection(
      () => confusionMatrixPlot(new metrics.ConfusionMatrix({ classes: 201, cells: [] })),
      'INVALID_ARGUMENT',
      /matrix: expected at most 200 classes/,
    );
  });
});

/** Contrast of two colours by WCAG 2. */
function contrast(a: string, b: string): number {
  const luminance = (colour: string) => {
    const hex = colour === 'white' ? '#ffffff' : colour.length === 4 ? colour.replace(/[^#]/g, '$&$&') : colour;
    const [r, g, blue] = [1, 3, 5].map((at) => {
      const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * blue;
  };
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

describe('texts that every object has a property of', () => {
  it.each(['constructor', 'toString', '__proto__'])('%s is a text as any other', async (name) => {
    const axes = { title: name, xTitle: name, yTitle: name };
    const curve = { name, x: [0, 1], y: [0, 1] };
    const own = history(3, JSON.parse(`{ "${name}": 0.5 }`));
    const labelNames = [name, 'b'];
    const pictures = {
      title: await learningCurves(own, { title: name, show: name }),
      metric: await metricCurves(own),
      panels: await panelGrid([{ title: name, curves: [curve, { ...curve, name: 'b' }] }], axes),
      surface: await lossSurface((a, b) => a + b, [curve], { ...axes, resolution: 10 }),
      fitted: await fittedCurve({ x: [0, 1], y: [0, 1] }, [curve], axes),
      confusion: await confusionMatrixPlot(metrics.confusionMatrix([0, 1], [0, 0]), { labelNames }),
      images: await imageGrid(new Dataset({ features: [[1, 2, 3, 4]], labels: [0], classes: 2 }), { labelNames }),
    };
    for (const [what, svg] of Object.entries(pictures)) {
      expect(texts(svg), what).toContain(name);
      expect(svg).not.toContain('\u200b');
    }
  });

  it('no picture is empty where vega fails', async () => {
    const scales = [{ name: 'x', type: 'none' }];
    const text = /^learningCurves: vega can't draw it \(.*none/;
    await expectRejection(() => draw('learningCurves', lookOf('light'), { scales }), 'INTERNAL', text);
    const marks = [{ type: 'text', encode: { enter: { text: { signal: 'constructor' } } } }];
    await expectRejection(() => draw('learningCurves', lookOf('light'), { marks }), 'INTERNAL', /vega can't draw it/);
  });
});

describe('themes', () => {
  const x = [1, 2, 3];
  const drawings: Record<string, (theme: Theme) => Promise<string>> = {
    learningCurves: (theme) => learningCurves(history(3), { theme }),
    metricCurves: (theme) => metricCurves(history(3), { theme }),
    panelGrid: (theme) => panelGrid([{ title: 'a', curves: [{ name: 'b', y: x }] }], { theme }),
    fittedCurve: (theme) => fittedCurve({ x, y: x }, [{ name: 'a', y: x }], { theme }),
    lossSurface: (theme) => lossSurface((a, b) => a + b, [{ name: 'a', x, y: x }], { theme, resolution: 10 }),
    confusionMatrixPlot: (theme) => confusionMatrixPlot(metrics.confusionMatrix([0, 1], [0, 0]), { theme }),
    imageGrid: (theme) => imageGrid(new Dataset({ features: [[1, 2, 3, 4]], labels: [0] }), { theme }),
    rocPlot: (theme) => rocPlot(metrics.rocCurve([1, 2], [0, 1]), { theme }),
    residualPlot: (theme) => residualPlot(x, [1, 2, 4], { theme }),
    decisionRegions: (theme) =>
      decisionRegions((points) => points.filter((_, i) => i % 2 === 0), blobs({ samples: 10, classes: 2 }), {
        theme,
        resolution: 10,
      }),
  };

  it.each(Object.keys(drawings))('%s is light or dark', async (name) => {
    const [light, dark] = [await drawings[name]('light'), await drawings[name]('dark')];
    await expectSvg(light);
    expect(light).toMatch(/<rect width="\d+" height="\d+" fill="white"/);
    expect(dark).toMatch(/<rect width="\d+" height="\d+" fill="#16181d"/);
    expect(count(dark, /<text[^>]*fill="#(222|000)/)).toBe(0);
    await expectRejection(
      () => drawings[name]('blue' as never),
      'INVALID_ARGUMENT',
      /theme: expected one of 'light', 'dark'/,
    );
  });

  it.each(['light', 'dark'] as const)('%s: text and curves stand out from the ground', (theme) => {
    const look = lookOf(theme);
    expect(contrast(look.ink, look.background)).toBeGreaterThan(10);
    for (const ink of [look.right, look.wrong]) expect(contrast(ink, look.background)).toBeGreaterThan(4.5);
    look.onShades.forEach((ink, i) => expect(contrast(ink, look.shades[i])).toBeGreaterThan(4.5));
    for (const colour of look.palette)
      expect(contrast(colour, look.background)).toBeGreaterThan(theme === 'dark' ? 5 : 2);
  });
});
