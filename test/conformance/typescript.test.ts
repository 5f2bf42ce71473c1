import { typescript } from '../../lib/kernels.js';
import { conformance } from './suite.js';

conformance(typescript);
