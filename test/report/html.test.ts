import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
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

  it('writes a file', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'blasnet-report-'));
    const path = join(directory, 'report.html');
    const report = { title: 'é', sections: [] };
    await writeReport(path, report);
    expect(readFileSync(path, 'utf8')).toBe(htmlReport(report));
    await expect(writeReport(join(directory, 'none', 'x.html'), report)).rejects.toMatchObject({ code: 'ENOENT' });
    rmSync(directory, { recursive: true });
  });

  it('refuses what is no report', () => {
    expectError(() => htmlReport(undefined as never), 'INVALID_ARGUMENT', /title: expected a string/);
    expectError(() => htmlReport({ title: 'a' } as never), 'INVALID_ARGUMENT', /sections/);
    expectError(
      () => htmlReport({ title: 'a', sections: [{ heading: 'b', svg: '<img>' }] }),
      'INVALID_ARGUMENT',
      /sections\[0\]\.svg\[0\]: expected SVG/,
    );
    expectError(() => htmlReport({ title: 'a', sections: [{ heading: 'b', html: '' } as never] }), 'UNKNOWN_OPTION', /"html"/);
    const table = { columns: ['a'], rows: [[1, 2]] };
    expectError(
      () => htmlReport({ title: 'a', sections: [{ heading: 'b', table }] }),
      'INVALID_ARGUMENT',
      /table\.rows\[0\]: expected 1 cells/,
    );
  });
});
