// The entry for all matrix products: chooses the way to compute one (ways.h).
#pragma once

#include <cstdint>

#include "ways.h"

namespace blasnet::BLASNET_SIMD {

// c <- alpha op(a) op(b) + beta c, row-major, op(a) m x k, op(b) k x n; any sizes, including zero. `lda`, `ldb`, `ldc`:
// distances between rows as they are stored.
void sgemm(bool transA, bool transB, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda,
           const float* b, int64_t ldb, float beta, float* c, int64_t ldc) noexcept;

// The largest share of the columns of a batch of m x k that may not be zero for skipping the others to pay.
double keptShare(int64_t m, int64_t n, int64_t k, int64_t ldb) noexcept;

// As KernelSet::float32Way.
const char* float32Way() noexcept;

// As patchTilesFor, for this processor.
const PatchTiles& patchTiles() noexcept;

}  // namespace blasnet::BLASNET_SIMD
