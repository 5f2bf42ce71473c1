// Each image is copied with its padding. One instruction multiplies a weight by `lanes` neighbouring pixels of a row.
// The outputs are computed as one plane per filter and transposed when stored, as filters are innermost in memory.
#include "conv2d_planes.h"

#include "abandon.h"
#include "activations.h"
#include "vector.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace blasnet::BLASNET_SIMD {
namespace {

using math::smaller;

constexpr int lanes = vectorLanes;
using Lanes = Vector<vectorLanes>;
using Bits = IntegerVector<vectorLanes>;

constexpr int maxFilters = lanes / 2;
constexpr int64_t imageElements = 4096;
constexpr int64_t planeElements = 8192;
constexpr int64_t longestPatch = 64;

// Element l of vector v of a result is element `lane` of vector `source`.
struct Place {
  int source, lane;
};
// From planes to pixels with their filters in consecutive lanes, or back.
constexpr Place placeOf(int v, int l, int filters, bool toPixels) {
  const int at = toPixels ? v * lanes + l : l * filters + v;
  return toPixels ? Place{at % filters, at / filters} : Place{at / lanes, at % lanes};
}

#if defined(__AVX512F__)
// Two sources at a time: where an element is in the pair, and whether it is in that pair.
template <int filters, bool toPixels>
struct Places {
  alignas(64) int32_t index[filters][lanes];
  uint16_t mask[filters][(filters + 1) / 2];

  constexpr Places() : index(), mask() {
    for (int v = 0; v < filters; v++) {
      for (int l = 0; l < lanes; l++) {
        const Place place = placeOf(v, l, filters, toPixels);
        index[v][l] = place.source % 2 * lanes + place.lane;
        mask[v][place.source / 2] = static_cast<uint16_t>(mask[v][place.source / 2] | 1 << l);
      }
    }
  }
};

template <int filters, bool toPixels>
BLASNET_INLINE void rearrange(Lanes* out, const Lanes* in) {
  static constexpr Places<filters, toPixels> places;
#pragma GCC unroll 8
  for (int v = 0; v < filters; v++) {
    const __m512i index = _mm512_load_si512(places.index[v]);
    __m512 result = _mm512_setzero_ps();
#pragma GCC unroll 4
    for (int pair = 0; 2 * pair < filters; pair++) {
      const __m512 both = _mm512_permutex2var_ps(in[2 * pair], index, in[smaller(2 * pair + 1, filters - 1)]);
      result = pair == 0 ? both : _mm512_mask_mov_ps(result, places.mask[v][pair], both);
    }
    out[v] = result;
  }
}
#else
template <int filters, bool toPixels>
BLASNET_INLINE void rearrange(Lanes* out, const Lanes* in) {
  float from[filters][lanes], to[filters][lanes];
  __builtin_memcpy(from, in, sizeof from);
  for (int v = 0; v < filters; v++) {
    for (int l = 0; l < lanes; l++) {
      const Place place = placeOf(v, l, filters, toPixels);
      to[v][l] = from[place.source][place.lane];
    }
  }
  __builtin_memcpy(out, to, sizeof to);
}
#endif

// The part of a padded image that windows see, and the vectors of pixels that form a row of the output.
struct Plane {
  int64_t rows, width, vectors;

