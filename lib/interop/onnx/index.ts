/** The entry point `blasnet/onnx`: networks to and from ONNX files. */
export { exportOnnx, type OnnxExportOptions, type Preprocessing, toOnnx } from './export.js';
export { fromOnnx, importOnnx, type OnnxImportOptions } from './import.js';
