// Products of operands rounded to bfloat16, the upper half of a float32: to nearest, ties to even. Sums are in float32.
#pragma once

#include <cstdint>

#include "../signatures.h"

namespace blasnet {

// A float's bits rounded to bfloat16, as a float's; NaN stays NaN.
constexpr uint32_t roundToBfloat16(uint32_t bits) {
  const uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  const bool isNan = (bits & 0x7fffffffu) > 0x7f800000u;
  return (isNan ? bits | 0x400000u : rounded) & 0xffff0000u;
}

// What multiplies here: "amx", "avx512-bf16", or "float32", sgemm with rounded copies. BLASNET_BFLOAT16 chooses one.
// Also asks the system, once, for the state that the first needs.
const char* bfloat16Way() noexcept;

}  // namespace blasnet

namespace blasnet::BLASNET_SIMD {

constexpr bool isBfloat16(int32_t precision) { return precision == static_cast<int32_t>(Precision::bfloat16); }

// Numbers rounded to bfloat16, as floats.
void roundFloats(float* y, const float* x, int64_t n) noexcept;

// c <- op(a) op(b) [+ c], row-major, op(a) m x k, op(b) k x n; any sizes, including zero.
using Product = void (*)(bool transA, bool transB, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
                         const float* b, int64_t ldb, bool add, float* c, int64_t ldc) noexcept;

void float32Product(bool transA, bool transB, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
                    const float* b, int64_t ldb, bool add, float* c, int64_t ldc) noexcept;
void bfloat16Product(bool transA, bool transB, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
                     const float* b, int64_t ldb, bool add, float* c, int64_t ldc) noexcept;

inline Product productIn(int32_t precision) { return isBfloat16(precision) ? bfloat16Product : float32Product; }

}  // namespace blasnet::BLASNET_SIMD
