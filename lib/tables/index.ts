/** Tables: the public entry point `blasnet/tables`. */
export type { ColumnTypes } from './builder.js';
export type { BooleanColumn, Column, ColumnType, NumberColumn, StringColumn, Value } from './column.js';
export { type CsvOptions, readCsv } from './csv.js';
export {
  type BatchOptions,
  type ColumnOptions,
  Encoder,
  type EncoderJson,
  type EncoderOptions,
  type EncoderPlan,
  encoder,
} from './encoder.js';
export type { CategoryOptions } from './encoders/category.js';
export type { DateOptions, DatePart } from './encoders/date.js';
export type { NumberOptions } from './encoders/number.js';
export type { TextOptions } from './encoders/text.js';
export { type JsonLinesOptions, readJsonLines } from './json-lines.js';
export { type ParquetOptions, readParquet } from './parquet.js';
export { type EncodedNetwork, predictRows } from './predict.js';
export type { TableKFoldOptions, TableSplitOptions } from './split.js';
export { type FromOptions, type Row, type SplitTables, Table, type TableFold } from './table.js';
export type { LabelPrediction, Prediction, ValuePrediction } from './target.js';
export type { TextEncoding } from './text-file.js';
