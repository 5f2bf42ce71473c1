#include "bfloat16.h"

#include "../abandon.h"
#include "../math.h"
#include "../share.h"
#include "bfloat16_tiles.h"
#include "gemm.h"

namespace blasnet::BLASNET_SIMD {
namespace {

using math::smaller;

// y: rows x columns, dense; x: rows x columns, `stride` apart.
void roundBlock(float* y, const float* x, int64_t stride, int64_t rows, int64_t columns) {
  for (int64_t row = 0; row < rows; row++) roundFloats(y + row * columns, x + row * stride, columns);
}

// Blocks of both operands are rounded before BLAS multiplies them.
void roundedProduct(Scratch scratch, bool transA, bool transB, int64_t m, int64_t n, int64_t k, const float* a,
                    int64_t lda, const float* b, int64_t ldb, bool add, float* c, int64_t ldc) {
  const int64_t half = scratch.bytes / 2 / static_cast<int64_t>(sizeof(float));
  float *left = static_cast<float*>(scratch.memory), *right = left + half;
  constexpr int64_t longest = 512;
  const int64_t depth = half >= longest * longest / 2 ? longest : 96;
  const int64_t most = half / depth / 16 * 16;
  for (int64_t l = 0; l < k; l += depth) {
    const int64_t steps = smaller(depth, k - l);
    for (int64_t i = 0; i < m; i += most) {
      const int64_t rows = smaller(most, m - i);
      if (transA) {
        roundBlock(left, a + l * lda + i, lda, steps, rows);
      } else {
        roundBlock(left, a + i * lda + l, lda, rows, steps);
      }
      for (int64_t j = 0; j < n; j += most) {
        if (abandoned()) return;
        const int64_t columns = smaller(most, n - j);
        if (transB) {
          roundBlock(right, b + j * ldb + l, ldb, columns, steps);
        } else {
          roundBlock(right, b + l * ldb + j, ldb, steps, columns);
        }
        sgemm(transA, transB, rows, columns, steps, 1.0f, left, transA ? rows : steps, right, transB ? steps : columns,
              add || l > 0 ? 1.0f : 0.0f, c + i * ldc + j, ldc);
      }
    }
  }
}

}  // namespace

void roundFloats(float* y, const float* x, int64_t n) noexcept {
#pragma omp simd
  for (int64_t j = 0; j < n; j++) y[j] = math::fromBits(roundToBfloat16(math::toBits(x[j])));
}

void float32Product(bool transA, bool transB, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
                    const float* b, int64_t ldb, bool add, float* c, int64_t ldc) noexcept {
  sgemm(transA, transB, m, n, k, 1.0f, a, lda, b, ldb, add ? 1.0f : 0.0f, c, ldc);
}

void bfloat16Product(bool transA, bool transB, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
                     const float* b, int64_t ldb, bool add, float* c, int64_t ldc) noexcept {
  if (m <= 0 || n <= 0) return;
  if (k <= 0) return sgemm(false, false, m, n, 0, 1.0f, a, lda, b, ldb, add ? 1.0f : 0.0f, c, ldc);
  withScratch(Use::packing, [=](Scratch scratch) {
    const Tiles* tiles = chosenTiles();
    if (tiles != nullptr) return tiledProduct(*tiles, scratch, transA, transB, m, n, k, a, lda, b, ldb, add, c, ldc);
    roundedProduct(scratch, transA, transB, m, n, k, a, lda, b, ldb, add, c, ldc);
  });
}

}  // namespace blasnet::BLASNET_SIMD
