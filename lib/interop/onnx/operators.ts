/** How each of ONNX's operators is read as layers: one file a subject. */
import './operators/arithmetic.js';
import './operators/constants.js';
import './operators/elements.js';
import './operators/images.js';
import './operators/norms.js';
import './operators/products.js';
import './operators/shapes.js';

export { hasReader, isElementwise, isImage, readOperator } from './operators/reader.js';
