import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { Adam, conv2d, dense, flatten, l2, Network, softmaxCrossEntropy, stepDecay } from '../../lib/index.js';
import { formatNumber } from '../../lib/report/html.js';
import { htmlReport, writeReport } from '../../lib/report/index.js';
import { expectError } from '../data/expect-error.js';

const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"><script>alert(1)</script></svg>';

describe('htmlReport', () => {
  const html = htmlReport({
    title: 'Run <1> & "2"',
    sections: [
      { heading: 'Loss', text: "First <b>.\n\nSecond 'one'.", svg: [svg, svg] },
      { heading: 'Table', svg, table: { columns: ['a & b', 'c'], rows: [['<x>', 1.5]] } },
      { heading: 'Only text', text: 'x' },
    ],
  });

  it('escapes text', () => {
    expect(html).toContain('<title>Run &lt;1&gt; &amp; &quot;2&quot;</title>');
    expect(html).toContain('<p>First &lt;b&gt;.</p>\n<p>Second &#39;one&#39;.</p>');
    expect(html).toContain('<th>a &amp; b</th>');
    expect(html).toContain('<td>&lt;x&gt;</td><td class="number">1.5</td>');
  });

  it('holds pictures as images, and nothing that runs or loads', () => {
    expect(html).not.toContain('<script');
    expect(html.match(/<img /g)).toHaveLength(3);
    const sources = [...html.matchAll(/src="([^"]*)"/g)].map((match) => match[1]);
    for (const source of sources)
      expect(Buffer.from(source.replace('data:image/svg+xml;base64,', ''), 'base64').toString()).toBe(svg);
    expect(html).not.toMatch(/href=|url\(|@import|https?:/);
    expect(html).toContain("default-src 'none'; img-src data:");
  });

  it('writes numbers short', () => {
    const table = {
      columns: ['name', 'value'],
      rows: [
        ['a', 0.9090909090909091],
        ['b', 12345678.9],
        ['c', 4],
      ],
    };
    const sections = [{ heading: 'Table', table }];
    const page = htmlReport({ title: 'a', sections });
    expect(page).toContain('<td class="number">0.9091</td>');
    expect(page).toContain('<td class="number">12345679</td>');
    expect(page).toContain('<td class="number">4</td>');
    expect(page).toContain('<th class="number">value</th>');
    expect(htmlReport({ title: 'a', sections: [{ heading: 'Table', table: { ...table, digits: 2 } }] })).toContain(
      '>0.91<',
    );
    expectError(
      () => htmlReport({ title: 'a', sections: [{ heading: 'b', table: { ...table, digits: 0 } }] }),
      'INVALID_ARGUMENT',
      /table\.digits: expected an integer ≥ 1 and ≤ 17/,
    );
    const written = [
      0.1 + 0.2,
      1 / 3,
      -2 / 3,
      1234.5,
      1e-7,
      1.23456e-5,
      0.00012,
      123456.7,
      NaN,
      Infinity,
      2 ** 53,
      0,
      -0.5,
    ];
    expect(written.map((value) => formatNumber(value))).toEqual([
      '0.3',
      '0.3333',
      '-0.6667',
      '1235',
      '1e-7',
      '1.235e-5',
      '0.00012',
      '123457',
      'NaN',
      'Infinity',
      '9007199254740992',
      '0',
      '-0.5',
    ]);
  });

  it('tells hyper-parameters, layers and the summary', () => {
    const network = new Network({
      input: [6, 6, 1],
      layers: [conv2d(2, { window: 3, regularizer: l2(1e-4) }), flatten(), dense(3, { name: 'head' })],
      loss: softmaxCrossEntropy(),
      seed: 1,
      backend: 'typescript',
    });
    const page = htmlReport({
      title: 'Run',
      hyperparameters: {
        epochs: 5,
        rate: 1 / 3,
        hidden: [32, 1 / 3],
        '<name>': '<value>',
        optimizer: new Adam({ learningRate: 0.002 }),
        schedule: stepDecay({ initial: 0.1, factor: 0.5, interval: 2 }),
        nothing: undefined,
        nested: { a: { b: { c: { d: { e: 1 } } } } },
      },
      network,
      sections: [{ heading: 'Matrix', preformatted: 'a  b\n1  <' }],
    });
    const cells = (name: string, value: string | number) =>
      expect(page).toContain(
        `<tr><td>${name}</td><td${typeof value === 'number' ? ' class="number"' : ''}>${value}</td></tr>`,
      );
    cells('epochs', 5);
    cells('rate', 0.3333);
    cells('hidden', '32, 0.3333');
    cells('&lt;name&gt;', '&lt;value&gt;');
    cells('optimizer', 'adam');
    cells('optimizer.learningRate', 0.002);
    cells('nested.a.b.c.d', '…');
    expect(page).toContain(`<pre>${network.summary()}</pre>`);
    expect(page).toContain('<tr><td>0</td><td>conv2d</td><td>filters: 2, window: [3, 3], stride: [1, 1]');
    expect(page).toContain('weightInitializer: heNormal');
    expect(page).toContain('<tr><td>head</td><td>dense</td><td>units: 3, bias: true');
    expect(page).toContain('<pre>a  b\n1  &lt;</pre>');
    expectError(() => htmlReport({ title: 'a', sections: [], network: {} as never }), 'INVALID_ARGUMENT', /network/);
    expectError(
      () => htmlReport({ title: 'a', sections: [], hyperparameters: [1] as never }),
      'INVALID_ARGUMENT',
      /hyperparameters/,
    );
  });

  it('tells settings of all kinds', () => {
    const hyperparameters = {
      begun: new Date(0),
      never: new Date(Number.NaN),
      classes: new Set(['a', 'b']),
      rates: new Map<string, unknown>([
        ['head', 0.5],
        ['list', [1, 2]],
      ]),
      none: {},
      noneOf: { undefined: undefined },
      pattern: /a+/,
      source: new URL('https://example.org/'),
      failure: new Error('of the caller'),
      weights: Float32Array.of(1, 0.5),
      many: new Uint8Array(1000),
      both: [Float32Array.of(1, 2), { a: null }],
      own: new (class Own {})(),
      nothing: [null, undefined],
      bare: Object.assign(Object.create(null), { a: 1 }),
      loop: {} as { loop?: unknown },
    };
    hyperparameters.loop.loop = hyperparameters.loop;
    const page = htmlReport({ title: 'a', sections: [], hyperparameters });
    const rows = [...page.matchAll(/<tr><td>(.*?)<\/td><td[^>]*>(.*?)<\/td><\/tr>/g)].map(([, ...cells]) => cells);
    expect(rows).toEqual([
      ['begun', '1970-01-01T00:00:00.000Z'],
      ['never', 'an invalid date'],
      ['classes', 'a, b'],
      ['rates.head', '0.5'],
      ['rates.list', '1, 2'],
      ['none', '{}'],
      ['noneOf', '{}'],
      ['pattern', '/a+/'],
      ['source', 'https://example.org/'],
      ['failure', 'of the caller'],
      ['weights', '1, 0.5'],
      ['many', `${'0, '.repeat(99)}0 and 900 more`],
      ['both.0', '1, 2'],
      ['both.1.a', 'null'],
      ['own', 'object of class Own'],
      ['nothing', 'null, undefined'],
      ['bare.a', '1'],
      ['loop.loop.loop.loop.loop', '…'],
    ]);
  });

  it('is light, dark, or as the reader’s system is', () => {
    const page = (theme?: 'light' | 'dark' | 'auto') =>
      htmlReport({ title: 'a', sections: [], ...(theme && { theme }) });
    expect(page()).toBe(page('light'));
    expect(page('light')).not.toContain('#16181d');
    expect(page('dark')).toContain('color-scheme: dark');
    expect(page('dark')).not.toContain('color-scheme: light');
    expect(page('auto')).toMatch(
      /color-scheme: light[\s\S]*@media \(prefers-color-scheme: dark\)[\s\S]*color-scheme: dark/,
    );
    expectError(() => page('blue' as never), 'INVALID_ARGUMENT', /theme: expected one of 'light', 'dark', 'auto'/);
  });

  it('writes a file', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'blasnet-report-'));
    const path = join(directory, 'report.html');
    const report = { title: 'é', sections: [] };
    await writeReport(path, report);
    expect(readFileSync(path, 'utf8')).toBe(htmlReport(report));
    await writeReport(pathToFileURL(path), { title: 'other', sections: [] });
    expect(readFileSync(path, 'utf8')).toContain('other');
    const none = writeReport(join(directory, 'none', 'x.html'), report);
    await expect(none).rejects.toMatchObject({ code: 'FILE_NOT_WRITTEN', cause: { code: 'ENOENT' } });
    rmSync(directory, { recursive: true });
  });

  it('refuses what is no report', () => {
    for (const svg of [null, 0, {}]) {
      const sections = [{ heading: 'b', svg: svg as never }];
      expectError(() => htmlReport({ title: 'a', sections }), 'INVALID_ARGUMENT', /^sections\[0\]\.svg: expected SVG/);
    }
    const network = { layers: [null], summary: () => '' } as never;
    const layer = /^network: layers\[0\]: expected a layer, got null$/;
    expectError(() => htmlReport({ title: 'a', sections: [], network }), 'INVALID_ARGUMENT', layer);
    expectError(() => htmlReport(undefined as never), 'INVALID_ARGUMENT', /title: expected a string/);
    expectError(() => htmlReport({ title: 'a' } as never), 'INVALID_ARGUMENT', /sections/);
    expectError(
      () => htmlReport({ title: 'a', sections: [{ heading: 'b', svg: '<img>' }] }),
      'INVALID_ARGUMENT',
      /sections\[0\]\.svg\[0\]: expected SVG/,
    );
    expectError(
      () => htmlReport({ title: 'a', sections: [{ heading: 'b', html: '' } as never] }),
      'UNKNOWN_OPTION',
      /"html"/,
    );
    const table = { columns: ['a'], rows: [[1, 2]] };
    expectError(
      () => htmlReport({ title: 'a', sections: [{ heading: 'b', table }] }),
      'INVALID_ARGUMENT',
      /table\.rows\[0\]: expected 1 cells/,
    );
  });
});
