// Blocks of tiles of 2x2 outputs. A tile's 4x4 inputs are transformed to 16 points; at each point the tiles of a block
// form a matrix tiles x channels, which is multiplied by one of channels x filters, so that all 16 stay in the
// second-level cache.
#include "conv2d_winograd.h"

#include "abandon.h"
#include "activations.h"
#include "products/gemm.h"
#include "products/scratch.h"
#include "vector.h"

namespace blasnet::BLASNET_SIMD {
namespace {

using math::larger;
using math::smaller;

constexpr int64_t lanes = vectorLanes;
using Lanes = Vector<vectorLanes>;

constexpr int points = 16;
constexpr int64_t unit = 16;                  // channels and filters are multiples: whole vectors of every set
constexpr int64_t maxChannels = 128;          // and filters
constexpr int tall = manyRegisters ? 14 : 6;  // tiles whose sums the registers hold, of two vectors of filters
constexpr int low = tall / 2;                 // of which the last ones of a block may be so few
constexpr int64_t line = 16;                  // of a cache, in floats
constexpr int64_t gap = line;  // between the matrices of two points, which would otherwise share sets of the caches

// The weights at all points have up to 1 MiB. Blocks are smaller where they fill the second-level cache.
constexpr int64_t maxWeights = maxChannels * maxChannels, manyWeights = maxWeights / 2;
constexpr int64_t maxTiles(int64_t weights) { return (weights > manyWeights ? 2 : 4) * tall; }

constexpr int64_t scratchFor(int64_t weights) {
  return points * (weights + 2 * maxTiles(weights) * maxChannels + 3 * gap) * static_cast<int64_t>(sizeof(float));
}
static_assert(scratchFor(manyWeights) <= largeScratch && scratchFor(maxWeights) <= largeScratch);

alignas(64) constexpr float zeros[maxChannels] = {};

// The tiles of an image. A block is some rows of them, counted through all images.
struct Grid {
  int64_t high, wide, blockRows;

  Grid(const Geometry& g, int64_t filters)
      : high((g.outHeight + 1) / 2), wide((g.outWidth + 1) / 2), blockRows(maxTiles(g.channels * filters) / wide) {}
  // What register tiles cover.
  static int64_t padded(int64_t tiles) { return (tiles + low - 1) / low * low; }
  // The row of pixels, counted through images of that height, at which a row of tiles begins.
  int64_t pixelRow(int64_t row, int64_t height) const { return row / high * height + 2 * (row % high); }
};

// Some rows of tiles.
struct Block {
  Grid grid;
  int64_t first, rows;

