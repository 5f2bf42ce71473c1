/** Pictures: the public door `blasnet/report`. Each picture is a string of SVG, drawn by the package `vega`. */
export { type ConfusionMatrixPlotOptions, confusionMatrixPlot } from './confusion-plot.js';
export type { AxisOptions } from './curves.js';
export { type DecisionRegionsOptions, decisionRegions, type Predictor } from './decision-regions.js';
export { type FittedCurveOptions, fittedCurve, type Points } from './fitted-curve.js';
export { htmlReport, type Report, type ReportSection, type ReportTable, writeReport } from './html.js';
export { type ImageGridOptions, imageGrid } from './image-grid.js';
export { type Epochs, type LearningCurvesOptions, learningCurves } from './learning-curves.js';
export { type LossSurfaceOptions, lossSurface } from './loss-surface.js';
export { type Panel, type PanelGridOptions, panelGrid } from './panel-grid.js';
export type { Curve, PictureOptions } from './style.js';
