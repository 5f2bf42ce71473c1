// Products of blocks of patches, which are local arrays.
#include "conv2d_patches.h"

#include "abandon.h"
#include "activations.h"
#include "copy.h"
#include "products/bfloat16.h"
#include "products/bfloat16_tiles.h"
#include "products/gemm.h"

namespace blasnet::BLASNET_SIMD {
namespace {

using math::larger;
using math::smaller;

// With one channel, contiguous runs within a patch are short, while those of neighbouring pixels are long. The block is
// then transposed: one row per element of the patch.
bool isTransposed(const Geometry& g) { return g.channels == 1; }

// Part of the matrix of patches: rows are output pixels, counted through all images; columns are elements of a patch.
struct Block {
  int64_t firstPixel, pixels, firstColumn, columns;
};

// Maximum elements of a block (64 KiB of stack); larger ones gain little. The shape was chosen by measurement so that
// products use BLAS's kernels for small matrices, if it has some. With many weights, or if BLAS repacks them for every
// block, more pixels with shorter patches are faster.
constexpr int64_t blockElements = 16384;

struct BlockShape {
  int64_t pixels, columns;
};

// Patches longer than `longest` are cut into equal parts; a block holds as many pixels as fit.
BlockShape shapeFor(int64_t columns, int64_t longest) {
  const int64_t parts = larger(1, (columns + longest - 1) / longest);
  const int64_t length = larger(1, (columns + parts - 1) / parts);
  return {blockElements / length, length};
}

// Calls visit(image, oy, ox, count, at) for the pieces of output rows in a block: count pixels starting at (oy, ox) are
// the block's pixels starting at `at`.
template <typename Visit>
BLASNET_INLINE void forEachRow(const Geometry& g, const Block& block, Visit visit) {
  const int64_t within = block.firstPixel % g.outPixels();
  int64_t image = block.firstPixel / g.outPixels(), oy = within / g.outWidth, ox = within % g.outWidth;
  for (int64_t at = 0; at < block.pixels;) {
    const int64_t count = smaller(g.outWidth - ox, block.pixels - at);
    visit(image, oy, ox, count, at);
    at += count;
    ox = 0;
    if (++oy == g.outHeight) {
      oy = 0;
      image++;
    }
  }
}

// The pieces of window rows in a block.
struct WindowRows {
  int64_t length, columns, firstRow, firstElement;

  WindowRows(const Geometry& g, const Block& block) : length(g.windowRow()), columns(block.columns) {
    firstRow = length > 0 ? block.firstColumn / length : 0;
    firstElement = block.firstColumn - firstRow * length;
  }

