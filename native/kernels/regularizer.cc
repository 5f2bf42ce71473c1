// The penalty l1 |w| + l2/2 w^2 and its gradient.
#include "kernels.h"
#include "math.h"

namespace blasnet::BLASNET_SIMD {

void penalty(double* total, const double* carry, const float* w, int64_t n, double l1, double l2) noexcept {
  double magnitudes = 0, squares = 0;
#pragma omp simd reduction(+ : magnitudes, squares)
  for (int64_t i = 0; i < n; i++) {
    const double value = w[i];
    magnitudes += static_cast<double>(math::absolute(w[i]));
    squares += value * value;
  }
  *total =
      (carry != nullptr ? *carry : 0) + static_cast<double>(l1) * magnitudes + 0.5 * static_cast<double>(l2) * squares;
}

void penaltyGradient(float* dw, const float* w, int64_t, float l1, float l2, int64_t begin, int64_t end) noexcept {
#pragma omp simd
  for (int64_t i = begin; i < end; i++) dw[i] = dw[i] + l1 * math::sign(w[i]) + l2 * w[i];
}

}  // namespace blasnet::BLASNET_SIMD
