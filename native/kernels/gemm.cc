// The only file that knows BLAS.
#include "gemm.h"

#include <cblas.h>

#include <cstdlib>
#include <cstring>

namespace blasnet {
namespace {

constexpr int64_t largestInt = 0x7fffffff;
constexpr int64_t largestBlock = 1 << 30;

int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// A block that has one row only, or fits one, needs no more than its own length as leading dimension.
blasint leading(int64_t stride, int64_t length) {
  return static_cast<blasint>(stride > largestInt ? (length > 0 ? length : 1) : stride);
}

struct Tile {
  int64_t rows, columns, depth;
};

// OpenBLAS's AVX-512 cores have kernels for small products (up to 10^6 multiplications) that read their operands where they
// lie. They reach the peak of the machine where the general path, which packs the operands first, does not. Other cores
// have none. BLASNET_GEMM_TILES=0 leaves all products whole.
bool hasSmallKernels() noexcept {
  static const bool answer = [] {
    const char* wish = std::getenv("BLASNET_GEMM_TILES");
    if (wish != nullptr && std::strcmp(wish, "0") == 0) return false;
    const char* core = openblas_get_corename();
    return std::strcmp(core, "SkylakeX") == 0 || std::strcmp(core, "Cooperlake") == 0 || std::strcmp(core, "Sapphirerapids") == 0;
  }();
  return answer;
}

// How to cut a product into small ones, by what was measured (docs/decisions/0003-small-products.md): a narrow right
// matrix, and weight gradients of small batches. Elsewhere the general path is as good or better.
Tile chooseTile(bool transA, bool transB, int64_t m, int64_t n, int64_t k) noexcept {
  constexpr int64_t smallProduct = 1000000;
  const Tile whole = {largestBlock, largestBlock, largestBlock};
  if (transB || m * n <= smallProduct / k || !hasSmallKernels()) return whole;
  if (transA) return k <= 128 ? Tile{96, 64, largestBlock} : whole;
  return n <= 200 || (m <= 128 && n <= 256) ? Tile{96, 64, 128} : whole;
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
  auto [rowBlock, columnBlock, depthBlock] = chooseTile(transA, transB, m, n, k);
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

BlasInfo blasInfo() noexcept { return {"OpenBLAS", openblas_get_corename(), openblas_get_config(), openblas_get_num_threads()}; }

void useSingleBlasThread() noexcept { openblas_set_num_threads(1); }

}  // namespace blasnet
