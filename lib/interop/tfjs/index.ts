/** Models of TensorFlow.js: the public entry point `blasnet/tfjs`. */
export { toLayersModel } from './export.js';
export { loadLayersModel, saveLayersModel } from './files.js';
export { fromLayersModel, type ImportOptions, type ModelArtifacts } from './import.js';
