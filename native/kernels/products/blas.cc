// The only file that calls BLAS.
#include "blas.h"

#include <cblas.h>

#include <algorithm>

#include "../abandon.h"
#include "../blas_buffers.h"
#include "../share.h"
#include "pack.h"

namespace blasnet {
namespace {

constexpr int64_t largestInt = 0x7fffffff;
constexpr int64_t largestBlock = 1 << 30;

// A block with a single row, or that fits one row, only needs its own length as leading dimension.
blasint leading(int64_t stride, int64_t length) {
  return static_cast<blasint>(stride > largestInt ? (length > 0 ? length : 1) : stride);
}

// How a product is cut into smaller ones.
struct Cut {
  int64_t rows, columns, depth;
  bool packed;  // each block of the right matrix is copied before it is used
  bool reused;  // all rows of the left matrix pass one block of the right one before the next
};

constexpr Cut whole = {largestBlock, largestBlock, largestBlock, false, false};
constexpr int64_t packedColumns = 64;
constexpr int64_t packedDepth = 128;
// Multiplications, and elements of the result if the right matrix is transposed, for which OpenBLAS has small kernels.
constexpr int64_t smallProduct = 1000000, smallTransposed = 1200;

// Determined by measurement (docs/decisions/0003-small-products.md).
Cut cutPieces(bool transA, bool transB, int64_t m, int64_t n, int64_t k, int64_t ldb) noexcept {
  constexpr int64_t rows = 96;
  if (transA && transB) return whole;
  const bool small = m * n <= smallProduct / k;
  // A copy pays if enough rows use it, and more so if the rows of b are far apart. A transposed b is copied if OpenBLAS
  // has no small kernel for the product or its piece, which is true for results of more than 1200 elements.
  bool packed;
  if (transB) {
    packed = small ? m >= 24 && n >= 24 && m * n > smallTransposed
                   : std::min(m, rows) * std::min(n, packedColumns) > smallTransposed;
  } else {
    packed = !small && m >= 10 && ldb > 200 && ldb >= 20000 / m;
  }
  if (small && !packed) return whole;
  return {rows, packedColumns, partOf(k, packedDepth), packed, packed};
}

// A transposed right matrix is read in place.
Cut cutStrips(int64_t m, int64_t n, int64_t k) noexcept {
  if (m <= smallTransposed / n && m * n <= smallProduct / k) return whole;
  constexpr int64_t maxRows = 48, maxDepth = 640;
  const int64_t rows = partOf(m, maxRows), columns = smallTransposed / rows / 8 * 8;
  return {rows, std::min(columns, std::min(n, packedColumns)), partOf(k, maxDepth), false, true};
}

}  // namespace

void blasProduct(Way way, bool transA, bool transB, int64_t m, int64_t n, int64_t k, float alpha, const float* a,
                 int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc) noexcept {
  if (m <= 0 || n <= 0) return;
  if (k <= 0) {
    for (int64_t i = 0; i < m; i++) {
      for (int64_t j = 0; j < n; j++) c[i * ldc + j] = beta == 0 ? 0.0f : beta * c[i * ldc + j];
    }
    return;
  }

  // BLAS takes 32-bit ints. Larger sizes are processed in blocks. If a leading dimension is too large, blocks have a
  // single row of that matrix, so that the leading dimension does not matter.
  const bool cut = way == Way::pieces || way == Way::strips, inStrips = way == Way::strips && transB && !transA;
  auto [rowBlock, columnBlock, depthBlock, packed, reused] = inStrips ? cutStrips(m, n, k)
                                                             : cut    ? cutPieces(transA, transB, m, n, k, ldb)
                                                                      : whole;
  if (lda > largestInt) (transA ? depthBlock : rowBlock) = 1;
  if (ldb > largestInt && !packed) (transB ? columnBlock : depthBlock) = 1;
  if (ldc > largestInt) rowBlock = 1;
  // Products that take seconds are split, too, so that they can be aborted between blocks. Equal parts are large enough
  // for the kernels of the whole product, so the bits don't change.
  constexpr double longProduct = 1e10;
  constexpr int64_t longBlock = 4096;
  if (static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) > longProduct) {
    rowBlock = std::min(rowBlock, partOf(m, longBlock));
    columnBlock = std::min(columnBlock, partOf(n, longBlock));
  }

  const BlasTurn turn;
  alignas(64) float copy[packedDepth * packedColumns];
  // Otherwise, the rows of a block stay in the cache while all of b is read.
  const int64_t group = reused ? m : rowBlock;
  for (int64_t first = 0; first < m; first += group) {
    const int64_t end = first + std::min(group, m - first);
    for (int64_t j = 0; j < n; j += columnBlock) {
      const int64_t columns = std::min(columnBlock, n - j);
      for (int64_t l = 0; l < k; l += depthBlock) {
        const int64_t depth = std::min(depthBlock, k - l);
        const float* right = b + (transB ? j * ldb + l : l * ldb + j);
        if (packed) pack(copy, columns, right, ldb, transB, depth, columns);
        const bool transRight = transB && !packed;
        for (int64_t i = first; i < end; i += rowBlock) {
          if (abandoned()) return;
          const int64_t rows = std::min(rowBlock, end - i);
          cblas_sgemm(CblasRowMajor, transA ? CblasTrans : CblasNoTrans, transRight ? CblasTrans : CblasNoTrans,
                      static_cast<blasint>(rows), static_cast<blasint>(columns), static_cast<blasint>(depth), alpha,
                      a + (transA ? l * lda + i : i * lda + l), leading(lda, transA ? rows : depth),
                      packed ? copy : right,
                      packed ? static_cast<blasint>(columns) : leading(ldb, transB ? depth : columns),
                      l == 0 ? beta : 1.0f, c + i * ldc + j, leading(ldc, columns));
        }
      }
    }
  }
}

BlasInfo blasInfo() noexcept {
  // OpenBLAS writes this text anew at each call, and other threads may be reading it.
  static const char* const config = openblas_get_config();
  return {"OpenBLAS", openblas_get_corename(), config, openblas_get_num_threads()};
}

void useSingleBlasThread() noexcept { openblas_set_num_threads(1); }

}  // namespace blasnet
