// The matrix product, from BLAS. One implementation serves all instruction sets: OpenBLAS chooses its own kernels.
#pragma once

#include <cstdint>

namespace blasnet {

// c <- alpha op(a) op(b) + beta c, row-major, op(a) m x k, op(b) k x n; of any size, zero included.
void sgemm(bool transA, bool transB, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda, const float* b,
           int64_t ldb, float beta, float* c, int64_t ldc) noexcept;

// Whether BLAS has kernels for products of up to 10^6 multiplications that read their operands where they lie.
bool hasSmallKernels() noexcept;

struct BlasInfo {
  const char* name;
  const char* core;    // the table of kernels that OpenBLAS chose for this CPU
  const char* config;  // its version and build options
  int threads;
};

BlasInfo blasInfo() noexcept;

// Makes BLAS run on the calling thread alone. For a shared OpenBLAS, which blas_environment.cc doesn't reach; to be called
// once, before the first product.
void useSingleBlasThread() noexcept;

}  // namespace blasnet
