// Large weights come from main memory, and BLAS stalls while it packs a block of them. Here the next block is
// prefetched, a few lines after each tile of the result, while the current one is multiplied
// (docs/decisions/0003-small-products.md).
#include "wide_products.h"

#include "../abandon.h"
#include "../math.h"
#include "../share.h"
#include "gemm.h"
#include "kept_tiles.h"
#include "pack.h"
#include "product_rules.h"

namespace blasnet::BLASNET_SIMD {
namespace {

using math::smaller;

constexpr int64_t longest = 128;    // rows of a block
constexpr int64_t groupRows = 512;  // of x that pass all weights together

// Determined by measurement. Elsewhere BLAS is as fast: on AVX2 its packing is faster than this.
bool isWide(int64_t rows, int64_t in, int64_t out, float beta, int64_t ldw) {
  constexpr int64_t large = 256;
  return vectorLanes == 16 && rows >= 64 && in >= large && out >= large && ldw > farApart && (beta == 0 || beta == 1) &&
         productRules().smallKernels && !productRules().isLarge(rows, out, in);
}

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
  static constexpr int64_t lineLength = 16;
  const float* at_;
  int64_t stride_, rows_, columns_, row_ = 0, column_ = 0;
};

struct Indices {
  uint16_t values[longest];
};

constexpr Indices everyColumn() {
  Indices all = {};
  for (int64_t k = 0; k < longest; k++) all.values[k] = static_cast<uint16_t>(k);
  return all;
}

constexpr Indices all = everyColumn();

// Like times, for a group of rows.
void timesBlocks(float* y, const float* x, const float* w, bool transposed, int64_t rows, int64_t in, int64_t out,
                 bool add, int64_t ldx, int64_t ldw, int64_t ldy) {
  alignas(64) float copied[longest * widest];
  int64_t offsets[longest];
  const int64_t part = partOf(in, longest);
  const auto blockAt = [=](int64_t l, int64_t j) { return w + (transposed ? j * ldw + l : l * ldw + j); };
  for (int64_t j = 0, width; j < out; j += width) {
    width = blockOf(out - j);
    for (int64_t l = 0; l < in; l += part) {
      if (abandoned()) return;
      const int64_t depth = smaller(part, in - l);
      pack(copied, blockAt(l, j), ldw, transposed, depth, width);
      for (int64_t k = 0; k < depth; k++) offsets[k] = k * width;
      const bool down = l + part < in;
      const int64_t nextRow = down ? l + part : 0, nextColumn = down ? j : j + width;
      const int64_t nextDepth = smaller(part, in - nextRow),
                    nextWidth = nextColumn < out ? blockOf(out - nextColumn) : 0;
      Fetch next(blockAt(nextRow, nextColumn), transposed ? nextWidth : nextDepth, transposed ? nextDepth : nextWidth,
                 ldw);
      constexpr int64_t tileRows = 6;
      const int64_t perTile = nextWidth > 0 ? next.lines() * tileRows / rows + 1 : 0;
      forwardTiles(y + j, ldy, x + l, ldx, all.values, copied, offsets, depth, rows, width, add || l > 0,
                   [&] { next.some(perTile); });
    }
  }
}

}  // namespace

void times(float* y, const float* x, const float* w, bool transposed, int64_t rows, int64_t in, int64_t out, float beta,
           int64_t ldx, int64_t ldw, int64_t ldy) noexcept {
  if (!isWide(rows, in, out, beta, ldw))
    return sgemm(false, transposed, rows, out, in, 1.0f, x, ldx, w, ldw, beta, y, ldy);
  const int64_t group = partOf(rows, groupRows);
  for (int64_t i = 0; i < rows; i += group) {
    timesBlocks(y + i * ldy, x + i * ldx, w, transposed, smaller(group, rows - i), in, out, beta != 0, ldx, ldw, ldy);
  }
}

}  // namespace blasnet::BLASNET_SIMD
