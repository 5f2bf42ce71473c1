// Installs onnxruntime-node and onnxruntime-web below build/onnxruntime, for the tests of ONNX files and of the recipe
// for browsers: 450 MB, so they are not dependencies. Without them those tests are skipped. The install script of
// onnxruntime-node, which is not run, only fetches the parts for graphics cards.
import { installOnce } from './support.mjs';

if (!installOnce('test/interop/onnx/runtime', 'build/onnxruntime')) process.exitCode = 1;
