// Products with some columns of a matrix, selected by an index. Sums of a tile of the result stay in registers, so the
// columns need not be copied into a contiguous matrix first.
#pragma once

#include <type_traits>

#include "../vector.h"

namespace blasnet::BLASNET_SIMD {
namespace {

using Lanes = Vector<vectorLanes>;

// Columns of the result computed together if the right matrix is copied for them.
constexpr int64_t block = 64, widest = block + 16;
static_assert(vectorLanes <= 16);
constexpr int64_t farApart = 512;  // where its rows are further apart, each lies in another page: then it is copied

// The width of the next block of columns; avoids a last block that would not fill a vector.
BLASNET_INLINE int64_t blockOf(int64_t left) { return left < widest ? left : block; }

// Neighbouring columns of a result as consecutive vectors; the last one starts `last` columns after the first. It may
// be moved back so that it ends with the matrix; then only the lanes set in `counts` are used.
struct Columns {
  int64_t begin, last;
  IntegerVector<vectorLanes> counts;
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

template <int rows, int vectors>
struct Tile {
  Lanes sum[rows][vectors];

  BLASNET_INLINE void clear() {
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) sum[r][v] = Lanes{};
    }
  }

  // values: the columns of one row of the right matrix.
  BLASNET_INLINE void loadRight(Lanes (&right)[vectors], const float* values, int64_t last) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors - 1; v++) right[v] = load<vectorLanes>(values + v * vectorLanes);
    right[vectors - 1] = load<vectorLanes>(values + last);
  }

  BLASNET_INLINE void add(int r, float left, const Lanes (&right)[vectors]) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) sum[r][v] += left * right[v];
  }

  BLASNET_INLINE void storeRow(int r, float* y, const Columns& columns, bool add) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors - 1; v++) {
      float* at = y + v * vectorLanes;
      store<vectorLanes>(at, add ? load<vectorLanes>(at) + sum[r][v] : sum[r][v]);
    }
    float* at = y + columns.last;
    const Lanes old = load<vectorLanes>(at), value = add ? old + sum[r][vectors - 1] : sum[r][vectors - 1];
    store<vectorLanes>(at, columns.counts ? value : old);
  }
};

// y <- (columns `index` of x) (the rows of w that start at `offsets`) [+ y], for a tile of y.
template <int rows, int vectors>
__attribute__((noinline)) void forwardTile(float* y, int64_t ldy, const float* x, int64_t ldx, const uint16_t* index,
                                           const float* w, const int64_t* offsets, int64_t depth,
                                           const Columns& columns, bool add) {
  Tile<rows, vectors> tile;
  tile.clear();
  const int64_t last = columns.last;
  for (int64_t k = 0; k < depth; k++) {
    Lanes right[vectors];
    tile.loadRight(right, w + offsets[k], last);
    const float* left = x + index[k];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {  // an address takes 0, 1 or 2 strides from a register, but no multiple of 3
      tile.add(r, left[r % 3 * ldx], right);
      if (r % 3 == 2) left += 3 * ldx;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++) tile.storeRow(r, y + r * ldy, columns, add);
}

// y <- (columns `index` of x) (the rows of w that start at `offsets`) [+ y]; y: rows x width. Calls before() before
// each tile.
template <typename Before>
BLASNET_INLINE void forwardTiles(float* y, int64_t ldy, const float* x, int64_t ldx, const uint16_t* index,
                                 const float* w, const int64_t* offsets, int64_t depth, int64_t rows, int64_t width,
                                 bool add, Before before) {
  byColumns(width, [&](auto vectors, const Columns& columns) {
    byRows<vectors>(rows, [&](auto tile, int64_t row) {
      before();
      forwardTile<tile, vectors>(y + row * ldy + columns.begin, ldy, x + row * ldx, ldx, index, w + columns.begin,
                                 offsets, depth, columns, add);
    });
  });
}

// Rows `index` of dw <- (these columns of x)^T dy [+ dw], for as many rows as a tile has.
template <int rows, int vectors>
__attribute__((noinline)) void gradientTile(float* dw, int64_t lddw, const float* x, int64_t ldx, int64_t count,
                                            const uint16_t* index, const float* dy, int64_t lddy,
                                            const Columns& columns, bool add) {
  Tile<rows, vectors> tile;
  tile.clear();
  const int64_t last = columns.last;
  int64_t at[rows];
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++) at[r] = index[r];
  for (int64_t i = 0; i < count; i++, x += ldx, dy += lddy) {
    Lanes right[vectors];
    tile.loadRight(right, dy, last);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) tile.add(r, x[at[r]], right);
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++) tile.storeRow(r, dw + at[r] * lddw, columns, add);
}

}  // namespace
}  // namespace blasnet::BLASNET_SIMD
