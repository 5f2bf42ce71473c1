// Matrix product and dense layer, using BLAS.
#include "products/gemm.h"

#include "activations.h"
#include "kernels.h"
#include "products/bfloat16.h"
#include "products/zero_columns.h"
#include "reduce.h"
#include "share.h"

namespace blasnet::BLASNET_SIMD {
// c: m x n; op(a): m x k; op(b): k x n.
void gemm(float* c, const float* a, const float* b, int64_t m, int64_t n, int64_t k, bool transA, bool transB,
          float alpha, float beta, int64_t begin, int64_t end) noexcept {
  sgemm(transA, transB, end - begin, n, k, alpha, a + (transA ? begin : begin * k), transA ? m : k, b, transB ? k : n,
        beta, c + begin * n, n);
}

namespace {

// y <- x w [+ y]. x: rows x in; w: in x out, its rows `ldw` apart, as those of y.
void timesForward(float* y, const float* x, const float* w, int64_t rows, int64_t in, int64_t out, bool add,
                  int64_t ldx, int64_t ldw, int32_t precision) {
  if (isBfloat16(precision)) return bfloat16Product(false, false, rows, out, in, x, ldx, w, ldw, add, y, ldw);
  timesWeights(y, x, w, rows, in, out, add ? 1.0f : 0.0f, ldx, ldw, ldw);
}

// The columns [begin, end) of `count` rows of y, starting at `y`.
void denseBlock(float* y, const float* x, const float* w, const float* b, int64_t count, int64_t in, int64_t out,
                int64_t begin, int64_t end, int32_t activation, float slope, int32_t precision) {
  const int64_t width = end - begin;
  float* block = y + begin;
  // The bias is stored first and the product added to it, as BLAS would otherwise clear y in a separate pass.
  if (b != nullptr) {
    for (int64_t row = 0; row < count; row++) {
#pragma omp simd
      for (int64_t j = 0; j < width; j++) block[row * out + j] = b[begin + j];
    }
  }
  timesForward(block, x, w + begin, count, in, width, b != nullptr, in, out, precision);
  if (width == out) return activate(block, count * out, activation, slope);
  for (int64_t row = 0; row < count; row++) activate(block + row * out, width, activation, slope);
}

}  // namespace

// y: rows x out; x: rows x in; w: in x out; b: out.
void denseForward(float* y, const float* x, const float* w, const float* b, int64_t rows, int64_t in, int64_t out,
                  int32_t activation, float slope, int32_t precision, int axis, int64_t begin, int64_t end) noexcept {
  if (axis == 1) return denseBlock(y, x, w, b, rows, in, out, begin, end, activation, slope, precision);
  // Blocks of rows, so that the activation finds the product in the cache, but large enough that BLAS rarely repacks w.
  constexpr int64_t manyRows = 512;
  const int64_t blockRows = activation == identityCode ? end - begin : manyRows;
  for (int64_t first = begin; first < end; first += blockRows) {
    const int64_t count = first + blockRows < end ? blockRows : end - first;
    denseBlock(y + first * out, x + first * in, w, b, count, in, out, 0, out, activation, slope, precision);
  }
}

// products: parts x rows x out; x: for each share of the inputs, rows x its inputs; w: in x out.
void denseForwardParts(float* products, const float* x, const float* w, int64_t rows, int64_t in, int64_t out,
                       int64_t parts, int32_t precision, int64_t begin, int64_t end) noexcept {
  for (int64_t part = begin; part < end; part++) {
    const Share mine = share(in, partGrain, part, parts);
    const int64_t inputs = mine.end - mine.begin;
    timesForward(products + part * rows * out, x + mine.begin * rows, w + mine.begin * out, rows, inputs, out, false,
                 inputs, out, precision);
  }
}

// y: rows x out; products: parts x rows x out; b: out.
void denseForwardSum(float* y, const float* products, const float* b, int64_t rows, int64_t out, int64_t parts,
                     int32_t activation, float slope, int64_t begin, int64_t end) noexcept {
  for (int64_t row = begin; row < end; row++) {
    float* sum = y + row * out;
    if (b != nullptr) {
#pragma omp simd
      for (int64_t j = 0; j < out; j++) sum[j] = b[j];
    } else {
#pragma omp simd
      for (int64_t j = 0; j < out; j++) sum[j] = 0;
    }
    for (int64_t part = 0; part < parts; part++) {
      const float* product = products + (part * rows + row) * out;
#pragma omp simd
      for (int64_t j = 0; j < out; j++) sum[j] += product[j];
    }
  }
  activate(y + begin * out, (end - begin) * out, activation, slope);
}

// dx: rows x in; dy: rows x out; w: in x out.
void denseBackwardInput(float* dx, const float* dy, const float* w, int64_t rows, int64_t in, int64_t out,
                        int32_t precision, int axis, int64_t begin, int64_t end) noexcept {
  const Product product = productIn(precision);
  if (axis == 0) {
    return product(false, true, end - begin, in, out, dy + begin * out, out, w, out, false, dx + begin * in, in);
  }
  product(false, true, rows, end - begin, out, dy, out, w + begin * out, out, false, dx + begin, in);
}

namespace {

// dw <- x^T dy. x: rows x in, its rows `ldx` apart; dy: rows x out; dw: in x out.
void weightGradient(float* dw, const float* x, int64_t ldx, const float* dy, int64_t rows, int64_t in, int64_t out,
                    int32_t precision) {
  if (isBfloat16(precision)) return bfloat16Product(true, false, in, out, rows, x, ldx, dy, out, false, dw, out);
  transposedTimes(dw, x, dy, rows, in, out, ldx);
}

}  // namespace

// dw: in x out; x: rows x in; dy: rows x out.
void denseBackwardWeight(float* dw, const float* x, const float* dy, int64_t rows, int64_t in, int64_t out,
                         int32_t precision, int64_t begin, int64_t end) noexcept {
  weightGradient(dw + begin * out, x + begin, in, dy, rows, end - begin, out, precision);
}

// dw: in x out; x: for each share of the inputs, rows x its inputs; dy: rows x out.
void denseBackwardWeightParts(float* dw, const float* x, const float* dy, int64_t rows, int64_t in, int64_t out,
                              int64_t parts, int32_t precision, int64_t begin, int64_t end) noexcept {
  for (int64_t part = begin; part < end; part++) {
    const Share mine = share(in, partGrain, part, parts);
    const int64_t inputs = mine.end - mine.begin;
    weightGradient(dw + mine.begin * out, x + mine.begin * rows, inputs, dy, rows, inputs, out, precision);
  }
}

namespace {

// Few columns would leave most of a vector empty, so as many rows as fit a block are summed as if they were one. Works
// on all columns, so that sums don't depend on where a share ends.
void narrowSums(float* db, const float* dy, int64_t rows, int64_t out, int64_t begin, int64_t end) {
  const int64_t group = columnBlock / out, width = group * out, whole = rows / group;
  const float* rest = dy + whole * width;
  double total[columnBlock], last[columnBlock];
  columnSums(total, whole, width, [=](int64_t row, int64_t j) { return dy[row * width + j]; });
  columnSums(last, rows - whole * group, out, [=](int64_t row, int64_t j) { return rest[row * out + j]; });
  for (int64_t j = begin; j < end; j++) {
    for (int64_t i = j; i < width; i += out) last[j] += total[i];
    db[j] = static_cast<float>(last[j]);
  }
}

}  // namespace

// db: out; dy: rows x out.
void denseBackwardBias(float* db, const float* dy, int64_t rows, int64_t out, int64_t begin, int64_t end) noexcept {
  constexpr int64_t narrow = 16;
  if (begin < end && out < narrow) return narrowSums(db, dy, rows, out, begin, end);
  for (int64_t first = begin; first < end; first += columnBlock) {
    const int64_t width = first + columnBlock < end ? columnBlock : end - first;
    const float* in = dy + first;
    double total[columnBlock];
    columnSums(total, rows, width, [=](int64_t row, int64_t j) { return in[row * out + j]; });
    for (int64_t j = 0; j < width; j++) db[first + j] = static_cast<float>(total[j]);
  }
}

// c: rows x m x n; op(a): m x k and op(b): k x n in each row.
void matmulBatch(float* c, const float* a, const float* b, int64_t, int64_t m, int64_t n, int64_t k, bool transA,
                 bool transB, int32_t precision, int64_t begin, int64_t end) noexcept {
  const Product product = productIn(precision);
  const bool scalars = m == 1 && n == 1 && !isBfloat16(precision);
  for (int64_t row = begin; row < end; row++) {
    const float* left = a + row * m * k;
    const float* right = b + row * k * n;
    float* y = c + row * m * n;
    if (scalars) {
      *y = static_cast<float>(sumOf(k, [=](int64_t l) { return left[l] * right[l]; }));
    } else {
      product(transA, transB, m, n, k, left, transA ? m : k, right, transB ? k : n, false, y, n);
    }
  }
}

}  // namespace blasnet::BLASNET_SIMD