  explicit Plane(const Geometry& g)
      : rows(g.seenRows()), width(g.seenRow()), vectors((g.outWidth + lanes - 1) / lanes) {}
  // The last vector is moved back so that it ends with the row.
  int64_t start(const Geometry& g, int64_t vector) const { return smaller(vector * lanes, g.outWidth - lanes); }
};

// The padding is already 0.
void fill(float* plane, const Plane& p, const float* image, const Geometry& g) {
  const int64_t count = smaller(g.width, p.width - g.padLeft), end = smaller(g.height, p.rows - g.padTop);
  for (int64_t row = 0; row < end; row++) {
    float* to = plane + (g.padTop + row) * p.width + g.padLeft;
    const float* from = image + row * g.width;
#pragma omp simd
    for (int64_t j = 0; j < count; j++) to[j] = from[j];
  }
}

// `vectors` of neighbouring outputs, of all filters; in: start of the first one's window.
template <int filters, int vectors>
BLASNET_INLINE void outputs(float* y, const float* in, const int64_t* starts, const float* w, const float* b,
                            const int32_t* offsets, int64_t patch) {
  Lanes sum[vectors][filters] = {};
  if (b != nullptr) {
    for (int v = 0; v < vectors; v++) {
      for (int f = 0; f < filters; f++) sum[v][f] = Lanes{} + b[f];
    }
  }
  for (int64_t k = 0; k < patch; k++) {
    Lanes x[vectors];
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++) x[v] = load<lanes>(in + offsets[k] + starts[v]);
#pragma GCC unroll 8
    for (int f = 0; f < filters; f++) {
#pragma GCC unroll 2
      for (int v = 0; v < vectors; v++) sum[v][f] += x[v] * w[k * filters + f];
    }
  }
  for (int v = 0; v < vectors; v++) {
    Lanes pixels[filters];
    rearrange<filters, true>(pixels, sum[v]);
    for (int i = 0; i < filters; i++) store<lanes>(y + starts[v] * filters + i * lanes, pixels[i]);
  }
}

template <int filters>
void forward(float* y, const float* x, const float* w, const float* b, const Geometry& g, int32_t activation,
             float slope, int64_t begin, int64_t end) {
  alignas(64) float plane[imageElements];
  int32_t offsets[longestPatch];
  const Plane p(g);
  const int64_t row = g.outWidth * filters, size = g.outHeight * row;
  fillOffsets(offsets, g, 0, g.patch());
  clear(plane, p.rows * p.width);
  for (int64_t image = begin; image < end; image++) {
    if (abandoned()) return;
    fill(plane, p, x + image * g.imageSize(), g);
    for (int64_t oy = 0; oy < g.outHeight; oy++) {
      const float* in = plane + oy * g.strideHeight * p.width;
      float* out = y + image * size + oy * row;
      for (int64_t v = 0; v < p.vectors; v += 2) {
        const int64_t starts[2] = {p.start(g, v), p.start(g, v + 1)};
        v + 1 < p.vectors ? outputs<filters, 2>(out, in, starts, w, b, offsets, g.patch())
                          : outputs<filters, 1>(out, in, starts, w, b, offsets, g.patch());
      }
    }
    activate(y + image * size, size, activation, slope);
  }
}

// planes: outHeight x vectors x filters x lanes <- dy of an image, each pixel once.
template <int filters>
void fillPlanes(float* planes, const Plane& p, const float* dy, const Geometry& g) {
  for (int64_t oy = 0; oy < g.outHeight; oy++) {
    for (int64_t v = 0; v < p.vectors; v++) {
      const int64_t start = p.start(g, v), known = v * lanes - start;
      Lanes pixels[filters], plane[filters];
      for (int i = 0; i < filters; i++) pixels[i] = load<lanes>(dy + (oy * g.outWidth + start) * filters + i * lanes);
      rearrange<filters, false>(plane, pixels);
      for (int f = 0; f < filters; f++, planes += lanes) {
        store<lanes>(planes, plane[f]);
        if (known > 0) clear(planes, known);
      }
    }
  }
}

