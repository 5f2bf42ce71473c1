// Each pixel of dy adds its filters times their weights to a window of dx, whose rows are contiguous. These are summed
// in registers, several rows of two windows at a time, and added to a padded copy of the image.
#include "conv2d_direct_input.h"

#include "abandon.h"
#include "vector.h"

namespace blasnet::BLASNET_SIMD {
namespace {

using math::smaller;

constexpr int64_t lanes = vectorLanes;
using Lanes = Vector<vectorLanes>;
using Bits = IntegerVector<vectorLanes>;

constexpr int sums = manyRegisters ? 24 : 12;
constexpr int longestRow = 4, maxRows = 5;  // in vectors, and of a window at a time
constexpr int64_t maxFilters = 48;
constexpr int64_t imageElements = 4096;
constexpr int64_t weightElements = 8192;

constexpr int rowsAtATime(int vectors) { return sums / 2 / vectors < maxRows ? sums / 2 / vectors : maxRows; }

int64_t vectorsOf(const Geometry& g) { return (g.windowRow() + lanes - 1) / lanes; }

// Windows at least this many pixels apart don't overlap, so neither load waits for the other's store.
int64_t distanceOf(const Geometry& g) {
  const int64_t step = g.strideWidth * g.channels;
  return (g.windowRow() + step - 1) / step;
}

// packed: filters x windowHeight x vectors x lanes; unused lanes of a window row's last vector are 0.
void pack(float* packed, const float* w, const Geometry& g, int64_t filters, int64_t vectors) {
  const int64_t row = g.windowRow();
  clear(packed, filters * g.windowHeight * vectors * lanes);
  for (int64_t f = 0; f < filters; f++) {
    for (int64_t ky = 0; ky < g.windowHeight; ky++, packed += vectors * lanes) {
      for (int64_t j = 0; j < row; j++) packed[j] = w[(ky * row + j) * filters + f];
    }
  }
}

// Two pixels of dy, and where their windows start in the image.
struct Pair {
  const float* dy[2];
  float* window[2];
};

// Adds `rows` rows of one or both windows. weights: those of the first of these rows; last: mask of the lanes that the
// last vector of a row uses.
template <int vectors, int rows>
BLASNET_INLINE void addRows(const Pair& pair, bool both, const float* weights, int64_t filters, const Geometry& g,
                            int64_t width, Bits last) {
  Lanes sum[2][rows][vectors] = {};
  const int64_t step = g.windowHeight * vectors * lanes;
  for (int64_t f = 0; f < filters; f++, weights += step) {
    const float first = pair.dy[0][f], second = pair.dy[1][f];
#pragma GCC unroll 8
    for (int row = 0; row < rows; row++) {
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) {
        const Lanes w = load<lanes>(weights + (row * vectors + v) * lanes);
        sum[0][row][v] += first * w;
        sum[1][row][v] += second * w;
      }
    }
  }
#pragma GCC unroll 2
  for (int i = 0; i < 2; i++) {
    if (i == 1 && !both) break;
#pragma GCC unroll 8
    for (int row = 0; row < rows; row++) {
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) {
        float* to = pair.window[i] + row * width + v * lanes;
        // An infinite dy times the zeros after the weights is not 0.
        const Lanes total = v + 1 < vectors ? sum[i][row][v] : (Lanes)((Bits)sum[i][row][v] & last);
        store<lanes>(to, load<lanes>(to) + total);
      }
    }
  }
}

// All rows of the windows, as many at a time as fit the registers.
template <int vectors, int rows = rowsAtATime(vectors)>
BLASNET_INLINE void addWindows(Pair pair, bool both, const float* weights, int64_t filters, const Geometry& g,
                               int64_t width, Bits last, int64_t left) {
  for (; left >= rows; left -= rows, weights += rows * vectors * lanes) {
    addRows<vectors, rows>(pair, both, weights, filters, g, width, last);
    for (float*& window : pair.window) window += rows * width;
  }
  if constexpr (rows > 1) addWindows<vectors, rows - 1>(pair, both, weights, filters, g, width, last, left);
}

