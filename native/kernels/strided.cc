// Copies between arrays of any order, given by strides: permutations, slices, paddings, repetitions.
#include "copy.h"
#include "kernels.h"

namespace blasnet::BLASNET_SIMD {
namespace {

constexpr int dimensions = 5;

// An array within a row: element (i0, ..., i4) is at offset + sum of i stride.
struct Places {
  int64_t offset;
  int64_t stride[dimensions];

  // Whether all elements of an array that is not empty lie in a row of this length.
  bool fit(const int64_t* count, int64_t perRow) const {
    if (offset >= perRow) return false;
    int64_t room = perRow - 1 - offset;
    for (int i = 0; i < dimensions; i++) {
      if (stride[i] == 0) continue;
      if (count[i] - 1 > room / stride[i]) return false;
      room -= (count[i] - 1) * stride[i];
    }
    return true;
  }
};

// Whether there are at most that many elements, of at least one.
bool atMost(const int64_t* count, int64_t most) {
  int64_t total = 1;
  for (int i = 0; i < dimensions; i++) {
    if (count[i] > most / total) return false;
    total *= count[i];
  }
  return true;
}

BLASNET_INLINE void copyRun(float* y, const float* x, int64_t n, int64_t yStride, int64_t xStride) {
  if (yStride == 1 && xStride == 1) return copy(y, x, n);
  if (yStride == 1 && xStride == 0) {
    const float value = *x;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] = value;
    return;
  }
  for (int64_t i = 0; i < n; i++) y[i * yStride] = x[i * xStride];
}

}  // namespace

// y: rows x yPerRow; x: rows x xPerRow. Copies nothing if elements would lie outside their row, or are more than y has.
void copyStrided(float* y, const float* x, int64_t, int64_t yPerRow, int64_t xPerRow, int64_t dim0, int64_t dim1,
                 int64_t dim2, int64_t dim3, int64_t dim4, int64_t yOffset, int64_t yStride0, int64_t yStride1,
                 int64_t yStride2, int64_t yStride3, int64_t yStride4, int64_t xOffset, int64_t xStride0,
                 int64_t xStride1, int64_t xStride2, int64_t xStride3, int64_t xStride4, bool clear, float fill,
                 int64_t begin, int64_t end) noexcept {
  const int64_t count[dimensions] = {dim0, dim1, dim2, dim3, dim4};
  const Places to = {yOffset, {yStride0, yStride1, yStride2, yStride3, yStride4}};
  const Places from = {xOffset, {xStride0, xStride1, xStride2, xStride3, xStride4}};
  bool copies = true;
  for (const int64_t n : count) copies = copies && n > 0;
  copies = copies && to.fit(count, yPerRow) && from.fit(count, xPerRow) && atMost(count, yPerRow);
  for (int64_t row = begin; row < end; row++) {
    float* out = y + row * yPerRow;
    const float* in = x + row * xPerRow + xOffset;
    if (clear) {
#pragma omp simd
      for (int64_t i = 0; i < yPerRow; i++) out[i] = fill;
    }
    if (!copies) continue;
    for (int64_t i0 = 0; i0 < dim0; i0++) {
      for (int64_t i1 = 0; i1 < dim1; i1++) {
        for (int64_t i2 = 0; i2 < dim2; i2++) {
          float* run = out + yOffset + i0 * yStride0 + i1 * yStride1 + i2 * yStride2;
          const float* source = in + i0 * xStride0 + i1 * xStride1 + i2 * xStride2;
          for (int64_t i3 = 0; i3 < dim3; i3++) {
            copyRun(run + i3 * yStride3, source + i3 * xStride3, dim4, yStride4, xStride4);
          }
        }
      }
    }
  }
}

}  // namespace blasnet::BLASNET_SIMD
