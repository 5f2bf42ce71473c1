// The sum over a group of one. In a run with a group, the executor calls the group instead.
#include "kernels.h"

namespace blasnet::BLASNET_SIMD {

void allReduce(float*, double*, int64_t, int64_t, bool) noexcept {}

void averageRanks(float* values, int64_t n, double weight) noexcept {
  const float factor = static_cast<float>(weight);
#pragma omp simd
  for (int64_t i = 0; i < n; i++) values[i] *= factor;
}

void startSum(float*, int64_t, bool) noexcept {}

void gatherShares(float*, int64_t) noexcept {}

}  // namespace blasnet::BLASNET_SIMD
