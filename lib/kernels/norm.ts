import { float, inout, input, kernel, out, PARTS, precise, size } from './signature.js';

/**
 * Layer, group and instance normalisation: a sample is positions × pixels × groups × width. Each group of each position
 * is normalised over its pixels and its `width` channels; gammas and betas belong to the groups · width channels.
 */
const values = () => ['rows', 'positions', 'pixels', 'groups', 'width'];
const statistics = () => ['rows', 'positions', 'groups'];
const groupSizes = () => [size('rows'), size('positions'), size('pixels'), size('groups'), size('width')] as const;

/** Normalisation. */
export const normKernels = {
  localResponseNorm: kernel(
    'rows',
    out('y', ['rows', 'channels']),
    out('scale', ['rows', 'channels']),
    input('x', ['rows', 'channels']),
    size('rows'),
    size('channels'),
    size('radius'),
    float('bias'),
    float('alpha'),
    float('beta'),
  ),
  localResponseNormBackward: kernel(
    'rows',
    out('dx', ['rows', 'channels']),
    input('dy', ['rows', 'channels']),
    input('x', ['rows', 'channels']),
    input('y', ['rows', 'channels']),
    input('scale', ['rows', 'channels']),
    size('rows'),
    size('channels'),
    size('radius'),
    float('alpha'),
    float('beta'),
  ),
  // Batch normalisation. Each share of the rows gives its means (what float32 loses of them as `rests`) and sums of
  // squares. These are merged into the statistics of the batch, which `batchNormInference` then uses with `shift`: beta
  // less what float32 loses of the mean. A row of the batch is `pixels` rows of x.
  batchNormParts: kernel(
    PARTS,
    out('means', ['parts', 'features']),
    out('rests', ['parts', 'features']),
    out('squares', ['parts', 'features']),
    input('x', ['rows', 'pixels', 'features'], { along: 'rows' }),
    size('rows'),
    size('pixels'),
    size('features'),
    size('parts'),
  ),
  batchNormStatistics: kernel(
    undefined,
    out('mean', ['features']),
    out('variance', ['features']),
    out('inverseStd', ['features']),
    out('shift', ['features']),
    inout('runningMean', ['features']),
    inout('runningVariance', ['features']),
    input('means', ['parts', 'features']),
    input('rests', ['parts', 'features']),
    input('squares', ['parts', 'features']),
    input('gamma', ['features']),
    input('beta', ['features']),
    size('rows'),
    size('pixels'),
    size('features'),
    size('parts'),
    float('epsilon'),
    precise('momentum'),
  ),
  batchNormInference: kernel(
    'rows',
    out('y', ['rows', 'features'], { alias: ['x'] }),
    input('x', ['rows', 'features']),
    input('gamma', ['features']),
    input('beta', ['features']),
    input('runningMean', ['features']),
    input('runningVariance', ['features']),
    size('rows'),
    size('features'),
    float('epsilon'),
  ),
  // For a layer trained with the running statistics, which are constants in the gradient.
  batchNormInferenceBackward: kernel(
    'features',
    out('dx', ['rows', 'features'], { alias: ['dy'] }),
    out('dgamma', ['features']),
    out('dbeta', ['features']),
    input('dy', ['rows', 'features']),
    input('x', ['rows', 'features']),
    input('gamma', ['features']),
    input('runningMean', ['features']),
    input('runningVariance', ['features']),
    size('rows'),
    size('features'),
    float('epsilon'),
  ),
  // The gradients of gamma and beta from each share's rows, and from all of them the input gradient. `sumParts` adds
  // those of several shares.
  batchNormBackwardParts: kernel(
    PARTS,
    out('dgammaParts', ['parts', 'features']),
    out('dbetaParts', ['parts', 'features']),
    input('dy', ['rows', 'pixels', 'features'], { along: 'rows' }),
    input('x', ['rows', 'pixels', 'features'], { along: 'rows' }),
    input('mean', ['features']),
    input('inverseStd', ['features']),
    size('rows'),
    size('pixels'),
    size('features'),
    size('parts'),
  ),
  batchNormBackwardInput: kernel(
    'rows',
    out('dx', ['rows', 'features'], { alias: ['dy'] }),
    input('dy', ['rows', 'features']),
    input('x', ['rows', 'features']),
    input('mean', ['features']),
    input('inverseStd', ['features']),
    input('gamma', ['features']),
    input('dgammaParts', ['parts', 'features']),
    input('dbetaParts', ['parts', 'features']),
    size('rows'),
    size('features'),
    size('parts'),
  ),
  // Group normalisation; the mean of a group is mean + rest, where `rest` is what float32 loses of it. Without gamma and
  // beta they are 1 and 0.
  groupNormForward: kernel(
    'rows',
    out('y', values()),
    out('mean', statistics()),
    out('rest', statistics()),
    out('inverseStd', statistics()),
    input('x', values()),
    input('gamma', ['groups', 'width'], { optional: true }),
    input('beta', ['groups', 'width'], { optional: true }),
    ...groupSizes(),
    float('epsilon'),
  ),
  groupNormBackwardInput: kernel(
    'rows',
    out('dx', values(), { alias: ['dy'] }),
    input('dy', values()),
    input('x', values()),
    input('mean', statistics()),
    input('rest', statistics()),
    input('inverseStd', statistics()),
    input('gamma', ['groups', 'width'], { optional: true }),
    ...groupSizes(),
  ),
  // The gradients of gamma and beta, each share over its own rows; `sumParts` adds them.
  groupNormBackwardParts: kernel(
    PARTS,
    out('dgammaParts', ['parts', 'groups', 'width']),
    out('dbetaParts', ['parts', 'groups', 'width']),
    input('dy', values(), { along: 'rows' }),
    input('x', values(), { along: 'rows' }),
    input('mean', statistics(), { along: 'rows' }),
    input('rest', statistics(), { along: 'rows' }),
    input('inverseStd', statistics(), { along: 'rows' }),
    ...groupSizes(),
    size('parts'),
  ),
} as const;
