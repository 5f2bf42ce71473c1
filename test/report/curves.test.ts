import { describe, expect, it } from 'vitest';
import type { EpochLog } from '../../lib/index.js';
import {
  type Curve,
  type Epochs,
  fittedCurve,
  learningCurves,
  metricCurves,
  panelGrid,
} from '../../lib/report/index.js';
import { expectRejection } from '../data/expect-error.js';
import { count, expectSvg, lineCount, texts } from './support.js';

function history(epochs: number, { rate = 0.3, validation = true } = {}): Epochs {
  return {
    epochs: Array.from({ length: epochs }, (_, epoch): EpochLog => {
      const loss = Math.exp(-rate * epoch);
      const batchLosses = Float64Array.from({ length: 50 }, (_, i) => loss + i / 1000);
      const log = {
        epoch,
        loss,
        accuracy: 1 - loss / 2,
        learningRate: 0.1 / (1 + epoch),
        seconds: 1,
        samplesPerSecond: 1,
        batchLosses,
      };
      return validation ? { ...log, validation: { loss: loss + 0.1, accuracy: 0.9 - loss / 2 } } : log;
    }),
  };
}

const two = [
  { name: 'training', y: [0.5, 0.8, 0.9] },
  { name: 'test', y: [0.4, 0.7, 0.8] },
];

