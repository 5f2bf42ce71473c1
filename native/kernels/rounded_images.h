// Images of a convolution, rounded to bfloat16 once and laid out so that tiles are read from them without copies of
// patches.
//
// Outputs are counted as positions of a grid that is as wide as an image with its padding: at the same place of the
// window, neighbouring positions see neighbouring pixels, also across the ends of rows and images. Positions between
// the rows of outputs see pixels of two rows; what is computed there is dropped. Images and rows share the padding
// between them. Where windows move by several rows, the grid's rows lie in as many planes, one for each remainder.
#pragma once

#include "geometry.h"
#include "products/bfloat16.h"
#include "products/bfloat16_tiles.h"

namespace blasnet::BLASNET_SIMD {
namespace {

BLASNET_INLINE int64_t roundUp(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

class RoundedImages {
 public:
  RoundedImages(const Tiles& tiles, const Geometry& geometry) : g(geometry) {
    constexpr int64_t most = 4096;  // so that no product overflows
    const int64_t sizes[] = {g.height,      g.width,        g.channels,    g.outHeight, g.outWidth, g.windowHeight,
                             g.windowWidth, g.strideHeight, g.strideWidth, g.padTop,    g.padLeft};
    for (const int64_t size : sizes) {
      if (size > most) return;
    }
    if (g.strideHeight < 1 || g.strideWidth < 1 || g.patch() == 0 || g.outPixels() == 0) return;
    rows = Axis(g.outHeight, g.windowHeight, g.strideHeight, g.padTop, g.height);
    columns = Axis(g.outWidth, g.windowWidth, g.strideWidth, g.padLeft, g.width);
    if (rows.period > most || columns.period > most) return;
    down = rows.period / g.strideHeight;
    across = columns.period / g.strideWidth;
    stride = g.strideWidth * g.channels;
    const double perOutput = static_cast<double>(down * across) / static_cast<double>(g.outPixels());
    const double perElement =
        static_cast<double>(stepsOf(g.windowRow()) * tileDepth) / static_cast<double>(g.windowRow());
    isUseful = perOutput <= 2 && perOutput * perElement <= tiles.excess;
  }

  // Whether it can hold images of this geometry, and most of what is computed from them is needed.
  bool isUseful = false;
  // Elements from a position to the next.
  int64_t stride = 0;

  // Positions of so many images, in whole steps of the depth.
  int64_t positions(int64_t images) const {
    return roundUp(((images - 1) * down + g.outHeight - 1) * across + g.outWidth, tileDepth);
  }
  // The memory for so many images, with pairs of positions or without.
  int64_t bytes(int64_t images, bool withPairs) const {
    const int64_t elementBytes = withPairs ? sizeof(uint16_t) + sizeof(uint32_t) : sizeof(uint16_t);
    return roundUp(g.windowHeight * static_cast<int64_t>(sizeof(int64_t)), lineBytes) +
           planes() * plane(images) * elementBytes;
  }

  // Takes memory for `images` images at most.
  void allocate(Scratch& scratch, int64_t images, bool withPairs) {
    planeElements = plane(images);
    starts = take<int64_t>(scratch, g.windowHeight);
    const int64_t elements = planes() * planeElements;
    pixels = take<uint16_t>(scratch, elements);
    if (withPairs) pairs = take<uint32_t>(scratch, elements);
    for (int64_t ky = 0; ky < g.windowHeight; ky++) {
      starts[ky] = rowStart(ky) * static_cast<int64_t>(sizeof(uint16_t));
    }
    // The padding stays as it is now, since the images are always at the same places.
    __builtin_memset(pixels, 0, static_cast<size_t>(elements) * sizeof(uint16_t));
  }

  // Holds the images [first, first + images) of x from here on. False if a number is not finite once it is rounded:
  // where tiles are multiplied by zeros or reach beyond a window, it would spoil results that don't depend on it.
  bool hold(const Tiles& tiles, const float* x, int64_t first, int64_t images) {
    bool isFinite = true;
    for (int64_t image = 0; image < images; image++) {
      const float* from = x + (first + image) * g.imageSize();
      for (int64_t y = 0; y < rows.visible; y++, from += g.width * g.channels) {
        const int64_t at = image * rows.period + rows.before + y;
        if (at % g.strideHeight >= planes()) continue;
        uint16_t* row = pixels + rowStart(at) + columns.before * g.channels;
        isFinite &= tiles.round(row, from, columns.visible * g.channels);
      }
    }
    if (!isFinite) return false;
    if (pairs != nullptr) {
      for (int64_t p = 0; p < planes(); p++) pairUp(p * planeElements, plane(images) - stride);
    }
    return true;
  }

  // Units are positions from this one on, the depth is the patch as in depth().
  Strip pixelStrip(int64_t position) const {
    constexpr int64_t size = sizeof(uint16_t);
    return {pixels + position * stride, stride * size, tileUnits * stride * size, tileDepth * size};
  }
  // A run for each row of the window, in whole steps.
  Depth depth() const { return {stepsOf(g.windowRow()), g.windowHeight, starts}; }

  // Tiles of 16 elements of a window's row, counted through all rows. The last one of a row reaches beyond it.
  int64_t tilesOfRow() const { return roundUp(g.windowRow(), tileUnits) / tileUnits; }
  int64_t tileOf(int64_t element) const {
    return element / g.windowRow() * tilesOfRow() + element % g.windowRow() / tileUnits;
  }
  int64_t firstElement(int64_t tile) const {
    return tile / tilesOfRow() * g.windowRow() + tile % tilesOfRow() * tileUnits;
  }
  int64_t elementsOf(int64_t tile) const {
    return math::smaller(tileUnits, g.windowRow() - tile % tilesOfRow() * tileUnits);
  }
  // Units are the elements of two of these tiles, the depth is positions from this one on.
  Strip pairStrip(int64_t tile, int64_t position) const {
    constexpr int64_t size = sizeof(uint32_t);
    const int64_t start = tileStart(tile);
    return {pairs + start + position * stride, 2 * stride * size, (tileStart(tile + 1) - start) * size,
            tileDepth * stride * size};
  }

  // Calls visit(at, pixel, n) for the outputs among `count` positions from `first` on: at the positions from first + at
  // on are n outputs, from pixel `pixel` on.
  template <typename Visit>
  BLASNET_INLINE void forEachRun(int64_t first, int64_t count, Visit visit) const {
    int64_t row = first / across, ox = first % across;
    for (int64_t at = 0; at < count; row++, ox = 0) {
      const int64_t n = math::smaller(g.outWidth - ox, count - at);
      if (n > 0 && row % down < g.outHeight) visit(at, (row / down * g.outHeight + row % down) * g.outWidth + ox, n);
      at += across - ox;
    }
  }

 private:
  // One of the two directions in an image.
  struct Axis {
    int64_t before = 0;   // padding that windows see
    int64_t visible = 0;  // pixels that they see
    int64_t period = 0;   // from a row or image to the next

    Axis() = default;
    Axis(int64_t out, int64_t window, int64_t step, int64_t padding, int64_t size) {
      const int64_t seen = (out - 1) * step + window;
      before = math::smaller(padding, seen);
      visible = math::smaller(size, seen - before);
      const int64_t after = seen - before - visible;
      period = roundUp(math::larger(visible + math::larger(before, after), (out - 1) * step + 1), step);
    }
  };

  static constexpr int64_t lineBytes = 64;

  const Geometry& g;
  Axis rows, columns;
  int64_t down = 0, across = 0;  // positions from an image to the next, in rows, and from a row to the next
  int64_t planeElements = 0;
  int64_t* starts = nullptr;   // of the window's rows, in bytes
  uint16_t* pixels = nullptr;  // planes x rows x columns
  uint32_t* pairs = nullptr;   // each element with that of the next position

  // The last ones have rows that no window sees, if steps are longer than windows.
  int64_t planes() const { return math::smaller(g.strideHeight, g.windowHeight); }
  int64_t rowElements() const { return columns.period * g.channels; }
  // Elements of a plane, up to the last that a tile reaches.
  int64_t plane(int64_t images) const {
    const int64_t last = (g.windowHeight - 1) / g.strideHeight * rowElements() + roundUp(g.windowRow(), tileDepth);
    return roundUp((positions(images) + 1) * stride + last, tileDepth);
  }
  int64_t rowStart(int64_t row) const {
    return row % g.strideHeight * planeElements + row / g.strideHeight * rowElements();
  }
  int64_t tileStart(int64_t tile) const { return rowStart(tile / tilesOfRow()) + tile % tilesOfRow() * tileUnits; }

  void pairUp(int64_t first, int64_t n) {
    const uint16_t *even = pixels + first, *odd = even + stride;
    uint32_t* to = pairs + first;
#pragma omp simd
    for (int64_t j = 0; j < n; j++) to[j] = even[j] | static_cast<uint32_t>(odd[j]) << 16;
  }
};

}  // namespace
}  // namespace blasnet::BLASNET_SIMD
