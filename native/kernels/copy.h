// Copies of a few numbers, for which a function call would cost more than the copy.
#pragma once

#include "math.h"

namespace blasnet::BLASNET_SIMD {
namespace {

template <int64_t count>
BLASNET_INLINE void copyFixed(float* y, const float* x) {
  __builtin_memcpy(y, x, count * sizeof(float));
}

// Short copies, for which a loop's remainder would cost more than the loop: the last vector overlaps the one before.
template <int64_t lanes>
BLASNET_INLINE void copyOverlapping(float* y, const float* x, int64_t n) {
  for (int64_t j = 0; j + lanes < n; j += lanes) copyFixed<lanes>(y + j, x + j);
  copyFixed<lanes>(y + n - lanes, x + n - lanes);
}

BLASNET_INLINE void copy(float* y, const float* x, int64_t n) {
  if (n >= 16) return copyOverlapping<16>(y, x, n);
  if (n >= 8) return copyOverlapping<8>(y, x, n);
  if (n >= 4) return copyOverlapping<4>(y, x, n);
  for (int64_t j = 0; j < n; j++) y[j] = x[j];
}

}  // namespace
}  // namespace blasnet::BLASNET_SIMD