describe('learningCurves', () => {
  it('draws training solid and validation dashed', async () => {
    const svg = await learningCurves(history(10), { title: 'Loss' });
    expect(await expectSvg(svg)).toEqual({ width: 800, height: 420 });
    expect(lineCount(svg)).toBe(2);
    expect(texts(svg)).toEqual(expect.arrayContaining(['Loss', 'training', 'validation', 'epoch', 'loss', '10']));
    expect(count(svg, 'stroke-dasharray="6,4"')).toBe(2); // the line and its key
  });

  it('draws several histories by name', async () => {
    const histories = { SGD: history(5), Adam: history(8, { rate: 0.6, validation: false }) };
    const svg = await learningCurves(histories, { show: 'accuracy', width: 500, height: 300 });
    expect(await expectSvg(svg)).toEqual({ width: 500, height: 300 });
    expect(lineCount(svg)).toBe(3);
    expect(texts(svg)).toEqual(expect.arrayContaining(['SGD, training', 'SGD, validation', 'Adam', 'accuracy']));
    const training = await learningCurves(histories, { show: 'accuracy', validation: false });
    expect(lineCount(training)).toBe(2);
  });

  it.each(['learningRate', 'batchLoss'] as const)('shows %s, one line a history', async (show) => {
    const svg = await learningCurves(history(3), { show });
    await expectSvg(svg);
    expect(lineCount(svg)).toBe(1);
    expect(texts(svg)).toContain(show === 'batchLoss' ? 'step' : 'learning rate');
  });

  it('thins long runs', async () => {
    const svg = await learningCurves({ long: history(1000) }, { show: 'batchLoss' }); // 50,000 steps
    await expectSvg(svg);
    expect(svg.length).toBeLessThan(60_000);
  });

  it('draws a single epoch, gaps and a logarithmic axis', async () => {
    const one = await learningCurves(history(1));
    await expectSvg(one);
    expect(count(one, 'class="mark-symbol role-mark')).toBe(2);
    const epochs = history(6).epochs.map((log, i) => (i === 2 ? { ...log, loss: NaN } : log));
    await expectSvg(await learningCurves({ epochs }));
    const log = await learningCurves(history(30), { logScale: true });
    await expectSvg(log);
    expect(texts(log)).toEqual(expect.arrayContaining(['0.001', '0.1', '1']));
  });

  it('escapes text', async () => {
    const svg = await learningCurves(
      { '<b> & "c"': history(3) },
      { title: '</text><script>alert("x")</script> & more' },
    );
    await expectSvg(svg.replaceAll('&lt;script', ''));
    expect(svg).toContain('&lt;b&gt; &amp; ');
    expect(svg).not.toContain('<b>');
    expect(svg).not.toContain('<script');
  });

  it('breaks long titles', async () => {
    const svg = await learningCurves(history(3), { title: 'word '.repeat(60), width: 400 });
    await expectSvg(svg);
    expect(count(svg, '<tspan')).toBe(3);
    expect(svg).toContain('…');
  });

  it('is the same each time, and ids of different pictures differ', async () => {
    const [a, b, c] = [
      await learningCurves(history(5)),
      await learningCurves(history(5)),
      await learningCurves(history(6)),
    ];
    expect(b).toBe(a);
    const ids = (svg: string) => [...svg.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]);
    expect(ids(a).length).toBeGreaterThan(0);
    expect(ids(a).filter((id) => ids(c).includes(id))).toEqual([]);
    for (const id of ids(a)) expect(a).toContain(`url(#${id})`);
    expect(count(a, /url\(#/)).toBe(count(a, new RegExp(`url\\(#(${ids(a).join('|')})\\)`)));
  });

  it('refuses what it cannot draw', async () => {
    await expectRejection(() => learningCurves([] as never), 'INVALID_ARGUMENT', /histories: expected a history/);
    await expectRejection(
      () => learningCurves({ a: 1 } as never),
      'INVALID_ARGUMENT',
      /histories\.a: expected a history/,
    );
    await expectRejection(() => learningCurves({}), 'EMPTY_DATA', /at least one/);
    for (const draw of [learningCurves, metricCurves]) {
      const nothing = { epochs: [null] } as never;
      await expectRejection(() => draw(nothing), 'INVALID_ARGUMENT', /^histories\.epochs\[0\]: expected the log of an/);
      await expectRejection(() => draw({ a: nothing }), 'INVALID_ARGUMENT', /^histories\.a\.epochs\[0\]: expected the/);
    }
    const lines = { epochs: [{ epoch: 0, loss: 1 }] } as never;
    const losses = /^histories\.epochs\[0\]\.batchLosses: expected an array of numbers, got undefined$/;
    await expectRejection(() => learningCurves(lines, { show: 'batchLoss' }), 'INVALID_ARGUMENT', losses);
    await expectRejection(() => learningCurves({ epochs: [] }), 'EMPTY_DATA', /at least one finite number/);
    await expectRejection(
      () => learningCurves(history(2), { show: 'time' as never }),
      'INVALID_ARGUMENT',
      /show: expected one of 'loss'/,
    );
    await expectRejection(
      () => learningCurves(history(2), { width: 10 }),
      'INVALID_ARGUMENT',
      /width: expected an integer ≥ 200/,
    );
    await expectRejection(() => learningCurves(history(2), { colour: 'red' } as never), 'UNKNOWN_OPTION', /"colour"/);
    const epochs = history(3).epochs.map((log) => ({ ...log, loss: 0 }));
    await expectRejection(
      () => learningCurves({ epochs }, { logScale: true }),
      'INVALID_ARGUMENT',
      /above 0 on a logarithmic axis, got 0/,
    );
  });
});

describe('panelGrid', () => {
  const panels = Array.from({ length: 12 }, (_, i) => ({ title: `run ${i}`, curves: two }));

  it('draws twelve panels with common axes and one legend', async () => {
    const svg = await panelGrid(panels, {
      columns: 4,
      title: 'Twelve',
      xTitle: 'epoch',
      yTitle: 'accuracy',
      yRange: [0, 1],
    });
    const { width } = await expectSvg(svg);
    expect(width).toBeGreaterThan(740);
    expect(width).toBeLessThan(820);
    expect(lineCount(svg)).toBe(24);
    const written = texts(svg);
    for (let i = 0; i < 12; i++) expect(written.filter((text) => text === `run ${i}`)).toHaveLength(1);
    expect(written.filter((text) => text === 'training')).toHaveLength(1);
    expect(written.filter((text) => text === '0.5')).toHaveLength(3); // y at the left of each row
    expect(written.filter((text) => text === 'epoch')).toHaveLength(1);
  });

  it('draws panels with axes of their own', async () => {
    const svg = await panelGrid(panels.slice(0, 5), { sharedAxes: false, columns: 2, height: 600 });
    const { height } = await expectSvg(svg);
    expect(Math.abs(height - 600)).toBeLessThan(80);
    expect(texts(svg).filter((text) => text === '0.6')).toHaveLength(5);
  });

  it('gives curves of one name one colour, and dashes beyond ten', async () => {
    const named = (names: string[]): Curve[] => names.map((name, i) => ({ name, y: [i, i + 1] }));
    const svg = await panelGrid([
      { title: 'a', curves: named(['one', 'two']) },
      { title: 'b', curves: named(['two']) },
    ]);
    expect(count(svg, /mark-line role-mark[^>]*><path[^>]*stroke="#0072B2"/)).toBe(1);
    expect(count(svg, /mark-line role-mark[^>]*><path[^>]*stroke="#D55E00"/)).toBe(2);
    const many = await panelGrid([
      { title: 'many', curves: named(Array.from({ length: 12 }, (_, i) => `curve ${i}`)) },
    ]);
    await expectSvg(many);
    expect(count(many, 'stroke-dasharray="8,4"')).toBe(4);
  });

  it('refuses what it cannot draw', async () => {
    await expectRejection(() => panelGrid([]), 'EMPTY_DATA', /panels: expected at least one/);
    await expectRejection(() => panelGrid({} as never), 'INVALID_ARGUMENT', /a list of panels/);
    await expectRejection(() => panelGrid([null] as never), 'INVALID_ARGUMENT', /panels\[0\]/);
    await expectRejection(
      () => panelGrid([{ title: 'a', curves: [two[0], two[0]] }]),
      'INVALID_ARGUMENT',
      /a name that no other curve has, got "training"/,
    );
    await expectRejection(
      () => panelGrid([{ title: 'a', curves: [{ name: 'b', x: [1], y: [1, 2] }] }]),
      'SHAPE_MISMATCH',
      /expected 2 numbers/,
    );
    await expectRejection(
      () => panelGrid([{ title: 'a', curves: [{ name: 'b', x: [NaN], y: [1] }] }]),
      'INVALID_ARGUMENT',
      /x\[0\]: expected a finite number/,
    );
    await expectRejection(
      () => panelGrid([{ title: 'a', curves: [{ name: 'b', y: [NaN] }] }]),
      'EMPTY_DATA',
      /finite number/,
    );
    await expectRejection(
      () => panelGrid(panels, { yRange: [1, 0] }),
      'INVALID_ARGUMENT',
      /yRange: expected two numbers/,
    );
  });
});

describe('fittedCurve', () => {
  const points = { x: [-1, 0, 1], y: Float32Array.of(0.5, 0, 0.6) };
  const x = Array.from({ length: 100 }, (_, i) => -1 + i / 49.5);

  it('draws every point and every curve', async () => {
    const curves = [
      { name: 'x²', x, y: x.map((v) => v * v) },
      { name: '|x|', x, y: x.map(Math.abs) },
    ];
    const svg = await fittedCurve(points, curves, { title: 'Fit', xTitle: 'input', yTitle: 'output' });
    expect(await expectSvg(svg)).toEqual({ width: 800, height: 450 });
    expect(lineCount(svg)).toBe(2);
    const rings = svg.match(/class="mark-symbol role-mark"[\s\S]*?<\/g>/)?.[0] ?? '';
    expect(count(rings, '<path')).toBe(3);
    expect(texts(svg)).toEqual(expect.arrayContaining(['Fit', 'x²', '|x|', 'input', 'output']));
    await expectSvg(await fittedCurve(points, []));
  });

  it('refuses what it cannot draw', async () => {
    await expectRejection(
      () => fittedCurve({ x: [1], y: [1, 2] }, []),
      'SHAPE_MISMATCH',
      /points\.x: expected 2 numbers/,
    );
    await expectRejection(
      () => fittedCurve({ x: [1], y: [NaN] }, []),
      'INVALID_ARGUMENT',
      /points\.y\[0\]: expected a finite number/,
    );
    await expectRejection(() => fittedCurve(null as never, []), 'INVALID_ARGUMENT', /points/);
    await expectRejection(() => fittedCurve({ x: [], y: [] }, []), 'EMPTY_DATA', /finite number/);
    await expectRejection(
      () => fittedCurve(points, {} as never),
      'INVALID_ARGUMENT',
      /curves: expected a list of curves/,
    );
  });
});
