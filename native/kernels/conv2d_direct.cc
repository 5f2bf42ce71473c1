// The image rows needed for some output rows are copied into a band, with padding. There each window row is contiguous,
// and the sums stay in registers with the filters in the lanes of a vector.
#include "conv2d_direct.h"

#include <initializer_list>

#include "abandon.h"
#include "activations.h"
#include "products/gemm.h"
#include "vector.h"

namespace blasnet::BLASNET_SIMD {
namespace {

using math::larger;
using math::smaller;

constexpr int64_t lanes = vectorLanes;
using Lanes = Vector<vectorLanes>;

constexpr int64_t bandElements = 16384;   // of a band's array
constexpr int64_t cachedElements = 4096;  // of a band that should stay in the innermost cache
constexpr int64_t weightElements = 4096;
constexpr int64_t longestPatch = 2048;
constexpr int64_t maxGroups = 64;
constexpr int64_t maxWeights = 1 << 18;  // more would not stay in the second cache

void copy(float* y, const float* x, int64_t n) {
#pragma omp simd
  for (int64_t j = 0; j < n; j++) y[j] = x[j];
}

// Output rows per band of at most that many elements.
int64_t rowsPerBand(const Geometry& g, int64_t elements) {
  const int64_t most = g.strideHeight > 0 ? (elements / g.seenRow() - g.windowHeight) / g.strideHeight + 1 : 1;
  return larger(1, smaller(most, g.outHeight));
}

int64_t bandHeight(const Geometry& g, int64_t rows) { return (rows - 1) * g.strideHeight + g.windowHeight; }

// band: bandHeight x seenRow <- what `rows` output rows starting at oy see of an image. The padding at the sides is
// already 0.
void fillBand(float* band, const float* image, const Geometry& g, int64_t oy, int64_t rows) {
  const int64_t row = g.width * g.channels, length = g.seenRow(), pad = g.padLeft * g.channels,
                height = bandHeight(g, rows);
  for (int64_t ky = 0; ky < height; ky++, band += length) {
    const int64_t iy = oy * g.strideHeight + ky - g.padTop;
    if (iy < 0 || iy >= g.height) {
      clear(band, length);
    } else if (pad < length) {
      copy(band + pad, image + iy * row, smaller(row, length - pad));
    }
  }
}

// Filters are processed in groups of `lanes`; the last group is moved back so that it ends at the last filter.
int64_t groupsFor(int64_t filters) { return (filters + lanes - 1) / lanes; }
int64_t groupStart(int64_t group, int64_t filters) { return larger(0, smaller(group * lanes, filters - lanes)); }

// packed: rows x lanes <- a group of the columns of a matrix of that many rows; missing filters are 0.
void pack(float* packed, const float* matrix, int64_t rows, int64_t filters) {
  if (filters >= lanes) {
    for (int64_t row = 0; row < rows; row++) store<lanes>(packed + row * lanes, load<lanes>(matrix + row * filters));
    return;
  }
  clear(packed, rows * lanes);
  for (int64_t row = 0; row < rows; row++) {
    for (int64_t j = 0; j < filters; j++) packed[row * lanes + j] = matrix[row * filters + j];
  }
}

// One or two groups of filters.
struct Groups {
  int64_t at, apart;        // first filter; distance to that of the second group
  const float* weights;     // patch rows of the first group
  int64_t stride, between;  // from row to row; from the first group to the second
  Lanes bias[2];
};

// `pixels` neighbouring outputs of some groups. in: start of the first one's window in the band; `step`: distance to
// the next one's. Each is stored as a whole vector.
template <int pixels, int vectors>
BLASNET_INLINE void outputs(float* y, const float* in, const Groups& groups, const int32_t* offsets, int64_t patch,
                            int64_t step, int64_t filters) {
  Lanes sum[pixels][vectors];
#pragma GCC unroll 16
  for (int p = 0; p < pixels; p++) {
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++) sum[p][v] = groups.bias[v];
  }
  const float* weights = groups.weights;
  const int64_t between = groups.between, stride = groups.stride;
  for (int64_t k = 0; k < patch; k++, weights += stride) {
    const float* at = in + offsets[k];
    Lanes w[vectors];
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++) w[v] = load<lanes>(weights + v * between);
#pragma GCC unroll 16
    for (int p = 0; p < pixels; p++) {  // an address takes 0, 1 or 2 steps from a register, but no multiple of 3
      const float left = at[p % 3 * step];
#pragma GCC unroll 2
      for (int v = 0; v < vectors; v++) sum[p][v] += left * w[v];
      if (p % 3 == 2) at += 3 * step;
    }
  }
#pragma GCC unroll 16
  for (int p = 0; p < pixels; p++) {
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++) store<lanes>(y + p * filters + v * groups.apart, sum[p][v]);
  }
}

