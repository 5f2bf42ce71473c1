// Images of a convolution, rounded to bfloat16 once for all the windows that see a pixel. Panels of patches are then
// copied from them, without a matrix of patches in between.
#pragma once

#include "geometry.h"
#include "products/bfloat16.h"
#include "products/bfloat16_tiles.h"

namespace blasnet::BLASNET_SIMD {
namespace {

// Elements of a patch that always lie next to each other in an image, if channels are a multiple of them.
constexpr int64_t patchRun = tileUnits;

constexpr uint16_t noPixel[patchRun] = {};

class RoundedImages {
 public:
  // How many images it holds; 0 if it can't hold any of this geometry.
  int64_t most = 0;
  // The element of a patch that is the first unit of the columns.
  int64_t firstColumn = 0;

  // Takes memory for at most `wanted` images from the first half of `scratch`.
  RoundedImages(const Geometry& geometry, int64_t wanted, Scratch& scratch) : g(geometry) {
    const int64_t sizes[] = {g.height,      g.width,        g.channels,    g.outHeight, g.outWidth, g.windowHeight,
                             g.windowWidth, g.strideHeight, g.strideWidth, g.padTop,    g.padLeft};
    for (const int64_t size : sizes) {
      if (size > 4096) return;  // so that no product below overflows
    }
    if (g.channels % patchRun != 0 || g.patch() == 0 || g.outPixels() == 0) return;
    imageElements = g.seenRows() * g.seenRow();
    const int64_t imageBytes = roundUp(imageElements * static_cast<int64_t>(sizeof(uint16_t))) +
                               roundUp(g.outPixels() * static_cast<int64_t>(sizeof(int32_t)));
    most = math::smaller(wanted, scratch.bytes / 2 / imageBytes);
    starts = static_cast<int32_t*>(scratch.memory);
    char* memory = static_cast<char*>(scratch.memory) + most * roundUp(g.outPixels() * 4);
    pixels = reinterpret_cast<uint16_t*>(memory);
    scratch = {static_cast<char*>(scratch.memory) + most * imageBytes, scratch.bytes - most * imageBytes};
  }

  // Holds the images [first, first + images) of x from here on.
  void hold(const float* x, int64_t first, int64_t images) {
    const int64_t left = math::smaller(g.padLeft * g.channels, g.seenRow());
    const int64_t width = math::smaller(g.width * g.channels, g.seenRow() - left);
    uint16_t* row = pixels;
    int32_t* start = starts;
    for (int64_t image = 0; image < images; image++) {
      const float* from = x + (first + image) * g.imageSize();
      for (int64_t seen = 0; seen < g.seenRows(); seen++, row += g.seenRow()) {
        const int64_t at = seen - g.padTop, inside = at >= 0 && at < g.height ? width : 0;
        for (int64_t j = 0; j < left; j++) row[j] = 0;
        roundRow(row + left, from + at * g.width * g.channels, inside);
        for (int64_t j = left + inside; j < g.seenRow(); j++) row[j] = 0;
      }
      for (int64_t oy = 0; oy < g.outHeight; oy++) {
        for (int64_t ox = 0; ox < g.outWidth; ox++) {
          *start++ = static_cast<int32_t>(image * imageElements + oy * g.strideHeight * g.seenRow() +
                                          ox * g.strideWidth * g.channels);
        }
      }
    }
  }

  // Units are output pixels, the depth is a patch: neighbours in depth are neighbours in the image.
  static void packPixels(const Tiles&, const void* source, uint32_t* panel, Side, int64_t unit, int64_t l,
                         int64_t units, int64_t depth, float*) noexcept {
    const RoundedImages& images = *static_cast<const RoundedImages*>(source);
    const int64_t tiles = tilesOf(units), steps = stepsOf(depth);
    for (int64_t step = 0; step < steps; step++) {
      const bool isFull = depth - step * tileDepth > patchRun;
      const int64_t low = images.offset(l + step * tileDepth);
      const int64_t high = isFull ? images.offset(l + step * tileDepth + patchRun) : 0;
      for (int64_t i = 0; i < tiles * tileUnits; i++, panel += tileUnits) {
        const uint16_t* window = i < units ? images.pixels + images.starts[unit + i] : nullptr;
        copyRun(panel, window != nullptr ? window + low : noPixel);
        copyRun(panel + tileUnits / 2, window != nullptr && isFull ? window + high : noPixel);
      }
    }
  }

  // Units are elements of a patch from firstColumn on, the depth is output pixels.
  static void packColumns(const Tiles&, const void* source, uint32_t* panel, Side, int64_t unit, int64_t l,
                          int64_t units, int64_t depth, float*) noexcept {
    const RoundedImages& images = *static_cast<const RoundedImages*>(source);
    const int64_t tiles = tilesOf(units), steps = stepsOf(depth);
    for (int64_t tile = 0; tile < tiles; tile++) {
      const uint16_t* first = images.pixels + images.offset(images.firstColumn + unit + tile * tileUnits);
      const auto at = [&](int64_t pixel) { return pixel < depth ? first + images.starts[l + pixel] : noPixel; };
      for (int64_t step = 0; step < steps; step++) {
        uint32_t* words = panel + (step * tiles + tile) * tileWords;
        for (int64_t pixel = step * tileDepth; pixel < (step + 1) * tileDepth; pixel += 2, words += tileUnits) {
          const uint16_t *even = at(pixel), *odd = at(pixel + 1);
#pragma omp simd
          for (int64_t j = 0; j < tileUnits; j++) words[j] = even[j] | static_cast<uint32_t>(odd[j]) << 16;
        }
      }
    }
  }

 private:
  const Geometry& g;
  int64_t imageElements = 0;
  int32_t* starts = nullptr;  // where the window of each output pixel begins
  uint16_t* pixels = nullptr;

  static int64_t roundUp(int64_t bytes) { return (bytes + 63) / 64 * 64; }

  static void copyRun(uint32_t* to, const uint16_t* from) { __builtin_memcpy(to, from, patchRun * sizeof(uint16_t)); }

  static void roundRow(uint16_t* to, const float* from, int64_t n) {
#pragma omp simd
    for (int64_t j = 0; j < n; j++) to[j] = static_cast<uint16_t>(roundToBfloat16(math::toBits(from[j])) >> 16);
  }

  // From the beginning of a window to an element of its patch.
  int64_t offset(int64_t column) const { return column / g.windowRow() * g.seenRow() + column % g.windowRow(); }
};

}  // namespace
}  // namespace blasnet::BLASNET_SIMD
