// Reductions along the middle one of three dimensions.
#include "kernels.h"
#include "reduce.h"
#include "signatures.h"

namespace blasnet::BLASNET_SIMD {
namespace {

// The larger one; NaN if one is NaN, the first if they are equal.
BLASNET_INLINE float larger(float most, float x) { return x > most || x != x ? x : most; }

// What is subtracted before exponentials are taken: an infinite maximum would give infinity - infinity.
BLASNET_INLINE float shiftOf(float most) { return math::absolute(most) < math::infinity ? most : 0.0f; }

// The maximum of n numbers, the first of equal ones; NaN if one is NaN.
BLASNET_INLINE float maximumOrNaN(const float* x, int64_t n) {
  constexpr int64_t lanes = 16;
  float most = -math::infinity;
  int64_t k = 0;
  if (n >= 2 * lanes) {
    float partial[lanes];
    for (int64_t lane = 0; lane < lanes; lane++) partial[lane] = most;
    for (; k + lanes <= n; k += lanes) {
#pragma omp simd
      for (int64_t lane = 0; lane < lanes; lane++) partial[lane] = larger(partial[lane], x[k + lane]);
    }
    for (int64_t lane = 0; lane < lanes; lane++) most = larger(most, partial[lane]);
  }
  for (; k < n; k++) most = larger(most, x[k]);
  return most;
}

BLASNET_INLINE float reduceRow(const float* x, int64_t n, Reduction operation) {
  switch (operation) {
    case Reduction::sum: return static_cast<float>(sum(x, n));
    case Reduction::mean: return static_cast<float>(sum(x, n) / static_cast<double>(n));
    case Reduction::max: return maximumOrNaN(x, n);
    case Reduction::logSumExp: {
      const float shift = shiftOf(maximumOrNaN(x, n));
      return shift + math::logAny(static_cast<float>(sumOf(n, [=](int64_t k) { return math::exp(x[k] - shift); })));
    }
  }
  return math::notANumber;
}

// The first `width` <= columnBlock columns of y; the rows of x are `inner` apart.
BLASNET_INLINE void reduceColumns(float* y, const float* x, int64_t axis, int64_t inner, int64_t width,
                                  Reduction operation) {
  double total[columnBlock];
  float most[columnBlock];
  if (operation == Reduction::max || operation == Reduction::logSumExp) {
    for (int64_t j = 0; j < width; j++) most[j] = -math::infinity;
    for (int64_t k = 0; k < axis; k++) {
#pragma omp simd
      for (int64_t j = 0; j < width; j++) most[j] = larger(most[j], x[k * inner + j]);
    }
  }
  switch (operation) {
    case Reduction::sum:
    case Reduction::mean: {
      columnSums(total, axis, width, [=](int64_t k, int64_t j) { return x[k * inner + j]; });
      const double divisor = operation == Reduction::mean ? static_cast<double>(axis) : 1;
#pragma omp simd
      for (int64_t j = 0; j < width; j++) y[j] = static_cast<float>(total[j] / divisor);
      return;
    }
    case Reduction::max:
      for (int64_t j = 0; j < width; j++) y[j] = most[j];
      return;
    case Reduction::logSumExp:
#pragma omp simd
      for (int64_t j = 0; j < width; j++) most[j] = shiftOf(most[j]);
      const float* shift = most;
      columnSums(total, axis, width, [=](int64_t k, int64_t j) { return math::exp(x[k * inner + j] - shift[j]); });
#pragma omp simd
      for (int64_t j = 0; j < width; j++) y[j] = shift[j] + math::logAny(static_cast<float>(total[j]));
  }
}

}  // namespace

// y: rows x inner; x: rows x axis x inner.
void reduce(float* y, const float* x, int64_t, int64_t axis, int64_t inner, int32_t operation, int64_t begin,
            int64_t end) noexcept {
  if (inner == 0) return;
  const Reduction reduction = static_cast<Reduction>(operation);
  for (int64_t row = begin; row < end; row++) {
    const float* in = x + row * axis * inner;
    float* out = y + row * inner;
    if (inner == 1) {
      *out = reduceRow(in, axis, reduction);
      continue;
    }
    for (int64_t first = 0; first < inner; first += columnBlock) {
      reduceColumns(out + first, in + first, axis, inner, math::smaller(columnBlock, inner - first), reduction);
    }
  }
}

namespace {

// dx[k, j] = dy[j] weight(k, j) for one row.
template <typename Weight>
BLASNET_INLINE void spread(float* dx, const float* dy, int64_t axis, int64_t inner, Weight weight) {
  if (inner == 1) {
    const float d = *dy;
#pragma omp simd
    for (int64_t k = 0; k < axis; k++) dx[k] = d * weight(k, 0);
    return;
  }
  for (int64_t k = 0; k < axis; k++) {
#pragma omp simd
    for (int64_t j = 0; j < inner; j++) dx[k * inner + j] = dy[j] * weight(k, j);
  }
}

// The first maximum of each column takes all of its gradient.
BLASNET_INLINE void spreadToWinners(float* dx, const float* dy, const float* x, const float* y, int64_t axis,
                                    int64_t inner) {
  for (int64_t first = 0; first < inner; first += columnBlock) {
    const int64_t last = math::smaller(first + columnBlock, inner);
    float left[columnBlock];
    for (int64_t j = first; j < last; j++) left[j - first] = 1;
    for (int64_t k = 0; k < axis; k++) {
      const float* in = x + k * inner;
      float* out = dx + k * inner;
#pragma omp simd
      for (int64_t j = first; j < last; j++) {
        const bool wins = in[j] == y[j];
        const float weight = wins ? left[j - first] : 0.0f;
        out[j] = dy[j] * (y[j] == y[j] ? weight : y[j]);
        left[j - first] = wins ? 0.0f : left[j - first];
      }
    }
  }
}

}  // namespace

// dx, x: rows x axis x inner; dy, y: rows x inner.
void reduceBackward(float* dx, const float* dy, const float* x, const float* y, int64_t, int64_t axis, int64_t inner,
                    int32_t operation, int64_t begin, int64_t end) noexcept {
  if (inner == 0) return;
  for (int64_t row = begin; row < end; row++) {
    float* out = dx + row * axis * inner;
    const float* in = x + row * axis * inner;
    const float* gradient = dy + row * inner;
    const float* result = y + row * inner;
    switch (static_cast<Reduction>(operation)) {
      case Reduction::sum: spread(out, gradient, axis, inner, [](int64_t, int64_t) { return 1.0f; }); break;
      case Reduction::mean: {
        const float share = 1.0f / static_cast<float>(axis);
        spread(out, gradient, axis, inner, [=](int64_t, int64_t) { return share; });
        break;
      }
      case Reduction::max: spreadToWinners(out, gradient, in, result, axis, inner); break;
      case Reduction::logSumExp:
        spread(out, gradient, axis, inner,
               [=](int64_t k, int64_t j) { return math::exp(in[k * inner + j] - result[j]); });
        break;
    }
  }
}

}  // namespace blasnet::BLASNET_SIMD
