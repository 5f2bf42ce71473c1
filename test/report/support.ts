import sharp from 'sharp';
import { expect } from 'vitest';

/**
 * Expects well-formed SVG that a renderer draws (librsvg reads it as XML), with no number that is none and no reference
 * out of the document; gives its size.
 */
export async function expectSvg(svg: string): Promise<{ width: number; height: number }> {
  expect(svg.startsWith('<svg')).toBe(true);
  expect(svg).not.toMatch(/NaN|Infinity|undefined|\[object/);
  expect(svg.replace(/ xmlns(:xlink)?="[^"]*"/g, '')).not.toMatch(/https?:|<script/);
  const { data, info } = await sharp(Buffer.from(svg)).raw().toBuffer({ resolveWithObject: true });
  expect(data.some((value) => value < 128)).toBe(true);
  return { width: info.width, height: info.height };
}

/** How often a pattern occurs. */
export function count(svg: string, pattern: string | RegExp): number {
  return svg.match(new RegExp(pattern, 'g'))?.length ?? 0;
}

/** The contents of all text elements as they are shown: without the titles of names that were cut. */
export function texts(svg: string): string[] {
  return [...svg.matchAll(/<text[^>]*>([\s\S]*?)<\/text>/g)].map((match) =>
    match[1].replace(/<title>[^<]*<\/title>/g, '').replace(/<[^>]*>/g, ''),
  );
}

/** The full names of those that were cut. */
export function titles(svg: string): string[] {
  return [...svg.matchAll(/<title>([^<]*)<\/title>/g)].map((match) => match[1]);
}

/** The lines that show data: each is a mark of its own. */
export function lineCount(svg: string): number {
  return count(svg, 'class="mark-line role-mark[^"]*"');
}
