// BLAS, the only external library for products. One implementation serves all instruction sets: OpenBLAS chooses its
// own kernels.
#pragma once

#include <cstdint>

#include "ways.h"

namespace blasnet {

// c <- alpha op(a) op(b) + beta c, row-major, op(a) m x k, op(b) k x n; any sizes, including zero. Tiles are
// not BLAS's: they count as whole.
void blasProduct(Way way, bool transA, bool transB, int64_t m, int64_t n, int64_t k, float alpha, const float* a,
                 int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc) noexcept;

struct BlasInfo {
  const char* name;
  const char* core;    // the table of kernels that OpenBLAS chose for this CPU
  const char* config;  // its version and build options
  int threads;
};

BlasInfo blasInfo() noexcept;

// Makes BLAS run only on the calling thread. Needed for a shared OpenBLAS, which blas_environment.cc doesn't affect;
// call once, before the first product.
void useSingleBlasThread() noexcept;

}  // namespace blasnet
