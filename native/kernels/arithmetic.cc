// Elementwise arithmetic.
#include "kernels.h"

namespace blasnet::BLASNET_SIMD {

// y may be a or b.
void multiply(float* y, const float* a, const float* b, int64_t, int64_t begin, int64_t end) noexcept {
#pragma omp simd
  for (int64_t i = begin; i < end; i++) y[i] = a[i] * b[i];
}

}  // namespace blasnet::BLASNET_SIMD