// A row of outputs in tiles of `pixels`; the last tile is moved back so that it ends with the row. Not inlined: if the
// compiler knows that the band is a local array, it recomputes every address.
template <int pixels, int vectors>
__attribute__((noinline)) void outputRow(float* y, const float* band, const Groups& groups, const int32_t* offsets,
                                         const Geometry& g, int64_t filters) {
  const int64_t step = g.strideWidth * g.channels;
  for (int64_t tile = 0; tile < g.outWidth; tile += pixels) {
    const int64_t ox = smaller(tile, g.outWidth - pixels);
    if (step == 1) {
      outputs<pixels, vectors>(y + ox * filters, band + ox, groups, offsets, g.patch(), 1, filters);
    } else {
      outputs<pixels, vectors>(y + ox * filters, band + ox * step, groups, offsets, g.patch(), step, filters);
    }
  }
}

// Chooses the tile size that fits the row with the least overlap, among those that fit the registers.
template <int vectors>
void outputRow(float* y, const float* band, const Groups& groups, const int32_t* offsets, const Geometry& g,
               int64_t filters) {
  // A tile also takes about as long as one more pixel would, so that fewer tiles win over a little less work.
  const auto work = [&g](int64_t pixels) {
    return pixels > g.outWidth ? INT64_MAX : (g.outWidth + pixels - 1) / pixels * (pixels + 1);
  };
  int64_t best = 7;
  for (const int64_t pixels : {8, 10, 11, 14}) {
    if ((pixels < 14 || manyRegisters) && work(pixels) <= work(best)) best = pixels;
  }
  if (best == 7) return outputRow<7, vectors>(y, band, groups, offsets, g, filters);
  if (best == 8) return outputRow<8, vectors>(y, band, groups, offsets, g, filters);
  if (best == 10) return outputRow<10, vectors>(y, band, groups, offsets, g, filters);
  if (best == 11) return outputRow<11, vectors>(y, band, groups, offsets, g, filters);
  outputRow<14, vectors>(y, band, groups, offsets, g, filters);
}

constexpr int64_t together = manyRegisters ? 2 : 1;  // groups that the registers can hold

// Whether the weights are packed: few ones are, so that each group is contiguous. Many are used where they are, which
// needs whole groups and enough registers for two of them.
bool arePacked(const Geometry& g, int64_t filters) { return g.patch() * groupsFor(filters) * lanes <= weightElements; }

}  // namespace

bool isDirect(const Geometry& g, int64_t filters) noexcept {
  constexpr int64_t most = bandElements;
  if (g.outWidth < patchTiles().minWidth || g.strideWidth == 0 || g.windowRow() == 0 || g.windowHeight == 0 ||
      filters == 0)
    return false;
  if (g.outWidth > most || g.strideWidth > most || g.windowHeight > most || g.windowWidth > most || g.channels > most)
    return false;
  if (g.windowHeight * g.seenRow() > bandElements || g.patch() > longestPatch) return false;
  if (groupsFor(filters) > maxGroups) return false;
  if (arePacked(g, filters)) return g.outWidth * filters + lanes <= cachedElements;
  return manyRegisters && patchTiles().manyWeights && filters % lanes == 0 && g.patch() * filters <= maxWeights;
}

