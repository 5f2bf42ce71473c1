import { checkArity, checkBoolean, checkInteger, checkNumber, SIZES } from '../checks.js';
import { type Initializer, type InitializerName, ones, resolveInitializer, zeros } from '../initializers.js';
import { type Builder, elements, type Pass, rows, type Shape, type Tensor } from '../program/instructions.js';
import { type Layer, type LayerSpec, layerOptions, mismatch, registerLayer, spec } from './layer.js';

/** Options of {@link groupNorm}, {@link layerNorm} and {@link instanceNorm}. */
export interface GroupNormOptions {
  /** Added to the variance under the root; default 1e-5. */
  epsilon?: number;
  /** Whether there are `gamma` and `beta`, by which each channel is scaled and shifted; default true. */
  affine?: boolean;
  gammaInitializer?: Initializer | InitializerName | number;
  betaInitializer?: Initializer | InitializerName | number;
  name?: string;
}

interface GroupNormSpec extends LayerSpec, Required<Omit<GroupNormOptions, 'name'>> {
  readonly gammaInitializer: Initializer;
  readonly betaInitializer: Initializer;
  readonly groups?: number;
}

function normalisation(
  type: string,
  options: GroupNormOptions | undefined,
  own: Pick<GroupNormSpec, 'groups'>,
): LayerSpec {
  const given = layerOptions(type, options, ['epsilon', 'affine', 'gammaInitializer', 'betaInitializer']);
  return spec<GroupNormSpec>({
    type,
    name: given.name,
    ...own,
    epsilon: checkNumber(`${type}: epsilon`, given.epsilon ?? 1e-5, { above: 0 }),
    affine: checkBoolean(`${type}: affine`, given.affine ?? true),
    gammaInitializer: resolveInitializer(`${type}: gammaInitializer`, given.gammaInitializer ?? ones()),
    betaInitializer: resolveInitializer(`${type}: betaInitializer`, given.betaInitializer ?? zeros()),
  });
}

/**
 * Layer normalisation over the last dimension (Ba, Kiros and Hinton 2016): each position of each sample has mean 0 and
 * variance 1 over its features, is scaled by `gamma` and shifted by `beta`, both [features]. The same in training and
 * in evaluation. Samples of any shape. Throws `SHAPE_MISMATCH` if the last dimension is 1.
 */
export function layerNorm(options?: GroupNormOptions): LayerSpec {
  checkArity('layerNorm', arguments, 1);
  return normalisation('layerNorm', options, {});
}

/**
 * Group normalisation (Wu and He 2018): the channels, the last dimension, are divided into `groups` of neighbours, and
 * each sample has mean 0 and variance 1 over the pixels and channels of each group. `gamma` and `beta` are [channels].
 * The same in training and in evaluation. Throws `SHAPE_MISMATCH` if the groups don't divide the channels, or if they
 * have a single value.
 */
export function groupNorm(groups: number, options?: GroupNormOptions): LayerSpec {
  checkArity('groupNorm', arguments, 2);
  return normalisation('groupNorm', options, { groups: checkInteger('groupNorm: groups', groups, SIZES) });
}

/**
 * Instance normalisation (Ulyanov, Vedaldi and Lempitsky 2016): group normalisation with one channel per group.
 * PyTorch's has no gamma and beta by default: `affine: false`. Throws `SHAPE_MISMATCH` if a channel has a single value.
 */
export function instanceNorm(options?: GroupNormOptions): LayerSpec {
  checkArity('instanceNorm', arguments, 1);
  return normalisation('instanceNorm', options, {});
}

interface Division {
  readonly positions: number;
  readonly pixels: number;
  readonly groups: number;
  readonly width: number;
}

function normalising(type: string, layer: GroupNormSpec, input: Shape, division: Division): Layer {
  const { epsilon, affine } = layer;
  const { positions, pixels, groups, width } = division;
  if (pixels * width === 1) throw mismatch(type, 'more than one value to normalise over', input);
  const channels = groups * width;
  const fans = { fanIn: channels, fanOut: channels };
  const parameter = (name: string, initializer: Initializer) => ({
    name,
    shape: [channels],
    initializer,
    fans,
    weight: false,
  });
  const sizes = { rows: rows(), ...division };
  return {
    output: input,
    parameters: affine ? [parameter('gamma', layer.gammaInitializer), parameter('beta', layer.betaInitializer)] : [],
    state: [],
    forward(builder: Builder, x: Tensor): Pass {
      const y = builder.perRow('y', elements(input));
      const statistic = (name: string) => builder.perRow(name, positions * groups);
      const statistics = { mean: statistic('mean'), rest: statistic('rest'), inverseStd: statistic('inverseStd') };
      const gamma = affine ? builder.parameter('gamma') : null;
      const beta = affine ? builder.parameter('beta') : null;
      builder.emit('groupNormForward', { y, ...statistics, x, gamma, beta, ...sizes, epsilon });
      return {
        y,
        backward(dy, needInputGradient) {
          if (affine) {
            const [dgammaParts, dbetaParts] = [builder.gradient('gamma'), builder.gradient('beta')];
            builder.emit('groupNormBackwardParts', {
              dgammaParts,
              dbetaParts,
              dy,
              x,
              ...statistics,
              ...sizes,
              parts: 1,
            });
          }
          if (!needInputGradient) return undefined;
          const dx = builder.reuse(dy);
          builder.emit('groupNormBackwardInput', { dx, dy, x, ...statistics, gamma, ...sizes });
          return dx;
        },
      };
    },
  };
}

const channelsOf = (input: Shape) => input[input.length - 1];
const pixelsOf = (input: Shape) => elements(input) / channelsOf(input);

registerLayer<GroupNormSpec>('layerNorm', layerNorm, (layer, input) => {
  const division = { positions: pixelsOf(input), pixels: 1, groups: 1, width: channelsOf(input) };
  return normalising('layerNorm', layer, input, division);
});

const readGroupNorm = ({ groups, ...options }: GroupNormOptions & { groups: number }) => groupNorm(groups, options);

registerLayer<GroupNormSpec>('groupNorm', readGroupNorm, (layer, input) => {
  const { groups = 1 } = layer;
  const width = channelsOf(input) / groups;
  if (!Number.isInteger(width)) throw mismatch('groupNorm', `channels that ${groups} groups divide`, input);
  return normalising('groupNorm', layer, input, { positions: 1, pixels: pixelsOf(input), groups, width });
});

registerLayer<GroupNormSpec>('instanceNorm', instanceNorm, (layer, input) => {
  const division = { positions: 1, pixels: pixelsOf(input), groups: channelsOf(input), width: 1 };
  return normalising('instanceNorm', layer, input, division);
});