  // Calls visit(ky, begin, end, at): elements [begin, end) of window row ky are the block's columns starting at `at`.
  template <typename Visit>
  BLASNET_INLINE void forEach(Visit visit) const {
    int64_t ky = firstRow, begin = firstElement;
    for (int64_t at = 0; at < columns; ky++) {
      const int64_t count = smaller(length - begin, columns - at);
      visit(ky, begin, begin + count, at);
      at += count;
      begin = 0;
    }
  }
};

template <int64_t count>
BLASNET_INLINE void addFixed(float* y, const float* x) {
  float sum[count];
#pragma omp simd
  for (int64_t j = 0; j < count; j++) sum[j] = y[j] + x[j];
  copyFixed<count>(y, sum);
}

BLASNET_INLINE void add(float* y, const float* x, int64_t n) {
  int64_t j = 0;
  for (; j + 16 <= n; j += 16) addFixed<16>(y + j, x + j);
  if (j + 8 <= n) {
    addFixed<8>(y + j, x + j);
    j += 8;
  }
  if (j + 4 <= n) {
    addFixed<4>(y + j, x + j);
    j += 4;
  }
  for (; j < n; j++) y[j] += x[j];
}

// Elements [first, last) of a window row that lie inside the image; element j is element shift + j of the image's row.
struct Visible {
  int64_t first, last, shift;
};

BLASNET_INLINE Visible visible(const Geometry& g, int64_t ox, int64_t begin, int64_t end) {
  const int64_t ix = ox * g.strideWidth - g.padLeft;
  if (ix >= g.width || ix + g.windowWidth <= 0) return {begin, begin, 0};
  const int64_t shift = ix * g.channels;
  const int64_t first = smaller(larger(begin, -shift), end);
  return {first, larger(smaller(end, g.width * g.channels - shift), first), shift};
}

// A row of the image, or null for one above or below it.
template <typename T>
BLASNET_INLINE T* imageRow(const Geometry& g, T* x, int64_t image, int64_t iy) {
  return iy >= 0 && iy < g.height ? x + image * g.imageSize() + iy * g.width * g.channels : nullptr;
}

// block: pixels x columns <- the patches of x.
void gatherInterleaved(float* block, const float* x, const Geometry& g, const Block& b) {
  const WindowRows rows(g, b);
  forEachRow(g, b, [&](int64_t image, int64_t oy, int64_t ox, int64_t count, int64_t pixel) {
    rows.forEach([&](int64_t ky, int64_t begin, int64_t end, int64_t column) {
      const float* row = imageRow(g, x, image, oy * g.strideHeight + ky - g.padTop);
      float* out = block + pixel * b.columns + column;
      for (int64_t i = 0; i < count; i++, out += b.columns) {
        const Visible v = row != nullptr ? visible(g, ox + i, begin, end) : Visible{begin, begin, 0};
        if (v.first == begin && v.last == end) {
          copy(out, row + v.shift + begin, end - begin);
          continue;
        }
        clear(out, v.first - begin);
        for (int64_t j = v.first; j < v.last; j++) out[j - begin] = row[v.shift + j];
        clear(out + v.last - begin, end - v.last);
      }
    });
  });
}

// dx: adds the patches of block, pixels x columns. Neighbouring pixels share elements of dx. The rows of a window run
// innermost, so that a pixel's stores are not immediately loaded for the next pixel.
void scatterInterleaved(float* dx, const float* block, const Geometry& g, const Block& b) {
  const WindowRows rows(g, b);
  forEachRow(g, b, [&](int64_t image, int64_t oy, int64_t ox, int64_t count, int64_t pixel) {
    for (int64_t i = 0; i < count; i++) {
      rows.forEach([&](int64_t ky, int64_t begin, int64_t end, int64_t column) {
        float* row = imageRow(g, dx, image, oy * g.strideHeight + ky - g.padTop);
        if (row == nullptr) return;
        const Visible v = visible(g, ox + i, begin, end);
        add(row + v.shift + v.first, block + (pixel + i) * b.columns + column + v.first - begin, v.last - v.first);
      });
    }
  });
}

// For one channel: calls visit(row, ix, first, last, count, at) for each element of the patch and each piece of an
// output row, which starts at `at` in the transposed block. Its pixels [first, last) see the image's row starting at
// ix, in steps of strideWidth. Above or below the image, row is null and the range empty.
template <typename T, typename Visit>
BLASNET_INLINE void forEachPlaneRow(T* x, const Geometry& g, const Block& b, Visit visit) {
  for (int64_t column = 0; column < b.columns; column++) {
    const int64_t ky = (b.firstColumn + column) / g.windowWidth, kx = (b.firstColumn + column) % g.windowWidth;
    forEachRow(g, b, [&](int64_t image, int64_t oy, int64_t ox, int64_t count, int64_t pixel) {
      T* row = imageRow(g, x, image, oy * g.strideHeight + ky - g.padTop);
      const int64_t start = ox * g.strideWidth + kx - g.padLeft;
      int64_t first = 0, last = row != nullptr ? count : 0;
      while (first < last && start + first * g.strideWidth < 0) first++;
      while (last > first && start + (last - 1) * g.strideWidth >= g.width) last--;
      visit(row, start + first * g.strideWidth, first, last, count, column * b.pixels + pixel);
    });
  }
}

// block: columns x pixels <- the patches of x, one channel.
void gatherTransposed(float* block, const float* x, const Geometry& g, const Block& b) {
  const int64_t stride = g.strideWidth;
  forEachPlaneRow(x, g, b, [=](const float* row, int64_t ix, int64_t first, int64_t last, int64_t count, int64_t at) {
    float* out = block + at;
    clear(out, first);
    clear(out + last, count - last);
    if (first == last) return;
    if (stride == 1) return copy(out + first, row + ix, last - first);
    for (int64_t i = first; i < last; i++) out[i] = row[ix + (i - first) * stride];
  });
}

// dx: adds the patches of block, columns x pixels, one channel.
void scatterTransposed(float* dx, const float* block, const Geometry& g, const Block& b) {
  const int64_t stride = g.strideWidth;
  forEachPlaneRow(dx, g, b, [=](float* row, int64_t ix, int64_t first, int64_t last, int64_t, int64_t at) {
    if (first == last) return;
    if (stride == 1) return add(row + ix, block + at + first, last - first);
    for (int64_t i = first; i < last; i++) row[ix + (i - first) * stride] += block[at + i];
  });
}

void gather(float* block, const float* x, const Geometry& g, const Block& b) {
  isTransposed(g) ? gatherTransposed(block, x, g, b) : gatherInterleaved(block, x, g, b);
}

void scatter(float* dx, const float* block, const Geometry& g, const Block& b) {
  isTransposed(g) ? scatterTransposed(dx, block, g, b) : scatterInterleaved(dx, block, g, b);
}

// y: n copies of a row of that length.
void repeat(float* y, const float* row, int64_t length, int64_t n) {
  constexpr int64_t longest = 4096;
  const int64_t total = n * length, most = larger(longest / length, 1) * length;
  for (int64_t done = 0, count; done < total; done += count) {
    count = done == 0 ? length : smaller(smaller(done, most), total - done);
    __builtin_memcpy(y + done, done == 0 ? row : y, static_cast<uint64_t>(count) * sizeof(float));
  }
}

void forwardInBlocks(Product product, float* y, const float* x, const float* w, const float* b, const Geometry& g,
                     int64_t filters, int32_t activation, float slope, int64_t begin, int64_t end) {
  alignas(64) float patches[blockElements];
  const int64_t patch = g.patch(), last = end * g.outPixels();
  const BlockShape shape = shapeFor(patch, filters > 128 ? 96 : 256);
  for (int64_t pixel = begin * g.outPixels(); pixel < last; pixel += shape.pixels) {
    if (abandoned()) return;
    const int64_t count = smaller(shape.pixels, last - pixel);
    float* out = y + pixel * filters;
    if (b != nullptr) repeat(out, b, filters, count);
    int64_t column = 0;
    do {
      const Block block = {pixel, count, column, smaller(shape.columns, patch - column)};
      gather(patches, x, g, block);
      product(isTransposed(g), false, count, filters, block.columns, patches, isTransposed(g) ? count : block.columns,
              w + column * filters, filters, b != nullptr || column > 0, out, filters);
      column += shape.columns;
    } while (column < patch);
    activate(out, count * filters, activation, slope);
  }
}

void backwardInputInBlocks(Product product, float* dx, const float* dy, const float* w, const Geometry& g,
                           int64_t filters, int64_t begin, int64_t end) {
  alignas(64) float patches[blockElements];
  const int64_t patch = g.patch(), last = end * g.outPixels();
  const BlockShape shape = shapeFor(patch, patch > 192 ? 96 : 192);
  clear(dx + begin * g.imageSize(), (end - begin) * g.imageSize());
  if (filters == 0) return;
  for (int64_t pixel = begin * g.outPixels(); pixel < last; pixel += shape.pixels) {
    if (abandoned()) return;
    const int64_t count = smaller(shape.pixels, last - pixel);
    const float* in = dy + pixel * filters;
    for (int64_t column = 0; column < patch; column += shape.columns) {
      const Block block = {pixel, count, column, smaller(shape.columns, patch - column)};
      const float* weights = w + column * filters;
      if (isTransposed(g)) {
        product(false, true, block.columns, count, filters, weights, filters, in, filters, false, patches, count);
      } else {
        product(false, true, count, block.columns, filters, in, filters, weights, filters, false, patches,
                block.columns);
      }
      scatter(dx, patches, g, block);
    }
  }
}

void backwardWeightInBlocks(Product product, float* dw, const float* x, const float* dy, const Geometry& g,
                            int64_t rows, int64_t filters, int64_t begin, int64_t end) {
  alignas(64) float patches[blockElements];
  const int64_t pixels = rows * g.outPixels();
  const BlockShape shape = shapeFor(end - begin, 256);
  for (int64_t column = begin; column < end; column += shape.columns) {
    for (int64_t pixel = 0; pixel < pixels; pixel += shape.pixels) {
      if (abandoned()) return;
      const Block block = {pixel, smaller(shape.pixels, pixels - pixel), column, smaller(shape.columns, end - column)};
      gather(patches, x, g, block);
      product(!isTransposed(g), false, block.columns, filters, block.pixels, patches,
              isTransposed(g) ? block.pixels : block.columns, dy + pixel * filters, filters, pixel > 0,
              dw + column * filters, filters);
    }
  }
}

// Patches as an operand: tiles are packed from a copy of a few of them at a time.
struct Patches {
  const Geometry& g;
  const float* x;
  int64_t firstPixel, firstColumn;
};

void packPixels(const Tiles& tiles, const void* source, uint32_t* panel, Side side, int64_t unit, int64_t l,
                int64_t units, int64_t depth, float* space) noexcept {
  const auto& [g, x, firstPixel, firstColumn] = *static_cast<const Patches*>(source);
  gather(space, x, g, {firstPixel + unit, units, firstColumn + l, depth});
  tiles.pack(panel, isTransposed(g) ? View{space, units, true} : View{space, depth, false}, side, units, depth);
}

void packColumns(const Tiles& tiles, const void* source, uint32_t* panel, Side side, int64_t unit, int64_t l,
                 int64_t units, int64_t depth, float* space) noexcept {
  const auto& [g, x, firstPixel, firstColumn] = *static_cast<const Patches*>(source);
  gather(space, x, g, {firstPixel + l, depth, firstColumn + unit, units});
  tiles.pack(panel, isTransposed(g) ? View{space, depth, false} : View{space, units, true}, side, units, depth);
}

}  // namespace

void patchesForward(float* y, const float* x, const float* w, const float* b, const Geometry& g, int64_t filters,
                    int32_t activation, float slope, int32_t precision, int64_t begin, int64_t end) noexcept {
  const Tiles* tiles = isBfloat16(precision) ? chosenTiles() : nullptr;
  if (tiles == nullptr || g.patch() == 0) {
    return forwardInBlocks(productIn(precision), y, x, w, b, g, filters, activation, slope, begin, end);
  }
  withScratch(Use::packing, [&](Scratch scratch) {
    const int64_t most = larger(panelUnits, (int64_t{1} << 17) / filters), last = end * g.outPixels();
    for (int64_t pixel = begin * g.outPixels(); pixel < last; pixel += most) {
      if (abandoned()) return;
      const int64_t count = smaller(most, last - pixel);
      float* out = y + pixel * filters;
      if (b != nullptr) repeat(out, b, filters, count);
      const Patches patches = {g, x, pixel, 0};
      const View weights = {w, filters, true};
      tiledProduct(*tiles, scratch, {count, &patches, packPixels}, {filters, &weights, packMatrix}, g.patch(),
                   b != nullptr, out, filters);
      activate(out, count * filters, activation, slope);
    }
  });
}

void patchesBackwardInput(float* dx, const float* dy, const float* w, const Geometry& g, int64_t filters,
                          int32_t precision, int64_t begin, int64_t end) noexcept {
  backwardInputInBlocks(productIn(precision), dx, dy, w, g, filters, begin, end);
}

void patchesBackwardWeight(float* dw, const float* x, const float* dy, const Geometry& g, int64_t rows, int64_t filters,
                           int32_t precision, int64_t begin, int64_t end) noexcept {
  const Tiles* tiles = isBfloat16(precision) ? chosenTiles() : nullptr;
  if (tiles == nullptr) {
    return backwardWeightInBlocks(productIn(precision), dw, x, dy, g, rows, filters, begin, end);
  }
  withScratch(Use::packing, [&](Scratch scratch) {
    const Patches patches = {g, x, 0, begin};
    const View gradient = {dy, filters, true};
    tiledProduct(*tiles, scratch, {end - begin, &patches, packColumns}, {filters, &gradient, packMatrix},
                 rows * g.outPixels(), false, dw + begin * filters, filters);
  });
}

}  // namespace blasnet::BLASNET_SIMD
