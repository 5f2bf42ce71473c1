// Metrics of a batch.
#include "kernels.h"
#include "reduce.h"

namespace blasnet::BLASNET_SIMD {
namespace {

// Index of the largest element, the first one on a tie; 0 if all are NaN.
BLASNET_INLINE int32_t largestIndex(const float* x, int64_t n) {
  const float largest = maximum(x, n);
  constexpr int64_t few = 32;
  if (n <= few) {
    // From last to first, without a branch that the CPU would have to predict.
    int32_t index = 0;
    for (int64_t j = n - 1; j >= 0; j--) index = x[j] == largest ? static_cast<int32_t>(j) : index;
    return index;
  }
  for (int64_t j = 0; j < n; j++) {
    if (x[j] == largest) return static_cast<int32_t>(j);
  }
  return 0;
}

}  // namespace

// x: rows x cols.
void argmax(int32_t* index, const float* x, int64_t, int64_t cols, int64_t begin, int64_t end) noexcept {
  for (int64_t row = begin; row < end; row++) index[row] = largestIndex(x + row * cols, cols);
}

// x: rows x classes.
void accuracyLabels(float* hits, const float* x, const int32_t* labels, int64_t, int64_t classes, int64_t begin,
                    int64_t end) noexcept {
  for (int64_t row = begin; row < end; row++)
    hits[row] = largestIndex(x + row * classes, classes) == labels[row] ? 1.0f : 0.0f;
}

// x, target: rows x classes.
void accuracyProbabilities(float* hits, const float* x, const float* target, int64_t, int64_t classes, int64_t begin,
                           int64_t end) noexcept {
  for (int64_t row = begin; row < end; row++) {
    const int32_t expected = largestIndex(target + row * classes, classes);
    hits[row] = largestIndex(x + row * classes, classes) == expected ? 1.0f : 0.0f;
  }
}

// logits, target: rows x outputs.
void accuracyBinary(float* hits, const float* logits, const float* target, int64_t, int64_t outputs, int64_t begin,
                    int64_t end) noexcept {
  for (int64_t row = begin; row < end; row++) {
    const float* z = logits + row * outputs;
    const float* t = target + row * outputs;
    const double right = sumOf(outputs, [=](int64_t j) { return (z[j] > 0) == (t[j] > 0.5f) ? 1.0f : 0.0f; });
    hits[row] = static_cast<float>(right / static_cast<double>(outputs));
  }
}

// In order and on one thread, so that an epoch's totals are the same for any number of threads.
void batchTotals(double* meanLoss, double* hitCount, const float* loss, const float* hits, const double* penalty,
                 int64_t rows) noexcept {
  double lossTotal = 0, hitTotal = 0;
  for (int64_t row = 0; row < rows; row++) lossTotal += loss[row];
  if (hits != nullptr) {
    for (int64_t row = 0; row < rows; row++) hitTotal += hits[row];
  }
  *meanLoss = lossTotal / static_cast<double>(rows) + (penalty != nullptr ? *penalty : 0);
  *hitCount = hitTotal;
}

}  // namespace blasnet::BLASNET_SIMD
