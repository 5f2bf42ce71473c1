import { code, float, input, kernel, out, partial, size, sizes } from './signature.js';

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
  ),
  conv2dBackwardInput: kernel(
    'rows',
    out('dx', ['rows', 'height', 'width', 'channels']),
    input('dy', ['rows', 'outHeight', 'outWidth', 'filters']),
    input('w', ['windowHeight', 'windowWidth', 'channels', 'filters']),
    size('rows'),
    ...sizes('Geometry'),
    size('filters'),
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
  // The axis is the rows of the weight as a matrix: patch = windowHeight · windowWidth · channels.
  conv2dBackwardWeight: kernel(
    'patch',
    out('dw', ['patch', 'filters']),
    input('x', ['rows', 'height', 'width', 'channels']),
    input('dy', ['rows', 'outHeight', 'outWidth', 'filters']),
    size('rows'),
    ...sizes('Geometry'),
    size('filters'),
    size('patch'),
  ),
  // The same plus the bias gradient, each share over its own images only; the sums are computed afterwards.
  conv2dBackwardParts: partial(
    out('dwParts', ['parts', 'patch', 'filters']),
    out('dbParts', ['parts', 'filters'], { optional: true }),
    input('x', ['rows', 'height', 'width', 'channels'], { along: 'rows' }),
    input('dy', ['rows', 'outHeight', 'outWidth', 'filters'], { along: 'rows' }),
    size('rows'),
    ...sizes('Geometry'),
    size('filters'),
    size('patch'),
    size('parts'),
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
  // As conv2dBackwardParts; a single part is the whole gradient.
  groupedConv2dBackwardParts: partial(
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
