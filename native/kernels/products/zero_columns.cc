#include "zero_columns.h"

#include <cstdlib>
#include <cstring>

#include "../abandon.h"
#include "../copy.h"
#include "../math.h"
#include "../share.h"
#include "gemm.h"
#include "kept_tiles.h"
#include "product_rules.h"
#include "wide_products.h"

namespace blasnet::BLASNET_SIMD {
namespace {

constexpr int64_t chunkColumns = 2048;  // of x that are looked at together
constexpr int64_t groupRows = 128;
constexpr int64_t moveLength = 16;
static_assert(chunkColumns <= 1 << 16);

using math::smaller;

// The columns of x that are not entirely zero.
struct Kept {
  int64_t count;
  uint16_t index[chunkColumns];
};

BLASNET_INLINE bool isZero(uint32_t bits) { return (bits & 0x7fffffffu) == 0; }

// False if more than `most` columns are not entirely zero, which for most matrices shows in the first rows.
bool findKept(Kept& kept, const float* x, int64_t rows, int64_t columns, int64_t stride, int64_t most) {
  alignas(64) uint32_t any[chunkColumns];
  std::memset(any, 0, static_cast<size_t>(columns) * sizeof(uint32_t));
  for (int64_t row = 0, look = 8; row < rows; look *= 2) {
    const int64_t end = smaller(row + look, rows);
    for (; row + 4 <= end; row += 4) {
      const float *a = x + row * stride, *b = a + stride, *c = b + stride, *d = c + stride;
#pragma omp simd
      for (int64_t j = 0; j < columns; j++) {
        any[j] |= (math::toBits(a[j]) | math::toBits(b[j])) | (math::toBits(c[j]) | math::toBits(d[j]));
      }
    }
    for (; row < end; row++) {
#pragma omp simd
      for (int64_t j = 0; j < columns; j++) any[j] |= math::toBits(x[row * stride + j]);
    }
    int32_t count = 0;
#pragma omp simd reduction(+ : count)
    for (int64_t j = 0; j < columns; j++) count += isZero(any[j]) ? 0 : 1;
    if (count > most) return false;
  }
  kept.count = 0;
  for (int64_t j = 0; j < columns; j++) {
    kept.index[kept.count] = static_cast<uint16_t>(j);
    kept.count += isZero(any[j]) ? 0 : 1;
  }
  return true;
}

bool skipsZeros() noexcept {
  static const bool answer = [] {
    const char* wish = std::getenv("BLASNET_SKIP_ZEROS");
    return wish == nullptr || std::strcmp(wish, "0") != 0;
  }();
  return answer;
}

// All of these are determined by measurement (docs/decisions/0010-zero-columns.md).
bool worthLooking(int64_t rows, int64_t in, int64_t out) {
  return in >= 64 && (rows == 1 ? out >= 96 : rows >= 32 && out >= 64) && skipsZeros();
}

int64_t mostKept(int64_t rows, int64_t columns, int64_t out) {
  if (rows == 1) return columns * 2 / 5;
  return productRules().isLarge(rows, out, columns) ? columns / 2 : columns * 7 / 8;
}

// y <- (the kept columns of x) (these rows of w) + beta y; beta: 0 or 1.
void timesKept(float* y, const float* x, const float* w, int64_t rows, int64_t out, float beta, int64_t ldx,
               int64_t ldw, int64_t ldy, const Kept& kept) {
  if (kept.count == 0) return sgemm(false, false, rows, out, 0, 1.0f, x, ldx, w, ldw, beta, y, ldy);
  constexpr int64_t longest = 192, longestCopied = 128;
  alignas(64) float copied[longestCopied * widest];
  int64_t offsets[longest];
  const bool copies = ldw > farApart;
  const int64_t most = partOf(kept.count, copies ? longestCopied : longest);
  for (int64_t l = 0; l < kept.count; l += most) {
    const int64_t depth = smaller(most, kept.count - l);
    const uint16_t* index = kept.index + l;
    for (int64_t j = 0, width; j < out; j += width) {
      width = copies ? blockOf(out - j) : out;
      const float* right = copies ? copied : w;
      for (int64_t k = 0; k < depth; k++) {
        offsets[k] = copies ? k * width : index[k] * ldw;
        if (copies) copy(copied + offsets[k], w + index[k] * ldw + j, width);
      }
      forwardTiles(y + j, ldy, x, ldx, index, right, offsets, depth, rows, width, l > 0 || beta != 0, [] {});
    }
  }
}

// The rows of dw between kept ones, before the first and after the last.
void clearOthers(float* dw, int64_t in, int64_t out, const Kept& kept) {
  for (int64_t k = 0, begin = 0; k <= kept.count; k++) {
    const int64_t end = k < kept.count ? kept.index[k] : in;
    if (end > begin) std::memset(dw + begin * out, 0, static_cast<size_t>((end - begin) * out) * sizeof(float));
    begin = end + 1;
  }
}

// dw <- (the kept columns of x)^T dy [+ dw]
void keptTransposedTimes(float* dw, const float* x, const float* dy, int64_t rows, int64_t in, int64_t out, bool add,
                         int64_t ldx, const Kept& kept) {
  if (!add) clearOthers(dw, in, out, kept);
  alignas(64) float copied[groupRows * widest];
  const bool copies = out > farApart;
  const int64_t group = partOf(rows, groupRows);
  for (int64_t i = 0; i < rows; i += group) {
    const int64_t height = smaller(group, rows - i);
    for (int64_t j = 0, width; j < out; j += width) {
      width = copies ? blockOf(out - j) : out;
      const float* right = copies ? copied : dy + i * out;
      const int64_t stride = copies ? width : out;
      for (int64_t row = 0; row < height && copies; row++) copy(copied + row * width, dy + (i + row) * out + j, width);
      byColumns(width, [&](auto vectors, const Columns& columns) {
        byRows<vectors>(kept.count, [&](auto tile, int64_t k) {
          gradientTile<tile, vectors>(dw + j + columns.begin, out, x + i * ldx, ldx, height, kept.index + k,
                                      right + columns.begin, stride, columns, add || i > 0);
        });
      });
    }
  }
}

// Elements [0, n) of y <- x w + beta y for a single row.
template <int64_t n>
BLASNET_INLINE void sumRows(float* sums, const float* y, const float* x, const float* w, int64_t ldw, float beta,
                            const Kept& kept) {
  constexpr int64_t vectors = n / vectorLanes;
  Vector<vectorLanes> sum[vectors] = {};
  if (beta != 0) {
    for (int64_t v = 0; v < vectors; v++) sum[v] = beta * load<vectorLanes>(y + v * vectorLanes);
  }
  for (int64_t k = 0; k < kept.count; k++) {
    const float* row = w + kept.index[k] * ldw;
    const float factor = x[kept.index[k]];
    for (int64_t v = 0; v < vectors; v++) sum[v] += factor * load<vectorLanes>(row + v * vectorLanes);
  }
  for (int64_t v = 0; v < vectors; v++) store<vectorLanes>(sums + v * vectorLanes, sum[v]);
}

void rowTimesKept(float* y, const float* x, const float* w, int64_t out, float beta, int64_t ldw, const Kept& kept) {
  // The last sixteen first, while the old y is still there: they overlap the previous block.
  float last[moveLength];
  sumRows<moveLength>(last, y + out - moveLength, x, w + out - moveLength, ldw, beta, kept);
  int64_t j = 0;
  for (; j + block <= out; j += block) sumRows<block>(y + j, y + j, x, w + j, ldw, beta, kept);
  for (; j + moveLength <= out; j += moveLength) sumRows<moveLength>(y + j, y + j, x, w + j, ldw, beta, kept);
  copyFixed<moveLength>(y + out - moveLength, last);
}

}  // namespace

// Rows are checked in groups: fewer rows have more zero columns, and are still in the cache when they are copied. If a
// group has too few zero columns, the remaining groups are not checked.

void timesWeights(float* y, const float* x, const float* w, int64_t rows, int64_t in, int64_t out, float beta,
                  int64_t ldx, int64_t ldw, int64_t ldy) noexcept {
  if (!worthLooking(rows, in, out)) return times(y, x, w, false, rows, in, out, beta, ldx, ldw, ldy);
  Kept kept;
  const int64_t group = partOf(rows, groupRows);
  for (int64_t l = 0; l < in; l += chunkColumns) {
    const int64_t columns = smaller(chunkColumns, in - l);
    const float scale = l == 0 ? beta : 1.0f, *right = w + l * ldw;
    for (int64_t i = 0; i < rows; i += group) {
      if (abandoned()) return;
      const int64_t height = smaller(group, rows - i);
      const float* left = x + i * ldx + l;
      const bool found = findKept(kept, left, height, columns, ldx, mostKept(rows, columns, out));
      if (found && rows == 1) {
        rowTimesKept(y, left, right, out, scale, ldw, kept);
      } else if (found) {
        timesKept(y + i * ldy, left, right, height, out, scale, ldx, ldw, ldy, kept);
      } else {
        times(y + i * ldy, left, right, false, rows - i, columns, out, scale, ldx, ldw, ldy);
        break;
      }
    }
  }
}

void transposedTimes(float* dw, const float* x, const float* dy, int64_t rows, int64_t in, int64_t out,
                     int64_t ldx) noexcept {
  if (rows == 1 || !worthLooking(rows, in, out)) {
    return sgemm(true, false, in, out, rows, 1.0f, x, ldx, dy, out, 0.0f, dw, out);
  }
  Kept kept;
  constexpr int64_t mostRows = 2 * groupRows;  // each group passes all of dw
  const int64_t group = partOf(rows, mostRows);
  for (int64_t l = 0; l < in; l += chunkColumns) {
    const int64_t columns = smaller(chunkColumns, in - l);
    float* result = dw + l * out;
    for (int64_t i = 0; i < rows; i += group) {
      if (abandoned()) return;
      const int64_t height = smaller(group, rows - i);
      const float *left = x + i * ldx + l, *right = dy + i * out;
      if (findKept(kept, left, height, columns, ldx, mostKept(rows, columns, out))) {
        keptTransposedTimes(result, left, right, height, columns, out, i > 0, ldx, kept);
      } else {
        sgemm(true, false, columns, out, rows - i, 1.0f, left, ldx, right, out, i > 0 ? 1.0f : 0.0f, result, out);
        break;
      }
    }
  }
}

}  // namespace blasnet::BLASNET_SIMD
