// Metrics and batch totals.
#include "test.h"

namespace {

using namespace blasnet;
using namespace blasnet::test;

constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

int32_t firstLargest(const float* x, int64_t n) {
  int64_t best = -1;
  for (int64_t j = 0; j < n; j++) {
    if (!std::isnan(x[j]) && (best < 0 || x[j] > x[best])) best = j;
  }
  return static_cast<int32_t>(best < 0 ? 0 : best);
}

TEST(argmaxAndAccuracy) {
  Random random(12);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t cols : {1, 2, 10, 16, 31, 32, 33, 100, 1009}) {
      const int64_t rows = 37;
      Buffer<float> x(rows * cols), target(rows * cols, random, 0, 1), hits(rows);
      // Few distinct values, so that there are ties, and some NaN and infinities.
      for (int64_t i = 0; i < rows * cols; i++) {
        const uint32_t kind = random.word() % 16;
        x[i] = kind == 0 ? nan : kind == 1 && cols > 2 ? -inf : static_cast<float>(random.word() % 5);
      }
      for (int64_t j = 0; j < cols; j++) x[j] = nan;
      if (cols > 1) x[2 * cols - 1] = inf;
      Buffer<int32_t> index(rows), inParts(rows), labels(rows);
      Call(*set, Kernel::argmax, index, x, rows, cols).whole();
      Call(*set, Kernel::argmax, inParts, x, rows, cols).split();
      for (int64_t i = 0; i < rows; i++) CHECK(index[i] == firstLargest(&x[i * cols], cols));
      CHECK(index.sameBits(inParts) && index.intact());

      for (int64_t i = 0; i < rows; i++)
        labels[i] = i % 3 == 0 ? index[i] : static_cast<int32_t>((index[i] + 1) % cols);
      Call(*set, Kernel::accuracyLabels, hits, x, labels, rows, cols).split();
      for (int64_t i = 0; i < rows; i++) CHECK(hits[i] == (labels[i] == index[i] ? 1.0f : 0.0f));
      Call(*set, Kernel::accuracyProbabilities, hits, x, target, rows, cols).split();
      for (int64_t i = 0; i < rows; i++)
        CHECK(hits[i] == (firstLargest(&target[i * cols], cols) == index[i] ? 1.0f : 0.0f));
      CHECK(hits.intact());

      Buffer<float> logits(rows * cols, random, -1, 1);
      Call(*set, Kernel::accuracyBinary, hits, logits, target, rows, cols).split();
      for (int64_t i = 0; i < rows; i++) {
        double right = 0;
        for (int64_t j = i * cols; j < (i + 1) * cols; j++) right += (logits[j] > 0) == (target[j] > 0.5f);
        CHECK(hits[i] == static_cast<float>(right / static_cast<double>(cols)));
      }
      CHECK(hits.intact());
    }
  }
}

TEST(argmaxOfSpecialRows) {
  const float rows[][3] = {{nan, -inf, nan},    {-inf, -inf, -inf}, {nan, nan, nan},
                           {0.0f, -0.0f, 0.0f}, {1, inf, inf},      {-inf, nan, -1}};
  const int32_t expected[] = {1, 0, 0, 0, 1, 2};
  for (const KernelSet* set : kernelSets()) {
    Buffer<float> x(18);
    std::memcpy(x.data(), rows, sizeof rows);
    Buffer<int32_t> index(6);
    Call(*set, Kernel::argmax, index, x, 6, 3).whole();
    CHECK(std::memcmp(index.data(), expected, sizeof expected) == 0);
  }
}

TEST(batchTotals) {
  Random random(13);
  for (const KernelSet* set : kernelSets()) {
    for (const int64_t rows : sizes) {
      Buffer<float> loss(rows, random, 0, 3), hits(rows, random, 0, 2);
      Buffer<double> meanLoss(1), hitCount(1), penalty(1);
      penalty[0] = 0.125;
      double lossTotal = 0, hitTotal = 0;
      for (int64_t i = 0; i < rows; i++) {
        lossTotal += loss[i];
        hitTotal += hits[i];
      }
      Call(*set, Kernel::batchTotals, meanLoss, hitCount, loss, &hits, &penalty, rows).whole();
      CHECK_NEAR(meanLoss[0], lossTotal / static_cast<double>(rows) + 0.125, 0, 0, "meanLoss");
      CHECK(hitCount[0] == hitTotal);
      Call(*set, Kernel::batchTotals, meanLoss, hitCount, loss, nullptr, nullptr, rows).whole();
      CHECK_NEAR(meanLoss[0], lossTotal / static_cast<double>(rows), 0, 0, "meanLoss");
      CHECK(hitCount[0] == 0 && meanLoss.intact() && hitCount.intact());
    }
  }
}

}  // namespace
