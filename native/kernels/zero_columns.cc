#include "zero_columns.h"

#include <cstdlib>
#include <cstring>

#include "copy.h"
#include "gemm.h"
#include "math.h"
#include "share.h"
#include "vector.h"

namespace blasnet::BLASNET_SIMD {
namespace {

constexpr int64_t chunkColumns = 2048;  // of x that are looked at together
constexpr int64_t panelRows = 128, panelColumns = 96;
constexpr int64_t narrow = 128, block = 64;  // results of up to `narrow` columns are made whole, wider ones in blocks
constexpr int64_t farApart = 200;            // where a block's rows are further apart, it is copied before it is used
constexpr int64_t moveLength = 16;
static_assert(chunkColumns <= 1 << 16 && farApart >= narrow);

using math::smaller;

// The columns of x that are not zero from top to bottom, and how many runs of neighbours they form.
struct Kept {
  int64_t count, runs;
  uint16_t index[chunkColumns];
};

BLASNET_INLINE bool isZero(uint32_t bits) { return (bits & 0x7fffffffu) == 0; }

// False when more than `most` columns are not zero, which most matrices tell by their first rows.
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
  kept.count = kept.runs = 0;
  int64_t before = 0;
  for (int64_t j = 0; j < columns; j++) {
    const int64_t keep = isZero(any[j]) ? 0 : 1;
    kept.index[kept.count] = static_cast<uint16_t>(j);
    kept.count += keep;
    kept.runs += keep & ~before;
    before = keep;
  }
  return true;
}

// Neighbouring columns.
struct Stretch {
  int32_t first, length;
};

BLASNET_INLINE int64_t endOfRun(const uint16_t* index, int64_t k, int64_t count) {
  do k++;
  while (k < count && index[k] == index[k - 1] + 1);
  return k;
}

int64_t findStretches(Stretch* stretches, const uint16_t* index, int64_t columns) {
  int64_t count = 0;
  for (int64_t j = 0, end; j < columns; j = end) {
    end = endOfRun(index, j, columns);
    stretches[count++] = {index[j], static_cast<int32_t>(end - j)};
  }
  return count;
}

BLASNET_INLINE void copyRows(float* to, int64_t ldt, const float* from, int64_t ldf, int64_t rows, int64_t width) {
  if (width == ldt && width == ldf) {
    copy(to, from, rows * width);
  } else if (width == block) {
    for (int64_t row = 0; row < rows; row++) {
      for (int64_t j = 0; j < block; j += moveLength) copyFixed<moveLength>(to + row * ldt + j, from + row * ldf + j);
    }
  } else {
    for (int64_t row = 0; row < rows; row++) copy(to + row * ldt, from + row * ldf, width);
  }
}

// Some of the kept columns, of some rows of x, side by side.
struct Panel {
  int64_t columns, stride, count;
  Stretch stretches[panelColumns];
  float values[panelRows * (panelColumns + moveLength)];

