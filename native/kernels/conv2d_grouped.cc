// Convolution of groups of channels, with windows that may have gaps. Single channels have an algorithm of their own;
// for the rest, the patches of a group are laid out as rows of a matrix, in blocks, and BLAS multiplies each block by
// the group's weights.
#include "abandon.h"
#include "activations.h"
#include "conv2d_depthwise.h"
#include "copy.h"
#include "geometry.h"
#include "kernels.h"
#include "products/gemm.h"
#include "share.h"

namespace blasnet::BLASNET_SIMD {
namespace {

using math::smaller;

// A block of patches is a local array.
constexpr int64_t blockElements = 16384;
constexpr int64_t longestPatch = 256;  // elements of a patch in a block

// Part of the matrix of patches of a group: rows are output pixels, counted through all images.
struct Block {
  int64_t firstPixel, pixels, firstColumn, columns, group;
};

// Columns of a block: equal parts of a patch.
int64_t columnsOf(int64_t patch) {
  const int64_t parts = (patch + longestPatch - 1) / longestPatch;
  return (patch + parts - 1) / parts;
}

// Calls visit(at, n, position) for the runs of a block: n elements starting at `at` are those of x starting at
// `position`, or padding if that is negative.
template <typename Visit>
BLASNET_INLINE void forEachRun(const GroupedGeometry& g, const Block& b, Visit visit) {
  const int64_t firstTap = b.firstColumn / g.channels, firstChannel = b.firstColumn % g.channels;
  int64_t image = b.firstPixel / g.outPixels(), oy = b.firstPixel % g.outPixels() / g.outWidth,
          ox = b.firstPixel % g.outWidth, at = 0;
  for (int64_t pixel = 0; pixel < b.pixels; pixel++) {
    int64_t ky = firstTap / g.windowWidth, kx = firstTap % g.windowWidth, channel = firstChannel;
    for (int64_t left = b.columns; left > 0;) {
      const int64_t n = smaller(g.channels - channel, left);
      const int64_t iy = oy * g.strideHeight + ky * g.dilationHeight - g.padTop;
      const int64_t ix = ox * g.strideWidth + kx * g.dilationWidth - g.padLeft;
      const bool inside = iy >= 0 && iy < g.height && ix >= 0 && ix < g.width;
      visit(at, n,
            inside ? ((image * g.height + iy) * g.width + ix) * g.inputs() + b.group * g.channels + channel : -1);
      at += n;
      left -= n;
      channel = 0;
      if (++kx == g.windowWidth) {
        kx = 0;
        ky++;
      }
    }
    if (++ox == g.outWidth) {
      ox = 0;
      if (++oy == g.outHeight) {
        oy = 0;
        image++;
      }
    }
  }
}

void gather(float* patches, const float* x, const GroupedGeometry& g, const Block& b) {
  forEachRun(g, b, [=](int64_t at, int64_t n, int64_t position) {
    position < 0 ? clear(patches + at, n) : copy(patches + at, x + position, n);
  });
}

void scatter(float* dx, const float* patches, const GroupedGeometry& g, const Block& b) {
  forEachRun(g, b, [=](int64_t at, int64_t n, int64_t position) {
    for (int64_t j = 0; j < (position < 0 ? 0 : n); j++) dx[position + j] += patches[at + j];
  });
}

// y of the pixels [begin, end) <- the bias.
void startSums(float* y, const float* b, const GroupedGeometry& g, int64_t begin, int64_t end) {
  for (int64_t pixel = begin; pixel < end; pixel++) {
    float* out = y + pixel * g.outputs();
    b != nullptr ? copy(out, b, g.outputs()) : clear(out, g.outputs());
  }
}

void groupsForward(float* y, const float* x, const float* w, const float* b, const GroupedGeometry& g,
                   int32_t activation, float slope, int64_t begin, int64_t end) {
  alignas(64) float patches[blockElements];
  const int64_t columns = columnsOf(g.patch()), pixels = blockElements / columns, last = end * g.outPixels();
  for (int64_t pixel = begin * g.outPixels(); pixel < last; pixel += pixels) {
    const int64_t count = smaller(pixels, last - pixel);
    float* out = y + pixel * g.outputs();
    startSums(y, b, g, pixel, pixel + count);
    for (int64_t group = 0; group < g.groups; group++) {
      for (int64_t column = 0; column < g.patch(); column += columns) {
        if (abandoned()) return;
        const Block block = {pixel, count, column, smaller(columns, g.patch() - column), group};
        gather(patches, x, g, block);
        sgemm(false, false, count, g.filters, block.columns, 1.0f, patches, block.columns,
              w + column * g.outputs() + group * g.filters, g.outputs(), 1.0f, out + group * g.filters, g.outputs());
      }
    }
    activate(out, count * g.outputs(), activation, slope);
  }
}

void groupsBackwardInput(float* dx, const float* dy, const float* w, const GroupedGeometry& g, int64_t begin,
                         int64_t end) {
  alignas(64) float patches[blockElements];
  const int64_t columns = columnsOf(g.patch()), pixels = blockElements / columns, last = end * g.outPixels();
  clear(dx + begin * g.imageSize(), (end - begin) * g.imageSize());
  for (int64_t pixel = begin * g.outPixels(); pixel < last; pixel += pixels) {
    const int64_t count = smaller(pixels, last - pixel);
    for (int64_t group = 0; group < g.groups; group++) {
      for (int64_t column = 0; column < g.patch(); column += columns) {
        if (abandoned()) return;
        const Block block = {pixel, count, column, smaller(columns, g.patch() - column), group};
        sgemm(false, true, count, block.columns, g.filters, 1.0f, dy + pixel * g.outputs() + group * g.filters,
              g.outputs(), w + column * g.outputs() + group * g.filters, g.outputs(), 0.0f, patches, block.columns);
        scatter(dx, patches, g, block);
      }
    }
  }
}

void groupsBackwardWeight(float* dw, const float* x, const float* dy, const GroupedGeometry& g, int64_t begin,
                          int64_t end) {
  alignas(64) float patches[blockElements];
  const int64_t columns = columnsOf(g.patch()), pixels = blockElements / columns, last = end * g.outPixels();
  clear(dw, g.patch() * g.outputs());
  for (int64_t pixel = begin * g.outPixels(); pixel < last; pixel += pixels) {
    const int64_t count = smaller(pixels, last - pixel);
    for (int64_t group = 0; group < g.groups; group++) {
      for (int64_t column = 0; column < g.patch(); column += columns) {
        if (abandoned()) return;
        const Block block = {pixel, count, column, smaller(columns, g.patch() - column), group};
        gather(patches, x, g, block);
        sgemm(true, false, block.columns, g.filters, count, 1.0f, patches, block.columns,
              dy + pixel * g.outputs() + group * g.filters, g.outputs(), 1.0f,
              dw + column * g.outputs() + group * g.filters, g.outputs());
      }
    }
  }
}

}  // namespace

// y: rows x outHeight x outWidth x groups x filters; x: rows x height x width x groups x channels; w: windowHeight x
// windowWidth x channels x groups x filters; b: groups x filters.
void groupedConv2dForward(float* y, const float* x, const float* w, const float* b, int64_t, GroupedGeometry g,
                          int32_t activation, float slope, int64_t begin, int64_t end) noexcept {
  if (begin >= end || g.outHeight == 0 || g.outWidth == 0 || g.outputs() == 0) return;
  if (g.hasNoProducts()) {
    startSums(y, b, g, begin * g.outPixels(), end * g.outPixels());
    activate(y + begin * g.outPixels() * g.outputs(), (end - begin) * g.outPixels() * g.outputs(), activation, slope);
  } else if (isDepthwise(g)) {
    depthwiseForward(y, x, w, b, g, activation, slope, begin, end);
  } else {
    groupsForward(y, x, w, b, g, activation, slope, begin, end);
  }
}

// dx: rows x height x width x groups x channels; dy: rows x outHeight x outWidth x groups x filters; w: windowHeight x
// windowWidth x channels x groups x filters.
void groupedConv2dBackwardInput(float* dx, const float* dy, const float* w, int64_t, GroupedGeometry g, int64_t begin,
                                int64_t end) noexcept {
  if (begin >= end || g.height == 0 || g.width == 0 || g.inputs() == 0) return;
  if (g.hasNoProducts()) {
    clear(dx + begin * g.imageSize(), (end - begin) * g.imageSize());
  } else if (isDepthwise(g)) {
    depthwiseBackwardInput(dx, dy, w, g, begin, end);
  } else {
    groupsBackwardInput(dx, dy, w, g, begin, end);
  }
}

// dwParts: parts x windowHeight x windowWidth x channels x groups x filters; dbParts: parts x groups x filters; the
// rest as above. A part is a share of the images.
void groupedConv2dBackwardParts(float* dwParts, float* dbParts, const float* x, const float* dy, int64_t rows,
                                GroupedGeometry g, int64_t parts, int64_t begin, int64_t end) noexcept {
  if (g.outputs() == 0) return;
  const bool hasWeights = g.windowHeight > 0 && g.windowWidth > 0 && g.channels > 0;
  // Without images the other sizes are unrestricted.
  const int64_t pixels = rows > 0 ? g.outPixels() : 0;
  for (int64_t part = begin; part < end; part++) {
    const Share mine = share(rows, 1, part, parts);
    float* dw = dwParts + (hasWeights ? part * g.patch() * g.outputs() : 0);
    if (hasWeights && (mine.begin >= mine.end || g.hasNoProducts())) {
      clear(dw, g.patch() * g.outputs());
    } else if (hasWeights && isDepthwise(g)) {
      depthwiseBackwardWeight(dw, x, dy, g, mine.begin, mine.end);
    } else if (hasWeights) {
      groupsBackwardWeight(dw, x, dy, g, mine.begin, mine.end);
    }
    if (dbParts == nullptr) continue;
    denseBackwardBias(dbParts + part * g.outputs(), dy + mine.begin * pixels * g.outputs(),
                      (mine.end - mine.begin) * pixels, g.outputs(), 0, g.outputs());
  }
}

}  // namespace blasnet::BLASNET_SIMD
