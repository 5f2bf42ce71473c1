import { code, float, input, kernel, out, PARTS, precision, size, sizes } from './signature.js';

export const convolutionKernels = {
  // Images, channels last. A window is [height, width] with strides and the padding before the first row and column;
  // positions outside the image count as zero (conv2d) or not at all (pooling).
  conv2dForward: kernel(
    'rows',
    out('y', ['rows', 'outHeight', 'outWidth', 'filters']),
    input('x', ['rows', 'height', 'width', 'channels']),
    input('w', ['windowHeight', 'windowWidth', 'channels', 'filters']),
    input('b', ['filters'], { optional: true }),
    size('rows'),
    ...sizes('Geometry'),
    size('filters'),
    code('activation', 'activation'),
    float('slope'),
    precision(),
  ),
  conv2dBackwardInput: kernel(
    'rows',
    out('dx', ['rows', 'height', 'width', 'channels']),
    input('dy', ['rows', 'outHeight', 'outWidth', 'filters']),
    input('w', ['windowHeight', 'windowWidth', 'channels', 'filters']),
    size('rows'),
    ...sizes('Geometry'),
    size('filters'),
    precision(),
  ),
  // For strides of 1, the input gradient is a convolution of dy with these weights.
  conv2dReverseWeights: kernel(
    'filters',
    out('reversed', ['windowHeight', 'windowWidth', 'filters', 'channels']),
    input('w', ['windowHeight', 'windowWidth', 'channels', 'filters']),
    size('windowHeight'),
    size('windowWidth'),
    size('channels'),
    size('filters'),
  ),
  // The gradients of weight and bias. The weight is a matrix with patch = windowHeight · windowWidth · channels rows.
  // Split into parts, each share takes its own images, and the parts are added afterwards. Split by the rows of the
  // weight, each share reads all images and would compute all of the bias gradient, so the compiler leaves that out.
  conv2dBackwardWeight: kernel(
    [PARTS, 'patch'],
    out('dwParts', ['parts', 'patch', 'filters']),
    out('dbParts', ['parts', 'filters'], { optional: true }),
    input('x', ['rows', 'height', 'width', 'channels'], { along: 'rows' }),
    input('dy', ['rows', 'outHeight', 'outWidth', 'filters'], { along: 'rows' }),
    size('rows'),
    ...sizes('Geometry'),
    size('filters'),
    size('patch'),
    size('parts'),
    precision(),
  ),
  // Convolutions of groups of channels: each of `groups` has `channels` channels and `filters` filters of its own. With
  // one channel per group they are depthwise. A window's pixels are `dilation` pixels apart.
  groupedConv2dForward: kernel(
    'rows',
    out('y', ['rows', 'outHeight', 'outWidth', 'groups', 'filters']),
    input('x', ['rows', 'height', 'width', 'groups', 'channels']),
    input('w', ['windowHeight', 'windowWidth', 'channels', 'groups', 'filters']),
    input('b', ['groups', 'filters'], { optional: true }),
    size('rows'),
    ...sizes('GroupedGeometry'),
    code('activation', 'activation'),
    float('slope'),
  ),
  groupedConv2dBackwardInput: kernel(
    'rows',
    out('dx', ['rows', 'height', 'width', 'groups', 'channels']),
    input('dy', ['rows', 'outHeight', 'outWidth', 'groups', 'filters']),
    input('w', ['windowHeight', 'windowWidth', 'channels', 'groups', 'filters']),
    size('rows'),
    ...sizes('GroupedGeometry'),
  ),
  // As conv2dBackwardWeight, always split into parts: groups have few weights.
  groupedConv2dBackwardParts: kernel(
    PARTS,
    out('dwParts', ['parts', 'windowHeight', 'windowWidth', 'channels', 'groups', 'filters']),
    out('dbParts', ['parts', 'groups', 'filters'], { optional: true }),
    input('x', ['rows', 'height', 'width', 'groups', 'channels'], { along: 'rows' }),
    input('dy', ['rows', 'outHeight', 'outWidth', 'groups', 'filters'], { along: 'rows' }),
    size('rows'),
    ...sizes('GroupedGeometry'),
    size('parts'),
  ),
  maxPool2dForward: kernel(
    'rows',
    out('y', ['rows', 'outHeight', 'outWidth', 'channels']),
    out('winner', ['rows', 'outHeight', 'outWidth', 'channels'], { type: 'i32' }),
    input('x', ['rows', 'height', 'width', 'channels']),
    size('rows'),
    ...sizes('Geometry'),
  ),
  maxPool2dBackward: kernel(
    'rows',
    out('dx', ['rows', 'height', 'width', 'channels']),
    input('dy', ['rows', 'outHeight', 'outWidth', 'channels']),
    input('winner', ['rows', 'outHeight', 'outWidth', 'channels'], { type: 'i32' }),
    size('rows'),
    ...sizes('Geometry'),
  ),
  avgPool2dForward: kernel(
    'rows',
    out('y', ['rows', 'outHeight', 'outWidth', 'channels']),
    input('x', ['rows', 'height', 'width', 'channels']),
    size('rows'),
    ...sizes('Geometry'),
  ),
  avgPool2dBackward: kernel(
    'rows',
    out('dx', ['rows', 'height', 'width', 'channels']),
    input('dy', ['rows', 'outHeight', 'outWidth', 'channels']),
    size('rows'),
    ...sizes('Geometry'),
  ),
} as const;
