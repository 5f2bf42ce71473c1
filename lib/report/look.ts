import { checkChoice } from '../checks.js';

/** Colours of pictures: dark on a light background, or light on a dark one. */
export type Theme = 'light' | 'dark';

/** The colours of a theme. */
export interface Look {
  readonly background: string;
  /** Text and points. */
  readonly ink: string;
  /** Axis and reference lines. */
  readonly axis: string;
  readonly grid: string;
  /** Edges of cells, panels and images. */
  readonly edge: string;
  /** Edges of regions and contours. */
  readonly outline: string;
  readonly right: string;
  readonly wrong: string;
  /** Colour scale for fractions, from 0 to 1. */
  readonly shades: readonly [string, string];
  /** Text on those colours. */
  readonly onShades: readonly [string, string];
  /** Grey levels of the lowest and highest parts of a surface. */
  readonly greys: readonly [number, number];
  /** Colours of curves and classes. */
  readonly palette: readonly string[];
}

/**
 * Colours that stay distinguishable with common colour vision deficiencies. Light: those of Okabe and Ito without
 * yellow, which is faint on white, plus three of Tol's. Dark: lighter colours of the same hues. After ten curves, lines
 * are dashed; classes also differ in shape.
 */
const LOOKS: Record<Theme, Look> = {
  light: {
    background: 'white',
    ink: '#222',
    axis: '#777',
    grid: '#e4e4e4',
    edge: '#ccc',
    outline: '#666',
    right: '#00694a',
    wrong: '#b34700',
    shades: ['#ffffff', '#08519c'],
    onShades: ['#222', 'white'],
    greys: [250, 140],
    palette: [
      '#0072B2',
      '#D55E00',
      '#009E73',
      '#CC79A7',
      '#E69F00',
      '#56B4E9',
      '#000000',
      '#882255',
      '#999933',
      '#332288',
    ],
  },
  dark: {
    background: '#16181d',
    ink: '#e8e8e8',
    axis: '#8c929c',
    grid: '#31353d',
    edge: '#4a4f59',
    outline: '#a3a8b0',
    right: '#4fd1a5',
    wrong: '#ff9a52',
    shades: ['#16181d', '#6cb6ff'],
    onShades: ['#e8e8e8', '#10131a'],
    greys: [48, 130],
    palette: [
      '#4FA8E8',
      '#FF8A3D',
      '#2CC597',
      '#E79AC6',
      '#F4BE4F',
      '#A5DBFA',
      '#FFFFFF',
      '#E0748F',
      '#C9C95F',
      '#A99CF2',
    ],
  },
};

export function lookOf(theme: unknown): Look {
  return LOOKS[checkChoice('theme', theme ?? 'light', ['light', 'dark'])];
}

const SHAPES = [
  'circle',
  'square',
  'triangle-up',
  'diamond',
  'cross',
  'triangle-down',
  'triangle-right',
  'triangle-left',
];

export const SOLID = [1, 0];
export const DASHED = [6, 4];

export function colour({ palette }: Look, index: number): string {
  return palette[index % palette.length];
}

export function shape(index: number): string {
  return SHAPES[index % SHAPES.length];
}

/** Solid for the first ten curves, then increasingly fine dashes. */
export function dash(index: number): number[] {
  const round = Math.floor(index / LOOKS.light.palette.length);
  return round === 0 ? SOLID : [8 / round, 4];
}