template <int vectors>
__attribute__((noinline)) void addImage(float* image, const float* dy, const float* weights, const Geometry& g,
                                        int64_t filters) {
  const int64_t width = g.seenRow(), step = g.strideWidth * g.channels, distance = distanceOf(g);
  Bits last;
  for (int l = 0; l < lanes; l++) last[l] = (vectors - 1) * lanes + l < g.windowRow() ? -1 : 0;
  for (int64_t oy = 0; oy < g.outHeight; oy++) {
    const float* row = dy + oy * g.outWidth * filters;
    float* windows = image + oy * g.strideHeight * width;
    // Consecutive windows overlap here, but each pair is stored long before the next one is added.
    for (int64_t begin = 0; begin < g.outWidth; begin += 2 * distance) {
      for (int64_t ox = begin; ox < smaller(begin + distance, g.outWidth); ox++) {
        const bool both = ox + distance < g.outWidth;
        const int64_t other = both ? ox + distance : ox;
        const Pair pair = {{row + ox * filters, row + other * filters}, {windows + ox * step, windows + other * step}};
        addWindows<vectors>(pair, both, weights, filters, g, width, last, g.windowHeight);
      }
    }
  }
}

// dx <- the image without its padding; 0 where no window reaches.
void copyImage(float* dx, const float* image, const Geometry& g) {
  const int64_t row = g.width * g.channels, pad = g.padLeft * g.channels;
  const int64_t seen = math::larger(0, smaller(row, g.seenRow() - pad));
  for (int64_t iy = 0; iy < g.height; iy++, dx += row) {
    const bool visible = iy + g.padTop < g.seenRows();
    const float* from = image + (visible ? (iy + g.padTop) * g.seenRow() + (seen > 0 ? pad : 0) : 0);
    const int64_t count = visible ? seen : 0;
#pragma omp simd
    for (int64_t j = 0; j < count; j++) dx[j] = from[j];
    clear(dx + count, row - count);
  }
}

}  // namespace

bool isDirectInput(const Geometry& g, int64_t filters) noexcept {
  constexpr int64_t most = imageElements;
  // With one channel most of a vector is empty.
  if (filters < 1 || filters > maxFilters || g.channels < 2 || g.outHeight < 1 || g.outWidth < 1 ||
      g.strideHeight < 1 || g.strideWidth < 1)
    return false;
  if (g.channels > most || g.outHeight > most || g.outWidth > most || g.strideHeight > most || g.strideWidth > most ||
      g.windowHeight > most || g.windowWidth > most)
    return false;
  const int64_t vectors = vectorsOf(g);
  if (vectors < 1 || vectors > longestRow || g.windowHeight < 1) return false;
  return g.seenRows() * g.seenRow() <= imageElements && filters * g.windowHeight * vectors * lanes <= weightElements;
}

void directBackwardInput(float* dx, const float* dy, const float* w, const Geometry& g, int64_t filters, int64_t begin,
                         int64_t end) noexcept {
  alignas(64) float image[imageElements + lanes];
  alignas(64) float weights[weightElements];
  const int64_t vectors = vectorsOf(g);
  pack(weights, w, g, filters, vectors);
  for (int64_t i = begin; i < end; i++) {
    if (abandoned()) return;
    const float* in = dy + i * g.outPixels() * filters;
    clear(image, g.seenRows() * g.seenRow() + lanes);
    switch (vectors) {
      case 1: addImage<1>(image, in, weights, g, filters); break;
      case 2: addImage<2>(image, in, weights, g, filters); break;
      case 3: addImage<3>(image, in, weights, g, filters); break;
      default: addImage<4>(image, in, weights, g, filters);
    }
    copyImage(dx + i * g.imageSize(), image, g);
  }
}

}  // namespace blasnet::BLASNET_SIMD
