// Vector types, for the few kernels whose sums must stay in registers while their loops don't run over the lanes.
// Compilers keep these in registers, which they don't do reliably with small arrays.
#pragma once

#include "math.h"

namespace blasnet::BLASNET_SIMD {
namespace {

// As many lanes as a register of this instruction set holds; wider vectors would be kept in memory.
#if defined(__AVX512F__)
constexpr int vectorLanes = 16;
#elif defined(__AVX__)
constexpr int vectorLanes = 8;
#else
constexpr int vectorLanes = 4;
#endif

// Whether there are 32 vector registers, not 16.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr bool manyRegisters = true;
#else
constexpr bool manyRegisters = false;
#endif

template <int lanes>
struct VectorOf {
  typedef float Floats __attribute__((vector_size(lanes * sizeof(float))));
  typedef int32_t Integers __attribute__((vector_size(lanes * sizeof(int32_t))));
};
template <int lanes>
using Vector = typename VectorOf<lanes>::Floats;
template <int lanes>
using IntegerVector = typename VectorOf<lanes>::Integers;

template <int lanes>
BLASNET_INLINE Vector<lanes> load(const float* x) {
  Vector<lanes> v;
  __builtin_memcpy(&v, x, sizeof v);
  return v;
}

template <int lanes>
BLASNET_INLINE void store(float* y, Vector<lanes> v) {
  __builtin_memcpy(y, &v, sizeof v);
}

}  // namespace
}  // namespace blasnet::BLASNET_SIMD