void directForward(float* y, const float* x, const float* w, const float* b, const Geometry& g, int64_t filters,
                   int32_t activation, float slope, int64_t begin, int64_t end) noexcept {
  alignas(64) float packed[weightElements];
  alignas(64) float band[bandElements];
  alignas(64) float lastRow[cachedElements];
  int32_t offsets[longestPatch];
  const int64_t patch = g.patch(), row = g.outWidth * filters, groups = groupsFor(filters),
                step = g.strideHeight * g.seenRow();
  const bool packs = arePacked(g, filters);
  const int64_t most = rowsPerBand(g, packs ? cachedElements : bandElements);
  fillOffsets(offsets, g, 0, patch);
  for (int64_t i = 0; i < groups && packs; i++)
    pack(packed + i * patch * lanes, w + groupStart(i, filters), patch, filters);
  Groups tiles[maxGroups];  // each with the next group, if the registers can hold both
  int64_t tileCount = 0;
  for (int64_t i = 0; i < groups; i += together) {
    const int64_t first = groupStart(i, filters), second = groupStart(i + 1, filters);
    Groups& tile = tiles[tileCount++];
    tile = {first,
            second - first,
            packs ? packed + i * patch * lanes : w + first,
            packs ? lanes : filters,
            packs ? patch * lanes : second - first,
            {}};
    for (int64_t v = 0; v < together && b != nullptr; v++) {
      __builtin_memcpy(&tile.bias[v], b + (v == 0 ? first : second),
                       static_cast<uint64_t>(smaller(filters, lanes)) * sizeof(float));
    }
  }
  clear(band, bandHeight(g, most) * g.seenRow());
  for (int64_t image = begin; image < end; image++) {
    if (abandoned()) return;
    for (int64_t oy = 0; oy < g.outHeight; oy++) {
      if (oy % most == 0) fillBand(band, x + image * g.imageSize(), g, oy, smaller(most, g.outHeight - oy));
      // With few filters a vector extends into the next pixels, which are written later; not at the end.
      const int64_t at = (image * g.outHeight + oy) * row;
      const bool crosses = at + row + larger(0, lanes - filters) > end * g.outHeight * row;
      float* out = crosses ? lastRow : y + at;
      const float* seen = band + oy % most * step;
      for (int64_t i = 0; i < tileCount; i++) {
        const Groups& tile = tiles[i];
        together == 2 && 2 * i + 1 < groups ? outputRow<2>(out + tile.at, seen, tile, offsets, g, filters)
                                            : outputRow<1>(out + tile.at, seen, tile, offsets, g, filters);
      }
      if (crosses) copy(y + at, lastRow, row);
      activate(y + at, row, activation, slope);
    }
  }
}

namespace {

// Where the sums of one or two groups of filters are, and their part of a row of dy.
struct Sums {
  float* at;                // the first group's, for the first element of the patch
  int64_t stride, between;  // from one element of the patch to the next; from the first group to the second
  const float* dy;
  int64_t apart;  // in dy, from the first group to the second
};

// Adds the products of `rows` rows of dy with what `tile` elements of the patch see of the band, of which the first
// `count` are used. If `together`, these are neighbours in the band.
template <int tile, int vectors, bool together>
BLASNET_INLINE void addProducts(const Sums& sums, const float* band, const int32_t* offsets, const Geometry& g,
                                int64_t filters, int64_t count, int64_t rows) {
  const int64_t step = g.strideWidth * g.channels, down = g.strideHeight * g.seenRow(), apart = sums.apart;
  const float *in[tile], *first = band + offsets[0], *dy = sums.dy;
  Lanes sum[tile][vectors] = {};
#pragma GCC unroll 16
  for (int t = 0; t < tile && !together; t++) in[t] = band + offsets[t < count ? t : 0];
  for (int64_t row = 0; row < rows; row++, dy += g.outWidth * filters) {
    for (int64_t ox = 0; ox < g.outWidth; ox++) {
      Lanes d[vectors];
#pragma GCC unroll 2
      for (int v = 0; v < vectors; v++) d[v] = load<lanes>(dy + ox * filters + v * apart);
      const int64_t at = row * down + ox * step;
#pragma GCC unroll 16
      for (int t = 0; t < tile; t++) {
        const float left = together ? first[at + t] : in[t][at];
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) sum[t][v] += left * d[v];
      }
    }
  }
#pragma GCC unroll 16
  for (int t = 0; t < tile; t++) {
#pragma GCC unroll 2
    for (int v = 0; v < vectors && t < count; v++) {
      float* to = sums.at + t * sums.stride + v * sums.between;
      store<lanes>(to, load<lanes>(to) + sum[t][v]);
    }
  }
}

