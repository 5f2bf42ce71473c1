// A tile of a matrix product: its sums stay in registers over the whole depth, and the addresses of its operands come
// from lists. So rows, columns and steps can be skipped, and operands can be read in place or from a copy.
#pragma once

#include <type_traits>

#include "../vector.h"

namespace blasnet::BLASNET_SIMD {
namespace {

using Lanes = Vector<vectorLanes>;
static_assert(vectorLanes <= 16);

// Neighbouring columns of a result as consecutive vectors; the last one starts `last` columns after the first. It may
// be moved back so that it ends with the matrix; then only the lanes set in `counts` are used.
struct Columns {
  int64_t begin, last;
  IntegerVector<vectorLanes> counts;
};

// Where a step of the depth begins in the left and in the right matrix.
struct Step {
  const float *left, *right;
};

// Where a row of a tile lies in the left matrix, from the step's address, and in the result.
struct Row {
  int64_t left;
  float* result;
};

template <int number>
using Constant = std::integral_constant<int, number>;

// Vectors for a tile, given how many are left: as many as the registers allow, and if possible not a single one, which
// would wait for its loads.
BLASNET_INLINE int64_t vectorsOf(int64_t left) {
  if (!manyRegisters) return left % 3 != 0 && left >= 2 ? 2 : left < 3 ? left : 3;
  if ((left % 3 == 1 && left >= 4) || (left % 3 == 2 && left >= 8)) return 4;
  return left < 3 ? left : 3;
}

// Calls work(vectors, columns) for all columns of a result, `width` >= vectorLanes of them.
template <typename Work>
BLASNET_INLINE void byColumns(int64_t width, Work work) {
  int64_t left = (width + vectorLanes - 1) / vectorLanes;
  for (int64_t begin = 0; left > 0;) {
    const int64_t vectors = vectorsOf(left);
    Columns columns = {begin, (vectors - 1) * vectorLanes, {}};
    const int64_t over = begin + vectors * vectorLanes - width;
    if (over > 0) columns.last -= over;
    for (int64_t lane = 0; lane < vectorLanes; lane++) columns.counts[lane] = lane >= over ? -1 : 0;
    if (manyRegisters && vectors == 4) {
      work(Constant<4>(), columns);
    } else if (vectors == 3) {
      work(Constant<3>(), columns);
    } else if (vectors == 2) {
      work(Constant<2>(), columns);
    } else {
      work(Constant<1>(), columns);
    }
    begin += vectors * vectorLanes;
    left -= vectors;
  }
}

// Calls work(rows, first) for tiles of `count` rows.
template <int vectors, typename Work>
BLASNET_INLINE void byRows(int64_t count, Work work) {
  constexpr int most = manyRegisters ? (vectors == 4 ? 6 : 8) : vectors == 3 ? 4 : 6;
  int64_t row = 0;
  for (; row + most <= count; row += most) work(Constant<most>(), row);
  if constexpr (most > 4) {
    for (; row + 4 <= count; row += 4) work(Constant<4>(), row);
  }
  for (; row + 2 <= count; row += 2) work(Constant<2>(), row);
  for (; row < count; row++) work(Constant<1>(), row);
}

// c <- a b [+ c] for one tile, over the steps [step, end); the right
// matrix begins at column `first` of the result. Whole addresses in the steps leave as many general registers
// as the rows need: with an addition for each of them the tile would lose a tenth of its speed.
// `nothrow`, not `noexcept`, which would add code for exceptions to every set of kernels.
template <int rows, int vectors>
__attribute__((noinline, nothrow)) void multiplyTile(const Row* row, const Step* step, const Step* end,
                                                     const Columns& columns, int64_t first, bool add) {
  Lanes sum[rows][vectors] = {};
  const int64_t begin = columns.begin, last = begin + columns.last;
  int64_t at[rows];
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++) {
    at[r] = row[r].left;
    if (!add) continue;
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) __builtin_prefetch(row[r].result + first + begin + v * vectorLanes, 1);
  }
  for (; step < end; step++) {
    const float *left = step->left, *values = step->right;
    Lanes right[vectors];
#pragma GCC unroll 4
    for (int v = 0; v < vectors - 1; v++) right[v] = load<vectorLanes>(values + begin + v * vectorLanes);
    right[vectors - 1] = load<vectorLanes>(values + last);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
      const float factor = left[at[r]];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) sum[r][v] += factor * right[v];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++) {
    float* y = row[r].result + first + begin;
#pragma GCC unroll 4
    for (int v = 0; v < vectors - 1; v++) {
      float* to = y + v * vectorLanes;
      store<vectorLanes>(to, add ? load<vectorLanes>(to) + sum[r][v] : sum[r][v]);
    }
    float* to = row[r].result + first + last;
    const Lanes old = load<vectorLanes>(to), value = add ? old + sum[r][vectors - 1] : sum[r][vectors - 1];
    store<vectorLanes>(to, columns.counts ? value : old);
  }
}

}  // namespace
}  // namespace blasnet::BLASNET_SIMD
