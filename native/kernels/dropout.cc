// Inverted dropout.
#include "kernels.h"
#include "threefry.h"

namespace blasnet::BLASNET_SIMD {

// y may be x. The words follow from an element's index alone, so any split of the range gives the same mask.
void dropoutForward(float* y, float* mask, const float* x, int64_t, uint32_t threshold, float scale, uint32_t seed,
                    uint32_t stream, uint32_t step, int64_t begin, int64_t end) noexcept {
  constexpr int64_t block = 2 * threefryLanes;
  for (int64_t first = begin - begin % block; first < end; first += block) {
    uint32_t words[block];
    threefry(words, words + threefryLanes, static_cast<uint32_t>(first / 2), step, seed, stream);
    float factors[block];
#pragma omp simd
    for (int64_t j = 0; j < block; j++) factors[j] = words[j] < threshold ? 0.0f : scale;

    if (first >= begin && first + block <= end) {
#pragma omp simd
      for (int64_t j = 0; j < block; j++) {
        mask[first + j] = factors[j];
        y[first + j] = x[first + j] * factors[j];
      }
    } else {
      for (int64_t j = 0; j < block; j++) {
        if (first + j < begin || first + j >= end) continue;
        mask[first + j] = factors[j];
        y[first + j] = x[first + j] * factors[j];
      }
    }
  }
}

}  // namespace blasnet::BLASNET_SIMD
