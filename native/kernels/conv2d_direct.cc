// The image rows needed for some output rows are copied into a band, with padding. There each window row is contiguous,
// and the sums stay in registers with the filters in the lanes of a vector.
#include "conv2d_direct.h"

#include "abandon.h"
#include "activations.h"
#include "vector.h"

namespace blasnet::BLASNET_SIMD {
namespace {

using math::larger;
using math::smaller;

constexpr int64_t lanes = vectorLanes;
using Lanes = Vector<vectorLanes>;

constexpr int64_t bandElements = 4096;
constexpr int64_t weightElements = 4096;
constexpr int64_t longestPatch = 512;

void copy(float* y, const float* x, int64_t n) {
#pragma omp simd
  for (int64_t j = 0; j < n; j++) y[j] = x[j];
}

// Output rows per band.
int64_t rowsPerBand(const Geometry& g) {
  const int64_t most = g.strideHeight > 0 ? (bandElements / g.seenRow() - g.windowHeight) / g.strideHeight + 1 : 1;
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

// offsets: positions in the band of the elements [begin, end) of the patch, for a window that starts at its first
// element.
void fillOffsets(int32_t* offsets, const Geometry& g, int64_t begin, int64_t end) {
  const int64_t run = g.windowRow(), length = g.seenRow();
  for (int64_t at = begin; at < end; at++) offsets[at - begin] = static_cast<int32_t>(at / run * length + at % run);
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

// A group of filters.
struct Group {
  const float* weights;  // patch x lanes
  Lanes bias;
};

// `pixels` neighbouring outputs of a group. in: start of the first one's window in the band; `step`: distance to the
// next one's. Each is stored as a whole vector.
template <int pixels>
BLASNET_INLINE void outputs(float* y, const float* in, const Group& group, const int32_t* offsets, int64_t patch,
                            int64_t step, int64_t filters) {
  Lanes sum[pixels];
#pragma GCC unroll 16
  for (int p = 0; p < pixels; p++) sum[p] = group.bias;
  for (int64_t k = 0; k < patch; k++) {
    const float* at = in + offsets[k];
    const Lanes w = load<lanes>(group.weights + k * lanes);
#pragma GCC unroll 16
    for (int p = 0; p < pixels; p++) {  // an address takes 0, 1 or 2 steps from a register, but no multiple of 3
      sum[p] += at[p % 3 * step] * w;
      if (p % 3 == 2) at += 3 * step;
    }
  }
#pragma GCC unroll 16
  for (int p = 0; p < pixels; p++) store<lanes>(y + p * filters, sum[p]);
}

// A row of outputs in tiles of `pixels`; the last tile is moved back so that it ends with the row. Not inlined: if the
// compiler knows that the band is a local array, it recomputes every address.
template <int pixels>
__attribute__((noinline)) void outputRow(float* y, const float* band, const Group& group, const int32_t* offsets,
                                         const Geometry& g, int64_t filters) {
  const int64_t step = g.strideWidth * g.channels;
  for (int64_t tile = 0; tile < g.outWidth; tile += pixels) {
    const int64_t ox = smaller(tile, g.outWidth - pixels);
    if (step == 1) {
      outputs<pixels>(y + ox * filters, band + ox, group, offsets, g.patch(), 1, filters);
    } else {
      outputs<pixels>(y + ox * filters, band + ox * step, group, offsets, g.patch(), step, filters);
    }
  }
}

// Chooses the tile size that fits the row with the least overlap, among those that fit the registers.
void outputRow(float* y, const float* band, const Group& group, const int32_t* offsets, const Geometry& g,
               int64_t filters) {
  const auto work = [&g](int64_t pixels) { return (g.outWidth + pixels - 1) / pixels * pixels; };
  if (manyRegisters && g.outWidth >= 14 && work(14) <= smaller(work(10), work(8))) {
    outputRow<14>(y, band, group, offsets, g, filters);
  } else if (g.outWidth >= 10 && work(10) <= work(8)) {
    outputRow<10>(y, band, group, offsets, g, filters);
  } else {
    outputRow<8>(y, band, group, offsets, g, filters);
  }
}

}  // namespace

bool isDirect(const Geometry& g, int64_t filters) noexcept {
  constexpr int64_t most = bandElements;
  if (g.outWidth < 8 || g.strideWidth == 0 || g.windowRow() == 0 || g.windowHeight == 0 || filters == 0) return false;
  if (g.outWidth > most || g.strideWidth > most || g.windowHeight > most || g.windowWidth > most || g.channels > most)
    return false;
  return g.windowHeight * g.seenRow() <= bandElements && g.patch() <= longestPatch &&
         g.patch() * groupsFor(filters) * lanes <= weightElements && g.outWidth * filters + lanes <= bandElements;
}

void directForward(float* y, const float* x, const float* w, const float* b, const Geometry& g, int64_t filters,
                   int32_t activation, float slope, int64_t begin, int64_t end) noexcept {
  alignas(64) float weights[weightElements];
  alignas(64) float band[bandElements];
  alignas(64) float lastRow[bandElements];
  int32_t offsets[longestPatch];
  const int64_t patch = g.patch(), row = g.outWidth * filters, groups = groupsFor(filters),
                step = g.strideHeight * g.seenRow();
  const int64_t most = rowsPerBand(g);
  fillOffsets(offsets, g, 0, patch);
  for (int64_t i = 0; i < groups; i++) pack(weights + i * patch * lanes, w + groupStart(i, filters), patch, filters);
  clear(band, bandHeight(g, most) * g.seenRow());
  for (int64_t image = begin; image < end; image++) {
    if (abandoned()) return;
    for (int64_t oy = 0; oy < g.outHeight; oy++) {
      if (oy % most == 0) fillBand(band, x + image * g.imageSize(), g, oy, smaller(most, g.outHeight - oy));
      // With few filters a vector extends into the next pixels, which are written later; not at the end.
      const int64_t at = (image * g.outHeight + oy) * row;
      const bool crosses = at + row + larger(0, lanes - filters) > end * g.outHeight * row;
      float* out = crosses ? lastRow : y + at;
      for (int64_t i = 0; i < groups; i++) {
        const int64_t first = groupStart(i, filters);
        Group group = {weights + i * patch * lanes, Lanes{}};
        if (b != nullptr)
          __builtin_memcpy(&group.bias, b + first, static_cast<uint64_t>(smaller(filters, lanes)) * sizeof(float));
        outputRow(out + first, band + oy % most * step, group, offsets, g, filters);
      }
      if (crosses) copy(y + at, lastRow, row);
      activate(y + at, row, activation, slope);
    }
  }
}

namespace {

// Adds the products of `rows` rows of dy with what `tile` elements of the patch see of the band. sums: tile x lanes, of
// which the first `count` are used; dy: a group of filters of the first pixel.
template <int tile>
BLASNET_INLINE void addProducts(float* sums, const float* band, const float* dy, const int32_t* offsets,
                                const Geometry& g, int64_t filters, int64_t count, int64_t rows) {
  const int64_t step = g.strideWidth * g.channels, down = g.strideHeight * g.seenRow();
  const float* in[tile];
  Lanes sum[tile] = {};
#pragma GCC unroll 16
  for (int t = 0; t < tile; t++) in[t] = band + offsets[t < count ? t : 0];
  for (int64_t row = 0; row < rows; row++, dy += g.outWidth * filters) {
    for (int64_t ox = 0; ox < g.outWidth; ox++) {
      const Lanes d = load<lanes>(dy + ox * filters);
#pragma GCC unroll 16
      for (int t = 0; t < tile; t++) sum[t] += in[t][row * down + ox * step] * d;
    }
  }
#pragma GCC unroll 16
  for (int t = 0; t < tile; t++) {
    if (t < count) store<lanes>(sums + t * lanes, load<lanes>(sums + t * lanes) + sum[t]);
  }
}

template <int tile>
__attribute__((noinline)) void addRows(float* sums, const float* band, const float* dy, const int32_t* offsets,
                                       const Geometry& g, int64_t filters, int64_t columns, int64_t rows) {
  for (int64_t column = 0; column < columns; column += tile) {
    addProducts<tile>(sums + column * lanes, band, dy, offsets + column, g, filters, smaller(tile, columns - column),
                      rows);
  }
}

}  // namespace

void directBackwardWeight(float* dw, const float* x, const float* dy, const Geometry& g, int64_t rows, int64_t filters,
                          int64_t begin, int64_t end) noexcept {
  constexpr int64_t longestSum = 128;  // pixels: longer ones lose bits
  alignas(64) float total[weightElements];
  alignas(64) float band[bandElements];
  alignas(64) float lastRow[bandElements];
  int32_t offsets[longestPatch];
  const int64_t row = g.outWidth * filters, columns = end - begin, groups = groupsFor(filters);
  const int64_t most = larger(1, smaller(rowsPerBand(g), longestSum / g.outWidth));
  const bool nines = (columns + 8) / 9 * 9 < (columns + 7) / 8 * 8;
  const auto add = [&](const float* seen, const float* in, int64_t count) {
    for (int64_t i = 0; i < groups; i++) {
      float* sums = total + i * columns * lanes;
      const float* group = in + groupStart(i, filters);
      nines ? addRows<9>(sums, seen, group, offsets, g, filters, columns, count)
            : addRows<8>(sums, seen, group, offsets, g, filters, columns, count);
    }
  };
  fillOffsets(offsets, g, begin, end);
  clear(total, groups * columns * lanes);
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
  for (int64_t i = 0; i < groups; i++) {
    for (int64_t column = 0; column < columns; column++) {
      copy(dw + (begin + column) * filters + groupStart(i, filters), total + (i * columns + column) * lanes,
           smaller(filters, lanes));
    }
  }
}

}  // namespace blasnet::BLASNET_SIMD