// sums: tile x filters x lanes; adds the products of dy with what `tile` elements of the patch see of an image.
template <int filters, int tile>
__attribute__((noinline)) void addProducts(float* sums, const float* plane, const Plane& p, const float* planes,
                                           const int32_t* offsets, const Geometry& g) {
  Lanes sum[tile][filters] = {};
  const float* in[tile];
  // Pixels repeated in the last vector are set to 0: an infinite one times the 0 of the plane would not be 0.
  const int64_t known = p.vectors * lanes - g.outWidth;
  Bits fresh;
  for (int l = 0; l < lanes; l++) fresh[l] = l < known ? 0 : -1;
#pragma GCC unroll 8
  for (int t = 0; t < tile; t++) in[t] = plane + offsets[t];
  for (int64_t oy = 0; oy < g.outHeight; oy++) {
    for (int64_t v = 0; v < p.vectors; v++, planes += filters * lanes) {
      const int64_t at = oy * g.strideHeight * p.width + p.start(g, v);
      Lanes d[filters];
#pragma GCC unroll 8
      for (int f = 0; f < filters; f++) d[f] = load<lanes>(planes + f * lanes);
#pragma GCC unroll 8
      for (int t = 0; t < tile; t++) {
        Lanes x = load<lanes>(in[t] + at);
        if (v + 1 == p.vectors) x = (Lanes)((Bits)x & fresh);
#pragma GCC unroll 8
        for (int f = 0; f < filters; f++) sum[t][f] += x * d[f];
      }
    }
  }
#pragma GCC unroll 8
  for (int t = 0; t < tile; t++) {
#pragma GCC unroll 8
    for (int f = 0; f < filters; f++, sums += lanes) store<lanes>(sums, load<lanes>(sums) + sum[t][f]);
  }
}

template <int filters>
void backwardWeight(float* dw, const float* x, const float* dy, const Geometry& g, int64_t rows, int64_t begin,
                    int64_t end) {
  constexpr int most = (lanes == 16 ? 24 : 8) / filters, tile = most < 8 ? most : 8;
  alignas(64) float total[longestPatch * maxFilters * lanes];
  alignas(64) float plane[imageElements];
  alignas(64) float planes[planeElements];
  int32_t offsets[longestPatch];
  const Plane p(g);
  const int64_t columns = end - begin, whole = columns / tile * tile;
  fillOffsets(offsets, g, begin, end);
  clear(total, columns * filters * lanes);
  clear(plane, p.rows * p.width);
  for (int64_t image = 0; image < rows; image++) {
    if (abandoned()) return;
    fill(plane, p, x + image * g.imageSize(), g);
    fillPlanes<filters>(planes, p, dy + image * g.outPixels() * filters, g);
    for (int64_t column = 0; column < whole; column += tile)
      addProducts<filters, tile>(total + column * filters * lanes, plane, p, planes, offsets + column, g);
    for (int64_t column = whole; column < columns; column++)
      addProducts<filters, 1>(total + column * filters * lanes, plane, p, planes, offsets + column, g);
  }
  for (int64_t i = 0; i < columns * filters; i++) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int l = 0; l < lanes; l++) sum += total[i * lanes + l];
    dw[begin * filters + i] = sum;
  }
}

template <int number>
struct Count {
  static constexpr int value = number;
};

// Calls visit with the number of filters as a compile-time constant.
template <int number = 1, typename Visit>
BLASNET_INLINE void withFilters(int64_t filters, Visit visit) {
  if constexpr (number <= maxFilters)
    filters == number ? visit(Count<number>()) : withFilters<number + 1>(filters, visit);
}

}  // namespace

bool isPlanar(const Geometry& g, int64_t filters) noexcept {
  constexpr int64_t most = imageElements;
  if (g.channels != 1 || g.strideWidth != 1 || filters < 1 || filters > maxFilters || g.outWidth < lanes) return false;
  if (g.outWidth > most || g.outHeight > most || g.strideHeight > most || g.windowHeight > most || g.windowWidth > most)
    return false;
  const Plane p(g);
  return g.patch() >= 1 && g.patch() <= longestPatch && p.rows > 0 && p.rows * p.width <= imageElements &&
         g.outHeight * p.vectors * filters * lanes <= planeElements;
}

void planesForward(float* y, const float* x, const float* w, const float* b, const Geometry& g, int64_t filters,
                   int32_t activation, float slope, int64_t begin, int64_t end) noexcept {
  withFilters(filters, [=](auto count) { forward<count.value>(y, x, w, b, g, activation, slope, begin, end); });
}

void planesBackwardWeight(float* dw, const float* x, const float* dy, const Geometry& g, int64_t rows, int64_t filters,
                          int64_t begin, int64_t end) noexcept {
  withFilters(filters, [=](auto count) { backwardWeight<count.value>(dw, x, dy, g, rows, begin, end); });
}

}  // namespace blasnet::BLASNET_SIMD
