// Sums and maxima. Long sums run in blocks: float accumulators within a block, block totals in double. This keeps the
// relative error near 1e-7 for any length. They are not inlined: copies in every kernel and instruction set would be a
// tenth of the addon.
#pragma once

#include "math.h"

namespace blasnet::BLASNET_SIMD {
namespace {

// Number of whole rows that fit a block of that many elements; at least one.
BLASNET_INLINE int64_t rowsFor(int64_t cols, int64_t elements) {
  return cols > 0 && cols < elements ? elements / cols : 1;
}

// The sum of term(0) ... term(n - 1).
template <typename Term>
__attribute__((noinline)) double sumOf(int64_t n, Term term) {
  constexpr int64_t lanes = 16;
  constexpr int64_t block = 64 * lanes;
  if (n < 2 * lanes) {
    float total = 0;
    for (int64_t j = 0; j < n; j++) total += term(j);
    return total;
  }
  double total = 0;
  for (int64_t first = 0; first < n; first += block) {
    const int64_t last = first + block < n ? first + block : n;
    float partial[lanes] = {};
    int64_t j = first;
    for (; j + lanes <= last; j += lanes) {
#pragma omp simd
      for (int64_t lane = 0; lane < lanes; lane++) partial[lane] += term(j + lane);
    }
    for (int64_t lane = 0; j < last; j++, lane++) partial[lane] += term(j);
    for (int64_t lane = 0; lane < lanes; lane++) total += partial[lane];
  }
  return total;
}

BLASNET_INLINE double sum(const float* x, int64_t n) {
  return sumOf(n, [=](int64_t j) { return x[j]; });
}

// The largest element, ignoring NaN; -infinity if all are NaN.
BLASNET_INLINE float maximum(const float* x, int64_t n) {
  constexpr int64_t lanes = 16;
  float largest = -math::infinity;
  int64_t j = 0;
  if (n >= 2 * lanes) {
    float partial[lanes];
    for (int64_t lane = 0; lane < lanes; lane++) partial[lane] = largest;
    for (; j + lanes <= n; j += lanes) {
#pragma omp simd
      for (int64_t lane = 0; lane < lanes; lane++)
        partial[lane] = x[j + lane] > partial[lane] ? x[j + lane] : partial[lane];
    }
    for (int64_t lane = 0; lane < lanes; lane++) largest = partial[lane] > largest ? partial[lane] : largest;
  }
  for (; j < n; j++) largest = x[j] > largest ? x[j] : largest;
  return largest;
}

// y = x - max(x), the argument of a softmax's exp; y may be x.
BLASNET_INLINE void shift(float* y, const float* x, int64_t n) {
  const float largest = maximum(x, n);
#pragma omp simd
  for (int64_t j = 0; j < n; j++) y[j] = x[j] - largest;
}

constexpr int64_t columnBlock = 128;

// total[j] = the sum over the rows of term(row, j), for j < width <= columnBlock. Eight rows are summed before each
// addition to an accumulator, so that its load and store cost little.
template <typename Term>
__attribute__((noinline)) void columnSums(double* total, int64_t rows, int64_t width, Term term) {
  constexpr int64_t rowBlock = 256;
  for (int64_t j = 0; j < width; j++) total[j] = 0;
  for (int64_t first = 0; first < rows; first += rowBlock) {
    const int64_t last = first + rowBlock < rows ? first + rowBlock : rows;
    float partial[columnBlock] = {};
    int64_t row = first;
    for (; row + 8 <= last; row += 8) {
#pragma omp simd
      for (int64_t j = 0; j < width; j++) {
        partial[j] += ((term(row, j) + term(row + 1, j)) + (term(row + 2, j) + term(row + 3, j))) +
                      ((term(row + 4, j) + term(row + 5, j)) + (term(row + 6, j) + term(row + 7, j)));
      }
    }
    for (; row < last; row++) {
#pragma omp simd
      for (int64_t j = 0; j < width; j++) partial[j] += term(row, j);
    }
#pragma omp simd
    for (int64_t j = 0; j < width; j++) total[j] += partial[j];
  }
}

}  // namespace
}  // namespace blasnet::BLASNET_SIMD
