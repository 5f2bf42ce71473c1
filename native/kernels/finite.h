// Whether numbers are finite.
#pragma once

#include "math.h"

namespace blasnet::BLASNET_SIMD {
namespace {

BLASNET_INLINE bool allFinite(const float* x, int64_t n) {
  uint32_t largest = 0;
#pragma omp simd reduction(max : largest)
  for (int64_t j = 0; j < n; j++) {
    const uint32_t bits = math::toBits(x[j]) & 0x7fffffffu;
    largest = bits > largest ? bits : largest;
  }
  return largest < 0x7f800000u;
}

}  // namespace
}  // namespace blasnet::BLASNET_SIMD
