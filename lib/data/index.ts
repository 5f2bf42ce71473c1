/** Datasets: the public entry point `blasnet/data`. */
export { Dataset, type DatasetOptions } from './dataset.js';
export { fashionMnist } from './fashion-mnist.js';
export {
  type IdxArray,
  type IdxDatasetOptions,
  type IdxType,
  parseIdx,
  type ReadIdxOptions,
  readIdx,
  readIdxDataset,
} from './idx.js';
export { type ImageFolderOptions, imageFolder } from './image-folder.js';
export { mnist } from './mnist.js';
export type { MnistDatasets, MnistOptions } from './mnist-files.js';
export { fromOneHot, oneHot } from './one-hot.js';
export type { LabelledRows, LabelledRowsOptions } from './rows.js';
export {
  type MinMaxOptions,
  minMaxScale,
  type Scaled,
  type ScaledPart,
  Scaler,
  type ScalerOptions,
  type StandardizeOptions,
  standardize,
} from './scale.js';
export { SparseDataset, type SparseDatasetOptions } from './sparse-dataset.js';
export {
  type AnyDataset,
  type Fold,
  type KFoldOptions,
  kFold,
  type SplitDatasets,
  type SplitOptions,
  split,
} from './split.js';
export {
  type BlobsOptions,
  blobs,
  type CirclesOptions,
  circles,
  type SpiralsOptions,
  type SyntheticOptions,
  spirals,
  twoMoons,
} from './synthetic.js';
