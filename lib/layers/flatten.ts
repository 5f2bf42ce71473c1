import { checkArity } from '../checks.js';
import { elements } from '../program/instructions.js';
import { type LayerSpec, layerOptions, registerLayer, spec } from './layer.js';

/** Flattens any sample shape to [features], row-major, without copying. */
export function flatten(options?: { name?: string }): LayerSpec {
  checkArity('flatten', arguments, 1);
  return spec<LayerSpec>({ type: 'flatten', name: layerOptions('flatten', options, []).name });
}

registerLayer('flatten', flatten, (_, input) => ({
  output: [elements(input)],
  parameters: [],
  state: [],
  forward: (_builder, x) => ({ y: x, backward: (dy) => dy }),
}));
