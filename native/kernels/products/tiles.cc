// The left matrix is read in place; panels of the right one that lie badly in memory are copied, so that they pass
// through the first-level cache (K. Goto, R. A. van de Geijn: Anatomy of high-performance matrix multiplication, 2008).
#include "tiles.h"

#include "../abandon.h"
#include "../copy.h"
#include "../share.h"
#include "pack.h"
#include "tile.h"

namespace blasnet::BLASNET_SIMD {
namespace {

using math::smaller;

constexpr int64_t maxRows = 512;                      // of the left matrix at a time
constexpr int64_t copiedDepth = 128, maxDepth = 192;  // where the right matrix is copied, and where it is not
constexpr int64_t panel = 64, widest = panel + 16;    // columns of the right matrix that are copied together
constexpr int64_t farApart = 512;   // rows further apart lie in a page each, and often in the same set of the cache
constexpr int64_t lineLength = 16;  // floats in a line of the cache

// Prefetches the lines of a part of a matrix, a few at a time.
class Fetch {
 public:
  Fetch(const float* at, int64_t rows, int64_t columns, int64_t stride)
      : at_(at), stride_(stride), rows_(rows), columns_(columns) {}
  int64_t lines() const { return rows_ * ((columns_ + lineLength - 1) / lineLength); }
  BLASNET_INLINE void some(int64_t lines) {
    for (; lines > 0 && row_ < rows_; lines--) {
      __builtin_prefetch(at_ + column_);
      column_ += lineLength;
      if (column_ < columns_) continue;
      column_ = 0;
      row_++;
      at_ += stride_;
    }
  }

 private:
  const float* at_;
  int64_t stride_, rows_, columns_, row_ = 0, column_ = 0;
};

// The width of the next panel; avoids a last one that would not fill a vector.
int64_t panelOf(int64_t left) { return left < widest ? left : panel; }

// The distance between rows of a copy: an odd number of lines, so that they use all sets of the cache.
int64_t strideOf(int64_t length) { return ((length + lineLength - 1) / lineLength | 1) * lineLength; }

// All columns of the result for one block of the left matrix.
[[gnu::nothrow]] void multiplyBlock(const TileProduct& p, const Row* rows, int64_t count, int64_t l, int64_t depth,
                                    bool copiesRight) {
  alignas(64) float rightCopy[copiedDepth * (widest + lineLength)];
  Step steps[maxDepth];
  const int64_t leftStride = p.transA ? p.lda : 1;
  const bool add = p.add || l > 0;
  const auto rightAt = [&](int64_t j) { return p.b + (p.transB ? j * p.ldb + l : l * p.ldb + j); };
  for (int64_t j = 0, width; j < p.n; j += width) {
    width = copiesRight ? panelOf(p.n - j) : p.n;
    const int64_t stride = strideOf(width);
    if (copiesRight && p.steps == nullptr) pack(rightCopy, stride, rightAt(j), p.ldb, p.transB, depth, width);
    for (int64_t k = 0; k < depth; k++) {
      const int64_t step = p.steps != nullptr ? p.steps[l + k] : l + k;
      const float* right = p.b + step * p.ldb;
      if (copiesRight && p.steps != nullptr) copy(rightCopy + k * stride, right + j, width);
      steps[k] = {p.a + step * leftStride, copiesRight ? rightCopy + k * stride : right};
    }
    // The next panel comes into the cache while this one is multiplied.
    const int64_t rest = p.n - j - width, nextWidth = copiesRight && p.steps == nullptr && rest > 0 ? panelOf(rest) : 0;
    Fetch next(rightAt(j + width), p.transB ? nextWidth : depth, p.transB ? depth : nextWidth, p.ldb);
    constexpr int64_t tileRows = 6;
    const int64_t perTile = nextWidth > 0 ? next.lines() * tileRows / count + 1 : 0;
    byColumns(width, [&](auto vectors, const Columns& columns) {
      byRows<vectors>(count, [&](auto tile, int64_t row) {
        next.some(perTile);
        multiplyTile<tile, vectors>(rows + row, steps, steps + depth, columns, j, add);
      });
    });
  }
}

}  // namespace

void multiplyTiles(const TileProduct& p) noexcept {
  if (p.m <= 0) return;
  Row rows[maxRows];
  const bool copiesRight = p.transB || p.ldb > farApart;
  const int64_t height = partOf(p.m, maxRows), part = partOf(p.k, copiesRight ? copiedDepth : maxDepth);
  for (int64_t l = 0; l < p.k; l += part) {
    const int64_t depth = smaller(part, p.k - l);
    for (int64_t i = 0; i < p.m; i += height) {
      if (abandoned()) return;
      const int64_t count = smaller(height, p.m - i);
      for (int64_t r = 0; r < count; r++) {
        const int64_t row = p.rows != nullptr ? p.rows[i + r] : i + r;
        rows[r] = {row * (p.transA ? 1 : p.lda), p.c + row * p.ldc};
      }
      multiplyBlock(p, rows, count, l, depth, copiesRight);
    }
  }
}

}  // namespace blasnet::BLASNET_SIMD
