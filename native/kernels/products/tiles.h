// Matrix products in tiles of our own.
#pragma once

#include <cstdint>

namespace blasnet {

// c <- op(a) op(b), or c <- op(a) op(b) + c; row-major, op(a): m x k, op(b): k x n; n: a vector or more, k > 0.
struct TileProduct {
  bool transA, transB;
  int64_t m, n, k;
  const float* a;
  int64_t lda;
  const float* b;
  int64_t ldb;
  bool add;
  float* c;
  int64_t ldc;
  // If given, the m rows of op(a) and c, or the k columns of op(a) and rows of op(b), that take part.
  const uint16_t* rows = nullptr;
  const uint16_t* steps = nullptr;
};

}  // namespace blasnet

#if defined(BLASNET_SIMD)
namespace blasnet::BLASNET_SIMD {
void multiplyTiles(const TileProduct& product) noexcept;
}
#endif
