// Gradient clipping, by value and by the norm of all gradients together.
#include "kernels.h"
#include "math.h"

namespace blasnet::BLASNET_SIMD {

void clipValue(float* g, int64_t, float limit, int64_t begin, int64_t end) noexcept {
#pragma omp simd
  for (int64_t i = begin; i < end; i++) g[i] = g[i] > limit ? limit : g[i] < -limit ? -limit : g[i];
}

// total may be carry.
void squareSum(double* total, const double* carry, const float* g, int64_t n) noexcept {
  double squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t i = 0; i < n; i++) squares += static_cast<double>(g[i]) * static_cast<double>(g[i]);
  *total = (carry != nullptr ? *carry : 0) + squares;
}

void clipNorm(float* g, const double* squares, int64_t, double limit, int64_t begin, int64_t end) noexcept {
  const double norm = math::squareRoot(*squares);
  if (!(norm > limit && norm < math::infinity)) return;
  const float factor = static_cast<float>(limit / norm);
#pragma omp simd
  for (int64_t i = begin; i < end; i++) g[i] *= factor;
}

}  // namespace blasnet::BLASNET_SIMD
