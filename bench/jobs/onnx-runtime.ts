import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../program.js';

/** Where `node scripts/onnxruntime.mjs` installs ONNX Runtime, and whether it has. */
export const onnxRuntime = {
  folder: join(root, 'build/onnxruntime'),
  installed: existsSync(join(root, 'build/onnxruntime/installed')),
};
