import { booleanKind } from './boolean.js';
import { categoryKind } from './category.js';
import { dateKind } from './date.js';
import type { Kinds } from './kind.js';
import { numberKind } from './number.js';
import { textKind } from './text.js';

export const kinds: Kinds = new Map([
  ['number', numberKind],
  ['boolean', booleanKind],
  ['category', categoryKind],
  ['date', dateKind],
  ['text', textKind],
]);
