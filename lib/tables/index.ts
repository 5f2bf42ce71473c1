/** Tables: the public entry point `blasnet/tables`. */
export type { ColumnTypes } from './builder.js';
export type { BooleanColumn, Column, ColumnType, NumberColumn, StringColumn, Value } from './column.js';
export { type CsvOptions, type CsvStreamOptions, readCsv, streamCsv } from './csv.js';
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
export { type JsonLinesOptions, type JsonLinesStreamOptions, readJsonLines, streamJsonLines } from './json-lines.js';
export { type ParquetOptions, type ParquetStreamOptions, readParquet, streamParquet } from './parquet.js';
export { type EncodedNetwork, predictRows } from './predict.js';
export type { TableKFoldOptions, TableSplitOptions } from './split.js';
export { type SplitStreams, type StreamOptions, type StreamSplitOptions, TableStream } from './stream.js';
export { type FromOptions, type Row, type SplitTables, Table, type TableFold } from './table.js';
export type { LabelPrediction, Prediction, ValuePrediction } from './target.js';
export type { TextEncoding } from './text-file.js';
