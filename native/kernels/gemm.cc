// The only file that knows BLAS.
#include "gemm.h"

#include <cblas.h>

namespace blasnet {
namespace {

constexpr int64_t largestInt = 0x7fffffff;
constexpr int64_t largestBlock = 1 << 30;

int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// A block that has one row only, or fits one, needs no more than its own length as leading dimension.
blasint leading(int64_t stride, int64_t length) {
  return static_cast<blasint>(stride > largestInt ? (length > 0 ? length : 1) : stride);
}

}  // namespace

void sgemm(bool transA, bool transB, int64_t m, int64_t n, int64_t k, float alpha, const float* a, int64_t lda, const float* b,
           int64_t ldb, float beta, float* c, int64_t ldc) noexcept {
  if (m <= 0 || n <= 0) return;
  if (k <= 0) {
    for (int64_t i = 0; i < m; i++) {
      for (int64_t j = 0; j < n; j++) c[i * ldc + j] = beta == 0 ? 0.0f : beta * c[i * ldc + j];
    }
    return;
  }

  // BLAS takes 32-bit ints. Larger sizes run in blocks; where a leading dimension is too large, blocks hold a single row of
  // that matrix, which makes the leading dimension meaningless.
  int64_t rowBlock = largestBlock, columnBlock = largestBlock, depthBlock = largestBlock;
  if (lda > largestInt) (transA ? depthBlock : rowBlock) = 1;
  if (ldb > largestInt) (transB ? columnBlock : depthBlock) = 1;
  if (ldc > largestInt) rowBlock = 1;

  for (int64_t i = 0; i < m; i += rowBlock) {
    const int64_t rows = smaller(rowBlock, m - i);
    for (int64_t j = 0; j < n; j += columnBlock) {
      const int64_t columns = smaller(columnBlock, n - j);
      for (int64_t l = 0; l < k; l += depthBlock) {
        const int64_t depth = smaller(depthBlock, k - l);
        cblas_sgemm(CblasRowMajor, transA ? CblasTrans : CblasNoTrans, transB ? CblasTrans : CblasNoTrans,
                    static_cast<blasint>(rows), static_cast<blasint>(columns), static_cast<blasint>(depth), alpha,
                    a + (transA ? l * lda + i : i * lda + l), leading(lda, transA ? rows : depth),
                    b + (transB ? j * ldb + l : l * ldb + j), leading(ldb, transB ? depth : columns), l == 0 ? beta : 1.0f,
                    c + i * ldc + j, leading(ldc, columns));
      }
    }
  }
}

BlasInfo blasInfo() noexcept {
  return {"OpenBLAS", openblas_get_corename(), openblas_get_config(), openblas_get_num_threads()};
}

void useSingleBlasThread() noexcept { openblas_set_num_threads(1); }

}  // namespace blasnet