  int64_t tiles() const { return rows * grid.wide; }
  Block next(int64_t last) const { return {grid, first + rows, smaller(grid.blockRows, last - first - rows)}; }
  // Calls visit(image, ty, tx, at) for each tile.
  template <typename Visit>
  BLASNET_INLINE void forEachTile(Visit visit) const {
    int64_t image = first / grid.high, ty = first % grid.high, at = 0;
    for (int64_t row = 0; row < rows; row++) {
      for (int64_t tx = 0; tx < grid.wide; tx++, at++) visit(image, ty, tx, at);
      if (++ty == grid.high) {
        ty = 0;
        image++;
      }
    }
  }
  // Requests one of 16 parts of the pixels of images of that height and row length from memory. A tile sees up to two
  // rows beyond its own.
  BLASNET_INLINE void prefetch(const float* x, int64_t height, int64_t length, int part) const {
    if (grid.high > height) return;  // of an empty image the other sizes are unrestricted
    const int64_t from = grid.pixelRow(first, height) + 2, to = grid.pixelRow(first + rows, height) + 2;
    const int64_t size = (to - from) * length, end = size * (part + 1) / points;
    for (int64_t i = size * part / points; i < end; i += line) __builtin_prefetch(x + from * length + i);
  }
};

// Calls transform(at) with at(i, j) as a pointer to pixel (y + i, x + j), for i and j below `size`, of an image of
// height x width; outside they are zeros.
template <int size, typename Transform>
BLASNET_INLINE void withPixels(const float* image, int64_t y, int64_t x, int64_t height, int64_t width,
                               int64_t channels, Transform transform) {
  const auto inside = [=](int i, int j) { return image + ((y + i) * width + x + j) * channels; };
  if (y >= 0 && x >= 0 && y + size <= height && x + size <= width) return transform(inside);
  const float* pixels[size][size];
  for (int i = 0; i < size; i++) {
    for (int j = 0; j < size; j++) {
      const bool isPixel = y + i >= 0 && y + i < height && x + j >= 0 && x + j < width;
      pixels[i][j] = isPixel ? inside(i, j) : zeros;
    }
  }
  transform([&pixels](int i, int j) { return pixels[i][j]; });
}

// Bt d, for a column of d.
BLASNET_INLINE void transformInput(Lanes* v, Lanes d0, Lanes d1, Lanes d2, Lanes d3) {
  v[0] = d0 - d2;
  v[1] = d1 + d2;
  v[2] = d2 - d1;
  v[3] = d1 - d3;
}

// v: points x channels <- Bt d B of the tile d with pixels at(i, j).
template <typename At>
BLASNET_INLINE void transformInput(float* v, int64_t apart, int64_t channels, At at) {
  for (int64_t c = 0; c < channels; c += lanes) {
    Lanes half[4][4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
      transformInput(half[j], load<lanes>(at(0, j) + c), load<lanes>(at(1, j) + c), load<lanes>(at(2, j) + c),
                     load<lanes>(at(3, j) + c));
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      Lanes row[4];
      transformInput(row, half[0][i], half[1][i], half[2][i], half[3][i]);
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) store<lanes>(v + (i * 4 + j) * apart + c, row[j]);
    }
  }
}

// v: points x tiles x channels.
void transformInputs(float* v, int64_t apart, const float* x, const Geometry& g, const Block& block) {
  const int64_t channels = g.channels;
  block.forEachTile([&](int64_t image, int64_t ty, int64_t tx, int64_t tile) {
    withPixels<4>(x + image * g.imageSize(), 2 * ty - g.padTop, 2 * tx - g.padLeft, g.height, g.width, channels,
                  [=](auto at) { transformInput(v + tile * channels, apart, channels, at); });
  });
}

// G w, for a column of w.
BLASNET_INLINE void transformWeights(Lanes* u, Lanes w0, Lanes w1, Lanes w2) {
  const Lanes ends = 0.5f * (w0 + w2), middle = 0.5f * w1;
  u[0] = w0;
  u[1] = ends + middle;
  u[2] = ends - middle;
  u[3] = w2;
}

// u: points x channels x filters <- G w Gt.
void transformWeights(float* u, int64_t apart, const float* w, int64_t size) {
  for (int64_t i = 0; i < size; i += lanes) {
    Lanes half[3][4];
    for (int j = 0; j < 3; j++) {
      transformWeights(half[j], load<lanes>(w + j * size + i), load<lanes>(w + (3 + j) * size + i),
                       load<lanes>(w + (6 + j) * size + i));
    }
    for (int p = 0; p < 4; p++) {
      Lanes row[4];
      transformWeights(row, half[0][p], half[1][p], half[2][p]);
      for (int q = 0; q < 4; q++) store<lanes>(u + (p * 4 + q) * apart + i, row[q]);
    }
  }
}

// Whether two vectors of filters are left from f on: with narrow vectors always.
BLASNET_INLINE bool hasTwo(int64_t f, int64_t filters) { return lanes < unit || f + lanes < filters; }

// m <- v u, for some tiles and vectors of filters.
template <int tiles, int vectors>
__attribute__((noinline)) void multiply(float* m, const float* v, const float* u, int64_t channels, int64_t filters) {
  Lanes sum[tiles][vectors] = {};
  for (int64_t c = 0; c < channels; c++, u += filters) {
    const float* at = v + c;
    Lanes right[vectors];
#pragma GCC unroll 2
    for (int i = 0; i < vectors; i++) right[i] = load<lanes>(u + i * lanes);
#pragma GCC unroll 16
    for (int t = 0; t < tiles; t++) {  // an address takes 0, 1 or 2 steps from a register, but no multiple of 3
      const float left = at[t % 3 * channels];
#pragma GCC unroll 2
      for (int i = 0; i < vectors; i++) sum[t][i] += left * right[i];
      if (t % 3 == 2) at += 3 * channels;
    }
  }
#pragma GCC unroll 16
  for (int t = 0; t < tiles; t++) {
#pragma GCC unroll 2
    for (int i = 0; i < vectors; i++) store<lanes>(m + t * filters + i * lanes, sum[t][i]);
  }
}

// m: tiles x filters <- v u, at one point. v has some tiles more, up to a multiple of `low`.
void multiply(float* m, const float* v, const float* u, int64_t tiles, int64_t channels, int64_t filters) {
  for (int64_t f = 0; f < filters; f += 2 * lanes) {
    const bool two = hasTwo(f, filters);
    for (int64_t tile = 0; tile < tiles; tile += tall) {
      float* to = m + tile * filters + f;
      const float *left = v + tile * channels, *right = u + f;
      if (tiles - tile > low) {
        two ? multiply<tall, 2>(to, left, right, channels, filters)
            : multiply<tall, 1>(to, left, right, channels, filters);
      } else {
        two ? multiply<low, 2>(to, left, right, channels, filters)
            : multiply<low, 1>(to, left, right, channels, filters);
      }
    }
  }
}

// At m, for a column of m.
BLASNET_INLINE void transformOutput(Lanes* y, Lanes m0, Lanes m1, Lanes m2, Lanes m3) {
  y[0] = m0 + m1 + m2;
  y[1] = m1 - m2 - m3;
}

// y <- At m A + b of the tiles of a block.
void transformOutputs(float* y, const float* m, int64_t apart, const float* b, const Geometry& g, int64_t filters,
                      const Block& block) {
  block.forEachTile([&](int64_t image, int64_t ty, int64_t tx, int64_t tile) {
    const float* from = m + tile * filters;
    float* to = y + ((image * g.outHeight + 2 * ty) * g.outWidth + 2 * tx) * filters;
    const int64_t down = g.outWidth * filters;
    const bool hasRight = 2 * tx + 1 < g.outWidth, hasBelow = 2 * ty + 1 < g.outHeight;
    for (int64_t f = 0; f < filters; f += lanes) {
      Lanes half[4][2], above[2], below[2];
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) {
        transformOutput(half[j], load<lanes>(from + j * apart + f), load<lanes>(from + (4 + j) * apart + f),
                        load<lanes>(from + (8 + j) * apart + f), load<lanes>(from + (12 + j) * apart + f));
      }
      transformOutput(above, half[0][0], half[1][0], half[2][0], half[3][0]);
      transformOutput(below, half[0][1], half[1][1], half[2][1], half[3][1]);
      const Lanes bias = b != nullptr ? load<lanes>(b + f) : Lanes{};
      store<lanes>(to + f, above[0] + bias);
      if (hasRight) store<lanes>(to + filters + f, above[1] + bias);
      if (hasBelow) store<lanes>(to + down + f, below[0] + bias);
      if (hasRight && hasBelow) store<lanes>(to + down + filters + f, below[1] + bias);
    }
  });
}

}  // namespace

