import { elements } from '../program/instructions.js';
import { type LayerSpec, layerOptions, registerLayer, registerReader, spec } from './layer.js';

/** Any sample shape as [features], row-major; moves no data. */
export function flatten(options?: { name?: string }): LayerSpec {
  return spec<LayerSpec>({ type: 'flatten', name: layerOptions('flatten', options, []).name });
}

registerLayer('flatten', (_, input) => ({
  output: [elements(input)],
  parameters: [],
  state: [],
  forward: (_builder, x) => ({ y: x, backward: (dy) => dy }),
}));

registerReader('flatten', flatten);
