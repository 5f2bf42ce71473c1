import { typescript } from '../../lib/kernels/index.js';
import { conformance } from './suite.js';

conformance(typescript);