bool isWinograd(const Geometry& g, int64_t filters) noexcept {
  const auto fits = [](int64_t n) { return n > 0 && n <= maxChannels && n % unit == 0; };
  if (g.windowHeight != 3 || g.windowWidth != 3 || g.strideHeight != 1 || g.strideWidth != 1) return false;
  if (!fits(g.channels) || !fits(filters)) return false;
  if (g.padTop > 2 || g.padLeft > 2 || g.outHeight < 1 || g.outWidth < 1) return false;
  const Grid grid(g, filters);
  if (grid.blockRows == 0) return false;
  const double computed = 4 * static_cast<double>(grid.high) * static_cast<double>(grid.wide);
  // Seven tiles at least are multiplied: a single image of one would take six times as long as by its products.
  if (grid.high * grid.wide < 2) return false;
  return computed <= patchTiles().winograd * static_cast<double>(g.outPixels()) &&
         threadScratch(Use::packing).memory != nullptr;
}

void winogradForward(float* y, const float* x, const float* w, const float* b, const Geometry& g, int64_t filters,
                     int32_t activation, float slope, int64_t begin, int64_t end) noexcept {
  const Grid grid(g, filters);
  const int64_t channels = g.channels, weights = channels * filters, most = Grid::padded(grid.blockRows * grid.wide);
  const int64_t uApart = weights + gap, vApart = most * channels + gap, mApart = most * filters + gap;
  float* u = static_cast<float*>(threadScratch(Use::packing).memory);
  float *v = u + points * uApart, *m = v + points * vApart;
  transformWeights(u, uApart, w, weights);
  const int64_t last = end * grid.high, row = g.outWidth * filters;
  for (Block block = Block{grid, begin * grid.high, 0}.next(last); block.rows > 0; block = block.next(last)) {
    if (abandoned()) return;
    transformInputs(v, vApart, x, g, block);
    const int64_t tiles = block.tiles(), beyond = (Grid::padded(tiles) - tiles) * channels;
    for (int point = 0; point < points; point++) {
      block.next(last).prefetch(x, g.height, g.width * channels, point);
      clear(v + point * vApart + tiles * channels, beyond);
      multiply(m + point * mApart, v + point * vApart, u + point * uApart, tiles, channels, filters);
    }
    transformOutputs(y, m, mApart, b, g, filters, block);
    const int64_t from = grid.pixelRow(block.first, g.outHeight) * row;
    const int64_t to = grid.pixelRow(block.first + block.rows, g.outHeight) * row;
    activate(y + from, to - from, activation, slope);
  }
}

namespace {

// A dy, for a column of dy.
BLASNET_INLINE void transformGradient(Lanes* z, Lanes d0, Lanes d1) {
  z[0] = d0;
  z[1] = d0 + d1;
  z[2] = d0 - d1;
  z[3] = -d1;
}

// z: points x filters <- A d At of the tile d with pixels at(i, j).
template <typename At>
BLASNET_INLINE void transformGradient(float* z, int64_t apart, int64_t filters, At at) {
  for (int64_t f = 0; f < filters; f += lanes) {
    Lanes half[2][4];
#pragma GCC unroll 2
    for (int j = 0; j < 2; j++) transformGradient(half[j], load<lanes>(at(0, j) + f), load<lanes>(at(1, j) + f));
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      Lanes row[4];
      transformGradient(row, half[0][i], half[1][i]);
#pragma GCC unroll 4
      for (int j = 0; j < 4; j++) store<lanes>(z + (i * 4 + j) * apart + f, row[j]);
    }
  }
}

