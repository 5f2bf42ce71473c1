#include "zero_columns.h"

#include <cstdlib>
#include <cstring>

#include "../abandon.h"
#include "../finite.h"
#include "../math.h"
#include "../share.h"
#include "gemm.h"
#include "tiles.h"

namespace blasnet::BLASNET_SIMD {
namespace {

constexpr int64_t chunkColumns = 2048;  // of x that are searched together
constexpr int64_t groupRows = 128;
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
bool worthLooking(int64_t rows, int64_t in, int64_t out) { return in >= 64 && rows >= 32 && out >= 64 && skipsZeros(); }

int64_t maxKept(int64_t rows, int64_t columns, int64_t out, int64_t ldw) {
  return static_cast<int64_t>(keptShare(rows, out, columns, ldw) * static_cast<double>(columns));
}

// Calls work(begin, end) for the runs of columns between the kept ones, until it returns false; returns whether it
// never did.
template <typename Work>
bool everyGap(const Kept& kept, int64_t columns, Work work) {
  for (int64_t k = 0, begin = 0; k <= kept.count; k++) {
    const int64_t end = k < kept.count ? kept.index[k] : columns;
    if (end > begin && !work(begin, end)) return false;
    begin = end + 1;
  }
  return true;
}

}  // namespace

// Rows are checked in groups: fewer rows have more zero columns, and are still in the cache when they are copied. If a
// group has too few zero columns, the remaining groups are not checked.

void timesWeights(float* y, const float* x, const float* w, int64_t rows, int64_t in, int64_t out, float beta,
                  int64_t ldx, int64_t ldw, int64_t ldy) noexcept {
  const auto multiply = [&](int64_t i, int64_t l, int64_t columns, float scale) {
    sgemm(false, false, rows - i, out, columns, 1.0f, x + i * ldx + l, ldx, w + l * ldw, ldw, scale, y + i * ldy, ldy);
  };
  if (!worthLooking(rows, in, out)) return multiply(0, 0, in, beta);
  Kept kept;
  const int64_t group = partOf(rows, groupRows);
  for (int64_t l = 0; l < in; l += chunkColumns) {
    const int64_t columns = smaller(chunkColumns, in - l);
    const float scale = l == 0 ? beta : 1.0f, *right = w + l * ldw;
    for (int64_t i = 0; i < rows; i += group) {
      if (abandoned()) return;
      const int64_t height = smaller(group, rows - i);
      const float* left = x + i * ldx + l;
      // Zero times infinity or NaN is NaN: then nothing is skipped.
      const auto finite = [&](int64_t begin, int64_t end) {
        if (ldw == out) return allFinite(right + begin * ldw, (end - begin) * out);
        while (begin < end && allFinite(right + begin * ldw, out)) begin++;
        return begin == end;
      };
      const bool found = findKept(kept, left, height, columns, ldx, maxKept(rows, columns, out, ldw)) &&
                         everyGap(kept, columns, finite);
      if (!found) {
        multiply(i, l, columns, scale);
        break;
      }
      if (kept.count == 0) {
        sgemm(false, false, height, out, 0, 1.0f, left, ldx, right, ldw, scale, y + i * ldy, ldy);
      } else {
        multiplyTiles({false, false, height, out, kept.count, left, ldx, right, ldw, scale != 0, y + i * ldy, ldy,
                       nullptr, kept.index});
      }
    }
  }
}

void transposedTimes(float* dw, const float* x, const float* dy, int64_t rows, int64_t in, int64_t out,
                     int64_t ldx) noexcept {
  if (!worthLooking(rows, in, out) || !allFinite(dy, rows * out)) {
    return sgemm(true, false, in, out, rows, 1.0f, x, ldx, dy, out, 0.0f, dw, out);
  }
  Kept kept;
  constexpr int64_t maxRows = 2 * groupRows;  // each group passes all of dw
  const int64_t group = partOf(rows, maxRows);
  for (int64_t l = 0; l < in; l += chunkColumns) {
    const int64_t columns = smaller(chunkColumns, in - l);
    float* result = dw + l * out;
    for (int64_t i = 0; i < rows; i += group) {
      if (abandoned()) return;
      const int64_t height = smaller(group, rows - i);
      const float *left = x + i * ldx + l, *right = dy + i * out;
      if (findKept(kept, left, height, columns, ldx, maxKept(rows, columns, out, out))) {
        const auto clear = [=](int64_t begin, int64_t end) {
          std::memset(result + begin * out, 0, static_cast<size_t>((end - begin) * out) * sizeof(float));
          return true;
        };
        if (i == 0) everyGap(kept, columns, clear);
        multiplyTiles({true, false, kept.count, out, height, left, ldx, right, out, i > 0, result, out, kept.index});
      } else {
        sgemm(true, false, columns, out, rows - i, 1.0f, left, ldx, right, out, i > 0 ? 1.0f : 0.0f, result, out);
        break;
      }
    }
  }
}

}  // namespace blasnet::BLASNET_SIMD