// Not inlined, like outputRow.
template <int tile, int vectors, bool together>
__attribute__((noinline)) void addTile(const Sums& sums, const float* band, const int32_t* offsets, const Geometry& g,
                                       int64_t filters, int64_t count, int64_t rows) {
  addProducts<tile, vectors, together>(sums, band, offsets, g, filters, count, rows);
}

constexpr int64_t longTile = 12;

// Adds the products of `rows` rows of dy with the elements [begin, end) of the patch.
template <int vectors>
void addRows(Sums sums, const float* band, const int32_t* offsets, const Geometry& g, int64_t filters, int64_t begin,
             int64_t end, int64_t rows) {
  const int64_t columns = end - begin, run = g.windowRow();
  const bool nines = (columns + 8) / 9 * 9 < (columns + 7) / 8 * 8;
  for (int64_t column = 0, count; column < columns; column += count, offsets += count, sums.at += count * sums.stride) {
    const int64_t neighbours = smaller(run - (begin + column) % run, columns - column), left = columns - column;
    if (vectors == 2 && neighbours >= longTile) {
      count = longTile;
      addTile<longTile, vectors, true>(sums, band, offsets, g, filters, count, rows);
    } else if (nines) {
      count = smaller(9, left);
      addTile<9, vectors, false>(sums, band, offsets, g, filters, count, rows);
    } else {
      count = smaller(8, left);
      addTile<8, vectors, false>(sums, band, offsets, g, filters, count, rows);
    }
  }
}

}  // namespace

void directBackwardWeight(float* dw, const float* x, const float* dy, const Geometry& g, int64_t rows, int64_t filters,
                          int64_t begin, int64_t end) noexcept {
  constexpr int64_t longestSum = 128;  // pixels: longer ones lose bits
  alignas(64) float total[weightElements];
  alignas(64) float band[bandElements];
  alignas(64) float lastRow[cachedElements];
  int32_t offsets[longestPatch];
  const int64_t row = g.outWidth * filters, columns = end - begin, groups = groupsFor(filters);
  const bool packs = arePacked(g, filters);
  const int64_t most =
      larger(1, smaller(rowsPerBand(g, packs ? cachedElements : bandElements), longestSum / g.outWidth));
  const auto add = [&](const float* seen, const float* in, int64_t count) {
    for (int64_t i = 0; i < groups; i += together) {
      const int64_t first = groupStart(i, filters), apart = groupStart(i + 1, filters) - first;
      const Sums sums = {packs ? total + i * columns * lanes : dw + begin * filters + first, packs ? lanes : filters,
                         packs ? columns * lanes : apart, in + first, apart};
      together == 2 && i + 1 < groups ? addRows<2>(sums, seen, offsets, g, filters, begin, end, count)
                                      : addRows<1>(sums, seen, offsets, g, filters, begin, end, count);
    }
  };
  fillOffsets(offsets, g, begin, end);
  if (packs) {
    clear(total, groups * columns * lanes);
  } else {
    clear(dw + begin * filters, columns * filters);
  }
  clear(band, bandHeight(g, most) * g.seenRow());
  for (int64_t image = 0; image < rows; image++) {
    if (abandoned()) return;
    for (int64_t oy = 0; oy < g.outHeight; oy += most) {
      const int64_t count = smaller(most, g.outHeight - oy);
      fillBand(band, x + image * g.imageSize(), g, oy, count);
      // With few filters a vector extends into the next pixels and its last lanes are ignored; not at the end.
      const float* in = dy + (image * g.outHeight + oy) * row;
      const int64_t beyond = larger(0, lanes - filters), left = ((rows - image) * g.outHeight - oy) * row - beyond;
      const int64_t inside = smaller(count, larger(0, left) / row);
      add(band, in, inside);
      for (int64_t i = inside; i < count; i++) {
        copy(lastRow, in + i * row, row);
        clear(lastRow + row, beyond);
        add(band + i * g.strideHeight * g.seenRow(), lastRow, 1);
      }
    }
  }
  for (int64_t i = 0; i < groups && packs; i++) {
    for (int64_t column = 0; column < columns; column++) {
      copy(dw + (begin + column) * filters + groupStart(i, filters), total + (i * columns + column) * lanes,
           smaller(filters, lanes));
    }
  }
}

}  // namespace blasnet::BLASNET_SIMD