  // x: rows x width, each row `ldx` behind the one before. Stretches are copied in whole moves, as far as x reaches: what comes
  // too much is overwritten by the next stretch, or lies behind the panel's row.
  void fill(const float* x, int64_t ldx, int64_t width, int64_t rows, const uint16_t* index, int64_t chosen) {
    columns = chosen;
    stride = chosen + moveLength;
    count = findStretches(stretches, index, chosen);
    // Copies of the members, which the compiler would read again after each write to `values`.
    const int64_t lastMove = width - moveLength, step = stride, stretchCount = count;
    for (int64_t row = 0; row < rows; row++) {
      const float* in = x + row * ldx;
      float* to = values + row * step;
      for (int64_t s = 0; s < stretchCount; s++) {
        const auto [first, length] = stretches[s];
        if (first + (length - 1) / moveLength * moveLength <= lastMove) {
          for (int64_t j = 0; j < length; j += moveLength) copyFixed<moveLength>(to + j, in + first + j);
        } else {
          copy(to, in + first, length);
        }
        to += length;
      }
    }
  }
};

bool skipsZeros() noexcept {
  static const bool answer = [] {
    const char* wish = std::getenv("BLASNET_SKIP_ZEROS");
    return wish == nullptr || std::strcmp(wish, "0") != 0;
  }();
  return answer;
}

// All of these by what was measured (docs/decisions/0010-zero-columns.md).
bool worthLooking(int64_t rows, int64_t in, int64_t out) {
  return in >= 64 && (rows == 1 ? out >= 96 : rows >= 32 && out >= 64) && skipsZeros();
}

int64_t mostKept(int64_t rows, int64_t columns) { return rows == 1 ? columns * 2 / 5 : columns * 7 / 8; }

// In multiplications: what a row saves must be more than what the copies of x and of the other matrix cost it.
bool worthCopying(const Kept& kept, int64_t rows, int64_t columns, int64_t out) {
  return (columns - kept.count) * out > 320 * kept.runs + 5 * kept.count * out / smaller(rows, panelRows);
}

// y <- (the kept columns of x) (these rows of w) + beta y, for rows of a panel at most.
void timesKept(float* y, const float* x, const float* w, int64_t rows, int64_t in, int64_t out, float beta, int64_t ldx,
               int64_t ldw, int64_t ldy, const Kept& kept) {
  if (kept.count == 0) return sgemm(false, false, rows, out, 0, 1.0f, x, ldx, w, ldw, beta, y, ldy);
  alignas(64) Panel panel;
  alignas(64) float right[panelColumns * narrow];
  constexpr int64_t mostRows = 96;
  const int64_t width = out <= narrow ? out : block, depth = partOf(kept.count, panelColumns), part = partOf(rows, mostRows);
  for (int64_t l = 0; l < kept.count; l += depth) {
    panel.fill(x, ldx, in, rows, kept.index + l, smaller(depth, kept.count - l));
    for (int64_t j = 0; j < out; j += width) {
      const int64_t columns = smaller(width, out - j);
      float* to = right;
      for (int64_t s = 0; s < panel.count; s++) {
        const auto [row, length] = panel.stretches[s];
        copyRows(to, columns, w + row * ldw + j, ldw, length, columns);
        to += length * columns;
      }
      for (int64_t i = 0; i < rows; i += part) {
        sgemm(false, false, smaller(part, rows - i), columns, panel.columns, 1.0f, panel.values + i * panel.stride, panel.stride,
              right, columns, l == 0 ? beta : 1.0f, y + i * ldy + j, ldy);
      }
    }
  }
}

// The columns [j, j + columns) of dy: copied to `right` where its rows are far apart.
struct Side {
  const float* values;
  int64_t stride;
};
Side sideOf(float* right, const float* dy, int64_t rows, int64_t out, int64_t j, int64_t columns) {
  if (out <= farApart) return {dy + j, out};
  copyRows(right, columns, dy + j, out, rows, columns);
  return {right, columns};
}

// to <- from + beta to; to: rows x columns, `stride` apart; from: rows x columns.
void addRows(float* to, const float* from, int64_t rows, int64_t stride, int64_t columns, float beta) {
  if (beta == 0) return copyRows(to, stride, from, columns, rows, columns);
  for (int64_t i = 0; i < rows; i++) {
#pragma omp simd
    for (int64_t j = 0; j < columns; j++) to[i * stride + j] = beta * to[i * stride + j] + from[i * columns + j];
  }
}

// dw <- x^T dy + beta dw in the rows of dw that belong to kept columns: a run of them at a time, from x as it lies.
void addRuns(float* dw, const float* x, const float* dy, int64_t rows, int64_t out, float beta, int64_t ldx, const Kept& kept) {
  alignas(64) float right[panelRows * block];
  const int64_t width = out <= narrow ? out : block, group = partOf(rows, panelRows);
  for (int64_t j = 0; j < out; j += width) {
    const int64_t columns = smaller(width, out - j);
    for (int64_t i = 0; i < rows; i += group) {
      const int64_t height = smaller(group, rows - i);
      const Side side = sideOf(right, dy + i * out, height, out, j, columns);
      for (int64_t k = 0, end; k < kept.count; k = end) {
        end = endOfRun(kept.index, k, kept.count);
        const int64_t row = kept.index[k];
        sgemm(true, false, end - k, columns, height, 1.0f, x + i * ldx + row, ldx, side.values, side.stride, i == 0 ? beta : 1.0f,
              dw + row * out + j, out);
      }
    }
  }
}

// The same, a panel at a time.
void addPanels(float* dw, const float* x, const float* dy, int64_t rows, int64_t in, int64_t out, float beta, int64_t ldx,
               const Kept& kept) {
  alignas(64) Panel panel;
  alignas(64) float buffer[panelColumns * block + panelRows * block];
  static_assert(panelColumns * narrow <= sizeof buffer / sizeof *buffer);
  float *result = buffer, *right = buffer + panelColumns * block;
  const int64_t width = out <= narrow ? out : block, depth = partOf(kept.count, panelColumns), group = partOf(rows, panelRows);
  for (int64_t l = 0; l < kept.count; l += depth) {
    for (int64_t i = 0; i < rows; i += group) {
      const int64_t height = smaller(group, rows - i);
      const float scale = i == 0 ? beta : 1.0f;
      panel.fill(x + i * ldx, ldx, in, height, kept.index + l, smaller(depth, kept.count - l));
      for (int64_t j = 0; j < out; j += width) {
        const int64_t columns = smaller(width, out - j);
        const Side side = sideOf(right, dy + i * out, height, out, j, columns);
        sgemm(true, false, panel.columns, columns, height, 1.0f, panel.values, panel.stride, side.values, side.stride, 0.0f,
              result, columns);
        const float* from = result;
        for (int64_t s = 0; s < panel.count; s++) {
          const auto [row, length] = panel.stretches[s];
          addRows(dw + row * out + j, from, length, out, columns, scale);
          from += length * columns;
        }
      }
    }
  }
}

// The rows of dw between kept ones, before the first and behind the last.
void clearOthers(float* dw, int64_t in, int64_t out, const Kept& kept) {
  for (int64_t k = 0, begin = 0; k <= kept.count; k++) {
    const int64_t end = k < kept.count ? kept.index[k] : in;
    if (end > begin) std::memset(dw + begin * out, 0, static_cast<size_t>((end - begin) * out) * sizeof(float));
    begin = end + 1;
  }
}

// dw <- (the kept columns of x)^T dy + beta dw
void keptTransposedTimes(float* dw, const float* x, const float* dy, int64_t rows, int64_t in, int64_t out, float beta,
                         int64_t ldx, const Kept& kept) {
  constexpr int64_t longRuns = 8;
  if (beta == 0) clearOthers(dw, in, out, kept);
  if (kept.count == 0) return;
  if (hasSmallKernels() && kept.count >= longRuns * kept.runs) return addRuns(dw, x, dy, rows, out, beta, ldx, kept);
  addPanels(dw, x, dy, rows, in, out, beta, ldx, kept);
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
  // The last sixteen first, while the old y is there: they overlap the block before.
  float last[moveLength];
  sumRows<moveLength>(last, y + out - moveLength, x, w + out - moveLength, ldw, beta, kept);
  int64_t j = 0;
  for (; j + block <= out; j += block) sumRows<block>(y + j, y + j, x, w + j, ldw, beta, kept);
  for (; j + moveLength <= out; j += moveLength) sumRows<moveLength>(y + j, y + j, x, w + j, ldw, beta, kept);
  copyFixed<moveLength>(y + out - moveLength, last);
}

}  // namespace

