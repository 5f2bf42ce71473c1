/**
 * Pictures: the public entry point `blasnet/report`. Each picture is a string of SVG, drawn with the package `vega`
 * or, for `networkGraph`, `@dagrejs/dagre`.
 */
export { type ConfusionMatrixPlotOptions, confusionMatrixPlot } from './confusion-plot.js';
export type { AxisOptions } from './curves.js';
export { type DecisionRegionsOptions, decisionRegions, type Predictor } from './decision-regions.js';
export { type FittedCurveOptions, fittedCurve, type Points } from './fitted-curve.js';
export {
  type Described,
  type Hyperparameter,
  htmlReport,
  type Report,
  type ReportSection,
  type ReportTable,
  writeReport,
} from './html.js';
export { type ImageGridOptions, imageGrid } from './image-grid.js';
export {
  type Epoch,
  type Epochs,
  type LearningCurvesOptions,
  learningCurves,
  type MetricCurvesOptions,
  metricCurves,
} from './learning-curves.js';
export type { Theme } from './look.js';
export { type LossSurfaceOptions, lossSurface } from './loss-surface.js';
export { type Drawable, type NetworkGraphOptions, networkGraph } from './network-graph.js';
export { type Panel, type PanelGridOptions, panelGrid } from './panel-grid.js';
export { precisionRecallPlot, type RankingPlotOptions, rocPlot } from './ranking-plots.js';
export { predictionPlot, type RegressionPlotOptions, residualPlot } from './regression-plots.js';
export type { Curve, PictureOptions } from './style.js';