// z: points x tiles x filters.
void transformGradients(float* z, int64_t apart, const float* dy, const Geometry& g, int64_t filters,
                        const Block& block) {
  block.forEachTile([&](int64_t image, int64_t ty, int64_t tx, int64_t tile) {
    withPixels<2>(dy + image * g.outPixels() * filters, 2 * ty, 2 * tx, g.outHeight, g.outWidth, filters,
                  [=](auto at) { transformGradient(z + tile * filters, apart, filters, at); });
  });
}

// du += vt z, for some channels and vectors of filters.
template <int rows, int vectors>
__attribute__((noinline)) void addProducts(float* du, const float* v, const float* z, int64_t tiles, int64_t channels,
                                           int64_t filters) {
  Lanes sum[rows][vectors] = {};
  for (int64_t tile = 0; tile < tiles; tile++, v += channels, z += filters) {
    Lanes right[vectors];
#pragma GCC unroll 2
    for (int i = 0; i < vectors; i++) right[i] = load<lanes>(z + i * lanes);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 2
      for (int i = 0; i < vectors; i++) sum[r][i] += v[r] * right[i];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 2
    for (int i = 0; i < vectors; i++) {
      float* to = du + r * filters + i * lanes;
      store<lanes>(to, load<lanes>(to) + sum[r][i]);
    }
  }
}

// Gt du, for a column of du.
BLASNET_INLINE void transformSums(Lanes* w, Lanes u0, Lanes u1, Lanes u2, Lanes u3) {
  const Lanes both = 0.5f * (u1 + u2);
  w[0] = u0 + both;
  w[1] = 0.5f * (u1 - u2);
  w[2] = both + u3;
}

// dw <- Gt du G; both are points x channels x filters.
void transformSums(float* dw, const float* du, int64_t apart, int64_t size) {
  for (int64_t i = 0; i < size; i += lanes) {
    Lanes half[4][3];
    for (int j = 0; j < 4; j++) {
      transformSums(half[j], load<lanes>(du + j * apart + i), load<lanes>(du + (4 + j) * apart + i),
                    load<lanes>(du + (8 + j) * apart + i), load<lanes>(du + (12 + j) * apart + i));
    }
    for (int p = 0; p < 3; p++) {
      Lanes row[3];
      transformSums(row, half[0][p], half[1][p], half[2][p], half[3][p]);
      for (int q = 0; q < 3; q++) store<lanes>(dw + (p * 3 + q) * size + i, row[q]);
    }
  }
}

}  // namespace

void winogradBackwardWeight(float* dw, const float* x, const float* dy, const Geometry& g, int64_t rows,
                            int64_t filters) noexcept {
  constexpr int few = manyRegisters ? 8 : 4;  // channels whose sums the registers hold, of two vectors of filters
  const Grid grid(g, filters);
  const int64_t channels = g.channels, weights = channels * filters, most = Grid::padded(grid.blockRows * grid.wide);
  const int64_t uApart = weights + gap, vApart = most * channels + gap, zApart = most * filters + gap;
  float* du = static_cast<float*>(threadScratch(Use::packing).memory);
  float *v = du + points * uApart, *z = v + points * vApart;
  clear(du, points * uApart);
  const int64_t last = rows * grid.high;
  for (Block block = Block{grid, 0, 0}.next(last); block.rows > 0; block = block.next(last)) {
    if (abandoned()) return;
    transformInputs(v, vApart, x, g, block);
    transformGradients(z, zApart, dy, g, filters, block);
    for (int point = 0; point < points; point++) {
      block.next(last).prefetch(x, g.height, g.width * channels, point);
      block.next(last).prefetch(dy, g.outHeight, g.outWidth * filters, point);
      for (int64_t f = 0; f < filters; f += 2 * lanes) {
        const bool two = hasTwo(f, filters);
        for (int64_t c = 0; c < channels; c += two ? few : 2 * few) {
          float* to = du + point * uApart + c * filters + f;
          const float *left = v + point * vApart + c, *right = z + point * zApart + f;
          two ? addProducts<few, 2>(to, left, right, block.tiles(), channels, filters)
              : addProducts<2 * few, 1>(to, left, right, block.tiles(), channels, filters);
        }
      }
    }
  }
  transformSums(dw, du, uApart, weights);
}

}  // namespace blasnet::BLASNET_SIMD
