// Sums of parts.
#include "kernels.h"

namespace blasnet::BLASNET_SIMD {

// y: n; terms: parts x n.
void sumParts(float* y, const float* terms, int64_t n, int64_t parts, int64_t begin, int64_t end) noexcept {
#pragma omp simd
  for (int64_t i = begin; i < end; i++) y[i] = 0;
  for (int64_t part = 0; part < parts; part++) {
    const float* term = terms + part * n;
#pragma omp simd
    for (int64_t i = begin; i < end; i++) y[i] += term[i];
  }
}

}  // namespace blasnet::BLASNET_SIMD
