// Convolution over images, with the algorithm that suits its sizes: dense layer, planes, direct, or blocks of patches.
#include "conv2d_direct.h"
#include "conv2d_direct_input.h"
#include "conv2d_patches.h"
#include "conv2d_planes.h"
#include "conv2d_winograd.h"
#include "geometry.h"
#include "kernels.h"
#include "products/bfloat16.h"
#include "share.h"

namespace blasnet::BLASNET_SIMD {
namespace {

// Whether the patches are the rows of x in memory, in order: windows of one pixel that visit all pixels, or a window
// that covers the whole image.
bool patchesAreInput(const Geometry& g) {
  if (g.padTop != 0 || g.padLeft != 0) return false;
  const bool onePixel = g.windowHeight == 1 && g.windowWidth == 1 && g.strideHeight == 1 && g.strideWidth == 1 &&
                        g.outHeight == g.height && g.outWidth == g.width;
  return onePixel || (g.windowHeight == g.height && g.windowWidth == g.width && g.outHeight == 1 && g.outWidth == 1);
}

}  // namespace

// y: rows x outHeight x outWidth x filters; x: rows x height x width x channels; w: windowHeight x windowWidth x
// channels x filters; b: filters.
void conv2dForward(float* y, const float* x, const float* w, const float* b, int64_t rows, Geometry g, int64_t filters,
                   int32_t activation, float slope, int32_t precision, int64_t begin, int64_t end) noexcept {
  if (begin >= end || filters == 0) return;
  if (patchesAreInput(g)) {
    const int64_t pixels = g.outPixels();
    denseForward(y, x, w, b, rows * pixels, g.patch(), filters, activation, slope, precision, 0, begin * pixels,
                 end * pixels);
  } else if (isBfloat16(precision)) {
    bfloat16Forward(y, x, w, b, g, filters, activation, slope, begin, end);
  } else if (isPlanar(g, filters)) {
    planesForward(y, x, w, b, g, filters, activation, slope, begin, end);
  } else if (isWinograd(g, filters)) {
    winogradForward(y, x, w, b, g, filters, activation, slope, begin, end);
  } else if (isDirect(g, filters)) {
    directForward(y, x, w, b, g, filters, activation, slope, begin, end);
  } else {
    patchesForward(y, x, w, b, g, filters, activation, slope, begin, end);
  }
}

// dx: rows x height x width x channels; dy: rows x outHeight x outWidth x filters; w: windowHeight x windowWidth x
// channels x filters.
void conv2dBackwardInput(float* dx, const float* dy, const float* w, int64_t rows, Geometry g, int64_t filters,
                         int32_t precision, int64_t begin, int64_t end) noexcept {
  if (begin >= end) return;
  if (filters == 0) {
    clear(dx + begin * g.imageSize(), (end - begin) * g.imageSize());
  } else if (patchesAreInput(g)) {
    const int64_t pixels = g.outPixels();
    denseBackwardInput(dx, dy, w, rows * pixels, g.patch(), filters, precision, 0, begin * pixels, end * pixels);
  } else if (isBfloat16(precision)) {
    bfloat16BackwardInput(dx, dy, w, g, filters, begin, end);
  } else if (isDirectInput(g, filters)) {
    directBackwardInput(dx, dy, w, g, filters, begin, end);
  } else {
    patchesBackwardInput(dx, dy, w, g, filters, begin, end);
  }
}

// reversed: windowHeight x windowWidth x filters x channels; w: windowHeight x windowWidth x channels x filters.
void conv2dReverseWeights(float* reversed, const float* w, int64_t windowHeight, int64_t windowWidth, int64_t channels,
                          int64_t filters, int64_t begin, int64_t end) noexcept {
  const int64_t window = windowHeight * windowWidth;
  for (int64_t at = 0; at < window; at++) {
    const float* from = w + (window - 1 - at) * channels * filters;
    float* to = reversed + at * filters * channels;
    for (int64_t f = begin; f < end; f++) {
      for (int64_t c = 0; c < channels; c++) to[f * channels + c] = from[c * filters + f];
    }
  }
}

namespace {

// The rows [begin, end) of dw: patch x filters.
void weightGradient(float* dw, const float* x, const float* dy, int64_t rows, const Geometry& g, int64_t filters,
                    int64_t patch, int32_t precision, int64_t begin, int64_t end) {
  if (begin >= end || filters == 0) return;
  const int64_t pixels = rows * g.outPixels();
  if (pixels == 0 || g.windowRow() == 0) {
    clear(dw + begin * filters, (end - begin) * filters);
    return;
  }
  // Sizes that appear only in `patch` in other kernels: their product may overflow.
  const bool isWhole = patch % g.windowRow() == 0 && patch / g.windowRow() == g.windowHeight;
  if (isWhole && patchesAreInput(g)) {
    denseBackwardWeight(dw, x, dy, pixels, patch, filters, precision, begin, end);
  } else if (isBfloat16(precision)) {
    bfloat16BackwardWeight(dw, x, dy, g, rows, filters, begin, end);
  } else if (isWhole && isPlanar(g, filters)) {
    planesBackwardWeight(dw, x, dy, g, rows, filters, begin, end);
  } else if (isWhole && begin == 0 && end == patch && isWinograd(g, filters)) {
    winogradBackwardWeight(dw, x, dy, g, rows, filters);
  } else if (isWhole && isDirect(g, filters)) {
    directBackwardWeight(dw, x, dy, g, rows, filters, begin, end);
  } else {
    patchesBackwardWeight(dw, x, dy, g, rows, filters, begin, end);
  }
}

}  // namespace

// dwParts: parts x patch x filters; dbParts: parts x filters; x: rows x height x width x channels; dy: rows x outHeight
// x outWidth x filters. A part is a share of the images.
void conv2dBackwardWeight(float* dwParts, float* dbParts, const float* x, const float* dy, int64_t rows, Geometry g,
                          int64_t filters, int64_t patch, int64_t parts, int32_t precision, int axis, int64_t begin,
                          int64_t end) noexcept {
  // Without images or filters the other sizes are unrestricted.
  const bool any = rows > 0 && filters > 0, byImages = axis == 0;
  const int64_t image = any ? g.imageSize() : 0, pixels = any ? g.outPixels() : 0;
  const Share shares = byImages ? Share{begin, end} : Share{0, parts},
              weights = byImages ? Share{0, patch} : Share{begin, end};
  for (int64_t part = shares.begin; part < shares.end; part++) {
    const Share mine = share(rows, 1, part, parts);
    const int64_t count = mine.end - mine.begin;
    const float* gradient = dy + mine.begin * pixels * filters;
    weightGradient(dwParts + part * patch * filters, x + mine.begin * image, gradient, count, g, filters, patch,
                   precision, weights.begin, weights.end);
    if (dbParts != nullptr) denseBackwardBias(dbParts + part * filters, gradient, count * pixels, filters, 0, filters);
  }
}

}  // namespace blasnet::BLASNET_SIMD