// Rows are looked at in groups: fewer rows have more zero columns, and are still in the cache when they are copied. Where a group
// has too few, the others are not looked at.

void timesWeights(float* y, const float* x, const float* w, int64_t rows, int64_t in, int64_t out, float beta, int64_t ldx,
                  int64_t ldw, int64_t ldy) noexcept {
  if (!worthLooking(rows, in, out)) return sgemm(false, false, rows, out, in, 1.0f, x, ldx, w, ldw, beta, y, ldy);
  Kept kept;
  const int64_t group = partOf(rows, panelRows);
  for (int64_t l = 0; l < in; l += chunkColumns) {
    const int64_t columns = smaller(chunkColumns, in - l);
    const float scale = l == 0 ? beta : 1.0f, *right = w + l * ldw;
    for (int64_t i = 0; i < rows; i += group) {
      const int64_t height = smaller(group, rows - i);
      const float* left = x + i * ldx + l;
      const bool found = findKept(kept, left, height, columns, ldx, mostKept(rows, columns));
      if (found && rows == 1) {
        rowTimesKept(y, left, right, out, scale, ldw, kept);
      } else if (found && worthCopying(kept, height, columns, out)) {
        timesKept(y + i * ldy, left, right, height, columns, out, scale, ldx, ldw, ldy, kept);
      } else {
        sgemm(false, false, rows - i, out, columns, 1.0f, left, ldx, right, ldw, scale, y + i * ldy, ldy);
        break;
      }
    }
  }
}

void transposedTimes(float* dw, const float* x, const float* dy, int64_t rows, int64_t in, int64_t out, int64_t ldx) noexcept {
  if (rows == 1 || !worthLooking(rows, in, out)) {
    return sgemm(true, false, in, out, rows, 1.0f, x, ldx, dy, out, 0.0f, dw, out);
  }
  Kept kept;
  constexpr int64_t mostRows = 2 * panelRows;  // each group passes all of dw
  const int64_t group = partOf(rows, mostRows);
  for (int64_t l = 0; l < in; l += chunkColumns) {
    const int64_t columns = smaller(chunkColumns, in - l);
    float* result = dw + l * out;
    for (int64_t i = 0; i < rows; i += group) {
      const int64_t height = smaller(group, rows - i);
      const float *left = x + i * ldx + l, *right = dy + i * out, scale = i == 0 ? 0.0f : 1.0f;
      if (findKept(kept, left, height, columns, ldx, mostKept(rows, columns)) && worthCopying(kept, height, columns, out)) {
        keptTransposedTimes(result, left, right, height, columns, out, scale, ldx, kept);
      } else {
        sgemm(true, false, columns, out, rows - i, 1.0f, left, ldx, right, out, scale, result, out);
        break;
      }
    }
  }
}

}  // namespace blasnet::BLASNET_SIMD
